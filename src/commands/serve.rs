//! `oceanrig serve`

use std::io::Write as _;
use std::net::SocketAddr;

use faults::Served;
use scenario::{Purpose, Scenario};
use serve::{ControlOptions, Options, ScenarioFault, ServeError, Service, TlsOptions};
use sim::UnixTime;

use crate::cli::ServeArgs;
use crate::commands::check;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// The environment variable that holds the control token where no argument does.
const TOKEN_VARIABLE: &str = "OCEANRIG_CONTROL_TOKEN";

/// Serves the mock cloud over TCP or TLS until Ctrl-C or SIGTERM, which is how a server ends: exit code 0.
///
/// # Errors
/// When the scenario is not valid, an address cannot be listened on, or the control interface would be open to all.
pub(crate) fn serve(args: &ServeArgs) -> Result<Exit, CliError> {
    let scenario = read_scenario(args)?;
    let bench = scenario.as_ref().map(|s| s.bench.clone()).unwrap_or_default();
    let options = options(args, scenario.as_ref());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(async {
        // From here on Ctrl-C ends the server and not the process under it.
        let interrupted = interruption().map_err(CliError::Runtime)?;
        let service = Service::bind(options).await.map_err(|why| match why {
            ServeError::Cloud(why) => CliError::Serve(why.into()),
            ServeError::Listen(why) => CliError::Serve(why.into()),
            why => CliError::Bench(chain(&why)),
        })?;
        announce(args, &service).map_err(stdout_failed)?;
        for left_out in service.left_out() {
            anstream::eprintln!("{left_out}");
        }
        anstream::eprintln!(
            "device id {}, registration token {}; Ctrl-C stops",
            bench.device_id(),
            bench.cloud.registration_token.value
        );
        service.run(interrupted).await;
        Ok(Exit::Passed)
    })
}

fn read_scenario(args: &ServeArgs) -> Result<Option<Scenario>, CliError> {
    let Some(path) = &args.scenario else {
        return Ok(None);
    };
    let mut cases = check::read_for(Purpose::Served, std::slice::from_ref(path))?;
    let found = match &args.case {
        Some(name) => cases.iter().position(|case| case.case_name() == *name),
        None => (cases.len() == 1).then_some(0),
    };
    let Some(found) = found else {
        let names: Vec<String> = cases.iter().map(Scenario::case_name).collect();
        return Err(CliError::Case(names.join(", ")));
    };
    Ok(Some(cases.swap_remove(found)))
}

fn options(args: &ServeArgs, scenario: Option<&Scenario>) -> Options {
    let bench = scenario.map(|s| s.bench.clone()).unwrap_or_default();
    let mut cloud = faults::cloud_config(&bench, bench.seed);
    // Real devices carry the real time.
    cloud.epoch = wall_time();
    let fault = |s: &Scenario, fault: &scenario::Fault| ScenarioFault {
        fault: fault.clone(),
        position: s.position(fault.name.span),
    };
    let token = args
        .control_token
        .clone()
        .or_else(|| std::env::var(TOKEN_VARIABLE).ok())
        .filter(|t| !t.is_empty());
    Options {
        listen: args.listen,
        control: args.control.map(|listen| ControlOptions { listen, token }),
        tls: args.tls.then(|| TlsOptions {
            dir: args.tls_dir.clone(),
            names: tls_names(args, &bench),
            fault: args.tls_fault,
        }),
        cloud,
        served: Served {
            device: bench.device_id(),
            host: bench.cloud.host.value.clone(),
            port: bench.cloud.port.value,
            tls: args.tls,
            seed: bench.seed,
        },
        faults: scenario
            .map(|s| s.faults.iter().map(|f| fault(s, f)).collect())
            .unwrap_or_default(),
    }
}

/// The names of the certificate: those of this machine, the cloud's, and those asked for.
fn tls_names(args: &ServeArgs, bench: &scenario::Bench) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !args.listen.ip().is_unspecified() {
        names.push(args.listen.ip().to_string());
    }
    names.push(bench.cloud.host.value.clone());
    names.extend(args.tls_name.iter().cloned());
    names.sort();
    names.dedup();
    names
}

fn announce(args: &ServeArgs, service: &Service) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let scheme = if args.tls { "https" } else { "http" };
    writeln!(
        out,
        "serving the OceanRemote cloud at {scheme}://{}",
        service.addr()
    )?;
    if let Some(addr) = service.control_addr() {
        writeln!(out, "control interface at http://{}/v1/", reachable(addr))?;
    }
    match (service.ca_pem(), &args.tls_dir) {
        (Some(_), Some(dir)) => writeln!(out, "clients have to trust {}", dir.join("ca.pem").display())?,
        (Some(pem), None) => write!(out, "clients have to trust\n{pem}")?,
        (None, _) => {}
    }
    out.flush()
}

/// An address that a person can paste: the unspecified one is this machine's.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, v6.port()).into(),
        addr => addr,
    }
}

/// Completes at Ctrl-C or, on Unix, SIGTERM. Listens from the call on.
fn interruption() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Where the system gives no signal there is none to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out += &format!(": {error}");
        cause = error.source();
    }
    out
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server for real devices lives in real time"
)]
fn wall_time() -> UnixTime {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixTime::from_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
