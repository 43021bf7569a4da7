//! The thread that listens to the port, and finds it again when it was away.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sim::Instant;

use crate::clock::{self, HostClock};
use crate::line::{Line, Lines};

/// How often a port that is away is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Sign {
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The port is away.
    Lost,
    /// It is back.
    Back(Duration),
    /// It stayed away too long; nothing follows.
    Gone,
}

/// Who wants to know that there is a sign.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

struct Shared {
    /// For writing and for resets; `None` while the port is away.
    line: Mutex<Option<Box<dyn Line>>>,
    waker: Mutex<Option<Waker>>,
    /// The supply is off: the port may be away for as long as that lasts.
    off: AtomicBool,
    stop: AtomicBool,
}

/// The listening thread, seen from its owner.
pub(crate) struct Console {
    shared: Arc<Shared>,
    signs: Receiver<(Instant, Sign)>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the line anew, if it is there.
pub(crate) type OpenAgain = Box<dyn Fn() -> Option<Lines> + Send>;

/// What the thread needs to find the line again.
pub(crate) struct Listener {
    pub open_again: OpenAgain,
    pub reconnect: Duration,
    pub clock: HostClock,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// Listens to a line that is open.
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

    /// Calls `waker` from the thread whenever there is a sign.
    pub(crate) fn set_waker(&self, waker: Waker) {
        *lock(&self.shared.waker) = Some(waker);
    }

    /// Tells that the supply was switched: while it is off, a port that is away is not given up.
    pub(crate) fn set_power(&self, on: bool) {
        self.shared.off.store(!on, Ordering::Relaxed);
    }

    /// The next sign, if there is one now.
    pub(crate) fn try_next(&self) -> Option<(Instant, Sign)> {
        self.signs.try_recv().ok()
    }

    /// The next sign within `limit`; `None` when there was none, or when none will come any more.
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

    /// Does something with the line, or nothing while it is away.
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

/// Opens the line anew as soon as it is back, within the time that it may be away.
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
