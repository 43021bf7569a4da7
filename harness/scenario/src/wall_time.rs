//! A scenario for a device in wall time: an hour may be made shorter, and windows get the tolerance of the bench.
//!
//! What belongs to the schedule of a session is divided by the scale: the run, the session's lifetime, the device's
//! intervals, what is left of tokens, the times of faults, the windows of expectations. What belongs to the device's
//! and the protocols' own pace is not: backoffs, timeouts, `Retry-After`, delays, steps, clock errors and the limit of
//! clock skew.

use std::time::Duration;

use vocabulary::spec::Arg;

use crate::bench::Bench;
use crate::expectation::{Expectation, ExpectationKind};
use crate::fault::Fault;
use crate::located::Located;
use crate::model::Scenario;
use crate::quantity::TimeSpan;
use crate::trigger::Trigger;

/// No fault becomes shorter than this by the scale: missed beacons and TCP timeouts take the time they take.
pub const SHORTEST_FAULT: TimeSpan = TimeSpan::from_secs(10);
/// A session that is shorter than this leaves no time between its renewal and its end for a device to react.
pub const SHORTEST_SESSION: TimeSpan = TimeSpan::from_secs(20);

/// The firmware's intervals where a scenario sets none, and the shortest that it takes (`docs/provisioning.md`).
const POLL: (TimeSpan, TimeSpan) = (TimeSpan::from_secs(5), TimeSpan::from_millis(100));
const UPDATE: (TimeSpan, TimeSpan) = (TimeSpan::from_secs(60), TimeSpan::from_secs(1));
const RENEW: (TimeSpan, TimeSpan) = (TimeSpan::from_secs(45 * 60), TimeSpan::from_secs(1));
const NTP: (TimeSpan, TimeSpan) = (TimeSpan::from_secs(3600), TimeSpan::from_secs(15));
/// How long a registration token is good for (`docs/oceanremote-contract.md`).
const REGISTRATION_TOKEN: TimeSpan = TimeSpan::from_secs(24 * 3600);

/// How a scenario is carried out in wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many times faster its schedule runs; 1 is as written.
    pub scale: u32,
    /// How much longer or shorter than written a window may be.
    pub tolerance: Duration,
}

/// A scale that a scenario cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time scale of {scale} makes the session of {lifetime} last {scaled}, which is less than the {SHORTEST_SESSION} \
     that a device needs; for this scenario {most} is the most"
)]
pub struct ScaleTooLarge {
    /// The scale.
    pub scale: u32,
    /// The session's lifetime as written.
    pub lifetime: TimeSpan,
    /// The same at this scale.
    pub scaled: TimeSpan,
    /// The largest scale for this scenario.
    pub most: u64,
}

impl Scenario {
    /// The same scenario at this pace.
    ///
    /// # Errors
    /// When the scale leaves too little of the session.
    pub fn at_pace(&self, pace: Pace) -> Result<Scenario, ScaleTooLarge> {
        let lifetime = self.bench.cloud.session_lifetime.value;
        let scaled = pace.shorter(lifetime);
        if pace.scale > 1 && scaled < SHORTEST_SESSION {
            return Err(ScaleTooLarge {
                scale: pace.scale,
                lifetime,
                scaled,
                most: (lifetime.nanos() / SHORTEST_SESSION.nanos()).max(1),
            });
        }
        let mut scenario = self.clone();
        if pace.scale > 1 {
            pace.bench(&mut scenario.bench);
        }
        for fault in &mut scenario.faults {
            let longer = pace.fault(fault);
            // What comes after a fault that could not be divided comes later; the run waits for it.
            let duration = &mut scenario.bench.duration.value;
            *duration = TimeSpan(duration.nanos().saturating_add(longer.nanos()));
        }
        for expectation in &mut scenario.expect {
            pace.expectation(expectation);
        }
        Ok(scenario)
    }
}

impl Pace {
    fn shorter(self, time: TimeSpan) -> TimeSpan {
        TimeSpan(time.nanos() / u64::from(self.scale.max(1)))
    }

