//! The pins of a run as a value change dump (IEEE 1364-2005, clause 18), for any waveform viewer.

use std::collections::BTreeSet;
use std::io::{self, Write};

use sim::Instant;
use vocabulary::{Event, Kind};

/// A pin change, all that the dump needs of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// GPIO number.
    pub gpio: u8,
    /// Level; `None`: nothing drives it.
    pub level: Option<bool>,
}

impl Change {
    /// The pin change that `event` is, if it is one.
    pub fn of(event: &Event) -> Option<Change> {
        let Kind::Pin { gpio, level } = event.kind else {
            return None;
        };
        Some(Change {
            at: event.at,
            gpio,
            level,
        })
    }
}

/// The identifier code of a GPIO: one printable character from `!` on.
fn code(gpio: u8) -> String {
    let (high, low) = (gpio / 94, gpio % 94);
    let mut code = String::new();
    if high > 0 {
        code.push((b'!' + high - 1) as char);
    }
    code.push((b'!' + low) as char);
    code
}

fn value(level: Option<bool>) -> char {
    match level {
        Some(true) => '1',
        Some(false) => '0',
        None => 'z',
    }
}

/// Writes the dump: a wire for each pin that changed, undriven (`z`) until its first change, one time unit
/// a nanosecond, up to `end`. There is no date in it: the same run gives the same bytes.
///
/// # Errors
/// Those of the writer.
pub fn write<W: Write>(mut out: W, changes: &[Change], end: Instant) -> io::Result<()> {
    let pins: BTreeSet<u8> = changes.iter().map(|c| c.gpio).collect();
    writeln!(out, "$version oceanrig {} $end", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "$timescale 1 ns $end")?;
    writeln!(out, "$scope module device $end")?;
    for &gpio in &pins {
        writeln!(out, "$var wire 1 {} gpio{gpio} $end", code(gpio))?;
    }
    writeln!(out, "$upscope $end\n$enddefinitions $end\n#0\n$dumpvars")?;
    for &gpio in &pins {
        writeln!(out, "z{}", code(gpio))?;
    }
    writeln!(out, "$end")?;
    let mut now = Instant::ZERO;
    for change in changes {
        if change.at > now {
            now = change.at;
            writeln!(out, "#{}", now.as_nanos())?;
        }
        writeln!(out, "{}{}", value(change.level), code(change.gpio))?;
    }
    if end > now {
        writeln!(out, "#{}", end.as_nanos())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_undriven_until_it_changes() {
        let change = |ms, gpio, level| Change {
            at: Instant::from_millis(ms),
            gpio,
            level,
        };
        let mut out = Vec::new();
        let changes = [
            change(0, 4, Some(false)),
            change(1, 4, Some(true)),
            change(1, 5, None),
        ];
        write(&mut out, &changes, Instant::from_millis(2)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("#0\n").unwrap();
        assert!(head.contains("$timescale 1 ns $end\n"));
        assert!(head.contains("$var wire 1 % gpio4 $end\n$var wire 1 & gpio5 $end\n"));
        assert_eq!(body, "$dumpvars\nz%\nz&\n$end\n0%\n#1000000\n1%\nz&\n#2000000\n");
    }

    #[test]
    fn a_run_without_pins_is_still_a_dump() {
        let mut out = Vec::new();
        write(&mut out, &[], Instant::from_secs(1)).unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .ends_with("$dumpvars\n$end\n#1000000000\n")
        );
    }

    #[test]
    fn every_gpio_has_a_code_of_its_own() {
        let codes: BTreeSet<String> = (0..=u8::MAX).map(code).collect();
        assert_eq!(codes.len(), 256);
        assert!(
            codes
                .iter()
                .all(|c| c.bytes().all(|b| (b'!'..=b'~').contains(&b)))
        );
    }
}
