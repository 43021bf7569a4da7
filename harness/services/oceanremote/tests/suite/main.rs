//! The cloud from outside: the contract row by row, HTTP on streams and sockets, faults.

mod contract;
mod desk;
mod faults;
mod http;
mod limits;
mod operators;
#[cfg(feature = "tcp")]
mod tcp;
mod tokens;
