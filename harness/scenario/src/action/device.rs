//! Actions on the device itself.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use vocabulary::ResetCause;
use vocabulary::spec::Nature;

use crate::located::Located;
use crate::names;
use crate::scalar::{ShortForm, or_scalar, short_form};

/// An action on the device: on its supply, its reset pin, its pins and its flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAction {
    /// The supply is cut; RAM is lost, flash stays. Bare, at once; or in the middle of a flash write, which is when it
    /// counts as fired. Lasts; without `for` it comes back at once.
    PowerCut(PowerCut),
    /// The device is reset: bare by its reset pin, or with a cause. Happens once.
    Reset(ResetFault),
    /// A pin is driven from outside, as by an input that is stuck. Lasts; afterwards nothing drives it.
    DrivePin(DrivePin),
    /// Bytes of the flash are overwritten behind the firmware's back. Happens once.
    CorruptFlash(CorruptFlash),
}

impl DeviceAction {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            DeviceAction::PowerCut(_) => "power-cut",
            DeviceAction::Reset(_) => "reset",
            DeviceAction::DrivePin(_) => "drive-pin",
            DeviceAction::CorruptFlash(_) => "corrupt-flash",
        }
    }

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

/// The supply is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PowerCut {
    /// Not at once but in the next flash write: so many bytes are still programmed or erased, the one after them is
    /// not. An erased sector counts 4096 bytes.
    #[schemars(example = 17)]
    pub flash_write_byte: Option<u64>,
}

/// A reset, by its cause. A bare name is the cause.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = or_scalar)]
pub struct ResetFault {
    /// What the chip takes for the cause.
    #[serde(deserialize_with = "names::a_reset_cause")]
    #[schemars(with = "names::ResetCauseName", example = &"brown-out")]
    pub cause: ResetCause,
}

impl Default for ResetFault {
    fn default() -> ResetFault {
        ResetFault {
            cause: ResetCause::Pin,
        }
    }
}

impl ShortForm for ResetFault {
    const EXPECTING: &'static str = "a reset cause such as `brown-out`, or a mapping with `cause`";

    fn from_short(text: &str) -> Result<Self, String> {
        Ok(ResetFault {
            cause: names::find(text, "reset cause", &names::RESET_CAUSES)?,
        })
    }
}

short_form!(ResetFault);

/// A pin driven from outside.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DrivePin {
    /// GPIO number, 0 to 21.
    #[schemars(example = 9)]
    pub gpio: Located<u8>,
    /// The level.
    #[schemars(example = &"low")]
    pub level: crate::trigger::Level,
}

/// Bytes of the flash are overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CorruptFlash {
    /// In this partition.
    #[schemars(example = &"token")]
    pub partition: Located<String>,
    /// From this byte of it on.
    #[schemars(example = 12)]
    pub offset: u32,
    /// The new bytes, hexadecimal.
    #[schemars(example = &"00ff00")]
    pub bytes: Located<String>,
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
