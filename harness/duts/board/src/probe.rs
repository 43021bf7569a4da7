//! Flashing, reset and logs over JTAG, by probe-rs.
//!
//! The log uses RTT: the firmware writes to a ring buffer in its memory (`_SEGGER_RTT`), and the probe reads
//! it while the chip runs.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use image::SymbolTable;
use probe_rs::flashing::{
    DownloadOptions, FlashError, FlashLoader, FlashProgress, ProgressEvent, ProgressOperation,
};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeError, DebugProbeSelector, ProbeCreationError};
use probe_rs::rtt::{Error as RttError, Rtt, ScanRegion};
use probe_rs::{Core, MemoryInterface as _, Permissions, Session};

use crate::clock;
use crate::config::{BoardConfig, ProbeSelector};
use crate::console::OpenAgain;
use crate::error::{BoardError, with_causes};
use crate::flash::{ChipInfo, FlashStep, Flashed, Progress};
use crate::flash_plan::Part;
use crate::guard::{Cancel, guarded};
use crate::line::{Line, Lines, PATIENCE};
use crate::mac::Mac;
use crate::ports::Port;

/// Interval of polls of an empty ring buffer.
const LOOK: Duration = Duration::from_millis(10);
/// Timeout for halting the core.
const HALT: Duration = Duration::from_secs(1);
/// eFuses of the ESP32-C3 with the MAC address (TRM, chapter "eFuse Controller", EFUSE_RD_MAC_SPI_SYS_0).
const ESP32C3_MAC: u64 = 0x6000_8844;

/// Registers the descriptions of Espressif's chips and of their built-in probe in probe-rs, once.
fn know_the_chips() {
    static ONCE: Once = Once::new();
    ONCE.call_once(probe_rs_espressif::register_plugin);
}

/// Opens the probe and attaches to the chip.
fn attach(config: &BoardConfig, selector: &ProbeSelector) -> Result<Session, BoardError> {
    let wanted = DebugProbeSelector {
        vendor_id: selector.vid,
        product_id: selector.pid,
        interface: None,
        serial_number: selector.serial.clone(),
    };
    let name = format!("probe {selector}");
    guarded("probe-rs", "attaching to the chip", || {
        know_the_chips();
        let probe = Lister::new().open(wanted).map_err(|e| not_opened(&e, &name))?;
        probe
            .attach(config.chip.as_str(), Permissions::new().allow_erase_all())
            .map_err(|e| BoardError::NoAnswer {
                port: name.clone(),
                why: with_causes(&e),
                modem_lines: true,
            })
    })?
}

fn not_opened(error: &DebugProbeError, name: &str) -> BoardError {
    let why = with_causes(error);
    let says = |text: &str| why.to_lowercase().contains(text);
    let port = name.to_owned();
    let not_found = matches!(
        error,
        DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound)
    );
    // A machine without USB does not have this directory.
    if not_found || says("/sys/bus/usb/devices/ not found") {
        let all = Lister::new().list_all();
        let ids = all
            .iter()
            .map(|p| format!("{:04x}:{:04x}", p.vendor_id, p.product_id));
        BoardError::NotConnected {
            wanted: port,
            connected: ids.collect(),
        }
    } else if says("permission denied") {
        BoardError::NoPermission { port, group: None }
    } else if says("busy") {
        BoardError::PortInUse {
            port,
            users: Vec::new(),
        }
    } else {
        BoardError::Port {
            port,
            what: "open it",
            why,
        }
    }
}

/// Reads the MAC address of the chip while it runs.
pub(crate) fn identify(config: &BoardConfig, selector: &ProbeSelector) -> Result<ChipInfo, BoardError> {
    let mut session = attach(config, selector)?;
    let info = info(config, &mut session);
    if let (Some(wanted), Some(found)) = (config.mac, info.mac)
        && wanted != found
    {
        return Err(BoardError::OtherBoard {
            port: format!("probe {selector}"),
            found,
            wanted,
        });
    }
    Ok(info)
}

