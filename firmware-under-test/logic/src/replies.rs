//! The JSON bodies of the service, and what each status means to the device.

use core::fmt;

use heapless::{String, Vec};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::token::{TOKEN_MAX, Token};

/// Longest session id, in bytes.
pub const SESSION_MAX: usize = 64;
/// Commands taken from one reply; the rest stay with the server until these are acknowledged.
pub const COMMANDS_MAX: usize = 16;

/// A session id. It lives in RAM only.
pub type SessionId = String<SESSION_MAX>;

/// The body is not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A registration that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The permanent token, to be kept in flash.
    pub permanent_token: Token,
    /// The first session.
    pub session: NewSession,
}

/// A session from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Its lifetime from now, in seconds.
    pub expires_in_s: u32,
    /// The server's clock, Unix seconds.
    pub server_time_s: Option<u64>,
}

/// A relay command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Command {
    /// Its number; acknowledged by it.
    pub id: u32,
    /// The relay, from 1.
    pub relay: u8,
    /// On or off.
    pub on: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    success: bool,
    #[serde(borrow, default)]
    permanent_token: Option<&'a str>,
    #[serde(borrow, default)]
    session: Option<&'a str>,
    #[serde(default)]
    expires_in: Option<u32>,
    #[serde(default)]
    server_time: Option<u64>,
}

impl Body<'_> {
    fn session(&self) -> Result<NewSession, Malformed> {
        let id = self.session.filter(|id| is_word(id, 16)).ok_or(Malformed)?;
        Ok(NewSession {
            id: SessionId::try_from(id).map_err(|_| Malformed)?,
            expires_in_s: self.expires_in.filter(|seconds| *seconds > 0).ok_or(Malformed)?,
            server_time_s: self.server_time,
        })
    }
}

/// Letters, digits, `_`, `-`: what a token may consist of. Anything else could break a header line.
fn is_word(text: &str, at_least: usize) -> bool {
    text.len() >= at_least
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn body(json: &[u8]) -> Result<Body<'_>, Malformed> {
    match serde_json_core::from_slice::<Body<'_>>(json) {
        Ok((body, _)) if body.success => Ok(body),
        _ => Err(Malformed),
    }
}

/// Reads the reply to a registration.
pub fn registered(json: &[u8]) -> Result<Registered, Malformed> {
    let body = body(json)?;
    let token = body
        .permanent_token
        .filter(|token| is_word(token, 16) && token.len() <= TOKEN_MAX);
    Ok(Registered {
        permanent_token: Token::try_from(token.ok_or(Malformed)?).map_err(|_| Malformed)?,
        session: body.session()?,
    })
}

/// Reads the reply to a renewal or a recovery.
pub fn new_session(json: &[u8]) -> Result<NewSession, Malformed> {
    body(json)?.session()
}

/// Reads the reply to an update.
pub fn updated(json: &[u8]) -> Result<(), Malformed> {
    body(json).map(|_| ())
}

/// Reads the reply to a poll: the commands that wait, at most [`COMMANDS_MAX`] of them.
pub fn commands(json: &[u8]) -> Result<Vec<Command, COMMANDS_MAX>, Malformed> {
    #[derive(Deserialize)]
    struct Poll {
        success: bool,
        commands: Commands,
    }
    match serde_json_core::from_slice::<Poll>(json) {
        Ok((poll, _)) if poll.success => Ok(poll.commands.0),
        _ => Err(Malformed),
    }
}

/// A list that keeps its first elements instead of failing when there are too many.
struct Commands(Vec<Command, COMMANDS_MAX>);

impl<'de> Deserialize<'de> for Commands {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Commands;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("commands")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Commands, A::Error> {
                let mut first = Vec::new();
                while !first.is_full() {
                    match seq.next_element()? {
                        // Cannot fail: there is room.
                        Some(command) => drop(first.push(command)),
                        None => return Ok(Commands(first)),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Commands(first))
            }
        }
        deserializer.deserialize_seq(First)
    }
}

/// The text of an error reply, cut to what a log line should hold.
pub fn error_text(json: &[u8]) -> Option<String<80>> {
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(borrow)]
        error: &'a str,
    }
    let (failure, _) = serde_json_core::from_slice::<Failure<'_>>(json).ok()?;
    let mut text = String::new();
    for c in failure
        .error
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
    {
        if text.push(c).is_err() {
            break;
        }
    }
    Some(text)
}

