//! Files of lines: the serial log with times, and the events as JSON lines.

use std::io::{self, Write};

use events::{Event, Kind};

/// Writes the events as JSON lines, one object a line, in order.
///
/// # Errors
/// Those of the writer.
pub fn write_events<W: Write>(mut out: W, events: &[Event]) -> io::Result<()> {
    for event in events.iter().filter(|e| !matches!(e.kind, Kind::SerialChunk { .. })) {
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes the console's bytes as they came.
///
/// # Errors
/// Those of the writer.
pub fn write_serial_raw<W: Write>(mut out: W, events: &[Event]) -> io::Result<()> {
    for event in events {
        if let Kind::SerialChunk { bytes, .. } = &event.kind {
            out.write_all(bytes)?;
        }
    }
    out.flush()
}

/// Writes each console line behind its virtual time.
///
/// # Errors
/// Those of the writer.
pub fn write_serial_timed<W: Write>(mut out: W, events: &[Event]) -> io::Result<()> {
    for event in events {
        if let Kind::SerialLine { text, .. } = &event.kind {
            writeln!(out, "{} {text}", event.at)?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use events::SerialPort;
    use sim::Instant;

    use super::*;

    fn sample() -> Vec<Event> {
        let port = SerialPort::Uart0;
        vec![
            Event {
                at: Instant::from_millis(1),
                kind: Kind::SerialChunk { port, bytes: b"hi\xff\r\n".to_vec() },
            },
            Event { at: Instant::from_millis(1), kind: Kind::SerialLine { port, text: "hi\u{fffd}".into() } },
        ]
    }

    #[test]
    fn raw_bytes_stay_raw_and_json_has_the_lines() {
        let (mut raw, mut json, mut timed) = (Vec::new(), Vec::new(), Vec::new());
        write_serial_raw(&mut raw, &sample()).unwrap();
        write_events(&mut json, &sample()).unwrap();
        write_serial_timed(&mut timed, &sample()).unwrap();
        assert_eq!(raw, b"hi\xff\r\n");
        let line = r#"{"at_ns":1000000,"event":{"serial-line":{"port":"uart0","text":"hi�"}}}"#;
        assert_eq!(String::from_utf8(json).unwrap(), format!("{line}\n"));
        assert_eq!(String::from_utf8(timed).unwrap(), "0:00:00.001 hi\u{fffd}\n");
    }
}
