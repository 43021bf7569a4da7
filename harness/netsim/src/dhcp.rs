//! A DHCP server (RFC 2131) for one subnet.
//!
//! It is authoritative: a request for an address that the client cannot have is refused at once, as by home
//! routers, so that a station that comes from another network does not wait for the end of its old lease.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::Instant;
use sim::air::Mac;
use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress};

use crate::{NetConfig, NetNote};

/// Time for which an offered address is reserved for its client.
const OFFER_HOLD: Duration = Duration::from_secs(60);
/// Time for which an address that a client has declined is not offered.
const DECLINE_HOLD: Duration = Duration::from_secs(600);
/// Option codes of the renewal and rebinding times (RFC 2132, 9.11 and 9.12), in seconds.
const OPT_RENEWAL_TIME: u8 = 58;
const OPT_REBINDING_TIME: u8 = 59;

/// Behaviour of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DhcpMode {
    /// Answers as RFC 2131 says.
    #[default]
    Normal,
    /// No message is answered.
    Silent,
    /// Discovers get an offer, and each request is refused.
    Nak,
}

/// A DHCP answer without its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Encoded DHCP message.
    pub(crate) message: Vec<u8>,
    /// Destination address; [`Ipv4Addr::BROADCAST`] for all hosts.
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
    /// Last address of each client, which it gets again.
    last: BTreeMap<Mac, Ipv4Addr>,
    /// Behaviour of the server.
    pub(crate) mode: DhcpMode,
}

/// Greatest number of clients whose last address is kept; beyond it the entry of the lowest MAC address is
/// dropped.
const MAX_REMEMBERED: usize = 1024;

impl DhcpServer {
    /// The moment at which the next lease or reservation ends.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.bindings.values().map(|b| b.until).min()
    }

    /// Frees the addresses whose lease or reservation has ended.
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
        // A discover of a client with a lease (it restarted) does not shorten the lease.
        self.bindings.entry(ip).or_insert(Binding {
            mac,
            hold: Hold::Offered,
            until: now + OFFER_HOLD,
        });
        notes(NetNote::DhcpOffer { ip });
        Some(build(config, request, DhcpMessageType::Offer, ip))
    }

    /// RFC 2131, 4.3.1: the client's current address, its previous one, the requested one, a free one.
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

    /// RFC 2131, 4.3.2: the fields of a request show the client's state.
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
            // State SELECTING, and the client has chosen another server's offer.
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
            // State INIT-REBOOT, or a renewal after the end of the lease: the address is free. In state
            // SELECTING it must have been offered.
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

    /// Frees `ip` if it is the client's. Returns true if it was.
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

