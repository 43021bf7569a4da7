//! The bench in virtual time: an emulated device, the air, the simulated network and the cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use dut::{Dut, DutError, Observation};
use netsim::{
    CapturedFrame, DhcpMode, Filter, Impairment, NetConfig, Netsim, Protocol, RuleId, SntpMode, StreamEvent,
    StreamId,
};
use oceanremote::http::Connection;
use oceanremote::{Cloud, Ending, Origin, Shared};
use scenario::action::DhcpFault;
use scenario::{Action, DeviceAction, NetworkAction, RadioAction};
use sim::Instant;
use sim::air::{Reason, ToAir};
use vocabulary::{Direction, Event, Kind};

use crate::faults::{self, Do, Sntp};
use crate::hub::{AtTheCloud, SharedHub};
use crate::portal::Portal;
use crate::run::{Bench, RunError};
use crate::setup::SetupError;
use crate::translate;

/// How often network and cloud may answer each other within one moment before the bench calls itself stuck.
const MOST_ROUNDS: usize = 10_000;

/// Places where nobody listens that are remarked on, at most: a device that tries all ports is told of once.
const MOST_UNHEARD: usize = 16;

/// A bench in virtual time.
pub(crate) struct VirtualBench {
    dut: Box<dyn Dut>,
    net: Netsim,
    net_config: NetConfig,
    origin: Shared,
    connections: BTreeMap<StreamId, Connection>,
    /// Connections that a captive portal has caught, while there is one.
    portals: BTreeMap<StreamId, Portal>,
    captive: bool,
    /// Places where nobody listens that a remark has been made on, by protocol, address and port.
    unheard: BTreeSet<(&'static str, Ipv4Addr, u16)>,
    /// Rules of the network that faults have set, by fault.
    rules: BTreeMap<usize, RuleId>,
    sntp_mode: SntpMode,
    ntp_offset_ns: i128,
    hub: SharedHub,
    device: String,
    seen: Vec<(Instant, Observation)>,
    frames: Vec<CapturedFrame>,
    now: Instant,
}

impl VirtualBench {
    pub(crate) fn new(
        dut: Box<dyn Dut>,
        net_config: NetConfig,
        cloud: Cloud,
        hub: SharedHub,
        device: String,
    ) -> Result<VirtualBench, SetupError> {
        Ok(VirtualBench {
            dut,
            net: Netsim::new(net_config.clone())?,
            ntp_offset_ns: net_config.ntp_offset_ns,
            sntp_mode: SntpMode::Normal,
            net_config,
            origin: Origin::shared(cloud, AtTheCloud(hub.clone())),
            connections: BTreeMap::new(),
            portals: BTreeMap::new(),
            captive: false,
            unheard: BTreeSet::new(),
            rules: BTreeMap::new(),
            hub,
            device,
            seen: Vec::new(),
            frames: Vec::new(),
            now: Instant::ZERO,
        })
    }

    /// When something other than the device happens next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let origin = self.origin.borrow();
        let dues = [
            self.net.next_due(),
            origin.cloud.next_due(self.now),
            self.hub.borrow().faults.next_due(),
        ];
        let connections = self.connections.values().filter_map(Connection::next_due);
        dues.into_iter().flatten().chain(connections).min()
    }

    fn hear_the_device(&mut self) {
        let mut seen = std::mem::take(&mut self.seen);
        self.dut.take_observations(&mut seen);
        for (at, observation) in seen.drain(..) {
            if let Observation::Air(message) = observation {
                self.air_message(at, message);
                continue;
            }
            let power_lost = observation == Observation::PowerLost;
            let mut hub = self.hub.borrow_mut();
            if let Some(kind) = translate::observation(observation) {
                hub.tell(at, kind);
            }
            if power_lost {
                hub.power_lost(at);
            }
        }
        self.seen = seen;
    }

    fn air_message(&mut self, at: Instant, message: ToAir) {
        self.net.from_station(at.max(self.now), message);
    }

    /// Lets network, cloud and fault plan do all that is due now.
    fn settle(&mut self) -> Result<(), DutError> {
        for _ in 0..MOST_ROUNDS {
            let mut moved = false;
            self.net.poll(self.now);
            self.tell_network();
            for event in self.net.take_stream_events() {
                moved = true;
                self.stream_event(event);
            }
            self.origin.borrow_mut().cloud.advance(self.now);
            moved |= self.serve();
            {
                let mut hub = self.hub.borrow_mut();
                hub.take_journal(&mut self.origin.borrow_mut().cloud);
                hub.advance(self.now);
            }
            for message in self.net.take_to_station() {
                moved = true;
                self.dut.air(message)?;
            }
            let wanted = self.hub.borrow_mut().take_wanted();
            for action in wanted {
                moved = true;
                self.act(action)?;
            }
            if !moved {
                return Ok(());
            }
        }
        self.note(format!(
            "network and cloud answered each other {MOST_ROUNDS} times within one moment"
        ));
        Ok(())
    }

