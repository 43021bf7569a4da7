//! SNTP (RFC 4330): the request, and what makes a reply believable.

use core::fmt;

/// Length of a packet without extensions, in bytes.
pub const PACKET_LEN: usize = 48;

/// Seconds between the NTP epoch (1900) and Unix's (1970).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// Times before this are wrong for a device made after it: 1 January 2024.
const EARLIEST_UNIX_S: u64 = 1_704_067_200;

/// Why a reply is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtpError {
    /// Not an SNTP server's reply.
    NotAReply,
    /// It answers another request: the origin timestamp is not ours.
    WrongOrigin,
    /// Stratum 0, the kiss of death, with its code: the server wants fewer requests or none.
    KissOfDeath([u8; 4]),
    /// The server says itself that it is not synchronised.
    Unsynchronised,
    /// No transmit timestamp, or one before this firmware was made.
    Implausible,
}

impl fmt::Display for NtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReply => f.write_str("not an NTP reply"),
            Self::WrongOrigin => f.write_str("reply to another request"),
            Self::KissOfDeath(code) => {
                f.write_str("kiss-o'-death ")?;
                code.iter()
                    .try_for_each(|byte| write!(f, "{}", byte.escape_ascii()))
            }
            Self::Unsynchronised => f.write_str("server is not synchronised"),
            Self::Implausible => f.write_str("implausible time"),
        }
    }
}

/// A client's request; `nonce` goes out as transmit timestamp and must come back as origin.
pub fn request(nonce: u64) -> [u8; PACKET_LEN] {
    let mut packet = [0; PACKET_LEN];
    packet[0] = 0x23; // leap 0, version 4, mode 3 (client)
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// The Unix time in milliseconds that a reply tells, if it can be believed.
pub fn read_reply(packet: &[u8], nonce: u64) -> Result<u64, NtpError> {
    let packet: &[u8; PACKET_LEN] = packet.first_chunk().ok_or(NtpError::NotAReply)?;
    let (leap, mode, stratum) = (packet[0] >> 6, packet[0] & 7, packet[1]);
    if mode != 4 {
        return Err(NtpError::NotAReply);
    }
    if packet[24..32] != nonce.to_be_bytes() {
        return Err(NtpError::WrongOrigin);
    }
    if stratum == 0 {
        return Err(NtpError::KissOfDeath([
            packet[12], packet[13], packet[14], packet[15],
        ]));
    }
    if leap == 3 || stratum > 15 {
        return Err(NtpError::Unsynchronised);
    }
    if packet[40..48] == [0; 8] {
        return Err(NtpError::Implausible);
    }
    match transmit_unix_ms(packet) {
        unix_ms if unix_ms / 1_000 >= EARLIEST_UNIX_S => Ok(unix_ms),
        _ => Err(NtpError::Implausible),
    }
}

/// The transmit timestamp of whatever arrived, unchecked: only the defect `trust-ntp-blindly` calls it.
pub fn read_blindly(packet: &[u8]) -> Option<u64> {
    packet.first_chunk().map(transmit_unix_ms)
}

fn transmit_unix_ms(packet: &[u8; PACKET_LEN]) -> u64 {
    let seconds = u64::from(u32::from_be_bytes([
        packet[40], packet[41], packet[42], packet[43],
    ]));
    let fraction = u64::from(u32::from_be_bytes([
        packet[44], packet[45], packet[46], packet[47],
    ]));
    // RFC 4330 section 3: with the top bit clear the time is in the era that starts in 2036.
    let since_1900 = if seconds & 0x8000_0000 == 0 {
        seconds + (1 << 32)
    } else {
        seconds
    };
    since_1900.saturating_sub(NTP_TO_UNIX_S) * 1_000 + ((fraction * 1_000) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(ntp_seconds: u32) -> [u8; PACKET_LEN] {
        let mut packet = [0; PACKET_LEN];
        packet[0] = 0x24;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&0x1122_3344_5566_7788u64.to_be_bytes());
        packet[40..44].copy_from_slice(&ntp_seconds.to_be_bytes());
        packet[44] = 0x80; // half a second
        packet
    }

    const NONCE: u64 = 0x1122_3344_5566_7788;

    #[test]
    fn request_is_a_version_4_client_packet() {
        let packet = request(NONCE);
        assert_eq!(packet[0], 0x23);
        assert_eq!(packet[40..], [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
        assert!(packet[1..40].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_good_reply_tells_the_time() {
        // 2026-01-01T00:00:00Z is 3_976_214_400 s after 1900.
        assert_eq!(read_reply(&reply(3_976_214_400), NONCE), Ok(1_767_225_600_500));
        // The era that starts on 7 February 2036.
        assert_eq!(read_reply(&reply(0), NONCE), Ok(2_085_978_496_500));
    }

    #[test]
    fn liars_are_recognised() {
        let with = |change: fn(&mut [u8; PACKET_LEN])| {
            let mut packet = reply(3_976_214_400);
            change(&mut packet);
            read_reply(&packet, NONCE)
        };
        assert_eq!(with(|packet| packet[0] = 0x23), Err(NtpError::NotAReply));
        assert_eq!(with(|packet| packet[31] = 0), Err(NtpError::WrongOrigin));
        assert_eq!(with(|packet| packet[0] = 0xE4), Err(NtpError::Unsynchronised));
        assert_eq!(with(|packet| packet[1] = 16), Err(NtpError::Unsynchronised));
        assert_eq!(with(|packet| packet[40..].fill(0)), Err(NtpError::Implausible));
        assert_eq!(with(|packet| packet[40] = 0x90), Err(NtpError::Implausible));
        let kiss = with(|packet| {
            packet[1] = 0;
            packet[12..16].copy_from_slice(b"RATE");
        });
        assert_eq!(kiss, Err(NtpError::KissOfDeath(*b"RATE")));
        assert_eq!(read_reply(&[0x24; 20], NONCE), Err(NtpError::NotAReply));
    }

    #[test]
    fn the_blind_reader_believes_them() {
        let mut packet = reply(3_976_214_400);
        packet[1] = 16;
        packet[31] = 0;
        assert_eq!(read_blindly(&packet), Some(1_767_225_600_500));
        assert_eq!(read_blindly(&[0; 10]), None);
    }
}
