//! The servers that the device reaches through its gateway: those of this host.
//!
//! A TCP connection or UDP datagram to the gateway's address goes to the same port of 127.0.0.1, or to the
//! target of a forward for that port. A forward applies to its port at any address. All other connections are
//! refused.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use netsim::{Connect, Endpoint, Netsim, StreamEvent, StreamId};
use rustix::event::PollFlags;
use sim::Instant;

use crate::options::{Forward, Protocol};
use crate::tcp::{self, Joint, Life};
use crate::udp::Udp;

/// Time that the device has to finish its handshake; after it the connection to the server is closed.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// The forwards, and the connections to servers.
#[derive(Debug)]
pub(crate) struct Servers {
    gateway: Ipv4Addr,
    forwards: BTreeMap<(Protocol, u16), SocketAddr>,
    /// Connections that are being opened to a server while the device's SYN waits.
    opening: Vec<(Connect, OwnedFd)>,
    /// Connections that the server has accepted, while the device's handshake is not complete.
    accepted: BTreeMap<(Endpoint, Endpoint), (Instant, OwnedFd)>,
    joints: BTreeMap<StreamId, Joint>,
    udp: Udp,
}

impl Servers {
    /// Makes the servers for the device behind `net`; from now on they take its connections.
    pub(crate) fn new(net: &mut Netsim, gateway: Ipv4Addr, forwards: &[Forward]) -> Servers {
        let forwards: BTreeMap<_, _> = forwards.iter().map(|f| ((f.protocol, f.port), f.to)).collect();
        let udp = forwards
            .keys()
            .filter(|(protocol, _)| *protocol == Protocol::Udp)
            .map(|(_, port)| *port);
        net.set_hosted(udp.collect());
        Servers {
            gateway,
            forwards,
            opening: Vec::new(),
            accepted: BTreeMap::new(),
            joints: BTreeMap::new(),
            udp: Udp::default(),
        }
    }

    /// Address on this host of a server in the device's network; `None` if there is none.
    fn leads(&self, protocol: Protocol, (ip, port): Endpoint) -> Option<SocketAddr> {
        let forward = self.forwards.get(&(protocol, port)).copied();
        forward.or((ip == self.gateway).then_some((Ipv4Addr::LOCALHOST, port).into()))
    }

    /// Handles connections, datagrams and stream events of the device. Returns true if there were any.
    pub(crate) fn hear(&mut self, now: Instant, net: &mut Netsim) -> bool {
        let mut moved = false;
        for connect in net.take_connects() {
            moved = true;
            let socket = self
                .leads(Protocol::Tcp, connect.to)
                .map(tcp::connect)
                .and_then(Result::ok);
            match socket {
                Some(socket) => self.opening.push((connect, socket)),
                None => net.answer_connect(connect, false),
            }
        }
        moved |= self.open(now, net);
        for datagram in net.take_datagrams() {
            moved = true;
            if let Some(to) = self.leads(Protocol::Udp, datagram.to) {
                self.udp.send(now, &datagram, to);
            }
        }
        for event in net.take_stream_events() {
            moved = true;
            self.stream_event(net, event);
        }
        moved
    }

    /// Answers the device's SYN where the server has accepted or refused by now. Returns true if any was
    /// answered.
    fn open(&mut self, now: Instant, net: &mut Netsim) -> bool {
        let mut moved = false;
        for (connect, socket) in std::mem::take(&mut self.opening) {
            match tcp::connected(&socket) {
                None => self.opening.push((connect, socket)),
                Some(Ok(())) => {
                    moved = true;
                    self.accepted.insert((connect.from, connect.to), (now, socket));
                    net.answer_connect(connect, true);
                }
                Some(Err(_)) => {
                    moved = true;
                    net.answer_connect(connect, false);
                }
            }
        }
        moved
    }

    fn stream_event(&mut self, net: &mut Netsim, event: StreamEvent) {
        let (id, life) = match event {
            StreamEvent::Opened { id, from, to } => {
                match self.accepted.remove(&(from, to)) {
                    Some((_, socket)) => drop(self.joints.insert(id, Joint::new(socket))),
                    // The accepted socket is gone, for example after the timeout of the handshake.
                    None => net.stream_abort(id),
                }
                return;
            }
            StreamEvent::Reset { id } => {
                if let Some(joint) = self.joints.remove(&id) {
                    joint.reset();
                }
                return;
            }
            StreamEvent::Data { id, bytes } => {
                (id, self.joints.get_mut(&id).map(|j| j.data(net, id, &bytes)))
            }
            StreamEvent::HalfClosed { id } => (id, self.joints.get_mut(&id).map(|j| j.half_closed(net, id))),
            StreamEvent::Closed { id } => (id, self.joints.get_mut(&id).map(|j| j.closed(net, id))),
        };
        if life == Some(Life::Ended) {
            self.joints.remove(&id);
        }
    }

    /// Handles what the servers have sent, closed or accepted.
    pub(crate) fn turn(&mut self, now: Instant, net: &mut Netsim) {
        self.open(now, net);
        self.accepted
            .retain(|_, (since, _)| now.since(*since) < HANDSHAKE);
        self.joints
            .retain(|id, joint| joint.turn(now, net, *id) == Life::Goes);
        self.udp.receive(now, net);
    }

    /// Adds the sockets to poll, with the events to wait for.
    pub(crate) fn wait<'a>(&'a self, net: &Netsim, mut add: impl FnMut(BorrowedFd<'a>, PollFlags)) {
        for (_, socket) in &self.opening {
            add(socket.as_fd(), PollFlags::OUT);
        }
        for (id, joint) in &self.joints {
            if let Some((socket, flags)) = joint.wait(net, *id) {
                add(socket.as_fd(), flags);
            }
        }
        for socket in self.udp.sockets() {
            add(socket.as_fd(), PollFlags::IN);
        }
    }

    /// Number of open TCP connections.
    pub(crate) fn connections(&self) -> usize {
        self.joints.len()
    }
}
