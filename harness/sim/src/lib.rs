//! What every part of the bench shares, and nothing else: [`time`], an [event queue](queue), seeded
//! [randomness](rng), and [the air](air) between a station and its access point.
//!
//! Nothing here reads a clock, sleeps, or asks the machine for randomness: time is an argument, randomness
//! comes from the scenario's seed. The same inputs give the same outputs on every machine.

pub mod air;
pub mod queue;
pub mod rng;
pub mod time;

pub use queue::EventQueue;
pub use rng::Rng;
pub use time::{Instant, UnixTime};
