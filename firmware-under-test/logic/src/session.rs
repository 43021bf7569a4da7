//! The session policy: which request is due when, and what each outcome leads to.
//!
//! A plain state machine. The caller asks [`Session::next`] what to do, does it, and reports to
//! [`Session::settle`]; what should be said or done besides comes out of [`Session::take_notes`].
//! Times are milliseconds of a clock that starts at boot and never wraps (64 bits).
//!
//! The ladder, from the usual case to the last resort:
//! 1. renew the session at 45 minutes with the session itself;
//! 2. when it is lost (401, or its time is over), recover one with the permanent token;
//! 3. when the permanent token is rejected, register again with the registration token;
//! 4. when that is rejected too, wait long and start over at 2. Hours, not seconds: twenty failed attempts
//!    are a ban of a day.

use heapless::Vec;

use crate::backoff::Backoff;
use crate::defects::{Defect, Defects};
use crate::replies::Rejection;

/// A request of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Registration, with the registration token.
    Register,
    /// A new session, with the permanent token.
    Recover,
    /// A new session, with the one that is about to end.
    Renew,
    /// Waiting commands, with the session.
    Poll,
    /// A temperature report, with the session.
    Update,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this request and settle it.
    Send(Request),
    /// Nothing before this time.
    WaitUntil(u64),
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server did it. For the requests that yield a session: its lifetime.
    Accepted {
        /// Lifetime of the new session in seconds; 0 for a poll or an update.
        expires_in_s: u32,
    },
    /// The server turned it down, and repeating it would not help.
    Rejected(Rejection),
    /// 429 or 503: later. With the pause that the server asks for, if it names one.
    Throttled {
        /// Seconds from `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// No usable answer: no connection, no reply in time, a server error, a malformed body.
    Failed,
}

/// Something to say or to do beside the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The session is lost; the permanent token comes next.
    SessionInvalid,
    /// A session was recovered with the permanent token.
    SessionRecovered,
    /// The session was renewed.
    SessionRenewed,
    /// The permanent token does not help; registration comes next.
    WillReregister,
    /// The server asked for this pause.
    RetryAfter {
        /// Its length in seconds.
        seconds: u32,
    },
    /// A request failed and comes again after this pause.
    RetryIn {
        /// Which request.
        request: Request,
        /// Seconds until then, rounded up.
        seconds: u32,
    },
    /// The server says that our clock is wrong.
    ClockRejected,
    /// Switch all relays off (only a defect asks for it).
    RelaysOff,
    /// Renewal keeps failing: let the watchdog restart the device.
    Restart {
        /// Failures in a row.
        failures: u32,
        /// Minutes since the first of them.
        minutes: u32,
    },
}

/// The intervals and defects a policy works with.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Between polls, in milliseconds.
    pub poll_ms: u32,
    /// Between updates, in milliseconds.
    pub update_ms: u32,
    /// Age of a session at its renewal, in milliseconds.
    pub renew_ms: u32,
    /// Defects to exhibit.
    pub defects: Defects,
}

/// Failures of renewal in a row, and their time span in milliseconds, after which the device restarts.
pub const RESTART_AFTER_FAILURES: u32 = 10;
/// See [`RESTART_AFTER_FAILURES`].
pub const RESTART_AFTER_MS: u64 = 30 * 60_000;

/// Shortest pause after a failure.
const RETRY_BASE_MS: u32 = 5_000;
/// Longest pause after a failure.
const RETRY_CAP_MS: u32 = 300_000;
/// Shortest pause after a registration that got no answer; the service takes two a minute.
const REGISTER_RETRY_MS: u32 = 30_000;
/// Shortest pause after a registration that was turned down for our clock; a third one within the minute is too many.
const REGISTER_SKEW_MS: u32 = 31_000;
/// Shortest and longest pause after a registration that was turned down.
const REGISTER_BASE_MS: u32 = 60_000;
const REGISTER_CAP_MS: u32 = 4 * 3_600_000;
/// Longest pause while the server objects to our clock: each objection is a failed attempt, and twenty are a ban.
const SKEW_CAP_MS: u32 = 4 * 3_600_000;
/// A failed request is never repeated sooner than this.
const BREATH_MS: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Only the registration token is left.
    Unregistered,
    /// There is a permanent token and no session.
    Lost,
    /// There is a session; it ends at this time.
    Live { ends_at: u64 },
}

