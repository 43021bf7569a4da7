//! The whole network: messages of the station, frames on their way, timers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::air::{FromAir, Mac, ToAir};
use sim::{EventQueue, Instant, UnixTime};
use smoltcp::wire::IpProtocol;

use crate::capture::Capture;
use crate::frame::{self, Content, Path};
use crate::gateway::{Fate, Gateway};
use crate::hosting::{Hosted, Hosting};
use crate::impair::{Filter, Link, RuleId};
use crate::radio::Radio;
use crate::wan::Wan;
use crate::{
    CapturedFrame, Direction, DropReason, NetConfig, NetError, NetNote, Refusal, SntpMode, StreamEvent,
    StreamId, sntp,
};

/// Greatest number of notes kept between two collections; further ones are only counted.
const MAX_NOTES: usize = 1 << 20;
/// Greatest number of frames on their way; further ones are dropped.
const MAX_UNDER_WAY: usize = 4096;

/// Delay of an SNTP answer, so that other events at the moment of the poll can precede the answer.
const SNTP_THOUGHT: Duration = Duration::from_micros(10);

/// A frame on its way, by the place of its next arrival.
#[derive(Debug)]
enum Arrival {
    /// The access point receives it from this station. The station was associated when it sent the frame; a
    /// power cut since then does not stop the frame.
    AccessPoint(Mac, Vec<u8>),
    /// A server receives it.
    Server(Vec<u8>),
    /// A server processes an SNTP request: client, server, request.
    TimeServer((Ipv4Addr, u16), (Ipv4Addr, u16), Vec<u8>),
    /// The gateway receives it, on its way to the station.
    Gateway(Vec<u8>),
    /// The station receives it, if its association still has this number.
    Station(u64, Vec<u8>),
}

/// Notes with their times, until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<(Instant, NetNote)>,
    forgotten: u64,
}

impl Notes {
    pub(crate) fn push(&mut self, at: Instant, note: NetNote) {
        if self.kept.len() < MAX_NOTES {
            self.kept.push((at, note));
        } else {
            self.forgotten += 1;
        }
    }
}

/// The network between one station and its servers.
///
/// The `now` of successive calls must not decrease.
#[derive(Debug)]
pub struct Netsim {
    pub(crate) config: NetConfig,
    pub(crate) now: Instant,
    pub(crate) radio: Radio,
    pub(crate) gateway: Gateway,
    wan: Wan,
    pub(crate) sntp_mode: SntpMode,
    pub(crate) link: Link,
    /// Filters of connections that are refused.
    pub(crate) refused: BTreeMap<RuleId, Filter>,
    pub(crate) next_rule: u64,
    pub(crate) hosting: Hosting,
    /// Somebody listens at every address and port.
    pub(crate) listening_everywhere: bool,
    under_way: EventQueue<Arrival>,
    to_station: Vec<FromAir>,
    capture: Capture,
    pub(crate) notes: Notes,
}

impl Netsim {
    /// A network without an associated station.
    ///
    /// # Errors
    /// If the configuration is not valid: see [`NetError`].
    pub fn new(mut config: NetConfig) -> Result<Netsim, NetError> {
        config.check()?;
        config.dns_records = std::mem::take(&mut config.dns_records)
            .into_iter()
            .map(|(n, ip)| (n.to_ascii_lowercase(), ip))
            .collect();
        Ok(Netsim {
            now: Instant::ZERO,
            radio: Radio::new(config.ap.clone(), config.other_aps.clone(), config.seed),
            gateway: Gateway::default(),
            wan: Wan::new(&config)?,
            sntp_mode: SntpMode::Normal,
            link: Link::new(config.seed),
            refused: BTreeMap::new(),
            next_rule: 1,
            hosting: Hosting::default(),
            listening_everywhere: false,
            under_way: EventQueue::new(),
            to_station: Vec::new(),
            capture: Capture::new(config.capture),
            notes: Notes::default(),
            config,
        })
    }

    /// Takes a message of the station's radio at `now`.
    pub fn from_station(&mut self, now: Instant, msg: ToAir) {
        self.poll(now);
        let notes = &mut self.notes;
        match msg {
            ToAir::Frame(bytes) => self.frame_from_station(bytes),
            ToAir::Scan { ssid, channel } => {
                notes.push(now, NetNote::ScanAsked { ssid: ssid.clone() });
                self.radio.scan(now, ssid, channel);
            }
            ToAir::Connect {
                ssid,
                password,
                bssid,
                mac,
            } => {
                notes.push(now, NetNote::ConnectAsked { ssid: ssid.clone() });
                self.radio
                    .connect(now, (ssid, password, bssid, mac), &mut |note| {
                        notes.push(now, note)
                    });
            }
            ToAir::Disconnect => self.radio.disconnect(now, &mut |note| notes.push(now, note)),
            ToAir::Vanish => {
                notes.push(now, NetNote::Vanished);
                self.radio.vanish(now);
                self.to_station.clear();
            }
        }
    }

