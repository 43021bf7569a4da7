//! Actions on the byte stream of a request or a reply.

use crate::located::Located;
use crate::quantity::TimeSpan;
use crate::read::{choice, mapping};

mapping! {
    /// The server tears the connection down.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ResetConnection = "ResetConnection" {
        /// After so many bytes, head included; left out, at once and without a reply.
        pub after_byte: Option<u32> = "after-byte" eg["40"];
        /// Whose bytes are counted.
        pub of: Located<Message> = "of" eg["request"] or["reply"];
    }
}

choice! {
    /// What is cut: the device's words or the server's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Message = "Message" {
        /// What the device sends. It is cut before its last byte at the latest, and has no effect.
        "request" => Request;
        /// What the server sends; the request has its effect.
        "reply" => Reply;
    }
    default Reply;
}

mapping! {
    /// A request or a reply breaks off.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Truncate = "Truncate" {
        /// After so many bytes, head included.
        pub after_byte: u32 = "after-byte" eg["120"];
        /// Whose bytes are counted.
        pub of: Located<Message> = "of" eg["request"] or["reply"];
    }
}

choice! {
    /// What is wrong with TLS.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TlsFault = "TlsFault" {
        /// The certificate ended yesterday.
        "expired" => Expired;
        /// The certificate begins in 30 days.
        "not-yet-valid" => NotYetValid;
        /// The certificate is for another name.
        "wrong-name" => WrongName;
        /// The certificate was signed by an authority of the same name and another key.
        "unknown-ca" => UnknownCa;
        /// The connection is torn down in the middle of the server's first flight.
        "handshake-cut-off" => HandshakeCutOff;
        /// The server speaks nothing newer than TLS 1.2.
        "only-tls12" => OnlyTls12;
        /// The server speaks nothing older than TLS 1.3.
        "only-tls13" => OnlyTls13;
    }
}

mapping! {
    /// The reply trickles.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Dribble = "Dribble" {
        /// Bytes at a time.
        pub bytes: Located<u32> = "bytes" eg["1"] or["1"];
        /// Time between two pieces.
        pub every: Located<TimeSpan> = "every" eg["500ms"] or["100ms"];
    }
}

mapping! {
    /// The reply's body trickles, after a head that comes at once.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SlowBody = "SlowBody" {
        /// Bytes at a time.
        pub bytes: Located<u32> = "bytes" eg["1"] or["1"];
        /// Time between two pieces.
        pub every: Located<TimeSpan> = "every" eg["1s"] or["100ms"];
    }
}
