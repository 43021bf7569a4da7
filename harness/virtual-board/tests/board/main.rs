//! Tests of a board through its interfaces: serial port, control socket, access point, servers of this host.
#![cfg(unix)]

mod access_point;
mod console;
mod network;
mod rig;
