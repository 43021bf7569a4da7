//! The same connections on TCP.
//!
//! One thread: each socket has a task that carries bytes between it and its [`Connection`]. Wall time comes in as a
//! function that the caller supplies, so that the service's clock starts and runs as it wants.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sim::Instant;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use crate::{ConnId, Connection, Ending, Shared};

/// Connections at the same time, from all addresses.
const MAX_CONNECTIONS: usize = 512;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long a client may leave a reply unread.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a closed connection is drained, so that a reset does not overtake the last reply (RFC 9112,
/// section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// How long connections may go on after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client may take until its stream is ready for HTTP.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system will not accept a connection (out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {addr}: {reason}")]
pub struct ListenError {
    /// The address asked for.
    pub addr: String,
    /// The system's reason, with a hint where one is known.
    pub reason: String,
}

/// What an accept loop allows.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Connections at the same time. One more takes the place of the one that has been still longest.
    pub connections: usize,
    /// How long connections may go on after a shutdown was asked for.
    pub grace: Duration,
}

/// What an accept loop knows of a connection.
#[derive(Debug)]
pub struct Activity {
    /// When bytes last came or went, counted in steps of the loop's own order.
    moved: Cell<tokio::time::Instant>,
    /// A request is being worked on: the connection is the last one to be evicted.
    busy: Cell<bool>,
    evict: Notify,
}

impl Activity {
    /// Bytes came or went.
    pub fn touch(&self) {
        self.moved.set(tokio::time::Instant::now());
    }

    /// When bytes last came or went.
    pub fn moved(&self) -> tokio::time::Instant {
        self.moved.get()
    }

    /// Says whether a request is being worked on.
    pub fn set_busy(&self, busy: bool) {
        self.busy.set(busy);
    }

    /// Whether a request is being worked on.
    pub fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Completes when the connection has to give its place to another one.
    pub async fn evicted(&self) {
        self.evict.notified().await;
    }
}

/// A connection that was accepted.
pub struct Accepted {
    /// The socket.
    pub stream: TcpStream,
    /// The client's address.
    pub peer: SocketAddr,
    /// The connection's number, from 1.
    pub number: ConnId,
    /// Its place in the loop.
    pub activity: Rc<Activity>,
    /// Becomes true when a shutdown was asked for.
    pub stop: watch::Receiver<bool>,
}

/// Accepts connections until `shutdown` completes and gives each to a task of `serve`. The future stays on its
/// thread; run it on a current-thread runtime.
pub async fn accept<Task: Future<Output = ()> + 'static>(
    listener: TcpListener,
    limits: AcceptLimits,
    shutdown: impl Future<Output = ()>,
    serve: impl Fn(Accepted) -> Task,
) {
    LocalSet::new()
        .run_until(accept_on_this_thread(listener, limits, shutdown, serve))
        .await;
}

async fn accept_on_this_thread<Task: Future<Output = ()> + 'static>(
    listener: TcpListener,
    limits: AcceptLimits,
    shutdown: impl Future<Output = ()>,
    serve: impl Fn(Accepted) -> Task,
) {
    let (stop, stopped) = watch::channel(false);
    let mut open: BTreeMap<ConnId, Rc<Activity>> = BTreeMap::new();
    let mut tasks: JoinSet<ConnId> = JoinSet::new();
    let mut number: ConnId = 0;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Ok(number) = ended {
                    open.remove(&number);
                }
            }
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                if open.len() >= limits.connections {
                    evict_stillest(&mut open);
                }
                // Replies are small and each is written whole: waiting to fill a segment helps no client.
                let _ = stream.set_nodelay(true);
                number += 1;
                let activity = Rc::new(Activity {
                    moved: Cell::new(tokio::time::Instant::now()),
                    busy: Cell::new(false),
                    evict: Notify::new(),
                });
                open.insert(number, activity.clone());
                let task = serve(Accepted { stream, peer, number, activity, stop: stopped.clone() });
                tasks.spawn_local(async move {
                    task.await;
                    number
                });
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let _ = timeout(limits.grace, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Makes room: the connection that has been still longest goes, one that is worked on only when all are.
fn evict_stillest(open: &mut BTreeMap<ConnId, Rc<Activity>>) {
    let stillest = open
        .iter()
        .min_by_key(|(_, activity)| (activity.busy.get(), activity.moved.get()))
        .map(|(number, _)| *number);
    if let Some(activity) = stillest.and_then(|number| open.remove(&number)) {
        activity.evict.notify_one();
    }
}

/// A stream of bytes that a client is at the other end of.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Makes the coming drop of the stream tear the connection down (RST) instead of ending it in order.
    fn abort_on_drop(&self);
}

/// What becomes of a connection that the system has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is served.
    Serve,
    /// It is torn down at once (RST).
    Refuse,
    /// It stays open and is neither read nor answered.
    Swallow,
}

