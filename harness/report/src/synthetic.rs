//! A made-up run, for trying the reports without a bench: a device that polls every five seconds, renews its
//! session every 45 minutes, and loses its WiFi during one renewal.

use std::time::Duration;

use sim::air::Reason;
use sim::{Instant, Rng};
use vocabulary::{
    DeviceStatus, Direction, Endpoint, Event, Exchange, ExpectationResult, FaultState, Kind, LinkEvent,
    Phase, ResetCause, SCHEMA_VERSION, SerialPort, SessionChange, StepState, TcpChange, Verdict, WifiEvent,
};

use crate::{Outcome, Run};

/// What the made-up run looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// How long it takes, virtual seconds.
    pub length_s: u64,
    /// Whether the device recovers from the lost renewal.
    pub recovers: bool,
}

impl Shape {
    /// Three hours, about 2,160 requests, nothing lost in the end.
    pub fn long() -> Shape {
        Shape {
            name: "healthy-three-hours".into(),
            seed: 7,
            length_s: 10_800,
            recovers: true,
        }
    }

    /// Three hours in which the device does not recover.
    pub fn broken() -> Shape {
        Shape {
            name: "wifi-lost-at-renewal".into(),
            recovers: false,
            ..Shape::long()
        }
    }

    /// One minute.
    pub fn short() -> Shape {
        Shape {
            name: "one-minute".into(),
            length_s: 60,
            ..Shape::long()
        }
    }
}

struct Maker {
    events: Vec<Event>,
    rng: Rng,
    session: String,
    requests: u64,
}

const DEVICE: &str = "reef-42";
const RENEWAL_S: u64 = 2700;
/// WiFi is lost for this long.
const LOST_S: u64 = 30;

/// Makes the run of that shape; the same shape gives the same events.
pub fn run(shape: &Shape) -> Run {
    let mut m = Maker {
        events: Vec::new(),
        rng: Rng::stream(shape.seed, "synthetic"),
        session: String::new(),
        requests: 0,
    };
    m.boot(shape);
    let (mut lost_at, mut dead, mut renewals) = (None, false, 0);
    for second in (10..shape.length_s).step_by(5) {
        let ms = second * 1000 + m.rng.below(300);
        let renewal = second / RENEWAL_S > renewals;
        renewals = second / RENEWAL_S;
        if lost_at.is_some_and(|at| second < at + LOST_S) {
            continue;
        }
        if lost_at.take().is_some() {
            m.wifi_back(ms);
            if shape.recovers {
                m.renew(ms + 400, "[UPDATE] Session renewed after retry");
            } else {
                dead = true;
            }
        } else if renewal && renewals == 3 {
            m.lose_wifi(ms);
            lost_at = Some(second);
            continue;
        } else if renewal && !dead {
            m.renew(ms, "[UPDATE] Session renewed");
        }
        m.poll(ms + 1000, second, dead);
    }
    let end = shape.length_s * 1000;
    m.judge(end, shape, dead);
    let outcome = if dead {
        Outcome::Failed {
            reasons: vec!["`recovers within a minute` failed".into()],
        }
    } else {
        Outcome::Passed
    };
    Run {
        path: format!("scenarios/{}.yaml", shape.name),
        repeat: format!("oceanrig run scenarios/{}.yaml --seed {}", shape.name, shape.seed),
        backend: "emulator".into(),
        time_scale: 1,
        attempts: Vec::new(),
        quarantine: None,
        snapshot: None,
        only_snapshot: false,
        troubles: Vec::new(),
        scenario_sha256: String::new(),
        finished_unix_ms: 0,
        name: shape.name.clone(),
        events: m.events,
        must_fail: None,
        outcome,
        wall: Duration::from_millis(840),
    }
}

impl Maker {
    fn at(&mut self, ms: u64, kind: Kind) {
        let last = self.events.last().map_or(Instant::ZERO, |e| e.at);
        self.events.push(Event {
            at: Instant::from_millis(ms).max(last),
            kind,
        });
    }