fn info(config: &BoardConfig, session: &mut Session) -> ChipInfo {
    let mut words = [0; 2];
    let read = config.chip == "esp32c3"
        && session
            .core(0)
            .is_ok_and(|mut core| core.read_32(ESP32C3_MAC, &mut words).is_ok());
    ChipInfo {
        chip: config.chip.clone(),
        mac: read.then(|| mac(words)),
        revision: None,
        flash_bytes: None,
    }
}

/// The MAC address from the two words of the eFuses.
fn mac([low, high]: [u32; 2]) -> Mac {
    let [.., a, b] = high.to_be_bytes();
    let [c, d, e, f] = low.to_be_bytes();
    Mac([a, b, c, d, e, f])
}

/// Writes the parts that differ, and leaves the chip halted.
pub(crate) fn flash(
    config: &BoardConfig,
    selector: &ProbeSelector,
    parts: &[Part],
    progress: &mut dyn Progress,
) -> Result<Flashed, BoardError> {
    let start = clock::monotonic();
    let name = format!("probe {selector}");
    progress.step(FlashStep::Connecting);
    let mut session = attach(config, selector)?;
    let info = info(config, &mut session);
    progress.step(FlashStep::Connected(&info));
    if let (Some(wanted), Some(found)) = (config.mac, info.mac)
        && wanted != found
    {
        return Err(BoardError::OtherBoard {
            port: name,
            found,
            wanted,
        });
    }
    let total: u64 = parts.iter().map(|p| p.bytes.len() as u64).sum();
    let mut done = 0;
    let written = guarded("probe-rs", "flashing", || {
        write(&mut session, parts, progress, &mut done, total)
    })?;
    let differ = written.map_err(|(part, error)| told(&name, part, done, total, &error))?;
    let written: u64 = parts
        .iter()
        .filter(|p| differ.contains(&p.name))
        .map(|p| p.bytes.len() as u64)
        .sum();
    Ok(Flashed {
        info,
        written,
        unchanged: total - written,
        parts: differ,
        took: start.elapsed(),
    })
}

fn told(name: &str, part: String, done: u64, total: u64, error: &FlashError) -> BoardError {
    let percent = u8::try_from(done * 100 / total.max(1)).unwrap_or(100);
    let why = with_causes(error);
    if why.contains("No such device") || why.contains("disconnected") {
        return BoardError::PortVanished {
            port: name.to_owned(),
            during: format!("flashing at {percent} %"),
        };
    }
    BoardError::FlashingFailed {
        port: name.to_owned(),
        part,
        percent,
        why,
    }
}

/// Compares and writes the parts that differ; returns their names, or the name of the part that failed.
fn write(
    session: &mut Session,
    parts: &[Part],
    progress: &mut dyn Progress,
    done: &mut u64,
    total: u64,
) -> Result<Vec<String>, (String, FlashError)> {
    let failed = |part: &Part| {
        let name = part.name.clone();
        move |error| (name, error)
    };
    let mut differ = Vec::new();
    for part in parts {
        check(progress);
        let alone = loader(session, &[part]).map_err(failed(part))?;
        match alone.verify(session, &mut FlashProgress::empty()) {
            Ok(()) => {
                *done += part.bytes.len() as u64;
                progress.step(FlashStep::Unchanged { name: &part.name });
                progress.step(FlashStep::Done { bytes: *done, total });
            }
            Err(FlashError::Verify) => differ.push(part),
            Err(error) => return Err((part.name.clone(), error)),
        }
    }
    for part in &differ {
        let one = loader(session, &[part]).map_err(failed(part))?;
        progress.step(FlashStep::Part {
            name: &part.name,
            bytes: part.bytes.len(),
        });
        let before = *done;
        let mut options = DownloadOptions::new();
        options.verify = true;
        options.progress = FlashProgress::new(|event| {
            if let ProgressEvent::Progress {
                operation: ProgressOperation::Program,
                size,
                ..
            } = event
            {
                *done = (*done + size).min(before + part.bytes.len() as u64);
                progress.step(FlashStep::Done { bytes: *done, total });
                check(progress);
            }
        });
        one.commit(session, options).map_err(failed(part))?;
        *done = before + part.bytes.len() as u64;
        progress.step(FlashStep::Done { bytes: *done, total });
    }
    Ok(differ.into_iter().map(|p| p.name.clone()).collect())
}

