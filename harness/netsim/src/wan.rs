//! All servers of the wide-area network, in one TCP/IP stack. Each connection that the caller does not refuse
//! becomes a stream of bytes, for any address and port.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::{Instant, Rng};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{self, State};
use smoltcp::wire::{HardwareAddress, IpCidr, IpProtocol, Ipv4Cidr};

use crate::frame::{self, ETHERNET_HEADER};
use crate::{DropReason, NetConfig, NetError, NetNote, Refusal, ResetBy, StreamEvent, StreamId};

/// Greatest number of connections, including those in TIME-WAIT. Further ones are refused.
pub const MAX_STREAMS: usize = 64;
/// Time without a packet after which a connection may be replaced by a new one if all are in use.
const STALE_AFTER: Duration = Duration::from_secs(300);
/// Time after which a connection is given up if an acknowledgement or other packet from the station is due
/// and none comes. Linux gives up after about 15 minutes; a mock server need not.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
/// Size of the receive window and of the send buffer, bytes.
const BUFFER: usize = 16 * 1024;
/// If the stack requests to be polled at once although it was just polled, it is polled again after this
/// time, to avoid an endless loop.
const BREATH: Duration = Duration::from_millis(1);

/// Endpoints of a connection: station's address and port, server's address and port.
pub(crate) type Flow = ((Ipv4Addr, u16), (Ipv4Addr, u16));

#[derive(Debug)]
struct Stream {
    handle: SocketHandle,
    flow: Flow,
    opened: bool,
    half_closed: bool,
    /// The last event of the stream has been taken or queued.
    ended: bool,
    last_state: State,
    pending: VecDeque<u8>,
    closing: bool,
    aborted: bool,
    paused: bool,
    last_heard: Instant,
    /// The moment since which a packet from the station is due, or of its last packet after that.
    waiting_since: Option<Instant>,
}

/// The stack's network device: it gets whole Ethernet frames and passes on the IP packet.
#[derive(Debug, Default)]
struct Port {
    rx: Option<Vec<u8>>,
    tx: Vec<Vec<u8>>,
}

struct RxToken(Vec<u8>);
struct TxToken<'a>(&'a mut Vec<Vec<u8>>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0[ETHERNET_HEADER..])
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; ETHERNET_HEADER + len];
        let result = f(&mut frame[ETHERNET_HEADER..]);
        self.0.push(frame);
        result
    }
}

impl phy::Device for Port {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(RxToken, TxToken<'_>)> {
        Some((RxToken(self.rx.take()?), TxToken(&mut self.tx)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = frame::MAX_FRAME - ETHERNET_HEADER;
        caps
    }
}

fn stack_time(at: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(at.as_micros()).unwrap_or(i64::MAX))
}

/// All servers with their sockets and streams.
pub(crate) struct Wan {
    iface: Interface,
    sockets: SocketSet<'static>,
    port: Port,
    streams: BTreeMap<StreamId, Stream>,
    by_flow: BTreeMap<Flow, StreamId>,
    next_id: u64,
    due: Option<Instant>,
    /// A server has written since the stack was last polled.
    spoken: bool,
    pub(crate) events: Vec<StreamEvent>,
}

impl fmt::Debug for Wan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wan")
            .field("streams", &self.streams)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

impl Wan {
    pub(crate) fn new(config: &NetConfig) -> Result<Wan, NetError> {
        let mut port = Port::default();
        let mut settings = Config::new(HardwareAddress::Ip);
        settings.random_seed = Rng::stream(config.seed, "tcp").next_u64();
        let mut iface = Interface::new(settings, &mut port, stack_time(Instant::ZERO));
        let cidr = IpCidr::Ipv4(Ipv4Cidr::new(config.gateway_ip, config.prefix_len));
        let address = NetError::Address {
            what: "gateway address",
            addr: config.gateway_ip,
        };
        let mut result = Ok(());
        iface.update_ip_addrs(|addrs| result = addrs.push(cidr).map_err(|_| address));
        iface.set_any_ip(true);
        result.map(|()| Wan {
            iface,
            sockets: SocketSet::new(Vec::new()),
            port,
            streams: BTreeMap::new(),
            by_flow: BTreeMap::new(),
            next_id: 1,
            due: None,
            spoken: false,
            events: Vec::new(),
        })
    }

    /// The moment of the stack's next timer, or `now` if a server has written.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        if self.spoken { Some(now) } else { self.due }
    }

