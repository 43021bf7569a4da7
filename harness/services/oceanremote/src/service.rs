//! The cloud as a service: its endpoints, operations and facts by name.

use std::net::IpAddr;
use std::time::Duration;

use http_service::{
    Class, ConnId, ConnectionLimits, Operated, Operation, OperationError, Outcome, Reply, Request, Service,
};
use sim::{Instant, UnixTime};
use vocabulary::Fact;
use vocabulary::spec::{Arg, Args, ServiceSpec};

use crate::config::{Limits, RateLimit};
use crate::{BAN, Cloud, CloudError, Endpoint, SPEC, error_reply};

/// A MAC address that is no device's.
const ANOTHER_MAC: sim::air::Mac = [0x02, 0xff, 0xff, 0xff, 0xff, 0x01];

impl Service for Cloud {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn classify(&self, path: &str) -> Class {
        let (endpoint, device) = Endpoint::of_path(path);
        Class {
            endpoint: endpoint as usize,
            subject: device.map(str::to_owned),
        }
    }

    fn opened(&mut self, now: Instant, conn: ConnId, peer: IpAddr) {
        self.open_connection(now, conn, peer);
    }

    fn closed(&mut self, _: Instant, conn: ConnId) {
        self.close_connection(conn);
    }

    fn serve(&mut self, now: Instant, request: &Request) -> Outcome {
        let done = self.answer(now, request);
        Outcome {
            effect: done.effect.told(&done.reply),
            reply: done.reply,
            subject: done.device,
        }
    }

    fn error_reply(&self, status: u16, text: &str) -> Reply {
        error_reply(status, text)
    }

    fn operate(&mut self, now: Instant, operation: &Operation<'_>) -> Result<Operated, OperationError> {
        let (device, args) = (operation.subject, operation.args);
        let done = match operation.name {
            "command-relay" => {
                let relay = integer("command-relay", args, "relay")?;
                let on = args.bool("on").ok_or(OperationError::Parameter {
                    operation: "command-relay",
                    parameter: "on",
                })?;
                // Out of range is refused by the cloud.
                let relay = u8::try_from(relay).unwrap_or(u8::MAX);
                self.command_relay(now, device, relay, on).map(|_| ())
            }
            "revoke-permanent-token" => self.revoke_permanent(now, device),
            "expire-session" => self.expire_session(now, device),
            "invalidate-session" => self.invalidate_session(now, device),
            "renew-session" => self.renew_by_dashboard(now, device),
            "delete-device" => self.delete_device(now, device),
            "spend-registration-token" => self.spend_registration(now, device),
            "regenerate-registration-token" => self.regenerate_registration_token(now, device).map(|_| ()),
            "mac-mismatch" => self.bind_to_mac(device, ANOTHER_MAC),
            "ban" => {
                let lasts = operation.lasts.unwrap_or(BAN);
                self.ban_peers(now, operation.is_on().then_some(lasts));
                Ok(())
            }
            "limits" => {
                let configured = self.config.limits;
                let wanted = if operation.is_on() {
                    tightened(configured, args)
                } else {
                    configured
                };
                self.set_limits(wanted);
                if operation.is_on() && wanted == configured {
                    return Ok(Operated::Nothing("these are the limits of the bench".to_owned()));
                }
                Ok(())
            }
            "idle-timeout" => {
                self.idle_timeout = if operation.is_on() {
                    duration("idle-timeout", args)?
                } else {
                    self.config.connections.idle_timeout
                };
                Ok(())
            }
            "renewal-grace" => {
                self.renewal_grace = if operation.is_on() {
                    duration("renewal-grace", args)?
                } else {
                    self.config.renewal_grace
                };
                Ok(())
            }
            "server-clock" => {
                let before = (self.clock.offset_ns(now), self.clock.drift_ppm());
                let done = self.set_server_clock(now, args, operation.is_on());
                let after = (self.clock.offset_ns(now), self.clock.drift_ppm());
                if done.is_ok() && operation.is_on() && before == after {
                    return Ok(Operated::Nothing("the server's clock is so already".to_owned()));
                }
                done
            }
            unknown => return Err(OperationError::Unknown(unknown.to_owned())),
        };
        done.map(|()| Operated::Changed)
            .map_err(|why| OperationError::Refused(why.to_string()))
    }

    fn advance(&mut self, now: Instant) {
        Cloud::advance(self, now);
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        Cloud::next_due(self, now)
    }

    fn take_facts(&mut self) -> Vec<(Instant, Fact)> {
        let entries = self.take_journal().into_iter();
        entries
            .filter_map(|entry| Some((entry.at, entry.fact.told()?)))
            .collect()
    }

    fn host(&self) -> &str {
        &self.config.host
    }

    fn clock(&self, now: Instant) -> UnixTime {
        Cloud::clock(self).read(now)
    }

    fn limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            idle_timeout: self.idle_timeout,
            ..self.config.connections
        }
    }
}

fn integer(operation: &'static str, args: &Args, parameter: &'static str) -> Result<i64, OperationError> {
    args.integer(parameter)
        .ok_or(OperationError::Parameter { operation, parameter })
}

/// The one value of an operation.
fn duration(operation: &'static str, args: &Args) -> Result<Duration, OperationError> {
    args.duration("").ok_or(OperationError::Parameter {
        operation,
        parameter: "",
    })
}

/// The configured limits with those in place of them that a fault names.
fn tightened(configured: Limits, args: &Args) -> Limits {
    let count = |key| {
        args.integer(key)
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    };
    let rate = |key, window_s, configured| {
        count(key)
            .map(|count| RateLimit { count, window_s })
            .or(configured)
    };
    Limits {
        api: rate("requests", 1, configured.api),
        registration: rate("registrations", 60, configured.registration),
        connections: count("connections").or(configured.connections),
        ban_after_failures: count("ban-after").or(configured.ban_after_failures),
        ..configured
    }
}

impl Cloud {
    /// Bans every address that has spoken to the cloud for this long; `None` lifts the bans.
    fn ban_peers(&mut self, now: Instant, lasts: Option<Duration>) {
        let peers = self.peers();
        // A device that the cloud has not heard of yet is banned when it comes.
        self.ban_unseen(now, lasts.filter(|_| peers.is_empty()));
        for peer in peers {
            match lasts {
                Some(lasts) => self.ban(now, peer, lasts),
                None => self.unban(now, peer),
            }
        }
    }

    /// Makes the server's clock go wrong in one of three ways, or right again.
    fn set_server_clock(&mut self, now: Instant, args: &Args, on: bool) -> Result<(), CloudError> {
        let configured_ppm = self.config.clock_drift_ppm;
        let gained = i128::from(now.as_nanos()) * i128::from(configured_ppm) / 1_000_000;
        let right = i128::from(self.config.clock_offset_ns) + gained;
        let right = i64::try_from(right).unwrap_or(i64::MAX);
        if let Some(offset_ns) = args.offset_ns("offset") {
            self.set_skew(now, if on { offset_ns } else { right });
        }
        if let Some(by_ns) = args.offset_ns("step").filter(|_| on) {
            self.step_clock(now, by_ns);
        }
        match args.0.get("drift-ppm") {
            Some(Arg::Integer(ppm)) if on => self.set_drift(now, i32::try_from(*ppm).unwrap_or(i32::MAX))?,
            Some(_) => {
                self.set_drift(now, configured_ppm)?;
                self.set_skew(now, right);
            }
            None => {}
        }
        Ok(())
    }
}