/// Why the server turned a request down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 401, 403, 410: the session or token that came with it is no good.
    Credential,
    /// 401 because the device's clock is more than five minutes off.
    ClockSkew,
    /// 404: the server does not know the device.
    NotFound,
}

impl Rejection {
    /// The rejection that a status and its error text mean, if they mean one.
    pub fn of(status: u16, error: Option<&str>) -> Option<Self> {
        match status {
            401 | 403 if error == Some("Clock skew too large") => Some(Self::ClockSkew),
            401 | 403 | 410 => Some(Self::Credential),
            404 => Some(Self::NotFound),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::String as StdString;

    #[test]
    fn a_registration() {
        let json = br#"{"success":true,"device_id":"oc-1","permanent_token":"oc_perm_0123456789abcdef0123456789abcdef",
            "session":"a1b2c3d4e5f60718a1b2c3d4e5f60718","expires_in":3600,"server_time":1767225600}"#;
        let reply = registered(json).unwrap();
        assert_eq!(reply.permanent_token, "oc_perm_0123456789abcdef0123456789abcdef");
        assert_eq!(reply.session.id, "a1b2c3d4e5f60718a1b2c3d4e5f60718");
        assert_eq!(
            (reply.session.expires_in_s, reply.session.server_time_s),
            (3600, Some(1_767_225_600))
        );
    }

    #[test]
    fn a_renewal_with_fields_we_do_not_know() {
        let json = br#"{"success":true,"new":{"a":[1,2]},"session":"0123456789abcdef","expires_in":60}"#;
        assert_eq!(new_session(json).unwrap().expires_in_s, 60);
    }

    #[test]
    fn malformed_bodies_are_errors() {
        for json in [
            "",
            "{",
            "null",
            "[]",
            "<html><body>Sign in</body></html>",
            r#"{"success":true}"#,
            r#"{"success":false,"session":"0123456789abcdef","expires_in":60}"#,
            r#"{"success":true,"session":"short","expires_in":60}"#,
            r#"{"success":true,"session":"0123456789abcdef\r\nX: y","expires_in":60}"#,
            r#"{"success":true,"session":"0123456789abcdef","expires_in":0}"#,
            r#"{"success":true,"session":"0123456789abcdef","expires_in":"60"}"#,
            r#"{"success":true,"session":123,"expires_in":60}"#,
            "\u{1f}\u{fffd}\u{8}",
        ] {
            assert_eq!(new_session(json.as_bytes()), Err(Malformed), "{json}");
        }
        let long = format!(
            r#"{{"success":true,"session":"{}","expires_in":60}}"#,
            "a".repeat(65)
        );
        assert_eq!(new_session(long.as_bytes()), Err(Malformed));
    }

    #[test]
    fn commands_in_order() {
        let json = br#"{"success":true,"commands":[{"id":7,"relay":1,"on":true},{"id":8,"relay":2,"on":false}],"server_time":1}"#;
        let list = commands(json).unwrap();
        assert_eq!(
            list[..],
            [
                Command {
                    id: 7,
                    relay: 1,
                    on: true
                },
                Command {
                    id: 8,
                    relay: 2,
                    on: false
                }
            ]
        );
        assert_eq!(commands(br#"{"success":true,"commands":[]}"#).unwrap().len(), 0);
        assert_eq!(commands(br#"{"success":true}"#), Err(Malformed));
    }

    #[test]
    fn surplus_commands_wait_for_the_next_poll() {
        let one = r#"{"id":1,"relay":1,"on":true}"#;
        let all: StdString = [one; 20].join(",");
        let json = format!(r#"{{"commands":[{all}],"success":true}}"#);
        assert_eq!(commands(json.as_bytes()).unwrap().len(), COMMANDS_MAX);
    }

    #[test]
    fn rejections() {
        assert_eq!(
            Rejection::of(401, Some("Session expired")),
            Some(Rejection::Credential)
        );
        assert_eq!(
            Rejection::of(401, Some("Clock skew too large")),
            Some(Rejection::ClockSkew)
        );
        assert_eq!(Rejection::of(403, None), Some(Rejection::Credential));
        assert_eq!(Rejection::of(410, None), Some(Rejection::Credential));
        assert_eq!(Rejection::of(404, None), Some(Rejection::NotFound));
        assert_eq!(Rejection::of(500, None), None);
        assert_eq!(
            error_text(br#"{"success":false,"error":"Token revoked"}"#).unwrap(),
            "Token revoked"
        );
        assert_eq!(error_text(b"<html>"), None);
    }
}
