//! Actions on a bench in virtual time.

use dut::DutError;
use faults::{Done, Effector, Order, operate};
use netsim::{DhcpMode, Filter, Impairment, Netsim, Protocol, RuleId};
use scenario::action::DhcpFault;
use scenario::{Action, DeviceAction, NetworkAction, RadioAction};
use sim::Instant;
use sim::air::Reason;
use vocabulary::Kind;

use super::VirtualBench;
use crate::terms::{self, Sntp};

/// Whether a bench in virtual time can do an action.
///
/// # Errors
/// Why not.
pub(crate) fn able(action: &Action) -> Result<(), String> {
    match action {
        Action::Tls(_) => Err("the device of a run speaks plain HTTP".to_owned()),
        Action::Radio(_)
        | Action::Network(_)
        | Action::Request(_)
        | Action::Service(_)
        | Action::Device(_) => Ok(()),
    }
}

impl Effector for VirtualBench {
    type Failure = DutError;

    fn able(&self, action: &Action) -> Result<(), String> {
        able(action)
    }

    fn act(&mut self, now: Instant, order: &Order) -> Result<Done, DutError> {
        match &order.action {
            Action::Service(action) => {
                let service = &mut self.origin.borrow_mut().service;
                Ok(operate(order, action, now, service.as_mut(), &self.device))
            }
            Action::Device(action) => self.act_on_device(order, action),
            Action::Radio(RadioAction::Deauthenticate(_)) if !self.net.has_station() => {
                Ok(Done::Nothing("no station is associated".to_owned()))
            }
            Action::Radio(action) => {
                let once = match action {
                    RadioAction::Deauthenticate(_) => true,
                    RadioAction::AccessPointGone
                    | RadioAction::WrongPassword(_)
                    | RadioAction::Rssi(_)
                    | RadioAction::Hidden
                    | RadioAction::Channel(_) => false,
                };
                let before = self.net.settings();
                let done = self.act_on_radio(order, action);
                Ok(self.outcome(done, once || self.net.settings() != before))
            }
            Action::Network(action) => {
                let before = self.net.settings();
                let done = self.act_on_network(order, action);
                Ok(self.outcome(done, self.net.settings() != before))
            }
            Action::Tls(_) => Ok(Done::Refused("the device of a run speaks plain HTTP".to_owned())),
            Action::Request(action) => Ok(Done::Refused(format!(
                "`{}` strikes requests only",
                action.name()
            ))),
        }
    }
}

impl VirtualBench {
    fn outcome(&self, done: Result<(), String>, changed: bool) -> Done {
        match done {
            Ok(()) => Done::changed(changed, || "it is so already".to_owned()),
            Err(why) => Done::Refused(why),
        }
    }

    fn act_on_device(&mut self, order: &Order, action: &DeviceAction) -> Result<Done, DutError> {
        match action {
            DeviceAction::PowerCut(cut) => match cut.flash_write_byte {
                Some(byte) if order.on() => self.dut.cut_power_in_flash_write(Some(byte))?,
                Some(_) | None => {
                    let on = !order.on();
                    if !on && self.power_is_off {
                        return Ok(Done::Nothing("the device has no power".to_owned()));
                    }
                    self.dut.set_power(on)?;
                    self.power_is_off = !on;
                    self.recorder.borrow_mut().tell(self.now, Kind::Power { on });
                }
            },
            DeviceAction::Reset(_) if self.power_is_off => {
                return Ok(Done::Nothing("the device has no power".to_owned()));
            }
            DeviceAction::Reset(reset) => self.dut.reset_by(reset.cause)?,
            DeviceAction::DrivePin(pin) => self
                .dut
                .set_pin(pin.gpio.value, order.value(pin.level.is_high()))?,
            DeviceAction::CorruptFlash(flash) => {
                let bytes = flash.new_bytes().unwrap_or_default();
                let changed = self.dut.write_flash(&flash.partition, flash.offset, &bytes)?;
                return Ok(Done::changed(changed, || {
                    "these bytes were there already".to_owned()
                }));
            }
        }
        Ok(Done::Changed)
    }

    fn act_on_radio(&mut self, order: &Order, action: &RadioAction) -> Result<(), String> {
        let (now, on) = (self.now, order.on());
        let config = &self.net_config;
        let refused = |why: netsim::NetError| format!("`{}` failed: {why}", action.name());
        match action {
            RadioAction::AccessPointGone => self.net.set_access_point(now, !on),
            RadioAction::Deauthenticate(d) => self.net.deauthenticate(now, Reason(d.reason.value)),
            RadioAction::Rssi(dbm) => self
                .net
                .set_rssi(order.value(dbm.value).unwrap_or(config.ap.rssi_dbm)),
            RadioAction::WrongPassword(password) => {
                let password = order
                    .value(&password.value)
                    .unwrap_or(&config.ap.password)
                    .clone();
                self.net.set_password(password).map_err(refused)?;
            }
            RadioAction::Hidden => self.net.set_hidden(on || config.ap.hidden),
            RadioAction::Channel(channel) => {
                self.net
                    .set_channel(order.value(channel.value).unwrap_or(config.ap.channel))
                    .map_err(refused)?;
            }
        }
        Ok(())
    }