/// Builds an answer and its destination (RFC 2131, table 3 and section 4.1).
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
    // RFC 951 has a vendor area of 64 bytes: old clients expect at least 300 bytes in total.
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Mac = [2, 0, 0, 0, 0, 0x0a];
    const BOB: Mac = [2, 0, 0, 0, 0, 0x0b];
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);

    const fn host(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 4, last)
    }

    fn message(kind: DhcpMessageType, mac: Mac) -> DhcpRepr<'static> {
        DhcpRepr {
            message_type: kind,
            transaction_id: 0x1234_5678,
            secs: 0,
            client_hardware_address: EthernetAddress(mac),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            requested_ip: None,
            client_identifier: None,
            server_identifier: None,
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        }
    }

    struct Desk {
        server: DhcpServer,
        config: NetConfig,
        now: Instant,
        notes: Vec<NetNote>,
    }

    impl Desk {
        fn new(last_lease: u8) -> Desk {
            let config = NetConfig {
                lease_last: host(last_lease),
                ..NetConfig::default()
            };
            Desk {
                server: DhcpServer::default(),
                config,
                now: Instant::ZERO,
                notes: vec![],
            }
        }

        fn say(&mut self, message: &DhcpRepr<'_>) -> Option<Reply> {
            let mut bytes = vec![0; message.buffer_len() + 4];
            message
                .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
                .unwrap();
            let notes = &mut self.notes;
            self.server
                .answer(self.now, &self.config, &bytes, &mut |n| notes.push(n))
        }

        /// Type of the answer and the address in it.
        fn ask(&mut self, message: &DhcpRepr<'_>) -> Option<(DhcpMessageType, Ipv4Addr)> {
            let reply = self.say(message)?;
            let packet = DhcpPacket::new_checked(&reply.message[..]).unwrap();
            let repr = DhcpRepr::parse(&packet).unwrap();
            Some((repr.message_type, repr.your_ip))
        }

        fn select(&mut self, mac: Mac, ip: Ipv4Addr) -> Option<(DhcpMessageType, Ipv4Addr)> {
            let request = message(DhcpMessageType::Request, mac);
            self.ask(&DhcpRepr {
                requested_ip: Some(ip),
                server_identifier: Some(GATEWAY),
                ..request
            })
        }

        fn renew(&mut self, mac: Mac, ip: Ipv4Addr) -> Option<(DhcpMessageType, Ipv4Addr)> {
            self.ask(&DhcpRepr {
                client_ip: ip,
                ..message(DhcpMessageType::Request, mac)
            })
        }

        fn join(&mut self, mac: Mac) -> Option<Ipv4Addr> {
            let (_, ip) = self.ask(&message(DhcpMessageType::Discover, mac))?;
            self.select(mac, ip).map(|(_, ip)| ip)
        }

        fn wait(&mut self, s: u64) {
            self.now += Duration::from_secs(s);
            let notes = &mut self.notes;
            self.server.expire(self.now, &mut |n| notes.push(n));
        }
    }

    #[test]
    fn an_offer_carries_these_options() {
        let mut desk = Desk::new(101);
        let reply = desk.say(&message(DhcpMessageType::Discover, ALICE)).unwrap();
        assert_eq!(reply.to, host(100));
        let bytes = &reply.message;
        assert_eq!(bytes[0], 2);
        assert_eq!(
            (&bytes[4..8], &bytes[16..20]),
            (&[0x12, 0x34, 0x56, 0x78][..], &[192, 168, 4, 100][..])
        );
        #[rustfmt::skip]
        let options = [
            53, 1, 2, 54, 4, 192, 168, 4, 1, 3, 4, 192, 168, 4, 1, 1, 4, 255, 255, 255, 0,
            51, 4, 0, 0, 0x1c, 0x20, 6, 4, 192, 168, 4, 1,
            58, 4, 0, 0, 0x0e, 0x10, 59, 4, 0, 0, 0x18, 0x9c, 255,
        ];
        assert_eq!(bytes[240..240 + options.len()], options);
        assert_eq!(bytes.len(), 300);
    }

    #[test]
    fn each_client_gets_an_address_and_the_same_one_again() {
        let mut desk = Desk::new(101);
        assert_eq!(desk.join(ALICE), Some(host(100)));
        assert_eq!(desk.join(BOB), Some(host(101)));
        assert_eq!(desk.ask(&message(DhcpMessageType::Discover, [4; 6])), None);
        desk.wait(7_200);
        assert_eq!(desk.notes.last(), Some(&NetNote::DhcpExpired { ip: host(101) }));
        assert_eq!(desk.join(BOB), Some(host(101)));
    }

    #[test]
    fn a_lease_is_renewed_by_its_owner_only() {
        let mut desk = Desk::new(199);
        desk.join(ALICE);
        desk.wait(3_600);
        assert_eq!(
            desk.renew(ALICE, host(100)),
            Some((DhcpMessageType::Ack, host(100)))
        );
        desk.wait(7_199);
        assert_eq!(desk.server.next_due(), Some(Instant::from_secs(10_800)));
        assert_eq!(
            desk.renew(BOB, host(100)),
            Some((DhcpMessageType::Nak, Ipv4Addr::UNSPECIFIED))
        );
        assert_eq!(
            desk.renew(ALICE, host(100)),
            Some((DhcpMessageType::Ack, host(100)))
        );
    }

    #[test]
    fn a_restarted_client_gets_its_lease_confirmed_and_a_stranger_is_refused() {
        let mut desk = Desk::new(199);
        desk.join(ALICE);
        let reboot = |mac, ip| DhcpRepr {
            requested_ip: Some(ip),
            ..message(DhcpMessageType::Request, mac)
        };
        assert_eq!(
            desk.ask(&reboot(ALICE, host(100))),
            Some((DhcpMessageType::Ack, host(100)))
        );
        assert_eq!(desk.ask(&reboot(BOB, host(100))).unwrap().0, DhcpMessageType::Nak);
        assert_eq!(
            desk.ask(&reboot(BOB, Ipv4Addr::new(10, 0, 0, 7))).unwrap().0,
            DhcpMessageType::Nak
        );
        assert_eq!(
            desk.ask(&reboot(BOB, host(150))),
            Some((DhcpMessageType::Ack, host(150)))
        );
        assert_eq!(desk.select([4; 6], host(160)).unwrap().0, DhcpMessageType::Nak);
    }

    #[test]
    fn a_release_frees_and_a_decline_blocks() {
        let mut desk = Desk::new(101);
        desk.join(ALICE);
        let release = DhcpRepr {
            client_ip: host(100),
            ..message(DhcpMessageType::Release, BOB)
        };
        desk.ask(&release);
        assert_eq!(desk.join(BOB), Some(host(101)), "a stranger released the lease");
        desk.ask(&DhcpRepr {
            client_hardware_address: EthernetAddress(ALICE),
            ..release
        });
        assert_eq!(desk.notes.last(), Some(&NetNote::DhcpRelease { ip: host(100) }));
        assert_eq!(desk.join(ALICE), Some(host(100)));
        let decline = message(DhcpMessageType::Decline, ALICE);
        assert_eq!(
            desk.ask(&DhcpRepr {
                requested_ip: Some(host(100)),
                ..decline
            }),
            None
        );
        assert_eq!(
            desk.join(ALICE),
            None,
            "the declined address was handed out again"
        );
        desk.wait(600);
        assert_eq!(desk.join(ALICE), Some(host(100)));
    }

    #[test]
    fn modes_are_silence_and_refusal() {
        let mut desk = Desk::new(199);
        desk.server.mode = DhcpMode::Silent;
        assert_eq!(desk.join(ALICE), None);
        desk.server.mode = DhcpMode::Nak;
        assert_eq!(
            desk.ask(&message(DhcpMessageType::Discover, ALICE)).unwrap().0,
            DhcpMessageType::Offer
        );
        assert_eq!(desk.select(ALICE, host(100)).unwrap().0, DhcpMessageType::Nak);
    }

    #[test]
    fn answers_go_where_they_can_be_heard() {
        let mut desk = Desk::new(199);
        let discover = message(DhcpMessageType::Discover, ALICE);
        let loud = DhcpRepr {
            broadcast: true,
            ..discover.clone()
        };
        assert_eq!(desk.say(&loud).unwrap().to, Ipv4Addr::BROADCAST);
        desk.select(ALICE, host(100));
        let renew = DhcpRepr {
            client_ip: host(100),
            ..message(DhcpMessageType::Request, ALICE)
        };
        assert_eq!(desk.say(&renew).unwrap().to, host(100));
        let stolen = DhcpRepr {
            client_ip: host(100),
            ..message(DhcpMessageType::Request, BOB)
        };
        assert_eq!(desk.say(&stolen).unwrap().to, Ipv4Addr::BROADCAST);
    }
}
