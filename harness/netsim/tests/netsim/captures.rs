//! Tests of captures with tshark.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use netsim::{Impairment, NetConfig, pcapng};

use crate::station::{Bench, SERVER, config};

/// Output of tshark for a capture on its standard input; `None` if tshark is not installed.
fn tshark(capture: &[u8], arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("tshark");
    command.args(["-r", "-"]).args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(capture).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn tshark_reads_a_capture_and_finds_nothing_wrong() {
    let config = NetConfig {
        capture: true,
        ..config()
    };
    let epoch = config.epoch;
    let time = *config.ntp_servers.first().unwrap();
    let mut bench = Bench::online(config);
    assert!(bench.resolve("cloud.test").is_some() && bench.resolve("nowhere.test").is_none());
    let mut request = [0; 48];
    request[0] = 0x23;
    bench.datagram(50_123, (time, 123), &request).unwrap();
    bench.ping(SERVER).unwrap();
    let socket = bench.dial((SERVER, 8080));
    bench.echo(socket, b"hello", Duration::from_secs(1)).unwrap();
    bench.tcp(socket).close();
    bench.run(Duration::from_secs(1));
    bench
        .net
        .impair(Impairment {
            loss_ppm: 1_000_000,
            ..Impairment::default()
        })
        .unwrap();
    bench.ping(SERVER);
    let frames = bench.net.take_capture();
    let mut writer = pcapng::Writer::new(Vec::new(), epoch).unwrap();
    for frame in &frames {
        writer.write(frame).unwrap();
    }
    let capture = writer.into_inner().unwrap();
    let fields = [
        "_ws.col.Protocol",
        "frame.time_epoch",
        "frame.comment",
        "_ws.expert.severity",
    ];
    let mut arguments = vec!["-T", "fields", "-E", "separator=|"];
    // Make tshark verify every checksum.
    for check in ["ip", "udp", "tcp"].map(|p| format!("{p}.check_checksum:TRUE")) {
        arguments.extend(["-o", check.leak()]);
    }
    arguments.extend(fields.iter().flat_map(|f| ["-e", f]));
    let Some(text) = tshark(&capture, &arguments) else {
        eprintln!("SKIPPED: no tshark on this machine, the capture was not read by another program");
        return;
    };
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split('|').collect()).collect();
    assert_eq!(rows.len(), frames.len());
    for protocol in ["DHCP", "ARP", "DNS", "NTP", "ICMP", "TCP"] {
        assert!(rows.iter().any(|r| r[0] == protocol), "no {protocol} in\n{text}");
    }
    // The first DHCP discover is sent when the station has joined.
    let first_ns = 1_767_225_600_000_000_000 + u128::from(frames[0].at.as_nanos());
    assert_eq!(
        rows[0][1],
        format!("{}.{:09}", first_ns / 1_000_000_000, first_ns % 1_000_000_000)
    );
    assert!(rows.last().unwrap()[2] == "lost: impairment", "{text}");
    const SEVERITY_ERROR: u64 = 0x0080_0000;
    let worst = rows
        .iter()
        .flat_map(|r| r[3].split(','))
        .filter_map(|s| s.parse().ok())
        .max()
        .unwrap_or(0);
    assert!(worst < SEVERITY_ERROR, "tshark finds an error in\n{text}");
}