    fn line(&mut self, ms: u64, text: &str) {
        let port = SerialPort::Uart0;
        self.at(
            ms,
            Kind::SerialChunk {
                port,
                bytes: format!("{text}\r\n").into_bytes(),
            },
        );
        self.at(
            ms,
            Kind::SerialLine {
                port,
                text: text.to_owned(),
            },
        );
    }

    fn boot(&mut self, shape: &Shape) {
        let firmware_sha256 = "9f2c".repeat(16);
        let kind = Kind::ScenarioStarted {
            schema: SCHEMA_VERSION,
            name: shape.name.clone(),
            seed: shape.seed,
            firmware_sha256,
            backend: "emulator".into(),
            epoch_unix_s: 1_767_225_600,
            time_scale: 1,
        };
        self.at(0, kind);
        self.at(
            0,
            Kind::Step {
                index: 0,
                state: StepState::Started,
            },
        );
        self.at(0, Kind::Power { on: true });
        self.at(
            0,
            Kind::Reset {
                cause: ResetCause::PowerOn,
            },
        );
        self.line(120, "# OceanicRemote v5.0 - ESP32");
        self.line(130, "[WIFI] MAC 24:0a:c4:11:22:33");
        self.at(300, Kind::Wifi(WifiEvent::Scan));
        self.associate(1900);
        let dns = LinkEvent::Dns {
            name: "cloud.test".into(),
            answer: "A 192.0.2.10".into(),
        };
        self.at(2200, Kind::Link(dns));
        self.at(
            2500,
            Kind::Link(LinkEvent::Sntp {
                answer: "2026-01-01T00:00:02Z".into(),
            }),
        );
        self.at(
            2500,
            Kind::ClockOffset {
                clock: "device".into(),
                offset_ns: 1_200_000,
            },
        );
        for gpio in [4, 5] {
            self.at(
                2600,
                Kind::Pin {
                    gpio,
                    level: Some(false),
                },
            );
        }
        self.session = self.rng.hex(16);
        let (session, token) = (self.session.clone(), self.rng.hex(16));
        let body =
            format!(r#"{{"token":"oc_reg_7f3a","device_id":"{DEVICE}","mac_address":"24:0A:C4:11:22:33"}}"#);
        let reply =
            format!(r#"{{"success":true,"permanent_token":"oc_perm_{token}","session":"{session}"}}"#);
        self.exchange(
            3000,
            "register",
            200,
            (&body, &reply),
            "device registered, session issued",
        );
        self.at(
            3040,
            Kind::Session {
                device: DEVICE.into(),
                change: SessionChange::Issued { session },
            },
        );
        self.at(
            3040,
            Kind::Status {
                device: DEVICE.into(),
                status: DeviceStatus::Online,
            },
        );
        self.line(3100, "[REG] Registered");
        let line = format!("[UPDATE] Using session: {}", &self.session[..16]);
        self.line(3110, &line);
        self.at(
            3200,
            Kind::Step {
                index: 0,
                state: StepState::Done,
            },
        );
        self.at(
            3200,
            Kind::Step {
                index: 1,
                state: StepState::Started,
            },
        );
    }

    fn associate(&mut self, ms: u64) {
        self.at(
            ms,
            Kind::Wifi(WifiEvent::Associated {
                ssid: "reef".into(),
                channel: 6,
                rssi_dbm: -52,
            }),
        );
        for (i, message) in ["discover", "offer", "request", "ack"].into_iter().enumerate() {
            let ip = (i > 0).then(|| "192.0.2.55".parse().expect("an address"));
            self.frame(ms + 20 + i as u64, i % 2 == 1, 342);
            self.at(
                ms + 20 + i as u64,
                Kind::Link(LinkEvent::Dhcp {
                    message: message.into(),
                    ip,
                }),
            );
        }
        self.line(ms + 40, "[WIFI] Connected, IP 192.0.2.55");
    }

    fn frame(&mut self, ms: u64, to_device: bool, len: u32) {
        let direction = if to_device {
            Direction::ToDevice
        } else {
            Direction::FromDevice
        };
        self.at(ms, Kind::Frame { direction, len });
    }

    fn exchange(&mut self, ms: u64, endpoint: &'static str, status: u16, bodies: (&str, &str), effect: &str) {
        self.requests += 1;
        let id = self.requests;
        let (method, target) = match endpoint {
            "register" => ("POST", "/api/device/register/".to_owned()),
            "renew-session" => ("POST", format!("/api/device/{DEVICE}/renew-session/")),
            "update" => ("POST", format!("/api/device/{DEVICE}/update/")),
            _ => ("GET", format!("/api/device/{DEVICE}/commands/?ack={}", id / 400)),
        };
        let started = Instant::from_millis(ms);
        let mut exchange = Exchange {
            id,
            connection: id,
            started,
            endpoint: None,
            named_late: false,
            method: method.into(),
            target,
            status: None,
            request_headers: vec![
                ("Host".into(), "cloud.test".into()),
                ("X-Device-Token".into(), self.session.clone()),
                ("X-Device-Time".into(), (1_767_225_600 + ms / 1000).to_string()),
            ],
            request_body: bodies.0.into(),
            reply_headers: Vec::new(),
            reply_body: String::new(),
            effect: String::new(),
            is_idle: false,
        };
        let to = "192.0.2.10:80".to_owned();
        let tcp = |change| {
            Kind::Link(LinkEvent::Tcp {
                id,
                to: to.clone(),
                change,
            })
        };
        for i in 0..3 {
            self.frame(ms - 6 + i, i == 1, 54);
        }
        self.at(ms - 3, tcp(TcpChange::Opened));
        self.frame(ms, false, 280);
        self.at(
            ms,
            Kind::Request {
                phase: Phase::FirstByte,
                exchange: exchange.clone(),
            },
        );
        exchange.endpoint = Some(Endpoint::named(endpoint));
        self.at(
            ms + 2,
            Kind::Request {
                phase: Phase::BeforeEffect,
                exchange: exchange.clone(),
            },
        );
        exchange.status = Some(status);
        exchange.reply_headers = vec![("Content-Type".into(), "application/json".into())];
        exchange.reply_body = bodies.1.into();
        exchange.effect = effect.into();
        self.at(
            ms + 30,
            Kind::Request {
                phase: Phase::AfterEffect,
                exchange: exchange.clone(),
            },
        );
        self.at(
            ms + 31,
            Kind::Request {
                phase: Phase::AfterReply,
                exchange,
            },
        );
        for i in 0..5 {
            self.frame(ms + 31 + i, i % 2 == 0, if i == 0 { 310 } else { 54 });
        }
        self.at(ms + 38, tcp(TcpChange::Closed));
    }

    fn renew(&mut self, ms: u64, words: &str) {
        let session = self.rng.hex(16);
        let reply = format!(r#"{{"success":true,"session":"{session}","expires_in":3600}}"#);
        let body = r#"{"mac_address":"24:0A:C4:11:22:33"}"#;
        self.exchange(ms, "renew-session", 200, (body, &reply), "session renewed");
        self.session.clone_from(&session);
        self.at(
            ms + 40,
            Kind::Session {
                device: DEVICE.into(),
                change: SessionChange::Renewed { session },
            },
        );
        self.line(ms + 50, words);
        let line = format!("[UPDATE] Using session: {}", &self.session[..16]);
        self.line(ms + 60, &line);
    }

    fn poll(&mut self, ms: u64, second: u64, dead: bool) {
        let tick = second / 5;
        if dead {
            let reply = r#"{"success":false,"error":"Session expired"}"#;
            self.exchange(ms, "commands", 401, ("", reply), "401 Session expired");
            self.line(
                ms + 60,
                "[UPDATE] Session invalid - attempting to recover with token",
            );
            return;
        }
        if tick.is_multiple_of(6) {
            let temp = 220 + self.rng.below(20);
            let text = format!("{}.{}", temp / 10, temp % 10);
            let body = format!(r#"{{"temperature":{text},"rssi":-52,"relays":[true,false]}}"#);
            self.line(ms - 20, &format!("[UPDATE] Sending temperature: {text}C"));
            self.exchange(ms, "update", 200, (&body, r#"{"success":true}"#), "values stored");
        } else if tick % 97 == 5 {
            let reply = r#"{"success":false,"error":"Too many requests"}"#;
            self.exchange(ms, "commands", 429, ("", reply), "429 Too many requests");
            self.line(ms + 60, "[UPDATE] HTTP 429, waiting 5 s");
        } else {
            let reply = r#"{"success":true,"commands":[]}"#;
            self.exchange(ms, "commands", 200, ("", reply), "0 commands handed out");
        }
        if tick.is_multiple_of(240) {
            let level = Some(self.rng.chance(1, 2));
            self.at(ms + 70, Kind::Pin { gpio: 4, level });
            self.line(ms + 70, "[CMD] Relay 1 switched");
        }
        if tick.is_multiple_of(720) {
            let offset_ns = (second * 12_000) as i64;
            self.at(
                ms + 80,
                Kind::ClockOffset {
                    clock: "device".into(),
                    offset_ns,
                },
            );
        }
    }

    fn lose_wifi(&mut self, ms: u64) {
        self.at(
            ms,
            Kind::Fault {
                name: "wifi-drop-in-renewal".into(),
                state: FaultState::Fired,
            },
        );
        self.at(
            ms + 1,
            Kind::Wifi(WifiEvent::Disassociated {
                reason: Reason::BEACON_TIMEOUT,
            }),
        );
        self.line(ms + 10, "[WIFI] Lost, reason 200");
        let dropped = LinkEvent::Dropped {
            why: "no association".into(),
        };
        self.at(ms + 15, Kind::Link(dropped));
        let away = Kind::Status {
            device: DEVICE.into(),
            status: DeviceStatus::Away,
        };
        self.at(ms + 10_000, away);
    }

    fn wifi_back(&mut self, ms: u64) {
        self.at(
            ms - 200,
            Kind::Fault {
                name: "wifi-drop-in-renewal".into(),
                state: FaultState::Ended,
            },
        );
        self.associate(ms);
        let online = Kind::Status {
            device: DEVICE.into(),
            status: DeviceStatus::Online,
        };
        self.at(ms + 300, online);
    }

    fn judge(&mut self, end: u64, shape: &Shape, dead: bool) {
        let result = |index, name: &str, held: bool, decided: Instant| {
            let message = "awaited `Session renewed` within 60 s of `Lost, reason 200`; it never came";
            Kind::Expectation(ExpectationResult {
                index,
                name: name.into(),
                held,
                message: if held { String::new() } else { message.into() },
                nearest: (!held).then(|| "0:45:00.200 [UPDATE] Session renewed".into()),
                position: format!("scenarios/{}.yaml:{}:5", shape.name, 20 + 4 * index),
                decided,
            })
        };
        self.at(
            end - 1,
            result(0, "registers once", true, Instant::from_millis(end - 1)),
        );
        if shape.length_s > 3 * RENEWAL_S + 60 {
            // Decided when its time was over, not at the end: put where it belongs.
            let at = Instant::from_secs(3 * RENEWAL_S + 60);
            let place = self.events.partition_point(|e| e.at <= at);
            let kind = result(1, "recovers within a minute", !dead, at);
            self.events.insert(place, Event { at, kind });
        }
        self.at(
            end,
            Kind::Step {
                index: 1,
                state: StepState::Done,
            },
        );
        let verdict = if dead { Verdict::Fail } else { Verdict::Pass };
        self.at(
            end,
            Kind::ScenarioFinished {
                verdict,
                instructions: 41_000_000,
                unmodelled: 0,
            },
        );
    }
}
