//! What the network tells: events on streams, for the servers, and notes, for whoever watches.

use std::net::Ipv4Addr;

use sim::UnixTime;
use sim::air::{Mac, Reason};

use crate::StreamId;

/// Something happened on a TCP stream. The server's side speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The three-way handshake is through.
    Opened {
        /// The stream.
        id: StreamId,
        /// The station's address and port.
        from: (Ipv4Addr, u16),
        /// The server's address and port that it asked for.
        to: (Ipv4Addr, u16),
    },
    /// Bytes came, in order.
    Data {
        /// The stream.
        id: StreamId,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// The station sends no more; it still listens.
    HalfClosed {
        /// The stream.
        id: StreamId,
    },
    /// Both sides said goodbye. The last event of the stream.
    Closed {
        /// The stream.
        id: StreamId,
    },
    /// The station reset the connection, or it died of silence. The last event of the stream.
    Reset {
        /// The stream.
        id: StreamId,
    },
}

/// Who ended a connection without a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetBy {
    /// The station sent a reset.
    Station,
    /// The server did ([`Netsim::stream_abort`](crate::Netsim::stream_abort)).
    Server,
    /// Nothing was acknowledged for too long.
    Silence,
}

/// What the DNS server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// An A record.
    Address(Ipv4Addr),
    /// The name exists and has no record of the type asked for.
    NoData,
    /// The name does not exist (RCODE 3).
    NxDomain,
    /// The server failed (RCODE 2).
    ServFail,
    /// The query made no sense (RCODE 1).
    FormErr,
    /// A kind of query that is not served (RCODE 4).
    NotImplemented,
    /// Nothing was said.
    Silent,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Nobody listens at that address and port.
    NobodyListens,
    /// A rule refuses it: [`Netsim::refuse`](crate::Netsim::refuse).
    Rule,
    /// The servers have no place for one more connection.
    Full,
}

/// Why a frame went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The station has no association.
    NotAssociated,
    /// The access point is off, or on another channel.
    AccessPointGone,
    /// The station vanished; nobody hears the frame.
    StationGone,
    /// The source MAC address is not the associated station's.
    ForeignSource,
    /// Not Ethernet II with IPv4 or ARP, or cut short.
    Unreadable,
    /// Longer than an Ethernet frame can be, 1514 bytes.
    TooLong,
    /// A bad checksum.
    Checksum,
    /// IPv6, multicast, a fragment: nobody here listens.
    NotServed,
    /// The source address lies outside the subnet, so no answer could come back.
    ForeignAddress,
    /// Nobody has the destination address.
    NoSuchHost,
    /// Lost by an impairment.
    Impairment,
    /// No place for one more connection.
    TooManyStreams,
    /// The link's queue is full.
    QueueFull,
}

/// Something that was observed, for reports, expectations and fault triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetNote {
    /// The station started a scan.
    ScanAsked {
        /// Only this network.
        ssid: Option<String>,
    },
    /// The station asked to join.
    ConnectAsked {
        /// The network.
        ssid: String,
    },
    /// The association stands.
    Associated {
        /// The station.
        mac: Mac,
        /// The channel on which.
        channel: u8,
        /// The signal at that moment, dBm.
        rssi_dbm: i8,
    },
    /// An attempt to associate failed.
    AssociationRefused {
        /// Why, as the station hears it.
        reason: Reason,
    },
    /// An association ended.
    Disassociated {
        /// Why, as the station hears it.
        reason: Reason,
    },
    /// The station vanished.
    Vanished,
    /// A DHCP discover came.
    DhcpDiscover {
        /// Who asked.
        mac: Mac,
    },
    /// A DHCP offer was made.
    DhcpOffer {
        /// The address.
        ip: Ipv4Addr,
    },
    /// A DHCP request came.
    DhcpRequest {
        /// The address asked for.
        ip: Ipv4Addr,
    },
    /// A lease was granted or renewed.
    DhcpAck {
        /// The address.
        ip: Ipv4Addr,
    },
    /// A request was refused.
    DhcpNak {
        /// The address asked for.
        ip: Ipv4Addr,
    },
    /// A lease was given back.
    DhcpRelease {
        /// The address.
        ip: Ipv4Addr,
    },
    /// The station found that another host has the address.
    DhcpDecline {
        /// The address.
        ip: Ipv4Addr,
    },
    /// A lease ran out unrenewed.
    DhcpExpired {
        /// The address.
        ip: Ipv4Addr,
    },
    /// A DNS query was answered, or left unanswered.
    DnsQuery {
        /// The name, lower case.
        name: String,
        /// The answer.
        answer: DnsAnswer,
    },
    /// An SNTP poll has reached a server, which has not answered it.
    SntpAsked {
        /// Who asks.
        client: Ipv4Addr,
    },
    /// An SNTP poll was answered, or left unanswered.
    SntpPoll {
        /// Who asked.
        client: Ipv4Addr,
        /// The time in the answer.
        answered: Option<UnixTime>,
    },
    /// A connection stands.
    TcpOpened {
        /// The stream.
        id: StreamId,
        /// The station's port.
        from_port: u16,
        /// The server.
        to: (Ipv4Addr, u16),
    },
    /// A connection ended with a goodbye from both sides.
    TcpClosed {
        /// The stream.
        id: StreamId,
    },
    /// A connection ended without.
    TcpReset {
        /// The stream.
        id: StreamId,
        /// Who ended it.
        by: ResetBy,
    },
    /// A connection was refused.
    TcpRefused {
        /// The server that was asked for.
        to: (Ipv4Addr, u16),
        /// Why.
        why: Refusal,
    },
    /// A datagram came to a place where nobody listens.
    UdpUnheard {
        /// The place.
        to: (Ipv4Addr, u16),
    },
    /// A frame went no further.
    FrameDropped {
        /// Why.
        why: DropReason,
    },
}
