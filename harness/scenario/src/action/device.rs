//! Actions on the device itself.

use std::time::Duration;

use vocabulary::ResetCause;
use vocabulary::spec::Nature;

use crate::located::Located;
use crate::read::{choice, mapping};

choice! {
    /// An action on the device: on its supply, its reset pin, its pins and its flash.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum DeviceAction = "DeviceAction" {
        /// The supply is cut; RAM is lost, flash stays. Bare, at once; or in the middle of a flash write, which is when it
        /// counts as fired. Lasts; without `for` it comes back at once.
        "power-cut" => PowerCut(PowerCut) eg["{flash-write-byte: 17}"] bare yes;
        /// The device is reset: bare by its reset pin, or with a cause. Happens once.
        "reset" => Reset(ResetFault) eg["brown-out"] bare yes;
        /// A pin is driven from outside, as by an input that is stuck. Lasts; afterwards nothing drives it.
        "drive-pin" => DrivePin(DrivePin) eg["{gpio: 9, level: low}"];
        /// Bytes of the flash are overwritten behind the firmware's back. Happens once.
        "corrupt-flash" => CorruptFlash(CorruptFlash) eg["{partition: token, offset: 12, bytes: 00ff00}"];
    }
}

impl DeviceAction {
    /// How long it acts.
    pub const fn nature(&self) -> Nature {
        match self {
            DeviceAction::Reset(_) | DeviceAction::CorruptFlash(_) => Nature::Once,
            DeviceAction::PowerCut(_) | DeviceAction::DrivePin(_) => Nature::Lasting,
        }
    }

    /// See [`super::Action::sets`].
    pub(super) fn sets(&self) -> Option<String> {
        match self {
            DeviceAction::PowerCut(_) => Some("the supply".to_owned()),
            DeviceAction::DrivePin(pin) => Some(format!("GPIO{}", pin.gpio.value)),
            DeviceAction::Reset(_) | DeviceAction::CorruptFlash(_) => None,
        }
    }

    /// See [`super::Action::usual_length`]. After a power cut without a length the supply comes back at once.
    pub(super) const fn usual_length(&self) -> Option<Duration> {
        match self {
            DeviceAction::PowerCut(_) => Some(Duration::ZERO),
            DeviceAction::Reset(_) | DeviceAction::DrivePin(_) | DeviceAction::CorruptFlash(_) => None,
        }
    }
}

mapping! {
    /// The supply is cut.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct PowerCut = "PowerCut" {
        /// Not at once but in the next flash write: so many bytes are still programmed or erased, the one after them is
        /// not. An erased sector counts 4096 bytes.
        pub flash_write_byte: Option<u64> = "flash-write-byte" eg["17"];
    }
}

mapping! {
    /// A reset, by its cause. A bare name is the cause.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ResetFault = "ResetFault" {
        /// What the chip takes for the cause.
        pub cause: ResetCause = "cause" eg["brown-out"] or["pin"];
    }
    short "cause";
}

mapping! {
    /// A pin driven from outside.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DrivePin = "DrivePin" {
        /// GPIO number.
        pub gpio: Located<u8> = "gpio" eg["9"];
        /// The level.
        pub level: crate::trigger::Level = "level" eg["low"];
    }
}

mapping! {
    /// Bytes of the flash are overwritten.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CorruptFlash = "CorruptFlash" {
        /// In this partition.
        pub partition: Located<String> = "partition" eg["token"];
        /// From this byte of it on.
        pub offset: u32 = "offset" eg["12"];
        /// The new bytes, hexadecimal.
        pub bytes: Located<String> = "bytes" eg["00ff00"];
    }
}

impl CorruptFlash {
    /// The new bytes; `None` if they are not written as hexadecimal digits.
    pub fn new_bytes(&self) -> Option<Vec<u8>> {
        let text = self.bytes.as_bytes();
        if text.is_empty() || !text.len().is_multiple_of(2) {
            return None;
        }
        let digit = |b: u8| (b as char).to_digit(16);
        text.chunks(2)
            .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
            .collect()
    }
}
