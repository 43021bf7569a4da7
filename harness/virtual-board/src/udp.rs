//! UDP between the device and servers of this host, with one socket for each pair of endpoints, as in network
//! address translation.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use netsim::{Datagram, Endpoint, Netsim};
use sim::Instant;

/// Lifetime of an exchange without datagrams (RFC 4787 asks for two minutes at least).
const FORGOTTEN: Duration = Duration::from_secs(120);
/// Greatest number of exchanges; a new one replaces the one without datagrams for longest.
const MOST: usize = 64;

/// A pair of endpoints with its socket on this host.
#[derive(Debug)]
struct Exchange {
    socket: UdpSocket,
    last: Instant,
}

/// All exchanges, by the device's endpoint and the server's endpoint in the device's network.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    exchanges: BTreeMap<(Endpoint, Endpoint), Exchange>,
}

impl Udp {
    /// Sends a datagram of the device to the server at `to`. A datagram that cannot be sent is lost, as UDP
    /// allows.
    pub(crate) fn send(&mut self, now: Instant, datagram: &Datagram, to: SocketAddr) {
        let key = (datagram.from, datagram.to);
        if !self.exchanges.contains_key(&key) {
            self.exchanges.retain(|_, e| now.since(e.last) < FORGOTTEN);
            if self.exchanges.len() >= MOST
                && let Some(oldest) = self.exchanges.iter().min_by_key(|(_, e)| e.last).map(|(k, _)| *k)
            {
                self.exchanges.remove(&oldest);
            }
            let Ok(socket) = connected(to) else { return };
            self.exchanges.insert(key, Exchange { socket, last: now });
        }
        if let Some(exchange) = self.exchanges.get_mut(&key) {
            exchange.last = now;
            // The error may be that of an earlier datagram to a closed port; so this one is sent again.
            if exchange.socket.send(&datagram.bytes).is_err() {
                let _ = exchange.socket.send(&datagram.bytes);
            }
        }
    }

    /// Sends the servers' datagrams to the device.
    pub(crate) fn receive(&mut self, now: Instant, net: &mut Netsim) {
        let mut buffer = [0; 2048];
        for ((device, server), exchange) in &mut self.exchanges {
            for _ in 0..64 {
                let Ok(len) = exchange.socket.recv(&mut buffer) else {
                    break;
                };
                exchange.last = now;
                net.send_datagram(&Datagram {
                    from: *server,
                    to: *device,
                    bytes: buffer[..len].to_vec(),
                });
            }
        }
    }

    /// The sockets to poll for input.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        self.exchanges.values().map(|e| &e.socket)
    }
}

fn connected(to: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(to)?;
    Ok(socket)
}
