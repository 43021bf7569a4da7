//! The mock OceanRemote cloud: what `docs/oceanremote-contract.md` says, as a pure state machine.
//!
//! | part | file | contents |
//! |---|---|---|
//! | [`SPEC`] | `spec.rs` | the names that scenario files may use: endpoints, operations, facts, expectations |
//! | [`Cloud`] | `cloud.rs`, `api.rs`, `operator.rs` | devices, tokens, commands; a request in, a reply out |
//! | admission | `admission.rs` | rate limits, connection limits and bans per address |
//! | [`Fact`] | `facts.rs` | what happened, typed, and as the facts of the events |
//! | service | `service.rs` | the cloud as a [`Service`](http_service::Service): operations by name |
//! | expectations | `judges.rs` | `liveness`, `token-reuse` |
//!
//! HTTP is [`http_service`]'s. Time is an argument everywhere; randomness comes from the seed in [`CloudConfig`].

mod admission;
mod api;
mod clock;
mod cloud;
mod config;
mod device;
mod endpoint;
mod error;
mod facts;
mod judges;
mod operator;
mod refusal;
mod service;
mod spec;

pub use clock::ServerClock;
pub use cloud::{Cloud, Outcome};
pub use config::{
    CloudConfig, DashboardRenewal, DeviceConfig, Limits, PermanentPrefix, PlainHttp, RateLimit, Registration,
    Revocation, RevokedStatus, SpentStatus, Switches,
};
pub use device::{Command, DeviceStatus, DeviceView, Telemetry, TokenKind};
pub use endpoint::Endpoint;
pub use error::CloudError;
pub use facts::{Effect, Entry, Fact, SessionEnd, SessionOrigin};
pub use http_service::ConnectionLimits;
pub use refusal::{Refusal, error_reply};
pub use spec::{BAN, SPEC};
