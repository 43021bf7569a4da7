//! Actions on requests and their replies.

use super::reply::{Chunked, Interim, LoseReply, Respond};
use super::tcp::{Dribble, Message, ResetConnection, SlowBody, Truncate};
use crate::located::Located;
use crate::quantity::TimeSpan;
use crate::read::choice;
use crate::step::Bytes;

choice! {
    /// An action on requests to a service and on their replies.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RequestAction = "RequestAction" {
        /// The request is swallowed: the service never learns more than its first byte.
        "blackhole" => Blackhole;
        /// The server tears the connection down (RST): at once, or after so many bytes of the reply, or of the request. On
        /// requests.
        "reset-connection" => ResetConnection(ResetConnection) eg["{after-byte: 40}"] bare yes;
        /// The server ends the connection in order (FIN) and gives no reply. On requests.
        "close-connection" => CloseConnection;
        /// The server falls silent, and the connection stays open on the device's side only: no reply, no end. On requests.
        "half-open" => HalfOpen;
        /// The reply, or the request, breaks off after so many bytes, head included, and the connection ends in order. On
        /// requests.
        "truncate" => Truncate(Truncate) eg["{after-byte: 120}"];
        /// The reply trickles. On requests.
        "dribble" => Dribble(Dribble) eg["{bytes: 1, every: 500ms}"] bare yes;
        /// The request is answered this and has no effect; at `after-effect` it has its effect and is answered this all
        /// the same. A bare number is the status. On requests.
        "respond" => Respond(Box<Respond>) eg["{status: 503, retry-after: '120'}"];
        /// Nothing moves for this long: before the effect the request waits, after it the reply. On requests.
        "delay" => Delay(Located<TimeSpan>) eg["8s"];
        /// `Content-Length` is off by so many bytes. On requests.
        "wrong-content-length" => WrongContentLength(Located<i32>) eg["10"];
        /// The reply's JSON is cut in the middle; its length is right. On requests.
        "malformed-json" => MalformedJson;
        /// The reply's JSON lacks this member. On requests.
        "missing-field" => MissingField(Located<String>) eg["session"];
        /// The reply is a page of HTML in place of JSON; its status stays. On requests.
        "html" => Html;
        /// The reply is compressed with gzip, which nobody asked for. On requests.
        "gzip" => Gzip;
        /// The request is answered 301 to the same path on https, and has no effect. On requests.
        "redirect-to-https" => RedirectToHttps;
        /// The reply's head comes at once, its body trickles. On requests.
        "slow-body" => SlowBody(SlowBody) eg["{bytes: 1, every: 1s}"] bare yes;
        /// The reply comes twice. On requests.
        "duplicate-reply" => DuplicateReply;
        /// These bytes come in place of the reply's. On requests.
        "raw-reply" => RawReply(Located<Bytes>) eg[r#""SSH-2.0-OpenSSH_9.6\r\n""#, "[255, 254]"];
        /// The reply's body is sent in chunks (RFC 9112, section 7.1), with a trailer if one is given. On requests.
        "chunked" => Chunked(Chunked) eg["{size: 16, trailer: {x-checksum: '0'}}"] bare yes;
        /// An interim reply with this status, 100 to 199 without 101, comes before the final one (RFC 9110, section
        /// 15.2). On requests.
        "interim" => Interim(Interim) eg["103"];
        /// The request takes effect, and its reply is lost. On requests.
        "lose-reply" => LoseReply(LoseReply) eg["{then: reset}"] bare yes;
    }
}

impl RequestAction {
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
            | RequestAction::DuplicateReply
            | RequestAction::Interim(_) => None,
            RequestAction::Chunked(_) => Some("how the body is sent"),
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
            | RequestAction::Chunked(_)
            | RequestAction::Interim(_)
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
            | RequestAction::Chunked(_)
            | RequestAction::Interim(_)
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
            | RequestAction::Chunked(_)
            | RequestAction::Interim(_)
            | RequestAction::LoseReply(_)
            | RequestAction::ResetConnection(_) => false,
        }
    }
}
