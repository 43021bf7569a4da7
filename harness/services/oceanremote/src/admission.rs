//! Admission of connections and requests: rate limits, connection limits and bans, per address.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use http_service::ConnId;
use sim::Instant;

use crate::Refusal;
use crate::config::{Limits, RateLimit};

/// Addresses that are remembered; past that, those with nothing to remember are dropped.
const ADDRESSES: usize = 4096;

/// One address.
#[derive(Clone, Debug, Default)]
struct Address {
    api: VecDeque<Instant>,
    registration: VecDeque<Instant>,
    failures: u32,
    banned_until: Option<Instant>,
    connections: u32,
}

/// The limits in force, and what is known of each address.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    limits: Limits,
    addresses: BTreeMap<IpAddr, Address>,
    /// Addresses that come for the first time are banned until then.
    unseen_until: Option<Instant>,
    /// Open connections, and whether each is within the limit.
    connections: BTreeMap<ConnId, (IpAddr, bool)>,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Admission {
        Admission {
            limits,
            addresses: BTreeMap::new(),
            unseen_until: None,
            connections: BTreeMap::new(),
        }
    }

    /// Puts other limits in force; what was counted stays counted.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The addresses that are known.
    pub(crate) fn peers(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.keys().copied()
    }

    /// A connection opens; false if it is one too many.
    pub(crate) fn open(&mut self, now: Instant, conn: ConnId, peer: IpAddr) -> bool {
        let limit = self.limits.connections;
        let address = self.address(now, peer);
        let admitted = limit.is_none_or(|limit| address.connections < limit);
        address.connections += u32::from(admitted);
        self.connections.insert(conn, (peer, admitted));
        admitted
    }

    /// A connection has ended; false if it was not open.
    pub(crate) fn close(&mut self, conn: ConnId) -> bool {
        let Some((peer, admitted)) = self.connections.remove(&conn) else {
            return false;
        };
        if let Some(address) = self.addresses.get_mut(&peer) {
            address.connections -= u32::from(admitted);
        }
        true
    }

    /// Lets a request in or says why not. Only requests that are let in count towards a rate.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        conn: ConnId,
        peer: IpAddr,
        registers: bool,
    ) -> Result<(), Refusal> {
        let limits = self.limits;
        let admitted = self.connections.get(&conn).is_none_or(|(_, admitted)| *admitted);
        let address = self.address(now, peer);
        if let Some(until) = address.banned_until {
            if now < until {
                return Err(Refusal::Banned(ceil_s(until.since(now))));
            }
            address.banned_until = None;
            address.failures = 0;
        }
        if !admitted {
            return Err(Refusal::TooManyRequests(1));
        }
        check(&mut address.api, limits.api, now)?;
        if registers {
            check(&mut address.registration, limits.registration, now)?;
            address.registration.push_back(now);
        }
        address.api.push_back(now);
        Ok(())
    }

    /// Counts a failed attempt: failures since the last success, and the end of the ban it brought.
    pub(crate) fn failed(&mut self, now: Instant, peer: IpAddr) -> (u32, Option<Instant>) {
        let limits = self.limits;
        let address = self.address(now, peer);
        address.failures = address.failures.saturating_add(1);
        let failures = address.failures;
        let Some(limit) = limits.ban_after_failures else {
            return (failures, None);
        };
        if failures >= limit {
            address.banned_until = Some(now + Duration::from_secs(limits.ban_s.into()));
        }
        (failures, address.banned_until)
    }

    /// A success forgives earlier failures.
    pub(crate) fn succeeded(&mut self, now: Instant, peer: IpAddr) {
        self.address(now, peer).failures = 0;
    }

    pub(crate) fn ban(&mut self, now: Instant, peer: IpAddr, until: Instant) {
        self.address(now, peer).banned_until = Some(until);
    }

    /// Bans addresses that come for the first time, until then; `None` lifts that.
    pub(crate) fn ban_unseen(&mut self, until: Option<Instant>) {
        self.unseen_until = until;
    }

    pub(crate) fn unban(&mut self, now: Instant, peer: IpAddr) {
        let address = self.address(now, peer);
        address.banned_until = None;
        address.failures = 0;
    }

    fn address(&mut self, now: Instant, peer: IpAddr) -> &mut Address {
        if self.addresses.len() >= ADDRESSES && !self.addresses.contains_key(&peer) {
            let minute = Duration::from_secs(60);
            self.addresses.retain(|_, a| {
                let recent = a.api.back().is_some_and(|last| now.since(*last) < minute);
                a.connections > 0 || recent || a.banned_until.is_some_and(|until| until > now)
            });
            if self.addresses.len() >= ADDRESSES {
                // A flood from thousands of live addresses: forget one that holds no connection.
                let victim = self
                    .addresses
                    .iter()
                    .find(|(_, a)| a.connections == 0)
                    .map(|(ip, _)| *ip);
                victim.and_then(|ip| self.addresses.remove(&ip));
            }
        }
        let unseen = Address {
            banned_until: self.unseen_until.filter(|until| now < *until),
            ..Address::default()
        };
        self.addresses.entry(peer).or_insert(unseen)
    }
}

/// A sliding window: `count` moments in the last `window_s` seconds are enough.
fn check(seen: &mut VecDeque<Instant>, limit: Option<RateLimit>, now: Instant) -> Result<(), Refusal> {
    let Some(limit) = limit else {
        seen.clear();
        return Ok(());
    };
    let window = Duration::from_secs(limit.window_s.into());
    while seen.front().is_some_and(|at| now.since(*at) >= window) {
        seen.pop_front();
    }
    match seen.front() {
        Some(first) if seen.len() >= limit.count as usize => Err(Refusal::TooManyRequests(ceil_s(
            window.saturating_sub(now.since(*first)),
        ))),
        None if limit.count == 0 => Err(Refusal::TooManyRequests(limit.window_s.into())),
        _ => Ok(()),
    }
}

/// Whole seconds, rounded up, at least 1.
fn ceil_s(d: Duration) -> u64 {
    (d.as_secs() + u64::from(d.subsec_nanos() > 0)).max(1)
}