    /// Does everything that is due at or before `now`, in order of time.
    pub fn poll(&mut self, now: Instant) {
        while let Some(due) = self.next_due()
            && due <= now
        {
            self.now = self.now.max(due);
            self.step();
        }
        self.now = self.now.max(now);
    }

    /// The moment at which [`poll`](Self::poll) must be called next; a past moment means at once.
    pub fn next_due(&self) -> Option<Instant> {
        let dues = [
            self.radio.next_due(self.now),
            self.under_way.next_due(),
            self.wan.next_due(self.now),
            self.gateway.dhcp.next_due(),
        ];
        dues.into_iter().flatten().min()
    }

    /// Returns the messages for the station since the last call.
    pub fn take_to_station(&mut self) -> Vec<FromAir> {
        std::mem::take(&mut self.to_station)
    }

    /// Returns the events of TCP streams since the last call.
    pub fn take_stream_events(&mut self) -> Vec<StreamEvent> {
        std::mem::take(&mut self.wan.events)
    }

    /// Returns the notes since the last call, in order of time.
    pub fn take_notes(&mut self) -> Vec<(Instant, NetNote)> {
        std::mem::take(&mut self.notes.kept)
    }

    /// Returns the captured frames since the last call; empty unless [`NetConfig::capture`].
    pub fn take_capture(&mut self) -> Vec<CapturedFrame> {
        self.capture.take()
    }

    /// Numbers of notes and of captured frames that were dropped because they were not collected.
    pub fn forgotten(&self) -> (u64, u64) {
        (self.notes.forgotten, self.capture.forgotten)
    }

    /// Number of TCP connections, including those in TIME-WAIT.
    pub fn stream_count(&self) -> usize {
        self.wan.stream_count()
    }

    /// Civil time at `at`, without the offset of the SNTP server.
    pub fn civil_time(&self, at: Instant) -> UnixTime {
        self.config.epoch.offset_nanos(i128::from(at.as_nanos()))
    }

    /// Queues `bytes` on a stream; they are sent at the next [`poll`](Self::poll). No effect on a stream that
    /// has ended, or after [`stream_close`](Self::stream_close).
    pub fn stream_send(&mut self, id: StreamId, bytes: &[u8]) {
        self.wan.send(id, bytes);
    }

    /// Ends the server's half of a stream after the queued bytes (FIN).
    pub fn stream_close(&mut self, id: StreamId) {
        self.wan.close(id);
    }

    /// Resets a stream at once (RST). It has no further events.
    pub fn stream_abort(&mut self, id: StreamId) {
        let (notes, now) = (&mut self.notes, self.now);
        self.wan.abort(id, &mut |note| notes.push(now, note));
    }

    /// Stops or continues reading: if a server does not read, the station's window fills up.
    pub fn stream_pause(&mut self, id: StreamId, paused: bool) {
        self.wan.pause(id, paused);
    }

    /// Number of bytes queued or sent on a stream and not acknowledged by the station.
    pub fn stream_backlog(&self, id: StreamId) -> usize {
        self.wan.backlog(id)
    }

    /// Does what is due at `self.now`, with at most one arrival.
    fn step(&mut self) {
        let (now, notes) = (self.now, &mut self.notes);
        let mut note = |n| notes.push(now, n);
        if self.radio.next_due(now).is_some_and(|t| t <= now) {
            self.radio.poll(now, &mut self.to_station, &mut note);
        }
        if self.gateway.dhcp.next_due().is_some_and(|t| t <= now) {
            self.gateway.dhcp.expire(now, &mut note);
        }
        if self.wan.next_due(now).is_some_and(|t| t <= now) {
            self.wan.poll(now, &mut note);
            self.send_from_servers();
        }
        match self.under_way.pop_due(now).map(|(_, arrival)| arrival) {
            None => (),
            Some(Arrival::AccessPoint(mac, bytes)) => self.at_access_point(mac, bytes),
            Some(Arrival::Server(bytes)) => self.at_server(bytes),
            Some(Arrival::TimeServer(client, server, request)) => self.sntp(client, server, &request),
            Some(Arrival::Gateway(bytes)) => self.send_to_station(bytes),
            Some(Arrival::Station(generation, bytes)) => self.at_station(generation, bytes),
        }
    }

