//! Flashing a chip by espflash.

use std::borrow::Cow;
use std::str::FromStr as _;
use std::time::Duration;

use espflash::connection::{Connection, Port as NativePort, ResetAfterOperation, ResetBeforeOperation};
use espflash::flasher::{Flasher, SpiAttachParams};
use espflash::image_format::Segment;
use espflash::target::{Chip, ProgressCallbacks};
use md5::{Digest as _, Md5};
use serialport::UsbPortInfo;

use crate::clock;
use crate::command;
use crate::config::{Before, BoardConfig};
use crate::error::{BoardError, with_causes};
use crate::flash_plan::Part;
use crate::guard::{Cancel, guarded};
use crate::mac::Mac;
use crate::ports::{self, Port};

/// Baud rate of the ROM loader after a reset (esptool, "Serial Protocol").
const ROM_BAUD: u32 = 115_200;

/// A step of flashing, for progress displays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlashStep<'a> {
    /// The chip is reset into download mode, and SYNC is sent.
    Connecting,
    /// The chip has answered.
    Connected(&'a ChipInfo),
    /// A part differs from the contents of the flash, and is written.
    Part {
        /// Name of the part.
        name: &'a str,
        /// Length of the part, bytes.
        bytes: usize,
    },
    /// Progress: bytes of all parts that were written or are unchanged.
    Done {
        /// Bytes that are done.
        bytes: u64,
        /// Total bytes of all parts.
        total: u64,
    },
    /// The part equals the contents of the flash.
    Unchanged {
        /// Name of the part.
        name: &'a str,
    },
    /// The part was written and is verified.
    Verifying {
        /// Name of the part.
        name: &'a str,
    },
}

/// Receiver of the progress of flashing.
pub trait Progress {
    /// Called for each step.
    fn step(&mut self, step: FlashStep<'_>);

    /// Called often; `true` ends flashing with [`BoardError::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
}

/// Ignores the progress of flashing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn step(&mut self, _: FlashStep<'_>) {}
}

/// Properties of a chip, read in download mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipInfo {
    /// Kind of chip, for example `esp32c3`.
    pub chip: String,
    /// MAC address in its fuses.
    pub mac: Option<Mac>,
    /// Revision of the silicon, major and minor.
    pub revision: Option<(u32, u32)>,
    /// Size of its flash in bytes; `None` if the flash was not examined.
    pub flash_bytes: Option<u32>,
}

/// Result of flashing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flashed {
    /// Properties of the chip.
    pub info: ChipInfo,
    /// Number of bytes that were written.
    pub written: u64,
    /// Number of bytes that were unchanged.
    pub unchanged: u64,
    /// Names of the parts that were written.
    pub parts: Vec<String>,
    /// Duration of flashing.
    pub took: Duration,
}

impl Flashed {
    /// True if no part had to be written.
    pub fn skipped(&self) -> bool {
        self.written == 0
    }
}

/// Progress of flashing, for messages.
struct Stage<'a> {
    progress: &'a mut dyn Progress,
    connected: bool,
    part: String,
    part_bytes: u64,
    chunks: u64,
    /// Bytes of the parts before the current one.
    before: u64,
    done: u64,
    total: u64,
}

impl<'a> Stage<'a> {
    fn new(progress: &'a mut dyn Progress, total: u64) -> Stage<'a> {
        Stage {
            progress,
            connected: false,
            part: String::new(),
            part_bytes: 0,
            chunks: 1,
            before: 0,
            done: 0,
            total,
        }
    }

    fn percent(&self) -> u8 {
        u8::try_from(self.done * 100 / self.total.max(1)).unwrap_or(100)
    }

    fn during(&self) -> String {
        if self.connected {
            format!("flashing at {} %", self.percent())
        } else {
            "connecting to the chip".to_owned()
        }
    }

    fn part(&mut self, part: &Part) {
        self.check();
        self.before = self.done;
        self.part_bytes = part.bytes.len() as u64;
        self.part.clone_from(&part.name);
        self.progress.step(FlashStep::Part {
            name: &part.name,
            bytes: part.bytes.len(),
        });
    }

    fn part_done(&mut self) {
        self.done = self.before + self.part_bytes;
        self.tell();
    }

    fn tell(&mut self) {
        self.progress.step(FlashStep::Done {
            bytes: self.done,
            total: self.total,
        });
    }

    /// Unwinds out of espflash if the user has cancelled: its callbacks have no other way to stop it.
    fn check(&self) {
        if self.progress.cancelled() {
            std::panic::resume_unwind(Box::new(Cancel));
        }
    }
}

impl ProgressCallbacks for Stage<'_> {
    fn init(&mut self, _: u32, total: usize) {
        self.chunks = total.max(1) as u64;
    }

    fn update(&mut self, current: usize) {
        self.done = self.before + self.part_bytes * (current as u64).min(self.chunks) / self.chunks;
        self.tell();
        self.check();
    }

    fn verifying(&mut self) {
        self.progress.step(FlashStep::Verifying { name: &self.part });
    }