    fn tolerance_ns(self) -> u64 {
        u64::try_from(self.tolerance.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The longest time that is allowed where `time` is written.
    fn at_most(self, time: TimeSpan) -> TimeSpan {
        TimeSpan(self.shorter(time).nanos().saturating_add(self.tolerance_ns()))
    }

    /// The shortest time that is allowed where `time` is written.
    fn at_least(self, time: TimeSpan) -> TimeSpan {
        TimeSpan(self.shorter(time).nanos().saturating_sub(self.tolerance_ns()))
    }

    /// The age of a token that lives for `life`, so that what is left of it is shorter.
    fn age(self, age: TimeSpan, life: TimeSpan) -> TimeSpan {
        match life.nanos().checked_sub(age.nanos()) {
            Some(left) => TimeSpan(life.nanos() - left / u64::from(self.scale.max(1))),
            None => age,
        }
    }

    fn bench(self, bench: &mut Bench) {
        bench.duration.value = self.shorter(bench.duration.value);
        let cloud = &mut bench.cloud;
        cloud.session_lifetime.value = self.shorter(cloud.session_lifetime.value);
        if let Some(life) = cloud.permanent_token_lifetime {
            bench.device.permanent_token_age = self.age(bench.device.permanent_token_age, life);
        }
        bench.device.registration_token_age =
            self.age(bench.device.registration_token_age, REGISTRATION_TOKEN);
        let intervals = &mut bench.provisioning.interval;
        for (written, (usual, shortest)) in [
            (&mut intervals.poll, POLL),
            (&mut intervals.update, UPDATE),
            (&mut intervals.renew, RENEW),
            (&mut intervals.ntp, NTP),
        ] {
            let interval = written.unwrap_or(Located::unwritten(usual));
            *written = Some(Located {
                value: self.shorter(interval.value).max(shortest.min(interval.value)),
                span: interval.span,
            });
        }
    }

    /// How much longer the fault lasts, in all, than its time divided.
    fn fault(self, fault: &mut Fault) -> TimeSpan {
        self.trigger(&mut fault.when.value);
        let mut longer = 0;
        if let Some(lasts) = &mut fault.lasts {
            let divided = self.shorter(lasts.value);
            lasts.value = divided.max(lasts.value.min(SHORTEST_FAULT));
            longer = lasts.value.nanos() - divided.nanos();
        }
        let times = fault.repeat.as_ref().and_then(|r| r.value.times).unwrap_or(1);
        if let Some(interval) = fault.repeat.as_mut().and_then(|r| r.value.interval.as_mut()) {
            *interval = self.shorter(*interval);
        }
        TimeSpan(longer.saturating_mul(u64::from(times)))
    }

    fn trigger(self, trigger: &mut Trigger) {
        match trigger {
            Trigger::Time(time) => *time = self.shorter(*time),
            Trigger::After(after) => {
                after.delay = self.shorter(after.delay);
                self.trigger(&mut after.trigger);
            }
            Trigger::Serial(_)
            | Trigger::Request(_)
            | Trigger::Wifi(_)
            | Trigger::Dhcp(_)
            | Trigger::Dns(_)
            | Trigger::Sntp(_)
            | Trigger::Pin(_)
            | Trigger::Reset(_)
            | Trigger::Fact(_)
            | Trigger::Fault(_) => {}
        }
    }

    fn moments<'a>(self, moments: impl IntoIterator<Item = &'a mut Option<Located<Trigger>>>) {
        for moment in moments.into_iter().flatten() {
            self.trigger(&mut moment.value);
        }
    }

    fn longest(self, within: &mut Option<Located<TimeSpan>>) {
        if let Some(time) = within {
            time.value = self.at_most(time.value);
        }
    }

    fn range(self, min: &mut Option<Located<TimeSpan>>, max: &mut Option<Located<TimeSpan>>) {
        if let Some(time) = min {
            time.value = self.at_least(time.value);
        }
        self.longest(max);
    }

    /// A window in which something must happen gets longer; one in which something must not happen stays.
    fn window(
        self,
        after: &mut Option<Located<Trigger>>,
        before: &mut Option<Located<Trigger>>,
        within: &mut Option<Located<TimeSpan>>,
        tolerant: bool,
    ) {
        self.moments([after, before]);
        match within {
            Some(time) if !tolerant => time.value = self.shorter(time.value),
            within => self.longest(within),
        }
    }

    fn expectation(self, expectation: &mut Expectation) {
        use ExpectationKind as E;
        match &mut expectation.kind {
            E::Serial(e) => self.window(&mut e.after, &mut e.before, &mut e.within, true),
            E::NoSerial(e) => self.window(&mut e.after, &mut e.before, &mut e.within, false),
            E::SerialOrder(_) | E::SerialAll(_) | E::NoSecrets(_) => {}
            E::Event(e) => self.window(&mut e.after, &mut e.before, &mut e.within, true),
            E::Interval(e) => {
                self.trigger(&mut e.from.value);
                self.trigger(&mut e.to.value);
                self.range(&mut e.min, &mut e.max);
            }
            E::Requests(e) => self.window(&mut e.after, &mut e.before, &mut e.within, true),
            E::Rate(e) => {
                self.window(&mut e.after, &mut e.before, &mut e.within, false);
                // Two moments may come closer together in wall time than they were meant.
                let per = self.shorter(e.per.value).nanos();
                e.per.value = TimeSpan(per - self.tolerance_ns().min(per / 10));
            }
            E::Backoff(e) => self.window(&mut e.after, &mut e.before, &mut e.within, false),
            E::Pin(e) => {
                self.moments([&mut e.at]);
                self.window(&mut e.after, &mut e.before, &mut e.within, false);
            }
            E::State(e) => {
                self.moments([&mut e.at]);
                self.range(&mut e.min, &mut e.max);
                self.window(&mut e.after, &mut e.before, &mut e.within, false);
            }
            E::Service(e) => {
                // A length of time among the parameters is one in which something must happen.
                for arg in e.args.0.values_mut() {
                    if let Arg::Duration(time) = arg {
                        let written = TimeSpan(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                        *time = self.at_most(written).duration();
                    }
                }
                self.window(&mut e.after, &mut e.before, &mut e.within, false);
            }
        }
    }
}
