//! The typed, versioned events of a run: the only contract between the runner and what reads its results.
//!
//! A run is a sequence of [`Event`]s in the order in which they happened, each with its moment in true time.
//! Expectations judge them, reports draw them; neither sees the bench. As JSON each event is one line,
//! `{"at_ns":1200,"event":{"serial-line":{"text":"…"}}}`; the first line is [`Kind::ScenarioStarted`] and
//! carries [`SCHEMA_VERSION`]. The version grows when a reader of the old one would misread the new one.

mod device;
pub mod judge;
mod network;
mod service;
pub mod spec;
pub mod text;
mod verdict;

use serde::{Deserialize, Serialize};
use sim::Instant;

pub use device::{Access, AccessKind, ResetCause, SerialPort};
pub use network::{Direction, LinkEvent, TcpChange, WifiEvent};
pub use service::{DeviceStatus, Endpoint, Exchange, Fact, Phase, SessionChange, Value};
pub use verdict::{ExpectationResult, FaultState, StepState, Trouble, Verdict};

/// Version of the event schema. 2: a run may be scaled in time, and its verdict may be that it was skipped or that
/// one of several troubles kept the bench from it.
pub const SCHEMA_VERSION: u32 = 2;

const fn unscaled() -> u32 {
    1
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// True time since the bench was switched on.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// What happened.
    #[serde(rename = "event")]
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first event of a run.
    ScenarioStarted {
        /// [`SCHEMA_VERSION`] of the writer.
        schema: u32,
        /// The scenario's name.
        name: String,
        /// Seed of all randomness.
        seed: u64,
        /// SHA-256 of the firmware ELF, hexadecimal.
        firmware_sha256: String,
        /// Which backend ran it: `emulator`, `board:NAME`, …
        backend: String,
        /// Civil time at the start, Unix seconds.
        epoch_unix_s: i64,
        /// By how much the contract's intervals were divided, on the device and at the cloud: 1 is real time.
        #[serde(default = "unscaled")]
        time_scale: u32,
    },
    /// Bytes from the device's console, as they came. Not part of the JSON lines: [`Kind::SerialLine`] is,
    /// and the raw log has a file of its own.
    #[serde(skip)]
    SerialChunk {
        /// Which console.
        port: SerialPort,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A whole line from the device's console, at the moment its end arrived.
    SerialLine {
        /// Which console.
        port: SerialPort,
        /// The line without its terminator; bytes that are not UTF-8 are replaced by U+FFFD.
        text: String,
    },
    /// Bytes that the scenario typed into the device's console.
    SerialInput {
        /// The text, lossily decoded.
        text: String,
    },
    /// A pin changed. `None` means that nothing drives it any more.
    Pin {
        /// GPIO number.
        gpio: u8,
        /// Level, true is high.
        level: Option<bool>,
    },
    /// The device started after a reset.
    Reset {
        /// Why.
        cause: ResetCause,
    },
    /// The device's supply was switched.
    Power {
        /// True: on.
        on: bool,
    },
    /// The guest panicked or took an exception that it does not handle.
    GuestFault {
        /// What happened, one line.
        message: String,
        /// Symbolised frames, innermost first.
        backtrace: Vec<String>,
    },
    /// The program that is the device has ended.
    Exited {
        /// Its exit status; `None`: a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// An access that the chip model does not implement; reported once for each place, see `count` in
    /// [`Kind::ScenarioFinished`].
    Unmodelled(Access),
    /// The radio's link.
    Wifi(WifiEvent),
    /// A frame crossed the link; its bytes are in the capture.
    Frame {
        /// Which way.
        direction: Direction,
        /// Length in bytes without FCS.
        len: u32,
    },
    /// A network service did something.
    Link(LinkEvent),
    /// A request to the cloud reached a phase.
    Request {
        /// Which part of its life this is.
        phase: Phase,
        /// The exchange as far as it is known at that phase.
        exchange: Exchange,
    },
    /// A service tells something.
    Fact(Fact),
    /// A session changed at the cloud.
    Session {
        /// Device id.
        device: String,
        /// What changed.
        change: SessionChange,
    },
    /// The dashboard shows another status.
    Status {
        /// Device id.
        device: String,
        /// The new status.
        status: DeviceStatus,
    },
    /// The device clock, server clock or SNTP was moved away from true time.
    ClockOffset {
        /// Which clock: `server`, `sntp` or `device`.
        clock: String,
        /// Its offset from true time in nanoseconds.
        offset_ns: i64,
    },
    /// A fault changed its state.
    Fault {
        /// The fault's name.
        name: String,
        /// What became of it.
        state: FaultState,
    },
    /// A step of the scenario changed its state.
    Step {
        /// Index from 0.
        index: usize,
        /// What became of it.
        state: StepState,
    },
    /// An expectation was decided.
    Expectation(ExpectationResult),
    /// A remark of the bench for the person who reads.
    Note {
        /// The text.
        text: String,
    },
    /// The last event of a run.
    ScenarioFinished {
        /// The verdict.
        verdict: Verdict,
        /// Instructions that the guest executed, 0 where the backend cannot count them.
        instructions: u64,
        /// How often unmodelled accesses happened in all.
        unmodelled: u64,
    },
}

impl Kind {
    /// Its name in JSON lines.
    pub const fn name(&self) -> &'static str {
        match self {
            Kind::ScenarioStarted { .. } => "scenario-started",
            Kind::SerialChunk { .. } => "serial-chunk",
            Kind::SerialLine { .. } => "serial-line",
            Kind::SerialInput { .. } => "serial-input",
            Kind::Pin { .. } => "pin",
            Kind::Reset { .. } => "reset",
            Kind::Power { .. } => "power",
            Kind::GuestFault { .. } => "guest-fault",
            Kind::Exited { .. } => "exited",
            Kind::Unmodelled(_) => "unmodelled",
            Kind::Wifi(_) => "wifi",
            Kind::Frame { .. } => "frame",
            Kind::Link(_) => "link",
            Kind::Request { .. } => "request",
            Kind::Fact(_) => "fact",
            Kind::Session { .. } => "session",
            Kind::Status { .. } => "status",
            Kind::ClockOffset { .. } => "clock-offset",
            Kind::Fault { .. } => "fault",
            Kind::Step { .. } => "step",
            Kind::Expectation(_) => "expectation",
            Kind::Note { .. } => "note",
            Kind::ScenarioFinished { .. } => "scenario-finished",
        }
    }
}
