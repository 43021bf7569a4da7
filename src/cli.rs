//! The command line as clap sees it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};

use crate::dut_name::DutName;
use crate::exit;

/// Runs real ESP32 firmware against a simulated network and a mock cloud that breaks things on purpose.
///
/// A scenario file says what is wired to what, what goes wrong and when, and what the serial log must show.
/// Results go to stdout, progress to stderr.
#[derive(Debug, Parser)]
#[command(name = "oceanrig", version, after_help = exit::TABLE, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to use colours; NO_COLOR is obeyed.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and print a verdict for each.
    Run(RunArgs),
    /// Make an HTML page of runs that have ended, from their event files.
    Report(crate::commands::report::ReportArgs),
    /// Show how scenarios fared over many runs, and which are flaky.
    History(crate::commands::history::HistoryArgs),
    /// List, review, accept or reject snapshots of serial logs.
    Snapshot(crate::commands::snapshot::SnapshotArgs),
    /// Check scenario files without running them.
    Check(CheckArgs),
    /// Serve the mock cloud over TCP, for a board on the desk or any HTTP client.
    Serve(ServeArgs),
    /// Be a board on a serial port: the emulated chip in wall time, for flashing tools and for tests of your own.
    VirtualBoard(crate::commands::virtual_board::VirtualBoardArgs),
    /// List what a fault plan can wait for and do, with an example each.
    Faults(FaultsArgs),
    /// Print the catalogue of failures as Markdown: symptom, scenario, and the defect that it catches.
    Catalogue(CatalogueArgs),
    /// List the boards that are connected or declared, and why one cannot be used.
    Boards(crate::commands::boards::BoardsArgs),
    /// Print the JSON Schema of scenario files, for editors.
    Schema,
    /// Measure the emulator on this machine.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `oceanrig run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario files, or directories that are searched for *.yaml and *.yml.
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Only scenarios whose name, or path, matches this glob (`*` and `?`); may be repeated.
    #[arg(short = 'k', long = "select", value_name = "GLOB")]
    pub select: Vec<String>,

    /// List what would run, one name a line, and stop.
    #[arg(long)]
    pub list: bool,

    /// Run this firmware instead of the one that the scenarios name.
    #[arg(long, value_name = "ELF", value_hint = ValueHint::FilePath)]
    pub firmware: Option<PathBuf>,

    /// Run on this device: `emulator`, `board:NAME` with a name from boards.toml, or `process:COMMAND` with a program
    /// of this machine.
    #[arg(long, value_name = "DUT", default_value = "emulator")]
    pub dut: DutName,

    /// Read the names of boards from this file [default: boards.toml].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub boards: Option<PathBuf>,

    /// In wall time, divide the session's hour and all that belongs to its schedule by N, on the device and at the cloud.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub time_scale: u32,

    /// Use this seed instead of the scenarios' own.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// How long a scenario without `bench.duration` may run, such as 90s; for files of Wokwi's runner.
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<scenario::TimeSpan>,

    /// Fail a scenario in which the firmware touches something that the chip model does not implement.
    #[arg(long)]
    pub strict: bool,

    /// How many scenarios run at the same time [default: one for each core].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,

    /// Keep serial log, events, pins and capture of each scenario below this directory, and junit.xml and
    /// report.html of all in it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// Try a scenario again, at most N times, when the bench was to blame. A failure is never tried again.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=20))]
    pub retries: u8,

    /// Add a line for each run to this file, for `oceanrig history`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub history: Option<PathBuf>,

    /// Leave tokens, sessions and passwords readable, in what is printed and in the files of --out.
    #[arg(long)]
    pub keep_secrets: bool,

    /// Compare each serial log with the snapshot beside its scenario; one that differs waits for
    /// `oceanrig snapshot review`.
    #[arg(long)]
    pub snapshots: bool,

    /// Write no snapshot, and exit with 5 when one is missing or differs.
    #[arg(long, requires = "snapshots")]
    pub ci: bool,

    /// What stdout gets.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,

    /// Stay, and run again what a changed file affects: a scenario, its firmware, its snapshot, or oceanrig.toml.
    #[arg(long, conflicts_with_all = ["list", "ci"])]
    pub watch: bool,

    /// Show the serial log while it runs.
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub verbose: bool,

    /// Print failures and the summary only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What stdout gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Verdicts and stories for people.
    Human,
    /// One JSON object a line for each scenario.
    Json,
    /// The same as human, with annotations and a step summary for GitHub Actions.
    Github,
}

/// Arguments of `oceanrig check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Scenario files, or directories that are searched for *.yaml and *.yml.
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `oceanrig faults`.
#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    /// Only the triggers and actions of this name, with their values.
    pub name: Option<String>,
}

/// Arguments of `oceanrig catalogue`.
#[derive(Debug, Args)]
pub(crate) struct CatalogueArgs {
    /// Scenario files of the catalogue, or directories that are searched for them.
    #[arg(required = true, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `oceanrig serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,

    /// Take the cloud's settings, devices, seed and faults from this scenario.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub scenario: Option<PathBuf>,

    /// Which case of the scenario, where it has several.
    #[arg(long, value_name = "NAME", requires = "scenario")]
    pub case: Option<String>,

    /// Address and port of the control interface (docs/serve.md).
    #[arg(long, value_name = "ADDR:PORT")]
    pub control: Option<std::net::SocketAddr>,

    /// Token that the control interface wants, 16 characters or more; needed unless it listens on loopback. Better
    /// set OCEANRIG_CONTROL_TOKEN, which other users of this machine cannot see.
    #[arg(long, value_name = "TOKEN", requires = "control")]
    pub control_token: Option<String>,

    /// Serve TLS, with a certificate made at the start.
    #[arg(long)]
    pub tls: bool,

    /// Keep the certificate authority in this directory (ca.pem, ca.key), so that clients trust it the next time too.
    #[arg(long, value_name = "DIR", requires = "tls", value_hint = ValueHint::DirPath)]
    pub tls_dir: Option<PathBuf>,

    /// Further name or address that the certificate is for; may be repeated.
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub tls_name: Vec<String>,

    /// What is wrong with TLS from the start.
    #[arg(long, value_name = "FAULT", requires = "tls", default_value = "none", value_parser = tls_fault())]
    pub tls_fault: serve::TlsFault,
}

/// Reads the name of a TLS fault.
fn tls_fault() -> impl TypedValueParser<Value = serve::TlsFault> {
    let all = serve::TlsFault::ALL;
    PossibleValuesParser::new(all.map(serve::TlsFault::name)).map(move |name| {
        all.into_iter()
            .find(|fault| fault.name() == name)
            .unwrap_or_default()
    })
}

/// Arguments of `oceanrig bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How often each figure is taken; the median is shown with the spread.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeat: u16,

    /// Only the figures whose name contains this text.
    pub only: Option<String>,

    /// Run the healthy scenario once and print the memory of this process.
    #[arg(long, hide = true)]
    pub in_child: bool,
}
