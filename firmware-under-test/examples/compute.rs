//! A firmware that computes: CRC-32 over a buffer in RAM, for ever, without sleeping or touching a
//! peripheral. How fast it runs is a figure of `docs/PERFORMANCE.md`.
#![no_std]
#![no_main]

use core::hint::black_box;

use esp_backtrace as _;
use esp_hal::main;
use esp_println::println;
use oceanremote_logic::checksum::crc32;

esp_bootloader_esp_idf::esp_app_desc!();

/// Computes, and shows the checksum now and then.
#[main]
fn main() -> ! {
    let _peripherals = esp_hal::init(esp_hal::Config::default());
    let mut buffer = [0u8; 4096];
    for (i, byte) in buffer.iter_mut().enumerate() {
        *byte = i as u8;
    }
    println!("computing");
    let mut round = 0u32;
    loop {
        let sum = crc32(black_box(&buffer));
        buffer[round as usize % buffer.len()] ^= sum as u8;
        round = round.wrapping_add(1);
        if round.is_multiple_of(10_000) {
            println!("round {round}: {sum:08x}");
        }
    }
}

/// Called by `esp-backtrace` after a panic.
#[expect(unsafe_code, reason = "esp-backtrace calls it by this name")]
#[unsafe(no_mangle)]
fn custom_halt() -> ! {
    esp_hal::system::software_reset()
}
