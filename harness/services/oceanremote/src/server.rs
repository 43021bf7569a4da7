//! The same connections on TCP, for `oceanrig serve`.
//!
//! One thread: each socket has a task that carries bytes between it and its [`Connection`]. Wall time comes
//! in as a function that the caller supplies, so that the cloud's clock starts and runs as it wants.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sim::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use crate::http::Connection;
use crate::{CloudError, ConnId, Ending, Shared};

/// Connections at the same time, from all addresses. One more takes the place of the one that idles longest.
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
    /// It stays open, and nobody ever reads or answers.
    Swallow,
}

/// What stands between the listener and HTTP: a door that may be shut, and encryption.
pub trait Front: 'static {
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

impl Front for Plain {
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

/// One connection as the accepting side sees it.
struct Slot {
    /// Since when nothing has come or gone.
    quiet_since: Cell<Instant>,
    evict: Notify,
}

/// The wall clock as the cloud's time.
type Clock = Rc<dyn Fn() -> Instant>;

impl Server {
    /// Listens on `addr`; port 0 takes a free one. Asynchronous because it needs the runtime around it.
    ///
    /// # Errors
    /// [`CloudError::Listen`] with a hint for the usual reasons.
    pub async fn bind(addr: SocketAddr) -> Result<Server, CloudError> {
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

    /// As [`Server::run`], with something between the listener and HTTP.
    pub async fn run_behind(
        self,
        front: impl Front,
        origin: Shared,
        clock: impl Fn() -> Instant + 'static,
        shutdown: impl Future<Output = ()>,
    ) {
        LocalSet::new()
            .run_until(self.accept(Rc::new(front), origin, Rc::new(clock), shutdown))
            .await;
    }

    async fn accept<F: Front>(
        self,
        front: Rc<F>,
        origin: Shared,
        clock: Clock,
        shutdown: impl Future<Output = ()>,
    ) {
        let (stop, stopped) = watch::channel(false);
        let mut slots: BTreeMap<ConnId, Rc<Slot>> = BTreeMap::new();
        let mut tasks: JoinSet<ConnId> = JoinSet::new();
        let mut next: ConnId = 0;
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Ok(conn) = ended {
                        slots.remove(&conn);
                    }
                }
                accepted = self.listener.accept() => {
                    let Ok((stream, peer)) = accepted else {
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    if slots.len() >= MAX_CONNECTIONS {
                        evict_quietest(&mut slots);
                    }
                    // Replies are small and each is written whole: waiting to fill a segment helps nobody.
                    let _ = stream.set_nodelay(true);
                    next += 1;
                    let now = clock();
                    let slot = Rc::new(Slot { quiet_since: Cell::new(now), evict: Notify::new() });
                    slots.insert(next, slot.clone());
                    let visitor = Visitor {
                        front: front.clone(),
                        origin: origin.clone(),
                        clock: clock.clone(),
                        slot,
                        stop: stopped.clone(),
                        conn: next,
                        peer,
                    };
                    tasks.spawn_local(visitor.receive(stream));
                }
            }
        }
        drop(self.listener);
        let _ = stop.send(true);
        let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// As [`TcpListener::bind`], but with room for a crowd that comes at once: with its 128 places, a client that
/// finds none waits a second for its retransmission. Asynchronous because it needs the runtime around it.
///
/// # Errors
/// [`CloudError::Listen`] with a hint for the usual reasons.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, CloudError> {
    take_port(addr).map_err(|error| CloudError::Listen {
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

fn evict_quietest(slots: &mut BTreeMap<ConnId, Rc<Slot>>) {
    let quietest = slots
        .iter()
        .min_by_key(|(_, slot)| slot.quiet_since.get())
        .map(|(conn, _)| *conn);
    if let Some(slot) = quietest.and_then(|conn| slots.remove(&conn)) {
        slot.evict.notify_one();
    }
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
struct Visitor<F> {
    front: Rc<F>,
    origin: Shared,
    clock: Clock,
    slot: Rc<Slot>,
    stop: watch::Receiver<bool>,
    conn: ConnId,
    peer: SocketAddr,
}

impl<F: Front> Visitor<F> {
    async fn receive(mut self, stream: TcpStream) -> ConnId {
        match self.front.admit(self.peer) {
            Admission::Serve => {}
            Admission::Refuse => {
                stream.abort_on_drop();
                return self.conn;
            }
            Admission::Swallow => {
                tokio::select! {
                    () = self.slot.evict.notified() => {}
                    _ = self.stop.wait_for(|stop| *stop) => {}
                }
                return self.conn;
            }
        }
        let stream = tokio::select! {
            opened = timeout(OPEN_PATIENCE, self.front.open(stream, self.peer)) => match opened {
                Ok(Ok(stream)) => stream,
                _ => return self.conn,
            },
            () = self.slot.evict.notified() => return self.conn,
            _ = self.stop.wait_for(|stop| *stop) => return self.conn,
        };
        let peer = self.peer.ip().to_canonical();
        let secure = self.front.is_secure();
        let connection = Connection::new(&self.origin, (self.clock)(), self.conn, peer, secure);
        let carrier = Carrier {
            stream,
            connection,
            clock: self.clock,
            slot: self.slot,
            stop: self.stop,
        };
        carrier.carry().await;
        self.conn
    }
}

/// Carries bytes between a stream and its [`Connection`].
struct Carrier<S> {
    stream: S,
    connection: Connection,
    clock: Clock,
    slot: Rc<Slot>,
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
                        self.slot.quiet_since.set((self.clock)());
                        self.connection.receive((self.clock)(), &input[..n]);
                    }
                    Err(_) => self.connection.reset((self.clock)()),
                },
                written = writer.write(&output), if !output.is_empty() => match written {
                    Ok(n) => {
                        self.slot.quiet_since.set((self.clock)());
                        output.drain(..n);
                    }
                    Err(_) => {
                        output.clear();
                        self.connection.reset((self.clock)());
                    }
                },
                () = sleep(WRITE_PATIENCE), if !output.is_empty() => return,
                () = sleep(due.unwrap_or_default()), if due.is_some() => {}
                () = self.slot.evict.notified() => return,
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
