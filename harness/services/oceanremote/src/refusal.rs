//! The rows of the contract's table of errors.

use http_service::Reply;
use serde::Serialize;

use crate::Endpoint;
use crate::config::{RevokedStatus, SpentStatus, Switches};

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// 400: what is wrong with the request.
    Malformed(String),
    /// 401: the session is over its lifetime, or was replaced.
    SessionExpired,
    /// 401: no token, an unknown one, one of the wrong kind, or another device's.
    InvalidToken,
    /// 401: the device's clock is too far from the server's.
    ClockSkew,
    /// 401: the permanent token belongs to another MAC address.
    MacMismatch,
    /// 401 or 410 by the switch: a registration token was used before.
    RegistrationSpent,
    /// 401: a registration token is over 24 h old.
    RegistrationExpired,
    /// 401 or 403 by the switch: the permanent token was revoked or is over its lifetime.
    Revoked,
    /// 404: no such device.
    DeviceNotFound,
    /// 404: no such path.
    NotFound,
    /// 405: the path takes other methods.
    MethodNotAllowed(Endpoint),
    /// 429: over a limit; seconds until it makes sense to try again.
    TooManyRequests(u64),
    /// 429: the address is banned; seconds that the ban still lasts.
    Banned(u64),
    /// 503: the server will not remember one more device.
    TooManyDevices,
}

impl Refusal {
    /// The status.
    pub fn status(&self, switches: &Switches) -> u16 {
        match self {
            Refusal::Malformed(_) => 400,
            Refusal::SessionExpired
            | Refusal::InvalidToken
            | Refusal::ClockSkew
            | Refusal::MacMismatch
            | Refusal::RegistrationExpired => 401,
            Refusal::RegistrationSpent => match switches.spent_registration_token {
                SpentStatus::Unauthorized => 401,
                SpentStatus::Gone => 410,
            },
            Refusal::Revoked => match switches.revoked_token {
                RevokedStatus::Unauthorized => 401,
                RevokedStatus::Forbidden => 403,
            },
            Refusal::DeviceNotFound | Refusal::NotFound => 404,
            Refusal::MethodNotAllowed(_) => 405,
            Refusal::TooManyRequests(_) | Refusal::Banned(_) => 429,
            Refusal::TooManyDevices => 503,
        }
    }

    /// The error text.
    pub fn text(&self, switches: &Switches) -> &str {
        match self {
            Refusal::Malformed(what) => what,
            Refusal::SessionExpired => "Session expired",
            Refusal::InvalidToken => "Invalid token",
            Refusal::ClockSkew => "Clock skew too large",
            Refusal::MacMismatch => "MAC mismatch",
            Refusal::RegistrationSpent if switches.spent_registration_token == SpentStatus::Gone => {
                "Registration token already used"
            }
            Refusal::RegistrationSpent | Refusal::RegistrationExpired => "Token already used or expired",
            Refusal::Revoked => "Token revoked",
            Refusal::DeviceNotFound => "Device not found",
            Refusal::NotFound => "Not found",
            Refusal::MethodNotAllowed(_) => "Method not allowed",
            Refusal::TooManyRequests(_) => "Too many requests",
            Refusal::Banned(_) => "Too many failed attempts",
            Refusal::TooManyDevices => "Too many devices",
        }
    }

    /// Whether it counts as a failed attempt towards a ban.
    pub fn is_failed_attempt(&self) -> bool {
        matches!(
            self,
            Refusal::SessionExpired
                | Refusal::InvalidToken
                | Refusal::ClockSkew
                | Refusal::MacMismatch
                | Refusal::RegistrationSpent
                | Refusal::RegistrationExpired
                | Refusal::Revoked
        )
    }

    /// The whole reply, with the headers that RFC 9110 asks for: `WWW-Authenticate` with 401 (section
    /// 15.5.2), `Allow` with 405 (15.5.6); `Retry-After` with 429 and 503.
    pub fn reply(&self, switches: &Switches) -> Reply {
        let status = self.status(switches);
        let reply = error_reply(status, self.text(switches));
        match self {
            Refusal::MethodNotAllowed(endpoint) => reply.with_header("allow", endpoint.allow()),
            Refusal::TooManyRequests(s) | Refusal::Banned(s) => {
                reply.with_header("retry-after", &s.to_string())
            }
            Refusal::TooManyDevices => reply.with_header("retry-after", "3600"),
            Refusal::SessionExpired
            | Refusal::InvalidToken
            | Refusal::ClockSkew
            | Refusal::MacMismatch
            | Refusal::RegistrationSpent
            | Refusal::RegistrationExpired
            | Refusal::Revoked
                if status == 401 =>
            {
                reply.with_header("www-authenticate", "X-Device-Token realm=\"oceanremote\"")
            }
            Refusal::SessionExpired
            | Refusal::InvalidToken
            | Refusal::ClockSkew
            | Refusal::MacMismatch
            | Refusal::RegistrationSpent
            | Refusal::RegistrationExpired
            | Refusal::Revoked
            | Refusal::Malformed(_)
            | Refusal::DeviceNotFound
            | Refusal::NotFound => reply,
        }
    }
}

/// `{"success":false,"error":"<text>"}`, the contract's form of an error.
pub fn error_reply(status: u16, text: &str) -> Reply {
    #[derive(Serialize)]
    struct Body<'a> {
        success: bool,
        error: &'a str,
    }
    Reply::json(
        status,
        &Body {
            success: false,
            error: text,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_contract_s_form() {
        let reply = error_reply(401, "Session expired");
        assert_eq!(reply.body, br#"{"success":false,"error":"Session expired"}"#);
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
    }
}
