//! Redaction of whole events: every text that can carry a secret.

use vocabulary::{
    Event, Exchange, ExpectationResult, Kind, LinkEvent, SessionChange, StepState, Value, Verdict,
};

use crate::redact::Redactor;

impl Redactor {
    /// `event` with placeholders in every text. Raw bytes are left alone: they are cut anywhere, also within
    /// a secret, and [`crate::files`] redacts them line by line.
    pub fn event(&mut self, event: &Event) -> Event {
        let mut event = event.clone();
        if self.is_active() {
            // What the service issues is hidden from here on, whatever its form.
            if let Kind::Session {
                change:
                    SessionChange::Issued { session }
                    | SessionChange::Renewed { session }
                    | SessionChange::Recovered { session },
                ..
            } = &event.kind
            {
                self.learn("session", session);
            }
            self.kind(&mut event.kind);
        }
        event
    }

    fn swap(&mut self, text: &mut String) {
        if let std::borrow::Cow::Owned(new) = self.text(text) {
            *text = new;
        }
    }

    fn kind(&mut self, kind: &mut Kind) {
        match kind {
            Kind::SerialLine { text, .. } | Kind::SerialInput { text } | Kind::Note { text } => {
                self.swap(text)
            }
            Kind::GuestFault { message, backtrace } => {
                self.swap(message);
                backtrace.iter_mut().for_each(|frame| self.swap(frame));
            }
            Kind::Request { exchange, .. } => self.exchange(exchange),
            Kind::Fact(fact) => {
                for value in fact.fields.values_mut() {
                    match value {
                        Value::Text(text) => {
                            if let std::borrow::Cow::Owned(new) = self.text(text) {
                                *value = Value::Text(new.into());
                            }
                        }
                        Value::Bool(_) | Value::Integer(_) => {}
                    }
                }
            }
            Kind::Session { change, .. } => match change {
                SessionChange::Issued { session }
                | SessionChange::Renewed { session }
                | SessionChange::Recovered { session }
                | SessionChange::Expired { session } => self.swap(session),
                SessionChange::Invalidated { session, why } => {
                    self.swap(session);
                    self.swap(why);
                }
            },
            Kind::Step {
                state: StepState::Failed { message },
                ..
            } => self.swap(message),
            Kind::Expectation(ExpectationResult {
                name,
                message,
                nearest,
                ..
            }) => {
                self.swap(name);
                self.swap(message);
                if let Some(nearest) = nearest {
                    self.swap(nearest);
                }
            }
            Kind::ScenarioFinished {
                verdict:
                    Verdict::Infrastructure {
                        message, next_step, ..
                    },
                ..
            } => {
                self.swap(message);
                if let Some(step) = next_step {
                    self.swap(step);
                }
            }
            Kind::ScenarioFinished {
                verdict: Verdict::Skipped { reason },
                ..
            } => self.swap(reason),
            Kind::Link(LinkEvent::Dropped { why, .. }) => self.swap(why),
            // The device makes up the names that it asks for.
            Kind::Link(LinkEvent::Dns { name, .. }) => self.swap(name),
            Kind::ScenarioStarted { name, .. } | Kind::Fault { name, .. } => self.swap(name),
            Kind::SerialChunk { .. }
            | Kind::Pin { .. }
            | Kind::Reset { .. }
            | Kind::Power { .. }
            | Kind::Exited { .. }
            | Kind::Unmodelled(_)
            | Kind::Wifi(_)
            | Kind::Frame { .. }
            | Kind::Link(
                LinkEvent::Dhcp { .. }
                | LinkEvent::SntpAsked
                | LinkEvent::Sntp { .. }
                | LinkEvent::Tcp { .. },
            )
            | Kind::Status { .. }
            | Kind::ClockOffset { .. }
            | Kind::Step { .. }
            | Kind::ScenarioFinished { .. } => {}
        }
    }

    fn exchange(&mut self, exchange: &mut Exchange) {
        self.swap(&mut exchange.target);
        self.swap(&mut exchange.request_body);
        self.swap(&mut exchange.reply_body);
        self.swap(&mut exchange.effect);
        for (name, value) in exchange
            .request_headers
            .iter_mut()
            .chain(&mut exchange.reply_headers)
        {
            *value = self.field(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use sim::Instant;
    use vocabulary::{Endpoint, Phase};

    use super::*;
    use crate::redact::{Rules, Scope};

    #[test]
    fn a_request_keeps_its_shape_and_loses_its_secrets() {
        let session = "00112233445566778899aabbccddeeff";
        let exchange = Exchange {
            id: 1,
            connection: 1,
            started: Instant::ZERO,
            endpoint: Some(Endpoint::named("state")),
            method: "GET".into(),
            named_late: false,
            target: format!("/api/device/state/?token={session}"),
            status: Some(200),
            request_headers: vec![
                ("X-Device-Token".into(), session.into()),
                ("Host".into(), "h".into()),
            ],
            request_body: r#"{"token":"oc_reg_secret"}"#.into(),
            reply_headers: vec![("Set-Cookie".into(), "id=1".into())],
            reply_body: format!(r#"{{"session":"{session}","permanent_token":"oc_perm_{session}"}}"#),
            effect: format!("session {session} renewed"),
            is_idle: false,
        };
        let event = Event {
            at: Instant::ZERO,
            kind: Kind::Request {
                phase: Phase::AfterReply,
                exchange,
            },
        };
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
        let Kind::Request { exchange, .. } = redactor.event(&event).kind else {
            panic!("still a request")
        };
        let json = serde_json::to_string(&exchange).unwrap();
        assert!(
            !json.contains(session) && !json.contains("oc_reg_secret"),
            "{json}"
        );
        assert_eq!(exchange.request_headers[0].1, "[session-1]");
        assert_eq!(exchange.reply_headers[0].1, "[device-token-1]");
        assert_eq!(exchange.effect, "session [session-1] renewed");
        assert_eq!(exchange.target, "/api/device/state/?token=[session-1]");
        let mut kept = Redactor::new(&Rules::built_in(), Scope::Nothing);
        assert_eq!(kept.event(&event), event);
    }
}
