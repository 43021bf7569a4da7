//! A running program in a process group of its own.
//!
//! The group ends with the run: SIGTERM, then SIGKILL for what is left. When the rig itself is killed, a guard ends the
//! group: a shell whose standard input is a pipe that only the rig holds, so that it reads the end of the pipe when the
//! rig is gone.

use std::io::{self, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crate::clock::{monotonic, pause};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);
/// How often a program that ends is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How long the rest of the output of a program that has ended is waited for. A process that outlives it may keep its
/// pipes open.
const REST: Duration = Duration::from_millis(200);
/// Pieces of output that wait to be taken; a program that prints more waits.
const MOST_WAITING: usize = 256;

/// A program that runs, or has ended and not been replaced.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    guard: Option<Child>,
    ended: Option<(ExitStatus, std::time::Instant)>,
    /// All that it prints has been read.
    drained: bool,
}

impl Running {
    /// Starts a program.
    ///
    /// # Errors
    /// When it is not there or may not be run.
    pub(crate) fn start(words: &[String], variables: &[(String, String)]) -> io::Result<Running> {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        own_group(&mut command);
        let mut child = command.spawn()?;
        let (sender, output) = sync_channel(MOST_WAITING);
        let pipes = [
            child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
            child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
        ];
        for pipe in pipes.into_iter().flatten() {
            read_aside(pipe, sender.clone());
        }
        Ok(Running {
            guard: guard(child.id()),
            input: child.stdin.take(),
            child,
            output,
            ended: None,
            drained: false,
        })
    }

    /// The next piece of output, if there is one by now.
    pub(crate) fn output(&mut self) -> Option<Vec<u8>> {
        match self.output.try_recv() {
            Ok(bytes) => Some(bytes),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.drained = true;
                None
            }
        }
    }

    /// Its exit status, once it has ended and its output has been read.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let (status, since) = self.poll()?;
        (self.drained || since.elapsed() >= REST).then_some(status)
    }

    fn poll(&mut self) -> Option<(ExitStatus, std::time::Instant)> {
        if self.ended.is_none() {
            let status = self.child.try_wait().ok().flatten();
            self.ended = status.map(|status| (status, monotonic()));
        }
        self.ended
    }

    /// Types bytes into its standard input. One that reads no more is not a failure: its end is told otherwise.
    pub(crate) fn input(&mut self, bytes: &[u8]) {
        if let Some(input) = &mut self.input
            && input.write_all(bytes).and_then(|()| input.flush()).is_err()
        {
            self.input = None;
        }
    }

    /// Ends it and all that it started, at once.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::Kill);
        let _ = self.child.kill();
        if self.ended.is_none() {
            self.ended = self.child.wait().ok().map(|status| (status, monotonic()));
        }
    }

    /// Ends it and all that it started: it is asked to, and killed when it does not.
    pub(crate) fn end(&mut self) {
        self.input = None;
        self.signal(Signal::Term);
        let asked = monotonic();
        while asked.elapsed() < GRACE && self.poll().is_none() {
            pause(POLL);
            // A program that waits for its output to be read must be able to end.
            while self.output().is_some() {}
        }
        self.kill();
    }

    fn signal(&self, signal: Signal) {
        signal_group(self.child.id(), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

/// Reads a pipe on a thread.
#[expect(clippy::disallowed_methods, reason = "a driver: pipes block")]
fn read_aside(mut pipe: Box<dyn Read + Send>, sender: SyncSender<Vec<u8>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(unix)]
fn signal_group(id: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // A group without a process is one that has ended.
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

#[cfg(not(unix))]
fn signal_group(_: u32, _: Signal) {}

/// Ends the group of `id` when the rig is gone. Without a shell there is no guard, and the group outlives a rig that is
/// killed.
#[cfg(unix)]
fn guard(id: u32) -> Option<Child> {
    const SCRIPT: &str = "read -r _; kill -s TERM -- -\"$1\"; sleep 1; kill -s KILL -- -\"$1\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, "oceanrig-guard"])
        .arg(id.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    own_group(&mut command);
    command.spawn().ok()
}

#[cfg(not(unix))]
fn guard(_: u32) -> Option<Child> {
    None
}
