//! Tests that invalid frames of a station do not stop the network.

use std::time::Duration;

use netsim::{DropReason, NetConfig, NetNote};
use sim::Rng;
use sim::air::ToAir;
use smoltcp::wire::Ipv4Packet;

use crate::station::{Bench, MAC, SERVER, config};

fn drop_of(bench: &mut Bench, frame: Vec<u8>) -> Option<DropReason> {
    let before = bench.notes.len();
    bench.ask(ToAir::Frame(frame));
    bench.run(Duration::from_millis(100));
    bench.notes[before..].iter().find_map(|(_, n)| match n {
        NetNote::FrameDropped { why } => Some(*why),
        _ => None,
    })
}

/// An IPv4 header for 20 bytes of TCP; `flags` is the high byte of the fragmentation word.
fn packet(src: [u8; 4], dst: [u8; 4], flags: u8) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 40, 0, 0, flags, 0, 64, 6, 0, 0];
    header.extend(src);
    header.extend(dst);
    Ipv4Packet::new_unchecked(&mut header[..]).fill_checksum();
    header
}

#[test]
fn frames_that_cannot_be_are_dropped_with_the_reason() {
    let mut bench = Bench::online(config());
    let header = |kind: [u8; 2]| [&[2; 6][..], &MAC, &kind].concat();
    assert_eq!(drop_of(&mut bench, vec![]), Some(DropReason::Unreadable));
    assert_eq!(
        drop_of(&mut bench, [header([8, 0]), vec![0x45; 10]].concat()),
        Some(DropReason::Unreadable)
    );
    assert_eq!(
        drop_of(&mut bench, [header([0x86, 0xdd]), vec![0; 40]].concat()),
        Some(DropReason::NotServed)
    );
    assert_eq!(
        drop_of(&mut bench, [header([8, 0]), vec![0; 1_501]].concat()),
        Some(DropReason::TooLong)
    );
    assert_eq!(drop_of(&mut bench, vec![0; 60]), Some(DropReason::ForeignSource));
    let good = [192, 168, 4, 100];
    let syn = |src, dst| [header([8, 0]), packet(src, dst, 0), vec![0; 20]].concat();
    assert_eq!(
        drop_of(&mut bench, syn([10, 0, 0, 7], SERVER.octets())),
        Some(DropReason::ForeignAddress)
    );
    assert_eq!(
        drop_of(&mut bench, syn(good, [192, 168, 4, 77])),
        Some(DropReason::NoSuchHost)
    );
    assert_eq!(
        drop_of(&mut bench, syn(good, [224, 0, 0, 251])),
        Some(DropReason::NotServed)
    );
    let mut damaged = syn(good, SERVER.octets());
    damaged[14 + 8] ^= 1;
    assert_eq!(drop_of(&mut bench, damaged), Some(DropReason::Checksum));
    let fragment = [header([8, 0]), packet(good, SERVER.octets(), 0x20), vec![0; 20]].concat();
    assert_eq!(drop_of(&mut bench, fragment), Some(DropReason::NotServed));
}

#[test]
fn damaged_traffic_never_stops_the_network() {
    let mut bench = Bench::online(NetConfig {
        capture: true,
        ..config()
    });
    assert!(bench.resolve("cloud.test").is_some());
    let socket = bench.dial((SERVER, 80));
    assert!(bench.echo(socket, b"hello", Duration::from_secs(1)).is_some());
    let from_station = |f: &netsim::CapturedFrame| f.direction == netsim::Direction::FromStation;
    let frames: Vec<Vec<u8>> = bench
        .net
        .take_capture()
        .into_iter()
        .filter(from_station)
        .map(|f| f.bytes)
        .collect();
    let mut rng = Rng::stream(1, "noise");
    for _ in 0..20_000 {
        let mut frame = frames[rng.below(frames.len() as u64) as usize].clone();
        for _ in 0..=rng.below(4) {
            let at = 12 + rng.below(frame.len() as u64 - 12) as usize;
            frame[at] = rng.next_u32() as u8;
        }
        frame.truncate(frame.len() - rng.below(20) as usize);
        bench.net.from_station(bench.now, ToAir::Frame(frame));
        if rng.chance(1, 50) {
            bench.now += Duration::from_millis(3);
            bench.net.poll(bench.now);
            bench.net.take_to_station();
            bench.net.take_stream_events();
            bench.net.take_notes();
            bench.net.take_capture();
        }
    }
    bench.run(Duration::from_secs(400));
    assert!(bench.ping(SERVER).is_some());
    assert!(
        bench.net.stream_count() <= 2,
        "{} streams",
        bench.net.stream_count()
    );
}