    fn drop_frame(&mut self, why: DropReason) {
        self.notes.push(self.now, NetNote::FrameDropped { why });
    }

    fn launch(&mut self, at: Instant, arrival: Arrival) {
        if self.under_way.len() >= MAX_UNDER_WAY {
            self.drop_frame(DropReason::QueueFull);
        } else {
            self.under_way.push(at, arrival);
        }
    }

    fn frame_from_station(&mut self, bytes: Vec<u8>) {
        let fate = self.radio.passes().and_then(|(mac, _)| match bytes.len() {
            0..frame::ETHERNET_HEADER => Err(DropReason::Unreadable),
            frame::ETHERNET_HEADER..=frame::MAX_FRAME if bytes[6..12] == mac => Ok(mac),
            frame::ETHERNET_HEADER..=frame::MAX_FRAME => Err(DropReason::ForeignSource),
            _ => Err(DropReason::TooLong),
        });
        let mac = match fate {
            Ok(mac) => mac,
            Err(why) => return self.lose(Direction::FromStation, &bytes, why),
        };
        let kept = self.capture.keep(self.now, Direction::FromStation, &bytes, None);
        match self.link.pass(self.now, Direction::FromStation, bytes) {
            Err(why) => {
                self.capture.comment(kept, comment_on(why));
                self.drop_frame(why);
            }
            Ok(copies) => {
                for copy in copies {
                    if copy.corrupted {
                        self.capture.comment(kept, "corrupted on its way");
                    }
                    self.launch(
                        copy.at + self.config.latency,
                        Arrival::AccessPoint(mac, copy.bytes),
                    );
                }
            }
        }
    }

    /// Records a frame that is lost, in the notes and in the capture.
    fn lose(&mut self, direction: Direction, bytes: &[u8], why: DropReason) {
        self.capture
            .keep(self.now, direction, bytes, Some(comment_on(why)));
        self.drop_frame(why);
    }

    fn at_access_point(&mut self, mac: Mac, bytes: Vec<u8>) {
        if !self.radio.is_on() {
            return self.drop_frame(DropReason::AccessPointGone);
        }
        self.gateway.dns_elsewhere = self.hosting.has_dns();
        let (now, notes) = (self.now, &mut self.notes);
        let fate = self
            .gateway
            .receive(now, &self.config, mac, &bytes, &mut |n| notes.push(now, n));
        match fate {
            Fate::Done => (),
            Fate::Dropped(why) => self.drop_frame(why),
            Fate::Reply(delay, reply) if delay.is_zero() => self.send_to_station(reply),
            Fate::Reply(delay, reply) => self.launch(now + delay, Arrival::Gateway(reply)),
            Fate::Forward { far: false } => self.at_server(bytes),
            Fate::Forward { far: true } => self.launch(now + self.config.wan_latency, Arrival::Server(bytes)),
        }
    }

    fn at_server(&mut self, bytes: Vec<u8>) {
        let wan = &self.wan;
        match self
            .hosting
            .look(self.config.gateway_ip, &bytes, |flow| wan.knows(flow))
        {
            Hosted::No => {}
            Hosted::Taken => return,
            Hosted::Dropped(why) => return self.drop_frame(why),
        }
        let Ok(Content::Ipv4(ip)) = frame::read(&bytes) else {
            return self.for_a_server(bytes, None);
        };
        let port = ip.ports().map(|(_, to)| to);
        let is_udp = ip.protocol == IpProtocol::Udp;
        if is_udp && port == Some(self.config.ntp_port) && self.config.ntp_servers.contains(&ip.dst) {
            match ip.udp() {
                Ok((ports, request)) => {
                    let (client, server) = ((ip.src, ports.src_port), (ip.dst, self.config.ntp_port));
                    let asked = NetNote::SntpAsked { client: client.0 };
                    self.notes.push(self.now, asked);
                    let request = Arrival::TimeServer(client, server, request.to_vec());
                    self.launch(self.now + SNTP_THOUGHT, request);
                }
                Err(why) => self.drop_frame(why),
            }
            return;
        }
        let to = port.map(|port| (ip.dst, port));
        if is_udp && let Some(to) = to {
            self.notes.push(self.now, NetNote::UdpUnheard { to });
        }
        let heard = self.listening_everywhere || to.is_some_and(|to| self.config.listeners.contains_key(&to));
        self.for_a_server(bytes, (!heard).then_some(Refusal::NobodyListens));
    }

