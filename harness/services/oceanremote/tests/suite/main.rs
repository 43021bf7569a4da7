//! The cloud from outside: the contract row by row, HTTP on streams and sockets, faults.

mod contract;
mod faults;
mod fixture;
mod http;
mod limits;
mod operators;
mod tcp;
mod tokens;
