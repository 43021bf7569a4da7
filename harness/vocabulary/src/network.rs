//! Events of the network between the device and the cloud.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use sim::air::Reason;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the device.
    FromDevice,
    /// To the device.
    ToDevice,
}

/// The radio's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WifiEvent {
    /// The station scans.
    Scan,
    /// The association stands.
    Associated {
        /// Network name.
        ssid: String,
        /// 2.4 GHz channel.
        channel: u8,
        /// Signal strength, dBm.
        rssi_dbm: i8,
    },
    /// An attempt to associate failed.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// The association ended.
    Disassociated {
        /// Why.
        reason: Reason,
    },
}

/// A network service did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkEvent {
    /// DHCP, RFC 2131; `message` is `discover`, `offer`, `request`, `ack`, `nak`, `release` or `decline`.
    Dhcp {
        /// Message type.
        message: String,
        /// The address that it is about.
        ip: Option<Ipv4Addr>,
    },
    /// A DNS query was answered, or not.
    Dns {
        /// The name asked for.
        name: String,
        /// `A 192.0.2.1`, `NXDOMAIN`, `no answer`, …
        answer: String,
    },
    /// An SNTP request has come; the answer, if there is one, follows.
    SntpAsked,
    /// An SNTP request was answered, or not.
    Sntp {
        /// The time given, RFC 3339, or why there was none.
        answer: String,
    },
    /// A TCP connection changed.
    Tcp {
        /// Number of the connection within the run, from 1.
        id: u64,
        /// Destination as `address:port`; of a reset, by whom, such as `by the device`.
        to: String,
        /// What changed.
        change: TcpChange,
    },
    /// A frame was lost.
    Dropped {
        /// Why.
        why: String,
    },
}

/// What became of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpChange {
    /// It was accepted.
    Opened,
    /// Both sides closed it.
    Closed,
    /// It was reset.
    Reset,
    /// It was refused.
    Refused,
}
