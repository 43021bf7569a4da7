//! Tests of the network with an independent TCP/IP stack, smoltcp, as the station.

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
