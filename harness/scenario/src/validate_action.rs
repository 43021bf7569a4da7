//! What an action must fulfil beyond its form.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use vocabulary::ResetCause;

use crate::action::{
    Action, CorruptFlash, DeviceAction, DhcpFault, DnsFault, LinkFault, Message, NetworkAction, NtpFault,
    Only, RadioAction, RequestAction, Respond,
};
use crate::bench::Bench;
use crate::located::{Located, Span};
use crate::provisioning;
use crate::quantity::TimeSpan;
use crate::read::Cx;
use crate::validate::{positive, range};

/// The longest delay that the network knows.
const MINUTE: TimeSpan = TimeSpan::from_secs(60);
/// Resets that come from outside or that the chip can be told to take for its own.
const NO_RESET: [ResetCause; 2] = [ResetCause::DeepSleep, ResetCause::Usb];

pub(crate) fn action(action: &Action, span: Span, context: &mut Cx<'_>) {
    match action {
        Action::Radio(action) => radio(action, context),
        Action::Network(action) => network(action, span, context),
        // The parameters of an operation are checked by their table.
        Action::Tls(_) | Action::Service(_) => {}
        Action::Request(action) => request(action, span, context),
        Action::Device(action) => device(action, span, context),
    }
}

fn radio(action: &RadioAction, context: &mut Cx<'_>) {
    match action {
        RadioAction::Rssi(dbm) => range(*dbm, -127, 0, "signal strength", context),
        RadioAction::Channel(channel) => range(*channel, 1, 14, "channel", context),
        RadioAction::WrongPassword(text) => password(text, context),
        RadioAction::Deauthenticate(frame) => {
            if frame.reason.value == 0 {
                let help = "8 is what an access point sends that leaves";
                context.problem(frame.reason.span, "reason 0 is reserved", "this reason", help);
            }
        }
        RadioAction::AccessPointGone | RadioAction::Hidden => {}
    }
}

fn network(action: &NetworkAction, span: Span, context: &mut Cx<'_>) {
    match action {
        NetworkAction::Link(fault) => link(fault, span, context),
        NetworkAction::Dhcp(DhcpFault::Lease(time)) => {
            positive(*time, "a DHCP lease", context);
            if !time.nanos().is_multiple_of(1_000_000_000) {
                context.problem(time.span, "a DHCP lease has whole seconds", "this time", "");
            }
        }
        NetworkAction::Dns(DnsFault::Slow(time)) => at_most_a_minute(*time, context),
        NetworkAction::Dns(DnsFault::Address(ip)) => {
            if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() {
                context.problem(
                    ip.span,
                    format!("no host can have the address {}", ip.value),
                    "this address",
                    "",
                );
            }
        }
        NetworkAction::Refuse(which) | NetworkAction::Blackhole(which) => {
            only(which, context);
        }
        NetworkAction::Ntp(NtpFault::KissOfDeath(code)) => {
            if code.len() != 4 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
                let message = format!("`{}` is no kiss code", code.value);
                context.problem(
                    code.span,
                    message,
                    "this code",
                    "four letters such as `RATE`, `DENY` or `RSTR`",
                );
            }
        }
        NetworkAction::Dhcp(DhcpFault::Silent | DhcpFault::Nak | DhcpFault::AddressConflict)
        | NetworkAction::Dns(DnsFault::Silent | DnsFault::Nxdomain | DnsFault::Servfail)
        | NetworkAction::Ntp(
            NtpFault::Silent
            | NtpFault::Offset(_)
            | NtpFault::Stratum16
            | NtpFault::Zero
            | NtpFault::WrongOriginate
            | NtpFault::Leap(_),
        )
        | NetworkAction::CaptivePortal
        | NetworkAction::NtpClock(_) => {}
    }
}

