//! The hardware watchdog of the RTC, fed only while the device does its work.
//!
//! The task that talks to the server says until when it expects to be silent. If it is silent for longer, or
//! if it gives up because renewal keeps failing, the watchdog is not fed and resets the whole chip.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_time::Timer;
use esp_hal::rtc_cntl::{Rtc, RwdtStage};
use esp_hal::time::Duration;
use esp_println::println;

use crate::clock;

/// The watchdog bites after this time without food.
const TIMEOUT_S: u64 = 60;
/// Between two meals.
const FEED_EVERY_S: u64 = 20;
/// A task may be late by this much before it counts as stuck.
const GRACE_S: u64 = 120;

/// Seconds since boot until which the session's task may be silent.
static SILENT_UNTIL_S: AtomicU32 = AtomicU32::new(u32::MAX);
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// The session's task will give a sign of life by this time, in milliseconds since boot.
pub fn expect_by(uptime_ms: u64) {
    let until = uptime_ms / 1_000 + GRACE_S;
    SILENT_UNTIL_S.store(u32::try_from(until).unwrap_or(u32::MAX), Ordering::Relaxed);
}

/// The session's task waits for the network, for however long that takes.
pub fn expect_nothing() {
    SILENT_UNTIL_S.store(u32::MAX, Ordering::Relaxed);
}

/// Asks for a restart: the watchdog gets no more food.
pub fn give_up() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// Starts the watchdog and feeds it while all is well.
#[embassy_executor::task]
pub async fn feed(mut rtc: Rtc<'static>) {
    rtc.rwdt
        .set_timeout(RwdtStage::Stage0, Duration::from_secs(TIMEOUT_S));
    rtc.rwdt.enable();
    loop {
        let late = clock::uptime_ms() / 1_000 > u64::from(SILENT_UNTIL_S.load(Ordering::Relaxed));
        if late || GIVEN_UP.load(Ordering::Relaxed) {
            let cause = if late {
                "session task is stuck"
            } else {
                "restart requested"
            };
            println!("[WATCHDOG] Not fed any more ({cause}), reset within {TIMEOUT_S} s");
            return;
        }
        rtc.rwdt.feed();
        Timer::after_secs(FEED_EVERY_S).await;
    }
}
