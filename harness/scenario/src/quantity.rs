//! Values with units: times, amounts, shares, addresses. All are integers inside; none is ever a float.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sim::UnixTime;

/// Units of time, largest first, and their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A length of time, in nanoseconds: `500ms`, `30s`, `1.5s`, `45m`, `1h30m`, `2d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub u64);

impl TimeSpan {
    /// From whole seconds.
    pub const fn from_secs(s: u64) -> TimeSpan {
        TimeSpan(s * 1_000_000_000)
    }

    /// From whole milliseconds.
    pub const fn from_millis(ms: u64) -> TimeSpan {
        TimeSpan(ms * 1_000_000)
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(s: &str) -> Result<TimeSpan, String> {
        parse_time(s).map(TimeSpan)
    }
}

fn parse_time(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| {
        format!("`{text}` is not a length of time: {why}; write one like `500ms`, `30s` or `1h30m`")
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong("it is empty"));
    }
    if rest.bytes().all(|b| b == b'0' || b == b'.') && rest.bytes().any(|b| b == b'0') {
        return Ok(0);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(wrong("a number is missing"));
        }
        if unit.is_empty() {
            return Err(wrong("the unit is missing"));
        }
        let unit = if unit == "min" { "m" } else { unit };
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong(&format!("`{unit}` is no unit (ns, us, ms, s, m, h, d)")));
        };
        let part =
            decimal(number, *scale).ok_or_else(|| wrong("the number is not a decimal, or too large"))?;
        total = total.checked_add(part).ok_or_else(|| wrong("it is too large"))?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// `text` (`12`, `1.5`, `100.`) times `scale`, without loss or not at all.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut value = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.trim_end_matches('0').bytes() {
        if !place.is_multiple_of(10) {
            return None;
        }
        place /= 10;
        value = value.checked_add(u64::from(digit - b'0') * place)?;
    }
    Some(value)
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, scale) in UNITS {
            if rest >= scale {
                write!(f, "{}{name}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

/// A length of time with a sign, in nanoseconds: `-301s`, `5m`, `+2h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOffset(pub i64);

impl FromStr for TimeOffset {
    type Err = String;

    fn from_str(s: &str) -> Result<TimeOffset, String> {
        let (negative, rest) = match s.as_bytes().first() {
            Some(b'-') => (true, &s[1..]),
            Some(b'+') => (false, &s[1..]),
            _ => (false, s),
        };
        let ns = i64::try_from(parse_time(rest)?).map_err(|_| format!("`{s}` is too large"))?;
        Ok(TimeOffset(if negative { -ns } else { ns }))
    }
}

impl fmt::Display for TimeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", TimeSpan(self.0.unsigned_abs()))
    }
}

/// An amount: `5G`, `200M`, `64k`, `1000`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u64);

impl FromStr for Amount {
    type Err = String;

    fn from_str(s: &str) -> Result<Amount, String> {
        let (number, scale) = match s.as_bytes().last() {
            Some(b'k') => (&s[..s.len() - 1], 1_000),
            Some(b'M') => (&s[..s.len() - 1], 1_000_000),
            Some(b'G') => (&s[..s.len() - 1], 1_000_000_000),
            Some(b'T') => (&s[..s.len() - 1], 1_000_000_000_000),
            _ => (s, 1),
        };
        let plain = number.replace('_', "");
        let valid = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        valid
            .then(|| decimal(&plain, scale))
            .flatten()
            .map(Amount)
            .ok_or_else(|| format!("`{s}` is not an amount: write one like `5G`, `200M` or `1000`"))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, scale) in [
            ("T", 1_000_000_000_000),
            ("G", 1_000_000_000),
            ("M", 1_000_000),
            ("k", 1_000),
        ] {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{}{name}", self.0 / scale);
            }
        }
        self.0.fmt(f)
    }
}

/// A share of a whole, in millionths: `5%`, `0.1%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Millionths, 0 to 1,000,000.
    pub ppm: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(s: &str) -> Result<Share, String> {
        s.strip_suffix('%')
            .and_then(|number| decimal(number.trim_end(), 10_000))
            .and_then(|ppm| u32::try_from(ppm).ok())
            .filter(|ppm| *ppm <= 1_000_000)
            .map(|ppm| Share { ppm })
            .ok_or_else(|| {
                format!("`{s}` is not a share: write one from `0%` to `100%`, like `5%` or `0.1%`")
            })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, u64::from(self.ppm), 10_000)?;
        f.write_str("%")
    }
}

/// A factor in thousandths: `1.5`, `2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor {
    /// Thousandths.
    pub milli: u64,
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(s: &str) -> Result<Factor, String> {
        let valid = s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        valid
            .then(|| decimal(s, 1_000))
            .flatten()
            .map(|milli| Factor { milli })
            .ok_or_else(|| format!("`{s}` is not a factor: write one like `1.5` or `2`, to three decimals"))
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.milli, 1_000)
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, scale: u64) -> fmt::Result {
    write!(f, "{}", value / scale)?;
    let (mut fraction, mut place) = (value % scale, scale / 10);
    if fraction != 0 {
        f.write_str(".")?;
    }
    while fraction != 0 {
        write!(f, "{}", fraction / place)?;
        fraction %= place;
        place /= 10;
    }
    Ok(())
}

