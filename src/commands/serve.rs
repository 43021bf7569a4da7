//! `oceanrig serve`

use std::io::Write as _;

use cloud::server::Server;
use cloud::{Cloud, NoFaults, Origin};
use sim::{Instant, UnixTime};

use crate::cli::ServeArgs;
use crate::commands::check;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// Serves the mock cloud over TCP until Ctrl-C.
///
/// # Errors
/// When the scenario is not valid or the address cannot be listened on.
pub(crate) fn serve(args: &ServeArgs) -> Result<Exit, CliError> {
    let bench = match &args.scenario {
        None => scenario::Bench::default(),
        Some(path) => {
            let cases = check::read(std::slice::from_ref(path))?;
            cases.into_iter().next().map(|case| case.bench).unwrap_or_default()
        }
    };
    let mut config = runner::cloud_config(&bench, bench.seed);
    // Real devices carry the real time.
    config.epoch = wall_time();
    let cloud = Cloud::new(config).map_err(CliError::Serve)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let server = Server::bind(args.listen).await.map_err(CliError::Serve)?;
        let addr = server.local_addr().map_err(CliError::Runtime)?;
        writeln!(std::io::stdout(), "serving the OceanRemote cloud at http://{addr}").map_err(stdout_failed)?;
        anstream::eprintln!(
            "device id {}, registration token {}; Ctrl-C stops",
            bench.device_id(),
            bench.cloud.registration_token.value
        );
        let started = tokio::time::Instant::now();
        let clock = move || Instant::ZERO + started.elapsed();
        let interrupted = async {
            // Where the system gives no signal there is none to wait for.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        server.run(Origin::shared(cloud, NoFaults), clock, interrupted).await;
        Ok(Exit::Passed)
    })
}

#[expect(clippy::disallowed_methods, reason = "a server for real devices lives in real time")]
fn wall_time() -> UnixTime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