/// What stands between the listener and HTTP: admission, and encryption.
pub trait Transport: 'static {
    /// What HTTP is spoken on.
    type Stream: ByteStream;

    /// Whether streams are encrypted.
    fn is_secure(&self) -> bool;

    /// What becomes of a new connection; asked once, before its first byte.
    fn admit(&self, _peer: SocketAddr) -> Admission {
        Admission::Serve
    }

    /// Makes the stream ready for HTTP, by a handshake for instance.
    fn open(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// TCP as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Transport for Plain {
    type Stream = TcpStream;

    fn is_secure(&self) -> bool {
        false
    }

    async fn open(&self, stream: TcpStream, _: SocketAddr) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

impl ByteStream for TcpStream {
    fn abort_on_drop(&self) {
        // Where the system refuses, the connection ends in order.
        let _ = self.set_zero_linger();
    }
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

/// The wall clock as the service's time.
type Clock = Rc<dyn Fn() -> Instant>;

impl Server {
    /// Listens on `addr`; port 0 takes a free one. Asynchronous because it needs the runtime around it.
    ///
    /// # Errors
    /// [`ListenError`] with a hint for the usual reasons.
    pub async fn bind(addr: SocketAddr) -> Result<Server, ListenError> {
        Ok(Server {
            listener: listen(addr).await?,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` completes, then lets running exchanges finish for up to 5 s. `clock` tells the
    /// moment and must not go back. The future stays on its thread; run it on a current-thread runtime.
    pub async fn run(
        self,
        origin: Shared,
        clock: impl Fn() -> Instant + 'static,
        shutdown: impl Future<Output = ()>,
    ) {
        self.run_behind(Plain, origin, clock, shutdown).await;
    }

    /// As [`Server::run`], with a transport between the listener and HTTP.
    pub async fn run_behind(
        self,
        transport: impl Transport,
        origin: Shared,
        clock: impl Fn() -> Instant + 'static,
        shutdown: impl Future<Output = ()>,
    ) {
        let transport = Rc::new(transport);
        let clock: Clock = Rc::new(clock);
        let limits = AcceptLimits {
            connections: MAX_CONNECTIONS,
            grace: GRACE,
        };
        accept(self.listener, limits, shutdown, |accepted| {
            let opening = Opening {
                transport: transport.clone(),
                origin: origin.clone(),
                clock: clock.clone(),
                activity: accepted.activity,
                stop: accepted.stop,
                conn: accepted.number,
                peer: accepted.peer,
            };
            opening.open(accepted.stream)
        })
        .await;
    }
}

/// As [`TcpListener::bind`], but with room for a crowd that comes at once: with its 128 places, a client that
/// finds none waits a second for its retransmission. Asynchronous because it needs the runtime around it.
///
/// # Errors
/// [`ListenError`] with a hint for the usual reasons.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    take_port(addr).map_err(|error| ListenError {
        addr: addr.to_string(),
        reason: reason(&error),
    })
}

fn take_port(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Not on Windows, where it would let two programs share the port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn reason(error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; choose another port or stop it",
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher one",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => return error.to_string(),
    };
    format!("{error} ({hint})")
}

/// A connection that was accepted, before HTTP begins.
struct Opening<T> {
    transport: Rc<T>,
    origin: Shared,
    clock: Clock,
    activity: Rc<Activity>,
    stop: watch::Receiver<bool>,
    conn: ConnId,
    peer: SocketAddr,
}

impl<T: Transport> Opening<T> {
    async fn open(mut self, stream: TcpStream) {
        match self.transport.admit(self.peer) {
            Admission::Serve => {}
            Admission::Refuse => {
                stream.abort_on_drop();
                return;
            }
            Admission::Swallow => {
                tokio::select! {
                    () = self.activity.evicted() => {}
                    _ = self.stop.wait_for(|stop| *stop) => {}
                }
                return;
            }
        }
        let stream = tokio::select! {
            opened = timeout(OPEN_PATIENCE, self.transport.open(stream, self.peer)) => match opened {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) | Err(_) => return,
            },
            () = self.activity.evicted() => return,
            _ = self.stop.wait_for(|stop| *stop) => return,
        };
        let peer = self.peer.ip().to_canonical();
        let secure = self.transport.is_secure();
        let connection = Connection::new(&self.origin, (self.clock)(), self.conn, peer, secure);
        let carrier = Carrier {
            stream,
            connection,
            clock: self.clock,
            activity: self.activity,
            stop: self.stop,
        };
        carrier.carry().await;
    }
}

/// Carries bytes between a stream and its [`Connection`].
struct Carrier<S> {
    stream: S,
    connection: Connection,
    clock: Clock,
    activity: Rc<Activity>,
    stop: watch::Receiver<bool>,
}

impl<S: ByteStream> Carrier<S> {
    async fn carry(mut self) {
        let mut input = [0; 4096];
        let mut output: Vec<u8> = Vec::new();
        let mut stopping = false;
        loop {
            let now = (self.clock)();
            self.connection.poll(now);
            output.append(&mut self.connection.take_output());
            if output.is_empty()
                && let Some(ending) = self.connection.ending()
            {
                return self.end(ending).await;
            }
            let due = self.connection.next_due().map(|at| at.since(now));
            let wants_input = self.connection.wants_input() && output.len() < 64 * 1024;
            let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
            tokio::select! {
                read = reader.read(&mut input), if wants_input => match read {
                    Ok(0) => self.connection.eof((self.clock)()),
                    Ok(n) => {
                        self.activity.touch();
                        self.connection.receive((self.clock)(), &input[..n]);
                    }
                    Err(_) => self.connection.reset((self.clock)()),
                },
                written = writer.write(&output), if !output.is_empty() => match written {
                    Ok(n) => {
                        self.activity.touch();
                        output.drain(..n);
                    }
                    Err(_) => {
                        output.clear();
                        self.connection.reset((self.clock)());
                    }
                },
                () = sleep(WRITE_PATIENCE), if !output.is_empty() => return,
                () = sleep(due.unwrap_or_default()), if due.is_some() => {}
                () = self.activity.evicted() => return,
                changed = self.stop.changed(), if !stopping => {
                    stopping = true;
                    if changed.is_ok() {
                        self.connection.shutdown((self.clock)());
                    }
                }
            }
        }
    }

    async fn end(mut self, ending: Ending) {
        if ending == Ending::Abort {
            self.stream.abort_on_drop();
            return;
        }
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let drain = async {
            let mut rest = [0; 4096];
            while self.stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        };
        tokio::select! {
            () = drain => {}
            () = sleep(LINGER) => {}
            // A server that stops has no time for it.
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
