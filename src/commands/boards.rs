//! `oceanrig boards`

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use board::{Board, BoardConfig, BoardError, Boards, ChipInfo, LockState, Mac, Port};
use clap::{Args, ValueEnum, ValueHint};
use serde_json::{Value, json};

use crate::error::{CliError, stdout_failed, with_causes};
use crate::exit::Exit;

/// Arguments of `oceanrig boards`.
#[derive(Debug, Args)]
pub(crate) struct BoardsArgs {
    /// Read the names of boards from this file [default: boards.toml, if there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub boards: Option<PathBuf>,

    /// Ask each chip what it is. This resets it, and stops what it is doing.
    #[arg(long)]
    pub probe: bool,

    /// What stdout gets.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: ListFormat,
}

/// What stdout gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people.
    Human,
    /// One JSON object a line for each board.
    Json,
}

/// A port, a declared board, or both.
struct Row {
    port: Option<Port>,
    config: Option<BoardConfig>,
    chip: Option<ChipInfo>,
    lock: LockState,
    trouble: Option<BoardError>,
}

/// Lists the boards that are connected, and those that are declared.
///
/// # Errors
/// When `boards.toml` is not valid, or stdout cannot be written.
pub(crate) fn boards(args: &BoardsArgs) -> Result<Exit, CliError> {
    let declared = Boards::find(args.boards.as_deref()).map_err(CliError::Boards)?;
    let mut rows = rows(board::connected(), declared.as_ref());
    for row in &mut rows {
        look(row, args.probe);
    }
    let text = match args.format {
        ListFormat::Human => table(&rows),
        ListFormat::Json => rows.iter().map(|row| format!("{}\n", object(row))).collect(),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

/// A row for each declared board, in the order of names, and one for each port that none of them is on.
fn rows(connected: Vec<Port>, declared: Option<&Boards>) -> Vec<Row> {
    let mut rows = Vec::new();
    for config in declared.into_iter().flat_map(Boards::iter) {
        let (port, trouble) = match board::find_port(config) {
            Ok(port) => (Some(port), None),
            Err(error) => (None, Some(error)),
        };
        rows.push(Row {
            port,
            config: Some(config.clone()),
            chip: None,
            lock: LockState::Free,
            trouble,
        });
    }
    for port in connected {
        let is_declared = |row: &Row| row.port.as_ref().is_some_and(|p| p.device == port.device);
        if !rows.iter().any(is_declared) {
            rows.push(Row {
                port: Some(port),
                config: None,
                chip: None,
                lock: LockState::Free,
                trouble: None,
            });
        }
    }
    rows
}

/// Finds out whether the board can be used, and with `probe` what it is.
fn look(row: &mut Row, probe: bool) {
    let Some(port) = &row.port else { return };
    let mac = row.config.as_ref().and_then(|c| c.mac);
    match board::lock_state(&port.lock_keys(mac)) {
        Ok(LockState::Held(holder)) => {
            row.lock = LockState::Held(holder.clone());
            row.trouble = Some(BoardError::Busy {
                port: port.name.clone(),
                holder,
            });
            return;
        }
        Ok(state) => row.lock = state,
        Err(error) => {
            row.trouble = Some(error);
            return;
        }
    }
    if let Err(error) = board::check_port(port) {
        row.trouble = Some(error);
        return;
    }
    if !probe {
        return;
    }
    let config = row
        .config
        .clone()
        .unwrap_or_else(|| BoardConfig::undeclared(&port.name));
    match Board::claim(&config).and_then(|mut board| board.identify()) {
        Ok(info) => {
            row.trouble = misfit(row.config.as_ref(), &info, &port.name);
            row.chip = Some(info);
        }
        Err(error) => row.trouble = Some(error),
    }
}

/// Why this chip is not the one that was declared.
fn misfit(config: Option<&BoardConfig>, info: &ChipInfo, port: &str) -> Option<BoardError> {
    let config = config?;
    if config.chip != info.chip {
        return Some(BoardError::OtherChip {
            port: port.to_owned(),
            found: info.chip.clone(),
            wanted: config.chip.clone(),
        });
    }
    match (config.mac, info.mac) {
        (Some(wanted), Some(found)) if wanted != found => Some(BoardError::OtherBoard {
            port: port.to_owned(),
            found,
            wanted,
        }),
        _ => None,
    }
}

impl Row {
    fn mac(&self) -> Option<Mac> {
        let probed = self.chip.as_ref().and_then(|c| c.mac);
        let told = || self.port.as_ref().and_then(|p| p.mac);
        probed
            .or_else(told)
            .or_else(|| self.config.as_ref().and_then(|c| c.mac))
    }

    fn port_name(&self) -> Option<&str> {
        let declared = self.config.as_ref().and_then(|c| c.port.as_deref());
        self.port.as_ref().map(|p| p.name.as_str()).or(declared)
    }

    fn chip(&self) -> Option<String> {
        let info = self.chip.as_ref()?;
        let revision = info
            .revision
            .map_or_else(String::new, |(major, minor)| format!(" v{major}.{minor}"));
        Some(format!("{}{revision}", info.chip))
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no serial port is connected, and no board is declared (docs/boards.md)\n".to_owned();
    }
    let mut lines = vec![["NAME", "PORT", "KIND", "CHIP", "MAC", "FIXTURES", "STATE"].map(str::to_owned)];
    for row in rows {
        let text = |text: Option<&str>| text.filter(|t| !t.is_empty()).unwrap_or("-").to_owned();
        let fixtures = row.config.as_ref().map(|c| {
            let names: Vec<&str> = c.fixtures.iter().map(String::as_str).collect();
            names.join(", ")
        });
        let state = match (&row.trouble, &row.lock) {
            (Some(_), _) => "not usable",
            (None, LockState::Stale(_)) => "free, with a stale lock",
            (None, _) => "free",
        };
        lines.push([
            text(row.config.as_ref().map(|c| c.name.as_str())),
            text(row.port_name()),
            text(row.port.as_ref().map(|p| p.kind.name())),
            text(row.chip().as_deref()),
            text(row.mac().map(|m| m.to_string()).as_deref()),
            text(fixtures.as_deref()),
            state.to_owned(),
        ]);
    }
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut out = String::new();
    for (n, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
        let Some(row) = n.checked_sub(1).and_then(|n| rows.get(n)) else {
            continue;
        };
        if let Some(trouble) = &row.trouble {
            let _ = writeln!(out, "    {}\n    hint: {}", with_causes(trouble), trouble.help());
        }
        if let LockState::Stale(holder) = &row.lock {
            let _ = writeln!(out, "    left behind by {holder}; the next user takes it over");
        }
    }
    out
}

/// A row as a JSON object (`docs/boards.md`).
fn object(row: &Row) -> Value {
    let port = row.port.as_ref();
    let (state, holder) = match &row.lock {
        LockState::Free => ("free", None),
        LockState::Stale(holder) => ("stale", Some(holder)),
        LockState::Held(holder) => ("held", Some(holder)),
    };
    json!({
        "name": row.config.as_ref().map(|c| &c.name),
        "port": row.port_name(),
        "device": port.map(|p| p.device.display().to_string()),
        "kind": port.map(|p| p.kind.name()),
        "product": port.and_then(|p| p.product.as_ref()),
        "chip": row.chip.as_ref().map(|c| &c.chip),
        "revision": row.chip.as_ref().and_then(|c| c.revision).map(|(major, minor)| format!("{major}.{minor}")),
        "mac": row.mac().map(|m| m.to_string()),
        "fixtures": row.config.as_ref().map(|c| &c.fixtures),
        "lock": {
            "state": state,
            "pid": holder.map(|h| h.pid),
            "command": holder.map(|h| &h.command),
            "since_unix_s": holder.map(|h| h.since_unix_s),
        },
        "usable": row.trouble.is_none(),
        "why": row.trouble.as_ref().map(|trouble| with_causes(trouble)),
        "help": row.trouble.as_ref().map(BoardError::help),
    })
}