fn check(progress: &dyn Progress) {
    if progress.cancelled() {
        std::panic::resume_unwind(Box::new(Cancel));
    }
}

/// A flash loader with `parts`; probe-rs maps the flash of these chips at address 0.
fn loader(session: &Session, parts: &[&Part]) -> Result<FlashLoader, FlashError> {
    let mut loader = session.target().flash_loader();
    for part in parts {
        loader.add_data(u64::from(part.offset), &part.bytes)?;
    }
    Ok(loader)
}

/// Opens the probe as the console of the board.
pub(crate) fn lines(
    config: &BoardConfig,
    port: &Port,
    symbols: Option<&SymbolTable>,
) -> Result<(Lines, OpenAgain), BoardError> {
    let Some(selector) = config.probe.clone() else {
        return Err(BoardError::Port {
            port: port.name.clone(),
            what: "open it",
            why: "boards.toml names no `probe`".to_owned(),
        });
    };
    // Without a symbol the whole memory would have to be searched, which takes seconds.
    let place = symbols
        .and_then(|s| s.find("_SEGGER_RTT"))
        .map_or(ScanRegion::Ram, |s| ScanRegion::Exact(u64::from(s.addr)));
    let session = attach(config, &selector)?;
    let config = config.clone();
    let again = place.clone();
    Ok((
        ProbeLine::pair(session, place),
        Box::new(move || {
            let session = attach(&config, &selector).ok()?;
            Some(ProbeLine::pair(session, again.clone()))
        }),
    ))
}

/// State that both handles of the line share.
struct Attached {
    session: Session,
    place: ScanRegion,
    /// `None` until the firmware has initialised its ring buffer.
    rtt: Option<Rtt>,
}

struct ProbeLine(Arc<Mutex<Attached>>);

