//! `no-secrets`: no secret appears on the serial console.

use std::collections::BTreeMap;

use scenario::{Bench, Secret};
use sim::Instant;
use vocabulary::text::printable;
use vocabulary::{Kind, Phase, SessionChange};

use crate::happening::{Happening, What};
use crate::judge::{Failure, Judge};
use crate::nearest::Log;

/// Least length of a secret, bytes; a shorter one appears by chance.
const MIN_LEN: usize = 6;

/// Searches every line for secrets.
#[derive(Debug)]
pub(crate) struct NoSecrets {
    of: Vec<Secret>,
    /// The secrets known so far, with their kind.
    known: BTreeMap<String, Secret>,
    failure: Option<Failure>,
}

impl NoSecrets {
    pub(crate) fn new(of: &[Secret], bench: &Bench) -> NoSecrets {
        let mut judge = NoSecrets {
            of: of.to_vec(),
            known: BTreeMap::new(),
            failure: None,
        };
        for (key, value) in bench.provisioning_entries() {
            match key {
                "wifi.password" => judge.learn(Secret::WifiPassword, &value),
                "device.registration_token" => judge.learn(Secret::RegistrationToken, &value),
                _ => {}
            }
        }
        if let Some(token) = &bench.device.permanent_token {
            judge.learn(Secret::PermanentToken, token);
        }
        judge
    }

    fn learn(&mut self, what: Secret, value: &str) {
        if self.of.contains(&what) && value.len() >= MIN_LEN {
            self.known.insert(value.to_owned(), what);
        }
    }

    fn learn_from_event(&mut self, kind: &Kind) {
        match kind {
            Kind::Request {
                phase: Phase::AfterEffect,
                exchange,
            } => {
                let wanted = ["permanent_token", "session"]
                    .iter()
                    .any(|key| exchange.reply_body.contains(key));
                let body =
                    wanted.then(|| serde_json::from_str::<serde_json::Value>(&exchange.reply_body).ok());
                let Some(body) = body.flatten() else { return };
                for (key, what) in [
                    ("permanent_token", Secret::PermanentToken),
                    ("session", Secret::Session),
                ] {
                    if let Some(value) = body.get(key).and_then(serde_json::Value::as_str) {
                        self.learn(what, value);
                    }
                }
            }
            Kind::Session { change, .. } => match change {
                SessionChange::Issued { session }
                | SessionChange::Renewed { session }
                | SessionChange::Recovered { session } => self.learn(Secret::Session, session),
                SessionChange::Expired { .. } | SessionChange::Invalidated { .. } => {}
            },
            Kind::ScenarioStarted { .. }
            | Kind::SerialChunk { .. }
            | Kind::SerialLine { .. }
            | Kind::SerialInput { .. }
            | Kind::Pin { .. }
            | Kind::Reset { .. }
            | Kind::Power { .. }
            | Kind::GuestFault { .. }
            | Kind::Exited { .. }
            | Kind::Unmodelled(_)
            | Kind::Wifi(_)
            | Kind::Frame { .. }
            | Kind::Link(_)
            | Kind::Request {
                phase: Phase::FirstByte | Phase::BeforeEffect | Phase::AfterReply,
                ..
            }
            | Kind::Fact(_)
            | Kind::Status { .. }
            | Kind::ClockOffset { .. }
            | Kind::Fault { .. }
            | Kind::Step { .. }
            | Kind::Expectation(_)
            | Kind::Note { .. }
            | Kind::ScenarioFinished { .. } => {}
        }
    }
}

const fn name(secret: Secret) -> &'static str {
    match secret {
        Secret::RegistrationToken => "the registration token",
        Secret::PermanentToken => "a permanent token",
        Secret::WifiPassword => "the WiFi password",
        Secret::Session => "a session",
    }
}

impl Judge for NoSecrets {
    fn observe(&mut self, h: &Happening<'_>) {
        match h.what {
            What::Event(event) => self.learn_from_event(&event.kind),
            What::Line(line) if self.failure.is_none() => {
                let line = printable(line);
                let found = self.known.iter().find(|(value, _)| line.contains(value.as_str()));
                self.failure = found.map(|(value, what)| {
                    let shown = line.replace(value.as_str(), "***");
                    let message = format!("awaited no secret on serial; {} came at {}", name(*what), h.at);
                    Failure::new(message).near(Some(format!("{} {shown}", h.at)))
                });
            }
            What::Line(_) | What::Serial(_) => {}
        }
    }

    fn decided(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn finish(&mut self, _end: Instant, _log: &Log) -> Option<Failure> {
        self.failure.take()
    }
}
