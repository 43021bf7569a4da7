//! Actions on the radio and on the services of the local network.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::clock::{ClockError, NtpFault};
use super::wire::LinkFault;
use crate::located::Located;
use crate::quantity::TimeSpan;

/// An action of the network behind the access point: on frames, DHCP, DNS, SNTP and new connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkAction {
    /// The link gets worse. Several add up. Lasts.
    Link(Box<LinkFault>),
    /// The DHCP server misbehaves. Lasts.
    Dhcp(DhcpFault),
    /// The DNS server misbehaves. Lasts.
    Dns(DnsFault),
    /// Every name has the gateway's address, and every connection ends at a page that wants a login: each HTTP request
    /// is answered 302 by the portal. Connections that stand are reset. Lasts.
    CaptivePortal,
    /// New TCP connections are turned away by a reset, as by a closed port; what stands, stands. Bare, all of them.
    /// Lasts.
    Refuse(Only),
    /// A silent firewall: what is meant is swallowed in both directions. Bare, all of TCP; with the fault's
    /// `endpoint`, only requests to it, of which the cloud never learns more than the first byte. Lasts.
    Blackhole(Only),
    /// The SNTP servers misbehave. Lasts.
    Ntp(NtpFault),
    /// The clock that SNTP serves goes wrong; the same as `ntp` with `offset`. Lasts.
    NtpClock(ClockError),
}

impl NetworkAction {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            NetworkAction::Link(_) => "link",
            NetworkAction::Dhcp(_) => "dhcp",
            NetworkAction::Dns(_) => "dns",
            NetworkAction::CaptivePortal => "captive-portal",
            NetworkAction::Refuse(_) => "refuse",
            NetworkAction::Blackhole(_) => "blackhole",
            NetworkAction::Ntp(_) => "ntp",
            NetworkAction::NtpClock(_) => "ntp-clock",
        }
    }

    /// See [`super::Action::sets`].
    pub(super) const fn sets(&self) -> Option<&'static str> {
        match self {
            NetworkAction::Dhcp(DhcpFault::Silent | DhcpFault::Nak) => Some("what DHCP answers"),
            NetworkAction::Dhcp(DhcpFault::Lease(_)) => Some("the DHCP lease"),
            NetworkAction::Dhcp(DhcpFault::AddressConflict) => Some("the address conflict"),
            NetworkAction::Dns(_) | NetworkAction::CaptivePortal => Some("what DNS answers"),
            NetworkAction::NtpClock(_) | NetworkAction::Ntp(NtpFault::Offset(_)) => Some("the clock of SNTP"),
            NetworkAction::Ntp(
                NtpFault::Silent
                | NtpFault::KissOfDeath(_)
                | NtpFault::Stratum16
                | NtpFault::Zero
                | NtpFault::WrongOriginate
                | NtpFault::Leap(_),
            ) => Some("what SNTP answers"),
            NetworkAction::Link(_) | NetworkAction::Refuse(_) | NetworkAction::Blackhole(_) => None,
        }
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

/// How the DHCP server misbehaves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DhcpFault {
    /// No answer.
    Silent,
    /// It offers, and refuses each request.
    Nak,
    /// Another host claims the device's address whenever the device asks for it (RFC 5227).
    AddressConflict,
    /// Leases granted from now on last this long, whole seconds.
    #[schemars(example = &"60s")]
    Lease(Located<TimeSpan>),
}

/// How the DNS server misbehaves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsFault {
    /// No answer.
    Silent,
    /// No name exists.
    Nxdomain,
    /// Every query fails.
    Servfail,
    /// Every name has this address.
    #[schemars(example = &"198.51.100.7", with = "String")]
    Address(Located<Ipv4Addr>),
    /// Right answers, this late; at most one minute.
    #[schemars(example = &"8s")]
    Slow(Located<TimeSpan>),
}

/// Which traffic is meant; each key narrows it, none is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Only {
    /// Only this kind of traffic.
    #[schemars(example = &"tcp")]
    pub protocol: Option<TrafficKind>,
    /// Only to or from this host: an IPv4 address, or a name that the bench's DNS knows.
    #[schemars(example = &"cloud.oceanremote.test")]
    pub host: Option<Located<String>>,
    /// Only to or from this TCP or UDP port.
    #[schemars(example = 80)]
    pub port: Option<Located<u16>>,
}

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrafficKind {
    /// ARP.
    Arp,
    /// DHCP.
    Dhcp,
    /// DNS.
    Dns,
    /// SNTP.
    Ntp,
    /// ICMP.
    Icmp,
    /// TCP.
    Tcp,
    /// All of UDP.
    Udp,
}

/// Which way traffic goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrafficDirection {
    /// From the device.
    FromDevice,
    /// To the device.
    ToDevice,
}
