//! Impairments of the radio link: loss, delay, jitter, duplication, reordering, corruption and limited
//! bandwidth, by direction and by kind of traffic.
//!
//! Rules are applied one after the other, in the order in which they were added. Without rules no random
//! number is drawn and no frame is delayed, so the rest of a run is the same after a rule has been added and
//! removed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::{Instant, Rng};
use smoltcp::wire::IpProtocol;

use crate::frame::{self, Content, ETHERNET_HEADER};
use crate::{Direction, DropReason, NetError};

/// The fraction 1, in millionths: all frames.
pub const ALL_PPM: u32 = 1_000_000;

/// A kind of traffic, for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// ARP requests and replies.
    Arp,
    /// UDP ports 67 and 68.
    Dhcp,
    /// UDP port 53.
    Dns,
    /// UDP port 123.
    Ntp,
    /// ICMP over IPv4.
    Icmp,
    /// TCP of any port.
    Tcp,
    /// UDP of any port, the above included.
    Udp,
}

/// Selects frames: all conditions that are given must hold. A filter without conditions selects every frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// If given, only this kind of traffic.
    pub protocol: Option<Protocol>,
    /// If given, only frames to or from this host. For ARP: the sender's or the requested address.
    pub host: Option<Ipv4Addr>,
    /// If given, only frames with this TCP or UDP port, as source or destination.
    pub port: Option<u16>,
}

impl Filter {
    /// True if the filter selects the frame. A frame that cannot be parsed is selected only by a filter
    /// without conditions.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        if *self == Filter::default() {
            return true;
        }
        match frame::read(bytes) {
            Err(_) => false,
            Ok(Content::Arp(arp)) => {
                let smoltcp::wire::ArpRepr::EthernetIpv4 {
                    source_protocol_addr,
                    target_protocol_addr,
                    ..
                } = arp
                else {
                    return false;
                };
                self.protocol.is_none_or(|p| p == Protocol::Arp)
                    && self
                        .host
                        .is_none_or(|h| h == source_protocol_addr || h == target_protocol_addr)
                    && self.port.is_none()
            }
            Ok(Content::Ipv4(ip)) => {
                let ports = ip.ports();
                let has = |port| ports.is_some_and(|(from, to)| from == port || to == port);
                let udp = ip.protocol == IpProtocol::Udp;
                let kind = self.protocol.is_none_or(|p| match p {
                    Protocol::Arp => false,
                    Protocol::Dhcp => udp && (has(67) || has(68)),
                    Protocol::Dns => udp && has(53),
                    Protocol::Ntp => udp && has(123),
                    Protocol::Icmp => ip.protocol == IpProtocol::Icmp,
                    Protocol::Tcp => ip.protocol == IpProtocol::Tcp,
                    Protocol::Udp => udp,
                });
                kind && self.host.is_none_or(|h| h == ip.src || h == ip.dst) && self.port.is_none_or(has)
            }
        }
    }
}

/// Impairment of the frames that a filter selects. Fractions are in millionths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// If given, only frames in this direction.
    pub direction: Option<Direction>,
    /// Selects the frames to be impaired.
    pub filter: Filter,
    /// Fraction of frames that are lost; [`ALL_PPM`] loses all.
    pub loss_ppm: u32,
    /// Fraction of frames that are sent twice.
    pub duplicate_ppm: u32,
    /// Fraction of frames in which one bit after the Ethernet header is inverted.
    pub corrupt_ppm: u32,
    /// Fraction of frames that are delayed by `reorder_by`, so that later frames overtake them.
    pub reorder_ppm: u32,
    /// Delay of a reordered frame.
    pub reorder_by: Duration,
    /// Delay of every frame.
    pub latency: Duration,
    /// Greatest additional delay, drawn for each frame; frames stay in order.
    pub jitter: Duration,
    /// Bandwidth, bit/s; frames that come faster wait in a queue.
    pub bandwidth_bps: Option<u64>,
    /// Size of that queue, bytes; frames that do not fit are lost. 0 means 64 KiB.
    pub queue_bytes: u64,
}

/// Size of the queue for limited bandwidth, bytes, if it is not given.
const QUEUE_BYTES: u64 = 64 * 1024;

impl Impairment {
    /// # Errors
    /// If a fraction is over 1, a latency is over a minute, or the bandwidth is 0.
    pub(crate) fn check(&self) -> Result<(), NetError> {
        for (what, ppm) in [
            ("loss", self.loss_ppm),
            ("duplication", self.duplicate_ppm),
            ("corruption", self.corrupt_ppm),
            ("reordering", self.reorder_ppm),
        ] {
            if ppm > ALL_PPM {
                return Err(NetError::Fraction { what });
            }
        }
        for (what, latency) in [
            ("latency", self.latency),
            ("jitter", self.jitter),
            ("reordering delay", self.reorder_by),
        ] {
            if latency > Duration::from_secs(60) {
                return Err(NetError::Latency { what, latency });
            }
        }
        if self.bandwidth_bps == Some(0) {
            Err(NetError::Bandwidth)
        } else {
            Ok(())
        }
    }
}

