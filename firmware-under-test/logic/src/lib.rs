//! The hardware-free half of the OceanRemote device.
//!
//! Everything here is a pure function or a plain state machine: time, randomness and bytes come in as
//! arguments. It compiles for the ESP32-C3 and for the host, where its tests run:
//!
//! ```text
//! cargo test -p oceanremote-logic --target <the host's triple>
//! ```
#![no_std]

pub mod backoff;
pub mod calendar;
pub mod checksum;
pub mod defects;
pub mod dhcp;
pub mod http;
pub mod kiss;
pub mod ntp;
pub mod replies;
pub mod retry_after;
pub mod session;
pub mod settings;
pub mod token;
