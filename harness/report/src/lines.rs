//! The events as JSON lines: written as they come, and read back.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use vocabulary::{Event, Kind, SCHEMA_VERSION};

use crate::ReportError;

/// Lines gathered before they are handed to the system.
const BATCH_BYTES: usize = 4096;

/// Writes whole lines only: whatever kills the process, a reader finds whole lines up to a moment.
#[derive(Debug)]
pub struct LineWriter<W: Write> {
    out: W,
    batch: Vec<u8>,
}

impl<W: Write> LineWriter<W> {
    /// Writes to `out`, which should not buffer: a buffer in between would cut lines anywhere.
    pub fn new(out: W) -> LineWriter<W> {
        LineWriter {
            out,
            batch: Vec::with_capacity(2 * BATCH_BYTES),
        }
    }

    /// Adds what `line` writes, which must be whole lines. True: they were handed on with all before them.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(&mut self, line: impl FnOnce(&mut Vec<u8>)) -> io::Result<bool> {
        line(&mut self.batch);
        let full = self.batch.len() >= BATCH_BYTES;
        if full {
            self.flush()?;
        }
        Ok(full)
    }

    /// Hands on what is gathered.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.batch)?;
        self.batch.clear();
        self.out.flush()
    }
}

impl<W: Write> Drop for LineWriter<W> {
    fn drop(&mut self) {
        // An error here has nobody to go to; who wants to know calls `flush`.
        let _ = self.flush();
    }
}

/// Writes events as JSON lines, one object a line.
#[derive(Debug)]
pub struct EventLog<W: Write>(LineWriter<W>);

impl<W: Write> EventLog<W> {
    /// Writes to `out`, which should not buffer.
    pub fn new(out: W) -> EventLog<W> {
        EventLog(LineWriter::new(out))
    }

    /// Adds `event`. Raw bytes ([`Kind::SerialChunk`]) are left out: the whole lines are there too. True: what was
    /// gathered was handed on.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn event(&mut self, event: &Event) -> io::Result<bool> {
        if matches!(event.kind, Kind::SerialChunk { .. }) {
            return Ok(false);
        }
        self.0.add(|batch| {
            serde_json::to_writer(&mut *batch, event).expect("an event is text, numbers and lists");
            batch.push(b'\n');
        })
    }

    /// Hands on what is gathered.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes `events` as JSON lines, in order.
///
/// # Errors
/// Those of the writer.
pub fn write_events<W: Write>(out: W, events: &[Event]) -> io::Result<()> {
    let mut log = EventLog::new(out);
    for event in events {
        log.event(event)?;
    }
    log.flush()
}

/// What an event file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFile {
    /// The scenarios in it, each from its start.
    pub runs: Vec<Vec<Event>>,
    /// The last line was cut off: the writer was killed.
    pub torn: bool,
}

/// Reads an event file of one or more scenarios. A cut-off last line is left out and told.
///
/// # Errors
/// [`ReportError`] when the file cannot be read, is of a later schema, or holds something else.
pub fn read_events(path: &Path) -> Result<EventFile, ReportError> {
    let mut text = fs::read(path).map_err(ReportError::io("read", path))?;
    if text.starts_with("\u{feff}".as_bytes()) {
        text.drain(..3);
    }
    let torn = !text.is_empty() && !text.ends_with(b"\n");
    let mut runs: Vec<Vec<Event>> = Vec::new();
    let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let (whole, rest) = text.split_at(end);
    for (i, line) in whole
        .split(|b| *b == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let event: Event = serde_json::from_slice(line).map_err(|source| ReportError::Event {
            path: path.to_owned(),
            line: i + 1,
            source,
        })?;
        push(path, &mut runs, event)?;
    }
    // A last line without its end may still be whole.
    let last = serde_json::from_slice::<Event>(rest).ok();
    let torn = torn && last.is_none();
    if let Some(event) = last {
        push(path, &mut runs, event)?;
    }
    Ok(EventFile { runs, torn })
}

fn push(path: &Path, runs: &mut Vec<Vec<Event>>, event: Event) -> Result<(), ReportError> {
    if let Kind::ScenarioStarted { schema, .. } = event.kind {
        if schema > SCHEMA_VERSION {
            return Err(ReportError::Schema {
                path: path.to_owned(),
                found: schema,
                known: SCHEMA_VERSION,
            });
        }
        runs.push(Vec::new());
    }
    runs.last_mut()
        .ok_or_else(|| ReportError::NoStart {
            path: path.to_owned(),
        })?
        .push(event);
    Ok(())
}

