//! From a device that was opened by name to a run: the bench that fits its clock and its medium.

use dut::{Clock, DutError, DutSource, Firmware, Load, Medium, Watch};
use oceanremote::Cloud;
use scenario::Scenario;

use crate::run::{Limits, Progress, Run, RunEnd, RunError, Terms};
use crate::setup::{self, SetupError};
use crate::virtual_bench::{VirtualBench, effector};
use crate::wall::{Abilities, WallBench, impossible};
use faults::{FaultPlan, Recorder};

/// Runs `scenario` on a device to its verdict.
///
/// # Errors
/// When the bench cannot be put together or fails, or the caller stops it. What the firmware does wrong is
/// never an error but part of the verdict.
pub fn run(
    source: &dyn DutSource,
    scenario: &Scenario,
    firmware: Firmware<'_>,
    limits: Limits,
    progress: &mut dyn Progress,
) -> Result<RunEnd, RunError> {
    begin(source, scenario, firmware, limits, progress)?.to_the_end(progress)
}

/// A run of `scenario` on a device that is prepared and, in wall time, started.
///
/// # Errors
/// When the bench cannot be put together, or the device cannot be prepared or started.
pub fn begin(
    source: &dyn DutSource,
    scenario: &Scenario,
    firmware: Firmware<'_>,
    limits: Limits,
    progress: &mut dyn Progress,
) -> Result<Run, RunError> {
    match (source.clock(), source.medium()) {
        (Clock::Virtual, Medium::Air) => in_virtual_time(source, scenario, firmware, limits, progress),
        (Clock::Wall, Medium::HostSockets) => in_wall_time(source, scenario, firmware, limits, progress),
        (Clock::Virtual, Medium::HostSockets) | (Clock::Wall, Medium::Air) => Err(RunError::Site(format!(
            "there is no bench for {}: simulated air has virtual time, and sockets of the host have wall time",
            source.name()
        ))),
    }
}

/// Reasons why `scenario` cannot run on a device, each with its place; none if it can.
///
/// # Errors
/// When the declaration of the device lacks something.
pub fn lacking(source: &dyn DutSource, scenario: &Scenario) -> Result<Vec<String>, DutError> {
    match source.medium() {
        Medium::Air => Ok(unable(scenario)),
        Medium::HostSockets => Ok(impossible(scenario, &Abilities::of(&source.site()?))),
    }
}

/// Actions of a scenario that no bench in virtual time can do.
fn unable(scenario: &Scenario) -> Vec<String> {
    let faults = scenario.faults.iter();
    let why = |fault: &scenario::Fault| {
        let why = effector::able(&fault.action.value).err()?;
        let span = fault.action.span.or(fault.name.span);
        Some(format!(
            "{}: `{}`: {why}",
            scenario.position(span),
            fault.action.name()
        ))
    };
    faults.filter_map(why).collect()
}

fn in_virtual_time(
    source: &dyn DutSource,
    scenario: &Scenario,
    firmware: Firmware<'_>,
    limits: Limits,
    progress: &mut dyn Progress,
) -> Result<Run, RunError> {
    let bench = &scenario.bench;
    let seed = limits.seed.unwrap_or(bench.seed);
    let flash = setup::flash_image(bench, seed)?;
    let load = Load {
        firmware,
        mac: bench.device.mac.0,
        crystal_ppm: bench.device.crystal_ppm.value,
        seed,
        flash: &flash,
        settings: &bench.provisioning_entries(),
    };
    let device = source
        .prepare(&load, &mut Watching(progress))
        .map_err(given_up)?
        .start(None)?;
    let recorder = Recorder::shared(FaultPlan::new(&scenario.faults, seed), bench.device_id());
    let cloud = Cloud::new(faults::cloud_config(bench, seed)).map_err(SetupError::from)?;
    let net = setup::net_config(bench, seed, limits.capture);
    let virtual_bench = VirtualBench::new(device, net, cloud, recorder, bench.device_id())?;
    let terms = Terms {
        firmware_sha256: sha256(source, firmware),
        seed,
        strict: limits.strict || bench.strict,
        time_scale: 1,
    };
    Ok(Run::new(scenario, Box::new(virtual_bench), terms))
}

fn in_wall_time(
    source: &dyn DutSource,
    scenario: &Scenario,
    firmware: Firmware<'_>,
    limits: Limits,
    progress: &mut dyn Progress,
) -> Result<Run, RunError> {
    let wall = WallBench::open(scenario, source.site()?)?;
    let bench = &wall.scenario().bench;
    let flash = wall.flash_image(limits)?;
    let mut settings = bench.provisioning_entries();
    // A program cannot derive its name from a MAC address as a chip does.
    if !settings.iter().any(|(key, _)| *key == "device.id") {
        settings.push(("device.id", bench.device_id()));
    }
    let load = Load {
        firmware,
        mac: bench.device.mac.0,
        crystal_ppm: bench.device.crystal_ppm.value,
        seed: limits.seed.unwrap_or(bench.seed),
        flash: &flash,
        settings: &settings,
    };
    let prepared = source.prepare(&load, &mut Watching(progress)).map_err(given_up)?;
    let mac = prepared.mac().unwrap_or(bench.device.mac.0);
    let start = |zero| Ok(prepared.start(Some(zero))?);
    wall.start(mac, start, &sha256(source, firmware), limits)
}

fn sha256(source: &dyn DutSource, firmware: Firmware<'_>) -> String {
    if source.takes_firmware() {
        firmware.sha256.to_owned()
    } else {
        String::new()
    }
}

fn given_up(error: DutError) -> RunError {
    match error {
        DutError::Cancelled => RunError::Stopped,
        error => RunError::Dut(error),
    }
}

/// The caller's progress, as a device that is being prepared sees it.
struct Watching<'a>(&'a mut dyn Progress);

impl Watch for Watching<'_> {
    fn progress(&mut self, what: &str, percent: u8) -> bool {
        self.0.preparing(what, percent)
    }

    fn remark(&mut self, text: &str) {
        self.0.remark(text);
    }
}
