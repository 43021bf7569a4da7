//! Reading and building Ethernet II frames with ARP, IPv4 and UDP.

use std::net::Ipv4Addr;

use sim::air::Mac;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr,
    UdpPacket, UdpRepr,
};

use crate::DropReason;

/// Length of an Ethernet header, bytes: destination, source, type (IEEE 802.3, 3.1.1). Frames here have no
/// check sequence.
pub(crate) const ETHERNET_HEADER: usize = 14;
/// Greatest length of a frame, bytes: header and 1500 bytes of payload (RFC 894).
pub(crate) const MAX_FRAME: usize = 1514;
/// The broadcast MAC address.
pub(crate) const BROADCAST: Mac = [0xff; 6];

const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_ARP: [u8; 2] = [0x08, 0x06];
/// Length of an IPv4 header without options, bytes (RFC 791, 3.1).
const IPV4_HEADER: usize = 20;
/// Length of a UDP header, bytes (RFC 768).
const UDP_HEADER: usize = 8;

/// An IPv4 packet in a frame; header and length are checked, the payload is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4<'a> {
    /// IPv4 address of the sender.
    pub(crate) src: Ipv4Addr,
    /// IPv4 address of the receiver.
    pub(crate) dst: Ipv4Addr,
    /// Protocol of the payload.
    pub(crate) protocol: IpProtocol,
    /// True if the packet is a fragment of a larger datagram.
    pub(crate) fragment: bool,
    /// Payload after the header, without the padding of short frames.
    pub(crate) payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Source and destination port of TCP or UDP, if the payload has them.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        match (self.protocol, self.payload) {
            (IpProtocol::Tcp | IpProtocol::Udp, &[a, b, c, d, ..]) if !self.fragment => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        }
    }

    /// The flags byte of a TCP header (RFC 9293, 3.1), 0 if there is none.
    pub(crate) fn tcp_flags(&self) -> u8 {
        match self.protocol {
            IpProtocol::Tcp => self.payload.get(13).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// The UDP payload with its ports, if the length and the checksum are correct.
    pub(crate) fn udp(&self) -> Result<(UdpRepr, &'a [u8]), DropReason> {
        let packet = UdpPacket::new_checked(self.payload).map_err(|_| DropReason::Unreadable)?;
        let (src, dst) = (IpAddress::Ipv4(self.src), IpAddress::Ipv4(self.dst));
        let repr = UdpRepr::parse(&packet, &src, &dst, &ChecksumCapabilities::default())
            .map_err(|_| DropReason::Checksum)?;
        Ok((repr, packet.payload()))
    }
}

/// SYN bit of the flags byte.
pub(crate) const SYN: u8 = 0x02;
/// RST bit of the flags byte.
pub(crate) const RST: u8 = 0x04;
/// ACK bit of the flags byte.
pub(crate) const ACK: u8 = 0x10;

/// Parsed content of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// An ARP packet.
    Arp(ArpRepr),
    /// An IPv4 packet.
    Ipv4(Ipv4<'a>),
}

/// Parses a frame as far as the network needs it.
pub(crate) fn read(frame: &[u8]) -> Result<Content<'_>, DropReason> {
    if frame.len() < ETHERNET_HEADER {
        return Err(DropReason::Unreadable);
    }
    let (header, payload) = frame.split_at(ETHERNET_HEADER);
    match [header[12], header[13]] {
        TYPE_ARP => {
            let packet = ArpPacket::new_checked(payload).map_err(|_| DropReason::Unreadable)?;
            ArpRepr::parse(&packet)
                .map(Content::Arp)
                .map_err(|_| DropReason::Unreadable)
        }
        TYPE_IPV4 => read_ipv4(payload).map(Content::Ipv4),
        // A value of 0 to 1500 is a length (IEEE 802.3), not a type.
        [high, _] if high < 6 => Err(DropReason::Unreadable),
        _ => Err(DropReason::NotServed),
    }
}

fn read_ipv4(payload: &[u8]) -> Result<Ipv4<'_>, DropReason> {
    let packet = Ipv4Packet::new_checked(payload).map_err(|_| DropReason::Unreadable)?;
    if packet.version() != 4 {
        return Err(DropReason::Unreadable);
    }
    if !packet.verify_checksum() {
        return Err(DropReason::Checksum);
    }
    Ok(Ipv4 {
        src: packet.src_addr(),
        dst: packet.dst_addr(),
        protocol: packet.next_header(),
        fragment: packet.more_frags() || packet.frag_offset() != 0,
        payload: &payload[usize::from(packet.header_len())..usize::from(packet.total_len())],
    })
}

