//! The control socket: commands for the board's buttons, pins, supply and cable, as lines of text.
//!
//! One command a line; the answer is one line: `ok`, `ok TEXT` or `error TEXT`.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::claim::{self, SocketFile};
use crate::error::BoardError;

/// Longest line of a command, bytes; a longer one is refused.
const LONGEST_LINE: usize = 1024;
/// Greatest number of connections; a further one waits until another ends.
const MOST_CLIENTS: usize = 32;
/// Time after which [`ask`] gives up on a board that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Number of GPIO pins of the chip, GPIO0 to GPIO21.
const PINS: u8 = 22;

/// A command of the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Presses EN with GPIO9 high: the application boots.
    Reset,
    /// Presses EN with GPIO9 low: the chip enters download mode.
    Download,
    /// Switches the supply voltage on or off.
    Power(bool),
    /// Unplugs the cable of the serial port: the terminal and its link are removed.
    Unplug,
    /// Plugs the cable of the serial port in again.
    Plug,
    /// Switches the access point on or off.
    AccessPoint(bool),
    /// The access point ends the association with this reason code (IEEE 802.11-2020, table 9-49).
    Deauthenticate(u8),
    /// Drives a pin from outside with this level; `None` stops driving it.
    Pin(u8, Option<bool>),
    /// Returns the levels of all pins.
    Pins,
    /// Returns the whole status of the board, as one line of JSON.
    Status,
    /// Ends the board's process.
    Stop,
}

/// All commands, for usage messages.
pub const COMMANDS: &str = "reset, download, power on|off, unplug, plug, ap on|off, deauthenticate REASON, \
                            pin N high|low|release, pins, status, stop";

impl Command {
    /// Reads a command from a line.
    ///
    /// # Errors
    /// A message that says what is wrong with the line.
    pub fn parse(line: &str) -> Result<Command, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let switch = |what: &str, word: &str| match word {
            "on" => Ok(true),
            "off" => Ok(false),
            other => Err(format!("`{what}` takes on or off, not `{other}`")),
        };
        match words[..] {
            ["reset"] => Ok(Command::Reset),
            ["download"] => Ok(Command::Download),
            ["power", to] => switch("power", to).map(Command::Power),
            ["unplug"] => Ok(Command::Unplug),
            ["plug"] => Ok(Command::Plug),
            ["ap", to] => switch("ap", to).map(Command::AccessPoint),
            ["deauthenticate", reason] => match reason.parse() {
                Ok(reason) if reason > 0 => Ok(Command::Deauthenticate(reason)),
                _ => Err(format!("`{reason}` is no reason code (1 to 255)")),
            },
            ["pin", gpio, level] => {
                let gpio = gpio.strip_prefix("GPIO").unwrap_or(gpio);
                let gpio = match gpio.parse() {
                    Ok(gpio) if gpio < PINS => gpio,
                    _ => return Err(format!("`{gpio}` is no pin (0 to {})", PINS - 1)),
                };
                match level {
                    "high" => Ok(Command::Pin(gpio, Some(true))),
                    "low" => Ok(Command::Pin(gpio, Some(false))),
                    "release" => Ok(Command::Pin(gpio, None)),
                    other => Err(format!("a pin goes high, low or release, not `{other}`")),
                }
            }
            ["pins"] => Ok(Command::Pins),
            ["status"] => Ok(Command::Status),
            ["stop"] => Ok(Command::Stop),
            [] => Err(format!("no command; expected one of {COMMANDS}")),
            _ => Err(format!(
                "`{}` is no command; expected one of {COMMANDS}",
                line.trim()
            )),
        }
    }
}

/// Sends one command to the board at `socket` and waits for its answer; returns the text after `ok`.
///
/// # Errors
/// If no board answers, or if it refuses the command.
pub fn ask(socket: &Path, command: &str) -> Result<String, BoardError> {
    let nobody = |source| BoardError::NobodyThere {
        path: socket.to_owned(),
        source,
    };
    let mut stream = UnixStream::connect(socket).map_err(nobody)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(nobody)?;
    stream
        .write_all(format!("{command}\n").as_bytes())
        .map_err(nobody)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(nobody)?;
    match answer.trim_end().split_once(' ') {
        None if answer == "ok\n" => Ok(String::new()),
        Some(("ok", text)) => Ok(text.to_owned()),
        Some(("error", text)) => Err(BoardError::Refused(text.to_owned())),
        _ => Err(nobody(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it answered `{}` to `{command}`", answer.trim_end()),
        ))),
    }
}

/// A connection of a client to the socket.
#[derive(Debug)]
struct Client {
    stream: UnixStream,
    heard: Vec<u8>,
    answers: Vec<u8>,
    ended: bool,
}

/// The listening socket and its clients.
#[derive(Debug)]
pub(crate) struct Control {
    /// `None` after the board has ended.
    listener: Option<(UnixListener, SocketFile)>,
    clients: Vec<Client>,
}

