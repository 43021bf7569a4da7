//! What a request says: its query and its body.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::answer::Refusal;

/// The longest body, bytes.
pub(crate) const MOST_BODY: usize = 64 * 1024;
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Reads a body.
///
/// # Errors
/// 413 above 64 KiB, 408 when it does not come within 5 s, 400 when it breaks off or is not UTF-8.
pub(crate) async fn body(body: Incoming) -> Result<String, Refusal> {
    let too_long = || {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")
            .at("body")
            .expected(format!("at most {MOST_BODY} bytes"))
            .header(header::CONNECTION, "close")
    };
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > MOST_BODY as u64 {
        return Err(too_long());
    }
    let collected = timeout(BODY_PATIENCE, Limited::new(body, MOST_BODY).collect()).await;
    let collected = collected.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
            .at("body")
            .expected(format!("all of it within {} s", BODY_PATIENCE.as_secs()))
            .header(header::CONNECTION, "close")
    })?;
    let bytes = collected.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            too_long()
        } else {
            Refusal::bad(format!("the body broke off: {error}")).at("body")
        }
    })?;
    String::from_utf8(bytes.to_bytes().into()).map_err(|error| {
        let place = format!("body, byte {}", error.utf8_error().valid_up_to());
        Refusal::bad("the body is not UTF-8")
            .at(place)
            .expected("JSON in UTF-8")
    })
}

/// Reads JSON into a type of ours.
///
/// # Errors
/// 400 when it is not JSON or does not fit, with line and column; `expected` says what does.
pub(crate) fn json<T: DeserializeOwned>(text: &str, expected: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let shown = error.to_string();
        // serde_json repeats the place at the end of its message.
        let what = shown.split(" at line ").next().unwrap_or(&shown).to_owned();
        let what = if error.is_data() {
            what
        } else {
            format!("the body is not JSON: {what}")
        };
        let place = format!("body, line {}, column {}", error.line(), error.column());
        Refusal::bad(what).at(place).expected(expected)
    })
}

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// 400 for a parameter that is not in `known`, is there twice, or is badly encoded.
    pub(crate) fn read(text: Option<&str>, known: &[&str]) -> Result<Query, Refusal> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in text.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                decoded(&text.replace('+', " "))
                    .ok_or_else(|| Refusal::bad(format!("`{pair}` is not percent-encoded UTF-8")).at("query"))
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&name.as_str()) {
                let expected = match known {
                    [] => "no parameter".to_owned(),
                    known => format!("only {}", known.join(", ")),
                };
                return Err(Refusal::bad(format!("unknown parameter `{name}`"))
                    .at("query")
                    .expected(expected));
            }
            if found.iter().any(|(there, _)| *there == name) {
                return Err(Refusal::bad(format!("the parameter `{name}` is there twice")).at("query"));
            }
            found.push((name, value));
        }
        Ok(Query(found))
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(there, _)| there == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, read by `read`.
    ///
    /// # Errors
    /// 400 when it cannot be read.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let wrong = || {
            Refusal::bad(format!("`{value}` cannot be used"))
                .at(format!("query parameter `{name}`"))
                .expected(expected)
        };
        read(value).map(Some).ok_or_else(wrong)
    }
}

/// Percent-decodes a text; `None` if it is not encoded UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || (bytes.next()? as char).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_or_refused_with_a_reason() {
        let query = Query::read(Some("a=1&b=x%20y+z"), &["a", "b"]).expect("a good query");
        assert_eq!(query.get("b"), Some("x y z"));
        assert_eq!(
            query.parsed("a", |v| v.parse::<u8>().ok(), "a number"),
            Ok(Some(1))
        );
        let wrong = query
            .parsed("b", |v| v.parse::<u8>().ok(), "a number")
            .expect_err("no number");
        assert_eq!(
            (wrong.place.as_str(), wrong.expected.as_str()),
            ("query parameter `b`", "a number")
        );
        for (text, what) in [
            ("c=1", "unknown parameter `c`"),
            ("a=1&a=2", "the parameter `a` is there twice"),
            ("a=%zz", "`a=%zz` is not percent-encoded UTF-8"),
            ("a=%ff", "`a=%ff` is not percent-encoded UTF-8"),
        ] {
            assert_eq!(Query::read(Some(text), &["a", "b"]).expect_err(text).what, what);
        }
    }
}
