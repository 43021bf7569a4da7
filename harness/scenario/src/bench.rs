//! The bench of a scenario: firmware, device, cloud, network.

use std::collections::BTreeMap;

use crate::located::Located;
use crate::provisioning::Provisioning;
use crate::quantity::{Amount, CivilTime, MacAddress, TimeOffset, TimeSpan};
use crate::read::{choice, mapping};
use crate::validate;

mapping! {
    /// What the scenario runs on. Every key has a default; an empty bench just works.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Bench = "Bench" {
        /// The firmware image (ELF with symbols, or the same compressed as `.gz`), relative to the scenario file.
        /// Left out, the harness's own image, or the one of the command line.
        pub firmware: Option<Located<String>> = "firmware" eg["../fixtures/oceanremote-device.elf.gz"];
        /// How long the run lasts in virtual time. A file that has steps and neither a duration nor expectations
        /// ends with its last step, and fails after 30 s.
        pub duration: Located<TimeSpan> = "duration" eg["3h"] or["30s"];
        /// Seed of all randomness.
        pub seed: u64 = "seed" eg["7"] or["1"];
        /// Civil time when the bench is switched on.
        pub start: CivilTime = "start" eg["'2026-01-01T00:00:00Z'"] or["2026-01-01T00:00:00Z"];
        /// How many instructions the firmware may execute before the run is given up as one that never sleeps.
        pub instruction_budget: Located<Amount> = "instruction-budget" eg["5G"] or["5G"];
        /// How many events a run may have before it is given up as one that does the same thing without end. Left out,
        /// the default, or 20,000 for each hour of the run if that is more.
        pub event_budget: Located<Amount> = "event-budget" eg["500k"] or["2M"];
        /// Whether an access that the chip model does not implement fails the run.
        pub strict: bool = "strict" eg["true"] or["false"];
        /// What a board must have beside it, by the names of its `fixtures` in boards.toml; a scenario is skipped on one
        /// that lacks it. The emulator has everything that a scenario can speak of.
        pub requires: Vec<Located<String>> = "requires" eg["[relays]"] or["[]"];
        /// The device.
        pub device: Device = "device" or["{}"];
        /// The mock OceanRemote cloud.
        pub cloud: Cloud = "cloud" or["{}"];
        /// The network.
        pub network: Network = "network" or["{}"];
        /// Settings that the harness writes into the device's provisioning partition (`docs/provisioning.md`).
        /// What is left out is derived from the bench.
        pub provisioning: Provisioning = "provisioning" or["{}"];
        /// Parts that `set-control` and triggers speak of, by their `part-id`.
        pub wiring: BTreeMap<String, Wire> = "wiring" eg["{btn1: {gpio: 9, active: low}}"] or["{}"];
    }
    lenient yes;
    default yes;
    then validate::bench_is_known;
}

mapping! {
    /// The device before its first start.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Device = "Device" {
        /// Its MAC address.
        pub mac: MacAddress = "mac" eg["'02:0c:ea:12:34:56'"] or["02:0c:ea:12:34:56"];
        /// Whether it is claimed already: the cloud knows its permanent token, its flash holds it, and its
        /// registration token is spent.
        pub claimed: bool = "claimed" eg["true"] or["false"];
        /// The permanent token of a claimed device; left out, one is drawn from the seed.
        pub permanent_token: Option<Located<String>> = "permanent-token" eg["oc_perm_0123456789abcdef0123456789abcdef"];
        /// How old the permanent token is at the start.
        pub permanent_token_age: TimeSpan = "permanent-token-age" eg["90d"] or["0s"];
        /// How old the registration token is at the start; it is good for 24 h.
        pub registration_token_age: TimeSpan = "registration-token-age" eg["23h"] or["0s"];
        /// How far its crystal is off, parts per million; positive is fast.
        pub crystal_ppm: Located<i32> = "crystal-ppm" eg["-20"] or["0"];
    }
    lenient yes;
    default yes;
}

