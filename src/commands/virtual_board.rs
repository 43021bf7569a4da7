//! `oceanrig virtual-board`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;

/// Arguments of `oceanrig virtual-board`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct VirtualBoardArgs {
    /// What to do with a board that runs.
    #[command(subcommand)]
    pub command: Option<BoardCommand>,

    /// Where the serial port appears: a symbolic link to a pseudo-terminal.
    #[arg(long, required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub port: Option<PathBuf>,

    /// Keep the flash in this file of 4 MiB, made when it is missing.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub flash: Option<PathBuf>,

    /// ELF file with the symbols of what is flashed, which the WiFi driver is found by; may be repeated, the one that
    /// matches the flash is used.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub elf: Vec<PathBuf>,

    /// Control socket [default: the port's path with .ctl appended].
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub control: Option<PathBuf>,

    /// Also answer hostapd's control interface at this datagram socket, for tools that switch access points.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub hostapd: Option<PathBuf>,

    /// MAC address in the chip's fuses.
    #[arg(long, value_name = "MAC", default_value = "02:00:00:c3:00:01", value_parser = mac)]
    pub mac: [u8; 6],

    /// Name of the board's access point.
    #[arg(long, value_name = "NAME", default_value = "oceanrig")]
    pub ssid: String,

    /// Password of the access point; empty for an open network.
    #[arg(long, value_name = "PASSWORD", default_value = "salt-water")]
    pub password: String,

    /// Where a port leads instead of to the same port of 127.0.0.1, as in tcp:443=127.0.0.1:8443; may be repeated.
    #[cfg(unix)]
    #[arg(long, value_name = "tcp|udp:PORT=ADDR:PORT")]
    pub forward: Vec<virtual_board::Forward>,

    /// Start in download mode, as with the boot button held.
    #[arg(long)]
    pub download: bool,

    /// Seed of the chip's random numbers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// What to do with a board that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum BoardCommand {
    /// Send one command to a board that runs, and print its answer.
    Ctl {
        /// The control socket.
        #[arg(value_hint = ValueHint::AnyPath)]
        socket: PathBuf,

        /// reset, download, power on|off, unplug, plug, ap on|off, deauthenticate REASON, pin N high|low|release, pins,
        /// status, stop.
        #[arg(required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let bytes: Option<Vec<u8>> = text
        .split([':', '-'])
        .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2))
        .collect();
    let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    let mac = mac.ok_or("expected six bytes in hexadecimal, as in 02:00:00:c3:00:01")?;
    if mac[0] & 1 == 1 {
        return Err("this is a group address; the first byte of a board's must be even".to_owned());
    }
    Ok(mac)
}

/// Runs a virtual board until it is told to stop, or commands one that runs.
///
/// # Errors
/// When a place is taken, a file is not what it should be, or nobody listens.
#[cfg(unix)]
pub(crate) fn virtual_board(args: VirtualBoardArgs) -> Result<Exit, CliError> {
    match args.command {
        Some(BoardCommand::Ctl { socket, command }) => ctl(&socket, &command.join(" ")),
        None => run(args),
    }
}

#[cfg(not(unix))]
pub(crate) fn virtual_board(_: VirtualBoardArgs) -> Result<Exit, CliError> {
    Err(CliError::Bench(
        "a virtual board needs pseudo-terminals, which this system does not have".to_owned(),
    ))
}

#[cfg(unix)]
fn ctl(socket: &std::path::Path, command: &str) -> Result<Exit, CliError> {
    use std::io::Write as _;

    let answer = virtual_board::control::ask(socket, command)?;
    // The status alone is for programs, which want JSON and nothing else.
    let line = match (command == "status", answer.is_empty()) {
        (true, _) => answer,
        (false, true) => "ok".to_owned(),
        (false, false) => format!("ok {answer}"),
    };
    writeln!(std::io::stdout(), "{line}").map_err(crate::error::stdout_failed)?;
    Ok(Exit::Passed)
}

#[cfg(unix)]
fn run(args: VirtualBoardArgs) -> Result<Exit, CliError> {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut options = virtual_board::Options::at(args.port.unwrap_or_default());
    options.flash = args.flash;
    options.elfs = args.elf;
    options.control = args.control;
    options.hostapd = args.hostapd;
    options.mac = args.mac;
    options.ssid = args.ssid;
    options.password = args.password;
    options.forwards = args.forward;
    options.download = args.download;
    options.seed = args.seed;
    // From here on a signal ends the board and not the process under it, which would leave its sockets behind.
    let (stop, signalled) = UnixStream::pair().map_err(CliError::Runtime)?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let end = signalled.try_clone().map_err(CliError::Runtime)?;
        signal_hook::low_level::pipe::register(signal, end).map_err(CliError::Runtime)?;
    }
    let mut board = virtual_board::Board::new(options)?;
    let (port, control) = (board.options().port.clone(), board.options().control_path());
    let mut stdout = std::io::stdout().lock();
    writeln!(
        stdout,
        "virtual board at {} (control {})",
        port.display(),
        control.display()
    )
    .and_then(|()| stdout.flush())
    .map_err(crate::error::stdout_failed)?;
    drop(stdout);
    board.run(stop.as_fd(), |news| anstream::eprintln!("{news}"))?;
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_is_read_or_refused() {
        assert_eq!(mac("02:00:00:C3:00:01"), Ok([2, 0, 0, 0xC3, 0, 1]));
        assert_eq!(mac("02-00-00-c3-00-01"), Ok([2, 0, 0, 0xC3, 0, 1]));
        assert!(mac("03:00:00:c3:00:01").unwrap_err().contains("group address"));
        for text in [
            "",
            "2:0:0:c3:0:1",
            "02:00:00:c3:00",
            "02:00:00:c3:00:01:02",
            "zz:00:00:c3:00:01",
        ] {
            assert!(mac(text).unwrap_err().starts_with("expected six bytes"), "{text}");
        }
    }
}
