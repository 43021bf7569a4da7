//! The state machine: its state, the way of a request through it, and what happens by itself as time passes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http_service::{ConnId, Reply, Request, http_date};
use sim::{Instant, Rng, UnixTime};

use crate::admission::Admission;
use crate::config::{CloudConfig, DeviceConfig, PermanentPrefix, PlainHttp, REGISTRATION_LIFETIME};
use crate::device::{Device, DeviceStatus, DeviceView};
use crate::endpoint::is_device_id;
use crate::facts::{Effect, Entry, Fact, Journal, SessionEnd, SessionOrigin};
use crate::{CloudError, Endpoint, Refusal, ServerClock, Switches};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The reply.
    pub reply: Reply,
    /// What it did.
    pub effect: Effect,
    /// The device it was about, if one was made out.
    pub device: Option<String>,
}

/// A token that was given out at some time.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) device: String,
    pub(crate) state: TokenState,
}

/// The three kinds of token and where each is in its life. Times are the server's.
#[derive(Clone, Debug)]
pub(crate) enum TokenState {
    Registration {
        expires: UnixTime,
        used: bool,
    },
    Permanent {
        expires: Option<UnixTime>,
        revoked: bool,
    },
    Session {
        expires: UnixTime,
        ended: bool,
        expiry_told: bool,
    },
}

/// The mock cloud. See the [crate documentation](crate).
#[derive(Clone, Debug)]
pub struct Cloud {
    pub(crate) config: CloudConfig,
    pub(crate) clock: ServerClock,
    rng: Rng,
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) admission: Admission,
    journal: Journal,
    /// Sessions that were replaced and are still good, with their devices.
    fading: Vec<(String, String)>,
    /// How long a replaced session stays good at present.
    pub(crate) renewal_grace: Duration,
    /// The idle timeout of connections at present.
    pub(crate) idle_timeout: Duration,
    /// Nothing happens by itself before this moment.
    next_due: Instant,
}

impl Cloud {
    /// A cloud at [`Instant::ZERO`].
    ///
    /// # Errors
    /// A [`CloudError`] for a device id, token or drift that cannot be, and for duplicates.
    pub fn new(mut config: CloudConfig) -> Result<Cloud, CloudError> {
        let devices = std::mem::take(&mut config.devices);
        let mut cloud = Cloud {
            clock: ServerClock::new(config.epoch, config.clock_offset_ns, config.clock_drift_ppm)?,
            rng: Rng::stream(config.seed, "cloud"),
            devices: BTreeMap::new(),
            tokens: BTreeMap::new(),
            admission: Admission::new(config.limits),
            journal: Journal::default(),
            fading: Vec::new(),
            renewal_grace: config.renewal_grace,
            idle_timeout: config.connections.idle_timeout,
            next_due: Instant::FAR_FUTURE,
            config,
        };
        devices.iter().try_for_each(|device| cloud.add_device(device))?;
        Ok(cloud)
    }

    /// Adds a device that has not been seen, as [`CloudConfig::devices`] would have; ages count from now.
    fn add_device(&mut self, device: &DeviceConfig) -> Result<(), CloudError> {
        if !is_device_id(&device.id) {
            return Err(CloudError::InvalidDeviceId(device.id.clone()));
        }
        if self.devices.contains_key(&device.id) {
            return Err(CloudError::DuplicateDevice(device.id.clone()));
        }
        let now = self.clock.read(Instant::ZERO);
        let registration = match &device.registration_token {
            Some(token) => token.clone(),
            None => self.draw_registration_token(),
        };
        let claimed = device.permanent_token.is_some();
        let expires = after(before(now, device.registration_token_age), REGISTRATION_LIFETIME);
        let state = TokenState::Registration {
            expires,
            used: claimed,
        };
        self.add_configured_token(&device.id, &registration, state)?;
        if let Some(permanent) = &device.permanent_token {
            let expires = self.permanent_expiry(before(now, device.permanent_token_age));
            let state = TokenState::Permanent {
                expires,
                revoked: false,
            };
            self.add_configured_token(&device.id, permanent, state)?;
        }
        let record = Device {
            claimed,
            mac: device.mac,
            registration: Some(registration),
            permanent: device.permanent_token.clone(),
            ..Device::default()
        };
        self.devices.insert(device.id.clone(), record);
        Ok(())
    }

