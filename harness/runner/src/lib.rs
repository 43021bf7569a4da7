//! Runs scenarios: puts the bench together, lets time pass, turns what is seen into events, and judges them.
//!
//! | file | what |
//! |---|---|
//! | `setup` | a scenario's `bench` → network, cloud, flash image |
//! | `bench` | device, network and cloud wired together: one turn at a time |
//! | `hub` | the one place where events appear: recorded, shown to the fault plan and the expectations |
//! | `translate` | notes of network and cloud → events |
//! | `faults` | the fault plan: triggers in, actions out |
//! | `live` | the fault plan of a server on real sockets, where faults come and go |
//! | `portal` | a captive portal |
//! | `run` | a whole run, from power-on to the verdict |

mod bench;
mod faults;
mod hub;
mod live;
mod portal;
mod run;
mod setup;
mod translate;

pub use live::{Door, FaultsAtTheServer, LiveFaults, Served, SharedFaults, Standing};
pub use run::{Firmware, Limits, Progress, RunError, RunRecord, run};
pub use setup::{SetupError, cloud_config};
