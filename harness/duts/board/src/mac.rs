//! MAC addresses as text.

use std::fmt;
use std::str::FromStr;

/// A MAC address; prints as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = ();

    /// Parses six pairs of hexadecimal digits, separated by `:` or `-` or by nothing.
    fn from_str(text: &str) -> Result<Mac, ()> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-')).collect();
        let separators = text.len() - digits.len();
        if digits.len() != 12
            || !matches!(separators, 0 | 5)
            || !digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(());
        }
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Mac(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_the_usual_spellings() {
        let mac = Mac([0x60, 0x55, 0xf9, 0x0a, 0xbc, 0xde]);
        for text in ["60:55:f9:0a:bc:de", "60-55-F9-0A-BC-DE", "6055F90ABCDE"] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "60:55:f9:0a:bc:de");
        for wrong in [
            "",
            "60:55:f9:0a:bc",
            "60:55:f9:0a:bc:dg",
            "60:55f9:0a:bc:de",
            "äöüäöü",
        ] {
            assert_eq!(wrong.parse::<Mac>(), Err(()), "{wrong}");
        }
    }
}
