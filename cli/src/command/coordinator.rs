//! `bitfront coordinator`: one coordinator process; any number may share a database.

use std::path::Path;

use bitfront_coordinator::{Config, config::Tls, serve};
use bitfront_hardware::device::Devices;

use super::Signals;
use crate::args::{Coordinator, Global};
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(global: &Global, options: &Coordinator) -> Outcome {
    let mut config = Config::new(options.bind, &options.database_url, &options.data);
    config.tls = options
        .tls_certificate
        .clone()
        .zip(options.tls_key.clone())
        .map(|(certificate, key)| Tls { certificate, key });
    config.tokens_required = options.tokens_required;
    config.lease_ttl = options.lease_ttl;
    config.devices = devices(options.devices.as_deref())?;
    let mut signals = Signals::catch()?;
    let running = serve(config).await.map_err(|error| failure(&error))?;
    if !global.quiet {
        eprintln!("serving at {}", running.url());
    }
    let stop = running.stop_token();
    let waiting = tokio::spawn(async move {
        signals.next().await;
        tracing::info!("draining");
        stop.cancel();
    });
    running.wait().await;
    waiting.abort();
    Ok(Exit::Ok)
}

/// The devices that come with the program, and those of the user's own table.
pub(super) fn devices(file: Option<&Path>) -> Outcome<Devices> {
    let known = Devices::known();
    let Some(path) = file else {
        return Ok(known.clone());
    };
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "failed to read --devices {}: {error}",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    let own = Devices::parse(&text).map_err(|error| refuse(&error))?;
    known.and(own).map_err(|error| refuse(&error))
}

/// Why a coordinator did not start, with the exit code that tells what to do.
pub(super) fn failure(error: &bitfront_coordinator::ServeError) -> Failure {
    use bitfront_coordinator::ServeError;
    let exit = match error {
        ServeError::Insecure(_) => Exit::Usage,
        ServeError::Bind { .. } => Exit::Conflict,
        ServeError::Open(_) => Exit::Unreachable,
        ServeError::Tls(_) => Exit::General,
    };
    let failure = Failure::new(exit, format!("failed to {error}"));
    if exit == Exit::Conflict {
        failure.detail("choose another address with --bind; port 0 takes a free one")
    } else {
        failure
    }
}
