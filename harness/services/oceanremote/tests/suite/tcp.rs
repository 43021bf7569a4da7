//! The server on real sockets, talked to by clients that were not written here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Wall};

use http_service::server::Server;
use http_service::{
    ActiveExchange, Cut, Directive, Ending, Interposer, NoFaults, Origin, Pace, Phase, Service,
};
use oceanremote::*;
use sim::Instant;

use crate::fixture::*;

/// A server on a thread of its own, stopped when dropped.
struct Running {
    addr: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<Entry>>>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of the wall-time server needs a thread and a clock"
)]
fn serve(config: CloudConfig, faults: impl FnOnce() -> Box<dyn Interposer> + Send + 'static) -> Running {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let origin = Origin::shared(Cloud::new(config).expect("a valid configuration"), NoFaults);
            origin.borrow_mut().faults = faults();
            let server = Server::bind(([127, 0, 0, 1], 0).into())
                .await
                .expect("a free port");
            tell.send(server.local_addr().expect("an address"))
                .expect("the test waits");
            let start = Wall::now();
            let clock = move || Instant::ZERO + start.elapsed();
            server
                .run(origin.clone(), clock, async { drop(stopped.await) })
                .await;
            origin.borrow_mut().get_mut::<Cloud>().take_journal()
        })
    });
    let addr = told.recv().expect("the server starts");
    Running {
        addr,
        stop: Some(stop),
        thread: Some(thread),
    }
}

fn healthy() -> Running {
    serve(config(), || Box::new(NoFaults))
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a valid timeout");
        stream
    }

    /// Sends `text` on a new connection and reads to the end.
    fn ask(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).expect("the server reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the server answers");
        reply
    }

    fn stop(mut self) -> Vec<Entry> {
        drop(self.stop.take());
        self.thread
            .take()
            .expect("it is stopped once")
            .join()
            .expect("the server does not panic")
    }
}

const GET: &str = "GET /nothing HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n";

#[test]
fn curl_registers_polls_and_renews() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl");
        return;
    }
    let server = healthy();
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10"])
            .args(args)
            .output();
        let output = output.expect("curl starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("replies are text")
    };
    let url = |path: &str| format!("http://{}{path}", server.addr);
    let body = registration("oc_reg_test", "oc-1", "02:00:00:00:00:01");
    let reply = curl(&["-d", &body, &url("/api/device/register/")]);
    let reply: serde_json::Value = serde_json::from_str(&reply).expect("a JSON body");
    let header = format!(
        "X-Device-Token: {}",
        reply["session"].as_str().expect("a session")
    );
    // Two requests, the second on the connection of the first.
    let poll = url("/api/device/oc-1/commands/?ack=0");
    let format = "%{http_code} %{num_connects};";
    let polls = curl(&["-H", &header, "-o", "-", "-w", format, &poll, &poll]);
    let found: Vec<&str> = polls
        .split(';')
        .map(|part| part.rsplit('}').next().unwrap_or(""))
        .collect();
    assert_eq!(found, ["200 1", "200 0", ""], "{polls}");
    // A body of more than 1 MiB makes curl ask first (Expect: 100-continue).
    let big = format!("@{}", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let refused = curl(&[
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        &big,
        "-w",
        "%{http_code}",
        &url("/"),
    ]);
    assert!(refused.ends_with("404"), "{refused}");
    let chunked = ["-H", &header, "-H", "Transfer-Encoding: chunked", "-d", RENEWAL];
    let renewed = curl(&[&chunked[..], &[&url("/api/device/oc-1/renew-session/")]].concat());
    assert!(renewed.starts_with(r#"{"success":true,"session":""#), "{renewed}");
    let old = curl(&["-i", "-H", &header, &poll]);
    assert!(
        old.starts_with("HTTP/1.1 401 Unauthorized\r\n") && old.ends_with(r#""Session expired"}"#),
        "{old}"
    );
    let head = curl(&["-I", &url("/api/device/state/?token=x")]);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    server.stop();
}

#[test]
fn python_s_client_keeps_the_connection() {
    let script = r#"
import http.client, json, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
c.request("POST", "/api/device/register/", sys.argv[2])
r = c.getresponse(); b = json.load(r)
assert (r.status, r.version, b["expires_in"]) == (200, 11, 3600), (r.status, b)
s = c.sock
for method, path, want in [("GET", "/api/device/oc-1/commands/", 200), ("HEAD", "/api/device/oc-1/commands/", 200),
                           ("GET", "/api/device/oc-2/commands/", 404), ("PUT", "/api/device/register/", 405)]:
    c.request(method, path, headers={"X-Device-Token": b["session"]})
    r = c.getresponse(); r.read()
    assert r.status == want, (method, path, r.status)
assert c.sock is s
print("done")
"#;
    let server = healthy();
    let body = registration("oc_reg_test", "oc-1", "02:00:00:00:00:01");
    let port = server.addr.port().to_string();
    match Command::new("python3")
        .args(["-c", script, &port, &body])
        .output()
    {
        Err(_) => println!("skipped: there is no python3"),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "done", "{errors}");
        }
    }
    server.stop();
}

#[test]
fn a_busy_port_is_a_clear_error() {
    let server = healthy();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let error = runtime
        .block_on(Server::bind(server.addr))
        .expect_err("the port is taken");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {}: ", server.addr)),
        "{text}"
    );
    assert!(
        text.ends_with("(another program listens there; choose another port or stop it)"),
        "{text}"
    );
    server.stop();
}

