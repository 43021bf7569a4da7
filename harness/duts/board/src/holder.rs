//! The process that holds a board's lock.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::clock;

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Id of the process.
    pub pid: u32,
    /// Its command line, in one line.
    pub command: String,
    /// Time at which it took the lock, seconds since 1970.
    pub since_unix_s: i64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = sim::UnixTime::from_secs(self.since_unix_s);
        write!(f, "process {} (`{}`) since {since}", self.pid, self.command)
    }
}

impl Holder {
    pub(crate) fn this() -> Holder {
        let since = clock::wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Holder {
            pid: std::process::id(),
            command: command_line(),
            since_unix_s: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        format!(
            "pid {}\nsince {}\ncommand {}\n",
            self.pid, self.since_unix_s, self.command
        )
    }

    pub(crate) fn parse(text: &str) -> Option<Holder> {
        let line = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
        Some(Holder {
            pid: line("pid")?.parse().ok()?,
            command: line("command")?.to_owned(),
            since_unix_s: line("since")?.parse().ok()?,
        })
    }

    pub(crate) fn unknown() -> Holder {
        Holder {
            pid: 0,
            command: "unknown".to_owned(),
            since_unix_s: 0,
        }
    }
}

/// The command line of this process, in one line.
fn command_line() -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let mut line: String = words
        .join(" ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if let Some((end, _)) = line.char_indices().nth(200) {
        line.truncate(end);
        line.push('…');
    }
    line
}
