//! The board: chip, network, servers and sockets, and the effect of each command on them.

use std::path::PathBuf;

use esp32c3::{Chip, ChipConfig, Output, Port, ResetCause, Stop};
use netsim::{ApConfig, NetConfig, Netsim, SntpMode};
use serde_json::json;
use sha2::{Digest, Sha256};
use sim::air::{AuthMode, Reason};
use sim::{Instant, UnixTime};

use crate::access_point::AccessPoint;
use crate::clock::{self, Clock};
use crate::control::{Command, Control};
use crate::error::BoardError;
use crate::flash_file::FlashFile;
use crate::hostapd::{Hostapd, Wish, mac_text};
use crate::images::Elfs;
use crate::line;
use crate::options::Options;
use crate::pty::Pty;
use crate::servers::Servers;

/// The strapping pin that chooses between the application and download mode (chip data sheet, "Strapping Pins").
const BOOT_PIN: u8 = 9;
/// Greatest number of message exchanges between chip, network and servers at one moment.
const MOST_ROUNDS: usize = 1000;
/// Greatest number of messages for the user that wait; further ones are dropped.
const MOST_NEWS: usize = 16;
/// Number of GPIO pins of the chip.
const PINS: u8 = 22;

/// A virtual board.
#[derive(Debug)]
pub struct Board {
    pub(crate) chip: Chip,
    pub(crate) net: Netsim,
    pub(crate) servers: Servers,
    pub(crate) ap: AccessPoint,
    pub(crate) control: Control,
    pub(crate) hostapd: Option<Hostapd>,
    pub(crate) pty: Option<Pty>,
    pub(crate) flash: Option<FlashFile>,
    pub(crate) clock: Clock,
    /// Time that the chip is permanently behind the wall clock, because the host was too slow.
    pub(crate) slipped: std::time::Duration,
    pub(crate) stopping: bool,
    /// Indices of the control clients that wait for the end.
    pub(crate) stopped_by: Vec<usize>,
    elfs: Elfs,
    options: Options,
    /// The moment up to which the network has been polled.
    settled: Instant,
    epoch: UnixTime,
    /// Level driven from outside at each pin, `None` if it is not driven.
    pins: [Option<bool>; PINS as usize],
    /// The moment at which the chip will have received the last byte from the host.
    line_free: Instant,
    /// Bytes that the chip has sent and the board has not passed to the port.
    said: Vec<u8>,
    /// Baud rate at which they were sent.
    said_at: u32,
    elf: Option<PathBuf>,
    resets: u64,
    boot_error: Option<String>,
    sha256: Option<(u64, String)>,
    /// Messages for the user that have not been printed.
    pub(crate) news: Vec<String>,
    told: Option<String>,
}

