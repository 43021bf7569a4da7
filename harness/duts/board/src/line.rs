//! Transport of a console: a serial port, or a debug probe.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use serialport::SerialPort;

use crate::ports::{self, Port, PortKind};
use crate::reset;

/// Timeout of a read, after which the thread checks whether to stop.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// A handle of the line to a chip.
pub(crate) trait Line: Send {
    /// Reads received bytes, and waits [`PATIENCE`] at most. Without bytes the error is
    /// [`io::ErrorKind::TimedOut`]; any other error means that the line is lost.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes bytes to the console's input.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Resets the chip so that it starts its firmware.
    fn reset(&mut self) -> io::Result<()>;
}

/// Two handles of the same line: for the thread that reads, and for its owner.
pub(crate) type Lines = (Box<dyn Line>, Box<dyn Line>);

/// A handle of a serial port.
pub(crate) struct SerialLine {
    port: Box<dyn SerialPort>,
    kind: PortKind,
}

impl SerialLine {
    /// Makes two handles of an open port.
    pub(crate) fn pair(mut port: Box<dyn SerialPort>, kind: PortKind) -> serialport::Result<Lines> {
        port.set_timeout(PATIENCE)?;
        let other = port.try_clone()?;
        Ok((
            Box::new(SerialLine { port, kind }),
            Box::new(SerialLine { port: other, kind }),
        ))
    }

    /// Opens the port again, if it exists.
    pub(crate) fn open_again(place: &Port, baud: u32) -> Option<Lines> {
        let port = serialport::new(name_now(place)?, baud)
            .timeout(PATIENCE)
            .open()
            .ok()?;
        SerialLine::pair(port, place.kind).ok()
    }
}

impl Line for SerialLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.port.read(buffer) {
            // The other end of the line is closed.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.port.write_all(bytes)?;
        self.port.flush()
    }

    fn reset(&mut self) -> io::Result<()> {
        match reset::run(self.port.as_mut(), self.kind) {
            // The chip's own USB controller may be disconnected during the reset.
            Err(_) if self.kind == PortKind::UsbSerialJtag => Ok(()),
            other => other.map_err(io::Error::from),
        }
    }
}

/// The current name of the port: a USB device that is connected again may get another number.
fn name_now(place: &Port) -> Option<String> {
    if place.usb.is_some() && place.serial.is_some() {
        let same = |p: &Port| p.usb == place.usb && p.serial == place.serial;
        return ports::connected().into_iter().find(same).map(|p| p.name);
    }
    std::path::Path::new(&place.name)
        .exists()
        .then(|| place.name.clone())
}