    fn act_on_network(&mut self, order: &Order, action: &NetworkAction) -> Result<(), String> {
        let on = order.on();
        let config = &self.net_config;
        let refused = |why: netsim::NetError| format!("`{}` failed: {why}", action.name());
        match action {
            NetworkAction::Link(fault) => {
                let impairment = terms::impairment(fault, config);
                self.rule(order, |net| net.impair(impairment)).map_err(refused)?;
            }
            NetworkAction::Blackhole(only) => {
                let mut filter = terms::filter(only, config);
                if filter == Filter::default() {
                    filter.protocol = Some(Protocol::Tcp);
                }
                let impairment = Impairment {
                    filter,
                    loss_ppm: netsim::impair::ALL_PPM,
                    ..Impairment::default()
                };
                self.rule(order, |net| net.impair(impairment)).map_err(refused)?;
            }
            NetworkAction::Refuse(only) => {
                let filter = terms::filter(only, config);
                self.rule(order, |net| Ok(net.refuse(filter))).map_err(refused)?;
            }
            NetworkAction::Dhcp(DhcpFault::Silent) => self
                .net
                .set_dhcp(order.value(DhcpMode::Silent).unwrap_or_default()),
            NetworkAction::Dhcp(DhcpFault::Nak) => {
                self.net.set_dhcp(order.value(DhcpMode::Nak).unwrap_or_default())
            }
            NetworkAction::Dhcp(DhcpFault::AddressConflict) => self.net.set_address_conflict(on),
            NetworkAction::Dhcp(DhcpFault::Lease(time)) => {
                let s = u32::try_from(time.duration().as_secs()).unwrap_or(u32::MAX);
                self.net
                    .set_lease_time(order.value(s).unwrap_or(config.lease_time_s));
            }
            NetworkAction::Dns(fault) => {
                let (mode, delay) = order.value(terms::dns(fault)).unwrap_or_default();
                self.net.set_dns(mode, delay);
            }
            NetworkAction::CaptivePortal => self.captive_portal(on),
            NetworkAction::NtpClock(error) => self.sntp_clock(order.value(error.offset.0)),
            NetworkAction::Ntp(fault) => match terms::sntp(fault) {
                Sntp::Clock(offset_ns) => self.sntp_clock(order.value(offset_ns)),
                Sntp::Mode(mode) => {
                    self.sntp_mode = order.value(mode).unwrap_or_default();
                    self.net.set_sntp(self.sntp_mode, self.ntp_offset_ns);
                }
            },
        }
        Ok(())
    }

    /// Sets a rule for a fault, or takes back the one that it has set.
    fn rule<E>(
        &mut self,
        order: &Order,
        set: impl FnOnce(&mut Netsim) -> Result<RuleId, E>,
    ) -> Result<(), E> {
        if let Some(old) = self.rules.remove(&order.fault) {
            self.net.remove_rule(old);
        }
        if order.on() {
            self.rules.insert(order.fault, set(&mut self.net)?);
        }
        Ok(())
    }

    fn sntp_clock(&mut self, offset_ns: Option<i64>) {
        self.ntp_offset_ns = offset_ns.map_or(self.net_config.ntp_offset_ns, i128::from);
        self.net.set_sntp(self.sntp_mode, self.ntp_offset_ns);
        let offset_ns = i64::try_from(self.ntp_offset_ns).unwrap_or(i64::MAX);
        let kind = Kind::ClockOffset {
            clock: "sntp".to_owned(),
            offset_ns,
        };
        self.recorder.borrow_mut().tell(self.now, kind);
    }

    /// The portal comes between the device and the world, or goes: no connection survives that.
    fn captive_portal(&mut self, on: bool) {
        self.captive = on;
        self.net.set_listening_everywhere(on);
        let mode = if on {
            netsim::DnsMode::Address(self.net_config.gateway_ip)
        } else {
            netsim::DnsMode::Normal
        };
        self.net.set_dns(mode, std::time::Duration::ZERO);
        for (id, mut connection) in std::mem::take(&mut self.connections) {
            connection.reset(self.now);
            connection.poll(self.now);
            self.net.stream_abort(id);
        }
    }
}