    fn add_configured_token(&mut self, id: &str, token: &str, state: TokenState) -> Result<(), CloudError> {
        if !(1..=80).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CloudError::InvalidToken(token.to_owned()));
        }
        if self.tokens.contains_key(token) {
            return Err(CloudError::DuplicateToken(token.to_owned()));
        }
        self.tokens.insert(
            token.to_owned(),
            Token {
                device: id.to_owned(),
                state,
            },
        );
        Ok(())
    }

    /// Answers a request.
    pub fn handle(&mut self, now: Instant, request: &Request) -> Reply {
        self.answer(now, request).reply
    }

    /// Answers a request and says what it did.
    pub fn answer(&mut self, now: Instant, request: &Request) -> Outcome {
        self.advance(now);
        let (endpoint, path_device) = Endpoint::of_path(&request.path);
        let mut device = path_device.map(str::to_owned);
        let result = self.admit(now, request, endpoint).and_then(|()| {
            if self.config.switches.plain_http == PlainHttp::Redirected && !request.secure {
                return Ok((self.redirect(request), Effect::None));
            }
            self.dispatch(now, request, endpoint, &mut device)
        });
        let (reply, effect) = match result {
            Ok(done) => done,
            Err(refusal) => {
                self.note_refusal(now, request, endpoint, device.as_deref(), &refusal);
                (refusal.reply(&self.config.switches), Effect::Refused(refusal))
            }
        };
        Outcome {
            reply,
            effect,
            device,
        }
    }

    fn admit(&mut self, now: Instant, request: &Request, endpoint: Endpoint) -> Result<(), Refusal> {
        let registers = endpoint == Endpoint::Register && request.method == "POST";
        let admitted = self.admission.admit(now, request.conn, request.peer, registers);
        if let Err(Refusal::TooManyRequests(retry_after_s)) = &admitted {
            let (peer, retry_after_s) = (request.peer, *retry_after_s);
            self.note(
                now,
                Fact::RateLimited {
                    peer,
                    endpoint,
                    retry_after_s,
                },
            );
        }
        admitted
    }

    /// "HTTP redirects to HTTPS" (security page).
    fn redirect(&self, request: &Request) -> Reply {
        let query = request
            .query
            .as_ref()
            .map(|q| format!("?{q}"))
            .unwrap_or_default();
        let location = format!("https://{}{}{query}", self.config.host, request.path);
        Reply::new(301).with_header("location", &location)
    }

    fn note_refusal(
        &mut self,
        now: Instant,
        request: &Request,
        endpoint: Endpoint,
        device: Option<&str>,
        refusal: &Refusal,
    ) {
        if !refusal.is_failed_attempt() {
            return;
        }
        let (failures, banned_until) = self.admission.failed(now, request.peer);
        let event = Fact::AuthFailed {
            endpoint,
            peer: request.peer,
            device: device.map(str::to_owned),
            token: crate::api::sent_token(request, endpoint),
            refusal: refusal.clone(),
            failures,
        };
        self.note(now, event);
        if let Some(until) = banned_until {
            self.note(
                now,
                Fact::Banned {
                    peer: request.peer,
                    until,
                },
            );
        }
    }

    /// A connection opens: counted per address. Requests on one too many are answered 429; false for such a one.
    pub fn open_connection(&mut self, now: Instant, conn: ConnId, peer: IpAddr) -> bool {
        self.admission.open(now, conn, peer)
    }

    /// A connection has ended. Does nothing the second time.
    pub fn close_connection(&mut self, conn: ConnId) {
        self.admission.close(conn);
    }

    /// Lets time pass: sessions that expired and statuses that turned by `now` enter the journal, each with
    /// the moment it happened.
    pub fn advance(&mut self, now: Instant) {
        if now < self.next_due {
            return;
        }
        let mut happened: Vec<(Instant, Fact)> = Vec::new();
        let server_now = self.clock.read(now);
        for (id, device) in &mut self.devices {
            if let Some(session) = &device.session
                && let Some(Token { state, .. }) = self.tokens.get_mut(session)
                && let TokenState::Session {
                    expires,
                    ended: false,
                    expiry_told,
                } = state
            {
                // A clock that was set back brings a session to life again, and it expires again.
                let expired = server_now >= *expires;
                if expired && !*expiry_told {
                    let at = self.clock.reached(*expires);
                    let event = Fact::SessionExpired {
                        device: id.clone(),
                        session: session.clone(),
                    };
                    happened.push((at, event));
                }
                *expiry_told = expired;
            }
            while let Some(told) = device.told {
                let seen = device.last_seen.unwrap_or(Instant::ZERO);
                let turned = match told {
                    DeviceStatus::Online => device.next_status_change(seen),
                    DeviceStatus::Away => device.next_status_change(seen + Duration::from_secs(10)),
                    DeviceStatus::Offline => None,
                };
                let Some(at) = turned.filter(|at| *at <= now) else {
                    break;
                };
                let to = device.status(at);
                device.told = Some(to);
                let event = Fact::DeviceStatusChanged {
                    device: id.clone(),
                    from: Some(told),
                    to,
                };
                happened.push((at, event));
            }
        }
        self.expire_fading(server_now, &mut happened);
        happened.sort_by_key(|(at, _)| *at);
        for (at, event) in happened {
            self.journal.note(at, event);
        }
        self.next_due = self.find_next_due(now);
    }

    /// [`Cloud::advance`] after a change of the clock, which may have jumped over an end, or back before it.
    pub(crate) fn advance_by_new_clock(&mut self, now: Instant) {
        self.next_due = Instant::ZERO;
        self.advance(now);
    }

    /// When something next happens by itself (a session expires, a status turns), if anything.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        Some(self.find_next_due(now)).filter(|at| *at < Instant::FAR_FUTURE)
    }

    fn find_next_due(&self, now: Instant) -> Instant {
        let statuses = self.devices.values().filter_map(|d| d.next_status_change(now));
        let expiries =
            self.devices
                .values()
                .filter_map(|d| match self.tokens.get(d.session.as_ref()?)?.state {
                    TokenState::Session {
                        expires,
                        ended: false,
                        expiry_told: false,
                    } => Some(self.clock.moment_of(now, expires)),
                    TokenState::Session { .. }
                    | TokenState::Registration { .. }
                    | TokenState::Permanent { .. } => None,
                });
        let fading = self
            .fading
            .iter()
            .filter_map(|(_, session)| match self.tokens.get(session)?.state {
                TokenState::Session { expires, .. } => Some(self.clock.moment_of(now, expires)),
                TokenState::Registration { .. } | TokenState::Permanent { .. } => None,
            });
        statuses
            .chain(expiries)
            .chain(fading)
            .min()
            .unwrap_or(Instant::FAR_FUTURE)
    }

    /// The status that the dashboard shows for a device; `None` if there is no such device.
    pub fn status(&self, device: &str, now: Instant) -> Option<DeviceStatus> {
        Some(self.devices.get(device)?.status(now))
    }

    /// When that status next changes if the device stays silent.
    pub fn next_status_change(&self, device: &str, now: Instant) -> Option<Instant> {
        self.devices.get(device)?.next_status_change(now)
    }

    /// What is known about a device.
    pub fn device(&self, id: &str) -> Option<DeviceView> {
        let device = self.devices.get(id)?;
        let session_expires = device
            .session
            .as_ref()
            .and_then(|s| match self.tokens.get(s)?.state {
                TokenState::Session { expires, .. } => Some(expires),
                TokenState::Registration { .. } | TokenState::Permanent { .. } => None,
            });
        Some(DeviceView {
            claimed: device.claimed,
            mac: device.mac,
            registration_token: device.registration.clone(),
            permanent_token: device.permanent.clone(),
            session: device.session.clone(),
            session_expires,
            last_seen: device.last_seen,
            telemetry: device.telemetry.clone(),
            commands: device.commands.iter().copied().collect(),
        })
    }

    /// The ids of all devices, in order.
    pub fn device_ids(&self) -> impl Iterator<Item = &str> {
        self.devices.keys().map(String::as_str)
    }

    /// A device's current registration token, which is what its firmware is provisioned with.
    pub fn registration_token(&self, device: &str) -> Option<&str> {
        self.devices.get(device)?.registration.as_deref()
    }

    /// The switches.
    pub fn switches(&self) -> &Switches {
        &self.config.switches
    }

    /// The configuration, without the devices.
    pub fn config(&self) -> &CloudConfig {
        &self.config
    }

    /// The server's clock.
    pub fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// The server's time at `now` as an IMF-fixdate (RFC 9110, section 5.6.7).
    pub fn date(&self, now: Instant) -> String {
        http_date(self.clock.read(now).as_secs())
    }

    /// Takes what happened since the last time, in order. Entries of one moment are in the order of cause.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.journal.take()
    }

    /// Adds an entry, after whatever happened by itself before `now`.
    pub(crate) fn note(&mut self, now: Instant, fact: Fact) {
        self.advance(now);
        self.journal.note(now, fact);
    }

    /// Something was changed that happens by itself later: it must not be slept through.
    pub(crate) fn reschedule(&mut self, now: Instant) {
        self.next_due = self.next_due.min(self.find_next_due(now));
    }

    /// Issues a session to a device; the one before it, if any, is over.
    pub(crate) fn issue_session(&mut self, now: Instant, id: &str, origin: SessionOrigin) -> String {
        self.end_session(now, id, SessionEnd::Replaced);
        let session = self.rng.hex(16);
        let expires = after(self.clock.read(now), self.config.session_lifetime);
        let state = TokenState::Session {
            expires,
            ended: false,
            expiry_told: false,
        };
        self.tokens.insert(
            session.clone(),
            Token {
                device: id.to_owned(),
                state,
            },
        );
        self.devices
            .get_mut(id)
            .expect("sessions go to known devices")
            .session = Some(session.clone());
        self.note(
            now,
            Fact::SessionIssued {
                device: id.to_owned(),
                session: session.clone(),
                origin,
            },
        );
        self.reschedule(now);
        session
    }

    /// Ends the latest session of a device, so that it answers `Session expired` from now on.
    ///
    /// One that is replaced stays good for [`CloudConfig::renewal_grace`] and then expires.
    pub(crate) fn end_session(&mut self, now: Instant, id: &str, reason: SessionEnd) {
        self.advance(now);
        if reason != SessionEnd::Replaced || self.renewal_grace.is_zero() {
            self.end_fading(id, reason);
        }
        let Some(session) = self.devices.get(id).and_then(|d| d.session.clone()) else {
            return;
        };
        let device = self.devices.get_mut(id).expect("it was there a line ago");
        if let Some(forgotten) = device.retire_session() {
            self.tokens.remove(&forgotten);
        }
        let (expired, grace) = (self.clock.read(now), self.renewal_grace);
        if let Some(Token {
            state: TokenState::Session { ended, expires, .. },
            ..
        }) = self.tokens.get_mut(&session)
        {
            if reason == SessionEnd::Replaced && !grace.is_zero() {
                *expires = (*expires).min(after(expired, grace));
                if expired < *expires {
                    self.fading.push((id.to_owned(), session));
                    self.reschedule(now);
                }
                return;
            }
            *ended = true;
            if expired < *expires {
                self.note(
                    now,
                    Fact::SessionInvalidated {
                        device: id.to_owned(),
                        session,
                        reason,
                    },
                );
            }
        }
    }

    /// Ends the sessions of a device that were replaced and are still good.
    pub(crate) fn end_fading(&mut self, id: &str, reason: SessionEnd) {
        // What the server forgets, it forgets by removing the token.
        let forgotten = reason == SessionEnd::Forgotten;
        for (_, session) in self.fading.extract_if(.., |(device, _)| device == id) {
            if forgotten {
                self.tokens.remove(&session);
            } else if let Some(Token {
                state: TokenState::Session { ended, .. },
                ..
            }) = self.tokens.get_mut(&session)
            {
                *ended = true;
            }
        }
    }

    /// The sessions that were replaced, are still good and expire by themselves: which expired by `server_now`.
    fn expire_fading(&mut self, server_now: UnixTime, happened: &mut Vec<(Instant, Fact)>) {
        let (tokens, clock) = (&self.tokens, &self.clock);
        self.fading.retain(|(device, session)| {
            let Some(TokenState::Session { expires, .. }) = tokens.get(session).map(|t| &t.state) else {
                return false;
            };
            if server_now < *expires {
                return true;
            }
            let fact = Fact::SessionExpired {
                device: device.clone(),
                session: session.clone(),
            };
            happened.push((clock.reached(*expires), fact));
            false
        });
    }

    /// A new permanent token for a device; the one before it, if any, is revoked.
    pub(crate) fn issue_permanent(&mut self, now: Instant, id: &str) -> String {
        let digits = self.rng.hex(16);
        let token = match self.config.switches.permanent_prefix {
            PermanentPrefix::OcPerm => format!("oc_perm_{digits}"),
            PermanentPrefix::None => digits,
        };
        self.revoke_current_permanent(now, id);
        let expires = self.permanent_expiry(self.clock.read(now));
        let state = TokenState::Permanent {
            expires,
            revoked: false,
        };
        self.tokens.insert(
            token.clone(),
            Token {
                device: id.to_owned(),
                state,
            },
        );
        let device = self.devices.get_mut(id).expect("tokens go to known devices");
        device.permanent = Some(token.clone());
        self.note(
            now,
            Fact::PermanentIssued {
                device: id.to_owned(),
                token: token.clone(),
            },
        );
        token
    }

    /// Revokes the current permanent token of a device; false if it has none.
    pub(crate) fn revoke_current_permanent(&mut self, now: Instant, id: &str) -> bool {
        let Some(token) = self.devices.get(id).and_then(|d| d.permanent.clone()) else {
            return false;
        };
        if let Some(Token {
            state: TokenState::Permanent { revoked, .. },
            ..
        }) = self.tokens.get_mut(&token)
            && !std::mem::replace(revoked, true)
        {
            self.note(
                now,
                Fact::PermanentRevoked {
                    device: id.to_owned(),
                    token,
                },
            );
        }
        true
    }

    /// `oc_reg_` and 24 hexadecimal digits.
    pub(crate) fn draw_registration_token(&mut self) -> String {
        format!("oc_reg_{}", self.rng.hex(12))
    }

    fn permanent_expiry(&self, issued: UnixTime) -> Option<UnixTime> {
        self.config
            .permanent_lifetime
            .map(|lifetime| after(issued, lifetime))
    }
}

/// `time` and `d` more.
pub(crate) fn after(time: UnixTime, d: Duration) -> UnixTime {
    time.offset_nanos(i128::try_from(d.as_nanos()).expect("a Duration is under 2^94 ns"))
}

fn before(time: UnixTime, d: Duration) -> UnixTime {
    time.offset_nanos(-i128::try_from(d.as_nanos()).expect("a Duration is under 2^94 ns"))
}
