//! The board from outside: a serial port, a control socket, an access point, servers of this host.
#![cfg(unix)]

mod access_point;
mod console;
mod network;
mod rig;
