//! `oceanrig serve` as a person runs it: the real binary, real sockets, literal requests, Ctrl-C.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

fn oceanrig(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oceanrig"));
    command
        .arg("serve")
        .args(args)
        .env_remove("OCEANRIG_CONTROL_TOKEN");
    command
}

/// A server that runs, and what it said first.
struct Served {
    child: Child,
    cloud: SocketAddr,
    control: SocketAddr,
    /// Held open: a server whose reader has gone ends.
    _stdout: Lines<BufReader<ChildStdout>>,
}

fn start(args: &[&str]) -> Served {
    let all = [&["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"], args].concat();
    let mut child = oceanrig(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is there");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut address = |before: &str, after: &str| -> SocketAddr {
        let line = lines.next().expect("it announces itself").expect("text");
        let found = line
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        found
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("no address in `{line}`"))
    };
    let scheme = if args.contains(&"--tls") { "https" } else { "http" };
    let cloud = address(&format!("serving the OceanRemote cloud at {scheme}://"), "");
    let control = address("control interface at http://", "/v1/");
    Served {
        child,
        cloud,
        control,
        _stdout: lines,
    }
}

impl Served {
    /// Sends it a signal and waits for its end: exit code and stderr.
    fn stop(self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
        let output = self.child.wait_with_output().expect("it ends");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}

fn ask(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    let status = reply.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    (
        status,
        reply
            .split_once("\r\n\r\n")
            .map_or_else(String::new, |(_, body)| body.to_owned()),
    )
}

fn failed(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("the binary is there");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_person_steers_it_and_ctrl_c_ends_it_with_0() {
    let server = start(&[]);
    let busy = r#"{"name":"busy","when":{"request":{"endpoint":"state"}},"do":{"respond":{"status":429,"retry-after":"120"}}}"#;
    let (status, added) = ask(server.control, "POST", "/v1/faults", busy);
    assert_eq!(status, 201, "{added}");
    assert_eq!(ask(server.cloud, "GET", "/api/device/state/?token=x", "").0, 429);
    assert_eq!(ask(server.cloud, "GET", "/api/device/state/?token=x", "").0, 401);
    let (_, faults) = ask(server.control, "GET", "/v1/faults", "");
    let faults: serde_json::Value = serde_json::from_str(&faults).expect("JSON");
    assert_eq!(faults["faults"][0]["fired"], 1, "{faults}");
    let (_, journal) = ask(server.control, "GET", "/v1/journal", "");
    assert!(
        journal.lines().any(|line| line.contains(r#""status":429"#)),
        "{journal}"
    );
    let (status, refused) = ask(server.control, "POST", "/v1/faults", "{nonsense");
    assert!(status == 400 && refused.contains("line 1, column 2"), "{refused}");
    // A connection that idles does not keep the server alive.
    let idle = TcpStream::connect(server.control).expect("it listens");
    let (code, said) = server.stop("-INT");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("registration token"), "{said}");
    drop(idle);
}

#[test]
fn sigterm_ends_it_too_and_tls_prints_its_authority() {
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca");
    let server = start(&[
        "--tls",
        "--tls-dir",
        ca.to_str().expect("UTF-8"),
        "--tls-fault",
        "expired",
    ]);
    let pem = std::fs::read_to_string(ca.join("ca.pem")).expect("the authority is kept");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(ask(server.control, "GET", "/v1/tls/ca.pem", ""), (200, pem));
    assert!(
        ask(server.control, "GET", "/v1/tls", "")
            .1
            .contains("\"expired\"")
    );
    assert_eq!(server.stop("-TERM").0, Some(0));
}

#[test]
fn the_faults_of_a_scenario_come_along_and_the_impossible_ones_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plan.yaml");
    let text = "name: plan\nversion: 1\nbench: {duration: 1m}\nsteps: [delay: 1s]\nfaults:\n\
                - name: busy\n  when: {request: {endpoint: state}}\n  do: {respond: 503}\n\
                - name: dark\n  when: 10s\n  do: power-cut\n";
    std::fs::write(&file, text).expect("it can be written");
    let plan = file.to_str().expect("UTF-8");
    let server = start(&["--scenario", plan]);
    assert_eq!(ask(server.cloud, "GET", "/api/device/state/?token=x", "").0, 503);
    let (code, said) = server.stop("-INT");
    assert_eq!(code, Some(0));
    assert!(
        said.contains("fault `dark` is left out: `power-cut` is done to radio, network or device"),
        "{said}"
    );
}

#[test]
fn what_keeps_it_from_starting_is_said_with_exit_code_3() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").to_string();
    let (code, said) = failed(&mut oceanrig(&["--listen", &port]));
    assert!(
        code == Some(3) && said.contains("another program listens there"),
        "{code:?} {said}"
    );
    let (code, said) = failed(&mut oceanrig(&["--listen", "127.0.0.1:0", "--control", &port]));
    assert!(
        code == Some(3) && said.contains("the control interface: cannot listen on"),
        "{code:?} {said}"
    );
    let (code, said) = failed(&mut oceanrig(&[
        "--listen",
        "127.0.0.1:0",
        "--control",
        "0.0.0.0:0",
    ]));
    assert!(
        code == Some(3) && said.contains("OCEANRIG_CONTROL_TOKEN"),
        "{code:?} {said}"
    );
    let mut short = oceanrig(&["--listen", "127.0.0.1:0", "--control", "0.0.0.0:0"]);
    let (code, said) = failed(short.env("OCEANRIG_CONTROL_TOKEN", "short"));
    assert!(code == Some(3) && said.contains("16 to 200"), "{code:?} {said}");
    let (code, said) = failed(&mut oceanrig(&["--tls-fault", "expired"]));
    assert!(code == Some(2) && said.contains("--tls"), "{code:?} {said}");
}
