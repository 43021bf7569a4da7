//! The `Retry-After` header (RFC 9110 section 10.2.3).

use crate::calendar::Civil;

/// The longest pause a server can ask for, in seconds: a day, which is the service's longest ban.
pub const LONGEST_S: u32 = 86_400;

/// The seconds to wait that a header's value asks for, at most [`LONGEST_S`].
///
/// `None` when the header says nothing usable: zero, a moment that is past, a negative number, garbage,
/// or a date while neither the device nor the reply (`Date`) knows the time. `now_unix_s` is the best
/// clock at hand, in Unix seconds.
pub fn seconds(value: &str, now_unix_s: Option<u64>) -> Option<u32> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time, not garbage.
        value.parse().unwrap_or(u64::MAX)
    } else {
        Civil::from_http_date(value)?
            .to_unix()?
            .saturating_sub(now_unix_s?)
    };
    match seconds {
        0 => None,
        _ => Some(u32::try_from(seconds).unwrap_or(LONGEST_S).min(LONGEST_S)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Option<u64> = Some(1_767_225_600);

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(seconds("30", NOW), Some(30));
        assert_eq!(seconds(" 120 ", None), Some(120));
        assert_eq!(seconds("86400", NOW), Some(86_400));
    }

    #[test]
    fn dates_are_counted_from_now() {
        assert_eq!(seconds("Thu, 01 Jan 2026 00:00:30 GMT", NOW), Some(30));
        assert_eq!(seconds("Wed, 31 Dec 2025 23:59:00 GMT", NOW), None);
        assert_eq!(seconds("Thu, 01 Jan 2026 00:00:30 GMT", None), None);
    }

    #[test]
    fn huge_is_a_day_and_nonsense_is_nothing() {
        assert_eq!(seconds("999999999", NOW), Some(86_400));
        assert_eq!(seconds("99999999999999999999999999", NOW), Some(86_400));
        for nothing in ["", "0", "-5", "soon", "1.5", "30 s"] {
            assert_eq!(seconds(nothing, NOW), None, "{nothing}");
        }
    }
}
