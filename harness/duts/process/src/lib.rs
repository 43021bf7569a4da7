//! A program of the host as the device under test: `--dut process:COMMAND`.
//!
//! The program is started with the address of the cloud and the device's settings in its environment; its standard
//! input, output and error are the device's console; time is wall time. Its end is an event. A power cut kills it, power
//! and reset start it anew. The person's page is `docs/process.md`.
//!
//! This crate is a driver: clocks, threads and child processes come in here.
//!
//! | file | what |
//! |---|---|
//! | `command` | a command line, split into words |
//! | `environment` | what the program is told |
//! | `child` | a running program in a process group of its own |
//! | `clock` | the host's clock |
//! | `device` | the program as a [`dut::Dut`] |
//! | `source` | the factory and the source |

mod child;
mod clock;
mod command;
mod device;
mod environment;
mod source;

pub use source::ProcessFactory;
