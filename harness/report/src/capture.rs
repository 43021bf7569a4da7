//! Secrets in a capture: the same bytes of the TCP streams are overwritten with placeholders of the same
//! length, so that every frame keeps its size and its time and Wireshark still dissects it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::redact::Redactor;
use crate::secrets::{Found, Secrets};

/// pcapng block types and offsets (IETF draft-ietf-opsawg-pcapng, sections 4.1 and 4.3).
const BLOCK_ENHANCED_PACKET: u32 = 6;
const EPB_CAPTURED_LEN: usize = 20;
const EPB_DATA: usize = 28;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const PROTOCOL_TCP: u8 = 6;
const FLAG_SYN: u8 = 0x02;

/// One direction of a TCP connection.
type Flow = (Ipv4Addr, u16, Ipv4Addr, u16);

/// A TCP segment inside the capture.
struct Segment {
    flow: Flow,
    seq: u32,
    syn: bool,
    /// The IP packet without Ethernet padding.
    ip: Range<usize>,
    /// The TCP header's start.
    tcp: usize,
    /// The payload.
    data: Range<usize>,
}

/// Overwrites the secrets that `redactor` knows in `pcapng`, also where one is spread over several segments or
/// stands in another form, and corrects the TCP checksums. Outside of TCP, and in what is not a little-endian pcapng,
/// they are looked for just as they are.
pub fn mask(pcapng: &mut [u8], redactor: &mut Redactor) {
    let (secrets, placeholders) = redactor.finder();
    if secrets.is_empty() {
        return;
    }
    let filler = |found: &Found| {
        let mut out = placeholders[found.secret].clone().into_bytes();
        out.resize(found.range.len(), b'.');
        out
    };

    let segments = segments(pcapng);
    let mut changed = vec![false; segments.len()];
    let mut flows: BTreeMap<Flow, Vec<(usize, u64)>> = BTreeMap::new();
    let mut bases: BTreeMap<Flow, u32> = BTreeMap::new();
    for (i, segment) in segments.iter().enumerate() {
        if segment.syn {
            mask_flow(
                pcapng,
                &segments,
                flows.remove(&segment.flow),
                &secrets,
                &filler,
                &mut changed,
            );
            bases.insert(segment.flow, segment.seq.wrapping_add(1));
        }
        if segment.data.is_empty() {
            continue;
        }
        let base = *bases.entry(segment.flow).or_insert(segment.seq);
        let offset = segment.seq.wrapping_sub(base);
        // A keep-alive or a segment from before the first one seen lies below the base.
        if offset < 1 << 31 {
            flows
                .entry(segment.flow)
                .or_default()
                .push((i, u64::from(offset)));
        }
    }
    for placed in flows.into_values() {
        mask_flow(pcapng, &segments, Some(placed), &secrets, &filler, &mut changed);
    }
    // What is outside the streams: comments, datagrams.
    for part in secrets.find_plain(pcapng) {
        let (new, range) = (filler(&part), part.range);
        for (segment, changed) in segments.iter().zip(&mut changed) {
            *changed |= segment.data.start < range.end && range.start < segment.data.end;
        }
        pcapng[range].copy_from_slice(&new);
    }
    for (segment, _) in segments.iter().zip(&changed).filter(|(_, changed)| **changed) {
        fix_checksum(pcapng, segment);
    }
}

