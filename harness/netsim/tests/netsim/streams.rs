//! Tests of TCP connections as streams: open, transfer, end, and release of all resources.

use std::time::Duration;

use netsim::{Filter, MAX_STREAMS, NetNote, Protocol, Refusal, ResetBy, StreamEvent, StreamId};
use smoltcp::socket::tcp::State;

use crate::station::{Bench, SERVER, Server, config};

fn opened(bench: &mut Bench) -> smoltcp::iface::SocketHandle {
    let socket = bench.dial((SERVER, 80));
    assert!(
        bench.until(Duration::from_secs(5), |b| b.tcp(socket).may_send()),
        "not opened"
    );
    socket
}

#[test]
fn a_megabyte_arrives_whole() {
    let mut bench = Bench::online(config());
    let socket = opened(&mut bench);
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let time = bench
        .echo(socket, &bytes, Duration::from_secs(60))
        .expect("not echoed");
    // One window of 8 KiB every 44 ms.
    assert!(time > Duration::from_secs(4), "{time:?}");
    bench.run(Duration::from_millis(50));
    assert_eq!(bench.net.stream_backlog(StreamId(1)), 0);
}

#[test]
fn a_server_can_close_first() {
    let mut bench = Bench::online(config());
    let socket = opened(&mut bench);
    let id = StreamId(1);
    bench.net.stream_send(id, b"bye");
    bench.net.stream_close(id);
    bench.net.stream_send(id, b"too late");
    assert!(bench.until(Duration::from_secs(1), |b| b.tcp(socket).state()
        == State::CloseWait));
    let mut got = [0; 16];
    assert_eq!(bench.tcp(socket).recv_slice(&mut got), Ok(3));
    bench.tcp(socket).close();
    bench.run(Duration::from_millis(100));
    assert_eq!(
        bench.events.last().map(|(_, e)| e.clone()),
        Some(StreamEvent::Closed { id })
    );
    // TIME-WAIT ends after its time.
    assert_eq!(bench.net.stream_count(), 1);
    bench.run(Duration::from_secs(11));
    assert_eq!(bench.net.stream_count(), 0);
}

#[test]
fn resets_reach_the_other_side() {
    let mut bench = Bench::online(config());
    let socket = opened(&mut bench);
    bench.net.stream_abort(StreamId(1));
    assert!(bench.until(Duration::from_millis(30), |b| b.tcp(socket).state()
        == State::Closed));
    assert_eq!(
        bench.noted(|n| *n
            == NetNote::TcpReset {
                id: StreamId(1),
                by: ResetBy::Server
            }),
        1
    );
    let socket = opened(&mut bench);
    bench.tcp(socket).abort();
    bench.run(Duration::from_millis(100));
    let id = StreamId(2);
    assert_eq!(
        bench.events.last().map(|(_, e)| e.clone()),
        Some(StreamEvent::Reset { id })
    );
    assert_eq!(
        bench.noted(|n| *n
            == NetNote::TcpReset {
                id,
                by: ResetBy::Station
            }),
        1
    );
    assert_eq!(bench.net.stream_count(), 0);
}

#[test]
fn a_server_that_does_not_read_fills_the_window() {
    let mut bench = Bench::online(config());
    bench.server = Server::Sink;
    let socket = opened(&mut bench);
    let id = StreamId(1);
    bench.net.stream_pause(id, true);
    let mut sent = 0;
    bench.until(Duration::from_secs(5), |b| {
        let socket = b.tcp(socket);
        if socket.can_send() {
            sent += socket.send_slice(&[7; 4096]).unwrap();
        }
        false
    });
    assert_eq!(bench.received.get(&id), None);
    assert!((16_384..=16_384 + 8_192).contains(&sent), "{sent}");
    bench.net.stream_pause(id, false);
    assert!(bench.until(Duration::from_secs(10), |b| {
        b.received.get(&id).is_some_and(|r| r.len() == sent)
    }));
}

#[test]
fn a_refused_path_answers_with_a_reset_and_others_stay_open() {
    let mut bench = Bench::online(config());
    let rule = bench.net.refuse(Filter {
        port: Some(80),
        ..Filter::default()
    });
    let refused = bench.dial((SERVER, 80));
    let other = bench.dial((SERVER, 8080));
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.tcp(refused).state(), State::Closed);
    assert_eq!(bench.tcp(other).state(), State::Established);
    let refusal = NetNote::TcpRefused {
        to: (SERVER, 80),
        why: Refusal::Rule,
    };
    assert_eq!(bench.noted(|n| *n == refusal), 1);
    assert!(bench.net.remove_rule(rule) && !bench.net.remove_rule(rule));
    opened(&mut bench);
    let tcp = Filter {
        protocol: Some(Protocol::Tcp),
        ..Filter::default()
    };
    bench.net.refuse(tcp);
    assert!(bench.ping(SERVER).is_some());
}

#[test]
fn one_connection_too_many_is_refused_and_stale_ones_make_room() {
    let mut bench = Bench::online(config());
    let sockets: Vec<_> = (0..MAX_STREAMS + 1)
        .map(|_| {
            let socket = bench.dial((SERVER, 80));
            bench.run(Duration::from_millis(50));
            socket
        })
        .collect();
    let open = sockets
        .iter()
        .filter(|s| bench.tcp(**s).state() == State::Established)
        .count();
    assert_eq!((open, bench.net.stream_count()), (MAX_STREAMS, MAX_STREAMS));
    assert_eq!(bench.tcp(sockets[MAX_STREAMS]).state(), State::Closed);
    bench.run(Duration::from_secs(301));
    opened(&mut bench);
    assert_eq!(bench.net.stream_count(), MAX_STREAMS);
    assert_eq!(
        bench.noted(|n| *n
            == NetNote::TcpReset {
                id: StreamId(1),
                by: ResetBy::Silence
            }),
        1
    );
}

#[test]
fn hours_of_requests_leave_nothing_behind() {
    let mut bench = Bench::online(config());
    for _ in 0..400 {
        let socket = opened(&mut bench);
        assert!(bench.echo(socket, &[b'x'; 300], Duration::from_secs(1)).is_some());
        bench.tcp(socket).close();
        bench.run(Duration::from_secs(5));
        bench.sockets.remove(socket);
    }
    assert_eq!(bench.net.stream_count(), 0);
    assert_eq!(bench.noted(|n| matches!(n, NetNote::TcpClosed { .. })), 400);
    assert_eq!(
        bench.noted(|n| matches!(n, NetNote::TcpReset { .. } | NetNote::FrameDropped { .. })),
        0
    );
}

#[test]
fn an_idle_connection_costs_nothing() {
    let mut bench = Bench::online(config());
    let socket = opened(&mut bench);
    assert!(bench.echo(socket, b"hello", Duration::from_secs(1)).is_some());
    bench.run(Duration::from_secs(1));
    // The next deadline is the end of the lease.
    let granted = bench
        .notes
        .iter()
        .find(|(_, n)| matches!(n, NetNote::DhcpAck { .. }))
        .unwrap()
        .0;
    assert_eq!(bench.net.next_due(), Some(granted + Duration::from_secs(7_200)));
    bench.run(Duration::from_secs(3_000));
    assert!(
        bench
            .echo(socket, b"still there", Duration::from_secs(1))
            .is_some()
    );
}
