//! The mock OceanRemote cloud: what `docs/oceanremote-contract.md` says, as a pure state machine, and HTTP
//! on top of it.
//!
//! | layer | file | knows |
//! |---|---|---|
//! | [`Cloud`] | `cloud.rs`, `api.rs`, `operator.rs` | devices, tokens, commands, limits; a request in, a reply out |
//! | [`Interposer`] | `fault.rs` | where a fault may strike one exchange |
//! | [`http::Connection`] | `http.rs`, `exchange.rs`, `framing.rs`, `wire.rs` | hyper over a byte stream, without sockets, threads or clocks |
//! | [`server`] | `server.rs` | the same connections on TCP |
//!
//! Time is an argument everywhere; randomness comes from the seed in [`CloudConfig`].

mod api;
mod clock;
mod cloud;
mod config;
mod device;
mod endpoint;
mod error;
mod exchange;
mod fault;
mod framing;
mod gate;
pub mod http;
mod journal;
mod judges;
mod message;
mod operator;
mod refusal;
#[cfg(feature = "tcp")]
pub mod server;
mod spec;
mod wire;

pub use clock::ServerClock;
pub use cloud::{Cloud, Outcome};
pub use config::{
    CloudConfig, ConnectionLimits, DashboardRenewal, DeviceConfig, Limits, PermanentPrefix, PlainHttp,
    RateLimit, Registration, Revocation, RevokedStatus, SpentStatus, Switches,
};
pub use device::{Command, DeviceStatus, DeviceView, Telemetry, TokenKind};
pub use endpoint::Endpoint;
pub use error::CloudError;
pub use fault::{Cut, Directive, Exchange, Interposer, NoFaults, Origin, Pace, Phase, Shared};
pub use journal::{Effect, Entry, Event, SessionEnd, SessionOrigin};
pub use message::{ConnId, Ending, Reply, Request};
pub use refusal::Refusal;
pub use spec::{BAN, SPEC};
