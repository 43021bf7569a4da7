//! The relays (active high) and the button that toggles the first one by hand.
//!
//! Their states are kept in RTC memory, so that a restart by watchdog or after a panic switches nothing;
//! only a power cycle starts with all relays off.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_time::Timer;
use esp_hal::gpio::{Input, Level, Output};
use esp_println::println;
use portable_atomic::{AtomicU32, Ordering};

/// Number of relays.
pub const COUNT: usize = 2;

/// Contact bounce dies down within this time, in milliseconds.
const DEBOUNCE_MS: u64 = 30;
/// Upper half of the retained word when it is ours.
const RETAINED_MAGIC: u32 = 0x0CEA_0000;

static PINS: CriticalSectionMutex<RefCell<Option<[Output<'static>; COUNT]>>> =
    CriticalSectionMutex::new(RefCell::new(None));

/// Magic, the states as bits 0–7, and their complement as bits 8–15.
#[esp_hal::ram(unstable(rtc_fast, persistent))]
static RETAINED: AtomicU32 = AtomicU32::new(0);

fn retained_word(states: u8) -> u32 {
    RETAINED_MAGIC | (u32::from(!states) << 8) | u32::from(states)
}

/// The level at which a relay's pin has to start: the retained one, unless the power was off.
pub fn starting_level(relay: usize, power_was_off: bool) -> Level {
    let word = RETAINED.load(Ordering::Relaxed);
    let states = word as u8;
    let on = !power_was_off && word == retained_word(states) && states & (1 << relay) != 0;
    Level::from(on)
}

/// Takes the pins over, and reports relays that stayed on through a restart.
pub fn init(pins: [Output<'static>; COUNT]) {
    for (index, pin) in pins.iter().enumerate() {
        if pin.is_set_high() {
            println!("[RELAY] Relay {} still ON after restart", index + 1);
        }
    }
    PINS.lock(|cell| *cell.borrow_mut() = Some(pins));
    retain();
}

fn retain() {
    let states = states();
    let bits = (0..COUNT).fold(0, |bits, index| bits | (u8::from(states[index]) << index));
    RETAINED.store(retained_word(bits), Ordering::Relaxed);
}

/// Switches a relay, counted from 1, and says so.
pub fn switch(relay: u8, on: bool) {
    let known = PINS.lock(|cell| {
        let mut pins = cell.borrow_mut();
        let pin = pins
            .as_mut()
            .and_then(|pins| pins.get_mut(usize::from(relay).wrapping_sub(1)));
        pin.map(|pin| pin.set_level(Level::from(on))).is_some()
    });
    match known {
        true => println!("[RELAY] Relay {relay} {}", if on { "ON" } else { "OFF" }),
        false => println!("[RELAY] No relay {relay}, command ignored"),
    }
    retain();
}

/// Switches every relay off.
pub fn all_off() {
    for relay in 1..=COUNT as u8 {
        switch(relay, false);
    }
}

/// Which relays are on.
pub fn states() -> [bool; COUNT] {
    PINS.lock(|cell| match &*cell.borrow() {
        Some(pins) => core::array::from_fn(|index| pins[index].is_set_high()),
        None => [false; COUNT],
    })
}

/// Toggles relay 1 at each press of the button (active low).
#[embassy_executor::task]
pub async fn watch_button(mut button: Input<'static>) {
    loop {
        button.wait_for_falling_edge().await;
        Timer::after_millis(DEBOUNCE_MS).await;
        if button.is_low() {
            println!("[BUTTON] Pressed");
            switch(1, !states()[0]);
            button.wait_for_high().await;
            Timer::after_millis(DEBOUNCE_MS).await;
        }
    }
}