fn request(action: &RequestAction, span: Span, context: &mut Cx<'_>) {
    match action {
        RequestAction::ResetConnection(reset) => {
            if reset.after_byte.is_none() && reset.of.value == Message::Request {
                let help = "add `after-byte: 40`, or leave `of` out";
                let message = "after how many bytes of the request is missing";
                context.problem(reset.of.span, message, "this direction", help);
            }
        }
        RequestAction::Dribble(d) => pace(d.bytes, d.every, context),
        RequestAction::SlowBody(d) => pace(d.bytes, d.every, context),
        RequestAction::Respond(reply) => respond(reply, span, context),
        RequestAction::Delay(time) => positive(*time, "a delay", context),
        RequestAction::WrongContentLength(by) => {
            if by.value == 0 {
                context.problem(
                    by.span,
                    "a length that is off by 0 is right",
                    "this number",
                    "write `10` or `-10`",
                );
            }
        }
        RequestAction::MissingField(name) => {
            if name.is_empty() {
                context.problem(name.span, "the name is empty", "this name", "");
            }
        }
        RequestAction::RawReply(bytes) => {
            if bytes.0.is_empty() {
                context.problem(
                    bytes.span,
                    "no bytes are no reply",
                    "these bytes",
                    "write `lose-reply`",
                );
            }
        }
        RequestAction::Chunked(chunked) => headers(&chunked.trailer, span, context),
        RequestAction::Interim(interim) => {
            let status = interim.status;
            if !(100..=199).contains(&status.value) || status.value == 101 {
                let message = format!("{} is no interim HTTP status", status.value);
                context.problem(
                    status.span.or(span),
                    message,
                    "this status",
                    "100 to 199; 101 would leave HTTP",
                );
            }
            headers(&interim.headers, span, context);
        }
        RequestAction::Blackhole
        | RequestAction::CloseConnection
        | RequestAction::HalfOpen
        | RequestAction::Truncate(_)
        | RequestAction::MalformedJson
        | RequestAction::Html
        | RequestAction::Gzip
        | RequestAction::RedirectToHttps
        | RequestAction::DuplicateReply
        | RequestAction::LoseReply(_) => {}
    }
}

fn device(action: &DeviceAction, span: Span, context: &mut Cx<'_>) {
    match action {
        DeviceAction::Reset(reset) => {
            if NO_RESET.contains(&reset.cause) {
                let help = "`pin`, `power-on`, `brown-out`, `software` and the watchdogs can be";
                context.problem(
                    span,
                    "this cause of a reset cannot come from outside",
                    "this action",
                    help,
                );
            }
        }
        DeviceAction::DrivePin(pin) => context.gpio(pin.gpio),
        DeviceAction::CorruptFlash(flash) => corrupt_flash(flash, context),
        DeviceAction::PowerCut(_) => {}
    }
}

fn password(text: &Located<String>, context: &mut Cx<'_>) {
    let network = context.bench.as_ref().map(|b| &b.network.password.value);
    let is_open = network.is_some_and(String::is_empty);
    let is_right = network.is_some_and(|right| *right == text.value);
    if let Err(why) = provisioning::password(text) {
        context.problem(text.span, why, "this password", "");
    } else if is_open {
        context.problem(
            text.span,
            "the bench's network is open: it has no password",
            "this password",
            "",
        );
    } else if is_right {
        context.problem(text.span, "this is the right password", "this password", "");
    }
}

fn at_most_a_minute(time: Located<TimeSpan>, context: &mut Cx<'_>) {
    if time.value > MINUTE {
        context.problem(
            time.span,
            format!("{} is over a minute", time.value),
            "this time",
            "",
        );
    }
}

