//! The endpoints and their paths.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::CloudError;

/// An endpoint by the name that scenarios use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `POST /api/device/register/`
    Register,
    /// `POST /api/device/<id>/renew-session/`
    RenewSession,
    /// `POST /api/device/<id>/update/`
    Update,
    /// `GET /api/device/<id>/commands/`
    Commands,
    /// `GET /api/device/state/`
    State,
    /// Anything else.
    Other,
}

impl Endpoint {
    /// All of them, in the contract's order.
    pub const ALL: [Endpoint; 6] = [
        Endpoint::Register,
        Endpoint::RenewSession,
        Endpoint::Update,
        Endpoint::Commands,
        Endpoint::State,
        Endpoint::Other,
    ];

    /// The name in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Endpoint::Register => "register",
            Endpoint::RenewSession => "renew-session",
            Endpoint::Update => "update",
            Endpoint::Commands => "commands",
            Endpoint::State => "state",
            Endpoint::Other => "other",
        }
    }

    /// The methods it takes, as in an `Allow` header; empty for [`Endpoint::Other`].
    pub const fn allow(self) -> &'static str {
        match self {
            Endpoint::Register | Endpoint::RenewSession | Endpoint::Update => "POST",
            Endpoint::Commands | Endpoint::State => "GET, HEAD",
            Endpoint::Other => "",
        }
    }

    /// The endpoint behind a path (without query), and the device id in it.
    pub fn of_path(path: &str) -> (Endpoint, Option<&str>) {
        let Some(rest) = path.strip_prefix("/api/device/") else {
            return (Endpoint::Other, None);
        };
        match rest {
            "register/" => return (Endpoint::Register, None),
            "state/" => return (Endpoint::State, None),
            _ => {}
        }
        let Some((id, action)) = rest.split_once('/') else {
            return (Endpoint::Other, None);
        };
        let endpoint = match action {
            "renew-session/" => Endpoint::RenewSession,
            "update/" => Endpoint::Update,
            "commands/" => Endpoint::Commands,
            _ => return (Endpoint::Other, None),
        };
        (endpoint, Some(id))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Endpoint {
    type Err = CloudError;

    fn from_str(name: &str) -> Result<Endpoint, CloudError> {
        let found = Endpoint::ALL.into_iter().find(|e| e.name() == name);
        found.ok_or_else(|| CloudError::UnknownEndpoint(name.to_owned()))
    }
}

/// Whether `id` is 1 to 32 of `[A-Za-z0-9_-]`.
pub(crate) fn is_device_id(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for endpoint in Endpoint::ALL {
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
        assert_eq!(
            "renew".parse::<Endpoint>(),
            Err(CloudError::UnknownEndpoint("renew".into()))
        );
    }

    #[test]
    fn paths_are_exact() {
        for (path, want) in [
            ("/api/device/register/", (Endpoint::Register, None)),
            (
                "/api/device/oc-1/renew-session/",
                (Endpoint::RenewSession, Some("oc-1")),
            ),
            (
                "/api/device/register/update/",
                (Endpoint::Update, Some("register")),
            ),
            ("/api/device/oc-1/commands/", (Endpoint::Commands, Some("oc-1"))),
            ("/api/device/state/", (Endpoint::State, None)),
            ("/api/device/oc-1/renew-session", (Endpoint::Other, None)),
            ("/api/device/oc-1/", (Endpoint::Other, None)),
            ("/api/device/", (Endpoint::Other, None)),
            ("/", (Endpoint::Other, None)),
        ] {
            assert_eq!(Endpoint::of_path(path), want, "{path}");
        }
    }
}
