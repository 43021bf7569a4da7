//! Outputs of the network: events of streams, for the servers, and notes, for reports, expectations and
//! triggers.

use std::net::Ipv4Addr;

use sim::UnixTime;
use sim::air::{Mac, Reason};

use crate::StreamId;

/// An event of a TCP stream, from the server's point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The three-way handshake is complete.
    Opened {
        /// The new stream.
        id: StreamId,
        /// The station's address and port.
        from: (Ipv4Addr, u16),
        /// The server's address and port that it asked for.
        to: (Ipv4Addr, u16),
    },
    /// Bytes were received, in order.
    Data {
        /// Stream with the bytes.
        id: StreamId,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// The station sends no more bytes; it can still receive.
    HalfClosed {
        /// Stream that is half-closed.
        id: StreamId,
    },
    /// Both sides have closed the connection. The last event of the stream.
    Closed {
        /// Stream that has ended.
        id: StreamId,
    },
    /// The station reset the connection, or it timed out. The last event of the stream.
    Reset {
        /// Stream that has ended.
        id: StreamId,
    },
}

/// Cause of the end of a connection that was not closed by both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetBy {
    /// The station sent a reset.
    Station,
    /// The server reset it ([`Netsim::stream_abort`](crate::Netsim::stream_abort)).
    Server,
    /// The station sent no acknowledgement for too long.
    Silence,
}

/// Answer of the DNS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// An A record with this address.
    Address(Ipv4Addr),
    /// The name exists, and has no record of the requested type.
    NoData,
    /// The name does not exist (RCODE 3).
    NxDomain,
    /// The server failed (RCODE 2).
    ServFail,
    /// The query could not be parsed (RCODE 1).
    FormErr,
    /// A kind of query that is not served (RCODE 4).
    NotImplemented,
    /// No answer was sent.
    Silent,
}

/// Reason why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No server listens at that address and port.
    NobodyListens,
    /// A rule refuses it: [`Netsim::refuse`](crate::Netsim::refuse).
    Rule,
    /// The greatest number of connections is reached.
    Full,
}

/// Reason why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The station has no association.
    NotAssociated,
    /// The access point is off, or on another channel.
    AccessPointGone,
    /// The station is gone and does not receive the frame.
    StationGone,
    /// The source MAC address is not the associated station's.
    ForeignSource,
    /// The frame is not Ethernet II with IPv4 or ARP, or it is truncated.
    Unreadable,
    /// The frame is longer than 1514 bytes, the limit of Ethernet.
    TooLong,
    /// A checksum is wrong.
    Checksum,
    /// IPv6, multicast or a fragment: the network has no receiver for it.
    NotServed,
    /// The source address is outside the subnet, so an answer could not be returned.
    ForeignAddress,
    /// No host has the destination address.
    NoSuchHost,
    /// An impairment lost the frame.
    Impairment,
    /// The greatest number of connections is reached.
    TooManyStreams,
    /// The queue of the link is full.
    QueueFull,
}

/// An observation, for reports, expectations and fault triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetNote {
    /// The station started a scan.
    ScanAsked {
        /// Name, if the scan is only for this network.
        ssid: Option<String>,
    },
    /// The station asked to join.
    ConnectAsked {
        /// Name of the network.
        ssid: String,
    },
    /// The association is established.
    Associated {
        /// MAC address of the station.
        mac: Mac,
        /// Channel of the association.
        channel: u8,
        /// Signal strength at that moment, dBm.
        rssi_dbm: i8,
    },
    /// An attempt to associate failed.
    AssociationRefused {
        /// Reason that the station gets.
        reason: Reason,
    },
    /// An association ended.
    Disassociated {
        /// Reason that the station gets.
        reason: Reason,
    },
    /// The station is gone without notice.
    Vanished,
    /// A DHCP discover was received.
    DhcpDiscover {
        /// MAC address of the client.
        mac: Mac,
    },
    /// A DHCP offer was made.
    DhcpOffer {
        /// Address of the offer.
        ip: Ipv4Addr,
    },
    /// A DHCP request was received.
    DhcpRequest {
        /// Address of the request.
        ip: Ipv4Addr,
    },
    /// A lease was granted or renewed.
    DhcpAck {
        /// Address of the lease.
        ip: Ipv4Addr,
    },
    /// A DHCP request was refused.
    DhcpNak {
        /// Address of the request.
        ip: Ipv4Addr,
    },
    /// The station released its lease.
    DhcpRelease {
        /// Address of the released lease.
        ip: Ipv4Addr,
    },
    /// The station found another host with its address.
    DhcpDecline {
        /// Address that the station declined.
        ip: Ipv4Addr,
    },
    /// A lease ended without a renewal.
    DhcpExpired {
        /// Address of the lease.
        ip: Ipv4Addr,
    },
    /// A DNS query was answered, or left unanswered.
    DnsQuery {
        /// Requested name, lower case.
        name: String,
        /// Answer of the server.
        answer: DnsAnswer,
    },
    /// A server received an SNTP request and has not answered it yet.
    SntpAsked {
        /// Address of the client.
        client: Ipv4Addr,
    },
    /// An SNTP poll was answered, or left unanswered.
    SntpPoll {
        /// Address of the client.
        client: Ipv4Addr,
        /// The time in the answer.
        answered: Option<UnixTime>,
    },
    /// A connection was established.
    TcpOpened {
        /// Stream of the connection.
        id: StreamId,
        /// The station's port.
        from_port: u16,
        /// Address and port of the server.
        to: (Ipv4Addr, u16),
    },
    /// A connection was closed by both sides.
    TcpClosed {
        /// Stream of the connection.
        id: StreamId,
    },
    /// A connection ended without a close by both sides.
    TcpReset {
        /// Stream of the connection.
        id: StreamId,
        /// Cause of the end.
        by: ResetBy,
    },
    /// A connection was refused.
    TcpRefused {
        /// Address and port of the server.
        to: (Ipv4Addr, u16),
        /// Reason of the refusal.
        why: Refusal,
    },
    /// A datagram came to an address and port without a server.
    UdpUnheard {
        /// Destination of the datagram.
        to: (Ipv4Addr, u16),
    },
    /// A frame was dropped.
    FrameDropped {
        /// Reason of the drop.
        why: DropReason,
    },
}
