//! The serial log: raw bytes with secrets taken out, and lines with their times.

use std::io::{self, Write};

use vocabulary::{Event, Kind, SerialPort};

use crate::lines::LineWriter;
use crate::redact::Redactor;

/// A line longer than this is handed on in parts: a guest that never ends its line must not fill the memory.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Writes the raw bytes of the console as they came, line by line, because a secret can be cut between two
/// chunks. Bytes that are not UTF-8 stay as they are.
#[derive(Debug)]
pub struct RawLog<W: Write> {
    out: LineWriter<W>,
    open: [(SerialPort, Vec<u8>); 2],
}

impl<W: Write> RawLog<W> {
    /// Writes to `out`, which should not buffer.
    pub fn new(out: W) -> RawLog<W> {
        let open = [
            (SerialPort::Uart0, Vec::new()),
            (SerialPort::UsbSerialJtag, Vec::new()),
        ];
        RawLog {
            out: LineWriter::new(out),
            open,
        }
    }

    /// Adds the bytes of `event`, if it has any.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn event(&mut self, event: &Event, redactor: &mut Redactor) -> io::Result<()> {
        let Kind::SerialChunk { port, bytes } = &event.kind else {
            return Ok(());
        };
        let Some((_, open)) = self.open.iter_mut().find(|(p, _)| p == port) else {
            return Ok(());
        };
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            open.extend_from_slice(part);
            if open.ends_with(b"\n") || open.len() >= MAX_LINE_BYTES {
                self.out.add(|batch| redact_bytes(open, redactor, batch))?;
                open.clear();
            }
        }
        Ok(())
    }

    /// Hands on what is gathered, but not an open line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the lines that never ended.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self, redactor: &mut Redactor) -> io::Result<()> {
        for (_, open) in &self.open {
            self.out.add(|batch| redact_bytes(open, redactor, batch))?;
        }
        self.out.flush()
    }
}

fn redact_bytes(line: &[u8], redactor: &mut Redactor, out: &mut Vec<u8>) {
    // The end of the line is no part of a value, whatever a rule's pattern says.
    let end = line
        .iter()
        .rposition(|b| !matches!(b, b'\r' | b'\n'))
        .map_or(0, |i| i + 1);
    out.extend_from_slice(&redactor.bytes(&line[..end]));
    out.extend_from_slice(&line[end..]);
}

/// Writes each console line behind its virtual time; the second console's lines are marked.
///
/// # Errors
/// Those of the writer.
pub fn write_timed<W: Write>(mut out: W, event: &Event) -> io::Result<()> {
    let Kind::SerialLine { port, text } = &event.kind else {
        return Ok(());
    };
    match port {
        SerialPort::Uart0 => writeln!(out, "{} {text}", event.at),
        SerialPort::UsbSerialJtag => writeln!(out, "{} usb| {text}", event.at),
    }
}

#[cfg(test)]
mod tests {
    use sim::Instant;

    use super::*;
    use crate::redact::{Rules, Scope};

    fn raw(chunks: &[&[u8]], scope: Scope) -> Vec<u8> {
        let mut redactor = Redactor::new(&Rules::built_in(), scope);
        let mut out = Vec::new();
        let mut log = RawLog::new(&mut out);
        for bytes in chunks {
            let kind = Kind::SerialChunk {
                port: SerialPort::Uart0,
                bytes: bytes.to_vec(),
            };
            log.event(
                &Event {
                    at: Instant::ZERO,
                    kind,
                },
                &mut redactor,
            )
            .unwrap();
        }
        log.finish(&mut redactor).unwrap();
        out
    }

    #[test]
    fn a_secret_cut_between_chunks_is_still_found() {
        let chunks: [&[u8]; 3] = [b"token oc_pe", b"rm_0011\r", b"\nopen \xff oc_reg_x"];
        let want = b"token [permanent-token-1]\r\nopen \xff [registration-token-1]";
        assert_eq!(raw(&chunks, Scope::Secrets), want);
        assert_eq!(raw(&chunks, Scope::Nothing), chunks.concat());
    }

    #[test]
    fn a_line_that_never_ends_is_written_in_parts() {
        let line = vec![b'x'; 3 * MAX_LINE_BYTES];
        assert_eq!(raw(&[&line], Scope::Secrets), line);
    }

    #[test]
    fn times_stand_before_lines() {
        let mut out = Vec::new();
        for port in [SerialPort::Uart0, SerialPort::UsbSerialJtag] {
            let kind = Kind::SerialLine {
                port,
                text: "hi".into(),
            };
            write_timed(
                &mut out,
                &Event {
                    at: Instant::from_millis(1),
                    kind,
                },
            )
            .unwrap();
        }
        assert_eq!(out, b"0:00:00.001 hi\n0:00:00.001 usb| hi\n");
    }
}
