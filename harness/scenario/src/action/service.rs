//! Actions on the meaning of a reply, and on the cloud.

use std::collections::BTreeMap;
use std::time::Duration;

use vocabulary::spec::Nature;

use super::clock::ServerClockFault;
use crate::located::Located;
use crate::quantity::TimeOffset;
use crate::read::{choice, mapping};

/// A ban without a length lasts this long (docs/oceanremote-contract.md, "Limits").
const BAN: Duration = Duration::from_secs(24 * 3600);

choice! {
    /// An action of the service: an operation of its operator or a change of its limits or its clock.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum ServiceAction = "ServiceAction" {
        /// An operator switches a relay on the dashboard. Happens once.
        "command-relay" => CommandRelay(CommandRelay) eg["{relay: 1, on: true}"];
        /// An operator revokes the device's permanent token. Happens once.
        "revoke-permanent-token" => RevokePermanentToken;
        /// The device's session ends before its time: `Session expired`. Happens once.
        "expire-session" => ExpireSession;
        /// The server forgets the device's session: `Invalid token`. Happens once.
        "invalidate-session" => InvalidateSession;
        /// An operator presses "Renew Session" on the dashboard. Happens once.
        "renew-session" => RenewSession;
        /// An operator deletes the device: its paths answer 404. Happens once.
        "delete-device" => DeleteDevice;
        /// Somebody else uses the device's registration token up. Happens once.
        "spend-registration-token" => SpendRegistrationToken;
        /// An operator draws a new registration token; the device is not told. Happens once.
        "regenerate-registration-token" => RegenerateRegistrationToken;
        /// The permanent token is bound to another MAC address than the device's. Happens once.
        "mac-mismatch" => MacMismatch;
        /// The device's address is banned; without `for`, for the 24 h of the contract. Lasts.
        "ban" => Ban;
        /// The limits per address are these; what is left out stays. Lasts.
        "limits" => Limits(LimitsFault) eg["{requests: 1, registrations: 1}"];
        /// The server's clock goes wrong. Lasts, but for a step.
        "server-clock" => ServerClock(ServerClockFault) eg["{offset: 301s}"];
    }
}

impl ServiceAction {
    /// How long it acts.
    pub const fn nature(&self) -> Nature {
        match self {
            ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch
            | ServiceAction::ServerClock(ServerClockFault::Step(_)) => Nature::Once,
            ServiceAction::Ban
            | ServiceAction::Limits(_)
            | ServiceAction::ServerClock(ServerClockFault::Offset(_) | ServerClockFault::DriftPpm(_)) => {
                Nature::Lasting
            }
        }
    }

    /// See [`super::Action::sets`].
    pub(super) const fn sets(&self) -> Option<&'static str> {
        match self {
            ServiceAction::Ban => Some("the ban"),
            ServiceAction::Limits(_) => Some("the limits"),
            ServiceAction::ServerClock(ServerClockFault::Offset(_)) => Some("the server's clock"),
            ServiceAction::ServerClock(ServerClockFault::DriftPpm(_)) => {
                Some("the drift of the server's clock")
            }
            ServiceAction::ServerClock(ServerClockFault::Step(_))
            | ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch => None,
        }
    }

    /// See [`super::Action::usual_length`].
    pub(super) const fn usual_length(&self) -> Option<Duration> {
        match self {
            ServiceAction::Ban => Some(BAN),
            ServiceAction::CommandRelay(_)
            | ServiceAction::RevokePermanentToken
            | ServiceAction::ExpireSession
            | ServiceAction::InvalidateSession
            | ServiceAction::RenewSession
            | ServiceAction::DeleteDevice
            | ServiceAction::SpendRegistrationToken
            | ServiceAction::RegenerateRegistrationToken
            | ServiceAction::MacMismatch
            | ServiceAction::Limits(_)
            | ServiceAction::ServerClock(_) => None,
        }
    }
}

mapping! {
    /// A reply in place of the cloud's own. A bare number is the status.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Respond = "Respond" {
        /// The status, 200 to 599.
        pub status: Located<u16> = "status" eg["503"];
        /// The header `Retry-After`; left out, there is none.
        pub retry_after: Option<RetryAfter> = "retry-after" eg["{date: '-1h'}"];
        /// The text of the contract's error body, in place of the status' usual one.
        pub error: Option<String> = "error" eg["Too many requests"];
        /// The body, in place of the contract's error.
        pub body: Option<Located<String>> = "body" eg["upstream connect error"];
        /// The header `Content-Type`.
        pub content_type: Option<Located<String>> = "content-type" eg["text/plain"];
        /// More headers.
        pub headers: BTreeMap<String, String> = "headers" eg["{server: nginx}"] or["{}"];
    }
    short "status";
}

choice! {
    /// The header `Retry-After`. A scalar is sent as it is written: `120`, `0`, `-5`, `99999999999`, `soon`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RetryAfter = "RetryAfter" {
        /// Sent as it is written.
        "text" => Text(String) eg["'120'"];
        /// An HTTP date, so far ahead of the server's clock; negative lies in the past.
        "date" => Date(TimeOffset) eg["2m"];
    }
    short "text";
}

mapping! {
    /// The request takes effect, and its reply is lost.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct LoseReply = "LoseReply" {
        /// What the device sees in its place.
        pub then: LostReply = "then" eg["reset"] or["silence"];
    }
}

choice! {
    /// What a device sees in place of a reply.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LostReply = "LostReply" {
        /// Nothing: the connection stays open and silent.
        "silence" => Silence;
        /// The connection is torn down (RST).
        "reset" => Reset;
        /// The connection ends in order (FIN).
        "close" => Close;
    }
    default Silence;
}

mapping! {
    /// An operator switches a relay.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommandRelay = "CommandRelay" {
        /// Which relay, from 1.
        pub relay: Located<u8> = "relay" eg["1"];
        /// Whether it is to be on.
        pub on: bool = "on" eg["true"];
    }
}

mapping! {
    /// Limits per address, in place of the contract's.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct LimitsFault = "LimitsFault" {
        /// Requests in any second.
        pub requests: Option<u32> = "requests" eg["1"];
        /// Registrations in any minute.
        pub registrations: Option<u32> = "registrations" eg["1"];
        /// Connections at the same time.
        pub connections: Option<u32> = "connections" eg["1"];
        /// Failed attempts that ban an address for 24 h.
        pub ban_after: Option<u32> = "ban-after" eg["5"];
    }
}
