//! `/v1/clock`, `/v1/devices` and `/v1/tls`

use hyper::StatusCode;
use oceanremote::{Cloud, CloudError};
use scenario::TimeOffset;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sim::{Instant, UnixTime};

use crate::answer::{Answer, Refusal, ok, text_answer};
use crate::ask;
use crate::shared::SharedState;
use crate::tls::{CUT_AFTER, TlsFault, TlsState, TlsSwitch};

/// What an operator can do to a device without saying more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Revoke,
    ExpireSession,
    InvalidateSession,
    RenewSession,
    Delete,
}

fn unprocessable(what: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, what)
}

pub(crate) fn clock(shared: &SharedState) -> Answer {
    ok(&shared.with_cloud(|now, cloud| shown_clock(now, cloud)))
}

fn shown_clock(now: Instant, cloud: &Cloud) -> Value {
    let offset_ns = cloud.clock().offset_ns(now);
    let true_time: UnixTime = cloud.config().epoch.offset_nanos(now.as_nanos().into());
    let offset_ns = i64::try_from(offset_ns).unwrap_or(if offset_ns < 0 { i64::MIN } else { i64::MAX });
    json!({
        "offset": TimeOffset(offset_ns).to_string(),
        "offset_ns": offset_ns,
        "server_time": cloud.clock().read(now).to_string(),
        "true_time": true_time.to_string(),
        "now_ns": now.as_nanos(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    #[serde(default, deserialize_with = "text")]
    offset: Option<String>,
    #[serde(default, deserialize_with = "text")]
    step: Option<String>,
}

/// A text that is there: `null` is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

pub(crate) fn set_clock(shared: &SharedState, text: &str) -> Result<Answer, Refusal> {
    const EXPECTED: &str = r#"{"offset": "301s"} (so far ahead of true time) or {"step": "-10s"} (moved by)"#;
    let change: ClockChange = ask::json(text, EXPECTED)?;
    let (key, written) = match (&change.offset, &change.step) {
        (Some(offset), None) => ("offset", offset),
        (None, Some(step)) => ("step", step),
        _ => {
            return Err(unprocessable("exactly one of `offset` and `step` is wanted")
                .at("body")
                .expected(EXPECTED));
        }
    };
    let by: TimeOffset = written.parse().map_err(|why: String| {
        unprocessable(why)
            .at(format!("body, `{key}`"))
            .expected("a time such as `-301s`")
    })?;
    shared.with_cloud(|now, cloud| match key {
        "offset" => cloud.set_skew(now, by.0),
        _ => cloud.step_clock(now, by.0),
    });
    Ok(clock(shared))
}

fn shown_device(now: Instant, cloud: &Cloud, id: &str) -> Option<Value> {
    let device = cloud.device(id)?;
    let commands: Vec<Value> = device
        .commands
        .iter()
        .map(|c| json!({"id": c.id, "relay": c.relay, "on": c.on}))
        .collect();
    let mac = device
        .mac
        .map(|mac| mac.map(|octet| format!("{octet:02x}")).join(":"));
    Some(json!({
        "id": id,
        "status": cloud.status(id, now),
        "claimed": device.claimed,
        "mac": mac,
        "registration_token": device.registration_token,
        "permanent_token": device.permanent_token,
        "session": device.session,
        "session_expires": device.session_expires.map(|time| time.to_string()),
        "last_seen_ns": device.last_seen.map(Instant::as_nanos),
        "temperature": device.telemetry.temperature,
        "humidity": device.telemetry.humidity,
        "rssi_dbm": device.telemetry.rssi,
        "relays": device.telemetry.relays,
        "ip": device.telemetry.ip,
        "commands": commands,
    }))
}

pub(crate) fn devices(shared: &SharedState) -> Answer {
    let devices: Vec<Value> = shared.with_cloud(|now, cloud| {
        cloud
            .device_ids()
            .filter_map(|id| shown_device(now, cloud, id))
            .collect()
    });
    ok(&json!({ "devices": devices }))
}

pub(crate) fn device(shared: &SharedState, id: &str) -> Result<Answer, Refusal> {
    let shown = shared.with_cloud(|now, cloud| shown_device(now, cloud, id));
    shown
        .map(|device| ok(&device))
        .ok_or_else(|| refused(shared, &CloudError::UnknownDevice(id.to_owned())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Relay {
    relay: u8,
    on: bool,
}

pub(crate) fn command_relay(shared: &SharedState, id: &str, text: &str) -> Result<Answer, Refusal> {
    let command: Relay = ask::json(text, r#"{"relay": 1, "on": true}"#)?;
    let queued = shared.with_cloud(|now, cloud| cloud.command_relay(now, id, command.relay, command.on));
    let number = queued.map_err(|why| refused(shared, &why))?;
    Ok(ok(
        &json!({"command": number, "relay": command.relay, "on": command.on}),
    ))
}

pub(crate) fn operate(
    shared: &SharedState,
    id: &str,
    operation: Operation,
    text: &str,
) -> Result<Answer, Refusal> {
    if !matches!(text.trim(), "" | "{}") {
        return Err(unprocessable("there is nothing to say here")
            .at("body")
            .expected("an empty body"));
    }
    let done = shared.with_cloud(|now, cloud| match operation {
        Operation::Revoke => cloud.revoke_permanent(now, id),
        Operation::ExpireSession => cloud.expire_session(now, id),
        Operation::InvalidateSession => cloud.invalidate_session(now, id),
        Operation::RenewSession => cloud.renew_by_dashboard(now, id),
        Operation::Delete => cloud.delete_device(now, id),
    });
    done.map_err(|why| refused(shared, &why))?;
    if operation == Operation::Delete {
        return Ok(ok(&json!({ "deleted": id })));
    }
    device(shared, id)
}

/// What the cloud would not do.
fn refused(shared: &SharedState, why: &CloudError) -> Refusal {
    let status = match why {
        CloudError::UnknownDevice(_) => StatusCode::NOT_FOUND,
        CloudError::NoSession(_) | CloudError::NoPermanentToken(_) | CloudError::TooManyCommands(_) => {
            StatusCode::CONFLICT
        }
        CloudError::DuplicateDevice(_)
        | CloudError::InvalidDeviceId(_)
        | CloudError::DuplicateToken(_)
        | CloudError::InvalidToken(_)
        | CloudError::InvalidRelay(_)
        | CloudError::InvalidDrift(_)
        | CloudError::UnknownEndpoint(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let refusal = Refusal::new(status, why.to_string());
    match why {
        CloudError::UnknownDevice(_) => {
            let known = shared.with_cloud(|_, cloud| cloud.device_ids().collect::<Vec<_>>().join(", "));
            refusal.at("path").expected(if known.is_empty() {
                "there is none".into()
            } else {
                format!("one of {known}")
            })
        }
        CloudError::InvalidRelay(_) => refusal.at("body, `relay`").expected("a number from 1 to 16"),
        CloudError::NoSession(_) => refusal.expected("a device that has registered or renewed"),
        CloudError::NoPermanentToken(_) => refusal.expected("a device that has registered"),
        CloudError::DuplicateDevice(_)
        | CloudError::InvalidDeviceId(_)
        | CloudError::DuplicateToken(_)
        | CloudError::InvalidToken(_)
        | CloudError::TooManyCommands(_)
        | CloudError::InvalidDrift(_)
        | CloudError::UnknownEndpoint(_) => refusal,
    }
}

fn switch(shared: &SharedState) -> Result<&TlsSwitch, Refusal> {
    shared.tls.as_deref().ok_or_else(|| {
        Refusal::new(StatusCode::CONFLICT, "the cloud is served without TLS")
            .expected("a server started with --tls")
    })
}

fn shown_tls(state: TlsState) -> Value {
    let mut shown = json!({"fault": state.fault, "times": state.times});
    if state.fault == TlsFault::HandshakeCutOff {
        shown["after-byte"] = state.after_byte.into();
    }
    shown
}

pub(crate) fn tls(shared: &SharedState) -> Result<Answer, Refusal> {
    Ok(ok(&shown_tls(switch(shared)?.state())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TlsChange {
    fault: TlsFault,
    times: Option<u32>,
    after_byte: Option<usize>,
}

pub(crate) fn set_tls(shared: &SharedState, text: &str) -> Result<Answer, Refusal> {
    const EXPECTED: &str =
        r#"{"fault": "expired"}, with "times" from 1 for so many handshakes only; {"fault": "none"} heals"#;
    let switch = switch(shared)?;
    let change: TlsChange = ask::json(text, EXPECTED)?;
    if change.times == Some(0) {
        return Err(unprocessable("a fault cannot happen 0 times")
            .at("body, `times`")
            .expected("a number from 1"));
    }
    if change.after_byte.is_some() && change.fault != TlsFault::HandshakeCutOff {
        return Err(unprocessable("`after-byte` means nothing here")
            .at("body, `after-byte`")
            .expected(EXPECTED));
    }
    let after_byte = change.after_byte.unwrap_or(CUT_AFTER);
    switch.set(TlsState {
        fault: change.fault,
        times: change.times,
        after_byte,
    });
    shared.note(format!("TLS from now on: {}", change.fault.name()));
    tls(shared)
}

pub(crate) fn authority(shared: &SharedState) -> Result<Answer, Refusal> {
    Ok(text_answer(
        StatusCode::OK,
        "application/x-pem-file",
        switch(shared)?.ca_pem.clone(),
    ))
}