/// Number of an active rule, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u64);

/// State of a rule for one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// The moment at which the last frame that was not reordered leaves.
    last: Instant,
    /// The moment until which the bandwidth is used.
    busy_until: Instant,
}

#[derive(Debug)]
struct Rule {
    impairment: Impairment,
    lanes: [Lane; 2],
}

/// A copy of a frame on the link: the moment at which it leaves, and whether it was corrupted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) at: Instant,
    pub(crate) bytes: Vec<u8>,
    pub(crate) corrupted: bool,
}

/// The active rules and their random numbers.
#[derive(Debug)]
pub(crate) struct Link {
    rules: BTreeMap<RuleId, Rule>,
    rng: [Rng; 2],
}

fn draw(rng: &mut Rng, ppm: u32) -> bool {
    // No random number is drawn for a fraction of 0 or 1.
    ppm > 0 && (ppm >= ALL_PPM || rng.chance(ppm.into(), ALL_PPM.into()))
}

impl Link {
    /// Rules in force.
    pub(crate) fn rules(&self) -> usize {
        self.rules.len()
    }

    pub(crate) fn new(seed: u64) -> Link {
        let rng = [
            Rng::stream(seed, "link from station"),
            Rng::stream(seed, "link to station"),
        ];
        Link {
            rules: BTreeMap::new(),
            rng,
        }
    }

    pub(crate) fn add(&mut self, id: RuleId, impairment: Impairment) {
        self.rules.insert(
            id,
            Rule {
                impairment,
                lanes: [Lane::default(); 2],
            },
        );
    }

    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        self.rules.remove(&id).is_some()
    }

    /// Sends a frame through the link. Returns the copies that leave it, or the reason if there are none.
    pub(crate) fn pass(
        &mut self,
        now: Instant,
        direction: Direction,
        bytes: Vec<u8>,
    ) -> Result<Vec<Copy>, DropReason> {
        let mut copies = vec![Copy {
            at: now,
            bytes,
            corrupted: false,
        }];
        let lane = direction as usize;
        let mut why = DropReason::Impairment;
        for rule in self.rules.values_mut() {
            let i = &rule.impairment;
            if i.direction.is_some_and(|d| d != direction) || !i.filter.matches(&copies[0].bytes) {
                continue;
            }
            let mut out = Vec::with_capacity(copies.len());
            for copy in copies {
                if let Err(full) = rule.lanes[lane].one(i, &mut self.rng[lane], copy, &mut out) {
                    why = full;
                }
            }
            if out.is_empty() {
                return Err(why);
            }
            copies = out;
        }
        Ok(copies)
    }
}

impl Lane {
    /// Applies one rule to a frame. A duplicate is not duplicated again.
    fn one(
        &mut self,
        i: &Impairment,
        rng: &mut Rng,
        mut copy: Copy,
        out: &mut Vec<Copy>,
    ) -> Result<(), DropReason> {
        if draw(rng, i.loss_ppm) {
            return Err(DropReason::Impairment);
        }
        let payload_bits = copy.bytes.len().saturating_sub(ETHERNET_HEADER) as u64 * 8;
        if draw(rng, i.corrupt_ppm) && payload_bits > 0 {
            let bit = rng.below(payload_bits) as usize;
            copy.bytes[ETHERNET_HEADER + bit / 8] ^= 1 << (bit % 8);
            copy.corrupted = true;
        }
        if let Some(bps) = i.bandwidth_bps {
            let time = |bytes: u64| Duration::from_nanos(bytes.saturating_mul(8_000_000_000) / bps);
            let queue_bytes = if i.queue_bytes == 0 {
                QUEUE_BYTES
            } else {
                i.queue_bytes
            };
            if self.busy_until.since(copy.at) > time(queue_bytes) {
                return Err(DropReason::QueueFull);
            }
            self.busy_until = self.busy_until.max(copy.at) + time(copy.bytes.len() as u64);
            copy.at = self.busy_until;
        }
        copy.at += i.latency;
        if !i.jitter.is_zero() {
            let jitter_ns = u64::try_from(i.jitter.as_nanos()).unwrap_or(u64::MAX);
            copy.at += Duration::from_nanos(rng.below(jitter_ns));
        }
        if draw(rng, i.reorder_ppm) {
            copy.at += i.reorder_by;
        } else {
            copy.at = copy.at.max(self.last);
            self.last = copy.at;
        }
        if draw(rng, i.duplicate_ppm) {
            out.push(Copy {
                at: copy.at,
                bytes: copy.bytes.clone(),
                corrupted: copy.corrupted,
            });
        }
        out.push(copy);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Path, udp};