impl Board {
    /// Makes a board and switches it on; its port and sockets exist when this returns.
    ///
    /// # Errors
    /// If a path is in use, a file has the wrong contents, or the network's configuration is invalid.
    pub fn new(options: Options) -> Result<Board, BoardError> {
        let elfs = Elfs::load(&options.elfs)?;
        let ap = ApConfig {
            ssid: options.ssid.clone(),
            password: options.password.clone(),
            auth: if options.password.is_empty() {
                AuthMode::Open
            } else {
                AuthMode::Wpa2Psk
            },
            ..ApConfig::default()
        };
        let epoch = clock::civil_time();
        let mut net_config = NetConfig {
            ap: ap.clone(),
            epoch,
            wan_latency: std::time::Duration::ZERO,
            seed: options.seed,
            ..NetConfig::default()
        };
        let gateway = net_config.gateway_ip;
        net_config.ntp_servers.insert(gateway);
        let mut net = Netsim::new(net_config)?;
        // DNS answers every name with the gateway's address, because the servers are behind it.
        net.set_dns(netsim::DnsMode::Address(gateway), std::time::Duration::ZERO);
        let servers = Servers::new(&mut net, gateway, &options.forwards);
        crate::claim::check(&options.port, true)?;
        let (control, stale) = Control::listen(&options.control_path())?;
        let hostapd = options.hostapd.as_deref().map(Hostapd::bind).transpose()?;
        let mut flash = options.flash.as_deref().map(FlashFile::open).transpose()?;
        let pty = Pty::plug(&options.port, stale)?;
        let config = ChipConfig {
            mac: options.mac,
            flash: flash.as_ref().map(|f| f.bytes().to_vec()).unwrap_or_default(),
            seed: options.seed,
            boot_rom: true,
            ..ChipConfig::default()
        };
        let mut chip = Chip::from_flash(config, None)?;
        if let Some(file) = &mut flash {
            file.begin(chip.flash());
        }
        chip.power_off();
        chip.take_outputs();
        let mut board = Board {
            chip,
            net,
            servers,
            ap: AccessPoint::new(ap),
            control,
            hostapd,
            pty: Some(pty),
            flash,
            clock: Clock::start(),
            slipped: std::time::Duration::ZERO,
            stopping: false,
            stopped_by: Vec::new(),
            elfs,
            settled: Instant::ZERO,
            epoch,
            pins: [None; PINS as usize],
            line_free: Instant::ZERO,
            said: Vec::new(),
            said_at: 0,
            elf: None,
            resets: 0,
            boot_error: None,
            sha256: None,
            news: Vec::new(),
            told: None,
            options,
        };
        let boot = !board.options.download;
        board.with_boot_pin(boot, |board| {
            board.choose_symbols();
            board.chip.power_on();
        });
        Ok(board)
    }

