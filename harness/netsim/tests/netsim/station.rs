//! A station with a network stack, and a bench that advances time for the station and the network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use netsim::{NetConfig, NetNote, Netsim, StreamEvent, StreamId};
use sim::Instant;
use sim::air::{FromAir, Mac, Reason, ToAir};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{dhcpv4, dns, icmp, tcp, udp};
use smoltcp::wire::{DnsQueryType, EthernetAddress, IpAddress, IpCidr, IpEndpoint};

pub(crate) const MAC: Mac = [0x34, 0x85, 0x18, 0x0a, 0x0b, 0x0c];
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

pub(crate) fn config() -> NetConfig {
    let mut config = NetConfig::default();
    config.dns_records.insert("Cloud.test".into(), SERVER);
    for port in [80, 8080] {
        config.listeners.insert((SERVER, port), "cloud".into());
    }
    config
}

#[derive(Default)]
struct Wire {
    rx: std::collections::VecDeque<Vec<u8>>,
    tx: Vec<Vec<u8>>,
}

struct Rx(Vec<u8>);
struct Tx<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Rx, Tx<'_>)> {
        Some((Rx(self.rx.pop_front()?), Tx(&mut self.tx)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = 1514;
        caps
    }
}

/// Behaviour of the servers with received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Sends everything back, and closes when the station does.
    Echo,
    /// Stores the bytes.
    Sink,
}

pub(crate) struct Bench {
    pub(crate) net: Netsim,
    pub(crate) now: Instant,
    pub(crate) server: Server,
    pub(crate) events: Vec<(Instant, StreamEvent)>,
    pub(crate) heard: Vec<(Instant, FromAir)>,
    pub(crate) notes: Vec<(Instant, NetNote)>,
    pub(crate) received: BTreeMap<StreamId, Vec<u8>>,
    pub(crate) lease: Option<(Ipv4Addr, Vec<Ipv4Addr>)>,
    iface: Interface,
    pub(crate) sockets: SocketSet<'static>,
    wire: Wire,
    dhcp: SocketHandle,
    dns: SocketHandle,
    next_port: u16,
    /// While there is no association, the driver drops frames of the stack.
    associated: bool,
    /// The station keeps its address, and so its connections, when the association is lost.
    pub(crate) keeps_address: bool,
}

pub(crate) fn stack_time(at: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(at.as_micros() as i64)
}

impl Bench {
    pub(crate) fn new(config: NetConfig) -> Bench {
        let mut wire = Wire::default();
        let settings = Config::new(EthernetAddress(MAC).into());
        let iface = Interface::new(settings, &mut wire, stack_time(Instant::ZERO));
        let mut sockets = SocketSet::new(vec![]);
        let dhcp = sockets.add(dhcpv4::Socket::new());
        let dns = sockets.add(dns::Socket::new(&[], vec![]));
        Bench {
            net: Netsim::new(config).unwrap(),
            now: Instant::ZERO,
            server: Server::Echo,
            events: vec![],
            heard: vec![],
            notes: vec![],
            received: BTreeMap::new(),
            lease: None,
            iface,
            sockets,
            wire,
            dhcp,
            dns,
            next_port: 50_000,
            associated: false,
            keeps_address: false,
        }
    }

    /// A station that is associated and has an address.
    pub(crate) fn online(config: NetConfig) -> Bench {
        let mut bench = Bench::new(config);
        bench.connect("oceanrig", "salt-water");
        assert!(
            bench.until(Duration::from_secs(20), |b| b.lease.is_some()),
            "no lease"
        );
        bench
    }

    pub(crate) fn connect(&mut self, ssid: &str, password: &str) {
        let (ssid, password) = (ssid.to_owned(), password.to_owned());
        self.ask(ToAir::Connect {
            ssid,
            password,
            bssid: None,
            mac: MAC,
        });
    }

    pub(crate) fn ask(&mut self, msg: ToAir) {
        self.net.from_station(self.now, msg);
    }

    /// Runs until `done` returns true, or for `limit`. Returns true if it did.
    pub(crate) fn until(&mut self, limit: Duration, mut done: impl FnMut(&mut Bench) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            // Sends what `done` has written.
            self.settle();
            let stack = self.iface.poll_at(stack_time(self.now), &self.sockets);
            let stack = stack.map(|t| Instant::from_nanos(t.total_micros().max(0) as u64 * 1_000));
            let next = stack
                .into_iter()
                .chain(self.net.next_due())
                .min()
                .unwrap_or(Instant::FAR_FUTURE);
            if next > end {
                self.now = end;
                self.net.poll(end);
                self.settle();
                return done(self);
            }
            self.now = next.max(self.now + Duration::from_micros(1));
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.until(time, |_| false);
    }