    /// Passes a frame to the servers. A new connection is refused for the reason in `refuse`, or by a rule.
    pub(crate) fn for_a_server(&mut self, bytes: Vec<u8>, refuse: Option<Refusal>) {
        let (now, notes) = (self.now, &mut self.notes);
        let by_rule = || self.refused.values().any(|filter| filter.matches(&bytes));
        let refuse = refuse.or_else(|| by_rule().then_some(Refusal::Rule));
        self.wan.receive(now, bytes, refuse, &mut |n| notes.push(now, n));
        self.send_from_servers();
    }

    fn sntp(&mut self, client: (Ipv4Addr, u16), server: (Ipv4Addr, u16), request: &[u8]) {
        let time = self.civil_time(self.now).offset_nanos(self.config.ntp_offset_ns);
        let reply = sntp::answer(request, time, self.sntp_mode);
        let answered = reply.as_ref().map(|_| time);
        self.notes.push(
            self.now,
            NetNote::SntpPoll {
                client: client.0,
                answered,
            },
        );
        if let Some(reply) = reply {
            let path = Path {
                src_mac: [0; 6],
                dst_mac: [0; 6],
                src: server,
                dst: client,
            };
            self.send_from_server(frame::udp(path, &reply));
        }
    }

    fn send_from_servers(&mut self) {
        for bytes in self.wan.take_frames() {
            self.send_from_server(bytes);
        }
    }

    /// Sends a frame of a server, whose Ethernet header is still empty.
    pub(crate) fn send_from_server(&mut self, mut bytes: Vec<u8>) {
        frame::set_ethernet(&mut bytes, self.config.ap.bssid, frame::BROADCAST);
        let near = bytes[frame::ETHERNET_HEADER + 12..][..4] == self.config.gateway_ip.octets();
        let way = if near {
            Duration::ZERO
        } else {
            self.config.wan_latency
        };
        self.launch(self.now + way, Arrival::Gateway(bytes));
    }

    fn send_to_station(&mut self, mut bytes: Vec<u8>) {
        let (mac, generation): (Mac, u64) = match self.radio.passes() {
            Ok(link) => link,
            Err(why) => return self.lose(Direction::ToStation, &bytes, why),
        };
        // A frame from a server gets its destination MAC address here.
        if bytes[..6] == frame::BROADCAST && !is_broadcast_ip(&bytes) {
            bytes[..6].copy_from_slice(&mac);
        }
        let kept = self.capture.is_on().then(|| bytes.clone());
        match self.link.pass(self.now, Direction::ToStation, bytes) {
            Err(why) => self.lose(Direction::ToStation, &kept.unwrap_or_default(), why),
            Ok(copies) => {
                for copy in copies {
                    self.launch(
                        copy.at + self.config.latency,
                        Arrival::Station(generation, copy.bytes),
                    );
                }
            }
        }
    }

    fn at_station(&mut self, generation: u64, bytes: Vec<u8>) {
        match self.radio.passes() {
            Ok((_, current)) if current == generation => {
                self.capture.keep(self.now, Direction::ToStation, &bytes, None);
                self.to_station.push(FromAir::Frame(bytes));
            }
            other => {
                self.lose(
                    Direction::ToStation,
                    &bytes,
                    other.err().unwrap_or(DropReason::StationGone),
                );
            }
        }
    }
}

/// Comment on a lost frame, for the capture.
fn comment_on(why: DropReason) -> &'static str {
    match why {
        DropReason::NotAssociated => "lost: no association",
        DropReason::AccessPointGone => "lost: access point gone",
        DropReason::StationGone => "lost: station gone",
        DropReason::ForeignSource => "lost: source address is not the station's",
        DropReason::Unreadable => "lost: not an Ethernet II frame",
        DropReason::TooLong => "lost: too long",
        DropReason::Impairment => "lost: impairment",
        DropReason::QueueFull => "lost: queue full",
        DropReason::Checksum
        | DropReason::NotServed
        | DropReason::ForeignAddress
        | DropReason::NoSuchHost
        | DropReason::TooManyStreams => "lost",
    }
}

/// True if the destination of an IPv4 frame is 255.255.255.255.
fn is_broadcast_ip(bytes: &[u8]) -> bool {
    bytes.get(frame::ETHERNET_HEADER + 16..frame::ETHERNET_HEADER + 20) == Some(&[255; 4])
}