    /// The configuration of the board.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The present moment in the chip's time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now() - self.slipped
    }

    /// Runs until `until`, as long as `go_on` returns true.
    pub(crate) fn advance(&mut self, until: Instant, mut go_on: impl FnMut() -> bool) {
        self.tell_the_time();
        loop {
            self.settle();
            let here = self.chip.now();
            if here >= until || !go_on() {
                break;
            }
            let due = self.net.next_due().unwrap_or(until).max(here);
            let stop = self.chip.run_until(due.min(until));
            self.hear_the_chip();
            if stop == Stop::Time && self.chip.now() == here {
                // Network and servers do not come to rest at this moment: continue with the next microsecond.
                self.chip.run_until(here + std::time::Duration::from_micros(1));
            }
        }
        self.send_what_was_said();
        for event in self.ap.take_events() {
            if let Some(hostapd) = &mut self.hostapd {
                hostapd.tell(event);
            }
        }
    }

    /// Sets the SNTP server to the host's time, so that a drift between the clocks has no effect.
    fn tell_the_time(&mut self) {
        let simulated = self.epoch.offset_nanos(i128::from(self.chip.now().as_nanos()));
        let offset = clock::civil_time().as_nanos() - simulated.as_nanos();
        self.net.set_sntp(SntpMode::Normal, offset);
    }

    /// Carries out everything due now in network and servers.
    pub(crate) fn settle(&mut self) {
        let now = self.chip.now();
        self.settled = now;
        for _ in 0..MOST_ROUNDS {
            self.net.poll(now);
            for (_, note) in self.net.take_notes() {
                self.ap.hear(&note);
            }
            let mut moved = self.servers.hear(now, &mut self.net);
            for message in self.net.take_to_station() {
                moved = true;
                self.chip.air(message);
            }
            if !moved {
                return;
            }
        }
    }

    /// Queues a message for the user, unless it equals the last one.
    fn tell(&mut self, news: String) {
        if self.told.as_ref() != Some(&news) && self.news.len() < MOST_NEWS {
            self.told = Some(news.clone());
            self.news.push(news);
        }
    }

    fn hear_the_chip(&mut self) {
        for (at, output) in self.chip.take_outputs() {
            match output {
                Output::Serial {
                    port: Port::Uart0,
                    byte,
                } => self.said.push(byte),
                Output::Baud { baud, .. } => {
                    self.send_what_was_said();
                    self.said_at = baud;
                }
                Output::Air(message) => self.net.from_station(at.max(self.settled), message),
                Output::Reset { .. } => {
                    self.resets += 1;
                    self.boot_error = None;
                    self.choose_symbols();
                }
                Output::BootFailed(error) => {
                    let why = error.to_string();
                    self.tell(format!("the board does not boot: {why}"));
                    self.boot_error = Some(why);
                }
                Output::RadioWithoutSymbols { .. } => self.tell(
                    "the firmware uses the radio, and no --elf matches what is flashed: without symbols the WiFi \
                     driver cannot be found, and the firmware does not come further"
                        .to_owned(),
                ),
                Output::Exception(exception) => self.tell(format!(
                    "the firmware took exception {} at {:#010x}, value {:#010x}",
                    exception.cause, exception.pc, exception.value
                )),
                _ => {}
            }
        }
    }

    /// Sends the chip's bytes to the client, as received at the client's baud rate.
    fn send_what_was_said(&mut self) {
        let said = std::mem::take(&mut self.said);
        let chip_rate = self.said_at;
        if let Some(pty) = &mut self.pty
            && !said.is_empty()
            && pty.client()
        {
            let heard = line::sampled(&said, chip_rate, pty.baud());
            pty.write(&heard);
        }
    }

    /// Baud rate of the chip's console, bits per second.
    fn chip_rate(&self) -> u32 {
        self.chip.baud(Port::Uart0).unwrap_or_default()
    }

    /// The moment at which the line to the chip takes more bytes: a host that writes faster than the baud
    /// rate has to wait.
    pub(crate) fn line_takes_more_at(&self) -> Instant {
        self.line_free - std::time::Duration::from_millis(10)
    }

    /// Passes bytes that the client has written to the chip.
    pub(crate) fn listen_to_the_port(&mut self) {
        let now = self.chip.now();
        if self.line_takes_more_at() > now {
            return;
        }
        let Some(pty) = &mut self.pty else { return };
        let rate = pty.baud().max(300);
        // At most as many bytes as the line transfers in a hundredth of a second.
        let mut buffer = [0; 4096];
        let most = (rate as usize / 1000).clamp(16, buffer.len());
        let written = pty.read(&mut buffer[..most]);
        if written.is_empty() || !self.chip.is_powered() {
            return;
        }
        self.chip.offer_baud(rate);
        let chip_rate = self.chip_rate();
        let heard = line::sampled(written, rate, chip_rate);
        let bits = 10 * written.len() as u64;
        self.line_free =
            self.line_free.max(now) + std::time::Duration::from_nanos(bits * 1_000_000_000 / u64::from(rate));
        self.chip.serial_in(Port::Uart0, &heard);
    }

    /// Carries out a command of the control socket.
    pub(crate) fn command(&mut self, text: &str) -> Result<String, String> {
        let command = Command::parse(text)?;
        let now = self.chip.now();
        match command {
            Command::Reset => self.press_en(true)?,
            Command::Download => self.press_en(false)?,
            Command::Power(true) => self.with_boot_pin(true, |board| {
                board.choose_symbols();
                board.chip.power_on();
            }),
            Command::Power(false) => self.chip.power_off(),
            Command::Unplug => self.pty = None,
            Command::Plug => self.plug()?,
            Command::AccessPoint(on) => self.ap.switch(&mut self.net, now, on),
            Command::Deauthenticate(reason) => {
                if self.ap.station.is_none() {
                    return Err("no station is connected".to_owned());
                }
                self.net.deauthenticate(now, Reason(reason));
            }
            Command::Pin(gpio, level) => {
                self.pins[usize::from(gpio)] = level;
                self.chip.set_pin(gpio, level);
            }
            Command::Pins => return Ok(self.pin_levels()),
            Command::Status => return Ok(self.status()),
            Command::Stop => self.stopping = true,
        }
        self.hear_the_chip();
        Ok(String::new())
    }

    /// Carries out the commands received on hostapd's interface.
    pub(crate) fn listen_to_hostapd(&mut self) {
        let Some(hostapd) = &mut self.hostapd else { return };
        let now = self.chip.now();
        for wish in hostapd.serve(&self.ap) {
            match wish {
                Wish::Enable => self.ap.switch(&mut self.net, now, true),
                Wish::Disable => self.ap.disable(&mut self.net, now),
                Wish::Deauthenticate(reason) => self.net.deauthenticate(now, reason),
                Wish::Attach | Wish::Detach => {}
            }
        }
    }

    fn press_en(&mut self, boot: bool) -> Result<(), String> {
        if !self.chip.is_powered() {
            return Err("the board has no power; `power on` first".to_owned());
        }
        self.with_boot_pin(boot, |board| {
            board.choose_symbols();
            board.chip.reset(ResetCause::PowerOn);
        });
        self.line_free = self.chip.now();
        Ok(())
    }

    /// Drives the strapping pin while the chip starts, then restores its level.
    fn with_boot_pin(&mut self, level: bool, start: impl FnOnce(&mut Board)) {
        self.chip.set_pin(BOOT_PIN, Some(level));
        start(self);
        self.chip.set_pin(BOOT_PIN, self.pins[usize::from(BOOT_PIN)]);
    }

    /// Sets the symbols for the next reset: those of the ELF that matches the flash.
    fn choose_symbols(&mut self) {
        let elf = self.elfs.of(self.chip.flash());
        self.chip.set_symbols(elf.map(|elf| &elf.firmware));
        self.elf = elf.map(|elf| elf.path.clone());
    }

    fn plug(&mut self) -> Result<(), String> {
        if self.pty.is_none() {
            let pty = Pty::plug(&self.options.port, false).map_err(|error| {
                let why = std::error::Error::source(&error).map(|e| format!(": {e}"));
                format!("{error}{}", why.unwrap_or_default())
            })?;
            self.pty = Some(pty);
        }
        Ok(())
    }

    fn pin_levels(&self) -> String {
        let level = |gpio| match self.chip.pin(gpio) {
            Some(true) => "high",
            Some(false) => "low",
            None => "float",
        };
        let all: Vec<String> = (0..PINS).map(|gpio| format!("{gpio}={}", level(gpio))).collect();
        all.join(" ")
    }

    fn status(&mut self) -> String {
        let mode = if !self.chip.is_powered() {
            "off"
        } else if self.chip.is_downloading() {
            "download"
        } else {
            "app"
        };
        let sha256 = self.flash_sha256();
        let text = |path: &std::path::Path| path.display().to_string();
        let client = self.pty.as_mut().is_some_and(Pty::client);
        json!({
            "mode": mode,
            "boot_error": self.boot_error,
            "plugged": self.pty.is_some(),
            "client": client,
            "baud": {
                "chip": self.chip_rate(),
                "host": self.pty.as_ref().map(Pty::baud),
            },
            "overrun": self.pty.as_ref().map(|pty| pty.overrun),
            "flash": {
                "path": self.flash.as_ref().map(|f| text(f.path())),
                "sha256": sha256,
                "saved": self.flash.as_ref().map(FlashFile::is_saved),
            },
            "elf": self.elf.as_deref().map(text),
            "ap": self.ap.on,
            "ssid": self.ap.config.ssid,
            "connected": self.ap.station.is_some(),
            "address": self.ap.address.map(|ip| ip.to_string()),
            "connections": self.servers.connections(),
            "mac": mac_text(self.options.mac),
            "uptime_ms": self.clock.now().as_millis(),
            "behind_ms": self.now().since(self.chip.now()).as_millis() as u64,
            "slipped_ms": self.slipped.as_millis() as u64,
            "resets": self.resets,
        })
        .to_string()
    }

    fn flash_sha256(&mut self) -> String {
        let flash = self.chip.flash();
        match &self.sha256 {
            Some((generation, sum)) if *generation == flash.generation() => sum.clone(),
            _ => {
                let sum = Sha256::digest(flash.cells());
                let sum: String = sum.iter().map(|b| format!("{b:02x}")).collect();
                self.sha256 = Some((flash.generation(), sum.clone()));
                sum
            }
        }
    }
}
