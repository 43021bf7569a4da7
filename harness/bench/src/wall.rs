//! A device in wall time: a board on the desk, with the cloud, DNS and SNTP on real sockets beside it.
//!
//! The engine is the one of virtual time; only how time passes differs. What the device does on the air and on its pins
//! is not seen here, so a scenario that needs it is refused by [`impossible`] before anything is flashed.
//!
//! | file | what |
//! |---|---|
//! | `effector` | actions on this bench |
//! | `impossible` | what a scenario needs and this bench cannot do |
//! | `names_and_time` | DNS and SNTP on UDP |
//! | `servers` | the cloud on TCP |

mod effector;
mod impossible;
mod names_and_time;
mod servers;

use std::rc::Rc;
use std::time::Duration;

use dut::{Dut, FlashImage, Observation, Site};
use faults::{Effector as _, FaultPlan, NewConnections, Recorder, SharedRecorder, cloud_config};
use http_service::{Origin, Shared};
use netsim::CapturedFrame;
use oceanremote::Cloud;
use scenario::Scenario;
use sim::Instant;
use sim::air::Mac;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use vocabulary::{Event, Kind};

pub(crate) use impossible::{Abilities, impossible};

use crate::run::{Bench, Limits, Run, RunError, Terms};
use crate::setup::{self, SetupError};
use crate::translate;
use names_and_time::{NamesAndTime, Settings};
use servers::Servers;

/// How long nothing of the bench is looked at, at most, while sockets are served.
const TICK: Duration = Duration::from_millis(5);
/// Rounds in which one fault may be the trigger of the next before the rest waits for its turn.
const MOST_ROUNDS: usize = 64;

/// A bench whose servers listen and whose device has not been started.
pub struct WallBench {
    scenario: Scenario,
    site: Site,
    runtime: Runtime,
    servers: Servers,
    names_and_time: NamesAndTime,
}

impl WallBench {
    /// Takes the ports. `scenario` is already at its [`scenario::Pace`].
    ///
    /// # Errors
    /// When a port is taken or needs privileges.
    pub fn open(scenario: &Scenario, mut site: Site) -> Result<WallBench, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| RunError::Site(format!("no runtime for the servers: {e}")))?;
        let servers = runtime.block_on(Servers::bind((site.listen, site.cloud_port).into()))?;
        site.cloud_port = servers.port();
        let names_and_time = runtime.block_on(NamesAndTime::bind(&site))?;
        site.ntp_port = names_and_time.ntp_port();
        let mut scenario = scenario.clone();
        adapt(&mut scenario, &site);
        Ok(WallBench {
            scenario,
            site,
            runtime,
            servers,
            names_and_time,
        })
    }

    /// The scenario, with the bench that stands here.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The flash before the first start: its partitions `provision` and `token` belong on the device.
    ///
    /// # Errors
    /// When the settings do not fit.
    pub fn flash_image(&self, limits: Limits) -> Result<FlashImage, RunError> {
        let bench = &self.scenario.bench;
        Ok(setup::flash_image(bench, limits.seed.unwrap_or(bench.seed))?)
    }

    /// Starts the device, which is time zero, and gives the run of the scenario. `mac` is the device's.
    ///
    /// # Errors
    /// When the device or a server cannot be started.
    pub fn start(
        self,
        mac: Mac,
        start: impl FnOnce(std::time::Instant) -> Result<Box<dyn Dut>, RunError>,
        firmware_sha256: &str,
        limits: Limits,
    ) -> Result<Run, RunError> {
        let WallBench {
            mut scenario,
            site,
            runtime,
            servers,
            names_and_time,
        } = self;
        scenario.bench.device.mac.0 = mac;
        let seed = limits.seed.unwrap_or(scenario.bench.seed);
        let device = scenario.bench.device_id();
        let recorder = Recorder::shared(FaultPlan::new(&scenario.faults, seed), device.clone());
        let cloud = Cloud::new(cloud_config(&scenario.bench, seed)).map_err(SetupError::from)?;
        let connections = Rc::new(NewConnections::default());
        let origin = Origin::shared(
            cloud,
            servers::AtTheServer::new(recorder.clone(), connections.clone()),
        );
        let settings = Rc::new(Settings::new(&scenario.bench, &site));
        let server = runtime.block_on(servers.open())?;
        let started = tokio::time::Instant::now();
        let dut = start(started.into_std())?;
        let clock = move || Instant::ZERO + started.elapsed();
        let sockets = LocalSet::new();
        let for_cloud = (connections.clone(), origin.clone());
        sockets.spawn_local(async move { server.serve(for_cloud.0, for_cloud.1, clock).await });
        let for_names = (settings.clone(), recorder.clone());
        sockets.spawn_local(async move { names_and_time.serve(for_names.0, for_names.1, clock).await });
        let bench = Running {
            dut,
            abilities: Abilities::of(&site),
            cloud_at: (
                scenario.bench.cloud.host.value.clone(),
                scenario.bench.cloud.port.value,
            ),
            site,
            mac,
            device,
            recorder,
            origin,
            connections,
            settings,
            sockets,
            runtime,
            started,
            now: Instant::ZERO,
            seen: Vec::new(),
            access_point_is_off: false,
            power_is_off: false,
        };
        let terms = Terms {
            firmware_sha256: firmware_sha256.to_owned(),
            seed,
            strict: limits.strict,
            time_scale: limits.time_scale.max(1),
        };
        Ok(Run::new(&scenario, Box::new(bench), terms))
    }
}

