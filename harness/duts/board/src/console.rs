//! The thread that reads the port, and opens it again after a disconnection.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sim::Instant;

use crate::clock::{self, HostClock};
use crate::line::{Line, Lines};

/// Interval of attempts to open a disconnected port.
const LOOK: Duration = Duration::from_millis(100);

/// A message of the reading thread.
#[derive(Debug)]
pub(crate) enum Sign {
    /// Bytes were received.
    Bytes(Vec<u8>),
    /// The port was disconnected.
    Lost,
    /// The port was opened again; it was disconnected for this long.
    Back(Duration),
    /// The port stayed disconnected for too long; the thread has ended.
    Gone,
}

/// Callback that the thread calls after each message.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

struct Shared {
    /// Handle for writing and resets; `None` while the port is disconnected.
    line: Mutex<Option<Box<dyn Line>>>,
    waker: Mutex<Option<Waker>>,
    /// The supply is off: the port may stay disconnected as long as it is.
    off: AtomicBool,
    stop: AtomicBool,
}

/// The reading thread, for its owner.
pub(crate) struct Console {
    shared: Arc<Shared>,
    signs: Receiver<(Instant, Sign)>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the line again, if the device exists.
pub(crate) type OpenAgain = Box<dyn Fn() -> Option<Lines> + Send>;

/// Parameters of the thread for opening the line again.
pub(crate) struct Listener {
    pub open_again: OpenAgain,
    pub reconnect: Duration,
    pub clock: HostClock,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// Starts a thread that reads the open line.
    #[expect(clippy::disallowed_methods, reason = "a driver: a serial port blocks")]
    pub(crate) fn listen((line, other): Lines, listener: Listener) -> Console {
        let shared = Arc::new(Shared {
            line: Mutex::new(Some(other)),
            waker: Mutex::new(None),
            off: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let (sender, signs) = mpsc::channel();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || listen(line, &listener, &shared, &sender)
        });
        Console {
            shared,
            signs,
            thread: Some(thread),
        }
    }

    /// Calls `waker` from the thread after each message.
    pub(crate) fn set_waker(&self, waker: Waker) {
        *lock(&self.shared.waker) = Some(waker);
    }

    /// Sets the state of the supply: while it is off, there is no time limit for a disconnected port.
    pub(crate) fn set_power(&self, on: bool) {
        self.shared.off.store(!on, Ordering::Relaxed);
    }

    /// The next message, if there is one.
    pub(crate) fn try_next(&self) -> Option<(Instant, Sign)> {
        self.signs.try_recv().ok()
    }

    /// The next message within `limit`; `None` if there was none, or if the thread has ended.
    pub(crate) fn next(&self, limit: Duration) -> Option<(Instant, Sign)> {
        match self.signs.recv_timeout(limit) {
            Ok(sign) => Some(sign),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                clock::pause(limit);
                None
            }
        }
    }

    /// Calls `body` with the line; `None` while the port is disconnected.
    pub(crate) fn with_line<T>(&self, body: impl FnOnce(&mut dyn Line) -> T) -> Option<T> {
        lock(&self.shared.line).as_mut().map(|line| body(line.as_mut()))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(mut line: Box<dyn Line>, listener: &Listener, shared: &Shared, sender: &Sender<(Instant, Sign)>) {
    let tell = |sign| {
        let told = sender.send((listener.clock.now(), sign)).is_ok();
        if let Some(waker) = lock(&shared.waker).clone() {
            waker();
        }
        told
    };
    let mut buffer = [0; 4096];
    while !shared.stop.load(Ordering::Relaxed) {
        match line.read(&mut buffer) {
            Ok(len) => {
                if !tell(Sign::Bytes(buffer[..len].to_vec())) {
                    return;
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {}
            Err(_) => {
                let since = clock::monotonic();
                *lock(&shared.line) = None;
                drop(line);
                tell(Sign::Lost);
                match find_again(listener, shared, since) {
                    Some(found) => line = found,
                    None => {
                        tell(Sign::Gone);
                        return;
                    }
                }
                tell(Sign::Back(since.elapsed()));
            }
        }
    }
}

/// Opens the line again as soon as it exists, within the time limit.
fn find_again(listener: &Listener, shared: &Shared, lost: std::time::Instant) -> Option<Box<dyn Line>> {
    let mut since = lost;
    while since.elapsed() < listener.reconnect && !shared.stop.load(Ordering::Relaxed) {
        clock::pause(LOOK);
        if shared.off.load(Ordering::Relaxed) {
            since = clock::monotonic();
        }
        if let Some((line, other)) = (listener.open_again)() {
            *lock(&shared.line) = Some(other);
            return Some(line);
        }
    }
    None
}
