//! The control interface's listener: few connections, none for ever, and a place for the next one always.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http_service::server::{self, AcceptLimits, Accepted};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::guard::Guard;
use crate::routes;
use crate::shared::SharedState;
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

/// The control interface.
pub(crate) struct Control {
    pub(crate) listener: TcpListener,
    pub(crate) guard: Guard,
}

impl Control {
    /// Answers until `shutdown` completes.
    pub(crate) async fn run(self, shared: Rc<SharedState>, shutdown: impl Future<Output = ()>) {
        let Control { listener, guard } = self;
        let guard = Rc::new(guard);
        let limits = AcceptLimits {
            connections: MOST_CONNECTIONS,
            grace: GRACE,
        };
        server::accept(listener, limits, shutdown, |accepted| {
            let (shared, guard) = (shared.clone(), guard.clone());
            async move { serve(accepted, &shared, &guard).await }
        })
        .await;
    }
}

async fn serve(accepted: Accepted, shared: &Rc<SharedState>, guard: &Guard) {
    let Accepted {
        stream,
        activity,
        stop: mut stopped,
        ..
    } = accepted;
    let service = service_fn(async |request| {
        activity.set_busy(true);
        let answer = routes::answer(shared, guard, request).await;
        activity.set_busy(false);
        activity.touch();
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MOST_HEAD)
        .serve_connection(Socket::new(stream, activity.clone()), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A client that speaks no HTTP is answered 400 by hyper and is nobody else's business.
            _ = connection.as_mut() => return,
            () = activity.evicted() => return,
            _ = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = sleep(STILL_PATIENCE / 4) => {
                if !activity.is_busy() && activity.moved().elapsed() > STILL_PATIENCE {
                    return;
                }
            }
        }
    }
}