/// A moment of civil time in UTC, to the second: `2026-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilTime {
    /// Seconds since 1970.
    pub unix_s: i64,
}

impl CivilTime {
    /// As the bench's type.
    pub const fn unix_time(self) -> UnixTime {
        UnixTime::from_secs(self.unix_s)
    }
}

impl FromStr for CivilTime {
    type Err = String;

    fn from_str(s: &str) -> Result<CivilTime, String> {
        parse_civil(s).ok_or_else(|| {
            format!("`{s}` is not a moment of civil time: write RFC 3339 in UTC, like `2026-01-01T00:00:00Z`")
        })
    }
}

/// RFC 3339, section 5.6, restricted to UTC and whole seconds.
fn parse_civil(s: &str) -> Option<CivilTime> {
    let b = s.as_bytes();
    let shape = b.len() == 20
        && b.iter().enumerate().all(|(i, c)| match i {
            4 | 7 => *c == b'-',
            10 => *c == b'T',
            13 | 16 => *c == b':',
            19 => *c == b'Z',
            _ => c.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let number = |from: usize, to: usize| s[from..to].parse::<i64>().ok();
    let (y, m, d) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    let year = if m <= 2 { y - 1 } else { y };
    let era = year.div_euclid(400);
    let yoe = year - era * 400;
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    let time = CivilTime {
        unix_s: days * 86_400 + hour * 3_600 + minute * 60 + second,
    };
    // What does not come back as it went in is no date: 31 April, 25 o'clock.
    (time.to_string() == s).then_some(time)
}

impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unix_time().fmt(f)
    }
}

/// A MAC address: `02:0c:ea:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddress(pub sim::air::Mac);

impl FromStr for MacAddress {
    type Err = String;

    fn from_str(s: &str) -> Result<MacAddress, String> {
        let wrong = || format!("`{s}` is not a MAC address: write six octets like `02:0c:ea:00:00:01`");
        let mut mac = [0; 6];
        let mut parts = s.split(':');
        for octet in &mut mac {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(wrong)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        if mac[0] & 1 == 1 || mac == [0; 6] {
            return Err(format!(
                "`{s}` is not the address of one station: the lowest bit of its first octet must be 0"
            ));
        }
        Ok(MacAddress(mac))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        for (text, ns) in [
            ("500ms", 500_000_000),
            ("30s", 30_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1h 30min", 5_400_000_000_000),
            ("1.5 s", 1_500_000_000),
            ("100.ms", 100_000_000),
            ("0", 0),
            ("0.000", 0),
            ("7ns", 7),
            ("2d", 172_800_000_000_000),
        ] {
            assert_eq!(text.parse::<TimeSpan>(), Ok(TimeSpan(ns)), "{text}");
        }
        for (text, why) in [
            ("15", "the unit is missing"),
            ("foo", "a number is missing"),
            ("5 parsec", "`parsec` is no unit (ns, us, ms, s, m, h, d)"),
            ("1.5ns", "the number is not a decimal, or too large"),
            ("1..5s", "the number is not a decimal, or too large"),
            ("-5s", "a number is missing"),
            ("999999999d", "the number is not a decimal, or too large"),
            ("", "it is empty"),
        ] {
            let error = text.parse::<TimeSpan>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["1h30m", "45m", "500ms", "2d1ns", "0s"] {
            assert_eq!(text.parse::<TimeSpan>().unwrap().to_string(), text);
        }
        for text in ["-5m1s", "4m59s"] {
            assert_eq!(text.parse::<TimeOffset>().unwrap().to_string(), text);
        }
        for text in ["5G", "1500", "64k"] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), text);
        }
        for text in ["5%", "0.1%", "100%", "0.0001%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["1.5", "2", "1.025"] {
            assert_eq!(text.parse::<Factor>().unwrap().to_string(), text);
        }
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "2038-01-19T03:14:08Z",
            "2000-02-29T23:59:59Z",
        ] {
            assert_eq!(text.parse::<CivilTime>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-01-01T00:00:00Z".parse::<CivilTime>().unwrap().unix_s,
            1_767_225_600
        );
        assert_eq!("-301s".parse(), Ok(TimeOffset(-301_000_000_000)));
        assert_eq!(
            "02:0c:ea:00:00:01".parse(),
            Ok(MacAddress([2, 0x0c, 0xea, 0, 0, 1]))
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00+01:00",
        ] {
            assert!(text.parse::<CivilTime>().is_err(), "{text}");
        }
        for text in ["101%", "5", "%", "0.00001%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        for text in ["5Gi", "-1", "", "1.2345k"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        for text in [
            "01:00:00:00:00:00",
            "02:0c:ea:00:00",
            "02-0c-ea-00-00-01",
            "02:0c:ea:00:00:01:02",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
        assert!("1.2345".parse::<Factor>().is_err());
    }
}
