//! How a cloud is set up: devices, lifetimes, limits, and the switches for what the public pages leave open.

use std::time::Duration;

use http_service::ConnectionLimits;
use serde::{Deserialize, Serialize};
use sim::UnixTime;
use sim::air::Mac;

/// How long a registration token can be used (page "token-invalid-expired").
pub(crate) const REGISTRATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Everything a [`crate::Cloud`] is made from.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// The seed of the scenario; tokens are drawn from its stream `cloud`.
    pub seed: u64,
    /// The server's host name, used in redirects.
    pub host: String,
    /// Civil time at [`sim::Instant::ZERO`].
    pub epoch: UnixTime,
    /// How far the server's clock is ahead of true time, nanoseconds.
    pub clock_offset_ns: i64,
    /// How much the server's clock gains, parts per million.
    pub clock_drift_ppm: i32,
    /// How long a session lives: 60 minutes, "fixed by the server" (guide).
    pub session_lifetime: Duration,
    /// How long the session that a renewal replaces stays good, at most until its own end: not at all (guide).
    pub renewal_grace: Duration,
    /// How far `X-Device-Time` may be off, either way: 300 s (guide).
    pub max_skew: Duration,
    /// How long a permanent token lives; `None`, the default, is until it is revoked.
    pub permanent_lifetime: Option<Duration>,
    /// The devices known from the start.
    pub devices: Vec<DeviceConfig>,
    /// Limits per address.
    pub limits: Limits,
    /// Limits of a connection.
    pub connections: ConnectionLimits,
    /// What the public pages contradict each other about, or leave open.
    pub switches: Switches,
}

impl Default for CloudConfig {
    /// The documented server without devices, on 2026-01-01.
    fn default() -> CloudConfig {
        CloudConfig {
            seed: 0,
            host: "cloud.oceanremote.test".to_owned(),
            epoch: UnixTime::from_secs(1_767_225_600),
            clock_offset_ns: 0,
            clock_drift_ppm: 0,
            session_lifetime: Duration::from_secs(3600),
            renewal_grace: Duration::ZERO,
            max_skew: Duration::from_secs(300),
            permanent_lifetime: None,
            devices: Vec::new(),
            limits: Limits::default(),
            connections: ConnectionLimits::default(),
            switches: Switches::default(),
        }
    }
}

/// A device that exists before its first request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceConfig {
    /// 1 to 32 of `[A-Za-z0-9_-]`.
    pub id: String,
    /// Its registration token; `None` draws one (see [`crate::Cloud::registration_token`]).
    pub registration_token: Option<String>,
    /// How old the registration token is when the bench is switched on; 24 h and more is expired.
    pub registration_token_age: Duration,
    /// The permanent token of a device that is already claimed.
    pub permanent_token: Option<String>,
    /// How old the permanent token is when the bench is switched on.
    pub permanent_token_age: Duration,
    /// The MAC address that the permanent token is bound to; `None` binds it to the first one seen.
    pub mac: Option<Mac>,
}

impl DeviceConfig {
    /// A pending device with a registration token.
    pub fn pending(id: &str, registration_token: &str) -> DeviceConfig {
        DeviceConfig {
            id: id.to_owned(),
            registration_token: Some(registration_token.to_owned()),
            ..DeviceConfig::default()
        }
    }

    /// A claimed device that holds a permanent token. Its registration token is spent.
    pub fn claimed(id: &str, permanent_token: &str, mac: Mac) -> DeviceConfig {
        DeviceConfig {
            id: id.to_owned(),
            permanent_token: Some(permanent_token.to_owned()),
            mac: Some(mac),
            ..DeviceConfig::default()
        }
    }
}

/// At most `count` in any `window_s` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateLimit {
    /// How many.
    pub count: u32,
    /// In how many seconds.
    pub window_s: u32,
}

/// Limits per address (API page, security page). `None` switches one off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// All requests: 20 in a second.
    pub api: Option<RateLimit>,
    /// Registrations: 2 in a minute.
    pub registration: Option<RateLimit>,
    /// Connections open at the same time: 10.
    pub connections: Option<u32>,
    /// Failed attempts, counted since the last success, that ban an address: 20.
    pub ban_after_failures: Option<u32>,
    /// How long a ban lasts, seconds: 24 h.
    pub ban_s: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            api: Some(RateLimit {
                count: 20,
                window_s: 1,
            }),
            registration: Some(RateLimit {
                count: 2,
                window_s: 60,
            }),
            connections: Some(10),
            ban_after_failures: Some(20),
            ban_s: crate::spec::BAN_S,
        }
    }
}

impl Limits {
    /// No limit at all.
    pub const OFF: Limits = Limits {
        api: None,
        registration: None,
        connections: None,
        ban_after_failures: None,
        ban_s: crate::spec::BAN_S,
    };
}

/// What the public pages contradict each other about, or do not say. Each has a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Switches {
    /// What a spent registration token is answered.
    pub spent_registration_token: SpentStatus,
    /// What a revoked permanent token is answered.
    pub revoked_token: RevokedStatus,
    /// Whether permanent tokens start with `oc_perm_`.
    pub permanent_prefix: PermanentPrefix,
    /// Whether plain http is served or redirected to https.
    pub plain_http: PlainHttp,
    /// Whether a device that the server does not know may register.
    pub registration: Registration,
    /// What revoking a permanent token does to the session.
    pub revocation: Revocation,
    /// What the dashboard's "Renew Session" does.
    pub dashboard_renewal: DashboardRenewal,
}

/// The answer to a registration token that was used before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpentStatus {
    /// 401 `Token already used or expired`.
    #[default]
    Unauthorized,
    /// 410 `Registration token already used`.
    Gone,
}

/// The answer to a revoked permanent token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedStatus {
    /// 401 `Token revoked`.
    Unauthorized,
    /// 403 `Token revoked`.
    #[default]
    Forbidden,
}

/// How permanent tokens look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermanentPrefix {
    /// `oc_perm_` and 32 hexadecimal digits (API page).
    #[default]
    OcPerm,
    /// 32 hexadecimal digits (token page: "32-64 characters", kept with length 32).
    None,
}

/// What plain http gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlainHttp {
    /// The service.
    #[default]
    Served,
    /// 301 to https (security page).
    Redirected,
}

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// The devices of the configuration.
    #[default]
    Known,
    /// Any device id, with any token that starts with `oc_reg_`.
    Open,
}

/// What a revocation does to the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// Ends it at once.
    #[default]
    EndsSession,
    /// Leaves it to its own end; renewing it fails.
    LeavesSession,
}

/// What the dashboard's "Renew Session" does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DashboardRenewal {
    /// Gives the device's latest session 60 more minutes, even if it had expired; its id stays.
    #[default]
    Extends,
    /// Rotates it, so that the device, which is not told, holds an old one.
    Rotates,
}