    fn frame(port: u16) -> Vec<u8> {
        let src = (Ipv4Addr::new(192, 168, 4, 100), 4000);
        let dst = (Ipv4Addr::new(203, 0, 113, 10), port);
        udp(
            Path {
                src_mac: [2; 6],
                dst_mac: [4; 6],
                src,
                dst,
            },
            b"hello",
        )
    }

    fn link(impairment: Impairment) -> Link {
        let mut link = Link::new(7);
        link.add(RuleId(1), impairment);
        link
    }

    fn times(link: &mut Link, count: u64) -> Vec<u64> {
        (0..count)
            .flat_map(|n| {
                link.pass(Instant::from_millis(n), Direction::ToStation, frame(53))
                    .unwrap_or_default()
            })
            .map(|c| c.at.as_micros())
            .collect()
    }

    #[test]
    fn a_filter_means_what_it_says() {
        let means = |protocol, host, port| Filter { protocol, host, port }.matches(&frame(53));
        let server = Some(Ipv4Addr::new(203, 0, 113, 10));
        assert!(means(None, None, None) && means(Some(Protocol::Dns), server, Some(4000)));
        assert!(means(Some(Protocol::Udp), None, None));
        assert!(!means(Some(Protocol::Tcp), None, None) && !means(Some(Protocol::Ntp), None, None));
        assert!(!means(None, Some(Ipv4Addr::new(203, 0, 113, 11)), None) && !means(None, server, Some(80)));
        assert!(
            Filter::default().matches(&[])
                && !Filter {
                    port: Some(1),
                    ..Filter::default()
                }
                .matches(&[])
        );
    }

    #[test]
    fn certainties_happen() {
        let mut dead = link(Impairment {
            loss_ppm: ALL_PPM,
            ..Impairment::default()
        });
        assert_eq!(
            dead.pass(Instant::ZERO, Direction::ToStation, frame(53)),
            Err(DropReason::Impairment)
        );
        let up = Impairment {
            loss_ppm: ALL_PPM,
            direction: Some(Direction::FromStation),
            ..Impairment::default()
        };
        assert_eq!(times(&mut link(up), 2), [0, 1_000]);
        let twice = Impairment {
            duplicate_ppm: ALL_PPM,
            ..Impairment::default()
        };
        assert_eq!(times(&mut link(twice), 2), [0, 0, 1_000, 1_000]);
        let mut broken = link(Impairment {
            corrupt_ppm: ALL_PPM,
            ..Impairment::default()
        });
        let copies = broken
            .pass(Instant::ZERO, Direction::ToStation, frame(53))
            .unwrap();
        let differing: u32 = copies[0]
            .bytes
            .iter()
            .zip(frame(53))
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!((copies[0].corrupted, differing), (true, 1));
    }

    #[test]
    fn fractions_hold_on_the_whole() {
        let mut link = link(Impairment {
            loss_ppm: 200_000,
            ..Impairment::default()
        });
        let arrived = times(&mut link, 10_000).len();
        assert!((7_900..=8_100).contains(&arrived), "{arrived}");
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Impairment {
            jitter: Duration::from_millis(10),
            ..Impairment::default()
        };
        let jittered = times(&mut link(jitter), 100);
        assert!(jittered.is_sorted() && jittered[99] > 99_000);
        let reorder = Impairment {
            reorder_ppm: 300_000,
            reorder_by: Duration::from_millis(5),
            ..Impairment::default()
        };
        assert!(!times(&mut link(reorder), 100).is_sorted());
    }

    #[test]
    fn a_narrow_band_makes_frames_wait_and_then_go() {
        // A frame of 47 bytes at 47,000 byte/s takes a millisecond.
        let band = Impairment {
            bandwidth_bps: Some(8 * 47_000),
            queue_bytes: 94,
            ..Impairment::default()
        };
        let mut link = link(band);
        let at_once: Vec<_> = (0..4)
            .map(|_| link.pass(Instant::ZERO, Direction::ToStation, frame(53)))
            .collect();
        let out: Vec<_> = at_once.iter().flatten().map(|c| c[0].at.as_micros()).collect();
        assert_eq!(out, [1_000, 2_000, 3_000]);
        assert_eq!(at_once[3], Err(DropReason::QueueFull));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |i: Impairment| i.check().unwrap_err().to_string();
        let over = Impairment {
            loss_ppm: 1_000_001,
            ..Impairment::default()
        };
        assert_eq!(check(over), "loss is over 1,000,000 millionths");
        let none = Impairment {
            bandwidth_bps: Some(0),
            ..Impairment::default()
        };
        assert_eq!(check(none), "bandwidth is 0 bit/s");
    }
}
