//! A device in wall time: a program of a few lines that talks to the bench over real sockets takes the board's place.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bench::{Limits, Progress, RunError, WallBench};
use dut::{AccessPoint, Dut, DutError, Observation, Site};
use netsim::CapturedFrame;
use sim::Instant;
use sim::air::FromAir;
use vocabulary::{Event, Kind, LinkEvent, SerialPort, Verdict};

const MAC: [u8; 6] = [0x02, 0x0c, 0xea, 0, 0, 1];

/// What the device does after its reset.
type Life = fn(&Device);

/// What the program on the device has.
struct Device {
    settings: BTreeMap<String, String>,
    out: Sender<Vec<u8>>,
    off: Arc<AtomicBool>,
}

impl Device {
    fn print(&self, line: &str) {
        let _ = self.out.send(format!("{line}\r\n").into_bytes());
    }

    fn is_on(&self) -> bool {
        !self.off.load(Ordering::Relaxed)
    }

    /// The status and the body of the answer; `None` if there was none.
    fn request(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let host = (
            self.settings["server.host"].as_str(),
            self.settings["server.port"].parse().unwrap(),
        );
        let mut stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
        write!(
            stream,
            "{first} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.get(9..12)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }
}

/// Registers, renews twice a second, and says what the time server says.
fn good(device: &Device) {
    let time = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    time.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let port: u16 = device.settings["ntp.port"].parse().unwrap();
    let mut packet = [0; 48];
    packet[0] = 0x23;
    time.send_to(&packet, (device.settings["ntp.server"].as_str(), port))
        .unwrap();
    if time.recv(&mut packet).is_ok() {
        let seconds = u32::from_be_bytes([packet[40], packet[41], packet[42], packet[43]]);
        device.print(&format!("time {seconds}"));
    }
    let token = &device.settings["device.registration_token"];
    let body = format!(
        r#"{{"token":"{token}","device_id":"oc-000001","mac_address":"02:0c:ea:00:00:01","ip":"127.0.0.1"}}"#
    );
    let Some((200, reply)) = device.request("POST /api/device/register/", &body) else {
        return device.print("cannot register");
    };
    let session = |reply: &str| {
        let at = reply.find(r#""session":""#).unwrap() + 11;
        reply[at..at + 32].to_owned()
    };
    let mut token = session(&reply);
    device.print("registered");
    while device.is_on() {
        pause(200);
        let head = format!("POST /api/device/oc-000001/renew-session/\nX-Device-Token: {token}\r\n");
        match device.request(&head, r#"{"mac_address":"02:0c:ea:00:00:01"}"#) {
            Some((200, reply)) => {
                token = session(&reply);
                device.print("renewed");
            }
            Some((status, _)) => device.print(&format!("refused {status}")),
            None => device.print("no answer"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a device in wall time")]
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// The board that the device's program runs on.
struct Board {
    life: Life,
    settings: BTreeMap<String, String>,
    off: Arc<AtomicBool>,
    program: Option<JoinHandle<()>>,
    console: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    zero: std::time::Instant,
    bytes: usize,
}

impl Board {
    fn new(life: Life, provisioning: &[u8], zero: std::time::Instant) -> Board {
        let len = u32::from_le_bytes(provisioning[8..12].try_into().unwrap()) as usize;
        let text = std::str::from_utf8(&provisioning[16..16 + len]).unwrap();
        let entries = text.lines().map(|line| line.split_once('=').unwrap());
        Board {
            life,
            settings: entries.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            off: Arc::default(),
            program: None,
            console: channel(),
            zero,
            bytes: 0,
        }
    }

    fn stop(&mut self) {
        self.off.store(true, Ordering::Relaxed);
        if let Some(program) = self.program.take() {
            program.join().unwrap();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Dut for Board {
    fn backend(&self) -> &str {
        "board:test"
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.zero.elapsed()
    }

    fn run_until(&mut self, _: Instant) -> Result<(), DutError> {
        Ok(())
    }

    fn take_observations(&mut self, out: &mut Vec<(Instant, Observation)>) {
        let at = self.now();
        for bytes in self.console.1.try_iter() {
            self.bytes += bytes.len();
            let port = SerialPort::Uart0;
            out.push((at, Observation::Serial { port, bytes }));
        }
    }

    fn serial_input(&mut self, _: &[u8]) -> Result<(), DutError> {
        Ok(())
    }

    fn set_pin(&mut self, _: u8, _: Option<bool>) -> Result<(), DutError> {
        unreachable!("no scenario here has pins")
    }

    fn air(&mut self, _: FromAir) -> Result<(), DutError> {
        unreachable!("a board has its own air")
    }

    #[expect(clippy::disallowed_methods, reason = "a device in wall time")]
    fn reset(&mut self) -> Result<(), DutError> {
        self.stop();
        self.off = Arc::default();
        let device = Device {
            settings: self.settings.clone(),
            out: self.console.0.clone(),
            off: self.off.clone(),
        };
        let life = self.life;
        self.program = Some(std::thread::spawn(move || life(&device)));
        Ok(())
    }

    fn set_power(&mut self, _: bool) -> Result<(), DutError> {
        unreachable!("no scenario here cuts the power")
    }

    fn not_running(&mut self, waited: Duration) -> Option<DutError> {
        let silent = self.bytes == 0 && waited > Duration::from_secs(1);
        silent.then(|| DutError::backend("not one byte"))
    }

    fn instructions(&self) -> u64 {
        0
    }

    fn unmodelled(&self) -> u64 {
        0
    }
}

/// Keeps the events of a run.
#[derive(Default)]
struct Kept(Vec<Event>);

impl Progress for Kept {
    fn at(&mut self, _: Instant) -> bool {
        true
    }

    fn event(&mut self, event: Event) {
        self.0.push(event);
    }

    fn frame(&mut self, _: CapturedFrame) {}
}

/// A run that has ended, with its events.
#[derive(Debug)]
struct RunRecord {
    events: Vec<Event>,
    verdict: Verdict,
    reasons: Vec<String>,
}

fn site() -> Site {
    Site {
        listen: Ipv4Addr::LOCALHOST,
        host: Ipv4Addr::LOCALHOST,
        cloud_port: 0,
        ntp_port: 0,
        dns_port: None,
        network: None,
        access_point: None,
        power: true,
        fixtures: Vec::new(),
    }
}

fn run(text: &str, life: Life) -> Result<RunRecord, RunError> {
    run_at(site(), text, life)
}

fn run_at(site: Site, text: &str, life: Life) -> Result<RunRecord, RunError> {
    let text = format!("name: a\nversion: 1\nbench: {{ duration: 2500ms }}\n{text}");
    let scenario = faults::FORMAT.parse("f", &text).unwrap_or_else(|e| panic!("{e}"));
    let bench = WallBench::open(&scenario, site).expect("free ports");
    let flash = bench.flash_image(Limits::default()).unwrap();
    let (at, len) = flash.partition("provision").unwrap();
    let provisioning = &flash.into_bytes()[at..at + len];
    let start = |zero| -> Result<Box<dyn Dut>, RunError> {
        let mut board = Board::new(life, provisioning, zero);
        board.reset()?;
        Ok(Box::new(board))
    };
    let mut kept = Kept::default();
    let run = bench.start(MAC, start, "", Limits::default())?;
    let end = run.to_the_end(&mut kept)?;
    Ok(RunRecord {
        events: kept.0,
        verdict: end.verdict,
        reasons: end.reasons,
    })
}

const RENEWS: &str = "
  - name: renews
    requests: { endpoint: renew-session, status: 200, count: { min: 4 } }
  - name: the time of the scenario
    serial: time 39762144
";

#[test]
fn cloud_and_time_are_there_for_a_device_on_real_sockets() {
    let run = run(&format!("expect:{RENEWS}"), good).unwrap();
    assert_eq!(run.verdict, Verdict::Pass, "{:#?}", run.reasons);
    let sntp = |e: &&Event| matches!(&e.kind, Kind::Link(LinkEvent::Sntp { .. }));
    assert_eq!(run.events.iter().filter(sntp).count(), 1);
    assert!(run.events.iter().all(|e| e.at <= Instant::from_millis(3500)));
}

#[test]
fn a_device_that_does_not_renew_is_caught() {
    let run = run(&format!("expect:{RENEWS}"), |device| {
        device.print("up");
        while device.is_on() {
            pause(50);
        }
    })
    .unwrap();
    assert_eq!(run.verdict, Verdict::Fail);
    let failed: Vec<_> = run
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::Expectation(r) if !r.held => Some(r.name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(failed, ["renews", "the time of the scenario"]);
}

#[test]
fn faults_of_the_server_reach_the_device() {
    let run = run(
        "
faults:
  - { name: lost, when: { request: { endpoint: renew-session, nth: 2, at: after-effect } }, do: lose-reply }
  - { name: shut, when: { after: { trigger: { serial: { text: refused } }, delay: 100ms } }, do: refuse, for: 500ms }
  - { name: no time, when: 0s, do: { ntp: silent } }
expect:
  - { name: lost reply, serial: no answer }
  - { name: the old session is dead, serial: refused 401 }
  - { name: nobody knows the time, no-serial: { regex: ^time } }
",
        good,
    )
    .unwrap();
    assert_eq!(run.verdict, Verdict::Pass, "{:#?}", run.reasons);
    let lines: Vec<_> = run
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::SerialLine { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines[..3], ["registered", "renewed", "no answer"]);
    let after = lines.iter().rposition(|l| l.starts_with("refused")).unwrap();
    assert!(
        lines[3..after].contains(&"no answer"),
        "the door was shut: {lines:?}"
    );
}

/// An access point that remembers what it was told.
struct Switch(Arc<Mutex<Vec<bool>>>);

impl AccessPoint for Switch {
    fn can_switch(&self) -> bool {
        true
    }

    fn can_deauthenticate(&self) -> bool {
        false
    }

    fn set_on(&mut self, on: bool) -> Result<(), String> {
        self.0.lock().unwrap().push(on);
        Ok(())
    }

    fn deauthenticate(&mut self, _: [u8; 6], _: u8) -> Result<(), String> {
        Err("nobody asked for it".to_owned())
    }
}

/// What the access point was told in a run of two and a half seconds.
fn switched(faults: &str) -> Vec<bool> {
    let told = Arc::<Mutex<Vec<bool>>>::default();
    let at_the_bench = Site {
        access_point: Some(Box::new(Switch(told.clone()))),
        ..site()
    };
    let expect = "expect: [{ serial: registered }]";
    run_at(at_the_bench, &format!("{faults}\n{expect}"), good).unwrap();
    let told = told.lock().unwrap();
    told.clone()
}

#[test]
fn what_a_fault_switched_off_is_switched_on_again_and_the_rest_is_left_alone() {
    let for_ever = "faults: [{ name: gone, when: 1s, do: access-point-gone }]";
    assert_eq!(switched(for_ever), [false, true], "the run ends before the fault");
    let for_a_while = "faults: [{ name: gone, when: 1s, do: access-point-gone, for: 500ms }]";
    assert_eq!(switched(for_a_while), [false, true], "once is enough");
    assert_eq!(switched(""), [true; 0], "no fault, no command");
}

#[test]
fn a_device_that_says_nothing_does_not_boot() {
    let error = run(&format!("expect:{RENEWS}"), |_| {}).unwrap_err();
    assert!(
        matches!(error, RunError::Dut(DutError::Backend { .. })),
        "{error}"
    );
    assert_eq!(error.to_string(), "not one byte");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let scenario = faults::FORMAT
        .parse("f", "name: a\nversion: 1\nexpect: [{ serial: x }]\n")
        .unwrap();
    let busy = Site {
        cloud_port: port,
        ..site()
    };
    let error = WallBench::open(&scenario, busy).err().unwrap().to_string();
    assert!(
        error.contains(&port.to_string()) && error.contains("another program listens"),
        "{error}"
    );
}
