//! The radio side of the access point: scans, associations, and how they end.
//!
//! Modelled at the level of the vendor's driver interface: without 802.11 frames, with the delays and the
//! reason codes that a station gets.

use std::time::Duration;

use sim::air::{ApInfo, AuthMode, FromAir, Mac, Reason};
use sim::{EventQueue, Instant, Rng};

use crate::{ApConfig, DropReason, NetNote};

/// Time of an active scan on one channel (ESP-IDF Wi-Fi driver guide, "Scan configuration":
/// `scan_time.active.max` is 120 ms by default).
pub const SCAN_PER_CHANNEL: Duration = Duration::from_millis(120);
/// Time of a scan of the channels 1 to 13.
pub const FULL_SCAN: Duration = Duration::from_millis(13 * 120);
/// Time without a beacon after which a station gives up its access point (ESP-IDF,
/// `esp_wifi_set_inactive_time`: 6 s by default for a station).
pub const BEACON_LOSS: Duration = Duration::from_secs(6);
/// Time after which an access point removes a silent station (hostapd, `ap_max_inactivity`: 300 s by
/// default).
const STATION_FORGOTTEN: Duration = Duration::from_secs(300);

/// Least and greatest delay of a probe response, ms.
const PROBE_MS: (u64, u64) = (50, 150);
/// Least and greatest time of authentication, association and four-way handshake together, ms.
const JOIN_MS: (u64, u64) = (150, 250);
/// Least and greatest time of a four-way handshake without a valid answer, ms.
const WRONG_PASSWORD_MS: (u64, u64) = (3_000, 4_000);

/// Reason 4: disassociated due to inactivity (IEEE 802.11-2020, table 9-49).
const INACTIVITY: Reason = Reason(4);
/// The vendor's `NO_AP_FOUND_W_COMPATIBLE_SECURITY`: the station has no password, but the network requires
/// one.
const NO_COMPATIBLE_SECURITY: Reason = Reason(210);
/// The vendor's `NO_AP_FOUND_IN_AUTHMODE_THRESHOLD`: the station has a password, but the network is open.
const BELOW_AUTH_THRESHOLD: Reason = Reason(211);

#[derive(Clone, Debug)]
struct Attempt {
    ssid: String,
    password: String,
    bssid: Option<Mac>,
    mac: Mac,
    /// The moment at which its scan has covered all channels.
    scan_end: Instant,
}

#[derive(Clone, Debug)]
struct Association {
    mac: Mac,
    ap: ApInfo,
    /// The moment since which no beacon was received.
    lost_since: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Link {
    Idle,
    Joining(Attempt),
    Joined(Association),
}

#[derive(Clone, Debug)]
enum Timer {
    ScanDone {
        ssid: Option<String>,
        channel: Option<u8>,
    },
    Probe(u64),
    Joined(u64),
    Refused(u64, Reason),
    BeaconLoss(u64, Instant),
    StationForgotten(u64),
    Deliver(FromAir),
}

/// The access point's radio, and the state of the station's association.
#[derive(Debug)]
pub(crate) struct Radio {
    ap: ApConfig,
    others: Vec<ApInfo>,
    on: bool,
    link: Link,
    /// Number of the current attempt or association; timers with another number are ignored.
    generation: u64,
    timers: EventQueue<Timer>,
    rng: Rng,
    /// The configuration was changed since the last poll.
    changed: bool,
    told_rssi_dbm: i8,
}

impl Radio {
    pub(crate) fn new(ap: ApConfig, others: Vec<ApInfo>, seed: u64) -> Radio {
        let told_rssi_dbm = ap.rssi_dbm;
        Radio {
            ap,
            others,
            on: true,
            link: Link::Idle,
            generation: 0,
            timers: EventQueue::new(),
            rng: Rng::stream(seed, "radio"),
            changed: false,
            told_rssi_dbm,
        }
    }

    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        if self.changed {
            Some(now)
        } else {
            self.timers.next_due()
        }
    }

    /// The associated station and the number of its association, if frames can be exchanged.
    pub(crate) fn passes(&self) -> Result<(Mac, u64), DropReason> {
        match &self.link {
            Link::Joined(a) if self.hears(&a.ap) => Ok((a.mac, self.generation)),
            Link::Joined(_) => Err(DropReason::AccessPointGone),
            Link::Idle | Link::Joining(_) => Err(DropReason::NotAssociated),
        }
    }

