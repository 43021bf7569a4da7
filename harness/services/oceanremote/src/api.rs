//! The endpoints. Request and reply bodies are those of `docs/oceanremote-contract.md`.

use std::net::IpAddr;

use http_service::{Reply, Request};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use sim::Instant;

use crate::cloud::{Token, TokenState, after};
use crate::config::{REGISTRATION_LIFETIME, Registration};
use crate::device::{Command, Device, DeviceStatus, Telemetry, TokenKind, parse_mac};
use crate::endpoint::is_device_id;
use crate::facts::{Effect, Fact, SessionOrigin};
use crate::{Cloud, Endpoint, Refusal};

/// Devices that an open registration may create.
const MAX_DEVICES: usize = 10_000;
/// Relays of a device.
const MAX_RELAYS: usize = 16;

type Handled = Result<(Reply, Effect), Refusal>;

#[derive(Deserialize)]
struct RegisterBody {
    token: String,
    device_id: String,
    mac_address: String,
    ip: String,
}

#[derive(Serialize)]
struct RegisterReply<'a> {
    success: bool,
    device_id: &'a str,
    permanent_token: &'a str,
    session: &'a str,
    expires_in: u64,
    server_time: i64,
}

#[derive(Deserialize)]
struct RenewBody {
    mac_address: String,
}

#[derive(Serialize)]
struct RenewReply<'a> {
    success: bool,
    session: &'a str,
    expires_in: u64,
    server_time: i64,
}

#[derive(Deserialize)]
struct UpdateBody {
    temperature: Number,
    rssi: Option<i32>,
    relays: Vec<bool>,
    humidity: Option<Number>,
}

#[derive(Serialize)]
struct UpdateReply {
    success: bool,
    server_time: i64,
}

#[derive(Serialize)]
struct CommandsReply<'a> {
    success: bool,
    commands: &'a [Command],
    server_time: i64,
}

/// Relays 1 and 2 at least, in the order of the public example.
struct StateReply<'a>(&'a Telemetry);

impl Serialize for StateReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("success", &true)?;
        for n in 1..=self.0.relays.len().max(2) {
            map.serialize_entry(&format!("relay{n}"), self.0.relays.get(n - 1).unwrap_or(&false))?;
        }
        map.serialize_entry("temperature", &self.0.temperature)?;
        map.serialize_entry("humidity", &self.0.humidity)?;
        map.end()
    }
}

/// The token that a request brought, for the journal.
pub(crate) fn sent_token(request: &Request, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Register => serde_json::from_slice::<RegisterBody>(&request.body)
            .ok()
            .map(|b| b.token),
        Endpoint::State => request.query_value("token"),
        Endpoint::RenewSession | Endpoint::Update | Endpoint::Commands | Endpoint::Other => {
            request.header("x-device-token").map(str::to_owned)
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| Refusal::Malformed(e.to_string()))
}

fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(what.to_owned())
}

impl Cloud {
    /// Hands an admitted request to its endpoint. `device` becomes the device it is about.
    pub(crate) fn dispatch(
        &mut self,
        now: Instant,
        request: &Request,
        endpoint: Endpoint,
        device: &mut Option<String>,
    ) -> Handled {
        if endpoint == Endpoint::Other {
            return Err(Refusal::NotFound);
        }
        if !endpoint
            .allow()
            .split(", ")
            .any(|method| method == request.method)
        {
            return Err(Refusal::MethodNotAllowed(endpoint));
        }
        match (endpoint, device.clone()) {
            (Endpoint::State, _) => self.state(now, request, device),
            (Endpoint::RenewSession, Some(id)) => self.renew(now, request, &id),
            (Endpoint::Update, Some(id)) => self.update(now, request, &id),
            (Endpoint::Commands, Some(id)) => self.commands(now, request, &id),
            (Endpoint::Register, _) => self.register(now, request, device),
            // `Endpoint::of_path` gives these a device, and the rest was refused above.
            (Endpoint::RenewSession | Endpoint::Update | Endpoint::Commands | Endpoint::Other, _) => {
                Err(Refusal::NotFound)
            }
        }
    }

