//! From the `bench` of a scenario to the service.

use http_service::ConnectionLimits;
use oceanremote::{
    CloudConfig, DashboardRenewal, DeviceConfig, Limits, PermanentPrefix, Revocation, RevokedStatus,
    SpentStatus, Switches,
};
use scenario::Bench;
use sim::Rng;

/// The permanent token of a device that is claimed before the start: the one written in the scenario, or one
/// drawn from the seed in the form that the cloud would give out.
pub fn permanent_token(bench: &Bench, seed: u64) -> Option<String> {
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
        clock_drift_ppm: c.clock_drift_ppm.value,
        session_lifetime: c.session_lifetime.duration(),
        renewal_grace: c.renewal_grace.duration(),
        connections: ConnectionLimits {
            idle_timeout: c.idle_timeout.duration(),
            ..ConnectionLimits::default()
        },
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
    }
}
