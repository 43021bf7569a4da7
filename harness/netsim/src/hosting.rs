//! Servers outside the simulation: the owner of the network decides about connections, and receives
//! datagrams.
//!
//! Without hosting, connections to [`NetConfig::listeners`](crate::NetConfig::listeners) are accepted, and
//! datagrams that no service of the network handles are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use smoltcp::wire::IpProtocol;

use crate::DropReason;
use crate::frame::{self, Content};
use crate::wan::Flow;

const PORT_DNS: u16 = 53;
const PORT_NTP: u16 = 123;
/// Greatest number of connections that wait for an answer, and of datagrams that wait to be taken.
const MOST_WAITING: usize = 256;

/// An IPv4 address and a port.
pub type Endpoint = (Ipv4Addr, u16);

/// A connection that the station wants to open. It waits for
/// [`Netsim::answer_connect`](crate::Netsim::answer_connect).
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
    pub(crate) on: bool,
    /// Ports whose datagrams are for the owner at any address, including the ports of DNS and SNTP.
    pub(crate) udp_ports: BTreeSet<u16>,
    /// The SYN of each connection that waits for an answer.
    pub(crate) asked: BTreeMap<Flow, Vec<u8>>,
    pub(crate) connects: Vec<Connect>,
    pub(crate) datagrams: Vec<Datagram>,
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