impl ProbeLine {
    fn pair(session: Session, place: ScanRegion) -> Lines {
        let attached = Arc::new(Mutex::new(Attached {
            session,
            place,
            rtt: None,
        }));
        (
            Box::new(ProbeLine(attached.clone())),
            Box::new(ProbeLine(attached)),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Attached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attached {
    /// Reads the bytes that the firmware has written; none while there is no ring buffer.
    fn poll(&mut self, buffer: &mut [u8]) -> Result<usize, RttError> {
        let mut core = self.session.core(0)?;
        if self.rtt.is_none() {
            self.rtt = match Rtt::attach_region(&mut core, &self.place) {
                Ok(rtt) => Some(rtt),
                Err(e) if is_not_yet(&e) => None,
                Err(e) => return Err(e),
            };
        }
        match self.rtt.as_mut().and_then(|rtt| rtt.up_channel(0)) {
            Some(channel) => channel.read(&mut core, buffer),
            None => Ok(0),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, RttError> {
        let mut core = self.session.core(0)?;
        match self.rtt.as_mut().and_then(|rtt| rtt.down_channel(0)) {
            Some(channel) => channel.write(&mut core, bytes),
            None => Err(RttError::MissingChannel(0)),
        }
    }

    fn reset(&mut self) -> Result<(), RttError> {
        self.rtt = None;
        let mut core = self.session.core(0)?;
        core.halt(HALT)?;
        // The control block of the previous run is still in memory.
        forget_ring(&mut core, &self.place)?;
        core.reset()?;
        Ok(())
    }
}

fn forget_ring(core: &mut Core<'_>, place: &ScanRegion) -> Result<(), RttError> {
    match Rtt::clear_control_block(core, place) {
        Err(e) if is_not_yet(&e) => Ok(()),
        other => other,
    }
}

/// True if the firmware has not initialised its control block yet.
fn is_not_yet(error: &RttError) -> bool {
    matches!(
        error,
        RttError::ControlBlockNotFound
            | RttError::NoControlBlockLocation
            | RttError::ControlBlockCorrupted(_)
            | RttError::MultipleControlBlocksFound(_)
    )
}

fn lost(error: RttError) -> io::Error {
    io::Error::other(with_causes(&error))
}

impl Line for ProbeLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = clock::monotonic();
        while start.elapsed() < PATIENCE {
            match self.lock().poll(buffer).map_err(lost)? {
                0 => {}
                len => return Ok(len),
            }
            clock::pause(LOOK);
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        let start = clock::monotonic();
        while !rest.is_empty() {
            let len = self.lock().write(rest).map_err(lost)?;
            rest = &rest[len..];
            if start.elapsed() > HALT {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.lock().reset().map_err(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Board, Boards, FlashPlan, Unwatched};
    use dut::FlashImage;
    use probe_rs::config::Registry;
    use std::path::{Path, PathBuf};

    const FIRMWARE: &[u8] = include_bytes!("../../../../fixtures/oceanremote-device.elf.gz");

    #[test]
    fn the_plan_fits_the_flash_that_probe_rs_knows() {
        know_the_chips();
        let target = Registry::from_builtin_families()
            .get_target_by_name("esp32c3")
            .unwrap();
        let plan = FlashPlan::new(FIRMWARE, &FlashImage::new().unwrap()).unwrap();
        let mut loader = target.flash_loader();
        for part in plan.build("esp32c3").unwrap() {
            loader.add_data(u64::from(part.offset), &part.bytes).unwrap();
        }
        let behind = loader.add_data(0x2000_0000, &[0; 4]);
        assert!(behind.is_err());
    }

    #[test]
    fn every_chip_that_can_be_declared_is_known_or_refused_by_name() {
        know_the_chips();
        let registry = Registry::from_builtin_families();
        let known: Vec<&str> = crate::flash_plan::chips()
            .into_iter()
            .filter(|chip| registry.get_target_by_name(chip).is_ok())
            .collect();
        assert!(
            known.contains(&"esp32c3") && known.contains(&"esp32c6"),
            "{known:?}"
        );
    }

    #[test]
    fn the_mac_address_is_read_in_the_order_of_the_efuses() {
        assert_eq!(mac([0xf90a_bcde, 0x6055]).to_string(), "60:55:f9:0a:bc:de");
    }

    #[test]
    fn a_probe_that_is_not_connected_is_told() {
        let text = "[board.jtag]\nprobe = 'ffff:fffe:none'\n";
        let boards = Boards::parse(Path::new("boards.toml"), text).unwrap();
        let mut board = Board::claim(boards.get("jtag").unwrap()).unwrap();
        assert_eq!(board.port().device, PathBuf::from("/probe/ffff:fffe:none"));
        let plan = FlashPlan::new(FIRMWARE, &FlashImage::new().unwrap()).unwrap();
        let error = board.flash(&plan, &mut Unwatched).unwrap_err();
        assert!(matches!(error, BoardError::NotConnected { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("probe ffff:fffe:none is not connected"),
            "{error}"
        );
        let error = board.start(crate::HostClock::start()).err().unwrap();
        assert!(matches!(error, BoardError::NotConnected { .. }), "{error:?}");
    }

    #[test]
    fn a_ring_that_is_not_there_yet_is_no_loss() {
        assert!(is_not_yet(&RttError::ControlBlockNotFound));
        assert!(!is_not_yet(&RttError::MissingChannel(0)));
        assert_eq!(
            lost(RttError::MissingChannel(3)).to_string(),
            "Channel 3 does not exist."
        );
    }
}
