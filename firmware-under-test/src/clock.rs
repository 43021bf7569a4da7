//! The device's wall clock: an offset to the time since boot, once somebody has told it.

use core::cell::Cell;

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use oceanremote_logic::calendar::Civil;
use portable_atomic::{AtomicBool, Ordering};

use crate::wifi::Raw;

/// Unix time at boot in milliseconds, once known.
static UNIX_AT_BOOT_MS: CriticalSectionMutex<Cell<Option<u64>>> = CriticalSectionMutex::new(Cell::new(None));

/// The server has said that the clock is wrong: ask the time again, soon.
pub static REJECTED: Signal<Raw, ()> = Signal::new();
/// Whether that was its last word.
static IS_REJECTED: AtomicBool = AtomicBool::new(false);
/// The clock has been corrected, and the session's task does not know it yet.
static CORRECTED: AtomicBool = AtomicBool::new(false);

/// The server has objected to our clock.
pub fn reject() {
    IS_REJECTED.store(true, Ordering::Relaxed);
    REJECTED.signal(());
}

/// The server has taken a request, clock included.
pub fn accept() {
    IS_REJECTED.store(false, Ordering::Relaxed);
    REJECTED.reset();
}

/// The clock has been set right: what the server said of the old time no longer counts.
pub fn correct() {
    accept();
    CORRECTED.store(true, Ordering::Relaxed);
}

/// Whether there was a correction since the last call.
pub fn take_correction() -> bool {
    CORRECTED.swap(false, Ordering::Relaxed)
}

/// Whether the server's last word was that our clock is wrong.
pub fn is_rejected() -> bool {
    IS_REJECTED.load(Ordering::Relaxed)
}

/// Milliseconds since boot; 64 bits, so it never wraps.
pub fn uptime_ms() -> u64 {
    Instant::now().as_millis()
}

/// The Unix time in milliseconds, if known.
pub fn unix_ms() -> Option<u64> {
    UNIX_AT_BOOT_MS
        .lock(Cell::get)
        .map(|at_boot| at_boot + uptime_ms())
}

/// The Unix time in seconds, if known.
pub fn unix_s() -> Option<u64> {
    unix_ms().map(|unix_ms| unix_ms / 1_000)
}

/// Sets the clock.
pub fn set(unix_ms: u64) {
    UNIX_AT_BOOT_MS.lock(|at_boot| at_boot.set(Some(unix_ms.saturating_sub(uptime_ms()))));
}

/// The date and time, for log lines.
pub fn civil(unix_ms: u64) -> Civil {
    Civil::from_unix(unix_ms / 1_000)
}
