//! Actions of the access point.

use vocabulary::spec::Nature;

use super::network::Deauthenticate;
use crate::located::Located;
use crate::read::choice;

choice! {
    /// An action of the access point: on its beacons, its association with the device, its signal.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RadioAction = "RadioAction" {
        /// The access point stops: beacons are missed, and no network is found. Lasts.
        "access-point-gone" => AccessPointGone;
        /// The access point ends the association. Happens once.
        "deauthenticate" => Deauthenticate(Deauthenticate) eg["{reason: 8}"];
        /// The access point wants this password from now on; an association that stands is not ended. Lasts.
        "wrong-password" => WrongPassword(Located<String>) eg["changed-password"];
        /// The signal has this strength, dBm. It alone loses no frames: add `link` for that. Lasts.
        "rssi" => Rssi(Located<i8>) eg["-80"];
        /// Beacons leave the network's name out. Lasts.
        "hidden" => Hidden;
        /// The access point is on this channel, without a word to its station. Lasts.
        "channel" => Channel(Located<u8>) eg["11"];
    }
}

impl RadioAction {
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
