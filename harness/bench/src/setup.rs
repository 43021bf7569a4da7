//! From the `bench` of a scenario to the parts that it is made of.

use std::net::Ipv4Addr;
use std::time::Duration;

use dut::{FlashError, FlashImage, Provisioning};
use netsim::{ApConfig, NetConfig};
use oceanremote::{
    CloudConfig, DashboardRenewal, DeviceConfig, Limits, PermanentPrefix, Revocation, RevokedStatus,
    SpentStatus, Switches,
};
use scenario::Bench;
use sim::Rng;
use sim::air::AuthMode;

/// Where the cloud lives on the simulated internet (TEST-NET-3, RFC 5737).
const CLOUD_ADDR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The cloud's name among the services of a network.
pub(crate) const CLOUD: &str = "cloud";
/// Where the time servers live.
const NTP_ADDR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 123);

/// A bench that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The network cannot be.
    #[error("the network cannot be set up")]
    Net(#[from] netsim::NetError),
    /// The cloud cannot be.
    #[error("the cloud cannot be set up")]
    Cloud(#[from] oceanremote::CloudError),
    /// The flash image cannot be.
    #[error("the flash image cannot be made")]
    Flash(#[from] FlashError),
}

/// The network of a bench.
pub(crate) fn net_config(bench: &Bench, seed: u64, capture: bool) -> NetConfig {
    let n = &bench.network;
    let mut config = NetConfig {
        ap: ApConfig {
            ssid: n.ssid.value.clone(),
            password: n.password.value.clone(),
            auth: if n.password.is_empty() {
                AuthMode::Open
            } else {
                AuthMode::Wpa2Psk
            },
            channel: n.channel.value,
            rssi_dbm: n.rssi.value,
            hidden: n.hidden,
            ..ApConfig::default()
        },
        lease_time_s: u32::try_from(n.dhcp_lease.duration().as_secs()).unwrap_or(u32::MAX),
        latency: n.latency.duration(),
        wan_latency: n.wan_latency.duration(),
        epoch: bench.start.unix_time(),
        ntp_offset_ns: i128::from(n.ntp_offset.0),
        ntp_port: bench.provisioning.ntp.port.map_or(123, |port| port.value),
        seed,
        capture,
        ..NetConfig::default()
    };
    // A cloud that is called by its address is there, too.
    let cloud = bench.cloud.host.parse().unwrap_or(CLOUD_ADDR);
    config.dns_records.insert(bench.cloud.host.value.clone(), cloud);
    let place = (cloud, bench.cloud.port.value);
    config.listeners.insert(place, CLOUD.to_owned());
    if let Some(server) = &bench.provisioning.ntp.server {
        // A time server that is called by its address is there, too; the name of the cloud stays the cloud's.
        match server.parse::<Ipv4Addr>() {
            Ok(addr) => drop(config.ntp_servers.insert(addr)),
            Err(_) => drop(config.dns_records.entry(server.value.clone()).or_insert(NTP_ADDR)),
        }
    }
    config
}

/// The permanent token of a device that is claimed before the start: the one written in the scenario, or one
/// drawn from the seed in the form that the cloud would give out.
pub(crate) fn permanent_token(bench: &Bench, seed: u64) -> Option<String> {
    bench.device.claimed.then(|| match &bench.device.permanent_token {
        Some(token) => token.value.clone(),
        None => {
            let prefix = if bench.cloud.permanent_token_prefix {
                "oc_perm_"
            } else {
                ""
            };
            format!("{prefix}{}", Rng::stream(seed, "claimed").hex(16))
        }
    })
}

/// The cloud of a bench, with its one device.
pub fn cloud_config(bench: &Bench, seed: u64) -> CloudConfig {
    let c = &bench.cloud;
    let device = DeviceConfig {
        id: bench.device_id(),
        registration_token: Some(c.registration_token.value.clone()),
        registration_token_age: bench.device.registration_token_age.duration(),
        permanent_token: permanent_token(bench, seed),
        permanent_token_age: bench.device.permanent_token_age.duration(),
        mac: bench.device.claimed.then_some(bench.device.mac.0),
    };
    CloudConfig {
        seed,
        host: c.host.value.clone(),
        epoch: bench.start.unix_time(),
        clock_offset_ns: c.clock_offset.0,
        clock_drift_ppm: c.clock_drift_ppm,
        session_lifetime: c.session_lifetime.duration(),
        max_skew: c.max_clock_skew.duration(),
        permanent_lifetime: c.permanent_token_lifetime.map(|t| t.duration()),
        devices: vec![device],
        limits: if c.limits { Limits::default() } else { Limits::OFF },
        switches: Switches {
            spent_registration_token: match c.spent_registration_token.value {
                410 => SpentStatus::Gone,
                _ => SpentStatus::Unauthorized,
            },
            revoked_token: match c.revoked_token.value {
                401 => RevokedStatus::Unauthorized,
                _ => RevokedStatus::Forbidden,
            },
            permanent_prefix: if c.permanent_token_prefix {
                PermanentPrefix::OcPerm
            } else {
                PermanentPrefix::None
            },
            revocation: if c.revocation_ends_session {
                Revocation::EndsSession
            } else {
                Revocation::LeavesSession
            },
            dashboard_renewal: if c.dashboard_renewal_rotates {
                DashboardRenewal::Rotates
            } else {
                DashboardRenewal::Extends
            },
            ..Switches::default()
        },
        ..CloudConfig::default()
    }
}

/// The flash before the first boot: partition table, settings and, on a claimed device, its token.
pub(crate) fn flash_image(bench: &Bench, seed: u64) -> Result<FlashImage, SetupError> {
    let mut flash = FlashImage::new()?;
    let mut settings = Provisioning::new();
    for (key, value) in bench.provisioning_entries() {
        settings.set(key, value);
    }
    flash.provision(&settings)?;
    if let Some(token) = permanent_token(bench, seed) {
        flash.store_token(&token)?;
    }
    Ok(flash)
}

/// How long the run lasts.
pub(crate) fn duration(bench: &Bench) -> Duration {
    bench.duration.duration()
}
