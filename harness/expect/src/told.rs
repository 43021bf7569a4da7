//! Fields of what services tell, by the names of their tables.

use vocabulary::{DeviceStatus, Kind, SessionChange};

/// The field of a fact as text; `None` if the event is another fact, or has no such field.
pub(crate) fn field(kind: &Kind, fact: &str, field: &str) -> Option<String> {
    match kind {
        Kind::Fact(told) if told.name == fact => told.fields.get(field).map(ToString::to_string),
        Kind::Session { device, change } if fact == "session" => match field {
            "change" => Some(session(change).to_owned()),
            "device" => Some(device.clone()),
            _ => None,
        },
        Kind::Status { device, status } if fact == "status" => match field {
            "status" => Some(dashboard(*status).to_owned()),
            "device" => Some(device.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an event is a fact of this kind.
pub(crate) fn is(kind: &Kind, fact: &str) -> bool {
    match kind {
        Kind::Fact(told) => told.name == fact,
        Kind::Session { .. } => fact == "session",
        Kind::Status { .. } => fact == "status",
        _ => false,
    }
}

const fn session(change: &SessionChange) -> &'static str {
    match change {
        SessionChange::Issued { .. } => "issued",
        SessionChange::Renewed { .. } => "renewed",
        SessionChange::Recovered { .. } => "recovered",
        SessionChange::Expired { .. } => "expired",
        SessionChange::Invalidated { .. } => "invalidated",
    }
}

const fn dashboard(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Online => "online",
        DeviceStatus::Away => "away",
        DeviceStatus::Offline => "offline",
    }
}
