//! Servers outside the simulation: whoever holds the network is asked about connections, and gets datagrams.
//!
//! Without hosting [`NetConfig::listeners`](crate::NetConfig::listeners) says where connections are accepted, and
//! datagrams that no service of the network knows are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use smoltcp::wire::IpProtocol;

use crate::frame::{self, Content, Path};
use crate::netsim::Netsim;
use crate::wan::Flow;
use crate::{DropReason, NetNote, Refusal};

const PORT_DNS: u16 = 53;
const PORT_NTP: u16 = 123;
/// Connections that wait for an answer, and datagrams that wait to be taken, at one time.
const MOST_WAITING: usize = 256;
/// Payload of the largest datagram that fits a frame: 1500 bytes less the headers of IPv4 and UDP.
const MAX_DATAGRAM: usize = 1472;

/// An address and a port.
pub type Endpoint = (Ipv4Addr, u16);

/// A connection that the station wants to open, until [`Netsim::answer_connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The station's address and port.
    pub from: Endpoint,
    /// The server's address and port that it asks for.
    pub to: Endpoint,
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: Endpoint,
    /// Who shall have it.
    pub to: Endpoint,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// What is hosted, and what waits for the host.
#[derive(Debug, Default)]
pub(crate) struct Hosting {
    on: bool,
    /// Ports whose datagrams go to the host whatever their address, those of DNS and SNTP included.
    udp_ports: BTreeSet<u16>,
    /// The SYN of each connection that waits for an answer.
    asked: BTreeMap<Flow, Vec<u8>>,
    connects: Vec<Connect>,
    datagrams: Vec<Datagram>,
}

/// What becomes of a frame that came for a server.
#[derive(Debug)]
pub(crate) enum Hosted {
    /// Not the host's business.
    No,
    /// The host has it, or nobody.
    Taken,
    /// It goes no further.
    Dropped(DropReason),
}

impl Hosting {
    /// Looks at a frame for a server. `known` tells connections that exist already.
    pub(crate) fn look(
        &mut self,
        gateway: Ipv4Addr,
        bytes: &[u8],
        known: impl FnOnce(&Flow) -> bool,
    ) -> Hosted {
        if !self.on {
            return Hosted::No;
        }
        let Ok(Content::Ipv4(ip)) = frame::read(bytes) else {
            return Hosted::No;
        };
        let Some((from_port, to_port)) = ip.ports() else {
            return Hosted::No;
        };
        let (from, to) = ((ip.src, from_port), (ip.dst, to_port));
        match ip.protocol {
            IpProtocol::Tcp => {
                if ip.tcp_flags() & (frame::SYN | frame::ACK | frame::RST) != frame::SYN || known(&(from, to))
                {
                    return Hosted::No;
                }
                // A SYN that comes again asks nothing new.
                if !self.asked.contains_key(&(from, to)) {
                    if self.asked.len() >= MOST_WAITING {
                        return Hosted::Dropped(DropReason::TooManyStreams);
                    }
                    self.asked.insert((from, to), bytes.to_vec());
                    self.connects.push(Connect { from, to });
                }
                Hosted::Taken
            }
            IpProtocol::Udp => {
                let own = matches!(to_port, PORT_DNS | PORT_NTP);
                if !self.udp_ports.contains(&to_port) && (own || ip.dst != gateway) {
                    return Hosted::No;
                }
                let payload = match ip.udp() {
                    Ok((_, payload)) => payload.to_vec(),
                    Err(why) => return Hosted::Dropped(why),
                };
                if self.datagrams.len() >= MOST_WAITING {
                    return Hosted::Dropped(DropReason::QueueFull);
                }
                self.datagrams.push(Datagram {
                    from,
                    to,
                    bytes: payload,
                });
                Hosted::Taken
            }
            _ => Hosted::No,
        }
    }

    /// Whether DNS queries go to the host.
    pub(crate) fn has_dns(&self) -> bool {
        self.on && self.udp_ports.contains(&PORT_DNS)
    }
}

impl Netsim {
    /// From now on the caller stands in for the servers: each connection waits in
    /// [`take_connects`](Self::take_connects) for an answer, and datagrams to the gateway's address are in
    /// [`take_datagrams`](Self::take_datagrams). DNS and SNTP stay the network's own unless `udp_ports` has their port;
    /// datagrams to a port in it are the caller's whatever their address.
    pub fn set_hosted(&mut self, udp_ports: BTreeSet<u16>) {
        self.hosting.on = true;
        self.hosting.udp_ports = udp_ports;
    }

    /// Takes the connections that wait for an answer.
    pub fn take_connects(&mut self) -> Vec<Connect> {
        std::mem::take(&mut self.hosting.connects)
    }

    /// Lets a connection of [`take_connects`](Self::take_connects) come about, which
    /// [`StreamEvent::Opened`](crate::StreamEvent::Opened) then tells, or turns it away with a reset as a closed port
    /// does. Without effect on one that does not wait.
    pub fn answer_connect(&mut self, connect: Connect, accept: bool) {
        if let Some(syn) = self.hosting.asked.remove(&(connect.from, connect.to)) {
            self.for_a_server(syn, (!accept).then_some(Refusal::NobodyListens));
        }
    }

    /// Takes the datagrams that came for the host.
    pub fn take_datagrams(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.hosting.datagrams)
    }

    /// Sends a datagram from a server to the station. One that does not fit a frame is dropped, with a note.
    pub fn send_datagram(&mut self, datagram: &Datagram) {
        if datagram.bytes.len() > MAX_DATAGRAM {
            let why = DropReason::TooLong;
            self.notes.push(self.now, NetNote::FrameDropped { why });
            return;
        }
        let path = Path {
            src_mac: [0; 6],
            dst_mac: [0; 6],
            src: datagram.from,
            dst: datagram.to,
        };
        self.send_from_server(frame::udp(path, &datagram.bytes));
    }
}
