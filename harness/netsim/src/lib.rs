//! The network between the device and the cloud: an access point, a gateway with DHCP, ARP, DNS and SNTP, and
//! the wide-area network, in which every TCP connection becomes a stream of bytes.
//!
//! No function here reads a clock or opens a socket: the caller passes each message of the station with its
//! time, gets the time of the next event from [`Netsim::next_due`], calls [`Netsim::poll`] at that time, and
//! takes the results. The same calls give the same bytes on every machine.
//!
//! ```text
//!  station ──latency──▶ access point, gateway ──wan_latency──▶ servers (smoltcp)
//!                        DHCP, ARP, DNS                         TCP streams, SNTP, ICMP
//! ```
//!
//! TCP ends in the wide-area network and not at the gateway, so that a handshake, a request and a
//! retransmission take as many round trips as in the field.
//!
//! # Example
//! ```
//! use netsim::{NetConfig, Netsim};
//! use sim::Instant;
//! use sim::air::{FromAir, ToAir};
//!
//! let mut net = Netsim::new(NetConfig::default())?;
//! let (ssid, password) = ("oceanrig".into(), "salt-water".into());
//! let mac = [0x34, 0x85, 0x18, 0, 0, 1];
//! net.from_station(Instant::ZERO, ToAir::Connect { ssid, password, bssid: None, mac });
//! while let Some(due) = net.next_due() {
//!     net.poll(due);
//! }
//! assert!(matches!(net.take_to_station()[..], [FromAir::Connected { .. }]));
//! # Ok::<(), netsim::NetError>(())
//! ```

pub mod capture;
mod config;
mod controls;
mod dhcp;
pub mod dns;
mod frame;
mod gateway;
mod host;
mod hosting;
pub mod impair;
mod netsim;
mod note;
pub mod pcapng;
mod radio;
pub mod sntp;
mod stream_id;
mod wan;

pub use capture::{CapturedFrame, Direction};
pub use config::{ApConfig, NetConfig, NetError};
pub use controls::NetSettings;
pub use dhcp::DhcpMode;
pub use dns::DnsMode;
pub use hosting::{Connect, Datagram, Endpoint};
pub use impair::{Filter, Impairment, Protocol, RuleId};
pub use netsim::Netsim;
pub use note::{DnsAnswer, DropReason, NetNote, Refusal, ResetBy, StreamEvent};
pub use radio::{BEACON_LOSS, FULL_SCAN, SCAN_PER_CHANNEL};
pub use sntp::SntpMode;
pub use stream_id::StreamId;
pub use wan::MAX_STREAMS;