/// Makes the scenario's bench the one that stands here: its network, its servers, its device.
fn adapt(scenario: &mut Scenario, site: &Site) {
    let bench = &mut scenario.bench;
    let provisioning = &mut bench.provisioning;
    if let Some((ssid, password)) = &site.network {
        bench.network.ssid.value.clone_from(ssid);
        bench.network.password.value.clone_from(password);
    }
    // A scenario that provisions something wrong on purpose keeps it.
    if provisioning.server.host.is_none() && site.dns_port.is_none() {
        provisioning.server.host = Some(scenario::Located::unwritten(site.host.to_string()));
    }
    if provisioning.server.port.is_none() {
        provisioning.server.port = Some(scenario::Located::unwritten(site.cloud_port));
    }
    if provisioning.ntp.server.is_none() && site.dns_port.is_none() {
        provisioning.ntp.server = Some(scenario::Located::unwritten(site.host.to_string()));
    }
    if provisioning.ntp.port.is_none() {
        provisioning.ntp.port = Some(scenario::Located::unwritten(site.ntp_port));
    }
}

/// A bench that runs.
struct Running {
    dut: Box<dyn Dut>,
    site: Site,
    abilities: Abilities,
    /// The cloud's host and port in the scenario.
    cloud_at: (String, u16),
    mac: Mac,
    device: String,
    recorder: SharedRecorder,
    origin: Shared,
    connections: Rc<NewConnections>,
    settings: Rc<Settings>,
    sockets: LocalSet,
    runtime: Runtime,
    started: tokio::time::Instant,
    now: Instant,
    seen: Vec<(Instant, Observation)>,
    access_point_is_off: bool,
    power_is_off: bool,
}

impl Running {
    fn clock(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    fn hear_the_device(&mut self) {
        let mut seen = std::mem::take(&mut self.seen);
        self.dut.take_observations(&mut seen);
        for (at, observation) in seen.drain(..) {
            if let Some(kind) = translate::observation(observation) {
                self.recorder.borrow_mut().tell(at.min(self.now), kind);
            }
        }
        self.seen = seen;
    }

    /// Lets cloud and fault plan do all that is due now.
    fn settle(&mut self) -> Result<(), RunError> {
        for _ in 0..MOST_ROUNDS {
            {
                let mut origin = self.origin.borrow_mut();
                origin.service.advance(self.now);
                let mut recorder = self.recorder.borrow_mut();
                recorder.take_facts(origin.service.as_mut());
                recorder.advance(self.now);
            }
            let orders = self.recorder.borrow_mut().take_orders();
            if orders.is_empty() {
                return Ok(());
            }
            for order in orders {
                let done = self.act(self.now, &order)?;
                self.recorder.borrow_mut().confirm(&order, done, self.now);
            }
        }
        Ok(())
    }
}

impl Bench for Running {
    /// Serves the sockets for a moment, then hears the device.
    fn turn(&mut self, until: Instant) -> Result<Instant, RunError> {
        // What is due at time zero comes before the first datagram.
        self.settle()?;
        let rest = until.since(self.clock().min(until)).min(TICK);
        self.sockets
            .block_on(&self.runtime, async { tokio::time::sleep(rest).await });
        self.dut.run_until(self.dut.now())?;
        self.now = self.clock().max(self.now);
        self.hear_the_device();
        if let Some(error) = self.dut.not_running(self.now.since(Instant::ZERO)) {
            return Err(error.into());
        }
        self.settle()?;
        Ok(self.now)
    }

    fn device(&mut self) -> &mut dyn Dut {
        self.dut.as_mut()
    }

    fn tell(&mut self, at: Instant, kind: Kind) {
        self.recorder.borrow_mut().tell(at, kind);
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.recorder.borrow_mut().take_events()
    }

    fn unfired(&self) -> Vec<(String, Option<String>)> {
        self.recorder.borrow().unfired()
    }

    fn take_frames(&mut self) -> Vec<CapturedFrame> {
        Vec::new()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What a fault switched off is not left so for the next scenario. Nobody is there any more to hear of a failure;
        // the next run will.
        if let Some(access_point) = self
            .site
            .access_point
            .as_mut()
            .filter(|_| self.access_point_is_off)
        {
            let _ = access_point.set_on(true);
        }
        if self.power_is_off {
            let _ = self.dut.set_power(true);
        }
    }
}
