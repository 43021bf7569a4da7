//! The network against a TCP/IP stack that knows nothing of it: smoltcp as the station.

mod captures;
mod hosting;
mod leases;
mod life;
mod links;
mod noise;
mod places;
mod radio;
mod station;
mod streams;
