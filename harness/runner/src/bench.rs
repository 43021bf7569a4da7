//! Device, network and cloud wired together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cloud::http::Connection;
use cloud::{Cloud, Ending, Origin, Shared};
use dut::{Dut, DutError, Observation};
use events::{Direction, Kind};
use netsim::{CapturedFrame, NetConfig, Netsim, StreamEvent, StreamId};
use sim::Instant;
use sim::air::{Reason, ToAir};

use crate::faults::Do;
use crate::hub::{AtTheCloud, SharedHub};
use crate::setup::SetupError;
use crate::translate;

/// How often network and cloud may answer each other within one moment before the bench calls itself stuck.
const MOST_ROUNDS: usize = 10_000;

/// A bench.
pub(crate) struct Bench {
    pub(crate) dut: Box<dyn Dut>,
    net: Netsim,
    net_config: NetConfig,
    origin: Shared,
    connections: BTreeMap<StreamId, Connection>,
    hub: SharedHub,
    device: String,
    seen: Vec<(Instant, Observation)>,
    frames: Vec<CapturedFrame>,
    now: Instant,
}

impl Bench {
    pub(crate) fn new(
        dut: Box<dyn Dut>,
        net_config: NetConfig,
        cloud: Cloud,
        hub: SharedHub,
        device: String,
    ) -> Result<Bench, SetupError> {
        Ok(Bench {
            dut,
            net: Netsim::new(net_config.clone())?,
            net_config,
            origin: Origin::shared(cloud, AtTheCloud(hub.clone())),
            connections: BTreeMap::new(),
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
        let dues = [self.net.next_due(), origin.cloud.next_due(self.now), self.hub.borrow().faults.next_due()];
        let connections = self.connections.values().filter_map(Connection::next_due);
        dues.into_iter().flatten().chain(connections).min()
    }

    /// Lets the device run until `until` at most, and lets the others follow. Afterwards the time is that of
    /// the device, which may have stopped early to be heard.
    pub(crate) fn turn(&mut self, until: Instant) -> Result<Instant, DutError> {
        let until = self.next_due().map_or(until, |due| due.min(until)).max(self.now);
        self.dut.run_until(until)?;
        self.now = self.dut.now().max(self.now);
        self.hear_the_device();
        self.settle()?;
        Ok(self.now)
    }

    fn hear_the_device(&mut self) {
        let mut seen = std::mem::take(&mut self.seen);
        self.dut.take_observations(&mut seen);
        for (at, observation) in seen.drain(..) {
            let kind = match observation {
                Observation::Air(message) => {
                    self.to_the_air(at, message);
                    continue;
                }
                Observation::Serial { port, bytes } => Kind::SerialChunk { port, bytes },
                Observation::Pin { gpio, level } => Kind::Pin { gpio, level },
                Observation::Reset(cause) => Kind::Reset { cause },
                Observation::GuestFault { message, backtrace } => Kind::GuestFault { message, backtrace },
                Observation::Unmodelled(access) => Kind::Unmodelled(access),
            };
            self.hub.borrow_mut().tell(at, kind);
        }
        self.seen = seen;
    }

    fn to_the_air(&mut self, at: Instant, message: ToAir) {
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
        self.note(format!("network and cloud answered each other {MOST_ROUNDS} times within one moment"));
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
        }
        for frame in self.net.take_capture() {
            let direction = match frame.direction {
                netsim::Direction::FromStation => Direction::FromDevice,
                netsim::Direction::ToStation => Direction::ToDevice,
            };
            hub.tell(frame.at, Kind::Frame { direction, len: frame.bytes.len() as u32 });
            self.frames.push(frame);
        }
    }

    fn stream_event(&mut self, event: StreamEvent) {
        let now = self.now;
        match event {
            StreamEvent::Opened { id, from, .. } => {
                let peer = IpAddr::V4(from.0);
                let connection = Connection::new(&self.origin, now, id.0, peer, false);
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

    /// Does what the fault plan wants.
    fn act(&mut self, action: Do) -> Result<(), DutError> {
        let now = self.now;
        if action.is_for_the_cloud() {
            let done = action.at_the_cloud(now, &mut self.origin.borrow_mut().cloud, &self.device);
            if let Err(why) = done {
                self.note(why);
            }
            return Ok(());
        }
        match action {
            Do::AccessPoint(on) => self.net.set_access_point(now, on),
            Do::Deauthenticate(reason) => self.net.deauthenticate(now, Reason(reason)),
            Do::Rssi(dbm) => self.net.set_rssi(dbm.unwrap_or(self.net_config.ap.rssi_dbm)),
            Do::Password(password) => {
                let password = password.unwrap_or_else(|| self.net_config.ap.password.clone());
                if let Err(why) = self.net.set_password(password) {
                    self.note(format!("the password stays as it is: {why}"));
                }
            }
            Do::NtpOffset(offset_ns) => {
                let ns = offset_ns.map_or(self.net_config.ntp_offset_ns, i128::from);
                self.net.set_sntp(netsim::SntpMode::Normal, ns);
                let shown = i64::try_from(ns).unwrap_or(i64::MAX);
                let kind = Kind::ClockOffset { clock: "sntp".to_owned(), offset_ns: shown };
                self.hub.borrow_mut().tell(now, kind);
            }
            Do::Power(on) => {
                self.dut.set_power(on)?;
                self.hub.borrow_mut().tell(now, Kind::Power { on });
            }
            Do::Reset => self.dut.reset()?,
            Do::Pin(gpio, level) => self.dut.set_pin(gpio, level)?,
            Do::CommandRelay { .. } | Do::RevokePermanent | Do::ExpireSession | Do::RenewSession | Do::ServerClock(_) => {
                unreachable!("done at the cloud above")
            }
        }
        Ok(())
    }

    /// Takes the frames captured since the last call.
    pub(crate) fn take_frames(&mut self) -> Vec<CapturedFrame> {
        std::mem::take(&mut self.frames)
    }
}