    fn finish(&mut self, _: bool) {}
}

/// Resets the chip into download mode and writes the `parts` that differ. The connection stays open, and the
/// chip stays in download mode.
pub(crate) fn flash(
    config: &BoardConfig,
    port: &Port,
    parts: &[Part],
    progress: &mut dyn Progress,
) -> Result<(Flashed, Connection), BoardError> {
    let start = clock::monotonic();
    let total = parts.iter().map(|p| p.bytes.len() as u64).sum();
    let mut stage = Stage::new(progress, total);
    stage.progress.step(FlashStep::Connecting);
    let connection = open(config, port)?;
    let mut flashed = Flashed {
        info: ChipInfo {
            chip: config.chip.clone(),
            mac: None,
            revision: None,
            flash_bytes: None,
        },
        written: 0,
        unchanged: 0,
        parts: Vec::new(),
        took: Duration::ZERO,
    };
    let done = guarded("espflash", "flashing", || {
        write(config, port, connection, parts, &mut stage, &mut flashed)
    })?;
    let connection = done.map_err(|failure| failure.told(config, port, &stage))?;
    flashed.took = start.elapsed();
    Ok((flashed, connection))
}

/// Reads the properties of the chip, and leaves it in download mode.
pub(crate) fn identify(config: &BoardConfig, port: &Port) -> Result<(ChipInfo, Connection), BoardError> {
    let mut connection = open(config, port)?;
    let mut unwatched = Unwatched;
    let stage = Stage::new(&mut unwatched, 0);
    let asked = guarded("espflash", "asking the chip", || {
        connection.begin()?;
        let chip = connection.detect_chip(false)?;
        let mac = chip.mac_address(&mut connection)?.parse().ok();
        let revision = chip.revision(&mut connection).ok();
        Ok(ChipInfo {
            chip: chip.to_string(),
            mac,
            revision,
            flash_bytes: None,
        })
    })?;
    match asked {
        Ok(info) => Ok((info, connection)),
        Err(error) => Err(Failure::Espflash(error).told(config, port, &stage)),
    }
}

/// Opens the port for espflash, after the declared command that resets the chip into download mode.
fn open(config: &BoardConfig, port: &Port) -> Result<Connection, BoardError> {
    let serial = open_native(port, ROM_BAUD)?;
    let mut before = match config.before {
        Before::DefaultReset => ResetBeforeOperation::DefaultReset,
        Before::UsbReset => ResetBeforeOperation::UsbReset,
        Before::NoReset => ResetBeforeOperation::NoReset,
    };
    if let Some(download) = &config.commands.download {
        // The port is opened before the command, so that no output of the chip is lost.
        command::run(
            "download",
            download,
            &[("port", &port.name), ("name", &config.name)],
            config.commands.timeout,
        )?;
        before = ResetBeforeOperation::NoReset;
    }
    Ok(connect(serial, port, before))
}

fn connect(serial: NativePort, port: &Port, before: ResetBeforeOperation) -> Connection {
    let (vid, pid) = port.usb.unwrap_or_default();
    let info = UsbPortInfo {
        vid,
        pid,
        serial_number: port.serial.clone(),
        manufacturer: None,
        product: port.product.clone(),
        interface: None,
    };
    Connection::new(serial, info, ResetAfterOperation::NoReset, before, ROM_BAUD)
}

/// Opens the port in the type that espflash needs.
pub(crate) fn open_native(port: &Port, baud: u32) -> Result<NativePort, BoardError> {
    serialport::new(&port.name, baud)
        .timeout(Duration::from_secs(3))
        .open_native()
        .map_err(|e| ports::open_failed_by(port, &e))
}

/// Least number of bytes for which loading the stub saves time; fewer are written by the ROM loader.
const WORTH_A_STUB: usize = 64 << 10;

