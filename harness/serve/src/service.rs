//! Ports and tasks.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use faults::Served;
use http_service::server::{self, Server};
use oceanremote::CloudConfig;
use tokio::sync::watch;

use crate::ServeError;
use crate::control::{Control, ControlOptions};
use crate::guard::Guard;
use crate::planned::ScenarioFault;
use crate::shared::SharedState;
use crate::tls::{TlsOptions, TlsSwitch};
use crate::transport::{Plain, Tls};

/// What is served.
#[derive(Debug)]
pub struct Options {
    /// Where the cloud listens.
    pub listen: SocketAddr,
    /// The control interface, if there is to be one.
    pub control: Option<ControlOptions>,
    /// TLS in place of plain TCP.
    pub tls: Option<TlsOptions>,
    /// The cloud. Its epoch is the civil time of the start.
    pub cloud: CloudConfig,
    /// What the fault plan calls the cloud and the device.
    pub served: Served,
    /// The fault plan. Faults that cannot be at a server are left out: see [`Service::left_out`].
    pub faults: Vec<ScenarioFault>,
}

/// A server that listens and does not answer yet.
pub struct Service {
    shared: Rc<SharedState>,
    server: Server,
    control: Option<Control>,
    addr: SocketAddr,
    control_addr: Option<SocketAddr>,
}

impl Service {
    /// Takes the ports. Needs tokio's current-thread runtime around it, with time and network.
    ///
    /// # Errors
    /// [`ServeError`], with a hint in it where one is known.
    pub async fn bind(options: Options) -> Result<Service, ServeError> {
        let control = match &options.control {
            None => None,
            Some(control) => {
                if control.token.is_none() && !control.listen.ip().to_canonical().is_loopback() {
                    return Err(ServeError::NoToken(control.listen));
                }
                let guard = Guard::new(control.token.as_deref())?;
                let listener = server::listen(control.listen)
                    .await
                    .map_err(ServeError::Control)?;
                Some(Control { listener, guard })
            }
        };
        let control_addr = control
            .as_ref()
            .map(|c| c.listener.local_addr())
            .transpose()
            .map_err(ServeError::Address)?;
        let tls = match &options.tls {
            None => None,
            Some(tls) => Some(Rc::new(TlsSwitch::new(tls, options.cloud.epoch)?)),
        };
        let server = Server::bind(options.listen).await?;
        let addr = server.local_addr().map_err(ServeError::Address)?;
        let shared = SharedState::new(options.cloud, options.served, options.faults, tls)?;
        Ok(Service {
            shared,
            server,
            control,
            addr,
            control_addr,
        })
    }

    /// Where the cloud listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the control interface listens.
    pub fn control_addr(&self) -> Option<SocketAddr> {
        self.control_addr
    }

    /// The certificate that clients have to trust, PEM; with TLS only.
    pub fn ca_pem(&self) -> Option<&str> {
        self.shared.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// The faults that cannot be here, each with its place and the reason.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        self.shared
            .left_out()
            .iter()
            .map(|f| format!("{}: fault `{}` is left out: {}", f.position, f.name, f.why))
    }

    /// Serves until `shutdown` completes; running exchanges may go on for up to 5 s.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Service {
            shared,
            server,
            control,
            ..
        } = self;
        let (stop, stopped) = watch::channel(false);
        let stopping = || {
            let mut stopped = stopped.clone();
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        let clock = {
            let shared = shared.clone();
            move || shared.now()
        };
        let origin = shared.origin.clone();
        let cloud = async {
            match shared.tls.clone() {
                None => {
                    server
                        .run_behind(Plain(shared.clone()), origin, clock, stopping())
                        .await
                }
                Some(tls) => {
                    server
                        .run_behind(Tls(shared.clone(), tls), origin, clock, stopping())
                        .await
                }
            }
        };
        let control = async {
            if let Some(control) = control {
                control.run(shared.clone(), stopping()).await;
            }
        };
        let end = async {
            shutdown.await;
            let _ = stop.send(true);
        };
        tokio::select! {
            _ = async { tokio::join!(cloud, control, end) } => {}
            // This has no end of its own.
            () = shared.live() => {}
        }
    }
}