    fn hears(&self, ap: &ApInfo) -> bool {
        self.on && self.ap.channel == ap.channel
    }

    pub(crate) fn set(&mut self, change: impl FnOnce(&mut ApConfig, &mut bool)) {
        change(&mut self.ap, &mut self.on);
        self.changed = true;
    }

    /// True if the access point is on.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn ap(&self) -> &ApConfig {
        &self.ap
    }

    fn draw(&mut self, (low, high): (u64, u64)) -> Duration {
        Duration::from_micros(low * 1_000 + self.rng.below((high - low) * 1_000 + 1))
    }

    pub(crate) fn scan(&mut self, now: Instant, ssid: Option<String>, channel: Option<u8>) {
        let time = if channel.is_some() {
            SCAN_PER_CHANNEL
        } else {
            FULL_SCAN
        };
        self.timers.push(now + time, Timer::ScanDone { ssid, channel });
    }

    pub(crate) fn connect(
        &mut self,
        now: Instant,
        (ssid, password, bssid, mac): (String, String, Option<Mac>, Mac),
        notes: &mut impl FnMut(NetNote),
    ) {
        if matches!(self.link, Link::Joined(_)) {
            self.end(now, Reason::ASSOC_LEAVE, notes);
        }
        self.generation += 1;
        self.link = Link::Joining(Attempt {
            ssid,
            password,
            bssid,
            mac,
            scan_end: now + FULL_SCAN,
        });
        let probe = now + self.draw(PROBE_MS);
        self.timers.push(probe, Timer::Probe(self.generation));
    }

    pub(crate) fn disconnect(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) {
        self.end(now, Reason::ASSOC_LEAVE, notes);
    }

    /// The access point ends the association or the attempt; the station is notified at `heard`.
    pub(crate) fn deauthenticate(&mut self, heard: Instant, reason: Reason, notes: &mut impl FnMut(NetNote)) {
        if self.on && !matches!(self.link, Link::Idle) {
            self.end(heard, reason, notes);
        }
    }

    /// The station is gone: it receives nothing any more, and its access point detects that late.
    pub(crate) fn vanish(&mut self, now: Instant) {
        self.timers = EventQueue::new();
        self.generation += 1;
        if matches!(self.link, Link::Joined(_)) {
            self.timers
                .push(now + STATION_FORGOTTEN, Timer::StationForgotten(self.generation));
        }
        self.link = Link::Idle;
    }

    /// Ends the association or the attempt, and notifies the station at `heard`.
    fn end(&mut self, heard: Instant, reason: Reason, notes: &mut impl FnMut(NetNote)) {
        let (ssid, bssid) = match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Joined(a) => {
                notes(NetNote::Disassociated { reason });
                (a.ap.ssid, a.ap.bssid)
            }
            Link::Joining(attempt) => {
                notes(NetNote::AssociationRefused { reason });
                let found = reason != Reason::NO_AP_FOUND;
                (attempt.ssid, if found { self.ap.bssid } else { [0; 6] })
            }
            Link::Idle => (String::new(), [0; 6]),
        };
        self.generation += 1;
        let message = FromAir::Disconnected {
            ssid,
            bssid,
            reason,
            rssi_dbm: self.ap.rssi_dbm,
        };
        self.timers.push(heard, Timer::Deliver(message));
    }

    /// Does everything that is due at or before `now`.
    pub(crate) fn poll(&mut self, now: Instant, out: &mut Vec<FromAir>, notes: &mut impl FnMut(NetNote)) {
        if std::mem::take(&mut self.changed) {
            self.look(now, out);
        }
        while let Some((at, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::ScanDone { ssid, channel } => {
                    out.push(FromAir::ScanDone(self.visible(ssid.as_deref(), channel)));
                }
                Timer::Probe(generation) if generation == self.generation => self.probe(at, notes),
                Timer::Joined(generation) if generation == self.generation => self.joined(at, out, notes),
                Timer::Refused(generation, reason) if generation == self.generation => {
                    self.end(at, reason, notes);
                }
                Timer::BeaconLoss(generation, since) if generation == self.generation => {
                    if matches!(&self.link, Link::Joined(a) if a.lost_since == Some(since)) {
                        self.end(at, Reason::BEACON_TIMEOUT, notes);
                    }
                }
                Timer::StationForgotten(generation) if generation == self.generation => {
                    notes(NetNote::Disassociated { reason: INACTIVITY });
                }
                // A timer of an attempt or association that has ended.
                Timer::Probe(_)
                | Timer::Joined(_)
                | Timer::Refused(..)
                | Timer::BeaconLoss(..)
                | Timer::StationForgotten(_) => (),
                Timer::Deliver(message) => out.push(message),
            }
        }
    }

    /// Applies changes of the configuration.
    fn look(&mut self, now: Instant, out: &mut Vec<FromAir>) {
        let (on, channel) = (self.on, self.ap.channel);
        let Link::Joined(a) = &mut self.link else { return };
        let heard = on && channel == a.ap.channel;
        match a.lost_since {
            None if !heard => {
                a.lost_since = Some(now);
                self.timers
                    .push(now + BEACON_LOSS, Timer::BeaconLoss(self.generation, now));
            }
            Some(_) if heard => a.lost_since = None,
            _ => (),
        }
        if heard && self.told_rssi_dbm != self.ap.rssi_dbm {
            self.told_rssi_dbm = self.ap.rssi_dbm;
            out.push(FromAir::Rssi(self.ap.rssi_dbm));
        }
    }

    fn visible(&self, ssid: Option<&str>, channel: Option<u8>) -> Vec<ApInfo> {
        let own = (self.on && (!self.ap.hidden || ssid == Some(&self.ap.ssid))).then(|| self.ap.info());
        let mut found: Vec<ApInfo> = own
            .into_iter()
            .chain(self.others.iter().cloned())
            .filter(|ap| ssid.is_none_or(|s| s == ap.ssid) && channel.is_none_or(|c| c == ap.channel))
            .collect();
        // A stable sort: access points of equal strength stay in the order of the configuration.
        found.sort_by_key(|ap| std::cmp::Reverse(ap.rssi_dbm));
        found
    }

    /// Checks if the network that the station wants to join exists.
    fn probe(&mut self, at: Instant, notes: &mut impl FnMut(NetNote)) {
        let Link::Joining(attempt) = &self.link else {
            return;
        };
        let found =
            self.on && attempt.ssid == self.ap.ssid && attempt.bssid.is_none_or(|b| b == self.ap.bssid);
        if !found {
            let scan_end = attempt.scan_end;
            if at >= scan_end {
                self.end(at, Reason::NO_AP_FOUND, notes);
            } else {
                // The station continues its scan until it has covered all channels.
                self.timers.push(scan_end, Timer::Probe(self.generation));
            }
            return;
        }
        let generation = self.generation;
        let right = attempt.password == self.ap.password;
        let timer = match (self.ap.auth, attempt.password.is_empty()) {
            (AuthMode::Open, false) => Timer::Refused(generation, BELOW_AUTH_THRESHOLD),
            (AuthMode::Wpa2Psk | AuthMode::Wpa3Psk, true) => {
                Timer::Refused(generation, NO_COMPATIBLE_SECURITY)
            }
            (AuthMode::Wpa2Psk, false) if !right => {
                Timer::Refused(generation, Reason::FOUR_WAY_HANDSHAKE_TIMEOUT)
            }
            // SAE fails in the authentication itself.
            (AuthMode::Wpa3Psk, false) if !right => Timer::Refused(generation, Reason::AUTH_FAIL),
            _ => Timer::Joined(generation),
        };
        let slow = matches!(timer, Timer::Refused(_, Reason::FOUR_WAY_HANDSHAKE_TIMEOUT));
        let due = at + self.draw(if slow { WRONG_PASSWORD_MS } else { JOIN_MS });
        self.timers.push(due, timer);
    }

    fn joined(&mut self, at: Instant, out: &mut Vec<FromAir>, notes: &mut impl FnMut(NetNote)) {
        let Link::Joining(attempt) = &self.link else {
            return;
        };
        if !self.on {
            self.end(at, Reason::AUTH_EXPIRE, notes);
            return;
        }
        let (mac, ap) = (attempt.mac, self.ap.info());
        self.told_rssi_dbm = ap.rssi_dbm;
        self.link = Link::Joined(Association {
            mac,
            ap: ap.clone(),
            lost_since: None,
        });
        notes(NetNote::Associated {
            mac,
            channel: ap.channel,
            rssi_dbm: ap.rssi_dbm,
        });
        out.push(FromAir::Connected { ap, aid: 1 });
    }
}