fn mask_flow(
    pcapng: &mut [u8],
    segments: &[Segment],
    placed: Option<Vec<(usize, u64)>>,
    secrets: &Secrets,
    filler: &dyn Fn(&Found) -> Vec<u8>,
    changed: &mut [bool],
) {
    let mut placed = placed.unwrap_or_default();
    placed.sort_by_key(|(_, offset)| *offset);
    // Runs of segments that touch or overlap; a gap in the capture must not become a gap in memory.
    let mut i = 0;
    while i < placed.len() {
        let start = placed[i].1;
        let mut stream: Vec<u8> = Vec::new();
        let first = i;
        while i < placed.len() && placed[i].1 <= start + stream.len() as u64 {
            let at = (placed[i].1 - start) as usize;
            let data = &pcapng[segments[placed[i].0].data.clone()];
            stream.resize(stream.len().max(at + data.len()), 0);
            stream[at..at + data.len()].copy_from_slice(data);
            i += 1;
        }
        for part in secrets.find(&stream) {
            let (new, range) = (filler(&part), part.range);
            for &(index, offset) in &placed[first..i] {
                let at = (offset - start) as usize;
                let data = segments[index].data.clone();
                let from = range.start.max(at);
                let to = range.end.min(at + data.len());
                if from < to {
                    pcapng[data.start + from - at..data.start + to - at]
                        .copy_from_slice(&new[from - range.start..to - range.start]);
                    changed[index] = true;
                }
            }
        }
    }
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_be(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn segments(pcapng: &[u8]) -> Vec<Segment> {
    let mut out = Vec::new();
    let mut at = 0;
    while let (Some(kind), Some(total)) = (u32_le(pcapng, at), u32_le(pcapng, at + 4)) {
        let total = total as usize;
        if total < 12 || at + total > pcapng.len() {
            break;
        }
        if kind == BLOCK_ENHANCED_PACKET
            && let Some(len) = u32_le(pcapng, at + EPB_CAPTURED_LEN)
            && EPB_DATA + len as usize <= total
        {
            let start = at + EPB_DATA;
            out.extend(segment(pcapng, start..start + len as usize));
        }
        at += total;
    }
    out
}

/// The TCP segment in the Ethernet frame at `frame`, if it is one (RFC 791, RFC 9293).
fn segment(pcapng: &[u8], frame: Range<usize>) -> Option<Segment> {
    let bytes = &pcapng[frame.clone()];
    if bytes.len() < 54 || bytes[12..14] != ETHERTYPE_IPV4 || bytes[14] >> 4 != 4 || bytes[23] != PROTOCOL_TCP
    {
        return None;
    }
    let header = usize::from(bytes[14] & 15) * 4;
    let total = usize::from(u16_be(bytes, 16));
    let ip = frame.start + 14..frame.start + 14 + total;
    let tcp = ip.start + header;
    if ip.end > frame.end || header < 20 || tcp + 20 > ip.end {
        return None;
    }
    let address = |at: usize| Ipv4Addr::new(pcapng[at], pcapng[at + 1], pcapng[at + 2], pcapng[at + 3]);
    let data = tcp + usize::from(pcapng[tcp + 12] >> 4) * 4;
    if data > ip.end {
        return None;
    }
    Some(Segment {
        flow: (
            address(ip.start + 12),
            u16_be(pcapng, tcp),
            address(ip.start + 16),
            u16_be(pcapng, tcp + 2),
        ),
        seq: u32::from_be_bytes(pcapng[tcp + 4..tcp + 8].try_into().ok()?),
        syn: pcapng[tcp + 13] & FLAG_SYN != 0,
        data: data..ip.end,
        ip,
        tcp,
    })
}

/// RFC 9293, section 3.1: the checksum over pseudo-header, header and data.
fn fix_checksum(pcapng: &mut [u8], segment: &Segment) {
    let field = segment.tcp + 16;
    pcapng[field..field + 2].fill(0);
    let sum_of = |bytes: &[u8]| -> u64 {
        bytes
            .chunks(2)
            .map(|c| u64::from(c[0]) << 8 | u64::from(*c.get(1).unwrap_or(&0)))
            .sum()
    };
    let len = (segment.ip.end - segment.tcp) as u64;
    let mut sum = sum_of(&pcapng[segment.ip.start + 12..segment.ip.start + 20])
        + u64::from(PROTOCOL_TCP)
        + len
        + sum_of(&pcapng[segment.tcp..segment.ip.end]);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    pcapng[field..field + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Rules, Scope};

    const SESSION: &str = "0123456789abcdef0123456789abcdef";

    fn packet(seq: u32, flags: u8, data: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend(ETHERTYPE_IPV4);
        let mut ip = vec![
            0x45,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            64,
            PROTOCOL_TCP,
            0,
            0,
            192,
            0,
            2,
            1,
            192,
            0,
            2,
            2,
        ];
        ip[2..4].copy_from_slice(&(40 + data.len() as u16).to_be_bytes());
        frame.extend(ip);
        frame.extend([0x12, 0x34, 0, 80]);
        frame.extend(seq.to_be_bytes());
        frame.extend([0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(data);
        let len = frame.len() as u32;
        let padded = frame.len().next_multiple_of(4);
        frame.resize(padded, 0);
        let total = (32 + padded) as u32;
        let mut block = Vec::new();
        for word in [BLOCK_ENHANCED_PACKET, total, 0, 0, 0, len, len] {
            block.extend(word.to_le_bytes());
        }
        block.extend(frame);
        block.extend(total.to_le_bytes());
        block
    }

    fn secrets() -> Redactor {
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::Secrets);
        redactor.learn("session", SESSION);
        redactor
    }

    fn masked(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut bytes = packets.concat();
        mask(&mut bytes, &mut secrets());
        segments(&bytes)
            .iter()
            .map(|s| bytes[s.data.clone()].to_vec())
            .collect()
    }

    #[test]
    fn a_secret_dribbled_over_segments_is_masked_in_each() {
        let mut packets = vec![packet(u32::MAX - 2, FLAG_SYN, b"")];
        // The sequence number wraps within the secret, and one segment is sent twice.
        packets.push(packet(u32::MAX - 1, 0x18, b"X-T: "));
        let bytes = SESSION.as_bytes();
        for (i, part) in bytes.chunks(5).enumerate() {
            packets.push(packet(3 + 5 * i as u32, 0x18, part));
        }
        packets.push(packet(3, 0x18, &bytes[..10]));
        let out = masked(&packets);
        assert_eq!(out[1], b"X-T: ");
        assert_eq!(out[2..9].concat(), b"[session-1].....................");
        assert_eq!(out[9], b"[session-1");
    }

    #[test]
    fn the_beginning_of_a_session_and_other_bytes() {
        let out = masked(&[packet(9, 0x18, b"0123456789abcdef!"), packet(700, 0x18, b"hello")]);
        assert_eq!(out, [b"[session-1].....!".to_vec(), b"hello".to_vec()]);
    }

    #[test]
    fn the_checksum_fits_the_new_bytes() {
        let mut bytes = packet(1, 0x18, SESSION.as_bytes());
        let untouched = packet(1, 0x18, b"hello");
        bytes.extend(&untouched);
        mask(&mut bytes, &mut secrets());
        let all = segments(&bytes);
        let segment = &all[0];
        let sum_before = bytes[segment.tcp + 16..segment.tcp + 18].to_vec();
        assert_ne!(sum_before, [0, 0]);
        fix_checksum(&mut bytes, segment);
        assert_eq!(bytes[segment.tcp + 16..segment.tcp + 18], sum_before);
        assert!(
            bytes.ends_with(&untouched),
            "a packet without secrets stays byte for byte"
        );
    }

    #[test]
    fn what_is_no_capture_is_searched_as_bytes() {
        let mut bytes = format!("note {SESSION} end").into_bytes();
        mask(&mut bytes, &mut secrets());
        assert_eq!(bytes, b"note [session-1]..................... end");
    }
}
