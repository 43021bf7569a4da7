//! Fields of what services tell, by the names of their tables.

use vocabulary::{DeviceStatus, Kind, SessionChange};

/// The field of a fact as text; `None` if the event is another fact, or has no such field.
pub(crate) fn field(kind: &Kind, fact: &str, field: &str) -> Option<String> {
    if !is(kind, fact) {
        return None;
    }
    if let Kind::Fact(told) = kind {
        told.fields.get(field).map(ToString::to_string)
    } else if let Kind::Session { device, change } = kind {
        match field {
            "change" => Some(session(change).to_owned()),
            "device" => Some(device.clone()),
            _ => None,
        }
    } else if let Kind::Status { device, status } = kind {
        match field {
            "status" => Some(dashboard(*status).to_owned()),
            "device" => Some(device.clone()),
            _ => None,
        }
    } else {
        None
    }
}

/// Whether an event is a fact of this kind.
pub(crate) fn is(kind: &Kind, fact: &str) -> bool {
    if let Kind::Fact(told) = kind {
        return told.name == fact;
    }
    matches!(kind, Kind::Session { .. }) && fact == "session"
        || matches!(kind, Kind::Status { .. }) && fact == "status"
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
