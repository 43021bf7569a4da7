//! Actions on clocks.

use crate::located::Located;
use crate::quantity::TimeOffset;
use crate::read::{choice, mapping};

mapping! {
    /// How far a clock is off.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClockError = "ClockError" {
        /// How far it is ahead of true time; negative is behind.
        pub offset: TimeOffset = "offset" eg["301s"];
    }
}

choice! {
    /// How the SNTP servers misbehave.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum NtpFault = "NtpFault" {
        /// No answer.
        "silent" => Silent;
        /// Their time is so far ahead of true time; negative is behind.
        "offset" => Offset(TimeOffset) eg["'-301s'"];
        /// A kiss-o'-death with this code of four letters, such as RATE or DENY (RFC 5905, 7.4).
        "kiss-of-death" => KissOfDeath(Located<String>) eg["RATE"];
        /// Leap indicator 3 and stratum 16: the server itself does not know the time.
        "stratum-16" => Stratum16;
        /// A transmit timestamp of zero.
        "zero" => Zero;
        /// An originate timestamp that is not the device's, as in a forged answer.
        "wrong-originate" => WrongOriginate;
        /// The last minute of the day has a second more or less.
        "leap" => Leap(Leap) eg["insert"];
    }
}

choice! {
    /// A leap second.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Leap = "Leap" {
        /// One more.
        "insert" => Insert;
        /// One less.
        "delete" => Delete;
    }
}
