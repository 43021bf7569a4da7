//! The cloud on TCP, with its door.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use oceanremote::server::{Admission, Front, Server};
use oceanremote::{Cloud, Directive, Exchange, Interposer, Phase, Shared};
use sim::Instant;
use tokio::net::TcpStream;

use crate::door::{Door, Doorkeeper};
use crate::hub::{AtTheCloud, SharedHub};
use crate::run::RunError;

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
        keeper: Rc<Doorkeeper>,
        origin: Shared,
        clock: impl Fn() -> Instant + 'static,
    ) {
        self.0
            .run_behind(FrontDoor(keeper), origin, clock, std::future::pending())
            .await;
    }
}

struct FrontDoor(Rc<Doorkeeper>);

impl Front for FrontDoor {
    type Stream = TcpStream;

    fn is_secure(&self) -> bool {
        false
    }

    fn admit(&self, _: SocketAddr) -> Admission {
        match self.0.door() {
            Door::Open => Admission::Serve,
            Door::Refuses => Admission::Refuse,
            Door::Swallows => Admission::Swallow,
        }
    }

    async fn open(&self, stream: TcpStream, _: SocketAddr) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// The hub as the cloud sees it; a silent firewall swallows what comes on connections that stand, too.
pub(crate) struct AtTheServer {
    hub: AtTheCloud,
    keeper: Rc<Doorkeeper>,
}

impl AtTheServer {
    pub(crate) fn new(hub: SharedHub, keeper: Rc<Doorkeeper>) -> AtTheServer {
        AtTheServer {
            hub: AtTheCloud(hub),
            keeper,
        }
    }
}

impl Interposer for AtTheServer {
    fn at(&mut self, now: Instant, phase: Phase, exchange: &Exchange, cloud: &mut Cloud) -> Vec<Directive> {
        let mut directives = self.hub.at(now, phase, exchange, cloud);
        if phase == Phase::FirstByte && self.keeper.door() == Door::Swallows {
            directives.push(Directive::Silence);
        }
        directives
    }
}
