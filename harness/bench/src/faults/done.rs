//! What the fault plan wants of the bench, and the part of it that the cloud does.

use std::net::IpAddr;
use std::time::Duration;

use oceanremote::{Cloud, CloudError, Limits, RateLimit};
use scenario::action::{LimitsFault, ServerClockFault};
use scenario::{Action, ServiceAction};
use sim::Instant;

/// How long a ban holds that ends with its fault: longer than any run.
const BAN: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// A MAC address that is no device's.
const ANOTHER_MAC: sim::air::Mac = [0x02, 0xff, 0xff, 0xff, 0xff, 0x01];

/// Which way an action goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It begins.
    Begin,
    /// It is in force, and another fault that set the same has ended.
    Again,
    /// It ends.
    End,
}

/// What the bench is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Do {
    /// For which fault of the plan.
    pub(crate) fault: usize,
    /// Its action.
    pub(crate) action: Action,
    /// Which way.
    pub(crate) turn: Turn,
}

impl Do {
    /// Whether the action is to be in force afterwards.
    pub(crate) fn on(&self) -> bool {
        self.turn != Turn::End
    }

    /// The value to set: `value` while it is in force, `None` for what the bench was configured with.
    pub(crate) fn value<T>(&self, value: T) -> Option<T> {
        self.on().then_some(value)
    }

    /// Does it to the cloud; the error says why the cloud would not.
    pub(crate) fn at_the_cloud(
        &self,
        action: &ServiceAction,
        now: Instant,
        cloud: &mut Cloud,
        device: &str,
    ) -> Result<(), String> {
        self.try_at_the_cloud(action, now, cloud, device)
            .map_err(|why| format!("`{}` failed for {device}: {why}", action.name()))
    }

    fn try_at_the_cloud(
        &self,
        action: &ServiceAction,
        now: Instant,
        cloud: &mut Cloud,
        device: &str,
    ) -> Result<(), String> {
        let done: Result<(), CloudError> = match action {
            ServiceAction::CommandRelay(c) => {
                cloud.command_relay(now, device, c.relay.value, c.on).map(|_| ())
            }
            ServiceAction::RevokePermanentToken => cloud.revoke_permanent(now, device),
            ServiceAction::ExpireSession => cloud.expire_session(now, device),
            ServiceAction::InvalidateSession => cloud.invalidate_session(now, device),
            ServiceAction::RenewSession => cloud.renew_by_dashboard(now, device),
            ServiceAction::DeleteDevice => cloud.delete_device(now, device),
            ServiceAction::SpendRegistrationToken => cloud.spend_registration(device),
            ServiceAction::RegenerateRegistrationToken => {
                cloud.regenerate_registration_token(now, device).map(|_| ())
            }
            ServiceAction::MacMismatch => cloud.bind_to_mac(device, ANOTHER_MAC),
            ServiceAction::Ban => {
                self.ban(now, cloud);
                Ok(())
            }
            ServiceAction::Limits(limits) => {
                let configured = cloud.config().limits;
                cloud.set_limits(
                    self.value(limits)
                        .map_or(configured, |l| tightened(configured, l)),
                );
                Ok(())
            }
            ServiceAction::ServerClock(fault) => self.server_clock(now, cloud, fault),
        };
        done.map_err(|why| why.to_string())
    }

    fn ban(&self, now: Instant, cloud: &mut Cloud) {
        let peers: Vec<IpAddr> = cloud.peers();
        // A device that the cloud has not heard of yet is banned when it comes.
        let of_strangers = (self.on() && peers.is_empty()).then_some(BAN);
        cloud.ban_strangers(now, of_strangers);
        for peer in peers {
            if self.on() {
                cloud.ban(now, peer, BAN);
            } else {
                cloud.unban(now, peer);
            }
        }
    }

    fn server_clock(
        &self,
        now: Instant,
        cloud: &mut Cloud,
        fault: &ServerClockFault,
    ) -> Result<(), CloudError> {
        let config = cloud.config();
        let configured_ppm = config.clock_drift_ppm;
        let gained = i128::from(now.as_nanos()) * i128::from(configured_ppm) / 1_000_000;
        let right = i128::from(config.clock_offset_ns) + gained;
        let right = i64::try_from(right).unwrap_or(i64::MAX);
        match fault {
            ServerClockFault::Offset(offset) => cloud.set_skew(now, self.value(offset.0).unwrap_or(right)),
            ServerClockFault::Step(by) => cloud.step_clock(now, by.0),
            ServerClockFault::DriftPpm(ppm) if self.on() => cloud.set_drift(now, ppm.value)?,
            ServerClockFault::DriftPpm(_) => {
                cloud.set_drift(now, configured_ppm)?;
                cloud.set_skew(now, right);
            }
        }
        Ok(())
    }
}

/// The configured limits with those in place of them that a fault names.
fn tightened(configured: Limits, fault: &LimitsFault) -> Limits {
    let rate = |count: Option<u32>, window_s, configured| {
        count.map(|count| RateLimit { count, window_s }).or(configured)
    };
    Limits {
        api: rate(fault.requests, 1, configured.api),
        registration: rate(fault.registrations, 60, configured.registration),
        connections: fault.connections.or(configured.connections),
        ban_after_failures: fault.ban_after.or(configured.ban_after_failures),
        ..configured
    }
}