    /// Returns the frames that the servers have sent; their Ethernet headers are still empty.
    pub(crate) fn take_frames(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.port.tx)
    }

    /// Number of connections, including those in TIME-WAIT.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// True if a connection has this flow, except one in TIME-WAIT, which a new one may replace.
    pub(crate) fn knows(&self, flow: &Flow) -> bool {
        self.by_flow
            .get(flow)
            .is_some_and(|id| self.state_of(*id) != State::TimeWait)
    }

    /// Takes a frame for one of the servers. With `refuse` a new connection is refused.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        frame: Vec<u8>,
        refuse: Option<Refusal>,
        notes: &mut impl FnMut(NetNote),
    ) {
        let mut touched = None;
        let mut reset = false;
        if let Ok(frame::Content::Ipv4(ip)) = frame::read(&frame)
            && ip.protocol == IpProtocol::Tcp
            && let Some((from_port, to_port)) = ip.ports()
        {
            let flow = ((ip.src, from_port), (ip.dst, to_port));
            reset = ip.tcp_flags() & frame::RST != 0;
            if ip.tcp_flags() & (frame::SYN | frame::ACK | frame::RST) == frame::SYN {
                self.listen_for(now, flow, refuse, notes);
            }
            touched = self.by_flow.get(&flow).copied();
        }
        self.port.rx = Some(frame);
        self.iface
            .poll_ingress_single(stack_time(now), &mut self.port, &mut self.sockets);
        if let Some(id) = touched {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.last_heard = now;
                stream.waiting_since = None;
            }
            self.serve(
                now,
                id,
                if reset { ResetBy::Station } else { ResetBy::Silence },
                notes,
            );
        }
        self.run(now, notes);
    }

    /// Makes a socket listen before a SYN is passed to the stack.
    fn listen_for(
        &mut self,
        now: Instant,
        flow: Flow,
        refuse: Option<Refusal>,
        notes: &mut impl FnMut(NetNote),
    ) {
        if let Some(id) = self.by_flow.get(&flow).copied() {
            if self.state_of(id) != State::TimeWait {
                return;
            }
            // RFC 9293, 3.6.1: a new connection may replace one in TIME-WAIT.
            self.remove(id);
        }
        let refused = |why| NetNote::TcpRefused { to: flow.1, why };
        if let Some(why) = refuse {
            notes(refused(why));
            return;
        }
        if self.streams.len() >= MAX_STREAMS && !self.make_room(now, notes) {
            notes(NetNote::FrameDropped {
                why: DropReason::TooManyStreams,
            });
            notes(refused(Refusal::Full));
            return;
        }
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        if socket.listen((flow.1.0, flow.1.1)).is_err() {
            // Port 0 is not valid.
            notes(refused(Refusal::NobodyListens));
            return;
        }
        let id = StreamId(self.next_id);
        self.next_id += 1;
        let stream = Stream {
            handle: self.sockets.add(socket),
            flow,
            opened: false,
            half_closed: false,
            ended: false,
            last_state: State::Listen,
            pending: VecDeque::new(),
            closing: false,
            aborted: false,
            paused: false,
            last_heard: now,
            waiting_since: None,
        };
        self.streams.insert(id, stream);
        self.by_flow.insert(flow, id);
    }

    /// Drops the connection without packets for longest, if that is long enough. Returns true if one was
    /// dropped.
    fn make_room(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) -> bool {
        let oldest = self.streams.iter().min_by_key(|(_, s)| (!s.ended, s.last_heard));
        let Some((&id, stream)) = oldest else { return false };
        if !stream.ended {
            if now.since(stream.last_heard) < STALE_AFTER {
                return false;
            }
            if stream.opened {
                self.events.push(StreamEvent::Reset { id });
                notes(NetNote::TcpReset {
                    id,
                    by: ResetBy::Silence,
                });
            }
        }
        self.remove(id);
        true
    }

    fn remove(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            self.by_flow.remove(&stream.flow);
            self.sockets.remove(stream.handle);
        }
    }

    fn state_of(&self, id: StreamId) -> State {
        self.streams.get(&id).map_or(State::Closed, |s| {
            self.sockets.get::<tcp::Socket<'_>>(s.handle).state()
        })
    }

    /// Polls the stack: timers, retransmissions, and bytes from the servers.
    pub(crate) fn poll(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) {
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in ids {
            self.serve(now, id, ResetBy::Silence, notes);
        }
        self.run(now, notes);
    }

    fn run(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) {
        self.spoken = false;
        let at = stack_time(now);
        while self.iface.poll_egress(at, &mut self.port, &mut self.sockets) != PollResult::None {}
        self.reap(now, notes);
        let stack = self
            .iface
            .poll_at(at, &self.sockets)
            .map(|t| Instant::from_nanos(u64::try_from(t.total_micros()).unwrap_or(0).saturating_mul(1_000)));
        let deadline = self
            .streams
            .values()
            .filter_map(|s| s.waiting_since)
            .min()
            .map(|t| t + GIVE_UP_AFTER);
        self.due = stack
            .into_iter()
            .chain(deadline)
            .min()
            .map(|t| if t <= now { now + BREATH } else { t });
    }

    /// Removes connections that have ended, after the stack has sent its last packet for them.
    fn reap(&mut self, now: Instant, notes: &mut impl FnMut(NetNote)) {
        let over: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, s)| {
                let state = self.sockets.get::<tcp::Socket<'_>>(s.handle).state();
                // A socket listens only while its SYN is handled: this SYN was corrupted, or the connection
                // was reset.
                matches!(state, State::Closed | State::Listen)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.serve(now, id, ResetBy::Silence, notes);
            self.remove(id);
        }
    }

    /// Moves bytes between a socket and its server, and queues the events.
    fn serve(&mut self, now: Instant, id: StreamId, by: ResetBy, notes: &mut impl FnMut(NetNote)) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle);
        let waits_too_long = stream
            .waiting_since
            .is_some_and(|t| now.since(t) >= GIVE_UP_AFTER);
        if waits_too_long {
            socket.abort();
        }
        let state = socket.state();
        if !stream.opened && !matches!(state, State::Listen | State::SynReceived | State::Closed) {
            stream.opened = true;
            let (from, to) = stream.flow;
            self.events.push(StreamEvent::Opened { id, from, to });
            notes(NetNote::TcpOpened {
                id,
                from_port: from.1,
                to,
            });
        }
        if !stream.paused && socket.can_recv() && !stream.aborted {
            let mut bytes = Vec::with_capacity(socket.recv_queue());
            while socket.can_recv() {
                let taken = socket.recv(|part| {
                    bytes.extend_from_slice(part);
                    (part.len(), ())
                });
                assert!(taken.is_ok(), "a socket that can receive does");
            }
            self.events.push(StreamEvent::Data { id, bytes });
        }
        let said_goodbye = matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        if said_goodbye && !stream.half_closed && socket.recv_queue() == 0 && !stream.aborted {
            stream.half_closed = true;
            self.events.push(StreamEvent::HalfClosed { id });
        }
        while socket.can_send() && !stream.pending.is_empty() {
            let (front, _) = stream.pending.as_slices();
            let sent = socket.send_slice(front).unwrap_or(0);
            stream.pending.drain(..sent);
        }
        if stream.closing && stream.pending.is_empty() {
            socket.close();
        }
        let state = socket.state();
        let waits = match state {
            State::Established | State::CloseWait => socket.send_queue() > 0,
            State::Listen | State::Closed | State::TimeWait => false,
            _ => true,
        };
        stream.waiting_since = if waits {
            stream.waiting_since.or(Some(now))
        } else {
            None
        };
        let goodbye = state == State::TimeWait
            || (state == State::Closed && matches!(stream.last_state, State::LastAck | State::TimeWait));
        if (goodbye || state == State::Closed) && !stream.ended {
            stream.ended = true;
            stream.pending.clear();
            if stream.opened && !stream.aborted {
                if goodbye && !waits_too_long && !(by == ResetBy::Station && state == State::Closed) {
                    self.events.push(StreamEvent::Closed { id });
                    notes(NetNote::TcpClosed { id });
                } else {
                    self.events.push(StreamEvent::Reset { id });
                    notes(NetNote::TcpReset { id, by });
                }
            }
        }
        stream.last_state = state;
    }

    /// Queues bytes for the station. No effect on a stream that has ended or is closing.
    pub(crate) fn send(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.ended
            && !stream.closing
        {
            stream.pending.extend(bytes);
            self.spoken = true;
        }
    }

    /// Sends a FIN after the queued bytes.
    pub(crate) fn close(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.closing = true;
            self.spoken = true;
        }
    }

    /// Sends a reset and ends the connection.
    pub(crate) fn abort(&mut self, id: StreamId, notes: &mut impl FnMut(NetNote)) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.ended {
            return;
        }
        stream.aborted = true;
        stream.ended = true;
        stream.pending.clear();
        self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle).abort();
        notes(NetNote::TcpReset {
            id,
            by: ResetBy::Server,
        });
        self.spoken = true;
    }

    /// Stops or continues to read from the socket; while stopped its window fills up.
    pub(crate) fn pause(&mut self, id: StreamId, paused: bool) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.paused = paused;
            self.spoken = true;
        }
    }

    /// Number of bytes that the station has not acknowledged; 0 for a stream that has ended.
    pub(crate) fn backlog(&self, id: StreamId) -> usize {
        self.streams.get(&id).map_or(0, |s| {
            s.pending.len() + self.sockets.get::<tcp::Socket<'_>>(s.handle).send_queue()
        })
    }
}
