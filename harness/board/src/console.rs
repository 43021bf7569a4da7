//! The thread that listens to the port, and finds it again when it was away.

use std::io::{self, Read as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serialport::SerialPort;
use sim::Instant;

use crate::clock::{self, HostClock};
use crate::ports::{self, Port};

/// How long a read waits before it looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(50);
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
    /// For writing and for the modem lines; `None` while the port is away.
    port: Mutex<Option<Box<dyn SerialPort>>>,
    waker: Mutex<Option<Waker>>,
    stop: AtomicBool,
}

/// The listening thread, seen from its owner.
pub(crate) struct Console {
    shared: Arc<Shared>,
    signs: Receiver<(Instant, Sign)>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs to find the port again.
pub(crate) struct Listener {
    pub place: Port,
    pub baud: u32,
    pub reconnect: Duration,
    pub clock: HostClock,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// Listens to `port`, which is open.
    #[expect(clippy::disallowed_methods, reason = "a driver: a serial port blocks")]
    pub(crate) fn listen(mut port: Box<dyn SerialPort>, listener: Listener) -> serialport::Result<Console> {
        port.set_timeout(PATIENCE)?;
        let shared = Arc::new(Shared {
            port: Mutex::new(Some(port.try_clone()?)),
            waker: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let (sender, signs) = mpsc::channel();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || listen(port, &listener, &shared, &sender)
        });
        Ok(Console {
            shared,
            signs,
            thread: Some(thread),
        })
    }

    /// Calls `waker` from the thread whenever there is a sign.
    pub(crate) fn set_waker(&self, waker: Waker) {
        *lock(&self.shared.waker) = Some(waker);
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

    /// Does something with the port, or nothing while it is away.
    pub(crate) fn with_port<T>(&self, body: impl FnOnce(&mut dyn SerialPort) -> T) -> Option<T> {
        lock(&self.shared.port).as_mut().map(|port| body(port.as_mut()))
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

fn listen(
    mut port: Box<dyn SerialPort>,
    listener: &Listener,
    shared: &Shared,
    sender: &Sender<(Instant, Sign)>,
) {
    let tell = |sign| {
        let told = sender.send((listener.clock.now(), sign)).is_ok();
        if let Some(waker) = lock(&shared.waker).clone() {
            waker();
        }
        told
    };
    let mut buffer = [0; 4096];
    while !shared.stop.load(Ordering::Relaxed) {
        match port.read(&mut buffer) {
            Ok(len @ 1..) => {
                if !tell(Sign::Bytes(buffer[..len].to_vec())) {
                    return;
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {}
            Err(_) | Ok(0) => {
                let since = clock::monotonic();
                *lock(&shared.port) = None;
                drop(port);
                tell(Sign::Lost);
                match find_again(listener, shared, since) {
                    Some(found) => port = found,
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

/// Opens the port anew as soon as it is back, within the time that it may be away.
fn find_again(
    listener: &Listener,
    shared: &Shared,
    since: std::time::Instant,
) -> Option<Box<dyn SerialPort>> {
    while since.elapsed() < listener.reconnect && !shared.stop.load(Ordering::Relaxed) {
        clock::pause(LOOK);
        let Some(name) = name_now(&listener.place) else {
            continue;
        };
        let Ok(mut port) = serialport::new(name, listener.baud).timeout(PATIENCE).open() else {
            continue;
        };
        let (Ok(()), Ok(clone)) = (port.set_timeout(PATIENCE), port.try_clone()) else {
            continue;
        };
        *lock(&shared.port) = Some(clone);
        return Some(port);
    }
    None
}

/// What the port is called now: a USB device that comes back may get another number.
fn name_now(place: &Port) -> Option<String> {
    if place.usb.is_some() && place.serial.is_some() {
        let same = |p: &Port| p.usb == place.usb && p.serial == place.serial;
        return ports::connected().into_iter().find(same).map(|p| p.name);
    }
    std::path::Path::new(&place.name)
        .exists()
        .then(|| place.name.clone())
}