fn link(fault: &LinkFault, span: Span, context: &mut Cx<'_>) {
    if !fault.does_something() {
        let help = "add one of `loss`, `latency`, `jitter`, `duplicate`, `corrupt`, `reorder`, `bandwidth`";
        context.problem(span, "the link is as good as before", "this action", help);
    }
    for time in [fault.latency, fault.jitter, fault.reorder_by]
        .into_iter()
        .flatten()
    {
        at_most_a_minute(time, context);
    }
    for share in [fault.loss, fault.duplicate, fault.corrupt, fault.reorder]
        .into_iter()
        .flatten()
    {
        if share.ppm == 0 || share.ppm > 1_000_000 {
            context.problem(
                share.span,
                format!("{} of the frames cannot be", share.value),
                "this share",
                "",
            );
        }
    }
    if let Some(by) = fault.reorder_by.filter(|_| fault.reorder.is_none()) {
        context.problem(by.span, "nothing is reordered", "this time", "add `reorder: 10%`");
    }
    if let Some(band) = fault.bandwidth.filter(|band| band.0 == 0) {
        context.problem(
            band.span,
            "a link without bandwidth is no link",
            "this bandwidth",
            "write `loss: 100%`",
        );
    }
    if let Some(which) = &fault.only {
        only(which, context);
    }
}

fn only(which: &Only, context: &mut Cx<'_>) {
    if let Some(port) = which.port {
        range(port, 1, 65535, "port", context);
    }
    let Some(host) = &which.host else { return };
    let Some(known) = context.bench.as_ref().map(Bench::host_names) else {
        return;
    };
    if host.parse::<Ipv4Addr>().is_err() && !known.contains(&host.to_ascii_lowercase()) {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = format!("an IPv4 address, or one of {}", crate::names::list(&names));
        let message = format!("no host of the bench is called `{}`", host.value);
        context.problem(host.span, message, "this host", help);
    }
}

fn pace(bytes: Located<u32>, every: Located<TimeSpan>, context: &mut Cx<'_>) {
    if bytes.value == 0 {
        context.problem(
            bytes.span,
            "0 bytes at a time never come to an end",
            "this number",
            "",
        );
    }
    positive(every, "a pause", context);
}

/// Names and values of headers.
fn headers(headers: &BTreeMap<String, String>, span: Span, context: &mut Cx<'_>) {
    if headers.values().any(|value| value.contains(['\r', '\n', '\0'])) {
        context.problem(
            span,
            "a header stands on one line",
            "this reply",
            "use `raw-reply`",
        );
    }
    for name in headers.keys() {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            context.problem(span, format!("`{name}` is no name of a header"), "this reply", "");
        } else if ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
            let help = "use `wrong-content-length` or `raw-reply`";
            context.problem(span, format!("`{name}` is set by the server"), "this reply", help);
        }
    }
}

fn respond(reply: &Respond, span: Span, context: &mut Cx<'_>) {
    let status = reply.status;
    if !(200..=599).contains(&status.value) {
        let message = format!("{} is no final HTTP status", status.value);
        context.problem(status.span.or(span), message, "this status", "200 to 599");
    }
    let retry_after = match &reply.retry_after {
        Some(crate::action::RetryAfter::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let content_type = reply.content_type.as_ref().map(|t| t.value.as_str());
    for text in retry_after.into_iter().chain(content_type) {
        if text.contains(['\r', '\n', '\0']) {
            context.problem(
                span,
                "a header stands on one line",
                "this reply",
                "use `raw-reply`",
            );
        }
    }
    headers(&reply.headers, span, context);
    if let Some(body) = reply.body.as_ref().filter(|_| reply.error.is_some()) {
        context.problem(
            body.span,
            "both `error` and `body` are given",
            "here",
            "keep one of them",
        );
    }
}

/// Partitions of the firmware under test are not known here; the bench refuses one that is not there.
fn corrupt_flash(flash: &CorruptFlash, context: &mut Cx<'_>) {
    if flash.new_bytes().is_none() {
        let message = format!("`{}` is not a sequence of bytes", flash.bytes.value);
        context.problem(
            flash.bytes.span,
            message,
            "these bytes",
            "two hexadecimal digits each, such as `00ff`",
        );
    }
    if flash.partition.is_empty() {
        context.problem(flash.partition.span, "the name is empty", "this partition", "");
    }
}
