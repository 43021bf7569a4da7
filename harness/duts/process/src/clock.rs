//! The host's clock.

use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "a driver: a program runs in wall time")]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver: a program that ends is waited for"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
