//! Messages between a station (the device's radio) and its access point.
//!
//! The chip model and the network model are independent: they exchange these messages. Data frames are
//! Ethernet II without FCS, as the vendor's driver interface carries them. Management messages are typed,
//! because the radio is modelled at the driver interface and not by 802.11 frames.

use serde::{Deserialize, Serialize};

/// A MAC address, six octets in transmission order.
pub type Mac = [u8; 6];

/// How an access point authenticates stations. The numbers are those of the vendor's `wifi_auth_mode_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum AuthMode {
    /// An open network without password.
    Open = 0,
    /// WPA2 with a pre-shared key.
    Wpa2Psk = 3,
    /// WPA3 with SAE.
    Wpa3Psk = 6,
}

/// Reason for the end of an association, as the vendor's `wifi_err_reason_t` (values below 200 are those of
/// IEEE 802.11-2020, table 9-49).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub u8);

impl Reason {
    /// Reason 2: previous authentication no longer valid.
    pub const AUTH_EXPIRE: Reason = Reason(2);
    /// Reason 8: the station is leaving, or the access point is.
    pub const ASSOC_LEAVE: Reason = Reason(8);
    /// Reason 15: 4-way handshake timeout, the result of a wrong WPA2 password.
    pub const FOUR_WAY_HANDSHAKE_TIMEOUT: Reason = Reason(15);
    /// Reason 200: no beacon was received for a while, the access point has gone.
    pub const BEACON_TIMEOUT: Reason = Reason(200);
    /// Reason 201: no access point with that name on the scanned channels.
    pub const NO_AP_FOUND: Reason = Reason(201);
    /// Reason 202: authentication failed.
    pub const AUTH_FAIL: Reason = Reason(202);
}

/// Properties of an access point, as a scan reports them.
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
    /// Authentication mode that the access point requires.
    pub auth: AuthMode,
}

/// A message from the station to its access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToAir {
    /// Scan; `ssid` and `channel` narrow it. Answered by [`FromAir::ScanDone`].
    Scan {
        /// If given, only this network.
        ssid: Option<String>,
        /// If given, only this channel.
        channel: Option<u8>,
    },
    /// Associate. Answered by [`FromAir::Connected`] or [`FromAir::Disconnected`].
    Connect {
        /// Name of the network to join.
        ssid: String,
        /// Pre-shared key, empty for an open network.
        password: String,
        /// If given, only this access point.
        bssid: Option<Mac>,
        /// The station's own address.
        mac: Mac,
    },
    /// Leave the network. Answered by [`FromAir::Disconnected`] with [`Reason::ASSOC_LEAVE`].
    Disconnect,
    /// The station is gone without notice (reset, power cut). Not answered.
    Vanish,
    /// An Ethernet II frame.
    Frame(Vec<u8>),
}

/// A message from the access point to the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromAir {
    /// A scan ended; the strongest access point comes first.
    ScanDone(Vec<ApInfo>),
    /// The association is established.
    Connected {
        /// The access point.
        ap: ApInfo,
        /// Association id, 1 to 2007.
        aid: u16,
    },
    /// An association ended, or an attempt failed.
    Disconnected {
        /// Name of the network to which it belonged.
        ssid: String,
        /// MAC address of its access point, zeros if none was found.
        bssid: Mac,
        /// Reason for the end or the failure.
        reason: Reason,
        /// Signal strength at the end, dBm.
        rssi_dbm: i8,
    },
    /// The signal strength of the current association changed, dBm.
    Rssi(i8),
    /// An Ethernet II frame.
    Frame(Vec<u8>),
}
