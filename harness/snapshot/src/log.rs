//! The serial log in the form that snapshots compare: redacted lines with their times.

use report::redact::Redactor;
use sim::Instant;
use vocabulary::{Event, Kind, SerialPort};

/// A line of a serial log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Simulated time of the line; `None` in a snapshot without times.
    pub at: Option<Instant>,
    /// Text of the line with placeholders; control characters are escaped.
    pub text: String,
}

/// A serial log of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The lines of the log in order.
    pub lines: Vec<Line>,
}

impl Log {
    /// The console lines among `events`. The redactor should be a fresh one of [`report::redact::Scope::All`],
    /// so that the numbers of placeholders depend on the log alone.
    pub fn from_events(events: &[Event], redactor: &mut Redactor) -> Log {
        let line = |event: &Event| {
            let Kind::SerialLine { port, text } = &event.kind else {
                return None;
            };
            let text = redactor.text(text.trim_end());
            let port = if *port == SerialPort::UsbSerialJtag {
                "usb| "
            } else {
                ""
            };
            Some(Line {
                at: Some(event.at),
                text: format!("{port}{}", written_out(&text)),
            })
        };
        let mut log = Log {
            lines: events.iter().filter_map(line).collect(),
        };
        log.trim();
        log
    }

    /// A log of the lines of `text`, without times.
    pub fn from_text(text: &str) -> Log {
        let lines = text
            .lines()
            .map(|text| Line {
                at: None,
                text: text.to_owned(),
            })
            .collect();
        let mut log = Log { lines };
        log.trim();
        log
    }

    /// The text of all lines, each with its line feed.
    pub fn text(&self) -> String {
        self.lines
            .iter()
            .fold(String::new(), |out, line| out + &line.text + "\n")
    }

    /// Removes empty lines at the end: insta trims the end of a snapshot, so they cannot be compared.
    fn trim(&mut self) {
        while self.lines.last().is_some_and(|line| line.text.trim().is_empty()) {
            self.lines.pop();
        }
    }
}

/// Escapes control characters as `\u{1b}`: colour codes of the device must not reach a reviewer's terminal,
/// and must be visible.
fn written_out(text: &str) -> String {
    let plain = |c: char| !c.is_control() || c == '\t';
    if text.chars().all(plain) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if plain(c) {
                c.to_string()
            } else {
                c.escape_default().to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use report::redact::{Rules, Scope};

    use super::*;

    #[test]
    fn lines_are_redacted_and_written_out() {
        let event = |ms, port, text: &str| Event {
            at: Instant::from_millis(ms),
            kind: Kind::SerialLine {
                port,
                text: text.into(),
            },
        };
        let events = [
            event(1, SerialPort::Uart0, "[UPDATE] Using session: 0123456789abcdef  "),
            event(2, SerialPort::Uart0, "\u{1b}[31mSending temperature: 22.4C"),
            event(3, SerialPort::UsbSerialJtag, "hi"),
            event(4, SerialPort::Uart0, ""),
        ];
        let mut redactor = Redactor::new(&Rules::built_in(), Scope::All);
        let log = Log::from_events(&events, &mut redactor);
        let want =
            "[UPDATE] Using session: [session-1]\n\\u{1b}[31mSending temperature: [temperature]C\nusb| hi\n";
        assert_eq!(log.text(), want);
        assert_eq!(log.lines[1].at, Some(Instant::from_millis(2)));
        assert_eq!(log.lines.len(), 3);
    }
}
