//! The bench in virtual time: an emulated device, the air, the simulated network and the cloud.

pub(crate) mod effector;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use dut::{Dut, DutError, Observation};
use faults::{AtTheService, Effector as _, SharedRecorder};
use http_service::{Connection, Ending, NoFaults, Origin, Shared};
use netsim::{CapturedFrame, NetConfig, Netsim, RuleId, SntpMode, StreamEvent, StreamId};
use oceanremote::Cloud;
use sim::Instant;
use sim::air::ToAir;
use vocabulary::{Direction, Event, Kind};

use crate::run::{Bench, RunError};
use crate::setup::SetupError;
use crate::translate;
use portal::Portal;

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
    /// The captive portal, which takes new connections while it is there.
    portal: Shared,
    captive: bool,
    power_is_off: bool,
    /// Places where nobody listens that a remark has been made on, by protocol, address and port.
    unheard: BTreeSet<(&'static str, Ipv4Addr, u16)>,
    /// Rules of the network that faults have set, by fault.
    rules: BTreeMap<usize, RuleId>,
    sntp_mode: SntpMode,
    ntp_offset_ns: i128,
    recorder: SharedRecorder,
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
        recorder: SharedRecorder,
        device: String,
    ) -> Result<VirtualBench, SetupError> {
        let portal = Origin::shared(Portal::new(net_config.epoch), NoFaults);
        Ok(VirtualBench {
            dut,
            net: Netsim::new(net_config.clone())?,
            ntp_offset_ns: net_config.ntp_offset_ns,
            sntp_mode: SntpMode::Normal,
            net_config,
            origin: Origin::shared(cloud, AtTheService(recorder.clone())),
            connections: BTreeMap::new(),
            portal,
            captive: false,
            power_is_off: false,
            unheard: BTreeSet::new(),
            rules: BTreeMap::new(),
            recorder,
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
            origin.service.next_due(self.now),
            self.recorder.borrow().plan().next_due(),
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
            let mut recorder = self.recorder.borrow_mut();
            if let Some(kind) = translate::observation(observation) {
                recorder.tell(at, kind);
            }
            if power_lost {
                recorder.power_lost(at);
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
            self.origin.borrow_mut().service.advance(self.now);
            moved |= self.serve();
            {
                let mut recorder = self.recorder.borrow_mut();
                recorder.take_facts(self.origin.borrow_mut().service.as_mut());
                recorder.advance(self.now);
            }
            for message in self.net.take_to_station() {
                moved = true;
                self.dut.air(message)?;
            }
            let orders = self.recorder.borrow_mut().take_orders();
            for order in orders {
                moved = true;
                let done = self.act(self.now, &order)?;
                self.recorder.borrow_mut().confirm(&order, done, self.now);
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
        self.recorder.borrow_mut().tell(self.now, Kind::Note { text });
    }

    fn tell_network(&mut self) {
        let mut recorder = self.recorder.borrow_mut();
        for (at, note) in self.net.take_notes() {
            if let Some(kind) = translate::net_note(&note, &self.net_config) {
                recorder.tell(at, kind);
            }
            if let Some((place, text)) = translate::unheard(&note)
                && self.unheard.len() < MOST_UNHEARD
                && self.unheard.insert(place)
            {
                recorder.tell(at, Kind::Note { text });
            }
        }
        for frame in self.net.take_capture() {
            let direction = match frame.direction {
                netsim::Direction::FromStation => Direction::FromDevice,
                netsim::Direction::ToStation => Direction::ToDevice,
            };
            recorder.tell(
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
            StreamEvent::Opened { id, from, .. } => {
                let peer = IpAddr::V4(from.0);
                let origin = if self.captive { &self.portal } else { &self.origin };
                let connection = Connection::new(origin, now, id.0, peer, false);
                self.connections.insert(id, connection);
            }
            StreamEvent::Data { id, bytes } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.receive(now, &bytes);
                }
            }
            StreamEvent::HalfClosed { id } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.eof(now);
                }
            }
            StreamEvent::Closed { id } | StreamEvent::Reset { id } => {
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
        self.recorder.borrow_mut().tell(at, kind);
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.recorder.borrow_mut().take_events()
    }

    fn unfired(&self) -> Vec<(String, Option<String>)> {
        self.recorder.borrow().unfired()
    }

    fn take_frames(&mut self) -> Vec<CapturedFrame> {
        std::mem::take(&mut self.frames)
    }
}
