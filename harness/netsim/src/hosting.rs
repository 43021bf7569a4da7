//! Servers outside the simulation: the owner of the network decides about connections, and receives
//! datagrams.
//!
//! Without hosting, connections to [`NetConfig::listeners`](crate::NetConfig::listeners) are accepted, and
//! datagrams that no service of the network handles are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use smoltcp::wire::IpProtocol;

use crate::frame::{self, Content, Path};
use crate::netsim::Netsim;
use crate::wan::Flow;
use crate::{DropReason, NetNote, Refusal};

const PORT_DNS: u16 = 53;
const PORT_NTP: u16 = 123;
/// Greatest number of connections that wait for an answer, and of datagrams that wait to be taken.
const MOST_WAITING: usize = 256;
/// Greatest payload of a datagram in one frame, bytes: 1500 minus the headers of IPv4 and UDP.
const MAX_DATAGRAM: usize = 1472;

/// An IPv4 address and a port.
pub type Endpoint = (Ipv4Addr, u16);

/// A connection that the station wants to open. It waits for [`Netsim::answer_connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The station's address and port.
    pub from: Endpoint,
    /// The server's address and port.
    pub to: Endpoint,
}

/// A UDP datagram to or from a hosted server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Address and port of the sender.
    pub from: Endpoint,
    /// Address and port of the receiver.
    pub to: Endpoint,
    /// Payload without headers.
    pub bytes: Vec<u8>,
}

/// Settings of hosting, and connections and datagrams that wait for the owner.
#[derive(Debug, Default)]
pub(crate) struct Hosting {
    on: bool,
    /// Ports whose datagrams are for the owner at any address, including the ports of DNS and SNTP.
    udp_ports: BTreeSet<u16>,
    /// The SYN of each connection that waits for an answer.
    asked: BTreeMap<Flow, Vec<u8>>,
    connects: Vec<Connect>,
    datagrams: Vec<Datagram>,
}

/// Result of the check of a frame for a server.
#[derive(Debug)]
pub(crate) enum Hosted {
    /// The frame is not for the owner.
    No,
    /// The owner gets the frame's connection or datagram.
    Taken,
    /// The frame is dropped for this reason.
    Dropped(DropReason),
}

impl Hosting {
    /// Checks a frame for a server. `known` returns true for existing connections.
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
                // A repeated SYN is not a new connection.
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

    /// True if DNS queries are for the owner.
    pub(crate) fn has_dns(&self) -> bool {
        self.on && self.udp_ports.contains(&PORT_DNS)
    }
}

impl Netsim {
    /// Makes the caller the host of the servers: each connection waits in
    /// [`take_connects`](Self::take_connects) for an answer, and datagrams to the gateway's address are in
    /// [`take_datagrams`](Self::take_datagrams). The network keeps DNS and SNTP unless `udp_ports` has their
    /// port. Datagrams to a port in `udp_ports` are for the caller at any address.
    pub fn set_hosted(&mut self, udp_ports: BTreeSet<u16>) {
        self.hosting.on = true;
        self.hosting.udp_ports = udp_ports;
    }

    /// Returns the new connections that wait for an answer.
    pub fn take_connects(&mut self) -> Vec<Connect> {
        std::mem::take(&mut self.hosting.connects)
    }

    /// Accepts or refuses a connection of [`take_connects`](Self::take_connects). An accepted one is opened,
    /// with the event [`StreamEvent::Opened`](crate::StreamEvent::Opened); a refused one gets a reset, as
    /// from a closed port. No effect on a connection that does not wait.
    pub fn answer_connect(&mut self, connect: Connect, accept: bool) {
        if let Some(syn) = self.hosting.asked.remove(&(connect.from, connect.to)) {
            self.for_a_server(syn, (!accept).then_some(Refusal::NobodyListens));
        }
    }

    /// Returns the datagrams for the host since the last call.
    pub fn take_datagrams(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.hosting.datagrams)
    }

    /// Sends a datagram from a server to the station. A datagram that does not fit into a frame is dropped,
    /// with a note.
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
