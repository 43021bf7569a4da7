//! The fault plan: triggers in, actions out.
//!
//! A fault is armed until its trigger has come often enough; then it fires, lasts for its time if its action
//! is one that lasts, and ends. One that never fired is told so at the end of the run.

use std::time::Duration;

use cloud::{Cloud, Directive};
use events::{Event, FaultState};
use expect::Moments;
use scenario::quantity::Share;
use scenario::{Action, Fault};
use sim::{EventQueue, Instant, Rng};

/// What the bench is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// The access point stops, or is back.
    AccessPoint(bool),
    /// It ends the association for this reason.
    Deauthenticate(u8),
    /// Signal strength, dBm; `None`: as configured.
    Rssi(Option<i8>),
    /// Password of the network; `None`: as configured.
    Password(Option<String>),
    /// What SNTP serves is ahead of true time by so many ns; `None`: as configured.
    NtpOffset(Option<i64>),
    /// Supply of the device.
    Power(bool),
    /// The device's reset pin.
    Reset,
    /// Drives a pin; `None` lets go.
    Pin(u8, Option<bool>),
    /// The operator switches a relay.
    CommandRelay { relay: u8, on: bool },
    /// The operator revokes the permanent token.
    RevokePermanent,
    /// The operator ends the session.
    ExpireSession,
    /// The operator renews the session.
    RenewSession,
    /// The server's clock is ahead by so many ns; `None`: as configured.
    ServerClock(Option<i64>),
}

impl Do {
    /// Whether it is done to the cloud and to nothing else.
    pub(crate) fn is_for_the_cloud(&self) -> bool {
        matches!(
            self,
            Do::CommandRelay { .. }
                | Do::RevokePermanent
                | Do::ExpireSession
                | Do::RenewSession
                | Do::ServerClock(_)
        )
    }

    /// Does it to the cloud; the error says why the cloud would not.
    pub(crate) fn at_the_cloud(&self, now: Instant, cloud: &mut Cloud, device: &str) -> Result<(), String> {
        let done = match self {
            Do::CommandRelay { relay, on } => cloud.command_relay(now, device, *relay, *on).map(|_| ()),
            Do::RevokePermanent => cloud.revoke_permanent(now, device),
            Do::ExpireSession => cloud.expire_session(now, device),
            Do::RenewSession => cloud.renew_by_dashboard(now, device),
            Do::ServerClock(offset_ns) => {
                let configured = cloud.config().clock_offset_ns;
                cloud.set_skew(now, offset_ns.unwrap_or(configured));
                Ok(())
            }
            _ => Ok(()),
        };
        done.map_err(|why| format!("the operator's action on {device} failed: {why}"))
    }
}

/// Where one fault stands.
#[derive(Debug)]
struct Armed {
    name: String,
    action: Action,
    lasts: Option<Duration>,
    moments: Moments,
    /// Occurrences so far.
    seen: u32,
    /// The first occurrence at which it fires.
    nth: u32,
    /// How often it may fire in all; `None` without end.
    times: Option<u32>,
    /// It fires at every so many occurrences from `nth` on.
    every: u32,
    probability: Option<Share>,
    optional: bool,
    fired: u32,
}

/// What is due.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A fault ends.
    End(usize),
}

/// The fault plan of a run.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    faults: Vec<Armed>,
    due: EventQueue<Due>,
    rng: Rng,
    states: Vec<(String, FaultState)>,
    wanted: Vec<Do>,
    directives: Vec<Directive>,
}

impl FaultPlan {
    pub(crate) fn new(faults: &[Fault], seed: u64) -> FaultPlan {
        let faults = faults
            .iter()
            .map(|f| {
                let repeat = f.repeat.as_ref().map(|r| r.value);
                Armed {
                    name: f.name.value.clone(),
                    action: f.action.value.clone(),
                    lasts: f.lasts.map(|l| l.duration()),
                    moments: Moments::new(&f.when.value, repeat.and_then(|r| r.interval)),
                    seen: 0,
                    nth: f.when.nth().unwrap_or(1),
                    times: match repeat {
                        Some(repeat) => repeat.times,
                        None => Some(1),
                    },
                    every: repeat.and_then(|r| r.every).unwrap_or(1).max(1),
                    probability: f.probability,
                    optional: f.optional,
                    fired: 0,
                }
            })
            .collect();
        FaultPlan {
            faults,
            due: EventQueue::new(),
            rng: Rng::stream(seed, "faults"),
            states: Vec::new(),
            wanted: Vec::new(),
            directives: Vec::new(),
        }
    }

