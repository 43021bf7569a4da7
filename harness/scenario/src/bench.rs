//! The bench of a scenario: firmware, device, cloud, network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::located::Located;
use crate::provisioning::Provisioning;
use crate::quantity::{Amount, CivilTime, MacAddress, TimeOffset, TimeSpan};

/// What the scenario runs on. Every key has a default; an empty bench just works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bench {
    /// The firmware image (ELF with symbols, or the same compressed as `.gz`), relative to the scenario file.
    /// Left out, the harness's own image, or the one of the command line.
    #[schemars(example = &"../fixtures/oceanremote-device.elf.gz")]
    pub firmware: Option<Located<String>>,
    /// How long the run lasts in virtual time. A file that has steps and neither a duration nor expectations
    /// ends with its last step, and fails after 30 s.
    #[schemars(example = &"3h")]
    pub duration: Located<TimeSpan>,
    /// Seed of all randomness.
    #[schemars(example = 7)]
    pub seed: u64,
    /// Civil time when the bench is switched on.
    #[schemars(example = &"2026-01-01T00:00:00Z")]
    pub start: CivilTime,
    /// How many instructions the firmware may execute before the run is given up as one that never sleeps.
    #[schemars(example = &"5G")]
    pub instruction_budget: Located<Amount>,
    /// How many events a run may have before it is given up as one that does the same thing without end. Left out, the
    /// default, or 20,000 for each hour of the run if that is more.
    #[schemars(example = &"500k")]
    pub event_budget: Located<Amount>,
    /// Whether an access that the chip model does not implement fails the run.
    #[schemars(example = true)]
    pub strict: bool,
    /// What a board must have beside it, by the names of its `fixtures` in boards.toml; a scenario is skipped on one
    /// that lacks it. The emulator has everything that a scenario can speak of.
    #[schemars(example = serde_json::json!(["relays"]))]
    pub requires: Vec<Located<String>>,
    /// The device.
    pub device: Device,
    /// The mock OceanRemote cloud.
    pub cloud: Cloud,
    /// The network.
    pub network: Network,
    /// Settings that the harness writes into the device's provisioning partition (`docs/provisioning.md`).
    /// What is left out is derived from the bench.
    pub provisioning: Provisioning,
    /// Parts that `set-control` and triggers speak of, by their `part-id`.
    #[schemars(example = serde_json::json!({"btn1": {"gpio": 9, "active": "low"}}))]
    pub wiring: BTreeMap<String, Wire>,
}

impl Default for Bench {
    fn default() -> Bench {
        Bench {
            firmware: None,
            duration: Located::unwritten(TimeSpan::from_secs(30)),
            seed: 1,
            start: CivilTime {
                unix_s: 1_767_225_600,
            },
            instruction_budget: Located::unwritten(Amount(5_000_000_000)),
            event_budget: Located::unwritten(Amount(2_000_000)),
            strict: false,
            requires: Vec::new(),
            device: Device::default(),
            cloud: Cloud::default(),
            network: Network::default(),
            provisioning: Provisioning::default(),
            wiring: BTreeMap::new(),
        }
    }
}

/// The device before its first start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// Its MAC address.
    #[schemars(example = &"02:0c:ea:12:34:56")]
    pub mac: MacAddress,
    /// Whether it is claimed already: the cloud knows its permanent token, its flash holds it, and its
    /// registration token is spent.
    #[schemars(example = true)]
    pub claimed: bool,
    /// The permanent token of a claimed device; left out, one is drawn from the seed.
    #[schemars(example = &"oc_perm_0123456789abcdef0123456789abcdef")]
    pub permanent_token: Option<Located<String>>,
    /// How old the permanent token is at the start.
    #[schemars(example = &"90d")]
    pub permanent_token_age: TimeSpan,
    /// How old the registration token is at the start; it is good for 24 h.
    #[schemars(example = &"23h")]
    pub registration_token_age: TimeSpan,
    /// How far its crystal is off, parts per million; positive is fast.
    #[schemars(example = -20)]
    pub crystal_ppm: Located<i32>,
}

impl Default for Device {
    fn default() -> Device {
        Device {
            mac: MacAddress([0x02, 0x0c, 0xea, 0x12, 0x34, 0x56]),
            claimed: false,
            permanent_token: None,
            permanent_token_age: TimeSpan(0),
            registration_token_age: TimeSpan(0),
            crystal_ppm: Located::unwritten(0),
        }
    }
}

