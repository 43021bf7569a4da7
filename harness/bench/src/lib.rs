//! Runs scenarios: puts the bench together, lets time pass, turns what is seen into events, and judges them.
//!
//! | file | what |
//! |---|---|
//! | `setup` | a scenario's `bench` → network, cloud, flash image |
//! | `bench` | device, network and cloud wired together: one turn at a time |
//! | `hub` | the one place where events appear: recorded, shown to the fault plan and the expectations |
//! | `translate` | notes of network and cloud → events |
//! | `faults` | the fault plan: triggers in, actions out |
//! | `door` | new connections to a server on real sockets while faults refuse or swallow them |
//! | `wall` | a device in wall time: cloud, DNS and SNTP on real sockets beside it |
//! | `live` | the fault plan of a server on real sockets, where faults come and go |
//! | `portal` | a captive portal |
//! | `run` | a whole run, from power-on to the verdict |

mod bench;
mod door;
mod faults;
mod hub;
mod live;
mod portal;
mod run;
mod setup;
mod translate;
mod wall;

pub use door::Door;
pub use live::{FaultsAtTheServer, LiveFaults, Served, SharedFaults, Standing};
pub use run::{Firmware, Limits, Progress, RunError, RunRecord, run};
pub use setup::{SetupError, cloud_config};
pub use wall::{Abilities, AccessPoint, Site, Start, WallBench, impossible};
