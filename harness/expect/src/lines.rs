//! Division of the console's bytes into lines.

use vocabulary::SerialPort;

/// Greatest length of a line, bytes; a longer one is split.
pub const MAX_LINE: usize = 4096;

/// Number of consoles.
pub(crate) const PORTS: usize = 2;

pub(crate) const fn port_index(port: SerialPort) -> usize {
    match port {
        SerialPort::Uart0 => 0,
        SerialPort::UsbSerialJtag => 1,
    }
}

const fn port_of(index: usize) -> SerialPort {
    if index == 0 {
        SerialPort::Uart0
    } else {
        SerialPort::UsbSerialJtag
    }
}

/// Splits the bytes of both consoles into lines. A line ends with LF; carriage returns right before it are
/// dropped. A line of more than [`MAX_LINE`] bytes is split.
#[derive(Clone, Debug, Default)]
pub struct LineAssembler {
    partial: [Vec<u8>; PORTS],
}

impl LineAssembler {
    /// Takes bytes and returns the lines that they complete. Bytes that are not UTF-8 become U+FFFD.
    pub fn push(&mut self, port: SerialPort, bytes: &[u8]) -> Vec<(SerialPort, String)> {
        let mut lines = Vec::new();
        let partial = &mut self.partial[port_index(port)];
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let mut rest = text;
            while partial.len() + rest.len() > MAX_LINE {
                let (head, tail) = rest.split_at(MAX_LINE - partial.len());
                partial.extend_from_slice(head);
                lines.push((port, take(partial)));
                rest = tail;
            }
            partial.extend_from_slice(rest);
            if ended {
                lines.push((port, take(partial)));
            }
        }
        lines
    }

    /// Returns incomplete lines as lines: at the end of a run, or when the device stops.
    pub fn flush(&mut self) -> Vec<(SerialPort, String)> {
        let mut lines = Vec::new();
        for (index, partial) in self.partial.iter_mut().enumerate() {
            let line = take(partial);
            if !line.is_empty() {
                lines.push((port_of(index), line));
            }
        }
        lines
    }
}

fn take(partial: &mut Vec<u8>) -> String {
    while partial.last() == Some(&b'\r') {
        partial.pop();
    }
    let line = String::from_utf8_lossy(partial).into_owned();
    partial.clear();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: SerialPort = SerialPort::Uart0;

    fn texts(lines: Vec<(SerialPort, String)>) -> Vec<String> {
        lines.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn lines_end_with_lf_and_lose_their_cr() {
        let mut a = LineAssembler::default();
        assert_eq!(texts(a.push(U, b"one\r")), [""; 0]);
        assert_eq!(texts(a.push(U, b"\ntwo\r\r\n\nthr")), ["one", "two", ""]);
        assert_eq!(texts(a.push(SerialPort::UsbSerialJtag, b"other\n")), ["other"]);
        assert_eq!(texts(a.push(U, b"ee \xff\n> ")), ["three \u{fffd}"]);
        assert_eq!(a.flush(), [(U, "> ".to_owned())]);
        assert_eq!(a.flush(), []);
    }

    #[test]
    fn an_overlong_line_is_split() {
        let mut a = LineAssembler::default();
        let lines = texts(a.push(U, &[b'x'; 2 * MAX_LINE + 3]));
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE, MAX_LINE]
        );
        assert_eq!(texts(a.push(U, b"\n")), ["xxx"]);
    }
}
