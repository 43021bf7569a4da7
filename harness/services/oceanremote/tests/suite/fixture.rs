//! A cloud with one device, and the hands to work it with.

use std::net::{IpAddr, Ipv4Addr};

use http_service::{
    ActiveExchange, ConnId, Directive, Interposer, Origin, Phase, Reply, Request, Service, Shared,
};
use oceanremote::{Cloud, CloudConfig, DeviceConfig, Entry, Fact, Limits, Switches};
use serde_json::Value;
use sim::Instant;
use sim::air::Mac;

/// Where the device is.
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 4, 2));
/// Its MAC address.
pub(crate) const MAC: Mac = [2, 0, 0, 0, 0, 1];
/// The server's time at the start, Unix seconds.
pub(crate) const EPOCH_S: i64 = 1_767_225_600;
/// A renewal's body.
pub(crate) const RENEWAL: &str = r#"{"mac_address":"02:00:00:00:00:01"}"#;
/// A report.
pub(crate) const REPORT: &str = r#"{"temperature":22.4,"rssi":-52,"relays":[true,false]}"#;

/// The device `oc-1`, not yet registered, without limits.
pub(crate) fn config() -> CloudConfig {
    CloudConfig {
        seed: 7,
        devices: vec![DeviceConfig::pending("oc-1", "oc_reg_test")],
        limits: Limits::OFF,
        ..CloudConfig::default()
    }
}

/// [`config`] with switches.
pub(crate) fn switched(switches: Switches) -> Fixture {
    Fixture::new(CloudConfig { switches, ..config() })
}

/// The body of a registration.
pub(crate) fn registration(token: &str, id: &str, mac: &str) -> String {
    format!(r#"{{"token":"{token}","device_id":"{id}","mac_address":"{mac}","ip":"192.168.4.2"}}"#)
}

pub(crate) fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// The cloud without HTTP.
pub(crate) struct Fixture {
    pub(crate) cloud: Cloud,
}

impl Fixture {
    pub(crate) fn new(config: CloudConfig) -> Fixture {
        Fixture {
            cloud: Cloud::new(config).expect("a valid configuration"),
        }
    }

    /// With `oc-1` registered at second 0; its permanent token and session.
    pub(crate) fn registered(config: CloudConfig) -> (Fixture, String, String) {
        let mut fixture = Fixture::new(config);
        let reply = fixture.register(at(0), "oc_reg_test", "oc-1");
        assert_eq!(reply.status, 200, "{}", text(&reply));
        let (permanent, session) = (field(&reply, "permanent_token"), field(&reply, "session"));
        (fixture, permanent, session)
    }

    pub(crate) fn register(&mut self, now: Instant, token: &str, id: &str) -> Reply {
        let body = registration(token, id, "02:00:00:00:00:01");
        self.post(now, "/api/device/register/", None, &body)
    }

    pub(crate) fn post(&mut self, now: Instant, path: &str, token: Option<&str>, body: &str) -> Reply {
        let mut request = Request::new("POST", path, PEER).with_body(body);
        if let Some(token) = token {
            request = request.with_header("X-Device-Token", token);
        }
        self.cloud.handle(now, &request)
    }

    pub(crate) fn renew(&mut self, now: Instant, token: &str) -> Reply {
        self.post(now, "/api/device/oc-1/renew-session/", Some(token), RENEWAL)
    }

    pub(crate) fn update(&mut self, now: Instant, token: &str) -> Reply {
        self.post(now, "/api/device/oc-1/update/", Some(token), REPORT)
    }

    pub(crate) fn poll(&mut self, now: Instant, token: &str, query: &str) -> Reply {
        let target = format!("/api/device/oc-1/commands/{query}");
        self.cloud.handle(
            now,
            &Request::new("GET", &target, PEER).with_header("X-Device-Token", token),
        )
    }

    pub(crate) fn state(&mut self, now: Instant, token: &str) -> Reply {
        self.cloud.handle(
            now,
            &Request::new("GET", &format!("/api/device/state/?token={token}"), PEER),
        )
    }

    /// The events since the last time.
    pub(crate) fn events(&mut self) -> Vec<Fact> {
        self.cloud
            .take_journal()
            .into_iter()
            .map(|Entry { fact, .. }| fact)
            .collect()
    }
}

pub(crate) fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("replies are text")
}

/// A text field of a JSON reply.
pub(crate) fn field(reply: &Reply, name: &str) -> String {
    let body: Value = serde_json::from_slice(&reply.body).expect("replies are JSON");
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text `{name}` in {body}"))
        .to_owned()
}

/// Asserts that `reply` is the contract's error with exactly this status and text.
#[track_caller]
pub(crate) fn assert_error(reply: &Reply, status: u16, error: &str) {
    assert_eq!(
        (reply.status, text(reply)),
        (status, &*format!(r#"{{"success":false,"error":"{error}"}}"#))
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        reply.header("www-authenticate").is_some(),
        status == 401,
        "401 says how to authenticate"
    );
}

/// The cloud behind HTTP, under a fault plan.
pub(crate) fn origin(faults: impl Interposer + 'static) -> Shared {
    Origin::shared(Cloud::new(config()).expect("a valid configuration"), faults)
}

/// A POST as text.
pub(crate) fn http_post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: cloud\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The registration of `oc-1` as text.
pub(crate) fn http_register() -> String {
    http_post(
        "/api/device/register/",
        "",
        &registration("oc_reg_test", "oc-1", "02:00:00:00:00:01"),
    )
}

/// The current session of `oc-1`.
pub(crate) fn session(origin: &Shared) -> String {
    origin
        .borrow()
        .get::<Cloud>()
        .device("oc-1")
        .and_then(|d| d.session)
        .expect("the device is registered")
}

/// A phase that an exchange has reached: when, which exchange, endpoint and count.
pub(crate) type Reached = (Instant, Phase, u64, Option<&'static str>, u64);

/// A fault plan that does nothing and keeps what it is asked, and what broke off.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) reached: std::rc::Rc<std::cell::RefCell<Vec<Reached>>>,
    pub(crate) broken: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
}

impl Interposer for Recorder {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        _: &mut dyn Service,
    ) -> Vec<Directive> {
        let reached = (now, phase, exchange.id, exchange.endpoint, exchange.nth);
        self.reached.borrow_mut().push(reached);
        Vec::new()
    }

    fn broke_off(&mut self, _: Instant, _: ConnId, what: &str) {
        self.broken.borrow_mut().push(what.to_owned());
    }
}
