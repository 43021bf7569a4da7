//! The server and its control interface on real sockets, talked to with literal requests.

mod bad_input;
mod bench;
mod crowd;
mod faults;
mod journal;
mod state;
mod tls;
