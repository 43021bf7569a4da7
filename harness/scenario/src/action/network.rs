//! Actions on the radio and on the services of the local network.

use std::net::Ipv4Addr;

use super::clock::{ClockError, NtpFault};
use super::wire::LinkFault;
use crate::located::Located;
use crate::quantity::TimeSpan;
use crate::read::{choice, mapping};

choice! {
    /// An action of the network behind the access point: on frames, DHCP, DNS, SNTP and new connections.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum NetworkAction = "NetworkAction" {
        /// The link gets worse. Several add up. Lasts.
        "link" => Link(Box<LinkFault>) eg["{loss: 20%, direction: to-device, only: {protocol: tcp}}"];
        /// The DHCP server misbehaves. Lasts.
        "dhcp" => Dhcp(DhcpFault) eg["{lease: 60s}"];
        /// The DNS server misbehaves. Lasts.
        "dns" => Dns(DnsFault) eg["{slow: 8s}"];
        /// Every name has the gateway's address, and every connection ends at a page that wants a login: each HTTP request
        /// is answered 302 by the portal. Connections that stand are reset. Lasts.
        "captive-portal" => CaptivePortal;
        /// New TCP connections are turned away by a reset, as by a closed port; what stands, stands. Bare, all of them.
        /// Lasts.
        "refuse" => Refuse(Only) eg["{port: 80}"] bare yes;
        /// A silent firewall: what is meant is swallowed in both directions. Bare, all of TCP; with the fault's
        /// `endpoint`, only requests to it, of which the cloud never learns more than the first byte. Lasts.
        "blackhole" => Blackhole(Only) eg["{host: cloud.oceanremote.test, port: 80}"] bare yes;
        /// The clock that SNTP serves goes wrong; the same as `ntp` with `offset`. Lasts.
        "ntp-clock" => NtpClock(ClockError) eg["{offset: '-301s'}"];
        /// The SNTP servers misbehave. Lasts.
        "ntp" => Ntp(NtpFault) eg["{kiss-of-death: RATE}"];
    }
}

impl NetworkAction {
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

mapping! {
    /// The access point ends the association.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Deauthenticate = "Deauthenticate" {
        /// Reason code (IEEE 802.11-2020, table 9-49; from 200 the vendor's).
        pub reason: Located<u8> = "reason" eg["8"];
    }
}

choice! {
    /// How the DHCP server misbehaves.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum DhcpFault = "DhcpFault" {
        /// No answer.
        "silent" => Silent;
        /// It offers, and refuses each request.
        "nak" => Nak;
        /// Another host claims the device's address whenever the device asks for it (RFC 5227).
        "address-conflict" => AddressConflict;
        /// Leases granted from now on last this long, whole seconds.
        "lease" => Lease(Located<TimeSpan>) eg["60s"];
    }
}

choice! {
    /// How the DNS server misbehaves.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum DnsFault = "DnsFault" {
        /// No answer.
        "silent" => Silent;
        /// No name exists.
        "nxdomain" => Nxdomain;
        /// Every query fails.
        "servfail" => Servfail;
        /// Every name has this address.
        "address" => Address(Located<Ipv4Addr>) eg["'198.51.100.7'"];
        /// Right answers, this late; at most one minute.
        "slow" => Slow(Located<TimeSpan>) eg["8s"];
    }
}

mapping! {
    /// Which traffic is meant; each key narrows it, none is all of it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Only = "Only" {
        /// Only this kind of traffic.
        pub protocol: Option<TrafficKind> = "protocol" eg["tcp"];
        /// Only to or from this host: an IPv4 address, or a name that the bench's DNS knows.
        pub host: Option<Located<String>> = "host" eg["cloud.oceanremote.test"];
        /// Only to or from this TCP or UDP port.
        pub port: Option<Located<u16>> = "port" eg["80"];
    }
}

choice! {
    /// A kind of traffic.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TrafficKind = "TrafficKind" {
        /// ARP.
        "arp" => Arp;
        /// DHCP.
        "dhcp" => Dhcp;
        /// DNS.
        "dns" => Dns;
        /// SNTP.
        "ntp" => Ntp;
        /// ICMP.
        "icmp" => Icmp;
        /// TCP.
        "tcp" => Tcp;
        /// All of UDP.
        "udp" => Udp;
    }
}

choice! {
    /// Which way traffic goes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TrafficDirection = "TrafficDirection" {
        /// From the device.
        "from-device" => FromDevice;
        /// To the device.
        "to-device" => ToDevice;
    }
}
