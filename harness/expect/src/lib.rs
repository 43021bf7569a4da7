//! Expectations and steps of a scenario, evaluated over the events of a run.
//!
//! No function here reads a clock or accesses a device: inputs are events and times, outputs are results and
//! commands.
//!
//! - [`Checker`] evaluates the expectations.
//! - [`StepRunner`] carries out the steps.
//! - [`Moments`] detects the trigger of a fault.
//! - [`SerialMatcher`] finds text in the console's bytes; [`LineAssembler`] splits them into lines.
//!
//! The cost of each event and of each byte is a small constant. The division of the bytes into pieces has no
//! effect on the results.

mod automaton;
mod checker;
mod happening;
mod interval;
mod judge;
mod level;
mod lines;
mod moment;
mod moments;
mod nearest;
mod occurrence;
mod order;
mod rhythm;
mod secrets;
mod serial;
mod service;
mod steps;
mod times;
mod told;
mod window;

pub use checker::Checker;
pub use lines::{LineAssembler, MAX_LINE};
pub use moments::Moments;
pub use serial::{Hit, SerialMatcher};
pub use steps::{Command, StepRunner};
