//! Actions: what a fault does.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::quantity::TimeOffset;

/// What a fault does. One key, or the bare name where there is nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The access point stops: beacons are missed, and no network is found. Lasts.
    AccessPointGone,
    /// The access point ends the association. Happens once.
    Deauthenticate(Deauthenticate),
    /// The signal has this strength, dBm. Lasts.
    #[schemars(example = -80)]
    Rssi(Located<i8>),
    /// The access point wants this password from now on; an association that stands is not ended. Lasts.
    #[schemars(example = &"changed-password")]
    WrongPassword(Located<String>),
    /// The supply is cut; RAM is lost, flash stays. Lasts; without `for` it comes back at once.
    PowerCut,
    /// The reset pin is pulled. Happens once.
    Reset,
    /// An operator switches a relay on the dashboard. Happens once.
    CommandRelay(CommandRelay),
    /// An operator revokes the device's permanent token. Happens once.
    RevokePermanentToken,
    /// The device's session ends before its time. Happens once.
    ExpireSession,
    /// An operator presses "Renew Session" on the dashboard. Happens once.
    RenewSession,
    /// The server's clock goes wrong. Lasts.
    ServerClock(ClockError),
    /// The clock that SNTP serves goes wrong. Lasts.
    NtpClock(ClockError),
    /// An input pin is driven from outside. Lasts; afterwards nothing drives it.
    DrivePin(DrivePin),
}

impl Action {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::AccessPointGone => "access-point-gone",
            Action::Deauthenticate(_) => "deauthenticate",
            Action::Rssi(_) => "rssi",
            Action::WrongPassword(_) => "wrong-password",
            Action::PowerCut => "power-cut",
            Action::Reset => "reset",
            Action::CommandRelay(_) => "command-relay",
            Action::RevokePermanentToken => "revoke-permanent-token",
            Action::ExpireSession => "expire-session",
            Action::RenewSession => "renew-session",
            Action::ServerClock(_) => "server-clock",
            Action::NtpClock(_) => "ntp-clock",
            Action::DrivePin(_) => "drive-pin",
        }
    }

    /// Whether it has an end, so that `for` means something.
    pub const fn lasts(&self) -> bool {
        matches!(
            self,
            Action::AccessPointGone
                | Action::Rssi(_)
                | Action::WrongPassword(_)
                | Action::PowerCut
                | Action::ServerClock(_)
                | Action::NtpClock(_)
                | Action::DrivePin(_)
        )
    }
}

/// The access point ends the association.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deauthenticate {
    /// Reason code (IEEE 802.11-2020, table 9-49; from 200 the vendor's).
    #[schemars(example = 8)]
    pub reason: Located<u8>,
}

/// An operator switches a relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandRelay {
    /// Which relay, from 1.
    #[schemars(example = 1)]
    pub relay: Located<u8>,
    /// Whether it is to be on.
    #[schemars(example = true)]
    pub on: bool,
}

/// How far a clock is off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClockError {
    /// How far it is ahead of true time; negative is behind.
    #[schemars(example = &"301s")]
    pub offset: TimeOffset,
}

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
