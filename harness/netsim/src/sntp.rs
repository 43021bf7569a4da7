//! An SNTP server (RFC 5905, section 14, and RFC 4330) with several kinds of wrong answers.

use sim::UnixTime;

/// Seconds from 1900 to 1970 (RFC 5905, figure 4).
const UNIX_IN_NTP: i128 = 2_208_988_800;
/// Length of a header without extensions, bytes (RFC 5905, figure 8).
const HEADER: usize = 48;

const LEAP_UNSYNCHRONISED: u8 = 3;
const MODE_SYMMETRIC_ACTIVE: u8 = 1;
const MODE_SYMMETRIC_PASSIVE: u8 = 2;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;

const REFERENCE_ID: usize = 12;
const REFERENCE: usize = 16;
const ORIGINATE: usize = 24;
const RECEIVE: usize = 32;
const TRANSMIT: usize = 40;

/// Behaviour of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SntpMode {
    /// Correct answers, with the offset of the configuration.
    #[default]
    Normal,
    /// No request is answered.
    Silent,
    /// Kiss-o'-death with this code, such as `RATE` or `DENY` (RFC 5905, 7.4): stratum 0.
    KissOfDeath([u8; 4]),
    /// Leap indicator 3 and stratum 16: the server's own clock is not synchronised.
    Unsynchronised,
    /// A transmit timestamp of zero.
    ZeroTransmit,
    /// An originate timestamp that is not the client's transmit timestamp, as in a spoofed answer.
    WrongOriginate,
    /// The leap indicator given, 1 or 2: the last minute of the day has 61 or 59 seconds.
    Leap(u8),
}

/// NTP timestamp: 32 bits of seconds since 1900, modulo the era of 136 years, and 32 bits of fraction. From
/// 2036 on the seconds start again from 0 (RFC 5905, section 6).
pub(crate) fn timestamp(time: UnixTime) -> [u8; 8] {
    let seconds = (i128::from(time.as_secs()) + UNIX_IN_NTP) as u32;
    let fraction = ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000) as u32;
    ((u64::from(seconds) << 32) | u64::from(fraction)).to_be_bytes()
}

/// The answer to a `request` received at `time`; `None` if it is not a client's request or the server is
/// silent.
pub fn answer(request: &[u8], time: UnixTime, mode: SntpMode) -> Option<Vec<u8>> {
    if request.len() < HEADER || mode == SntpMode::Silent {
        return None;
    }
    let reply_mode = match request[0] & 7 {
        MODE_CLIENT => MODE_SERVER,
        MODE_SYMMETRIC_ACTIVE => MODE_SYMMETRIC_PASSIVE,
        _ => return None,
    };
    let version = request[0] >> 3 & 7;
    if !(1..=4).contains(&version) {
        return None;
    }
    let (leap, stratum, reference_id) = match mode {
        SntpMode::KissOfDeath(code) => (LEAP_UNSYNCHRONISED, 0, code),
        SntpMode::Unsynchronised => (LEAP_UNSYNCHRONISED, 16, [0; 4]),
        SntpMode::Leap(leap) => (leap & 3, 2, [192, 0, 2, 1]),
        _ => (0, 2, [192, 0, 2, 1]),
    };
    let mut reply = vec![0; HEADER];
    reply[0] = leap << 6 | version << 3 | reply_mode;
    reply[1] = stratum;
    reply[2] = request[2];
    // Precision 2^-20 s; root delay and dispersion 1/64 s and 1/128 s in 16.16 fixed point.
    reply[3] = -20_i8 as u8;
    reply[6] = 4;
    reply[10] = 2;
    reply[REFERENCE_ID..REFERENCE].copy_from_slice(&reference_id);
    let now = timestamp(time);
    // The server's own clock was set about half a minute ago.
    reply[REFERENCE..ORIGINATE].copy_from_slice(&timestamp(time.offset_nanos(-32_000_000_000)));
    reply[ORIGINATE..RECEIVE].copy_from_slice(&request[TRANSMIT..HEADER]);
    reply[RECEIVE..TRANSMIT].copy_from_slice(&now);
    reply[TRANSMIT..].copy_from_slice(&now);
    match mode {
        SntpMode::ZeroTransmit => reply[TRANSMIT..].fill(0),
        SntpMode::WrongOriginate => reply[ORIGINATE..RECEIVE].iter_mut().for_each(|b| *b ^= 0xff),
        _ => (),
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The civil time 2026-01-01T00:00:00.5Z.
    const TIME: UnixTime = UnixTime::from_nanos(1_767_225_600_500_000_000);

    fn request() -> [u8; 48] {
        let mut request = [0; 48];
        request[0] = 4 << 3 | MODE_CLIENT;
        request[TRANSMIT..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        request
    }

    #[test]
    fn the_answer_has_these_bytes() {
        let reply = answer(&request(), TIME, SntpMode::Normal).unwrap();
        // 1,767,225,600 + 2,208,988,800 = 3,976,214,400 = 0xed00_3780; half a second is 0x8000_0000.
        #[rustfmt::skip]
        let expected = [
            0x24, 2, 0, 0xec,  0, 0, 4, 0,  0, 0, 2, 0,  192, 0, 2, 1,
            0xed, 0x00, 0x37, 0x60, 0x80, 0, 0, 0,
            1, 2, 3, 4, 5, 6, 7, 8,
            0xed, 0x00, 0x37, 0x80, 0x80, 0, 0, 0,
            0xed, 0x00, 0x37, 0x80, 0x80, 0, 0, 0,
        ];
        assert_eq!(reply, expected);
    }

    #[test]
    fn the_era_of_2036_starts_from_zero() {
        // 2036-02-07T06:28:15Z is the last second of era 0.
        assert_eq!(
            timestamp(UnixTime::from_secs(2_085_978_495)),
            [255, 255, 255, 255, 0, 0, 0, 0]
        );
        assert_eq!(timestamp(UnixTime::from_secs(2_085_978_496)), [0; 8]);
        assert_eq!(
            timestamp(UnixTime::from_secs(2_147_483_648))[..4],
            0x03aa_7e80_u32.to_be_bytes()
        );
        assert_eq!(timestamp(UnixTime::EPOCH)[..4], 0x83aa_7e80_u32.to_be_bytes());
    }

    #[test]
    fn only_clients_are_answered_and_in_their_version() {
        let mut v3 = request();
        v3[0] = 3 << 3 | MODE_CLIENT;
        assert_eq!(answer(&v3, TIME, SntpMode::Normal).unwrap()[0], 0x1c);
        let mut server = request();
        server[0] = 4 << 3 | MODE_SERVER;
        assert_eq!(answer(&server, TIME, SntpMode::Normal), None);
        assert_eq!(answer(&request()[..47], TIME, SntpMode::Normal), None);
        assert_eq!(answer(&request(), TIME, SntpMode::Silent), None);
    }

    #[test]
    fn lies_are_told_where_they_belong() {
        let told = |mode| answer(&request(), TIME, mode).unwrap();
        let kiss = told(SntpMode::KissOfDeath(*b"RATE"));
        assert_eq!((kiss[0], kiss[1], &kiss[12..16]), (0xe4, 0, &b"RATE"[..]));
        assert_eq!(told(SntpMode::Unsynchronised)[..2], [0xe4, 16]);
        assert_eq!(told(SntpMode::ZeroTransmit)[40..], [0; 8]);
        assert_eq!(
            told(SntpMode::WrongOriginate)[24..32],
            [254, 253, 252, 251, 250, 249, 248, 247]
        );
        assert_eq!(told(SntpMode::Leap(1))[0], 0x64);
    }
}
