//! Actions of the access point.

use vocabulary::spec::Nature;

use super::network::Deauthenticate;
use crate::located::Located;

/// An action of the access point: on its beacons, its association with the device, its signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RadioAction {
    /// The access point stops: beacons are missed, and no network is found. Lasts.
    AccessPointGone,
    /// The access point ends the association. Happens once.
    Deauthenticate(Deauthenticate),
    /// The access point wants this password from now on; an association that stands is not ended. Lasts.
    WrongPassword(Located<String>),
    /// The signal has this strength, dBm. It alone loses no frames: add `link` for that. Lasts.
    Rssi(Located<i8>),
    /// Beacons leave the network's name out. Lasts.
    Hidden,
    /// The access point is on this channel, without a word to its station. Lasts.
    Channel(Located<u8>),
}

impl RadioAction {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            RadioAction::AccessPointGone => "access-point-gone",
            RadioAction::Deauthenticate(_) => "deauthenticate",
            RadioAction::WrongPassword(_) => "wrong-password",
            RadioAction::Rssi(_) => "rssi",
            RadioAction::Hidden => "hidden",
            RadioAction::Channel(_) => "channel",
        }
    }

    /// How long it acts.
    pub const fn nature(&self) -> Nature {
        match self {
            RadioAction::Deauthenticate(_) => Nature::Once,
            RadioAction::AccessPointGone
            | RadioAction::WrongPassword(_)
            | RadioAction::Rssi(_)
            | RadioAction::Hidden
            | RadioAction::Channel(_) => Nature::Lasting,
        }
    }

    /// See [`super::Action::sets`].
    pub(super) const fn sets(&self) -> Option<&'static str> {
        match self {
            RadioAction::AccessPointGone => Some("the access point"),
            RadioAction::Deauthenticate(_) => None,
            RadioAction::WrongPassword(_) => Some("the password"),
            RadioAction::Rssi(_) => Some("the signal strength"),
            RadioAction::Hidden => Some("the network's visibility"),
            RadioAction::Channel(_) => Some("the channel"),
        }
    }
}
