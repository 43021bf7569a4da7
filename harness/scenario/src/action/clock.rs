//! Actions on clocks.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::quantity::TimeOffset;

/// How far a clock is off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClockError {
    /// How far it is ahead of true time; negative is behind.
    #[schemars(example = &"301s")]
    pub offset: TimeOffset,
}

/// How the server's clock goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerClockFault {
    /// It is so far ahead of true time; negative is behind.
    #[schemars(example = &"301s")]
    Offset(TimeOffset),
    /// It jumps by so much, once, and goes on from there.
    #[schemars(example = &"-10m")]
    Step(TimeOffset),
    /// It gains so many parts per million from now on; at the end it is set right again.
    #[schemars(example = 500)]
    DriftPpm(Located<i32>),
}

/// How the SNTP servers misbehave.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NtpFault {
    /// No answer.
    Silent,
    /// Their time is so far ahead of true time; negative is behind.
    #[schemars(example = &"-301s")]
    Offset(TimeOffset),
    /// A kiss-o'-death with this code of four letters, such as RATE or DENY (RFC 5905, 7.4).
    #[schemars(example = &"RATE")]
    KissOfDeath(Located<String>),
    /// Leap indicator 3 and stratum 16: the server itself does not know the time.
    #[serde(rename = "stratum-16")]
    Stratum16,
    /// A transmit timestamp of zero.
    Zero,
    /// An originate timestamp that is not the device's, as in a forged answer.
    WrongOriginate,
    /// The last minute of the day has a second more or less.
    #[schemars(example = &"insert")]
    Leap(Leap),
}

/// A leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leap {
    /// One more.
    Insert,
    /// One less.
    Delete,
}