#[test]
fn a_shutdown_lets_a_running_exchange_finish() {
    struct Slow;
    impl Interposer for Slow {
        fn at(
            &mut self,
            _: Instant,
            phase: Phase,
            _: &ActiveExchange,
            _: &mut dyn Service,
        ) -> Vec<Directive> {
            let slow = phase == Phase::AfterEffect;
            if slow {
                vec![Directive::Delay(Duration::from_millis(400))]
            } else {
                Vec::new()
            }
        }

        fn broke_off(&mut self, _: Instant, _: u64, _: &str) {}
    }
    let mut server = serve(config(), || Box::new(Slow));
    let mut stream = server.connect();
    stream.write_all(&GET.as_bytes()[..20]).expect("the server reads");
    let mut idle = server.connect();
    // Whole once it has been delayed: the stop comes in between.
    stream.write_all(&GET.as_bytes()[20..]).expect("the server reads");
    std::thread::park_timeout(Duration::from_millis(200));
    drop(server.stop.take());
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server answers");
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    assert_eq!(idle.read(&mut [0; 1]).expect("an orderly end"), 0);
    let addr = server.addr;
    server.stop();
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn faults_work_on_sockets_too() {
    struct Plan;
    impl Interposer for Plan {
        fn at(
            &mut self,
            _: Instant,
            phase: Phase,
            exchange: &ActiveExchange,
            _: &mut dyn Service,
        ) -> Vec<Directive> {
            let directive = match (phase, &*exchange.target) {
                (Phase::AfterEffect, "/abort") => Directive::Abort,
                (Phase::BeforeEffect, "/close") => Directive::Close,
                (Phase::AfterEffect, "/cut") => Directive::Cut(Cut {
                    after: 13,
                    then: Some(Ending::Close),
                }),
                (Phase::AfterEffect, "/dribble") => Directive::Dribble(Pace {
                    chunk: 50,
                    every: Duration::from_millis(20),
                    head_at_once: false,
                }),
                _ => return Vec::new(),
            };
            vec![directive]
        }

        fn broke_off(&mut self, _: Instant, _: u64, _: &str) {}
    }
    let server = serve(config(), || Box::new(Plan));
    let ask = |path: &str| server.ask(&GET.replace("/nothing", path));
    assert_eq!(ask("/close"), "");
    assert_eq!(ask("/cut"), "HTTP/1.1 404 ");
    let (start, reply) = (now(), ask("/dribble"));
    assert!(
        reply.ends_with(r#"{"success":false,"error":"Not found"}"#),
        "{reply}"
    );
    assert!(start.elapsed() >= Duration::from_millis(60), "four chunks");
    let mut stream = server.connect();
    stream
        .write_all(GET.replace("/nothing", "/abort").as_bytes())
        .expect("the server reads");
    let error = stream.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    server.stop();
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of the wall-time server measures wall time"
)]
fn now() -> Wall {
    Wall::now()
}

#[test]
fn a_thousand_idle_connections_and_slow_senders_do_not_hurt() {
    let connections = ConnectionLimits {
        request_timeout: Duration::from_millis(500),
        ..ConnectionLimits::default()
    };
    let server = serve(
        CloudConfig {
            connections,
            ..config()
        },
        || Box::new(NoFaults),
    );
    let mut crowd: Vec<TcpStream> = Vec::new();
    for n in 0..1000 {
        let Ok(mut stream) = TcpStream::connect(server.addr) else {
            break;
        };
        if n % 2 == 0 {
            stream.write_all(b"POST /api/dev").expect("the server reads");
        }
        // Half of our own descriptors are enough to fill the server.
        crowd.push(stream);
        if crowd.len() > 400 {
            crowd.remove(0);
        }
    }
    let start = now();
    assert!(server.ask(GET).starts_with("HTTP/1.1 404 "));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let mut slow = server.connect();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 10\r\n\r\nabc")
        .expect("the server reads");
    let mut reply = String::new();
    slow.read_to_string(&mut reply).expect("the server answers");
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    drop(crowd);
    server.stop();
}

#[test]
fn more_connections_than_fit_push_out_the_quietest() {
    let server = healthy();
    let mut first = server.connect();
    first
        .write_all(GET.replace("Connection: close\r\n", "").as_bytes())
        .expect("the server reads");
    assert!(
        first.read(&mut [0; 500]).is_ok_and(|n| n > 100),
        "it is answered and stays"
    );
    let mut crowd = Vec::new();
    for _ in 0..520 {
        match TcpStream::connect(server.addr) {
            Ok(stream) => crowd.push(stream),
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }
    assert!(server.ask(GET).starts_with("HTTP/1.1 404 "));
    let ended = first.read(&mut [0; 1]).is_ok_and(|n| n == 0);
    assert!(ended, "the quietest had to go");
    server.stop();
}