    fn note(&self, text: String) {
        self.hub.borrow_mut().tell(self.now, Kind::Note { text });
    }

    fn tell_network(&mut self) {
        let mut hub = self.hub.borrow_mut();
        for (at, note) in self.net.take_notes() {
            if let Some(kind) = translate::net_note(&note, &self.net_config) {
                hub.tell(at, kind);
            }
            if let Some((place, text)) = translate::unheard(&note)
                && self.unheard.len() < MOST_UNHEARD
                && self.unheard.insert(place)
            {
                hub.tell(at, Kind::Note { text });
            }
        }
        for frame in self.net.take_capture() {
            let direction = match frame.direction {
                netsim::Direction::FromStation => Direction::FromDevice,
                netsim::Direction::ToStation => Direction::ToDevice,
            };
            hub.tell(
                frame.at,
                Kind::Frame {
                    direction,
                    len: frame.bytes.len() as u32,
                },
            );
            self.frames.push(frame);
        }
    }

    fn stream_event(&mut self, event: StreamEvent) {
        let now = self.now;
        match event {
            StreamEvent::Opened { id, .. } if self.captive => {
                self.portals.insert(id, Portal::default());
            }
            StreamEvent::Opened { id, from, .. } => {
                let peer = IpAddr::V4(from.0);
                let connection = Connection::new(&self.origin, now, id.0, peer, false);
                self.connections.insert(id, connection);
            }
            StreamEvent::Data { id, bytes } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.receive(now, &bytes);
                } else if let Some(page) = self
                    .portals
                    .get_mut(&id)
                    .and_then(|portal| portal.receive(&bytes))
                {
                    self.net.stream_send(id, &page);
                    self.net.stream_close(id);
                }
            }
            StreamEvent::HalfClosed { id } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.eof(now);
                }
            }
            StreamEvent::Closed { id } | StreamEvent::Reset { id } => {
                self.portals.remove(&id);
                if let Some(mut connection) = self.connections.remove(&id) {
                    connection.reset(now);
                    connection.poll(now);
                }
            }
        }
    }

    /// Polls the connections and sends what they have to say; whether there was any.
    fn serve(&mut self) -> bool {
        let mut moved = false;
        let mut over = Vec::new();
        for (id, connection) in &mut self.connections {
            connection.poll(self.now);
            let output = connection.take_output();
            if !output.is_empty() {
                moved = true;
                self.net.stream_send(*id, &output);
            }
            match connection.ending() {
                Some(Ending::Close) => self.net.stream_close(*id),
                Some(Ending::Abort) => self.net.stream_abort(*id),
                None => continue,
            }
            over.push(*id);
        }
        for id in over {
            moved = true;
            self.connections.remove(&id);
        }
        moved
    }

    /// Does what the fault plan wants, and tells it so.
    fn act(&mut self, wanted: Do) -> Result<(), DutError> {
        let now = self.now;
        let done = match &wanted.action {
            Action::Service(action) => {
                wanted.at_the_cloud(action, now, &mut self.origin.borrow_mut().cloud, &self.device)
            }
            Action::Device(action) => {
                self.act_on_device(&wanted, action)?;
                Ok(())
            }
            Action::Radio(action) => self.act_on_radio(&wanted, action),
            Action::Network(action) => self.act_on_network(&wanted, action),
            Action::Tls(_) => Err("`tls` is not done: the device of a bench speaks plain HTTP".to_owned()),
            Action::Request(action) => Err(format!("`{}` strikes requests only", action.name())),
        };
        match done {
            Ok(()) => self.hub.borrow_mut().confirm(&wanted, now),
            Err(why) => self.note(why),
        }
        Ok(())
    }

    fn act_on_device(&mut self, wanted: &Do, action: &DeviceAction) -> Result<(), DutError> {
        match action {
            DeviceAction::PowerCut(cut) => match cut.flash_write_byte {
                Some(byte) if wanted.on() => self.dut.cut_power_in_flash_write(Some(byte))?,
                Some(_) | None => {
                    let on = !wanted.on();
                    self.dut.set_power(on)?;
                    self.hub.borrow_mut().tell(self.now, Kind::Power { on });
                }
            },
            DeviceAction::Reset(reset) => self.dut.reset_by(reset.cause)?,
            DeviceAction::DrivePin(pin) => self
                .dut
                .set_pin(pin.gpio.value, wanted.value(pin.level.is_high()))?,
            DeviceAction::CorruptFlash(flash) => {
                let bytes = flash.new_bytes().unwrap_or_default();
                self.dut.write_flash(&flash.partition, flash.offset, &bytes)?;
            }
        }
        Ok(())
    }

    fn act_on_radio(&mut self, wanted: &Do, action: &RadioAction) -> Result<(), String> {
        let (now, on) = (self.now, wanted.on());
        let config = &self.net_config;
        let refused = |why: netsim::NetError| format!("`{}` failed: {why}", action.name());
        match action {
            RadioAction::AccessPointGone => self.net.set_access_point(now, !on),
            RadioAction::Deauthenticate(d) => self.net.deauthenticate(now, Reason(d.reason.value)),
            RadioAction::Rssi(dbm) => self
                .net
                .set_rssi(wanted.value(dbm.value).unwrap_or(config.ap.rssi_dbm)),
            RadioAction::WrongPassword(password) => {
                let password = wanted
                    .value(&password.value)
                    .unwrap_or(&config.ap.password)
                    .clone();
                self.net.set_password(password).map_err(refused)?;
            }
            RadioAction::Hidden => self.net.set_hidden(on || config.ap.hidden),
            RadioAction::Channel(channel) => {
                self.net
                    .set_channel(wanted.value(channel.value).unwrap_or(config.ap.channel))
                    .map_err(refused)?;
            }
        }
        Ok(())
    }

    fn act_on_network(&mut self, wanted: &Do, action: &NetworkAction) -> Result<(), String> {
        let on = wanted.on();
        let config = &self.net_config;
        let refused = |why: netsim::NetError| format!("`{}` failed: {why}", action.name());
        match action {
            NetworkAction::Link(fault) => {
                let impairment = faults::impairment(fault, config);
                self.rule(wanted, |net| net.impair(impairment)).map_err(refused)?;
            }
            NetworkAction::Blackhole(only) => {
                let mut filter = faults::filter(only, config);
                if filter == Filter::default() {
                    filter.protocol = Some(Protocol::Tcp);
                }
                let impairment = Impairment {
                    filter,
                    loss_ppm: netsim::impair::ALL_PPM,
                    ..Impairment::default()
                };
                self.rule(wanted, |net| net.impair(impairment)).map_err(refused)?;
            }
            NetworkAction::Refuse(only) => {
                let filter = faults::filter(only, config);
                self.rule(wanted, |net| Ok(net.refuse(filter))).map_err(refused)?;
            }
            NetworkAction::Dhcp(DhcpFault::Silent) => self
                .net
                .set_dhcp(wanted.value(DhcpMode::Silent).unwrap_or_default()),
            NetworkAction::Dhcp(DhcpFault::Nak) => {
                self.net.set_dhcp(wanted.value(DhcpMode::Nak).unwrap_or_default())
            }
            NetworkAction::Dhcp(DhcpFault::AddressConflict) => self.net.set_address_conflict(on),
            NetworkAction::Dhcp(DhcpFault::Lease(time)) => {
                let s = u32::try_from(time.duration().as_secs()).unwrap_or(u32::MAX);
                self.net
                    .set_lease_time(wanted.value(s).unwrap_or(config.lease_time_s));
            }
            NetworkAction::Dns(fault) => {
                let (mode, delay) = wanted.value(faults::dns(fault)).unwrap_or_default();
                self.net.set_dns(mode, delay);
            }
            NetworkAction::CaptivePortal => self.captive_portal(on),
            NetworkAction::NtpClock(error) => self.sntp_clock(wanted.value(error.offset.0)),
            NetworkAction::Ntp(fault) => match faults::sntp(fault) {
                Sntp::Clock(offset_ns) => self.sntp_clock(wanted.value(offset_ns)),
                Sntp::Mode(mode) => {
                    self.sntp_mode = wanted.value(mode).unwrap_or_default();
                    self.net.set_sntp(self.sntp_mode, self.ntp_offset_ns);
                }
            },
        }
        Ok(())
    }

    /// Sets a rule for a fault, or takes back the one that it has set.
    fn rule<E>(&mut self, wanted: &Do, set: impl FnOnce(&mut Netsim) -> Result<RuleId, E>) -> Result<(), E> {
        if let Some(old) = self.rules.remove(&wanted.fault) {
            self.net.remove_rule(old);
        }
        if wanted.on() {
            self.rules.insert(wanted.fault, set(&mut self.net)?);
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
        self.hub.borrow_mut().tell(self.now, kind);
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
        for (id, _) in std::mem::take(&mut self.portals) {
            self.net.stream_abort(id);
        }
    }
}

impl Bench for VirtualBench {
    /// Lets the device run until `until` at most, and lets the others follow. Afterwards the time is that of
    /// the device, which may have stopped early to be heard.
    fn turn(&mut self, until: Instant) -> Result<Instant, RunError> {
        let until = self.next_due().map_or(until, |due| due.min(until)).max(self.now);
        self.dut.run_until(until)?;
        self.now = self.dut.now().max(self.now);
        self.hear_the_device();
        self.settle()?;
        Ok(self.now)
    }

    fn device(&mut self) -> &mut dyn Dut {
        self.dut.as_mut()
    }

    fn tell(&mut self, at: Instant, kind: Kind) {
        self.hub.borrow_mut().tell(at, kind);
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.hub.borrow_mut().take_events()
    }

    fn never_fired(&self) -> Vec<String> {
        self.hub.borrow().never_fired()
    }

    fn take_frames(&mut self) -> Vec<CapturedFrame> {
        std::mem::take(&mut self.frames)
    }
}