/// The mock OceanRemote cloud (`docs/oceanremote-contract.md`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cloud {
    /// Its host name, as the network's DNS knows it.
    #[schemars(example = &"cloud.oceanremote.test")]
    pub host: Located<String>,
    /// Its port.
    #[schemars(example = 8080)]
    pub port: Located<u16>,
    /// The registration token that it has given out for the device.
    #[schemars(example = &"oc_reg_0123456789abcdef")]
    pub registration_token: Located<String>,
    /// How long a session lives.
    #[schemars(example = &"10m")]
    pub session_lifetime: Located<TimeSpan>,
    /// How far the device's clock may be off, either way.
    #[schemars(example = &"5m")]
    pub max_clock_skew: TimeSpan,
    /// How far the server's clock is ahead of true time.
    #[schemars(example = &"-301s")]
    pub clock_offset: TimeOffset,
    /// How much the server's clock gains, parts per million.
    #[schemars(example = 50)]
    pub clock_drift_ppm: i32,
    /// How long a permanent token lives; left out, until it is revoked.
    #[schemars(example = &"90d")]
    pub permanent_token_lifetime: Option<TimeSpan>,
    /// Status for a spent registration token: 401 or 410; the public pages name both.
    #[schemars(example = 410)]
    pub spent_registration_token: Located<u16>,
    /// Status for a revoked permanent token: 401 or 403; the public pages name both.
    #[schemars(example = 401)]
    pub revoked_token: Located<u16>,
    /// Whether permanent tokens start with `oc_perm_`.
    #[schemars(example = false)]
    pub permanent_token_prefix: bool,
    /// Whether the limits hold: 20 requests a second, 2 registrations a minute, 10 connections, a ban of 24 h
    /// after 20 failures.
    #[schemars(example = false)]
    pub limits: bool,
    /// Whether revoking the permanent token ends the session too.
    #[schemars(example = false)]
    pub revocation_ends_session: bool,
    /// Whether "Renew Session" on the dashboard rotates the session instead of extending it.
    #[schemars(example = true)]
    pub dashboard_renewal_rotates: bool,
}

impl Default for Cloud {
    fn default() -> Cloud {
        Cloud {
            host: Located::unwritten("cloud.oceanremote.test".to_owned()),
            port: Located::unwritten(80),
            registration_token: Located::unwritten("oc_reg_5eaf00d5eaf00d5eaf00d5eaf00d0001".to_owned()),
            session_lifetime: Located::unwritten(TimeSpan::from_secs(3600)),
            max_clock_skew: TimeSpan::from_secs(300),
            clock_offset: TimeOffset(0),
            clock_drift_ppm: 0,
            permanent_token_lifetime: None,
            spent_registration_token: Located::unwritten(401),
            revoked_token: Located::unwritten(403),
            permanent_token_prefix: true,
            limits: true,
            revocation_ends_session: true,
            dashboard_renewal_rotates: false,
        }
    }
}

/// The network between the device and the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Network {
    /// Name of the WiFi network, 1 to 32 bytes.
    #[schemars(example = &"oceanrig")]
    pub ssid: Located<String>,
    /// Its password, 8 to 63 bytes; empty for an open network.
    #[schemars(example = &"salt-water")]
    pub password: Located<String>,
    /// Whether beacons leave the name out.
    #[schemars(example = true)]
    pub hidden: bool,
    /// 2.4 GHz channel, 1 to 14.
    #[schemars(example = 11)]
    pub channel: Located<u8>,
    /// Signal strength at the device, dBm, -127 to 0.
    #[schemars(example = -75)]
    pub rssi: Located<i8>,
    /// Time of a frame between device and access point, one way, at most one minute.
    #[schemars(example = &"2ms")]
    pub latency: Located<TimeSpan>,
    /// Time of a packet between gateway and servers, one way, at most one minute.
    #[schemars(example = &"150ms")]
    pub wan_latency: Located<TimeSpan>,
    /// DHCP lease time, whole seconds.
    #[schemars(example = &"1h")]
    pub dhcp_lease: Located<TimeSpan>,
    /// How far the time that SNTP gives is ahead of true time.
    #[schemars(example = &"-301s")]
    pub ntp_offset: TimeOffset,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            ssid: Located::unwritten("oceanrig".to_owned()),
            password: Located::unwritten("salt-water".to_owned()),
            hidden: false,
            channel: Located::unwritten(6),
            rssi: Located::unwritten(-52),
            latency: Located::unwritten(TimeSpan::from_millis(2)),
            wan_latency: Located::unwritten(TimeSpan::from_millis(20)),
            dhcp_lease: Located::unwritten(TimeSpan::from_secs(7200)),
            ntp_offset: TimeOffset(0),
        }
    }
}

/// A part that drives a pin of the device, such as a button.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wire {
    /// GPIO number, 0 to 21.
    #[schemars(example = 9)]
    pub gpio: Located<u8>,
    /// The level of the pin while the part is active (a button pressed): `low` or `high`.
    #[serde(default)]
    #[schemars(example = &"low")]
    pub active: ActiveLevel,
}

/// The level of a pin while its part is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActiveLevel {
    /// 0 V, as with a button to ground.
    #[default]
    Low,
    /// The supply voltage.
    High,
}

impl Wire {
    /// The level of the pin while the part is active, or not; true is high.
    pub fn level(&self, active: bool) -> bool {
        active == (self.active == ActiveLevel::High)
    }
}

impl Bench {
    /// Host names that the network's DNS knows, in lower case.
    pub fn host_names(&self) -> Vec<String> {
        let written = [Some(&self.cloud.host), self.provisioning.ntp.server.as_ref()];
        let names = written
            .into_iter()
            .flatten()
            .map(|name| name.to_ascii_lowercase());
        let mut names: Vec<String> = names
            .filter(|name| name.parse::<std::net::Ipv4Addr>().is_err())
            .collect();
        names.push("pool.ntp.org".to_owned());
        names.sort();
        names.dedup();
        names
    }
}
