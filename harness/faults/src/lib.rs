//! The fault plan: triggers in, orders out.
//!
//! A plan watches the events of a run. When a fault's moment comes, it gives an [`Order`] to the [`Effector`] of the bench,
//! or strikes the request at hand. A fault counts as fired when its effect is there and not before. One that changed
//! nothing is reported as [`FaultState::WithoutEffect`](vocabulary::FaultState::WithoutEffect), and fails the run as one
//! that never fired does.
//!
//! | file | what |
//! |---|---|
//! | `effector` | the trait of what carries actions out: asked before a run, told in it |
//! | `order` | an action on its way to an effector |
//! | `plan` | triggers, the order of actions, their end |
//! | `requests` | actions on requests → directives to the server |
//! | `operator` | actions of a service and its operator, carried out |
//! | `recorder` | the one place where events appear: shown to the plan, kept for the judges |
//! | `admission` | what becomes of new connections to a server while faults refuse or swallow them |
//! | `live` | the plan of a server on real sockets, where faults come and go |
//! | `service` | a scenario's `bench.cloud` → the service |

mod admission;
mod effector;
mod live;
mod operator;
mod order;
mod plan;
mod recorder;
mod requests;
mod service;

pub use admission::{NewConnections, meant};
pub use effector::{Done, Effector, Watcher};
pub use live::{FaultsAtTheServer, LiveFaults, Served, SharedFaults, Standing};
pub use operator::operate;
pub use order::{Order, Turn};
pub use plan::FaultPlan;
pub use recorder::{AtTheService, Recorder, SharedRecorder};
pub use service::{cloud_config, permanent_token};

/// The format of scenario files, with the services that a bench has.
pub const FORMAT: scenario::Format = scenario::Format::new(&[&oceanremote::SPEC]);
