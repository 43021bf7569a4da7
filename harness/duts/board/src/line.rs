//! What a console runs over: a serial port, or a debug probe.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use serialport::SerialPort;

use crate::ports::{self, Port, PortKind};
use crate::reset;

/// How long a read waits before it looks whether to stop.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// One end of the line to a chip.
pub(crate) trait Line: Send {
    /// Reads what is there, and waits [`PATIENCE`] at most; nothing is [`io::ErrorKind::TimedOut`], any other error a
    /// line that was lost.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Types into the console.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Resets the chip so that it starts its firmware.
    fn reset(&mut self) -> io::Result<()>;
}

/// Two handles on the same line: for the thread that reads, and for its owner.
pub(crate) type Lines = (Box<dyn Line>, Box<dyn Line>);

/// A serial port.
pub(crate) struct SerialLine {
    port: Box<dyn SerialPort>,
    kind: PortKind,
}

impl SerialLine {
    /// Two handles on an open port.
    pub(crate) fn pair(mut port: Box<dyn SerialPort>, kind: PortKind) -> serialport::Result<Lines> {
        port.set_timeout(PATIENCE)?;
        let other = port.try_clone()?;
        Ok((
            Box::new(SerialLine { port, kind }),
            Box::new(SerialLine { port: other, kind }),
        ))
    }

    /// Opens the port anew, if it is there.
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
            // The other end is gone.
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
            // The chip's own USB controller may leave the bus while it is reset.
            Err(_) if self.kind == PortKind::UsbSerialJtag => Ok(()),
            other => other.map_err(io::Error::from),
        }
    }
}

/// What the port is called now: a USB device that comes back may get another number.
fn name_now(place: &Port) -> Option<String> {
    if place.usb.is_some() && place.serial.is_some() {
        let same = |p: &Port| p.usb == place.usb && p.serial == place.serial;
        return ports::connected().into_iter().find(same).map(|p| p.name);
    }
    std::path::Path::new(&place.name)
        .exists()
        .then(|| place.name.clone())
}
