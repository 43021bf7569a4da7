//! Tests of bad links: transfers over them, and repetition with the same seed.

use std::fmt::Write;
use std::time::Duration;

use netsim::{Direction, Filter, Impairment, NetConfig, NetNote, Protocol, pcapng};
use sim::air::Reason;

use crate::station::{Bench, SERVER, config};

fn seeded(seed: u64) -> NetConfig {
    NetConfig {
        seed,
        capture: true,
        ..config()
    }
}

/// Joins over a bad link and echoes 20,000 bytes; returns the capture file and the time of the echo.
fn lossy(seed: u64) -> (Vec<u8>, Option<Duration>) {
    let config = seeded(seed);
    let epoch = config.epoch;
    let mut bench = Bench::online(config);
    bench
        .net
        .impair(Impairment {
            loss_ppm: 200_000,
            ..Impairment::default()
        })
        .unwrap();
    let socket = bench.dial((SERVER, 80));
    let time = bench.echo(socket, &[b'x'; 20_000], Duration::from_secs(600));
    let mut writer = pcapng::Writer::new(Vec::new(), epoch).unwrap();
    for frame in bench.net.take_capture() {
        writer.write(&frame).unwrap();
    }
    (writer.into_inner().unwrap(), time)
}

#[test]
fn a_fifth_of_the_frames_lost_is_survived_and_repeats_to_the_byte() {
    let (capture, time) = lossy(1);
    assert!(time.expect("not echoed") > Duration::from_secs(1));
    assert!(capture.windows(16).any(|w| w == b"lost: impairment"));
    assert_eq!(lossy(1), (capture.clone(), time));
    assert_ne!(lossy(2).0, capture);
}

#[test]
fn an_access_point_gone_for_half_a_minute_holds_data_up_and_loses_none() {
    let mut bench = Bench::online(config());
    bench.keeps_address = true;
    let socket = bench.dial((SERVER, 80));
    assert!(bench.until(Duration::from_secs(1), |b| b.tcp(socket).may_send()));
    bench.tcp(socket).send_slice(b"renew").unwrap();
    // The request has arrived, the answer is on its way.
    bench.run(Duration::from_millis(30));
    bench.net.set_access_point(bench.now, false);
    bench.run(Duration::from_secs(30));
    assert_eq!(bench.disconnects()[0].1, Reason::BEACON_TIMEOUT);
    assert!(!bench.tcp(socket).can_recv());
    bench.net.set_access_point(bench.now, true);
    bench.connect("oceanrig", "salt-water");
    assert!(bench.until(Duration::from_secs(60), |b| b.tcp(socket).can_recv()));
    let mut got = [0; 8];
    assert_eq!(bench.tcp(socket).recv_slice(&mut got), Ok(5));
    assert_eq!(bench.noted(|n| matches!(n, NetNote::TcpReset { .. })), 0);
}

#[test]
fn one_way_can_be_deaf_and_one_protocol_slow() {
    let mut bench = Bench::online(config());
    let direction = Some(Direction::ToStation);
    let rule = bench
        .net
        .impair(Impairment {
            direction,
            loss_ppm: 1_000_000,
            ..Impairment::default()
        })
        .unwrap();
    assert_eq!(bench.ping(SERVER), None);
    assert!(bench.net.remove_rule(rule));
    assert!(bench.ping(SERVER).is_some());
    let filter = Filter {
        protocol: Some(Protocol::Dns),
        ..Filter::default()
    };
    let slow = Impairment {
        filter,
        latency: Duration::from_millis(700),
        ..Impairment::default()
    };
    bench.net.impair(slow).unwrap();
    assert_eq!(bench.ping(SERVER), Some(Duration::from_millis(44)));
    let start = bench.now;
    assert!(bench.resolve("cloud.test").is_some());
    assert_eq!(bench.now.since(start), Duration::from_millis(1_404));
}

#[test]
fn what_links_do_to_a_transfer() {
    let ms = Duration::from_millis;
    let none = Impairment::default;
    let links = [
        ("clean", none()),
        (
            "loss 1 %",
            Impairment {
                loss_ppm: 10_000,
                ..none()
            },
        ),
        (
            "loss 5 %",
            Impairment {
                loss_ppm: 50_000,
                ..none()
            },
        ),
        (
            "loss 20 %",
            Impairment {
                loss_ppm: 200_000,
                ..none()
            },
        ),
        (
            "latency 100 ms",
            Impairment {
                latency: ms(100),
                ..none()
            },
        ),
        (
            "jitter 50 ms",
            Impairment {
                jitter: ms(50),
                ..none()
            },
        ),
        (
            "duplicates 10 %",
            Impairment {
                duplicate_ppm: 100_000,
                ..none()
            },
        ),
        (
            "reordered 10 %",
            Impairment {
                reorder_ppm: 100_000,
                reorder_by: ms(15),
                ..none()
            },
        ),
        (
            "corrupt 5 %",
            Impairment {
                corrupt_ppm: 50_000,
                ..none()
            },
        ),
        (
            "256 kbit/s",
            Impairment {
                bandwidth_bps: Some(256_000),
                ..none()
            },
        ),
    ];
    let mut table = String::from("link             request ms   100 kB ms   byte/s  frames marked\n");
    for (name, impairment) in links {
        let mut bench = Bench::online(seeded(1));
        bench.net.impair(impairment).unwrap();
        let socket = bench.dial((SERVER, 80));
        let request = bench
            .echo(socket, &[b'r'; 300], Duration::from_secs(600))
            .expect("request");
        let transfer = bench
            .echo(socket, &[b't'; 100_000], Duration::from_secs(3_600))
            .expect("transfer");
        let rate = 100_000_000_000 / transfer.as_micros();
        let marked = bench
            .net
            .take_capture()
            .iter()
            .filter(|f| f.comment.is_some())
            .count();
        writeln!(
            table,
            "{name:15} {:>11} {:>11} {rate:>8} {marked:>14}",
            request.as_millis(),
            transfer.as_millis()
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}
