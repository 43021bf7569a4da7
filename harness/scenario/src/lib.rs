//! The scenario file format: what may be written, where it was written, and what is wrong with it.
//!
//! A [`Format`] reads files. The model keeps the [`Span`] of everything
//! that a message may point at. Nothing here knows a backend; `docs/scenario-reference.md` and
//! `docs/scenario.schema.json` are made from the tables that the reader goes by, by [`Format::reference`] and
//! [`Format::schema`].
//!
//! | file | contents |
//! |---|---|
//! | `tree` | YAML → one tree of values with places; mistakes of the form |
//! | `read` | the tree → values: tables of keys and names, and the macros that declare them |
//! | `scalar`, `quantity`, `regex` | values that are one scalar |
//! | `bench`, `provisioning`, `action`, `trigger`, `fault`, `step`, `expectation`, `log`, `model` | what may be written |
//! | `validate*` | what must hold beyond the form |
//! | `wokwi` | what files for Wokwi's runner may hold besides |
//! | `schema`, `reference`, `fault_reference` | the documents |

pub mod action;
mod args;
pub mod bench;
mod count;
mod describe;
mod diagnostics;
pub mod expectation;
mod fact;
pub mod fault;
mod fault_reference;
mod format;
mod located;
pub mod log;
mod matrix;
mod names;
mod parse;
mod provisioning;
pub mod quantity;
mod read;
mod reference;
mod regex;
mod scalar;
mod schema;
mod step;
mod tree;
pub mod trigger;
mod validate;
mod validate_action;
mod validate_expect;
mod validate_fault;
mod wall_time;
mod wokwi;

mod model;

pub use action::{Action, DeviceAction, Nature, NetworkAction, Operation, RadioAction, RequestAction};
pub use bench::Bench;
pub use count::Count;
pub use describe::RequestFilter;
pub use diagnostics::{Diagnostics, Problem};
pub use expectation::{Expectation, ExpectationKind, Secret, SerialPattern, Window};
pub use fact::FactTrigger;
pub use fault::{Fault, Repeat};
pub use fault_reference::FaultEntry;
pub use format::Format;
pub use located::{Located, Span};
pub use model::{Catalogue, ExpectVerdict, Finding, Purpose, Scenario};
pub use names::closest;
pub use provisioning::Provisioning;
pub use quantity::{TimeOffset, TimeSpan};
pub use regex::{Regex, RegexError};
pub use step::{Bytes, Step, StepKind};
pub use trigger::{Level, Pattern, Trigger};
pub use wall_time::{Pace, SHORTEST_FAULT, SHORTEST_SESSION, ScaleTooLarge};
