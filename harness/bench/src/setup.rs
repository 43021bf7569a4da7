//! From the `bench` of a scenario to the parts that it is made of.

use std::net::Ipv4Addr;
use std::time::Duration;

use dut::{FlashError, FlashImage, Provisioning};
use faults::permanent_token;
use netsim::{ApConfig, NetConfig};
use scenario::Bench;
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
