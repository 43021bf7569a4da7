//! Runs scenarios: puts the bench together, lets time pass, turns what is seen into events, and judges them.
//!
//! | file | what |
//! |---|---|
//! | `begin` | a device opened by name → a run on the bench that fits it |
//! | `setup` | a scenario's `bench` → network, cloud, flash image |
//! | `virtual_bench` | an emulated device, network and cloud wired together: one turn at a time |
//! | `hub` | the one place where events appear: recorded, shown to the fault plan and the expectations |
//! | `translate` | notes of network and cloud → events |
//! | `faults` | the fault plan: triggers in, actions out |
//! | `door` | new connections to a server on real sockets while faults refuse or swallow them |
//! | `wall` | a device in wall time: cloud, DNS and SNTP on real sockets beside it |
//! | `live` | the fault plan of a server on real sockets, where faults come and go |
//! | `portal` | a captive portal |
//! | `run` | a run, stepped from power-on to the verdict |

mod begin;
mod door;
mod faults;
mod hub;
mod live;
mod portal;
mod run;
mod setup;
mod translate;
mod virtual_bench;
mod wall;

pub use begin::{begin, lacking, run};
pub use door::Door;
pub use live::{FaultsAtTheServer, LiveFaults, Served, SharedFaults, Standing};
pub use run::{Bench, Limits, Progress, Run, RunEnd, RunError, RunState, Terms};
pub use setup::{SetupError, cloud_config};
pub use wall::WallBench;
