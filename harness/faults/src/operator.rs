//! Actions of a service and its operator, carried out.

use std::net::IpAddr;
use std::time::Duration;

use oceanremote::{Cloud, CloudError, Limits, RateLimit};
use scenario::ServiceAction;
use scenario::action::{LimitsFault, ServerClockFault};
use sim::Instant;

use crate::{Done, Order};

/// How long a ban holds that ends with its fault: longer than any run.
const BAN: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// A MAC address that is no device's.
const ANOTHER_MAC: sim::air::Mac = [0x02, 0xff, 0xff, 0xff, 0xff, 0x01];

/// Carries out an order for an action of the service or its operator.
pub fn operate(order: &Order, action: &ServiceAction, now: Instant, cloud: &mut Cloud, device: &str) -> Done {
    match order.operate(action, now, cloud, device) {
        Ok(done) => done,
        Err(why) => Done::Refused(format!("`{}` failed for {device}: {why}", action.name())),
    }
}

impl Order {
    fn operate(
        &self,
        action: &ServiceAction,
        now: Instant,
        cloud: &mut Cloud,
        device: &str,
    ) -> Result<Done, CloudError> {
        match action {
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
                let wanted = self
                    .value(limits)
                    .map_or(configured, |limits| tightened(configured, limits));
                cloud.set_limits(wanted);
                return Ok(Done::changed(!self.on() || wanted != configured, || {
                    "these are the limits of the bench".to_owned()
                }));
            }
            ServiceAction::ServerClock(fault) => return self.server_clock(now, cloud, fault),
        }?;
        Ok(Done::Changed)
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
    ) -> Result<Done, CloudError> {
        let config = cloud.config();
        let configured_ppm = config.clock_drift_ppm;
        let gained = i128::from(now.as_nanos()) * i128::from(configured_ppm) / 1_000_000;
        let right = i128::from(config.clock_offset_ns) + gained;
        let right = i64::try_from(right).unwrap_or(i64::MAX);
        let before = cloud.clock().offset_ns(now);
        match fault {
            ServerClockFault::Offset(offset) => cloud.set_skew(now, self.value(offset.0).unwrap_or(right)),
            ServerClockFault::Step(by) => cloud.step_clock(now, by.0),
            ServerClockFault::DriftPpm(ppm) if self.on() => cloud.set_drift(now, ppm.value)?,
            ServerClockFault::DriftPpm(_) => {
                cloud.set_drift(now, configured_ppm)?;
                cloud.set_skew(now, right);
            }
        }
        let changed = match fault {
            ServerClockFault::Offset(_) | ServerClockFault::Step(_) => cloud.clock().offset_ns(now) != before,
            ServerClockFault::DriftPpm(ppm) => ppm.value != configured_ppm,
        };
        Ok(Done::changed(changed || !self.on(), || {
            "the server's clock is so already".to_owned()
        }))
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
