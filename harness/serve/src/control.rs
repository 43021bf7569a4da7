//! The control interface's listener: few connections, none for ever, and a place for the next one always.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use crate::desk::Desk;
use crate::guard::Guard;
use crate::routes;
use crate::socket::{Clock, Socket};

/// How the control interface is set up.
#[derive(Clone, Debug)]
pub struct ControlOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The token that it wants; needed unless it listens on loopback.
    pub token: Option<String>,
}

/// Connections at the same time. One more takes the place of the one that idles longest.
const MOST_CONNECTIONS: usize = 64;
/// How long the head of a request may take, the wait for it included.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may stand still while nothing is done for it.
const STILL_PATIENCE: Duration = Duration::from_secs(60);
/// How long requests may go on after a shutdown was asked for.
const GRACE: Duration = Duration::from_millis(500);
/// The largest head, bytes.
const MOST_HEAD: usize = 32 * 1024;
/// How long to wait when the system will not accept a connection (out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One connection as the accepting side sees it.
struct Slot {
    /// When bytes last came or went.
    moved: Rc<Cell<Instant>>,
    /// A request is being worked on.
    busy: Cell<bool>,
    evict: Notify,
}

/// The control interface.
pub(crate) struct Control {
    pub(crate) listener: TcpListener,
    pub(crate) guard: Guard,
}

impl Control {
    /// Answers until `shutdown` completes.
    pub(crate) async fn run(self, desk: Rc<Desk>, shutdown: impl Future<Output = ()>) {
        LocalSet::new().run_until(self.accept(desk, shutdown)).await;
    }

    async fn accept(self, desk: Rc<Desk>, shutdown: impl Future<Output = ()>) {
        let Control { listener, guard } = self;
        let guard = Rc::new(guard);
        let (stop, stopped) = watch::channel(false);
        let mut slots: BTreeMap<u64, Rc<Slot>> = BTreeMap::new();
        let mut tasks: JoinSet<u64> = JoinSet::new();
        let mut next = 0;
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Ok(number) = ended {
                        slots.remove(&number);
                    }
                }
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else {
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    if slots.len() >= MOST_CONNECTIONS {
                        evict_stillest(&mut slots);
                    }
                    let _ = stream.set_nodelay(true);
                    next += 1;
                    let slot = Rc::new(Slot {
                        moved: Rc::new(Cell::new(Instant::now())),
                        busy: Cell::new(false),
                        evict: Notify::new(),
                    });
                    slots.insert(next, slot.clone());
                    let (number, desk, guard, stopped) = (next, desk.clone(), guard.clone(), stopped.clone());
                    tasks.spawn_local(async move {
                        serve(stream, &slot, &desk, &guard, stopped).await;
                        number
                    });
                }
            }
        }
        drop(listener);
        let _ = stop.send(true);
        let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// Makes room: the connection that stands still longest goes, one that is worked on only when all are.
fn evict_stillest(slots: &mut BTreeMap<u64, Rc<Slot>>) {
    let stillest = slots
        .iter()
        .min_by_key(|(_, slot)| (slot.busy.get(), slot.moved.get()));
    let number = stillest.map(|(number, _)| *number);
    if let Some(slot) = number.and_then(|number| slots.remove(&number)) {
        slot.evict.notify_one();
    }
}

async fn serve(
    stream: TcpStream,
    slot: &Slot,
    desk: &Rc<Desk>,
    guard: &Guard,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(async |request| {
        slot.busy.set(true);
        let answer = routes::answer(desk, guard, request).await;
        slot.busy.set(false);
        slot.moved.set(Instant::now());
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MOST_HEAD)
        .serve_connection(Socket::new(stream, slot.moved.clone()), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A client that speaks no HTTP is answered 400 by hyper and is nobody else's business.
            _ = connection.as_mut() => return,
            () = slot.evict.notified() => return,
            _ = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = sleep(STILL_PATIENCE / 4) => {
                if !slot.busy.get() && slot.moved.get().elapsed() > STILL_PATIENCE {
                    return;
                }
            }
        }
    }
}
