//! WiFi: the driver's settings, the network stack's task, and the task that keeps the association.

use embassy_futures::select::{Either, Either4, select, select4};
use embassy_net::{Runner, Stack};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::{DynReceiver, Watch};
use embassy_time::{Duration, Instant, Timer};
use esp_hal::rng::Rng;
use esp_println::println;
use esp_radio::wifi::event::EventInfo;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig, DisconnectReason, WifiController,
};
use oceanremote_logic::backoff::Backoff;
use oceanremote_logic::defects::{Defect, Defects};
use oceanremote_logic::settings::Settings;

use crate::dhcp::PacedInterface;

/// The mutex behind our signals.
pub type Raw = CriticalSectionRawMutex;

/// Whether there is an address, and so a network, for those that talk to it.
///
/// Only [`keep_connected`] waits on the stack itself: the stack has room for one waker, and two tasks that wait
/// on it wake each other for ever.
static NETWORK: Watch<Raw, bool, 2> = Watch::new_with(false);

/// One task's view of whether there is a network.
pub struct Network(DynReceiver<'static, bool>);

impl Network {
    /// A view; there are as many as tasks that need one.
    pub fn new() -> Self {
        match NETWORK.dyn_receiver() {
            Some(receiver) => Self(receiver),
            None => panic!("more tasks watch the network than were planned"),
        }
    }

    /// Whether there is a network now.
    pub fn is_up(&mut self) -> bool {
        self.0.try_get().unwrap_or_default()
    }

    /// Waits until there is a network.
    pub async fn wait_up(&mut self) {
        self.0.get_and(|up| *up).await;
    }

    /// Waits until there is none.
    pub async fn wait_down(&mut self) {
        self.0.get_and(|up| !*up).await;
    }
}

/// Something that kept requests from succeeding is gone: the network is back, or the clock is right again.
pub static OBSTACLE_GONE: Signal<Raw, ()> = Signal::new();

/// Asks for the signal strength; the answer, in dBm, comes through [`RSSI`].
static RSSI_WANTED: Signal<Raw, ()> = Signal::new();
static RSSI: Signal<Raw, i8> = Signal::new();

/// An association that lasted so long was a good one: after it the pauses start from the shortest again.
const STABLE: Duration = Duration::from_secs(30);

/// How long DHCP may take before the log mentions it.
const DHCP_PATIENCE: Duration = Duration::from_secs(15);

/// The signal strength of the access point in dBm, while associated.
pub async fn rssi() -> Option<i8> {
    RSSI.reset();
    RSSI_WANTED.signal(());
    embassy_time::with_timeout(Duration::from_millis(100), RSSI.wait())
        .await
        .ok()
}

/// The driver's settings for our network. `None` if the driver refuses name or password.
pub fn config(settings: &Settings) -> Option<ControllerConfig> {
    let password = settings.wifi_password.as_str();
    let authentication = match password {
        "" => AuthenticationMethodConfig::Open,
        _ => AuthenticationMethodConfig::Wpa2Personal(password.try_into().ok()?),
    };
    let station = StationConfig::default()
        .with_ssid(settings.wifi_ssid.as_str().try_into().ok()?)
        .with_authentication(authentication);
    Some(ControllerConfig::default().with_initial_config(Config::Station(station)))
}

/// Runs the TCP/IP stack.
#[embassy_executor::task]
pub async fn network(mut runner: Runner<'static, PacedInterface>) {
    runner.run().await;
}

/// Connects, reports, and connects again after each loss.
#[embassy_executor::task]
pub async fn keep_connected(
    mut controller: WifiController<'static>,
    stack: Stack<'static>,
    settings: &'static Settings,
) {
    let rng = Rng::new();
    let mut backoff = Backoff::new(1_000, 30_000);
    loop {
        println!("[WIFI] Connecting to {}", settings.wifi_ssid);
        match controller.connect_async().await {
            Ok(_) => {
                let associated_at = Instant::now();
                let reason = watch(&controller, stack, settings.defects).await;
                // An access point that ends each association at once is not to be asked once a second.
                if associated_at.elapsed() >= STABLE || settings.defects.has(Defect::NoWifiBackoff) {
                    backoff.reset();
                }
                NETWORK.sender().send(false);
                println!("[WIFI] Disconnected, reason {reason} ({})", reason_text(reason));
                if settings.defects.has(Defect::NoWifiReconnect) {
                    core::future::pending::<()>().await;
                }
            }
            Err(ConnectionError::Failed(info)) => {
                let reason = reason_code(info.reason);
                println!(
                    "[WIFI] Connection failed, reason {reason} ({})",
                    reason_text(reason)
                );
            }
            Err(ConnectionError::WifiError(error)) => println!("[WIFI] Connection failed, {error}"),
            Err(error) => println!("[WIFI] Connection failed, {error}"),
        }
        Timer::after_millis(backoff.fail(rng.random()).into()).await;
    }
}

/// Follows an association until it ends, and returns the reason code.
async fn watch(controller: &WifiController<'static>, stack: Stack<'static>, defects: Defects) -> u16 {
    let Ok(mut events) = controller.subscribe() else {
        return 1;
    };
    let mut address = None;
    let mut was_lost = false;
    while controller.is_connected() {
        let address_changes = async {
            match address {
                None if was_lost && defects.has(Defect::NoNewAddress) => core::future::pending().await,
                None => stack.wait_config_up().await,
                Some(_) => stack.wait_config_down().await,
            }
        };
        let impatience = async {
            match address {
                None => Timer::after(DHCP_PATIENCE).await,
                Some(_) => core::future::pending().await,
            }
        };
        match select4(
            events.next_event_pure(),
            address_changes,
            RSSI_WANTED.wait(),
            impatience,
        )
        .await
        {
            Either4::First(EventInfo::StationDisconnected { reason, .. }) => return reason,
            Either4::First(_) => {}
            Either4::Second(()) => {
                address = stack.config_v4().map(|config| config.address.address());
                match address {
                    Some(ip) => {
                        let rssi = controller.rssi().unwrap_or_default();
                        println!("[WIFI] Connected, IP {ip}, RSSI {rssi} dBm");
                        NETWORK.sender().send(true);
                        OBSTACLE_GONE.signal(());
                    }
                    None => {
                        was_lost = true;
                        println!("[WIFI] IP address lost");
                        NETWORK.sender().send(false);
                    }
                }
            }
            Either4::Third(()) => {
                if let Ok(rssi) = controller.rssi() {
                    RSSI.signal(rssi.clamp(i8::MIN.into(), i8::MAX.into()) as i8);
                }
            }
            Either4::Fourth(()) => println!("[WIFI] Associated, but no address from DHCP yet"),
        }
    }
    // The event went by before we listened.
    match select(events.next_event_pure(), Timer::after_millis(10)).await {
        Either::First(EventInfo::StationDisconnected { reason, .. }) => reason,
        _ => 1,
    }
}

/// The number of the reasons that a failed connection reports; the driver's enumeration has lost them.
fn reason_code(reason: DisconnectReason) -> u16 {
    match reason {
        DisconnectReason::AuthenticationExpired => 2,
        DisconnectReason::AuthenticationLeave => 3,
        DisconnectReason::DisassociatedDueToInactivity => 4,
        DisconnectReason::AssociationTooMany => 5,
        DisconnectReason::AssociationLeave => 8,
        DisconnectReason::MicFailure => 14,
        DisconnectReason::FourWayHandshakeTimeout => 15,
        DisconnectReason::BeaconTimeout => 200,
        DisconnectReason::NoAccessPointFound => 201,
        DisconnectReason::AuthenticationFailed => 202,
        DisconnectReason::AssociationFailed => 203,
        DisconnectReason::HandshakeTimeout => 204,
        DisconnectReason::ConnectionFailed => 205,
        DisconnectReason::NoAccessPointFoundWithCompatibleSecurity => 210,
        DisconnectReason::NoAccessPointFoundInAuthmodeThreshold => 211,
        DisconnectReason::NoAccessPointFoundInRssiThreshold => 212,
        _ => 1,
    }
}

/// Reason codes in words, as `wifi_err_reason_t` names them.
fn reason_text(reason: u16) -> &'static str {
    match reason {
        2 => "authentication expired",
        3 => "deauthenticated",
        4 => "inactivity",
        5 => "too many stations",
        6 => "not authenticated",
        7 => "not associated",
        8 => "disassociated",
        14 => "MIC failure",
        15 => "4-way handshake timeout",
        200 => "beacon timeout",
        201 => "no access point found",
        202 => "authentication failed",
        203 => "association failed",
        204 => "handshake timeout",
        205 => "connection failed",
        210 => "no access point with compatible security",
        211 => "no access point above the security threshold",
        212 => "no access point above the signal threshold",
        _ => "unspecified",
    }
}
