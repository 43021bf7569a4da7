//! Expectations and steps of a scenario, evaluated over the events of a run.
//!
//! Nothing here reads a clock or talks to a device: events and times go in, results and commands come out.
//!
//! - [`Checker`] judges the expectations.
//! - [`StepRunner`] carries out the steps.
//! - [`Moments`] watches for the trigger of a fault.
//! - [`SerialMatcher`] finds text in the console's bytes; [`LineAssembler`] makes lines of them.
//!
//! Each costs a small constant for an event and for a byte, and the same bytes give the same results in
//! whatever pieces they arrive.

mod automaton;
mod checker;
mod happening;
mod interval;
mod judge;
mod level;
mod lines;
mod liveness;
mod moment;
mod moments;
mod nearest;
mod occurrence;
mod order;
mod rhythm;
mod secrets;
mod serial;
mod steps;
mod tokens;
mod window;

pub use checker::Checker;
pub use lines::{LineAssembler, MAX_LINE};
pub use moments::Moments;
pub use serial::{Hit, SerialMatcher};
pub use steps::{Command, StepRunner};