#[cfg(test)]
mod tests {
    use sim::Instant;
    use vocabulary::SerialPort;

    use super::*;

    fn started(schema: u32) -> Event {
        let kind = Kind::ScenarioStarted {
            schema,
            name: "s".into(),
            seed: 1,
            firmware_sha256: "00".into(),
            backend: "emulator".into(),
            epoch_unix_s: 0,
            time_scale: 1,
        };
        Event {
            at: Instant::ZERO,
            kind,
        }
    }

    fn sample() -> Vec<Event> {
        let port = SerialPort::Uart0;
        let at = Instant::from_millis(1);
        vec![
            started(SCHEMA_VERSION),
            Event {
                at,
                kind: Kind::SerialChunk {
                    port,
                    bytes: b"hi\xff\r\n".to_vec(),
                },
            },
            Event {
                at,
                kind: Kind::SerialLine {
                    port,
                    text: "hi\u{fffd}".into(),
                },
            },
        ]
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_written_is_read_back_without_the_raw_bytes() {
        let mut json = Vec::new();
        write_events(&mut json, &sample()).unwrap();
        let last = String::from_utf8(json.clone()).unwrap();
        let line = r#"{"at_ns":1000000,"event":{"serial-line":{"port":"uart0","text":"hi�"}}}"#;
        assert_eq!(last.lines().last(), Some(line));
        let (_dir, path) = file(&json);
        let back = read_events(&path).unwrap();
        assert_eq!(back.runs, [vec![sample()[0].clone(), sample()[2].clone()]]);
        assert!(!back.torn);
    }

    #[test]
    fn a_file_of_the_first_schema_is_read_as_unscaled() {
        let line = concat!(
            r#"{"at_ns":0,"event":{"scenario-started":{"schema":1,"name":"s","seed":1,"#,
            r#""firmware_sha256":"00","backend":"emulator","epoch_unix_s":0}}}"#,
            "\n",
        );
        let (_dir, path) = file(line.as_bytes());
        let Kind::ScenarioStarted { time_scale, .. } = read_events(&path).unwrap().runs[0][0].kind else {
            panic!("another event");
        };
        assert_eq!(time_scale, 1);
    }

    #[test]
    fn wherever_the_file_is_cut_the_whole_lines_are_read() {
        let mut json = Vec::new();
        write_events(&mut json, &sample()).unwrap();
        let first = json.iter().position(|b| *b == b'\n').unwrap();
        for end in first + 2..json.len() - 1 {
            let (_dir, path) = file(&json[..end]);
            let back = read_events(&path).unwrap();
            assert_eq!((back.runs[0].len(), back.torn), (1, true), "cut at {end}");
        }
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let error = |bytes: &[u8]| {
            let (_dir, path) = file(bytes);
            read_events(&path).unwrap_err()
        };
        assert!(matches!(error(b"{}\n"), ReportError::Event { line: 1, .. }));
        let mut later = Vec::new();
        write_events(&mut later, &[started(SCHEMA_VERSION + 1)]).unwrap();
        assert!(matches!(error(&later), ReportError::Schema { .. }));
        let mut headless = Vec::new();
        write_events(&mut headless, &sample()[2..]).unwrap();
        assert!(matches!(error(&headless), ReportError::NoStart { .. }));
    }

    #[test]
    fn lines_leave_in_batches_of_whole_lines() {
        struct Chunks(Vec<Vec<u8>>);
        impl Write for Chunks {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.push(buf.to_vec());
                Ok(buf.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut chunks = Chunks(Vec::new());
        let mut lines = LineWriter::new(&mut chunks);
        for _ in 0..1000 {
            lines
                .add(|batch| batch.extend_from_slice(b"a line of the log\n"))
                .unwrap();
        }
        drop(lines);
        assert!(chunks.0.len() > 2, "it is written while it goes on");
        assert!(chunks.0.iter().all(|c| c.ends_with(b"\n")));
        assert_eq!(chunks.0.concat().len(), 18_000);
    }
}
