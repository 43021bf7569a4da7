//! Runs scenarios: puts the bench together, lets time pass, turns what is seen into events, and judges them.
//!
//! | file | what |
//! |---|---|
//! | `begin` | a device opened by name → a run on the bench that fits it |
//! | `setup` | a scenario's `bench` → network, cloud, flash image |
//! | `virtual_bench` | an emulated device, network and cloud wired together: one turn at a time |
//! | `terms` | the scenario's terms of the network → netsim's |
//! | `translate` | what is seen of the device, and notes of the network → events |
//! | `wall` | a device in wall time: cloud, DNS and SNTP on real sockets beside it |
//! | `run` | a run, stepped from power-on to the verdict |

mod begin;
mod run;
mod setup;
mod terms;
mod translate;
mod virtual_bench;
mod wall;

pub use begin::{begin, lacking, run};
pub use run::{Bench, Limits, Progress, Run, RunEnd, RunError, RunState, Terms};
pub use setup::SetupError;
pub use wall::WallBench;
