//! Who may speak to the control interface.
//!
//! Without a token only this machine can reach it, and a web page that a person on this machine has open must not:
//! a page's requests carry its `Origin`, and a page whose name was made to point here (DNS rebinding) carries that
//! name as `Host`, where a person's tools carry an address or `localhost`.

use std::hint::black_box;
use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use hyper::{StatusCode, header};
use sha2::{Digest, Sha256};

use crate::ServeError;
use crate::answer::Refusal;

/// Set by browsers: how the page that asks relates to this server (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Length of a token.
const TOKEN: std::ops::RangeInclusive<usize> = 16..=200;

/// The guard.
pub(crate) struct Guard {
    /// SHA-256 of the token.
    token: Option<[u8; 32]>,
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Compares without telling by its time where the difference is.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    black_box(
        a.iter()
            .zip(b)
            .fold(0, |different, (a, b)| black_box(different | (a ^ b))),
    ) == 0
}

impl Guard {
    /// A guard that wants this token, if there is one.
    ///
    /// # Errors
    /// If the token is too short, too long, or cannot stand in a header.
    pub(crate) fn new(token: Option<&str>) -> Result<Guard, ServeError> {
        if let Some(token) = token
            && (!TOKEN.contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(ServeError::BadToken);
        }
        Ok(Guard {
            token: token.map(|token| hash(token.as_bytes())),
        })
    }

    /// Whether this request may go on.
    ///
    /// # Errors
    /// 401 without the token, 403 for a web page, 400 without a `Host`.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = one(headers, &HOST)?.ok_or_else(|| {
            Refusal::bad("the request names no host")
                .at("header `Host`")
                .expected("the address of this interface")
        })?;
        match &self.token {
            Some(token) => check_token(headers, token)?,
            // Who knows the token is no page that strayed here: the name does not matter.
            None if is_address(host) => {}
            None => {
                return Err(
                    forbidden(format!("`{host}` is no name of this interface"), "header `Host`")
                        .expected("`localhost` or an IP address, which no web page's own name is"),
                );
            }
        }
        if let Some(origin) = one(headers, &ORIGIN)?
            && origin.strip_prefix("http://") != Some(host)
        {
            return Err(forbidden(
                format!("a web page of `{origin}` asks"),
                "header `Origin`",
            ));
        }
        match one(headers, &SEC_FETCH_SITE)? {
            None | Some("none" | "same-origin") => Ok(()),
            Some(_) => Err(forbidden(
                "a web page from elsewhere asks",
                "header `Sec-Fetch-Site`",
            )),
        }
    }
}

fn check_token(headers: &HeaderMap, token: &[u8; 32]) -> Result<(), Refusal> {
    let refused = |what: &str| {
        Err(Refusal::new(StatusCode::UNAUTHORIZED, what)
            .at("header `Authorization`")
            .expected("Bearer and the token that the server was started with")
            .header(WWW_AUTHENTICATE, "Bearer realm=\"oceanrig control\""))
    };
    match one(headers, &AUTHORIZATION)?.and_then(|value| value.split_once(' ')) {
        None => refused("a token is needed"),
        Some((scheme, sent))
            if scheme.eq_ignore_ascii_case("bearer") && same(&hash(sent.as_bytes()), token) =>
        {
            Ok(())
        }
        Some(_) => refused("this is not the token"),
    }
}

fn forbidden(what: impl Into<String>, place: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, what)
        .at(place)
        .header(header::CONNECTION, "close")
}

/// The value of a header that must not be there twice.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let place = || format!("header `{name}`");
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::bad("the header is there twice").at(place()));
    }
    value
        .map(|v| {
            v.to_str()
                .map_err(|_| Refusal::bad("the header is not ASCII").at(place()))
        })
        .transpose()
}

/// Whether a `Host` is `localhost` or an address, with or without a port.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(guard: &Guard, headers: &[(&'static str, &'static str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                value.parse().expect("a header value"),
            );
        }
        guard
            .check(&map)
            .map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn without_a_token_only_addresses_of_this_machine_pass() {
        let guard = Guard::new(None).expect("no token");
        for host in [
            "127.0.0.1:8081",
            "localhost:8081",
            "LOCALHOST",
            "[::1]:8081",
            "127.0.0.1",
        ] {
            assert_eq!(status(&guard, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "rebound.example:8081",
            "rebound.example",
            "localhost.example:80",
            "127.0.0.1.example",
            "",
        ] {
            assert_eq!(status(&guard, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&guard, &[]), 400);
        assert_eq!(
            status(&guard, &[("host", "localhost"), ("host", "127.0.0.1")]),
            400
        );
    }

    #[test]
    fn pages_from_elsewhere_do_not_pass() {
        let guard = Guard::new(None).expect("no token");
        let with = |name, value| status(&guard, &[("host", "localhost:81"), (name, value)]);
        assert_eq!(with("origin", "http://localhost:81"), 200);
        assert_eq!(with("origin", "http://localhost:80"), 403);
        assert_eq!(with("origin", "https://example.org"), 403);
        assert_eq!(with("origin", "null"), 403);
        assert_eq!(with("sec-fetch-site", "none"), 200);
        assert_eq!(with("sec-fetch-site", "cross-site"), 403);
    }

    #[test]
    fn a_token_is_wanted_whole() {
        let guard = Guard::new(Some("0123456789abcdef")).expect("a good token");
        let with = |value| status(&guard, &[("host", "bench.example"), ("authorization", value)]);
        assert_eq!(with("Bearer 0123456789abcdef"), 200);
        assert_eq!(with("bearer 0123456789abcdef"), 200);
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer",
            "Basic 0123456789abcdef",
            "Bearer ",
        ] {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(status(&guard, &[("host", "localhost")]), 401);
        for bad in ["short", "", "0123456789 abcdef", "0123456789äbcdef"] {
            assert!(Guard::new(Some(bad)).is_err(), "{bad}");
        }
    }
}
