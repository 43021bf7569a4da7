//! An OceanRemote device for the ESP32-C3: the firmware under test.
//!
//! Boots, joins the WiFi network, sets its clock by NTP, registers once, and keeps a session alive: polls for
//! relay commands, reports the temperature, renews the session at 45 minutes. What it does not need hardware
//! for is in the crate `oceanremote-logic`.
#![no_std]
#![no_main]

mod clock;
mod dhcp;
mod http;
mod ntp;
mod relays;
mod sensor;
mod session;
mod settings;
mod token_store;
mod watchdog;
mod wifi;

use core::fmt::Write;

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_net::StackResources;
use esp_backtrace as _;
use esp_hal::gpio::{Input, InputConfig, Output, OutputConfig, Pull};
use esp_hal::rng::Rng;
use esp_hal::rtc_cntl::{Rtc, SocResetReason};
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use esp_radio::wifi::{Interface, WifiController};
use esp_storage::FlashStorage;
use heapless::String;
use oceanremote_logic::defects::Defect;
use oceanremote_logic::settings::Settings;
use static_cell::{ConstStaticCell, StaticCell};

use crate::dhcp::PacedInterface;
use crate::http::Buffers;
use crate::sensor::Sensor;
use crate::session::{Device, Identity};
use crate::settings::Provisioning;
use crate::token_store::TokenStore;

esp_bootloader_esp_idf::esp_app_desc!();

/// Heap of the WiFi driver in bytes; ours needs none.
const HEAP_LEN: usize = 110 * 1024;
/// DHCP, DNS, the NTP client's and the HTTP client's socket.
const SOCKETS: usize = 4;

/// Called by the panic handler once message and backtrace are out: start again.
#[expect(
    unsafe_code,
    reason = "esp-backtrace finds this function by its unmangled name"
)]
#[unsafe(no_mangle)]
fn custom_halt() -> ! {
    esp_hal::system::software_reset()
}

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let peripherals = esp_hal::init(esp_hal::Config::default());
    let reason = esp_hal::system::reset_reason();
    esp_rtos::start(
        TimerGroup::new(peripherals.TIMG0).timer0,
        peripherals.FROM_CPU_INTR0,
    );

    let mut flash = FlashStorage::new(peripherals.FLASH);
    let provisioning = Provisioning::read(&mut flash);
    let settings = provisioning.settings();
    greet(settings.as_ref(), reason);
    provisioning.report();
    let Some(settings) = settings else {
        println!("[BOOT] Waiting for provisioning");
        return;
    };
    static SETTINGS: StaticCell<Settings> = StaticCell::new();
    let settings: &'static Settings = SETTINGS.init(settings);
    let store = TokenStore::open(flash, settings.defects);

    let power_was_off = matches!(
        reason,
        None | Some(SocResetReason::ChipPowerOn | SocResetReason::SysBrownOut)
    );
    relays::init([
        Output::new(
            peripherals.GPIO4,
            relays::starting_level(0, power_was_off),
            OutputConfig::default(),
        ),
        Output::new(
            peripherals.GPIO5,
            relays::starting_level(1, power_was_off),
            OutputConfig::default(),
        ),
    ]);
    let button = Input::new(peripherals.GPIO9, InputConfig::default().with_pull(Pull::Up));
    spawn(&spawner, relays::watch_button(button));
    if !settings.defects.has(Defect::NoWatchdog) {
        spawn(&spawner, watchdog::feed(Rtc::new(peripherals.RTC_TIMER)));
    }

    esp_alloc::heap_allocator!(size: HEAP_LEN);
    let radio = wifi::config(settings).map(|config| WifiController::new(peripherals.WIFI, config));
    let Some(Ok(controller)) = radio else {
        println!("[WIFI] The radio does not start, restarting");
        esp_hal::system::software_reset();
    };
    let interface = Interface::station();
    let identity = identity(settings, interface.mac_address());
    println!("[BOOT] Device {}, MAC {}", identity.device_id, identity.mac);

    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
    let rng = Rng::new();
    let seed = (u64::from(rng.random()) << 32) | u64::from(rng.random());
    let config = embassy_net::Config::dhcpv4(Default::default());
    let interface = PacedInterface::new(interface, settings.defects);
    let (stack, runner) = embassy_net::new(interface, config, RESOURCES.init(StackResources::new()), seed);
    let device = Device::new(stack, settings, identity, store, Sensor::new(peripherals.TSENS));
    spawn(&spawner, wifi::network(runner));
    spawn(&spawner, wifi::keep_connected(controller, stack, settings));
    spawn(&spawner, dhcp::restart_when_due(stack));
    spawn(&spawner, ntp::keep_time(stack, settings));
    spawn(&spawner, session::keep_session(device, BUFFERS.take()));
}

/// Spawns a task of which there is one only, so there is always room for it.
fn spawn<S>(spawner: &Spawner, token: Result<SpawnToken<S>, SpawnError>) {
    match token {
        Ok(token) => spawner.spawn(token),
        Err(error) => panic!("task spawned twice: {error:?}"),
    }
}

/// The first lines of the log.
fn greet(settings: Option<&Settings>, reason: Option<SocResetReason>) {
    let defects = settings.map(|settings| settings.defects).unwrap_or_default();
    // Firmware 4.x is the one that does not renew by itself.
    let version = if defects.has(Defect::NoAutoRenewal) {
        "4.2"
    } else {
        "5.0"
    };
    println!("# OceanicRemote v{version} - ESP32");
    println!("[BOOT] Reset reason: {}", reason_text(reason));
    for defect in defects.iter() {
        println!("[BOOT] Defect switched on: {}", defect.name());
    }
}

fn reason_text(reason: Option<SocResetReason>) -> &'static str {
    match reason {
        Some(SocResetReason::ChipPowerOn) => "power-on",
        Some(SocResetReason::CoreSw | SocResetReason::Cpu0Sw) => "software",
        Some(SocResetReason::CoreDeepSleep) => "deep-sleep",
        Some(
            SocResetReason::CoreMwdt0
            | SocResetReason::CoreMwdt1
            | SocResetReason::CoreRtcWdt
            | SocResetReason::Cpu0Mwdt0
            | SocResetReason::Cpu0Mwdt1
            | SocResetReason::Cpu0RtcWdt
            | SocResetReason::SysRtcWdt
            | SocResetReason::SysSuperWdt,
        ) => "watchdog",
        Some(SocResetReason::SysBrownOut) => "brown-out",
        Some(SocResetReason::SysClkGlitch | SocResetReason::CorePwrGlitch) => "glitch",
        Some(SocResetReason::CoreUsbUart | SocResetReason::CoreUsbJtag) => "usb",
        Some(SocResetReason::CoreEfuseCrc) => "efuse",
        None => "unknown",
    }
}

/// The provisioned device id, or one made from the MAC address.
fn identity(settings: &Settings, mac: [u8; 6]) -> Identity {
    let mut identity = Identity {
        device_id: settings.device_id.clone(),
        mac: String::new(),
    };
    let [a, b, c, d, e, f] = mac;
    // Neither can fail: the lengths are fixed and fit.
    let _ = write!(identity.mac, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    if identity.device_id.is_empty() {
        let _ = write!(identity.device_id, "oc-{d:02x}{e:02x}{f:02x}");
    }
    identity
}
