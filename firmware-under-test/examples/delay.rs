//! A firmware that busy-waits: esp-hal's blocking `Delay`, one second at a time, for ever. What it costs to
//! run is a figure of `docs/PERFORMANCE.md`.
#![no_std]
#![no_main]

use esp_backtrace as _;
use esp_hal::delay::Delay;
use esp_hal::main;
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

/// Waits, and says each minute how long it has waited.
#[main]
fn main() -> ! {
    let _peripherals = esp_hal::init(esp_hal::Config::default());
    let delay = Delay::new();
    println!("waiting");
    let mut seconds = 0u32;
    loop {
        delay.delay_millis(1000);
        seconds += 1;
        if seconds.is_multiple_of(60) {
            println!("waited {seconds} s");
        }
    }
}

/// Called by `esp-backtrace` after a panic.
#[expect(unsafe_code, reason = "esp-backtrace calls it by this name")]
#[unsafe(no_mangle)]
fn custom_halt() -> ! {
    esp_hal::system::software_reset()
}
