//! Actions on the meaning of a reply.

use std::collections::BTreeMap;

use crate::located::Located;
use crate::quantity::TimeOffset;
use crate::read::{choice, mapping};

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
    /// A body in chunks. Bare, all of it in one chunk.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Chunked = "Chunked" {
        /// Bytes in a chunk; 0 puts the whole body into one.
        pub size: Located<u32> = "size" eg["16"] or["0"];
        /// Fields behind the last chunk; the head announces them.
        pub trailer: BTreeMap<String, String> = "trailer" eg["{x-checksum: '0'}"] or["{}"];
    }
}

mapping! {
    /// An interim reply. A bare number is the status.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Interim = "Interim" {
        /// The status, 100 to 199 without 101.
        pub status: Located<u16> = "status" eg["103"];
        /// Its headers.
        pub headers: BTreeMap<String, String> = "headers" eg["{link: '</style.css>'}"] or["{}"];
    }
    short "status";
}
