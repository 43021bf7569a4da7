//! Declared commands of a board: programs for actions that depend on the local hardware, with a time limit.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::clock;
use crate::config::Argv;

/// Greatest length of the output that messages show, bytes.
const MOST_OUTPUT: usize = 4096;
/// Interval of checks for the end of a running command.
const POLL: Duration = Duration::from_millis(10);

/// Reason why a declared command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command cannot be started.
    #[error("the command `{name}` ({line}) cannot be started")]
    Start {
        /// Its key in `boards.toml`.
        name: String,
        /// Command line after replacement.
        line: String,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The command ended with a failure.
    #[error("the command `{name}` ({line}) failed: {status}{}", said(.output))]
    Failed {
        /// Its key in `boards.toml`.
        name: String,
        /// Command line after replacement.
        line: String,
        /// Exit code or signal.
        status: String,
        /// Last part of its output.
        output: String,
    },
    /// The command did not end in time, and was killed with all processes that it started.
    #[error("the command `{name}` ({line}) did not end within {} s and was killed{}", .limit.as_secs(), said(.output))]
    TimedOut {
        /// Its key in `boards.toml`.
        name: String,
        /// Command line after replacement.
        line: String,
        /// Time limit of the command.
        limit: Duration,
        /// Last part of its output.
        output: String,
    },
}

impl CommandError {
    /// The action that the user should take.
    pub fn help(&self) -> String {
        match self {
            CommandError::Start { line, .. } => {
                format!("check that the program of `{line}` exists and may be run")
            }
            CommandError::Failed { line, .. } => format!("run it by hand: {line}"),
            CommandError::TimedOut { name, .. } => {
                format!("find out why `{name}` hangs, or give `timeout` beside it in boards.toml")
            }
        }
    }
}

fn said(output: &str) -> String {
    let text = output.trim();
    if text.is_empty() {
        "; it wrote nothing".to_owned()
    } else {
        format!("; it wrote: {text}")
    }
}

/// Runs `argv` until it ends, with every `{key}` of `values` in its arguments replaced by the value.
///
/// # Errors
/// If it cannot be started, fails, or takes longer than `limit`.
pub fn run(name: &str, argv: &Argv, values: &[(&str, &str)], limit: Duration) -> Result<(), CommandError> {
    let words: Vec<String> = argv.as_slice().iter().map(|word| fill(word, values)).collect();
    let line = words.join(" ");
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(&mut command);
    let mut child = command.spawn().map_err(|source| CommandError::Start {
        name: name.to_owned(),
        line: line.clone(),
        source,
    })?;
    let (sender, receiver) = mpsc::channel();
    let pipes = [
        child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
        child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
    ];
    for pipe in pipes.into_iter().flatten() {
        read_aside(pipe, sender.clone());
    }
    drop(sender);
    let status = wait(&mut child, limit);
    if !matches!(status, Ok(Some(_))) {
        kill_group(&mut child);
    }
    let output = collect(&receiver);
    match status {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(CommandError::Failed {
            name: name.to_owned(),
            line,
            status: status.to_string(),
            output,
        }),
        Ok(None) => Err(CommandError::TimedOut {
            name: name.to_owned(),
            line,
            limit,
            output,
        }),
        Err(source) => Err(CommandError::Start {
            name: name.to_owned(),
            line,
            source,
        }),
    }
}

fn fill(word: &str, values: &[(&str, &str)]) -> String {
    let mut word = word.to_owned();
    for (key, value) in values {
        word = word.replace(&format!("{{{key}}}"), value);
    }
    word
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = clock::monotonic();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        clock::pause(POLL);
    }
}

/// Reads a pipe on a thread: a command with much output must not block on a full pipe.
#[expect(clippy::disallowed_methods, reason = "a driver: pipes block")]
fn read_aside(mut pipe: Box<dyn Read + Send>, sender: mpsc::Sender<Vec<u8>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
}

/// The last part of the output. A process that outlives the command may keep a pipe open, so this waits for a
/// limited time.
fn collect(receiver: &mpsc::Receiver<Vec<u8>>) -> String {
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut bytes = Vec::new();
    while let Ok(more) = receiver.recv_timeout(PATIENCE) {
        bytes.extend(more);
        let extra = bytes.len().saturating_sub(MOST_OUTPUT);
        bytes.drain(..extra);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Kills the process group of the command, and waits for the command.
fn kill_group(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Argv {
        Argv::new(words.iter().map(|w| (*w).to_owned()).collect()).unwrap()
    }

    #[test]
    fn placeholders_are_filled() {
        let done = run(
            "deauthenticate",
            &argv(&["sh", "-c", "test \"$0 $1\" = 'aa:bb 3'", "{mac}", "{reason}"]),
            &[("mac", "aa:bb"), ("reason", "3")],
            Duration::from_secs(5),
        );
        assert!(done.is_ok(), "{done:?}");
    }

    #[test]
    fn a_failure_says_code_and_output() {
        let command = argv(&["sh", "-c", "echo relay 3 is stuck >&2; exit 7"]);
        let error = run("power-off", &command, &[], Duration::from_secs(5)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the command `power-off` (sh -c echo relay 3 is stuck >&2; exit 7) failed: exit status: 7; \
             it wrote: relay 3 is stuck"
        );
        let error = run("reset", &argv(&["/no/such/program"]), &[], Duration::from_secs(5)).unwrap_err();
        assert!(error.help().contains("/no/such/program"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", pid_file.display());
        let start = clock::monotonic();
        let error = run(
            "reset",
            &argv(&["sh", "-c", &script]),
            &[],
            Duration::from_millis(400),
        )
        .unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
        let grandchild = std::fs::read_to_string(&pid_file).unwrap();
        let path = format!("/proc/{}/stat", grandchild.trim());
        for _ in 0..100 {
            // A killed orphan may stay a zombie until init reaps it.
            match std::fs::read_to_string(&path) {
                Ok(stat) if !stat.contains(") Z ") => clock::pause(Duration::from_millis(20)),
                _ => return,
            }
        }
        panic!("the command's child still runs");
    }
}
