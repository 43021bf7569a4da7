//! The smallest service: it says again what it was told.
//!
//! It has one endpoint beside the rest, one operation of its own (`garble`), one fact (`said`) and one expectation
//! (`echoed`). Nothing outside this file knows of it.

use std::net::{IpAddr, Ipv4Addr};

use http_service::{
    Class, ConnId, Connection, ConnectionLimits, Effect, Interposer, Operated, Operation, OperationError,
    Origin, Outcome, Reply, Request, Service, Shared,
};
use sim::{Instant, UnixTime};
use vocabulary::judge::{Failure, Judge, WindowText};
use vocabulary::spec::{
    Args, EndpointSpec, ExpectationSpec, FactSpec, Nature, OperationSpec, ParamSpec, ParamType, Params,
    ServiceSpec, WindowKeys,
};
use vocabulary::{Event, Fact, Kind};

pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 2));

pub(crate) static SPEC: ServiceSpec = ServiceSpec {
    name: "echo",
    about: "Says again what it was told.",
    endpoints: &[
        EndpointSpec {
            name: "echo",
            about: "`POST /echo`",
        },
        EndpointSpec {
            name: "other",
            about: "Any other path.",
        },
    ],
    operations: &[OperationSpec {
        name: "garble",
        about: "What is said again is spelt backwards.",
        example: "",
        nature: Nature::Lasting,
        once_with: &[],
        lasts: None,
        sets: &[("", "the echo")],
        params: Params::None,
    }],
    facts: &[FactSpec {
        name: "said",
        about: "Something was said again.",
        example: "hello",
        fields: &[ParamSpec {
            name: "text",
            about: "What was said.",
            example: "hello",
            ty: ParamType::Text,
            required: true,
        }],
        is_state: false,
    }],
    expectations: &[ExpectationSpec {
        name: "echoed",
        about: "This text is said again.",
        title: "an echo",
        example: "{text: hello}",
        params: &[ParamSpec {
            name: "text",
            about: "The text.",
            example: "hello",
            ty: ParamType::Text,
            required: true,
        }],
        window: WindowKeys::All,
        judge: |args: &Args, _: &WindowText| {
            Box::new(Echoed {
                text: args.text("text").unwrap_or_default().to_owned(),
                seen: false,
            })
        },
    }],
};

#[derive(Debug)]
struct Echoed {
    text: String,
    seen: bool,
}

impl Judge for Echoed {
    fn opened(&mut self, _: Instant) {
        self.seen = false;
    }

    fn observe(&mut self, event: &Event) {
        if let Kind::Fact(fact) = &event.kind {
            self.seen |= fact.service == "echo" && fact.text("text") == Some(&self.text);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn decided(&self, _: Instant) -> Option<Failure> {
        None
    }

    fn finish(&mut self, end: Instant) -> Option<Failure> {
        (!self.seen).then(|| Failure {
            message: format!("`{}` was not said again until {end}", self.text),
            nearest: None,
        })
    }
}

/// The service.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    pub(crate) garbled: bool,
    /// How many requests have taken effect.
    pub(crate) served: u32,
    facts: Vec<(Instant, Fact)>,
}

impl Service for Echo {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn classify(&self, path: &str) -> Class {
        Class {
            endpoint: usize::from(path != "/echo"),
            subject: None,
        }
    }

    fn opened(&mut self, _: Instant, _: ConnId, _: IpAddr) {}

    fn closed(&mut self, _: Instant, _: ConnId) {}

    fn serve(&mut self, now: Instant, request: &Request) -> Outcome {
        self.served += 1;
        let mut body = request.body.clone();
        if self.garbled {
            body.reverse();
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        self.facts
            .push((now, Fact::new("echo", "said").with("text", text)));
        Outcome {
            reply: Reply::new(200).with_body(body),
            effect: Effect::fixed("echoed"),
            subject: None,
        }
    }

    fn error_reply(&self, status: u16, text: &str) -> Reply {
        Reply::new(status).with_body(text)
    }

    fn operate(&mut self, _: Instant, operation: &Operation<'_>) -> Result<Operated, OperationError> {
        match operation.name {
            "garble" => self.garbled = operation.is_on(),
            unknown => return Err(OperationError::Unknown(unknown.to_owned())),
        }
        Ok(Operated::Changed)
    }

    fn advance(&mut self, _: Instant) {}

    fn next_due(&self, _: Instant) -> Option<Instant> {
        None
    }

    fn take_facts(&mut self) -> Vec<(Instant, Fact)> {
        std::mem::take(&mut self.facts)
    }

    fn host(&self) -> &str {
        "echo.test"
    }

    fn clock(&self, now: Instant) -> UnixTime {
        UnixTime::from_secs(1_767_225_600).offset_nanos(now.as_nanos().into())
    }

    fn limits(&self) -> ConnectionLimits {
        ConnectionLimits::default()
    }
}

/// An echo under a fault plan, with one connection to it.
pub(crate) fn open(faults: impl Interposer + 'static) -> (Shared, Connection) {
    let origin = Origin::shared(Echo::default(), faults);
    let conn = Connection::new(&origin, Instant::ZERO, 1, PEER, false);
    (origin, conn)
}

/// Sends bytes and takes what leaves.
pub(crate) fn talk(conn: &mut Connection, now: Instant, bytes: &[u8]) -> String {
    conn.receive(now, bytes);
    conn.poll(now);
    String::from_utf8(conn.take_output()).expect("replies are text")
}