    /// Processes all events of the present moment.
    fn settle(&mut self) {
        loop {
            self.net.poll(self.now);
            let messages = self.net.take_to_station();
            let events = self.net.take_stream_events();
            let quiet = messages.is_empty() && events.is_empty();
            for message in messages {
                match message {
                    FromAir::Frame(frame) => self.wire.rx.push_back(frame),
                    FromAir::Connected { .. } => {
                        self.associated = true;
                        if !self.keeps_address {
                            self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.dhcp).reset();
                        }
                        self.heard.push((self.now, message));
                    }
                    _ => {
                        self.associated &= !matches!(message, FromAir::Disconnected { .. });
                        self.heard.push((self.now, message));
                    }
                }
            }
            for event in events {
                self.serve(&event);
                self.events.push((self.now, event));
            }
            self.iface
                .poll(stack_time(self.now), &mut self.wire, &mut self.sockets);
            self.configure();
            let sent = std::mem::take(&mut self.wire.tx);
            let silent = sent.is_empty();
            for frame in sent {
                if !self.associated {
                    continue;
                }
                self.net.from_station(self.now, ToAir::Frame(frame));
            }
            self.notes.extend(self.net.take_notes());
            if quiet && silent && self.net.next_due().is_none_or(|t| t > self.now) {
                return;
            }
        }
    }

    fn serve(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Data { id, bytes } if self.server == Server::Echo => {
                self.net.stream_send(*id, bytes)
            }
            StreamEvent::Data { id, bytes } => self.received.entry(*id).or_default().extend(bytes),
            StreamEvent::HalfClosed { id } => self.net.stream_close(*id),
            _ => (),
        }
    }

    fn configure(&mut self) {
        let event = self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.dhcp).poll();
        match event {
            None => (),
            Some(dhcpv4::Event::Configured(lease)) => {
                let address = lease.address;
                self.iface.update_ip_addrs(|a| {
                    a.clear();
                    a.push(IpCidr::Ipv4(address)).unwrap();
                });
                if let Some(router) = lease.router {
                    self.iface.routes_mut().add_default_ipv4_route(router).unwrap();
                }
                let servers: Vec<Ipv4Addr> = lease.dns_servers.iter().copied().collect();
                let addresses: Vec<IpAddress> = servers.iter().map(|s| IpAddress::Ipv4(*s)).collect();
                self.sockets
                    .get_mut::<dns::Socket<'_>>(self.dns)
                    .update_servers(&addresses);
                self.lease = Some((address.address(), servers));
            }
            Some(dhcpv4::Event::Deconfigured) => {
                self.iface.update_ip_addrs(|a| a.clear());
                self.lease = None;
            }
        }
    }

    /// Resolves a name; `None` if it does not exist or there is no answer.
    pub(crate) fn resolve(&mut self, name: &str) -> Option<IpAddress> {
        let dns = self.dns;
        let socket = self.sockets.get_mut::<dns::Socket<'_>>(dns);
        let query = socket
            .start_query(self.iface.context(), name, DnsQueryType::A)
            .unwrap();
        let mut answer = None;
        self.until(Duration::from_secs(30), |b| {
            match b.sockets.get_mut::<dns::Socket<'_>>(dns).get_query_result(query) {
                Err(dns::GetQueryResultError::Pending) => false,
                Err(dns::GetQueryResultError::Failed) => true,
                Ok(addresses) => {
                    answer = addresses.first().copied();
                    true
                }
            }
        });
        answer
    }

    /// Starts a TCP connection.
    pub(crate) fn dial(&mut self, to: (Ipv4Addr, u16)) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 8192]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        let port = self.next_port;
        self.next_port = if port == 59_999 { 50_000 } else { port + 1 };
        socket
            .connect(self.iface.context(), IpEndpoint::new(to.0.into(), to.1), port)
            .unwrap();
        self.sockets.add(socket)
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Sends `bytes` and waits until as many have been received; returns the time of that.
    pub(crate) fn echo(&mut self, handle: SocketHandle, bytes: &[u8], limit: Duration) -> Option<Duration> {
        let (start, mut sent, mut back) = (self.now, 0, vec![]);
        let done = self.until(limit, |b| {
            let socket = b.tcp(handle);
            if sent < bytes.len() && socket.can_send() {
                sent += socket.send_slice(&bytes[sent..]).unwrap();
            }
            while socket.can_recv() {
                socket
                    .recv(|part| (part.len(), back.extend_from_slice(part)))
                    .unwrap();
            }
            back.len() >= bytes.len()
        });
        assert!(!done || back == bytes, "other bytes came back");
        done.then(|| self.now.since(start))
    }

    /// Sends a datagram from `port` and waits for the answer.
    pub(crate) fn datagram(&mut self, port: u16, to: (Ipv4Addr, u16), bytes: &[u8]) -> Option<Vec<u8>> {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2048]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).unwrap();
        socket
            .send_slice(bytes, IpEndpoint::new(to.0.into(), to.1))
            .unwrap();
        let handle = self.sockets.add(socket);
        let mut answer = None;
        self.until(Duration::from_secs(2), |b| {
            let socket = b.sockets.get_mut::<udp::Socket<'_>>(handle);
            answer = socket.recv().ok().map(|(bytes, _)| bytes.to_vec());
            answer.is_some()
        });
        self.sockets.remove(handle);
        answer
    }

    /// Pings an address; returns the round-trip time.
    pub(crate) fn ping(&mut self, to: Ipv4Addr) -> Option<Duration> {
        let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 512]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(icmp::Endpoint::Ident(7)).unwrap();
        // Echo request, code 0, checksum, ident 7, sequence 1.
        socket
            .send_slice(&[8, 0, 0xf7, 0xf7, 0, 7, 0, 1], to.into())
            .unwrap();
        let handle = self.sockets.add(socket);
        let start = self.now;
        let mut came = false;
        self.until(Duration::from_secs(2), |b| {
            came = b.sockets.get_mut::<icmp::Socket<'_>>(handle).recv().is_ok();
            came
        });
        self.sockets.remove(handle);
        came.then(|| self.now.since(start))
    }

    pub(crate) fn disconnects(&self) -> Vec<(u64, Reason)> {
        self.heard
            .iter()
            .filter_map(|(at, m)| match m {
                FromAir::Disconnected { reason, .. } => Some((at.as_millis(), *reason)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(
            self.heard
                .iter()
                .rfind(|(_, m)| !matches!(m, FromAir::ScanDone(_) | FromAir::Rssi(_))),
            Some((_, FromAir::Connected { .. }))
        )
    }

    pub(crate) fn noted(&self, wanted: impl Fn(&NetNote) -> bool) -> usize {
        self.notes.iter().filter(|(_, n)| wanted(n)).count()
    }
}