    /// Shows an event to the triggers.
    pub(crate) fn observe(&mut self, event: &Event) {
        for i in 0..self.faults.len() {
            let occurred = self.faults[i].moments.observe(event);
            self.occurred(i, occurred, event.at);
        }
    }

    /// Lets time pass: triggers by the clock, and ends.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((at, Due::End(i))) = self.due.pop_due(now) {
            self.end(i, at);
        }
        for i in 0..self.faults.len() {
            let occurred = self.faults[i].moments.advance(now);
            self.occurred(i, occurred, now);
        }
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let by_clock = self.faults.iter().filter(|f| f.may_fire()).filter_map(|f| f.moments.next_due());
        by_clock.chain(self.due.next_due()).min()
    }

    /// Takes what became of faults, and what is to be done to the bench, since the last call.
    pub(crate) fn take(&mut self) -> (Vec<(String, FaultState)>, Vec<Do>) {
        (std::mem::take(&mut self.states), std::mem::take(&mut self.wanted))
    }

    /// Takes what is to be done to the exchange at hand.
    pub(crate) fn take_directives(&mut self) -> Vec<Directive> {
        std::mem::take(&mut self.directives)
    }

    /// The faults that were planned, never fired, and were not declared optional.
    pub(crate) fn never_fired(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().filter(|f| f.fired == 0 && !f.optional).map(|f| f.name.as_str())
    }

    fn occurred(&mut self, i: usize, times: u32, at: Instant) {
        for _ in 0..times {
            let fault = &mut self.faults[i];
            fault.seen += 1;
            let on_beat = fault.seen >= fault.nth && (fault.seen - fault.nth).is_multiple_of(fault.every);
            if !on_beat || !fault.may_fire() {
                continue;
            }
            if let Some(share) = fault.probability
                && !self.rng.chance(u64::from(share.ppm), 1_000_000)
            {
                continue;
            }
            self.fire(i, at);
        }
    }

    fn fire(&mut self, i: usize, at: Instant) {
        let fault = &mut self.faults[i];
        fault.fired += 1;
        self.states.push((fault.name.clone(), FaultState::Fired));
        let action = fault.action.clone();
        let lasts = match (&action, fault.lasts) {
            // A power cut without a length comes back at once.
            (Action::PowerCut, None) => Some(Duration::ZERO),
            (_, lasts) => lasts,
        };
        self.begin(&action);
        match lasts {
            Some(lasts) if action.lasts() => self.due.push(at + lasts, Due::End(i)),
            _ if !action.lasts() => self.states.push((self.faults[i].name.clone(), FaultState::Ended)),
            _ => {}
        }
    }

    fn begin(&mut self, action: &Action) {
        self.wanted.push(match action {
            Action::AccessPointGone => Do::AccessPoint(false),
            Action::Deauthenticate(d) => Do::Deauthenticate(d.reason.value),
            Action::Rssi(dbm) => Do::Rssi(Some(dbm.value)),
            Action::WrongPassword(password) => Do::Password(Some(password.value.clone())),
            Action::PowerCut => Do::Power(false),
            Action::Reset => Do::Reset,
            Action::CommandRelay(c) => Do::CommandRelay { relay: c.relay.value, on: c.on },
            Action::RevokePermanentToken => Do::RevokePermanent,
            Action::ExpireSession => Do::ExpireSession,
            Action::RenewSession => Do::RenewSession,
            Action::ServerClock(c) => Do::ServerClock(Some(c.offset.0)),
            Action::NtpClock(c) => Do::NtpOffset(Some(c.offset.0)),
            Action::DrivePin(p) => Do::Pin(p.gpio.value, Some(p.level.is_high())),
        });
    }

    fn end(&mut self, i: usize, _at: Instant) {
        let fault = &self.faults[i];
        let undo = match &fault.action {
            Action::AccessPointGone => Do::AccessPoint(true),
            Action::Rssi(_) => Do::Rssi(None),
            Action::WrongPassword(_) => Do::Password(None),
            Action::PowerCut => Do::Power(true),
            Action::ServerClock(_) => Do::ServerClock(None),
            Action::NtpClock(_) => Do::NtpOffset(None),
            Action::DrivePin(p) => Do::Pin(p.gpio.value, None),
            // Nothing to undo: these happen once.
            Action::Deauthenticate(_)
            | Action::Reset
            | Action::CommandRelay(_)
            | Action::RevokePermanentToken
            | Action::ExpireSession
            | Action::RenewSession => return,
        };
        self.wanted.push(undo);
        self.states.push((fault.name.clone(), FaultState::Ended));
    }
}

impl Armed {
    fn may_fire(&self) -> bool {
        self.times.is_none_or(|times| self.fired < times)
    }
}
