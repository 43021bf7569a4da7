//! An RV32IMC hart with machine and user mode, generic over its bus and independent of the ESP32.
//!
//! Instructions are decoded once into blocks of ops (`decode`, `op`, `cache`) and executed from there
//! (`exec`). Instructions that need the whole hart (traps, CSRs, waiting) are executed outside of that
//! (`hart`, `csr`). Every instruction takes one cycle, and the count is exact at each access to the bus and
//! at each exit. Loops that only wait for time to pass are skipped (`poll`, `replay`, `interval`) without a
//! difference in the result.

mod bus;
mod cache;
mod compressed;
mod config;
mod csr;
mod decode;
mod exec;
mod hart;
mod interval;
mod op;
mod poll;
mod poller;
mod replay;
mod trap;

pub use bus::{AccessFault, Bus, Flow, OnException, PollCall, PollRead, PollWrite};
pub use config::{HartConfig, Misaligned, TrapVector};
pub use csr::{Counts, Privilege};
pub use hart::{Exit, Hart, TrapLoop};
pub use trap::{Exception, Log, UnknownCsr};
