//! Requests and replies as plain data.

use std::net::IpAddr;

use serde::Serialize;

/// The number of a connection, given by the caller that accepts it.
pub type ConnId = u64;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// In order: FIN.
    Close,
    /// Torn down: RST.
    Abort,
}

/// A request as a service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// What stands after the `?`.
    pub query: Option<String>,
    /// Header names in lower case with their values, in the order they came; bytes that are not UTF-8
    /// become U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it came from.
    pub peer: IpAddr,
    /// On which connection.
    pub conn: ConnId,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

impl Request {
    /// A request without headers or body on connection 0 of `peer`; `target` may have a query.
    pub fn new(method: &str, target: &str, peer: IpAddr) -> Request {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            body: Vec::new(),
            peer,
            conn: 0,
            secure: false,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// The first header called `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The first query parameter called `name`, decoded (`application/x-www-form-urlencoded`); bytes that are not UTF-8
    /// become U+FFFD.
    pub fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_deref()?.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A reply before HTTP: `Date`, `Content-Length` and connection headers are added on the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status, 200 to 999. Anything else goes out as 500.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply without headers or body.
    pub fn new(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A reply whose body is `value` as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Reply {
        let body = serde_json::to_vec(value).expect("our own bodies have text keys only");
        Reply::new(status)
            .with_header("content-type", "application/json")
            .with_body(body)
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// The first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The reply as HTTP/1.1 text with exactly the headers it has: no length is added or corrected, which is
    /// how a fault sends a wrong one (see [`crate::Directive::Raw`]).
    pub fn to_wire(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} \r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn query_values_are_decoded() {
        let query = |q: &str, name| Request::new("GET", &format!("/x?{q}"), PEER).query_value(name);
        assert_eq!(
            query("a=1&token=oc%5Fperm+x", "token").as_deref(),
            Some("oc_perm x")
        );
        assert_eq!(query("token", "token").as_deref(), Some(""));
        assert_eq!(query("tokens=1", "token"), None);
        assert_eq!(query("token=%zz", "token").as_deref(), Some("%zz"));
        assert_eq!(query("token=%ff", "token").as_deref(), Some("\u{fffd}"));
        assert_eq!(Request::new("GET", "/x", PEER).query_value("token"), None);
    }

    #[test]
    fn the_wire_form_corrects_nothing() {
        let reply = Reply::new(200)
            .with_header("Content-Length", "99")
            .with_body("hi");
        assert_eq!(reply.to_wire(), b"HTTP/1.1 200 \r\nContent-Length: 99\r\n\r\nhi");
    }
}
