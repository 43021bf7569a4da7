//! Civil time from Unix seconds and back, without a time zone: always UTC.

use core::fmt;

/// A moment as calendars write it, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of the Gregorian calendar.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
}

impl Civil {
    /// The calendar's view of a Unix time in seconds.
    pub fn from_unix(unix_s: u64) -> Self {
        let (days, of_day) = (unix_s / 86_400, (unix_s % 86_400) as u32);
        // Days since 1 March of the year 0, in eras of 400 years: leap days fall at the end of each year.
        let days = days + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = (of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100)) as u32;
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = (era * 400 + year_of_era) as u32 + u32::from(month <= 2);
        Self {
            year,
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    /// Unix time in seconds; `None` for what is no date from 1970 on.
    pub fn to_unix(self) -> Option<u64> {
        let in_range = (1970..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !in_range {
            return None;
        }
        let year = u64::from(self.year) - u64::from(self.month <= 2);
        let shifted = u64::from(if self.month > 2 {
            self.month - 3
        } else {
            self.month + 9
        });
        let of_year = (153 * shifted + 2) / 5 + u64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
        let of_day = u64::from(self.hour) * 3_600 + u64::from(self.minute) * 60 + u64::from(self.second);
        Some(days * 86_400 + of_day)
    }

    /// Reads the preferred form of an HTTP date (RFC 9110 section 5.6.7), `Thu, 01 Jan 2026 00:00:30 GMT`.
    pub fn from_http_date(text: &str) -> Option<Self> {
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let (_weekday, rest) = text.split_once(", ")?;
        let mut parts = rest.split(' ');
        let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
        let (time, zone) = (parts.next()?, parts.next()?);
        if zone != "GMT" || parts.next().is_some() || month.len() != 3 {
            return None;
        }
        let at = MONTHS.find(month).filter(|at| at % 3 == 0)?;
        let mut clock = time.split(':');
        let mut two_digits = || clock.next().filter(|part| part.len() == 2)?.parse::<u32>().ok();
        Some(Self {
            year: year.parse().ok()?,
            month: at as u32 / 3 + 1,
            day: day.parse().ok()?,
            hour: two_digits()?,
            minute: two_digits()?,
            second: two_digits()?,
        })
    }
}

impl fmt::Display for Civil {
    /// As RFC 3339 writes it: `2026-01-01T00:00:03Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = *self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn known_moments() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_603, "2026-01-01T00:00:03Z"),
            (2_085_978_496, "2036-02-07T06:28:16Z"),
            (2_147_483_648, "2038-01-19T03:14:08Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            let civil = Civil::from_unix(unix);
            assert_eq!(civil.to_string(), text);
            assert_eq!(civil.to_unix(), Some(unix));
        }
    }

    #[test]
    fn http_dates() {
        let read = |text| Civil::from_http_date(text).and_then(Civil::to_unix);
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(1_767_225_630));
        for wrong in [
            "",
            "Thu, 01 Jan 2026 00:00:30",
            "Thu, 01 anF 2026 00:00:30 GMT",
            "01 Jan 2026",
            "30",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read("Thu, 01 Jan 2026 25:00:30 GMT"), None);
    }
}
