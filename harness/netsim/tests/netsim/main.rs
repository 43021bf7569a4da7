//! The network against a TCP/IP stack that knows nothing of it: smoltcp as the station.

mod life;
mod station;
