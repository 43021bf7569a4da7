//! The air between a station (the device's radio) and its access point.
//!
//! The chip model and the network model do not know each other: they exchange these messages. Data frames
//! are Ethernet II without FCS, as the vendor's driver interface carries them; management is typed, because
//! the radio is modelled at the driver interface and not as 802.11 frames.

use serde::{Deserialize, Serialize};

/// A MAC address, six octets in transmission order.
pub type Mac = [u8; 6];

/// How an access point authenticates stations. The numbers are those of the vendor's `wifi_auth_mode_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum AuthMode {
    /// No password.
    Open = 0,
    /// WPA2 with a pre-shared key.
    Wpa2Psk = 3,
    /// WPA3 SAE.
    Wpa3Psk = 6,
}

/// Why a station lost its association, as the vendor's `wifi_err_reason_t` (values below 200 are those of
/// IEEE 802.11-2020, table 9-49).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub u8);

impl Reason {
    /// Previous authentication no longer valid.
    pub const AUTH_EXPIRE: Reason = Reason(2);
    /// The station is leaving, or the access point is.
    pub const ASSOC_LEAVE: Reason = Reason(8);
    /// 4-way handshake timeout: what a wrong WPA2 password looks like.
    pub const FOUR_WAY_HANDSHAKE_TIMEOUT: Reason = Reason(15);
    /// No beacon heard for a while: the access point has gone.
    pub const BEACON_TIMEOUT: Reason = Reason(200);
    /// No access point with that name on the channels scanned.
    pub const NO_AP_FOUND: Reason = Reason(201);
    /// Authentication failed.
    pub const AUTH_FAIL: Reason = Reason(202);
}

/// An access point as a scan sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApInfo {
    /// Network name, 1 to 32 octets; empty in a scan result of a hidden network.
    pub ssid: String,
    /// The access point's MAC address.
    pub bssid: Mac,
    /// 2.4 GHz channel, 1 to 14.
    pub channel: u8,
    /// Received signal strength, dBm.
    pub rssi_dbm: i8,
    /// Authentication mode.
    pub auth: AuthMode,
}

/// What the station asks of the air.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToAir {
    /// Scan; `ssid` and `channel` narrow it. Answered by [`FromAir::ScanDone`].
    Scan {
        /// Only this network.
        ssid: Option<String>,
        /// Only this channel.
        channel: Option<u8>,
    },
    /// Associate. Answered by [`FromAir::Connected`] or [`FromAir::Disconnected`].
    Connect {
        /// Network name.
        ssid: String,
        /// Pre-shared key, empty for an open network.
        password: String,
        /// Only this access point.
        bssid: Option<Mac>,
        /// The station's own address.
        mac: Mac,
    },
    /// Leave the network. Answered by [`FromAir::Disconnected`] with [`Reason::ASSOC_LEAVE`].
    Disconnect,
    /// The station has gone without a word (reset, power cut). Not answered.
    Vanish,
    /// An Ethernet II frame.
    Frame(Vec<u8>),
}

/// What the air brings to the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromAir {
    /// A scan ended; the strongest access point comes first.
    ScanDone(Vec<ApInfo>),
    /// The association stands.
    Connected {
        /// The access point.
        ap: ApInfo,
        /// Association id, 1 to 2007.
        aid: u16,
    },
    /// An association ended, or an attempt failed.
    Disconnected {
        /// The network that was meant.
        ssid: String,
        /// Its access point, zeros when none was found.
        bssid: Mac,
        /// Why.
        reason: Reason,
        /// Signal strength at the end, dBm.
        rssi_dbm: i8,
    },
    /// The signal strength of the current association changed, dBm.
    Rssi(i8),
    /// An Ethernet II frame.
    Frame(Vec<u8>),
}
