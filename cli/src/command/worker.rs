//! `bitfront worker`: leases work until it is told to stop, then drains.

use std::io::Read;
use std::path::PathBuf;

use bitfront_worker::Config;
use tokio_util::sync::CancellationToken;

use super::Signals;
use crate::args::{Global, Worker};
use crate::client;
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(global: &Global, options: Worker) -> Outcome {
    let limits = options.limits();
    let mut config = Config::new(
        global.url.clone(),
        options.cache.unwrap_or_else(default_cache),
    );
    config.token = client::token(global)?;
    config.ca.clone_from(&global.ca);
    config.name = options.name.unwrap_or_else(default_name);
    config.cache_limit = options.cache_limit;
    config.slots = options.slots;
    config.max_idle = options.max_idle;
    config.kinds = options.kinds;
    config.grace = options.grace;
    config.memory_limit = options.memory_limit;
    config.limits = limits;

    let drain = CancellationToken::new();
    let immediate = config.immediate.clone();
    let first = drain.clone();
    let mut signals = Signals::catch()?;
    tokio::spawn(async move {
        // The first signal drains, the second hands everything back at once.
        signals.next().await;
        tracing::info!("draining: no new work; a second signal ends at once");
        first.cancel();
        signals.next().await;
        immediate.cancel();
    });
    if options.until_stdin_closes {
        let orphaned = drain.clone();
        // A thread of its own: a blocked read cannot be cancelled, and the process ends without it.
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 64];
            let mut stdin = std::io::stdin().lock();
            while stdin.read(&mut buffer).is_ok_and(|read| read > 0) {}
            if !orphaned.is_cancelled() {
                tracing::warn!(
                    "standard input closed: whoever started this worker is gone, draining"
                );
                orphaned.cancel();
            }
        });
    }
    bitfront_worker::run(config, drain)
        .await
        .map_err(|error| Failure::general(format!("failed to run the worker: {error}")))?;
    Ok(Exit::Ok)
}

fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!(
        "{}-{}",
        if host.trim().is_empty() {
            "worker"
        } else {
            host.trim()
        },
        std::process::id()
    )
}

/// `$XDG_CACHE_HOME/bitfront`, `~/.cache/bitfront`, or a folder in the temporary folder.
fn default_cache() -> PathBuf {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("bitfront")
}
