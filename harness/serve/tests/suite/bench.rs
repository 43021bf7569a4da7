//! A server on a thread of its own, and a client that says exactly what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use oceanremote::{CloudConfig, DeviceConfig, Limits};
use serde_json::Value;
use serve::{ControlOptions, Options, ScenarioFault, Service, TlsOptions};
use sim::UnixTime;

/// The device that every test server knows.
pub(crate) const DEVICE: &str = "oc-1";
/// Civil time at the start: now, for certificates; 2026 at least.
pub(crate) fn epoch() -> UnixTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates are checked against the real time"
    )]
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    UnixTime::from_secs(now.as_secs().try_into().expect("before the end of time"))
}

pub(crate) fn options() -> Options {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    Options {
        listen: loopback,
        control: Some(ControlOptions {
            listen: loopback,
            token: None,
        }),
        tls: None,
        cloud: CloudConfig {
            epoch: epoch(),
            devices: vec![DeviceConfig::pending(DEVICE, "oc_reg_test")],
            limits: Limits::OFF,
            ..CloudConfig::default()
        },
        served: faults::Served {
            device: DEVICE.to_owned(),
            host: "cloud.oceanremote.test".to_owned(),
            port: 80,
            tls: false,
            seed: 1,
        },
        faults: Vec::new(),
    }
}

pub(crate) struct Running {
    pub(crate) cloud: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) ca_pem: Option<String>,
    pub(crate) left_out: Vec<String>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn start(options: Options) -> Running {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test of the wall-time server needs a thread"
    )]
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let service = Service::bind(options).await.expect("free ports");
            let control = service.control_addr().expect("a control interface");
            let left_out: Vec<String> = service.left_out().collect();
            let ca_pem = service.ca_pem().map(str::to_owned);
            tell.send((service.addr(), control, ca_pem, left_out))
                .expect("the test waits");
            service.run(async { drop(stopped.await) }).await;
        });
    });
    let (cloud, control, ca_pem, left_out) = told.recv().expect("the server starts");
    Running {
        cloud,
        control,
        ca_pem,
        left_out,
        stop: Some(stop),
        thread: Some(thread),
    }
}

pub(crate) fn plain() -> Running {
    start(options())
}

pub(crate) fn with_faults(yaml: &str) -> Running {
    let text = format!("name: t\nversion: 1\nsteps:\n- delay: 1ms\nfaults:\n{yaml}");
    let scenario = faults::FORMAT
        .parse("plan.yaml", &text)
        .unwrap_or_else(|why| panic!("{why}"));
    let planned = |fault: &scenario::Fault| ScenarioFault {
        fault: fault.clone(),
        position: scenario.position(fault.name.span),
    };
    start(Options {
        faults: scenario.faults.iter().map(planned).collect(),
        ..options()
    })
}

pub(crate) fn with_tls(tls: TlsOptions) -> Running {
    let mut options = options();
    options.served.tls = true;
    start(Options {
        tls: Some(tls),
        ..options
    })
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a valid timeout");
    stream
}

/// Status and body of a whole reply.
pub(crate) fn parted(reply: &str) -> (u16, &str) {
    let status = reply.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, reply.split_once("\r\n\r\n").map_or("", |(_, body)| body))
}

/// Sends `text` on a new connection and reads to the end.
pub(crate) fn ask(addr: SocketAddr, text: &str) -> String {
    let mut stream = connect(addr);
    stream.write_all(text.as_bytes()).expect("the server reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server answers");
    reply
}

fn json(reply: &str) -> (u16, Value) {
    let (status, body) = parted(reply);
    (
        status,
        serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {reply}")),
    )
}

impl Running {
    /// Asks the control interface.
    pub(crate) fn control(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        json(&self.control_text(method, target, body))
    }

    pub(crate) fn control_text(&self, method: &str, target: &str, body: &str) -> String {
        let length = body.len();
        ask(
            self.control,
            &format!(
                "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}",
                self.control
            ),
        )
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        self.control("GET", target, "")
    }

    /// Registers the device; its session.
    pub(crate) fn register(&self) -> String {
        let body = format!(
            r#"{{"token":"oc_reg_test","device_id":"{DEVICE}","mac_address":"02:00:00:00:00:01","ip":"192.168.4.2"}}"#
        );
        let (status, reply) = json(&ask(self.cloud, &post("/api/device/register/", "", &body)));
        assert_eq!(status, 200, "{reply}");
        reply["session"].as_str().expect("a session").to_owned()
    }

    /// Polls for commands; the status and, with 200, the body.
    pub(crate) fn poll(&self, session: &str) -> (u16, Value) {
        let request = format!(
            "GET /api/device/{DEVICE}/commands/?ack=0 HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\
             X-Device-Token: {session}\r\n\r\n"
        );
        json(&ask(self.cloud, &request))
    }

    /// Renews; the whole reply, as far as it came.
    pub(crate) fn renew(&self, session: &str) -> String {
        let path = format!("/api/device/{DEVICE}/renew-session/");
        ask(
            self.cloud,
            &post(
                &path,
                &format!("X-Device-Token: {session}\r\n"),
                r#"{"mac_address":"02:00:00:00:00:01"}"#,
            ),
        )
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: c\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().expect("it is stopped once").join();
        if !std::thread::panicking() {
            ended.expect("the server does not panic");
        }
    }
}