    fn register(&mut self, now: Instant, request: &Request, device: &mut Option<String>) -> Handled {
        let body: RegisterBody = parse(&request.body)?;
        if !is_device_id(&body.device_id) {
            return Err(malformed("device_id is not 1 to 32 of A-Z a-z 0-9 _ -"));
        }
        let mac =
            parse_mac(&body.mac_address).ok_or_else(|| malformed("mac_address is not a MAC address"))?;
        body.ip
            .parse::<IpAddr>()
            .map_err(|_| malformed("ip is not an IP address"))?;
        let id = device.insert(body.device_id).clone();
        self.check_skew(now, request)?;
        self.check_registration_token(now, &id, &body.token)?;

        let (lifetime, server_time) = (REGISTRATION_LIFETIME, self.clock.read(now));
        let state = TokenState::Registration {
            expires: after(server_time, lifetime),
            used: true,
        };
        self.tokens.insert(
            body.token.clone(),
            Token {
                device: id.clone(),
                state,
            },
        );
        self.note(
            now,
            Fact::RegistrationSpent {
                device: id.clone(),
                token: body.token.clone(),
            },
        );
        let record = self.devices.entry(id.clone()).or_default();
        record.registration = Some(body.token);
        record.mac = Some(mac);
        record.telemetry.ip = Some(body.ip);
        let claimed_now = !std::mem::replace(&mut record.claimed, true);
        if claimed_now {
            self.note(now, Fact::DeviceClaimed { device: id.clone() });
        }
        let permanent_token = self.issue_permanent(now, &id);
        let session = self.issue_session(now, &id, SessionOrigin::Registration);
        self.seen(now, &id, request);
        let reply = RegisterReply {
            success: true,
            device_id: &id,
            permanent_token: &permanent_token,
            session: &session,
            expires_in: self.config.session_lifetime.as_secs(),
            server_time: server_time.as_secs(),
        };
        Ok((Reply::json(200, &reply), Effect::Registered))
    }

    /// Whether `token` may register device `id` now.
    fn check_registration_token(&self, now: Instant, id: &str, token: &str) -> Result<(), Refusal> {
        let known = self.devices.contains_key(id);
        let open = self.config.switches.registration == Registration::Open;
        match self.tokens.get(token) {
            Some(Token {
                device,
                state: TokenState::Registration { expires, used },
            }) => {
                if *used {
                    return Err(Refusal::RegistrationSpent);
                }
                if device != id {
                    return Err(if known {
                        Refusal::InvalidToken
                    } else {
                        Refusal::DeviceNotFound
                    });
                }
                if self.clock.read(now) >= *expires {
                    return Err(Refusal::RegistrationExpired);
                }
                if !known && !open {
                    Err(Refusal::DeviceNotFound)
                } else {
                    Ok(())
                }
            }
            Some(_) => Err(Refusal::InvalidToken),
            None if known => Err(Refusal::InvalidToken),
            None if !open => Err(Refusal::DeviceNotFound),
            None if token.len() > 80 || !token.starts_with("oc_reg_") || token.len() == 7 => {
                Err(Refusal::InvalidToken)
            }
            None if self.devices.len() >= MAX_DEVICES => Err(Refusal::TooManyDevices),
            None => Ok(()),
        }
    }

    fn renew(&mut self, now: Instant, request: &Request, id: &str) -> Handled {
        self.known(id)?;
        let body: RenewBody = parse(&request.body)?;
        let mac =
            parse_mac(&body.mac_address).ok_or_else(|| malformed("mac_address is not a MAC address"))?;
        let by = self.authenticate(now, request, id)?;
        let device = self.known(id)?;
        if *device.mac.get_or_insert(mac) != mac {
            return Err(Refusal::MacMismatch);
        }
        if by == TokenKind::Session {
            self.check_permanent_behind_session(now, id)?;
        }
        let origin = if by == TokenKind::Session {
            SessionOrigin::Renewal
        } else {
            SessionOrigin::Recovery
        };
        let session = self.issue_session(now, id, origin);
        self.seen(now, id, request);
        let reply = RenewReply {
            success: true,
            session: &session,
            expires_in: self.config.session_lifetime.as_secs(),
            server_time: self.clock.read(now).as_secs(),
        };
        Ok((Reply::json(200, &reply), Effect::Renewed { by }))
    }

    fn update(&mut self, now: Instant, request: &Request, id: &str) -> Handled {
        self.known(id)?;
        self.session_only(now, request, id)?;
        let body: UpdateBody = parse(&request.body)?;
        if body.relays.len() > MAX_RELAYS {
            return Err(malformed("more than 16 relays"));
        }
        let telemetry = &mut self.known(id)?.telemetry;
        telemetry.temperature = Some(body.temperature);
        telemetry.rssi = body.rssi;
        telemetry.relays = body.relays;
        telemetry.humidity = body.humidity.or(telemetry.humidity.take());
        self.seen(now, id, request);
        let reply = UpdateReply {
            success: true,
            server_time: self.clock.read(now).as_secs(),
        };
        Ok((Reply::json(200, &reply), Effect::Updated))
    }

