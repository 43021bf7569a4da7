//! What the owner of the network does as host of its servers: answers connections, takes and sends datagrams.

use std::collections::BTreeSet;

use crate::frame::{self, Path};
use crate::hosting::{Connect, Datagram};
use crate::netsim::Netsim;
use crate::{DropReason, NetNote, Refusal};

/// Greatest payload of a datagram in one frame, bytes: 1500 minus the headers of IPv4 and UDP.
const MAX_DATAGRAM: usize = 1472;

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
