//! A DHCP server (RFC 2131) for one subnet.
//!
//! It is authoritative: a request for an address that the client cannot have is refused at once, as home
//! routers do, so that a station which moved here does not wait for its old lease to die.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::Instant;
use sim::air::Mac;
use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress};

use crate::{NetConfig, NetNote};

/// How long an offer is kept for the client that got it.
const OFFER_HOLD: Duration = Duration::from_secs(60);
/// How long an address that a client declined is left alone.
const DECLINE_HOLD: Duration = Duration::from_secs(600);
/// Lease times, s, in options 58 and 59 (RFC 2132, 9.11 and 9.12).
const OPT_RENEWAL_TIME: u8 = 58;
const OPT_REBINDING_TIME: u8 = 59;

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DhcpMode {
    /// As it should.
    #[default]
    Normal,
    /// No answer.
    Silent,
    /// Offers, and then refuses each request.
    Nak,
}

/// An answer, before it has a frame around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The DHCP message.
    pub(crate) message: Vec<u8>,
    /// The address to send it to; [`Ipv4Addr::BROADCAST`] for everyone.
    pub(crate) to: Ipv4Addr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Offered,
    Leased,
    Declined,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    mac: Mac,
    hold: Hold,
    until: Instant,
}

/// The server's state: one binding per address.
#[derive(Debug, Default)]
pub(crate) struct DhcpServer {
    bindings: BTreeMap<Ipv4Addr, Binding>,
    /// What each client had last, to give it the same again.
    last: BTreeMap<Mac, Ipv4Addr>,
    /// How it behaves.
    pub(crate) mode: DhcpMode,
}

/// Clients remembered after their lease; the oldest address is forgotten first.
const MAX_REMEMBERED: usize = 1024;

impl DhcpServer {
    /// When the next lease runs out.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.bindings.values().map(|b| b.until).min()
    }

    /// Frees what has run out.
    pub(crate) fn expire(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) {
        self.bindings.retain(|ip, b| {
            let keep = b.until > now;
            if !keep && b.hold == Hold::Leased {
                notes(NetNote::DhcpExpired { ip: *ip });
            }
            keep
        });
    }

    /// Handles a message from a client.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        config: &NetConfig,
        message: &[u8],
        notes: &mut impl FnMut(NetNote),
    ) -> Option<Reply> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let request = DhcpRepr::parse(&packet).ok()?;
        let mac = request.client_hardware_address.0;
        match request.message_type {
            DhcpMessageType::Discover => self.discover(now, config, &request, mac, notes),
            DhcpMessageType::Request => self.request(now, config, &request, mac, notes),
            DhcpMessageType::Release => {
                if self.release(request.client_ip, mac) {
                    notes(NetNote::DhcpRelease {
                        ip: request.client_ip,
                    });
                }
                None
            }
            DhcpMessageType::Decline => {
                let ip = request.requested_ip?;
                if self.release(ip, mac) {
                    let until = now + DECLINE_HOLD;
                    self.bindings.insert(
                        ip,
                        Binding {
                            mac,
                            hold: Hold::Declined,
                            until,
                        },
                    );
                    self.last.remove(&mac);
                    notes(NetNote::DhcpDecline { ip });
                }
                None
            }
            DhcpMessageType::Inform if self.mode == DhcpMode::Normal => Some(build(
                config,
                &request,
                DhcpMessageType::Ack,
                Ipv4Addr::UNSPECIFIED,
            )),
            _ => None,
        }
    }

    fn discover(
        &mut self,
        now: Instant,
        config: &NetConfig,
        request: &DhcpRepr<'_>,
        mac: Mac,
        notes: &mut impl FnMut(NetNote),
    ) -> Option<Reply> {
        notes(NetNote::DhcpDiscover { mac });
        if self.mode == DhcpMode::Silent {
            return None;
        }
        let ip = self.choose(config, request.requested_ip, mac)?;
        // A discover from a client with a lease (it restarted) does not shorten the lease.
        self.bindings.entry(ip).or_insert(Binding {
            mac,
            hold: Hold::Offered,
            until: now + OFFER_HOLD,
        });
        notes(NetNote::DhcpOffer { ip });
        Some(build(config, request, DhcpMessageType::Offer, ip))
    }

    /// RFC 2131, 4.3.1: the client's current address, its previous one, the one it asks for, a free one.
    fn choose(&self, config: &NetConfig, asked: Option<Ipv4Addr>, mac: Mac) -> Option<Ipv4Addr> {
        let bound = self
            .bindings
            .iter()
            .find(|(_, b)| b.mac == mac && b.hold != Hold::Declined);
        if let Some((ip, _)) = bound {
            return Some(*ip);
        }
        let range = config.lease_first.to_bits()..=config.lease_last.to_bits();
        let free = |ip: &Ipv4Addr| range.contains(&ip.to_bits()) && !self.bindings.contains_key(ip);
        let wish = self.last.get(&mac).copied().filter(free).or(asked.filter(free));
        wish.or_else(|| range.clone().map(Ipv4Addr::from_bits).find(free))
    }

    /// RFC 2131, 4.3.2: which of the client's states a request comes from shows in its fields.
    fn request(
        &mut self,
        now: Instant,
        config: &NetConfig,
        request: &DhcpRepr<'_>,
        mac: Mac,
        notes: &mut impl FnMut(NetNote),
    ) -> Option<Reply> {
        let ip = request.requested_ip.unwrap_or(request.client_ip);
        notes(NetNote::DhcpRequest { ip });
        if request
            .server_identifier
            .is_some_and(|server| server != config.gateway_ip)
        {
            // SELECTING, and it took another server's offer.
            self.bindings
                .retain(|_, b| b.mac != mac || b.hold != Hold::Offered);
            return None;
        }
        if self.mode == DhcpMode::Silent {
            return None;
        }
        let in_range = (config.lease_first..=config.lease_last).contains(&ip);
        let ours = match self.bindings.get(&ip) {
            Some(b) => b.mac == mac && b.hold != Hold::Declined,
            // INIT-REBOOT, or a renewal after the lease ran out: as good as free. SELECTING needs our offer.
            None => in_range && request.server_identifier.is_none(),
        };
        if !ours || self.mode == DhcpMode::Nak {
            self.release(ip, mac);
            notes(NetNote::DhcpNak { ip });
            return Some(build(
                config,
                request,
                DhcpMessageType::Nak,
                Ipv4Addr::UNSPECIFIED,
            ));
        }
        self.bindings
            .retain(|other, b| *other == ip || b.mac != mac || b.hold == Hold::Declined);
        let until = now + Duration::from_secs(config.lease_time_s.into());
        self.bindings.insert(
            ip,
            Binding {
                mac,
                hold: Hold::Leased,
                until,
            },
        );
        if self.last.len() >= MAX_REMEMBERED && !self.last.contains_key(&mac) {
            self.last.pop_first();
        }
        self.last.insert(mac, ip);
        notes(NetNote::DhcpAck { ip });
        Some(build(config, request, DhcpMessageType::Ack, ip))
    }

    /// Frees `ip` if it is the client's. Says whether it was.
    fn release(&mut self, ip: Ipv4Addr, mac: Mac) -> bool {
        let theirs = self
            .bindings
            .get(&ip)
            .is_some_and(|b| b.mac == mac && b.hold != Hold::Declined);
        if theirs {
            self.bindings.remove(&ip);
        }
        theirs
    }
}

