//! HTTP/1.1 for mock services over any byte stream.
//!
//! A [`Service`] is a state machine: a request and the time go in, a reply comes out. This crate brings requests to
//! it over in-memory streams or TCP, checks them as strictly as public servers do, and lets a fault plan act on every
//! request at each [`Phase`]. It knows no cloud: endpoints, operations and facts are names from the service's
//! [`ServiceSpec`](vocabulary::spec::ServiceSpec).
//!
//! | layer | file | contents |
//! |---|---|---|
//! | [`Service`] | `service.rs` | what a mock service implements; operations and outcomes |
//! | [`Request`], [`Reply`] | `message.rs` | plain data |
//! | [`Interposer`], [`Directive`] | `fault.rs` | where a fault plan may act on a request, and what it may do there |
//! | [`Connection`] | `connection.rs`, `exchange.rs` | hyper over a byte stream, without sockets, threads or clocks |
//! | request boundaries | `framing.rs`, `head.rs` | where a request begins and ends; what RFC 9112 refuses |
//! | bytes under hyper | `wire.rs` | what may be read and may leave, and when |
//! | [`server`] | `server.rs` | the same connections on TCP |

mod connection;
mod exchange;
mod fault;
mod framing;
mod head;
mod message;
#[cfg(feature = "tcp")]
pub mod server;
mod service;
mod wire;

pub use connection::Connection;
pub use fault::{ActiveExchange, Chunking, Cut, Directive, Interposer, NoFaults, Origin, Pace, Shared, able};
pub use message::{ConnId, Ending, Reply, Request};
pub use service::{
    Class, ConnectionLimits, Effect, Operated, Operation, OperationError, Outcome, Service, Turn, http_date,
};
pub use vocabulary::Phase;