fn write(
    config: &BoardConfig,
    port: &Port,
    connection: Connection,
    parts: &[Part],
    stage: &mut Stage<'_>,
    flashed: &mut Flashed,
) -> Result<Connection, Failure> {
    let wanted = Chip::from_str(&config.chip).ok();
    let mut flasher = Flasher::connect(connection, false, true, false, wanted, None)?;
    if flasher.secure_download_mode() {
        return Err(Failure::Refused(
            "the chip is in secure download mode, which forbids it",
        ));
    }
    let info = flasher.device_info()?;
    flashed.info = ChipInfo {
        chip: info.chip.to_string(),
        mac: info.mac_address.as_deref().and_then(|m| m.parse().ok()),
        revision: info.revision,
        flash_bytes: Some(info.flash_size.size()),
    };
    stage.connected = true;
    stage.progress.step(FlashStep::Connected(&flashed.info));
    if let (Some(wanted), Some(found)) = (config.mac, flashed.info.mac)
        && wanted != found
    {
        return Err(Failure::Board(BoardError::OtherBoard {
            port: port.name.clone(),
            found,
            wanted,
        }));
    }
    let end = parts.iter().map(|p| p.offset + p.bytes.len() as u32).max();
    if end > flashed.info.flash_bytes {
        return Err(Failure::Refused(
            "the flash of the chip is smaller than the partition table says",
        ));
    }
    // The watchdog of a chip with its own USB controller is active in download mode, and would expire during
    // the comparison.
    flasher.disable_watchdog()?;
    let differ = compare(&mut flasher, parts, stage)?;
    let bytes: usize = differ.iter().map(|p| p.bytes.len()).sum();
    flashed.written = bytes as u64;
    flashed.unchanged = stage.total - flashed.written;
    flashed.parts = differ.iter().map(|p| p.name.clone()).collect();
    if differ.is_empty() {
        return Ok(flasher.into_connection());
    }
    let stub = config.stub && bytes > WORTH_A_STUB;
    if stub {
        let serial = flasher.into_connection().into_serial();
        let connection = connect(serial, port, ResetBeforeOperation::NoReset);
        flasher = Flasher::connect(connection, true, true, false, wanted, Some(config.flash_baud))?;
    } else if config.flash_baud != ROM_BAUD {
        flasher.change_baud(config.flash_baud)?;
    }
    // espflash's default parameters are those of an ESP32-PICO-D4.
    let mut target = flasher
        .chip()
        .flash_target(SpiAttachParams::default(), stub, true, false);
    target.begin(flasher.connection())?;
    for part in differ {
        stage.part(part);
        let segment = Segment {
            addr: part.offset,
            data: Cow::Borrowed(&part.bytes),
        };
        target.write_segment(flasher.connection(), segment, stage)?;
        stage.part_done();
    }
    // `target.finish` is not called: it would start the firmware before the console is open.
    Ok(flasher.into_connection())
}

/// The parts that differ from the contents of the flash.
fn compare<'p>(
    flasher: &mut Flasher,
    parts: &'p [Part],
    stage: &mut Stage<'_>,
) -> Result<Vec<&'p Part>, espflash::Error> {
    let mut differ = Vec::new();
    for part in parts {
        stage.check();
        let found = flasher.checksum_md5(part.offset, part.bytes.len() as u32)?;
        if found == u128::from_be_bytes(Md5::digest(&part.bytes).into()) {
            stage.done += part.bytes.len() as u64;
            stage.progress.step(FlashStep::Unchanged { name: &part.name });
            stage.tell();
        } else {
            differ.push(part);
        }
    }
    Ok(differ)
}

/// A failure while flashing, before it becomes a [`BoardError`].
enum Failure {
    Espflash(espflash::Error),
    Refused(&'static str),
    Board(BoardError),
}

impl From<espflash::Error> for Failure {
    fn from(error: espflash::Error) -> Failure {
        Failure::Espflash(error)
    }
}

impl Failure {
    fn told(self, config: &BoardConfig, port: &Port, stage: &Stage<'_>) -> BoardError {
        let name = || port.name.clone();
        let failed = |why: String| BoardError::FlashingFailed {
            port: name(),
            part: stage.part.clone(),
            percent: stage.percent(),
            why,
        };
        let error = match self {
            Failure::Board(error) => return error,
            Failure::Refused(why) => return failed(why.to_owned()),
            Failure::Espflash(error) => error,
        };
        match &error {
            espflash::Error::ChipMismatch(_, found) => {
                return BoardError::OtherChip {
                    port: name(),
                    found: found.clone(),
                    wanted: config.chip.clone(),
                };
            }
            espflash::Error::ChipDetectError(what) => {
                return BoardError::OtherChip {
                    port: name(),
                    found: format!("none that is known ({what})"),
                    wanted: config.chip.clone(),
                };
            }
            _ => {}
        }
        let why = with_causes(&error);
        if is_gone(&why) || !port.device.exists() {
            return BoardError::PortVanished {
                port: name(),
                during: stage.during(),
            };
        }
        if stage.connected {
            failed(why)
        } else {
            BoardError::NoAnswer {
                port: name(),
                why: innermost(&error),
                modem_lines: port.kind.has_modem_lines(),
            }
        }
    }
}

/// Text of the innermost cause of an error, which is the most specific.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// True if the text is a system error of an unplugged device. espflash's own errors are private and drop the
/// error kind, so only the text is left; `flush failed` is serialport's text for it.
fn is_gone(why: &str) -> bool {
    [
        "I/O error",
        "Input/output error",
        "No such device",
        "Broken pipe",
        "broken pipe",
        "flush failed",
        "Bad file descriptor",
    ]
    .iter()
    .any(|text| why.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_bytes_of_all_parts() {
        let mut unwatched = Unwatched;
        let mut stage = Stage::new(&mut unwatched, 400);
        stage.connected = true;
        let part = |len| Part {
            name: "application".to_owned(),
            offset: 0,
            bytes: vec![0; len],
        };
        stage.part(&part(100));
        stage.part_done();
        assert_eq!(stage.percent(), 25);
        stage.part(&part(300));
        stage.init(0, 10);
        stage.update(5);
        assert_eq!(stage.during(), "flashing at 62 %");
        stage.part_done();
        assert_eq!(stage.percent(), 100);
    }
}
