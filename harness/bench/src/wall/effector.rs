//! Actions on a bench in wall time.

use dut::AccessPoint;
use faults::{Done, Effector, Order, operate};
use scenario::{Action, DeviceAction, NetworkAction, RadioAction};
use sim::Instant;
use vocabulary::Kind;

use super::Running;
use crate::run::RunError;
use crate::terms::{self, Sntp};

impl Effector for Running {
    type Failure = RunError;

    fn able(&self, action: &Action) -> Result<(), String> {
        self.abilities.able(action, (&self.cloud_at.0, self.cloud_at.1))
    }

    fn act(&mut self, now: Instant, order: &Order) -> Result<Done, RunError> {
        match &order.action {
            Action::Service(action) => {
                let service = &mut self.origin.borrow_mut().service;
                Ok(operate(order, action, now, service.as_mut(), &self.device))
            }
            Action::Radio(action) => self.act_on_radio(order, action),
            Action::Network(action) => Ok(self.act_on_network(order, action)),
            Action::Device(action) => self.act_on_device(order, action),
            Action::Tls(_) | Action::Request(_) => Ok(not_here(order.action.name())),
        }
    }
}

impl Running {
    fn act_on_radio(&mut self, order: &Order, action: &RadioAction) -> Result<Done, RunError> {
        match action {
            RadioAction::AccessPointGone => {
                let on = order.on();
                self.access_point()?.set_on(!on).map_err(RunError::Site)?;
                self.access_point_is_off = on;
            }
            RadioAction::Deauthenticate(d) => {
                let mac = self.mac;
                let reason = d.reason.value;
                self.access_point()?
                    .deauthenticate(mac, reason)
                    .map_err(RunError::Site)?;
            }
            RadioAction::WrongPassword(_)
            | RadioAction::Rssi(_)
            | RadioAction::Hidden
            | RadioAction::Channel(_) => return Ok(not_here(action.name())),
        }
        Ok(Done::Changed)
    }

    fn act_on_network(&mut self, order: &Order, action: &NetworkAction) -> Done {
        match action {
            NetworkAction::Refuse(_) => self.connections.refuse(order),
            NetworkAction::Blackhole(_) => self.connections.swallow(order),
            NetworkAction::Dns(fault) => self
                .settings
                .dns
                .set(order.value(terms::dns(fault)).unwrap_or_default()),
            NetworkAction::NtpClock(error) => self.sntp_clock(order.value(error.offset.0)),
            NetworkAction::Ntp(fault) => match terms::sntp(fault) {
                Sntp::Clock(offset_ns) => self.sntp_clock(order.value(offset_ns)),
                Sntp::Mode(mode) => self.settings.sntp.set(order.value(mode).unwrap_or_default()),
            },
            NetworkAction::Link(_) | NetworkAction::Dhcp(_) | NetworkAction::CaptivePortal => {
                return not_here(action.name());
            }
        }
        Done::Changed
    }

    fn act_on_device(&mut self, order: &Order, action: &DeviceAction) -> Result<Done, RunError> {
        let on = order.on();
        match action {
            DeviceAction::PowerCut(_) => {
                if on && self.power_is_off {
                    return Ok(Done::Nothing("the device has no power".to_owned()));
                }
                self.dut.set_power(!on)?;
                self.power_is_off = on;
                self.recorder.borrow_mut().tell(self.now, Kind::Power { on: !on });
            }
            DeviceAction::Reset(_) if self.power_is_off => {
                return Ok(Done::Nothing("the device has no power".to_owned()));
            }
            DeviceAction::Reset(_) => self.dut.reset()?,
            DeviceAction::DrivePin(_) | DeviceAction::CorruptFlash(_) => {
                return Ok(not_here(action.name()));
            }
        }
        Ok(Done::Changed)
    }

    fn access_point(&mut self) -> Result<&mut Box<dyn AccessPoint>, RunError> {
        self.site
            .access_point
            .as_mut()
            .ok_or_else(|| RunError::Site("the bench controls no access point".to_owned()))
    }

    fn sntp_clock(&mut self, offset_ns: Option<i64>) {
        let offset_ns = self.settings.set_sntp_offset(offset_ns);
        let kind = Kind::ClockOffset {
            clock: "sntp".to_owned(),
            offset_ns,
        };
        self.recorder.borrow_mut().tell(self.now, kind);
    }
}

/// An action that [`Abilities::able`] refuses before a run.
fn not_here(action: &str) -> Done {
    Done::Refused(format!("`{action}` cannot be done on this bench"))
}
