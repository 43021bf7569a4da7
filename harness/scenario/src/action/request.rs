//! Actions on requests and their replies.

use super::service::{LoseReply, Respond};
use super::tcp::{Dribble, Message, ResetConnection, SlowBody, Truncate};
use crate::located::Located;
use crate::quantity::TimeSpan;

/// An action on requests to a service and on their replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAction {
    /// The request is swallowed: the service never learns more than its first byte.
    Blackhole,
    /// The server tears the connection down (RST): at once, or after so many bytes of the reply, or of the request. On
    /// requests.
    ResetConnection(ResetConnection),
    /// The server ends the connection in order (FIN) and gives no reply. On requests.
    CloseConnection,
    /// The server falls silent, and the connection stays open on the device's side only: no reply, no end. On requests.
    HalfOpen,
    /// The reply, or the request, breaks off after so many bytes, head included, and the connection ends in order. On
    /// requests.
    Truncate(Truncate),
    /// The reply trickles. On requests.
    Dribble(Dribble),
    /// The request is answered this and has no effect; at `after-effect` it has its effect and is answered this all
    /// the same. A bare number is the status. On requests.
    Respond(Box<Respond>),
    /// Nothing moves for this long: before the effect the request waits, after it the reply. On requests.
    Delay(Located<TimeSpan>),
    /// `Content-Length` is off by so many bytes. On requests.
    WrongContentLength(Located<i32>),
    /// The reply's JSON is cut in the middle; its length is right. On requests.
    MalformedJson,
    /// The reply's JSON lacks this member. On requests.
    MissingField(Located<String>),
    /// The reply is a page of HTML in place of JSON; its status stays. On requests.
    Html,
    /// The reply is compressed with gzip, which nobody asked for. On requests.
    Gzip,
    /// The request is answered 301 to the same path on https, and has no effect. On requests.
    RedirectToHttps,
    /// The reply's head comes at once, its body trickles. On requests.
    SlowBody(SlowBody),
    /// The reply comes twice. On requests.
    DuplicateReply,
    /// These bytes come in place of the reply's. On requests.
    RawReply(Located<String>),
    /// The request takes effect, and its reply is lost. On requests.
    LoseReply(LoseReply),
}

impl RequestAction {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            RequestAction::Blackhole => "blackhole",
            RequestAction::ResetConnection(_) => "reset-connection",
            RequestAction::CloseConnection => "close-connection",
            RequestAction::HalfOpen => "half-open",
            RequestAction::Truncate(_) => "truncate",
            RequestAction::Dribble(_) => "dribble",
            RequestAction::Respond(_) => "respond",
            RequestAction::Delay(_) => "delay",
            RequestAction::WrongContentLength(_) => "wrong-content-length",
            RequestAction::MalformedJson => "malformed-json",
            RequestAction::MissingField(_) => "missing-field",
            RequestAction::Html => "html",
            RequestAction::Gzip => "gzip",
            RequestAction::RedirectToHttps => "redirect-to-https",
            RequestAction::SlowBody(_) => "slow-body",
            RequestAction::DuplicateReply => "duplicate-reply",
            RequestAction::RawReply(_) => "raw-reply",
            RequestAction::LoseReply(_) => "lose-reply",
        }
    }

    /// See [`super::Action::sets`].
    pub(super) const fn sets(&self) -> Option<&'static str> {
        match self {
            RequestAction::Respond(_)
            | RequestAction::Html
            | RequestAction::MalformedJson
            | RequestAction::RedirectToHttps
            | RequestAction::RawReply(_)
            | RequestAction::WrongContentLength(_) => Some("the reply"),
            RequestAction::ResetConnection(_)
            | RequestAction::CloseConnection
            | RequestAction::HalfOpen
            | RequestAction::Truncate(_)
            | RequestAction::LoseReply(_) => Some("how the reply ends"),
            RequestAction::Dribble(_) | RequestAction::SlowBody(_) => Some("the pace of the reply"),
            RequestAction::Blackhole
            | RequestAction::Delay(_)
            | RequestAction::MissingField(_)
            | RequestAction::Gzip
            | RequestAction::DuplicateReply => None,
        }
    }

    /// Whether it cuts a request and not a reply, so that it must strike at the first byte.
    pub fn is_on_the_way_in(&self) -> bool {
        match self {
            RequestAction::ResetConnection(reset) => {
                reset.after_byte.is_some() && reset.of.value == Message::Request
            }
            RequestAction::Truncate(cut) => cut.of.value == Message::Request,
            RequestAction::Blackhole
            | RequestAction::CloseConnection
            | RequestAction::HalfOpen
            | RequestAction::Dribble(_)
            | RequestAction::Respond(_)
            | RequestAction::Delay(_)
            | RequestAction::WrongContentLength(_)
            | RequestAction::MalformedJson
            | RequestAction::MissingField(_)
            | RequestAction::Html
            | RequestAction::Gzip
            | RequestAction::RedirectToHttps
            | RequestAction::SlowBody(_)
            | RequestAction::DuplicateReply
            | RequestAction::RawReply(_)
            | RequestAction::LoseReply(_) => false,
        }
    }

    /// Whether it has an effect on the connection after the reply has left.
    pub fn acts_after_the_reply(&self) -> bool {
        match self {
            RequestAction::CloseConnection => true,
            RequestAction::ResetConnection(reset) => reset.after_byte.is_none(),
            RequestAction::Blackhole
            | RequestAction::HalfOpen
            | RequestAction::Truncate(_)
            | RequestAction::Dribble(_)
            | RequestAction::Respond(_)
            | RequestAction::Delay(_)
            | RequestAction::WrongContentLength(_)
            | RequestAction::MalformedJson
            | RequestAction::MissingField(_)
            | RequestAction::Html
            | RequestAction::Gzip
            | RequestAction::RedirectToHttps
            | RequestAction::SlowBody(_)
            | RequestAction::DuplicateReply
            | RequestAction::RawReply(_)
            | RequestAction::LoseReply(_) => false,
        }
    }

    /// Whether the request never has its effect, so that it must strike before it.
    pub const fn keeps_the_request_from_its_effect(&self) -> bool {
        match self {
            RequestAction::RedirectToHttps | RequestAction::Blackhole => true,
            RequestAction::CloseConnection
            | RequestAction::HalfOpen
            | RequestAction::Truncate(_)
            | RequestAction::Dribble(_)
            | RequestAction::Respond(_)
            | RequestAction::Delay(_)
            | RequestAction::WrongContentLength(_)
            | RequestAction::MalformedJson
            | RequestAction::MissingField(_)
            | RequestAction::Html
            | RequestAction::Gzip
            | RequestAction::SlowBody(_)
            | RequestAction::DuplicateReply
            | RequestAction::RawReply(_)
            | RequestAction::LoseReply(_)
            | RequestAction::ResetConnection(_) => false,
        }
    }
}