    fn commands(&mut self, now: Instant, request: &Request, id: &str) -> Handled {
        self.known(id)?;
        self.session_only(now, request, id)?;
        let ack = match request.query_value("ack") {
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| malformed("ack is not a number"))?,
            None => 0,
        };
        let polls = request.method == "GET";
        let server_time = self.clock.read(now).as_secs();
        let device = self.known(id)?;
        // Only what some poll carried can be acknowledged: a number from nowhere loses no command.
        let ack = if polls { ack.min(device.delivered) } else { 0 };
        let acknowledged = device.commands.iter().take_while(|c| c.id <= ack).count();
        let gone: Vec<Command> = device.commands.drain(..acknowledged).collect();
        let waiting: Vec<Command> = device.commands.iter().copied().collect();
        let carried = device.delivered;
        if polls && let Some(last) = waiting.last() {
            device.delivered = last.id;
        }
        for Command { id: command, .. } in gone {
            self.note(
                now,
                Fact::CommandAcknowledged {
                    device: id.to_owned(),
                    id: command,
                },
            );
        }
        if polls {
            for command in waiting.iter().filter(|c| c.id > carried) {
                self.note(
                    now,
                    Fact::CommandDelivered {
                        device: id.to_owned(),
                        id: command.id,
                    },
                );
            }
            self.seen(now, id, request);
        }
        let reply = CommandsReply {
            success: true,
            commands: &waiting,
            server_time,
        };
        Ok((
            Reply::json(200, &reply),
            Effect::Polled {
                commands: waiting.len(),
                acknowledged,
            },
        ))
    }

    /// Reading the state is not a sign of life: anyone with the token can do it.
    fn state(&mut self, now: Instant, request: &Request, device: &mut Option<String>) -> Handled {
        let token = request.query_value("token").ok_or(Refusal::InvalidToken)?;
        let id = self
            .tokens
            .get(&token)
            .ok_or(Refusal::InvalidToken)?
            .device
            .clone();
        let id = device.insert(id).clone();
        self.check_token(now, &id, &token)?;
        let telemetry = &self.known(&id)?.telemetry;
        Ok((Reply::json(200, &StateReply(telemetry)), Effect::None))
    }

    fn known(&mut self, id: &str) -> Result<&mut Device, Refusal> {
        self.devices.get_mut(id).ok_or(Refusal::DeviceNotFound)
    }

    fn session_only(&mut self, now: Instant, request: &Request, id: &str) -> Result<(), Refusal> {
        match self.authenticate(now, request, id)? {
            TokenKind::Session => Ok(()),
            TokenKind::Registration | TokenKind::Permanent => Err(Refusal::InvalidToken),
        }
    }

    /// The token first, then the clock: an expired session is expired whatever the device's clock says.
    fn authenticate(&mut self, now: Instant, request: &Request, id: &str) -> Result<TokenKind, Refusal> {
        let token = request.header("x-device-token").ok_or(Refusal::InvalidToken)?;
        let kind = self.check_token(now, id, token)?;
        self.check_skew(now, request)?;
        Ok(kind)
    }

    /// Whether `token` speaks for device `id` now, and as what.
    fn check_token(&self, now: Instant, id: &str, token: &str) -> Result<TokenKind, Refusal> {
        let found = self
            .tokens
            .get(token)
            .filter(|t| t.device == id)
            .ok_or(Refusal::InvalidToken)?;
        let server_now = self.clock.read(now);
        match found.state {
            TokenState::Session { expires, ended, .. } if ended || server_now >= expires => {
                Err(Refusal::SessionExpired)
            }
            TokenState::Session { .. } => Ok(TokenKind::Session),
            TokenState::Permanent { expires, revoked } => {
                if revoked || expires.is_some_and(|expires| server_now >= expires) {
                    return Err(Refusal::Revoked);
                }
                Ok(TokenKind::Permanent)
            }
            TokenState::Registration { .. } => Err(Refusal::InvalidToken),
        }
    }

    /// A session cannot be renewed past the permanent token that it came from.
    fn check_permanent_behind_session(&self, now: Instant, id: &str) -> Result<(), Refusal> {
        let permanent = self.devices.get(id).and_then(|d| d.permanent.as_deref());
        permanent.map_or(Ok(()), |token| self.check_token(now, id, token).map(|_| ()))
    }

    /// "More than 5 minutes between device and server fails session validation" (guide).
    fn check_skew(&self, now: Instant, request: &Request) -> Result<(), Refusal> {
        let Some(text) = request.header("x-device-time") else {
            return Ok(());
        };
        let device: i64 = text
            .trim()
            .parse()
            .map_err(|_| malformed("X-Device-Time is not a number"))?;
        let skew_s = self.clock.read(now).as_secs().abs_diff(device);
        if skew_s > self.config.max_skew.as_secs() {
            Err(Refusal::ClockSkew)
        } else {
            Ok(())
        }
    }

    /// A device authenticated: it is ONLINE, and its address is forgiven.
    fn seen(&mut self, now: Instant, id: &str, request: &Request) {
        self.admission.succeeded(now, request.peer);
        let device = self.devices.get_mut(id).expect("it has just authenticated");
        device.last_seen = Some(now);
        let from = device.told.replace(DeviceStatus::Online);
        if from != Some(DeviceStatus::Online) {
            let to = DeviceStatus::Online;
            self.note(
                now,
                Fact::DeviceStatusChanged {
                    device: id.to_owned(),
                    from,
                    to,
                },
            );
        }
        self.reschedule(now);
    }
}