/// The policy's state.
#[derive(Clone, Debug)]
pub struct Session {
    policy: Policy,
    standing: Standing,
    has_permanent_token: bool,
    poll_at: u64,
    update_at: u64,
    renew_at: u64,
    /// When a recovery or registration may be tried.
    credential_at: u64,
    /// A registration was turned down: no recovery or registration before this time, come what may.
    turned_down_until: u64,
    /// `Retry-After`: no request at all before this time.
    held_until: u64,
    /// The server objects to our clock: no request at all before this time, or before the clock is corrected.
    skewed_until: u64,
    polls: Backoff,
    updates: Backoff,
    /// Of polls and updates one kind works while the other fails: each keeps to its own pauses.
    apart: bool,
    skew: Backoff,
    credential: Backoff,
    registering: Backoff,
    registration: Backoff,
    first_failure_at: Option<u64>,
    renewal_failures: u32,
    restart_noted: bool,
    /// Defect `lose-session-on-lost-reply`: a renewal went unanswered.
    reply_lost: bool,
    /// Defect `millis-overflow`: the loop has just renewed, a poll comes next.
    polls_next: bool,
    notes: Vec<Note, 8>,
}

impl Session {
    /// A device at boot. With a permanent token it recovers a session, without one it registers.
    pub fn new(policy: Policy, has_permanent_token: bool) -> Self {
        let standing = if has_permanent_token {
            Standing::Lost
        } else {
            Standing::Unregistered
        };
        Self {
            policy,
            standing,
            has_permanent_token,
            poll_at: 0,
            update_at: 0,
            renew_at: 0,
            credential_at: 0,
            turned_down_until: 0,
            held_until: 0,
            skewed_until: 0,
            polls: Backoff::new(RETRY_BASE_MS, RETRY_CAP_MS),
            updates: Backoff::new(RETRY_BASE_MS, RETRY_CAP_MS),
            apart: false,
            skew: Backoff::new(RETRY_BASE_MS, SKEW_CAP_MS),
            credential: Backoff::new(RETRY_BASE_MS, RETRY_CAP_MS),
            registering: Backoff::new(REGISTER_RETRY_MS, RETRY_CAP_MS),
            registration: Backoff::new(REGISTER_BASE_MS, REGISTER_CAP_MS),
            first_failure_at: None,
            renewal_failures: 0,
            restart_noted: false,
            reply_lost: false,
            polls_next: false,
            notes: Vec::new(),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.policy.defects.has(defect)
    }

    /// What has to be said or done since the last call.
    pub fn take_notes(&mut self) -> Vec<Note, 8> {
        core::mem::take(&mut self.notes)
    }

    fn note(&mut self, note: Note) {
        // A full list would be a caller that never takes its notes; the oldest ones matter most.
        let _ = self.notes.push(note);
    }

    /// What is due at `now`.
    pub fn next(&mut self, now: u64) -> Step {
        let held_until = self.held_until.max(self.skewed_until);
        if now < held_until {
            return Step::WaitUntil(held_until);
        }
        if matches!(self.standing, Standing::Live { ends_at } if now >= ends_at) {
            self.lose_session(now);
        }
        let (request, at) = match self.standing {
            Standing::Unregistered => (Request::Register, self.credential_at),
            Standing::Lost => (Request::Recover, self.credential_at),
            Standing::Live { ends_at } => {
                let (request, at) = self.next_of_session(now);
                if at > now {
                    return Step::WaitUntil(at.min(ends_at));
                }
                (request, at)
            }
        };
        if at > now {
            Step::WaitUntil(at)
        } else {
            Step::Send(request)
        }
    }

    /// The earliest of renewal, update and poll; a renewal before an update before a poll.
    fn next_of_session(&self, now: u64) -> (Request, u64) {
        let mut next = (Request::Renew, self.renew_at);
        if self.has(Defect::NoAutoRenewal) {
            next.1 = u64::MAX;
        }
        if self.has(Defect::MillisOverflow) {
            // The wrong comparison, in the main loop: both sides are 32-bit milliseconds, and one wraps first.
            let due = now as u32 > self.renew_at as u32 && !self.polls_next;
            next.1 = if due { self.poll_at } else { u64::MAX };
        }
        for other in [(Request::Update, self.update_at), (Request::Poll, self.poll_at)] {
            // What is already due keeps its rank, so a renewal never waits behind a row of polls.
            if next.1 > now && other.1 < next.1 {
                next = other;
            }
        }
        next
    }

    /// Reports what came of a request that was sent at `sent_at`. `random` is any 32 random bits.
    pub fn settle(&mut self, request: Request, outcome: Outcome, sent_at: u64, now: u64, random: u32) {
        match outcome {
            Outcome::Accepted { expires_in_s } => self.accepted(request, expires_in_s, sent_at, now),
            Outcome::Rejected(rejection) => self.rejected(request, rejection, sent_at, now, random),
            Outcome::Throttled { retry_after_s } => {
                self.throttled(request, retry_after_s, sent_at, now, random);
            }
            Outcome::Failed => self.failed(request, sent_at, now, random),
        }
    }

    fn accepted(&mut self, request: Request, expires_in_s: u32, sent_at: u64, now: u64) {
        self.polls_next = request == Request::Renew;
        self.skew.reset();
        match request {
            Request::Poll => {
                self.polls.reset();
                self.apart = self.updates.failures() > 0;
                self.poll_at = following(self.poll_at.max(sent_at), self.policy.poll_ms, now);
            }
            Request::Update => {
                self.updates.reset();
                self.apart = self.polls.failures() > 0;
                self.update_at = following(self.update_at.max(sent_at), self.policy.update_ms, now);
            }
            Request::Renew => {
                self.note(Note::SessionRenewed);
                self.begin_session(expires_in_s, sent_at, now);
            }
            Request::Recover => {
                self.note(Note::SessionRecovered);
                self.begin_session(expires_in_s, sent_at, now);
                self.traffic_at(now);
            }
            Request::Register => {
                self.has_permanent_token = true;
                self.registering.reset();
                self.registration.reset();
                self.turned_down_until = 0;
                self.begin_session(expires_in_s, sent_at, now);
                self.traffic_at(now);
            }
        }
    }

    fn begin_session(&mut self, expires_in_s: u32, sent_at: u64, now: u64) {
        let lifetime_ms = u64::from(expires_in_s) * 1_000;
        // Counted from the request: the server cannot have issued the session earlier.
        self.standing = Standing::Live {
            ends_at: sent_at + lifetime_ms,
        };
        // 45 minutes, or nine tenths of a session that is shorter than usual.
        self.renew_at = sent_at + u64::from(self.policy.renew_ms).min(lifetime_ms / 10 * 9);
        if self.has(Defect::RenewAt60Minutes) {
            self.renew_at = now + 3_600_000;
        }
        if self.has(Defect::RenewAt60Minutes)
            || self.has(Defect::NoAutoRenewal)
            || self.has(Defect::MillisOverflow)
        {
            // These know nothing of a session's end; they learn of it from the server.
            self.standing = Standing::Live { ends_at: u64::MAX };
        }
        self.credential.reset();
        self.renewal_failures = 0;
        self.first_failure_at = None;
        self.reply_lost = false;
    }

    /// Polls and updates start at once.
    fn traffic_at(&mut self, now: u64) {
        self.polls.reset();
        self.updates.reset();
        self.apart = false;
        self.poll_at = now;
        self.update_at = now;
    }

    fn lose_session(&mut self, now: u64) {
        if self.has(Defect::RelaysOffOnSessionLoss) {
            self.note(Note::RelaysOff);
        }
        self.credential.reset();
        self.credential_at = now.max(self.turned_down_until);
        self.note(Note::SessionInvalid);
        if self.has_permanent_token && !self.has(Defect::ReregisterOn401) {
            self.standing = Standing::Lost;
        } else {
            self.standing = Standing::Unregistered;
            self.note(Note::WillReregister);
        }
    }

    fn rejected(&mut self, request: Request, rejection: Rejection, sent_at: u64, now: u64, random: u32) {
        if rejection == Rejection::ClockSkew {
            // Neither the session nor the token is at fault; a right clock is what helps.
            self.note(Note::ClockRejected);
            self.hold_for_skew(request, sent_at, now, random);
            return;
        }
        match request {
            Request::Poll | Request::Update | Request::Renew => {
                if self.reply_lost && self.has(Defect::LoseSessionOnLostReply) {
                    self.poll_at = now + u64::from(self.policy.poll_ms);
                    self.update_at = self.update_at.max(self.poll_at);
                } else {
                    self.lose_session(now);
                }
            }
            Request::Recover if self.has(Defect::HammerRevokedToken) => {
                self.credential_at = now + u64::from(self.policy.poll_ms);
            }
            Request::Recover => {
                self.note(Note::WillReregister);
                self.standing = Standing::Unregistered;
                self.credential.reset();
                self.credential_at = now;
            }
            Request::Register => {
                let pause = self.pause(Request::Register, true, random);
                self.turned_down_until = (sent_at + u64::from(pause)).max(now + BREATH_MS);
                self.credential_at = self.turned_down_until;
                self.note_retry(request, now, self.credential_at);
                // A revoked token may have been restored meanwhile; it is the gentler thing to try.
                if self.has_permanent_token && !self.has(Defect::ReregisterOn401) {
                    self.standing = Standing::Lost;
                }
            }
        }
    }

    fn throttled(
        &mut self,
        request: Request,
        retry_after_s: Option<u32>,
        sent_at: u64,
        now: u64,
        random: u32,
    ) {
        if self.has(Defect::IgnoreRetryAfter) {
            let usual = sent_at.max(now) + u64::from(self.policy.poll_ms);
            self.set_due(request, usual);
            return;
        }
        match retry_after_s {
            Some(seconds) => {
                self.held_until = now + u64::from(seconds) * 1_000;
                self.set_due(request, self.held_until);
                self.note(Note::RetryAfter { seconds });
            }
            None => {
                self.postpone(request, sent_at, now, random);
                // "Too many" means all of them, not only this one.
                self.held_until = self.due(request);
            }
        }
    }

    fn failed(&mut self, request: Request, sent_at: u64, now: u64, random: u32) {
        if matches!(request, Request::Renew | Request::Recover) {
            self.count_renewal_failure(now);
        }
        if request == Request::Renew {
            self.reply_lost = true;
            if self.has(Defect::NoRetryAfterFailedRenewal) || self.has(Defect::LoseSessionOnLostReply) {
                self.renew_at = sent_at + u64::from(self.policy.renew_ms);
                self.standing = Standing::Live { ends_at: u64::MAX };
                return;
            }
        }
        self.postpone(request, sent_at, now, random);
    }

    fn count_renewal_failure(&mut self, now: u64) {
        self.renewal_failures += 1;
        let since = now - *self.first_failure_at.get_or_insert(now);
        let restart = self.renewal_failures >= RESTART_AFTER_FAILURES && since >= RESTART_AFTER_MS;
        if restart && !self.restart_noted && !self.has(Defect::NoWatchdog) {
            self.restart_noted = true;
            self.note(Note::Restart {
                failures: self.renewal_failures,
                minutes: (since / 60_000) as u32,
            });
        }
    }

    /// Puts everything off: the next request would be turned down for the same clock, whichever it is.
    fn hold_for_skew(&mut self, request: Request, sent_at: u64, now: u64, random: u32) {
        let pause = self.skew.fail(random);
        let pause = if self.has(Defect::NoBackoff) { 0 } else { pause };
        self.skewed_until = (sent_at + u64::from(pause)).max(now + BREATH_MS);
        if request == Request::Register && !self.has(Defect::NoBackoff) {
            // It counts among the two of a minute all the same, whenever the clock is corrected.
            self.credential_at = sent_at + u64::from(REGISTER_SKEW_MS);
        }
        self.note_retry(request, now, self.skewed_until.max(self.due(request)));
    }

    /// Puts a request off by the next pause of its kind.
    fn postpone(&mut self, request: Request, sent_at: u64, now: u64, random: u32) {
        let pause = u64::from(self.pause(request, false, random));
        // From the sending, so that the pauses seen on the network grow as they should.
        let at = (sent_at + pause).max(now + BREATH_MS);
        self.set_due(request, at);
        self.note_retry(request, now, at);
    }

    fn pause(&mut self, request: Request, turned_down: bool, random: u32) -> u32 {
        let backoff = match request {
            Request::Poll | Request::Update => return self.traffic_pause(request, random),
            Request::Register if turned_down => &mut self.registration,
            Request::Register => &mut self.registering,
            Request::Renew | Request::Recover => &mut self.credential,
        };
        let pause = backoff.fail(random);
        if self.has(Defect::NoBackoff) { 0 } else { pause }
    }

    /// The pause after a failed poll or update.
    ///
    /// As long as neither works they share their pauses, so that the server sees one row of growing gaps. When one of
    /// the two works, the other's failures are its own.
    fn traffic_pause(&mut self, request: Request, random: u32) -> u32 {
        let (failed, other) = match request {
            Request::Update => (&mut self.updates, &mut self.polls),
            _ => (&mut self.polls, &mut self.updates),
        };
        if self.apart && other.failures() > 0 {
            // Now neither works.
            self.apart = false;
            *failed = *other;
        }
        let pause = failed.fail(random);
        if !self.apart {
            *other = *failed;
        }
        if self.has(Defect::NoBackoff) { 0 } else { pause }
    }

    fn note_retry(&mut self, request: Request, now: u64, at: u64) {
        let seconds = at.saturating_sub(now).div_ceil(1_000) as u32;
        self.note(Note::RetryIn { request, seconds });
    }

    fn set_due(&mut self, request: Request, at: u64) {
        match request {
            Request::Renew => self.renew_at = at,
            Request::Recover | Request::Register => self.credential_at = at,
            Request::Poll if self.apart => self.poll_at = at,
            Request::Update if self.apart => self.update_at = at,
            Request::Poll | Request::Update => {
                self.poll_at = self.poll_at.max(at);
                self.update_at = self.update_at.max(at);
            }
        }
    }

    fn due(&self, request: Request) -> u64 {
        match request {
            Request::Renew => self.renew_at,
            Request::Recover | Request::Register => self.credential_at,
            Request::Poll => self.poll_at,
            Request::Update => self.update_at,
        }
    }

    /// The clock has been corrected: what waits for that is tried at once.
    ///
    /// The pauses go on growing from where they were until the server takes a request: a time server that is wrong again
    /// and again must not end in a ban.
    pub fn clock_corrected(&mut self, now: u64) {
        self.skewed_until = self.skewed_until.min(now);
    }

    /// The network is back, or the clock has been set right: what failed for that reason is tried at once.
    ///
    /// What a server asked for (`Retry-After`, a registration turned down) still holds.
    pub fn obstacle_gone(&mut self, now: u64) {
        if self.polls.failures() + self.updates.failures() > 0 {
            self.traffic_at(now);
        }
        if self.credential.failures() + self.registering.failures() > 0
            && !self.has(Defect::NoRetryAfterFailedRenewal)
        {
            self.credential_at = now.max(self.turned_down_until);
            if self.renew_at > now && self.renewal_failures > 0 {
                self.renew_at = now;
            }
        }
    }

    /// Whether the device holds a session.
    pub fn is_live(&self) -> bool {
        matches!(self.standing, Standing::Live { .. })
    }
}

/// The next time on a grid of `interval_ms` through `last` that is not before `now`.
fn following(last: u64, interval_ms: u32, now: u64) -> u64 {
    (last + u64::from(interval_ms)).max(now)
}

#[cfg(test)]
mod tests;
