//! Connections between the device and servers of this host.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use virtual_board::Forward;

use crate::rig::{Rig, eventually};

fn settings(port: &str) -> [(&str, &str); 7] {
    [
        ("wifi.ssid", "oceanrig"),
        ("wifi.password", "salt-water"),
        ("server.host", "cloud.example"),
        ("server.port", port),
        ("ntp.server", "time.example"),
        ("device.registration_token", "reg-token-0123456789"),
        ("interval.poll_ms", "1000"),
    ]
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Reads up to the end of a request's header.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn the_firmware_reaches_a_server_on_loopback_and_sees_it_go() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rig = Rig::with_firmware(&settings(&port), |_| {});
    let mut terminal = rig.open_at_boot();
    terminal.until("[WIFI] Connected, IP 192.168.4.100");
    terminal.until("[TIME] Synced by NTP: 20");
    let status = rig.status();
    assert_eq!(
        (&status["connected"], &status["address"]),
        (&true.into(), &"192.168.4.100".into())
    );
    let mut stream = accept(&listener);
    let request = head(&mut stream);
    assert!(request.starts_with("POST /"), "{request}");
    assert!(
        request.to_ascii_lowercase().contains("host: cloud.example"),
        "{request}"
    );
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap();
    // The close sends a reset, not a FIN.
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
    terminal.until("[REG] Request failed: connection ");
    eventually("the connection stays", || rig.status()["connections"] == 0);
}

#[test]
fn a_closed_port_refuses_and_a_forward_leads_elsewhere() {
    // A port without a listener.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let rig = Rig::with_firmware(&settings(&closed.to_string()), |_| {});
    let mut terminal = rig.open_at_boot();
    terminal.until("refused");
    drop(rig);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let time = UdpSocket::bind("127.0.0.1:0").unwrap();
    let forwards: Vec<Forward> = [
        format!("tcp:80={}", listener.local_addr().unwrap()),
        format!("udp:123={}", time.local_addr().unwrap()),
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    let rig = Rig::with_firmware(&settings("80"), |options| options.forwards = forwards);
    rig.tell("reset");
    time.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut poll = [0; 64];
    assert_eq!(time.recv(&mut poll).unwrap(), 48, "an SNTP poll");
    assert_eq!(poll[0] & 7, 3, "of a client");
    head(&mut accept(&listener));
}

#[test]
fn a_connection_through_a_cut_in_the_radio_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rig = Rig::with_firmware(&settings(&port), |_| {});
    let mut terminal = rig.open_at_boot();
    let mut stream = accept(&listener);
    head(&mut stream);
    rig.tell("ap off");
    stream
        .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    eventually("the status does not tell", || rig.status()["ap"] == false);
    rig.tell("ap on");
    terminal.until("503");
}
