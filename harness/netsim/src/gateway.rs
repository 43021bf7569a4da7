//! The gateway: services of its own (ARP, DHCP, DNS), and forwarding of other frames.

use std::time::Duration;

use sim::Instant;
use sim::air::Mac;
use smoltcp::wire::{ArpOperation, ArpRepr, IpProtocol};

use crate::dhcp::DhcpServer;
use crate::frame::{self, BROADCAST, Content, Ipv4, Path};
use crate::{DnsMode, DropReason, NetConfig, NetNote, dns};

const PORT_DNS: u16 = 53;
const PORT_DHCP_SERVER: u16 = 67;
const PORT_DHCP_CLIENT: u16 = 68;

/// Result of a frame that the gateway receives.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The gateway answers after this time with this frame.
    Reply(Duration, Vec<u8>),
    /// The frame is for a server; `far` if it is in the wide-area network.
    Forward {
        /// True if the frame crosses the wide-area network.
        far: bool,
    },
    /// The frame was processed and needs no answer.
    Done,
    /// The frame is dropped for this reason.
    Dropped(DropReason),
}

/// State of the gateway's services.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) dhcp: DhcpServer,
    pub(crate) dns_mode: DnsMode,
    /// Delay of DNS answers.
    pub(crate) dns_delay: Duration,
    /// True if another host answers ARP requests for the station's address.
    pub(crate) address_conflict: bool,
    /// True if DNS queries go to the host of the servers.
    pub(crate) dns_elsewhere: bool,
}

/// MAC address of the other host in an address conflict.
const RIVAL: Mac = [0x02, 0x0c, 0xea, 0x00, 0x00, 0xff];

impl Gateway {
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        config: &NetConfig,
        from: Mac,
        bytes: &[u8],
        notes: &mut impl FnMut(NetNote),
    ) -> Fate {
        match frame::read(bytes) {
            Err(why) => Fate::Dropped(why),
            Ok(Content::Arp(arp)) => self.arp(config, arp),
            Ok(Content::Ipv4(ip)) => self.ipv4(now, config, from, &ip, notes),
        }
    }

    /// Answers ARP (RFC 826); for addresses outside the subnet the gateway answers as a proxy (RFC 1027).
    /// Probes and announcements for addresses of the subnet (RFC 5227) get no answer, because no other host
    /// has them.
    fn arp(&self, config: &NetConfig, arp: ArpRepr) -> Fate {
        let ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr: wanted,
            ..
        } = arp
        else {
            return Fate::Done;
        };
        let reply = |mac| {
            let to = (source_hardware_addr.0, source_protocol_addr);
            Fate::Reply(Duration::ZERO, frame::arp_reply(mac, wanted, to.0, to.1))
        };
        let own = source_protocol_addr == wanted || source_protocol_addr.is_unspecified();
        if wanted == config.gateway_ip || (!config.in_subnet(wanted) && !own) {
            reply(config.ap.bssid)
        } else if own && self.address_conflict {
            reply(RIVAL)
        } else {
            Fate::Done
        }
    }

    fn ipv4(
        &mut self,
        now: Instant,
        config: &NetConfig,
        from: Mac,
        ip: &Ipv4<'_>,
        notes: &mut impl FnMut(NetNote),
    ) -> Fate {
        let to_port = match ip.protocol {
            IpProtocol::Udp => ip.ports().map(|(_, to)| to),
            _ => None,
        };
        let broadcast = ip.dst.is_broadcast() || ip.dst == config.subnet_broadcast();
        if to_port == Some(PORT_DHCP_SERVER) && (broadcast || ip.dst == config.gateway_ip) {
            return self.dhcp(now, config, from, ip, notes);
        }
        if broadcast || ip.dst.is_multicast() || ip.fragment {
            return Fate::Dropped(DropReason::NotServed);
        }
        if !config.in_subnet(ip.src) || ip.src == config.gateway_ip || ip.src == config.subnet_broadcast() {
            return Fate::Dropped(DropReason::ForeignAddress);
        }
        let resolver = ip.dst == config.gateway_ip || config.resolvers.contains(&ip.dst);
        if to_port == Some(PORT_DNS) && resolver && !self.dns_elsewhere {
            return self.dns(config, from, ip, notes);
        }
        if ip.dst == config.gateway_ip {
            Fate::Forward { far: false }
        } else if config.in_subnet(ip.dst) || ip.dst.is_unspecified() || ip.dst.is_loopback() {
            Fate::Dropped(DropReason::NoSuchHost)
        } else {
            Fate::Forward { far: true }
        }
    }

    fn dhcp(
        &mut self,
        now: Instant,
        config: &NetConfig,
        from: Mac,
        ip: &Ipv4<'_>,
        notes: &mut impl FnMut(NetNote),
    ) -> Fate {
        let message = match ip.udp() {
            Ok((_, message)) => message,
            Err(why) => return Fate::Dropped(why),
        };
        let Some(reply) = self.dhcp.answer(now, config, message, notes) else {
            return Fate::Done;
        };
        let path = Path {
            src_mac: config.ap.bssid,
            dst_mac: if reply.to.is_broadcast() { BROADCAST } else { from },
            src: (config.gateway_ip, PORT_DHCP_SERVER),
            dst: (reply.to, PORT_DHCP_CLIENT),
        };
        Fate::Reply(Duration::ZERO, frame::udp(path, &reply.message))
    }

    fn dns(&self, config: &NetConfig, from: Mac, ip: &Ipv4<'_>, notes: &mut impl FnMut(NetNote)) -> Fate {
        let (ports, query) = match ip.udp() {
            Ok(datagram) => datagram,
            Err(why) => return Fate::Dropped(why),
        };
        let Some(outcome) = dns::answer(query, &config.dns_records, self.dns_mode) else {
            return Fate::Dropped(DropReason::Unreadable);
        };
        notes(NetNote::DnsQuery {
            name: outcome.name,
            answer: outcome.answer,
        });
        let Some(reply) = outcome.reply else {
            return Fate::Done;
        };
        let path = Path {
            src_mac: config.ap.bssid,
            dst_mac: from,
            src: (ip.dst, PORT_DNS),
            dst: (ip.src, ports.src_port),
        };
        // Another resolver than the gateway is in the wide-area network.
        let way = if ip.dst == config.gateway_ip {
            Duration::ZERO
        } else {
            config.wan_latency * 2
        };
        Fate::Reply(way + self.dns_delay, frame::udp(path, &reply))
    }
}