/// RFC 2131, table 3 and section 4.1: what goes into an answer and where it goes.
fn build(config: &NetConfig, request: &DhcpRepr<'_>, kind: DhcpMessageType, ip: Ipv4Addr) -> Reply {
    let nak = kind == DhcpMessageType::Nak;
    let lease_s = (!nak && !ip.is_unspecified()).then_some(config.lease_time_s);
    let t1 = (config.lease_time_s / 2).to_be_bytes();
    let t2 = (config.lease_time_s - config.lease_time_s / 8).to_be_bytes();
    let times = [
        DhcpOption {
            kind: OPT_RENEWAL_TIME,
            data: &t1,
        },
        DhcpOption {
            kind: OPT_REBINDING_TIME,
            data: &t2,
        },
    ];
    let reply = DhcpRepr {
        message_type: kind,
        transaction_id: request.transaction_id,
        secs: 0,
        client_hardware_address: EthernetAddress(request.client_hardware_address.0),
        client_ip: if kind == DhcpMessageType::Ack {
            request.client_ip
        } else {
            Ipv4Addr::UNSPECIFIED
        },
        your_ip: ip,
        server_ip: Ipv4Addr::UNSPECIFIED,
        router: (!nak).then_some(config.gateway_ip),
        subnet_mask: (!nak).then(|| config.netmask()),
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: request.broadcast,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(config.gateway_ip),
        parameter_request_list: None,
        dns_servers: (!nak).then(|| [config.gateway_ip].into_iter().collect()),
        max_size: None,
        lease_duration: lease_s,
        renew_duration: None,
        rebind_duration: None,
        additional_options: if lease_s.is_some() { &times } else { &[] },
    };
    // RFC 951 has 64 bytes of vendor area: old clients expect at least 300 in all.
    let mut message = vec![0; (reply.buffer_len() + 12).max(300)];
    let emitted = reply.emit(&mut DhcpPacket::new_unchecked(&mut message[..]));
    assert!(emitted.is_ok(), "the buffer is as long as the message asked for");
    let to = if nak || (request.client_ip.is_unspecified() && request.broadcast) {
        Ipv4Addr::BROADCAST
    } else if request.client_ip.is_unspecified() {
        ip
    } else {
        request.client_ip
    };
    Reply { message, to }
}
