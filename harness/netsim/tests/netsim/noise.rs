//! Whatever a station sends, the network stands.

use std::time::Duration;

use netsim::{DropReason, NetConfig, NetNote};
use sim::Rng;
use sim::air::ToAir;

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
