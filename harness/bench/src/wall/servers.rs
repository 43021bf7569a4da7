//! The cloud on TCP.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use http_service::server::{Admission, Server, Transport};
use http_service::{ActiveExchange, ConnId, Directive, Interposer, Phase, Service, Shared};
use sim::Instant;
use tokio::net::TcpStream;

use crate::run::RunError;
use faults::{AtTheService, NewConnections, SharedRecorder};

/// A port that is taken, and not yet open.
pub(crate) struct Servers {
    reserved: Server,
    addr: SocketAddr,
}

impl Servers {
    /// Takes the port.
    pub(crate) async fn bind(addr: SocketAddr) -> Result<Servers, RunError> {
        let reserved = bind(addr).await?;
        let addr = reserved.local_addr().map_err(|e| RunError::Site(e.to_string()))?;
        Ok(Servers { reserved, addr })
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Opens the port anew: who came before the device was reset is nobody.
    pub(crate) async fn open(self) -> Result<OpenServer, RunError> {
        drop(self.reserved);
        Ok(OpenServer(bind(self.addr).await?))
    }
}

async fn bind(addr: SocketAddr) -> Result<Server, RunError> {
    Server::bind(addr)
        .await
        .map_err(|e| RunError::Site(format!("the cloud for the device: {e}")))
}

/// A port that is open.
pub(crate) struct OpenServer(Server);

impl OpenServer {
    /// Serves for ever.
    pub(crate) async fn serve(
        self,
        connections: Rc<NewConnections>,
        origin: Shared,
        clock: impl Fn() -> Instant + 'static,
    ) {
        self.0
            .run_behind(Admitting(connections), origin, clock, std::future::pending())
            .await;
    }
}

struct Admitting(Rc<NewConnections>);

impl Transport for Admitting {
    type Stream = TcpStream;

    fn is_secure(&self) -> bool {
        false
    }

    fn admit(&self, _: SocketAddr) -> Admission {
        self.0.admission()
    }

    async fn open(&self, stream: TcpStream, _: SocketAddr) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// The recorder as the cloud sees it; a silent firewall swallows what comes on connections that stand, too.
pub(crate) struct AtTheServer {
    recorder: AtTheService,
    connections: Rc<NewConnections>,
}

impl AtTheServer {
    pub(crate) fn new(recorder: SharedRecorder, connections: Rc<NewConnections>) -> AtTheServer {
        AtTheServer {
            recorder: AtTheService(recorder),
            connections,
        }
    }
}

impl Interposer for AtTheServer {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        service: &mut dyn Service,
    ) -> Vec<Directive> {
        let mut directives = self.recorder.at(now, phase, exchange, service);
        if phase == Phase::FirstByte && self.connections.admission() == Admission::Swallow {
            directives.push(Directive::Silence);
        }
        directives
    }

    fn broke_off(&mut self, now: Instant, conn: ConnId, what: &str) {
        self.recorder.broke_off(now, conn, what);
    }
}
