//! A captive portal: a page that wants a login, in reply to every request.

use std::net::IpAddr;

use http_service::{
    Class, ConnId, ConnectionLimits, Effect, Operated, Operation, OperationError, Outcome, Reply, Request,
    Service,
};
use sim::{Instant, UnixTime};
use vocabulary::Fact;
use vocabulary::spec::{EndpointSpec, ServiceSpec};

/// What scenario files can say about the portal.
pub const SPEC: ServiceSpec = ServiceSpec {
    name: "portal",
    about: "A captive portal: every request is answered 302 to a login page.",
    endpoints: &[EndpointSpec {
        name: "other",
        about: "Every path.",
    }],
    operations: &[],
    facts: &[],
    expectations: &[],
};

const HOST: &str = "login.portal.test";

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Guest WiFi</title></head>\n\
                    <body><h1>Welcome</h1><p>Please log in to use the network.</p></body></html>\n";

/// A captive portal.
#[derive(Clone, Copy, Debug)]
pub struct Portal {
    epoch: UnixTime,
}

impl Portal {
    /// A portal whose clock shows `epoch` at [`Instant::ZERO`].
    pub const fn new(epoch: UnixTime) -> Portal {
        Portal { epoch }
    }
}

fn page(status: u16) -> Reply {
    Reply::new(status)
        .with_header("content-type", "text/html")
        .with_header("connection", "close")
        .with_body(PAGE)
}

impl Service for Portal {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn classify(&self, _: &str) -> Class {
        Class {
            endpoint: 0,
            subject: None,
        }
    }

    fn opened(&mut self, _: Instant, _: ConnId, _: IpAddr) {}

    fn closed(&mut self, _: Instant, _: ConnId) {}

    fn serve(&mut self, _: Instant, _: &Request) -> Outcome {
        Outcome {
            reply: page(302).with_header("location", "http://login.portal.test/"),
            effect: Effect::fixed("sent to the login page"),
            subject: None,
        }
    }

    fn error_reply(&self, status: u16, _: &str) -> Reply {
        page(status)
    }

    fn operate(&mut self, _: Instant, operation: &Operation<'_>) -> Result<Operated, OperationError> {
        Err(OperationError::Unknown(operation.name.to_owned()))
    }

    fn advance(&mut self, _: Instant) {}

    fn next_due(&self, _: Instant) -> Option<Instant> {
        None
    }

    fn take_facts(&mut self) -> Vec<(Instant, Fact)> {
        Vec::new()
    }

    fn host(&self) -> &str {
        HOST
    }

    fn clock(&self, now: Instant) -> UnixTime {
        self.epoch.offset_nanos(now.as_nanos().into())
    }

    fn limits(&self) -> ConnectionLimits {
        ConnectionLimits::default()
    }
}

#[cfg(test)]
mod tests {
    use http_service::{Connection, NoFaults, Origin};

    use super::*;

    #[test]
    fn one_request_gets_one_page() {
        let portal = Origin::shared(Portal::new(UnixTime::from_secs(1_767_225_600)), NoFaults);
        let peer = IpAddr::from([192, 168, 4, 2]);
        let mut conn = Connection::new(&portal, Instant::ZERO, 1, peer, false);
        let mut talk = |bytes: &[u8]| {
            conn.receive(Instant::ZERO, bytes);
            conn.poll(Instant::ZERO);
            let page = String::from_utf8(conn.take_output()).expect("the page is text");
            (page, conn.is_closed())
        };
        assert_eq!(talk(b"GET /api/ HTTP/1.1\r\n"), (String::new(), false));
        let (page, closed) = talk(b"Host: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 302 Found\r\n"), "{page}");
        assert!(
            page.contains("\r\nlocation: http://login.portal.test/\r\n"),
            "{page}"
        );
        assert!(closed && page.ends_with("</html>\n"), "{page}");
        assert_eq!(talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").0, "");
    }
}