impl Control {
    /// Listens at `path`. The flag is true if the socket of a dead board was replaced.
    pub(crate) fn listen(path: &Path) -> Result<(Control, bool), BoardError> {
        let (listener, file, stale) = claim::listen(path)?;
        let control = Control {
            listener: Some((listener, file)),
            clients: Vec::new(),
        };
        Ok((control, stale))
    }

    /// The sockets to poll: the listener, and the clients with a flag for waiting answers.
    pub(crate) fn sockets(&self) -> (Option<&UnixListener>, impl Iterator<Item = (&UnixStream, bool)>) {
        let open = self.clients.len() < MOST_CLIENTS;
        let clients = self.clients.iter().map(|c| (&c.stream, !c.answers.is_empty()));
        let listener = self.listener.as_ref().map(|(listener, _)| listener);
        (listener.filter(|_| open), clients)
    }

    /// Accepts new connections and reads; returns each complete line with the index of its client.
    pub(crate) fn take_lines(&mut self) -> Vec<(usize, String)> {
        while self.clients.len() < MOST_CLIENTS
            && let Some((listener, _)) = &self.listener
            && let Ok((stream, _)) = listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client {
                    stream,
                    heard: Vec::new(),
                    answers: Vec::new(),
                    ended: false,
                });
            }
        }
        let mut lines = Vec::new();
        for (n, client) in self.clients.iter_mut().enumerate() {
            client.read();
            while let Some(end) = client.heard.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = client.heard.drain(..=end).collect();
                lines.push((n, String::from_utf8_lossy(&line).into_owned()));
            }
            if client.heard.len() > LONGEST_LINE {
                client.heard.clear();
                client.answers.extend(b"error the line is too long\n");
                client.ended = true;
            }
        }
        lines
    }

    /// Queues the answer to a line of client `n`.
    pub(crate) fn answer(&mut self, n: usize, answer: &Result<String, String>) {
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        let text = match answer {
            Ok(text) if text.is_empty() => "ok\n".to_owned(),
            Ok(text) => format!("ok {text}\n"),
            Err(text) => format!("error {text}\n"),
        };
        client.answers.extend(text.as_bytes());
    }

    /// Removes the socket file, then answers the clients that requested the end: after the answer the path is
    /// free for another board.
    pub(crate) fn end(&mut self, asked: &[usize], answer: &Result<String, String>) {
        self.listener = None;
        for n in asked {
            self.answer(*n, answer);
        }
        self.flush();
    }

    /// Sends queued answers, and removes clients that have disconnected.
    pub(crate) fn flush(&mut self) {
        self.clients.retain_mut(|client| {
            client.write();
            !(client.ended && client.answers.is_empty())
        });
    }
}

impl Client {
    fn read(&mut self) {
        let mut buffer = [0; 512];
        while !self.ended && self.heard.len() <= LONGEST_LINE {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.ended = true;
                    // A last line without line feed is a complete command.
                    if !self.heard.is_empty() {
                        self.heard.push(b'\n');
                    }
                }
                Ok(len) => self.heard.extend(&buffer[..len]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.ended = true,
            }
        }
    }

    fn write(&mut self) {
        while !self.answers.is_empty() {
            match self.stream.write(&self.answers) {
                Ok(len) => drop(self.answers.drain(..len)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.answers.clear();
                    self.ended = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_or_refused_with_what_was_expected() {
        let read = |line: &str| Command::parse(line);
        assert_eq!(read(" reset\n"), Ok(Command::Reset));
        assert_eq!(read("power off"), Ok(Command::Power(false)));
        assert_eq!(read("deauthenticate 7"), Ok(Command::Deauthenticate(7)));
        assert_eq!(read("pin 9 low"), Ok(Command::Pin(9, Some(false))));
        assert_eq!(read("pin GPIO4 release"), Ok(Command::Pin(4, None)));
        for (line, why) in [
            ("", "no command; expected one of reset, download"),
            ("reboot", "`reboot` is no command; expected one of reset"),
            ("power up", "`power` takes on or off, not `up`"),
            ("pin 22 high", "`22` is no pin (0 to 21)"),
            ("pin 3 up", "a pin goes high, low or release, not `up`"),
            ("deauthenticate 0", "`0` is no reason code (1 to 255)"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn each_line_gets_its_answer_also_when_it_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ctl");
        let (mut control, _) = Control::listen(&path).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"sta").unwrap();
        assert_eq!(control.take_lines(), []);
        client.write_all(b"tus\nreset\n").unwrap();
        let lines = control.take_lines();
        assert_eq!(lines, [(0, "status\n".to_owned()), (0, "reset\n".to_owned())]);
        control.answer(0, &Ok("{}".to_owned()));
        control.answer(0, &Err("no power".to_owned()));
        control.flush();
        let mut answers = [0; 21];
        client.read_exact(&mut answers).unwrap();
        assert_eq!(&answers, b"ok {}\nerror no power\n");
    }

    #[test]
    fn nobody_and_a_refusal_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ctl");
        assert!(matches!(ask(&path, "reset"), Err(BoardError::NobodyThere { .. })));
    }
}