mapping! {
    /// The mock OceanRemote cloud (`docs/oceanremote-contract.md`).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cloud = "Cloud" {
        /// Its host name, as the network's DNS knows it.
        pub host: Located<String> = "host" eg["cloud.oceanremote.test"] or["cloud.oceanremote.test"];
        /// Its port.
        pub port: Located<u16> = "port" eg["8080"] or["80"];
        /// The registration token that it has given out for the device.
        pub registration_token: Located<String> = "registration-token" eg["oc_reg_0123456789abcdef"] or["oc_reg_5eaf00d5eaf00d5eaf00d5eaf00d0001"];
        /// How long a session lives.
        pub session_lifetime: Located<TimeSpan> = "session-lifetime" eg["10m"] or["1h"];
        /// How long the session that a renewal replaces stays good.
        pub renewal_grace: TimeSpan = "renewal-grace" eg["60s"] or["0s"];
        /// How long a connection may be idle before the server closes it.
        pub idle_timeout: Located<TimeSpan> = "idle-timeout" eg["5s"] or["75s"];
        /// How far the device's clock may be off, either way.
        pub max_clock_skew: TimeSpan = "max-clock-skew" eg["5m"] or["5m"];
        /// How far the server's clock is ahead of true time.
        pub clock_offset: TimeOffset = "clock-offset" eg["'-301s'"] or["0s"];
        /// How much the server's clock gains, parts per million.
        pub clock_drift_ppm: Located<i32> = "clock-drift-ppm" eg["50"] or["0"];
        /// How long a permanent token lives; left out, until it is revoked.
        pub permanent_token_lifetime: Option<TimeSpan> = "permanent-token-lifetime" eg["90d"];
        /// Status for a spent registration token: 401 or 410; the public pages name both.
        pub spent_registration_token: Located<u16> = "spent-registration-token" eg["410"] or["401"];
        /// Status for a revoked permanent token: 401 or 403; the public pages name both.
        pub revoked_token: Located<u16> = "revoked-token" eg["401"] or["403"];
        /// Whether permanent tokens start with `oc_perm_`.
        pub permanent_token_prefix: bool = "permanent-token-prefix" eg["false"] or["true"];
        /// Whether the limits hold: 20 requests a second, 2 registrations a minute, 10 connections, a ban of 24 h
        /// after 20 failures.
        pub limits: bool = "limits" eg["false"] or["true"];
        /// Whether revoking the permanent token ends the session too.
        pub revocation_ends_session: bool = "revocation-ends-session" eg["false"] or["true"];
        /// Whether "Renew Session" on the dashboard rotates the session instead of extending it.
        pub dashboard_renewal_rotates: bool = "dashboard-renewal-rotates" eg["true"] or["false"];
    }
    lenient yes;
    default yes;
}

mapping! {
    /// The network between the device and the cloud.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Network = "Network" {
        /// Name of the WiFi network, 1 to 32 bytes.
        pub ssid: Located<String> = "ssid" eg["oceanrig"] or["oceanrig"];
        /// Its password, 8 to 63 bytes; empty for an open network.
        pub password: Located<String> = "password" eg["salt-water"] or["salt-water"];
        /// Whether beacons leave the name out.
        pub hidden: bool = "hidden" eg["true"] or["false"];
        /// 2.4 GHz channel, 1 to 14.
        pub channel: Located<u8> = "channel" eg["11"] or["6"];
        /// Signal strength at the device, dBm, -127 to 0.
        pub rssi: Located<i8> = "rssi" eg["-75"] or["-52"];
        /// Time of a frame between device and access point, one way, at most one minute.
        pub latency: Located<TimeSpan> = "latency" eg["2ms"] or["2ms"];
        /// Time of a packet between gateway and servers, one way, at most one minute.
        pub wan_latency: Located<TimeSpan> = "wan-latency" eg["150ms"] or["20ms"];
        /// DHCP lease time, whole seconds.
        pub dhcp_lease: Located<TimeSpan> = "dhcp-lease" eg["1h"] or["2h"];
        /// How far the time that SNTP gives is ahead of true time.
        pub ntp_offset: TimeOffset = "ntp-offset" eg["'-301s'"] or["0s"];
    }
    lenient yes;
    default yes;
}

mapping! {
    /// A part that drives a pin of the device, such as a button.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Wire = "Wire" {
        /// GPIO number.
        pub gpio: Located<u8> = "gpio" eg["9"];
        /// The level of the pin while the part is active (a button pressed): `low` or `high`.
        pub active: ActiveLevel = "active" eg["low"] or["low"];
    }
    check validate::wire;
}

choice! {
    /// The level of a pin while its part is active.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ActiveLevel = "ActiveLevel" {
        /// 0 V, as with a button to ground.
        "low" => Low;
        /// The supply voltage.
        "high" => High;
    }
    default Low;
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