/// Addresses of a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Source MAC address.
    pub(crate) src_mac: Mac,
    /// Destination MAC address.
    pub(crate) dst_mac: Mac,
    /// Source address and port.
    pub(crate) src: (Ipv4Addr, u16),
    /// Destination address and port.
    pub(crate) dst: (Ipv4Addr, u16),
}

/// Fills in the Ethernet header of an IPv4 frame.
pub(crate) fn set_ethernet(frame: &mut [u8], src: Mac, dst: Mac) {
    frame[..6].copy_from_slice(&dst);
    frame[6..12].copy_from_slice(&src);
    frame[12..14].copy_from_slice(&TYPE_IPV4);
}

/// Builds a frame with a UDP datagram.
pub(crate) fn udp(path: Path, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER + payload.len()];
    set_ethernet(&mut frame, path.src_mac, path.dst_mac);
    let caps = ChecksumCapabilities::default();
    let ip = Ipv4Repr {
        src_addr: path.src.0,
        dst_addr: path.dst.0,
        next_header: IpProtocol::Udp,
        payload_len: UDP_HEADER + payload.len(),
        hop_limit: 64,
    };
    let mut packet = Ipv4Packet::new_unchecked(&mut frame[ETHERNET_HEADER..]);
    ip.emit(&mut packet, &caps);
    let udp = UdpRepr {
        src_port: path.src.1,
        dst_port: path.dst.1,
    };
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &IpAddress::Ipv4(path.src.0),
        &IpAddress::Ipv4(path.dst.0),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &caps,
    );
    frame
}

/// Builds the ARP reply that `ip` has the address `mac`, for the given requester.
pub(crate) fn arp_reply(mac: Mac, ip: Ipv4Addr, to_mac: Mac, to_ip: Ipv4Addr) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(mac),
        source_protocol_addr: ip,
        target_hardware_addr: EthernetAddress(to_mac),
        target_protocol_addr: to_ip,
    };
    let mut frame = vec![0; ETHERNET_HEADER + repr.buffer_len()];
    set_ethernet(&mut frame, mac, to_mac);
    frame[12..14].copy_from_slice(&TYPE_ARP);
    repr.emit(&mut ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER..]));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path {
        src_mac: [2, 0, 0, 0, 0, 1],
        dst_mac: [2, 0, 0, 0, 0, 2],
        src: (Ipv4Addr::new(192, 168, 4, 1), 53),
        dst: (Ipv4Addr::new(192, 168, 4, 100), 4000),
    };

    #[test]
    fn a_datagram_has_these_bytes() {
        let frame = udp(PATH, b"hi");
        #[rustfmt::skip]
        let expected = [
            2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
            0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0xb1, 0x19, 192, 168, 4, 1, 192, 168, 4, 100,
            0, 53, 0x0f, 0xa0, 0, 10, 0xfd, 0xe5, b'h', b'i',
        ];
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_datagram_reads_back_and_padding_is_left_out() {
        let mut frame = udp(PATH, b"hi");
        frame.resize(60, 0);
        let Ok(Content::Ipv4(ip)) = read(&frame) else {
            panic!("not IPv4")
        };
        assert_eq!(ip.ports(), Some((53, 4000)));
        let (repr, payload) = ip.udp().unwrap();
        assert_eq!((repr.dst_port, payload), (4000, &b"hi"[..]));
    }

    #[test]
    fn damage_is_named() {
        let good = udp(PATH, b"hi");
        let with = |at: usize, value: u8| {
            let mut frame = good.clone();
            frame[at] = value;
            frame
        };
        assert_eq!(read(&good[..13]).err(), Some(DropReason::Unreadable));
        assert_eq!(read(&good[..20]).err(), Some(DropReason::Unreadable));
        assert_eq!(read(&with(22, 63)).err(), Some(DropReason::Checksum));
        assert_eq!(read(&with(12, 0x86)).err(), Some(DropReason::NotServed));
        let broken = with(43, b'!');
        let Ok(Content::Ipv4(ip)) = read(&broken) else {
            panic!("not IPv4")
        };
        assert_eq!(ip.udp().err(), Some(DropReason::Checksum));
    }
}
