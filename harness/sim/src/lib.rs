//! Basics that all parts of the simulation share: [`time`], an [event queue](queue), seeded
//! [randomness](rng), and the [messages](air) between a station and its access point.
//!
//! No function here reads a clock, sleeps, or uses randomness of the host: time is an argument, randomness
//! comes from the scenario's seed. The same inputs give the same outputs on every machine.

pub mod air;
pub mod queue;
pub mod rng;
pub mod time;

pub use queue::EventQueue;
pub use rng::Rng;
pub use time::{Instant, UnixTime};
