//! `bitfront up`: private Postgres, a coordinator in this process, worker processes; Ctrl-C drains them
//! in the order workers, coordinator, Postgres.
//!
//! The rule this module keeps: whatever fails or interrupts it, what was started is stopped, and in
//! that order. Children stand in process groups of their own, so that the terminal's Ctrl-C reaches
//! only this process.

mod workers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bitfront_coordinator::private_postgres::{PrivatePostgres, default_data_folder};
use bitfront_coordinator::{Config, Running, serve};
use serde_json::Value;

use self::workers::Workers;
use super::coordinator;
use super::signal;
use super::watch::{ending, until_end};
use crate::args::{Global, Up, cores};
use crate::client::{Client, Front};
use crate::demo::{self, Clock, Report};
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::progress::Progress;
use crate::view;

pub(super) async fn run(global: &Global, options: &Up) -> Outcome {
    let started = Instant::now();
    let data = folder(options)?;
    let say = |text: &str| {
        if !global.quiet {
            eprintln!("{text}");
        }
    };
    // From here on a signal is ours: it must not kill the process while children run.
    let mut caught = std::pin::pin!(signal());

    let (postgres, database_url) = match &options.database_url {
        Some(url) => (None, url.clone()),
        None => {
            let data = data.clone();
            let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&data))
                .await
                .failed_to("start the private Postgres")?
                .map_err(|error| Failure::general(format!("failed to {error}")))?;
            let url = postgres.url().to_owned();
            (Some(postgres), url)
        }
    };
    let outcome = match start_coordinator(options, &database_url, &data).await {
        Err(failure) => Err(failure),
        Ok(running) => {
            let count = options.workers.map_or_else(cores, usize::from);
            let outcome = match Workers::start(running.url(), &data, count) {
                Err(failure) => Err(failure),
                Ok(mut workers) => {
                    let database = match &postgres {
                        Some(postgres) => format!(
                            "private Postgres {} in {}",
                            postgres.version(),
                            data.display()
                        ),
                        None => "the database given".to_owned(),
                    };
                    say(&format!(
                        "bitfront is up at {} ({count} workers, {database})",
                        running.url()
                    ));
                    let outcome = tokio::select! {
                        outcome = work(global, options, running.url(), started, count) => outcome,
                        () = workers.supervise() => Err(Failure::general("the workers cannot be kept running")),
                        caught = &mut caught => caught.map(|()| Exit::Ok),
                    };
                    say("draining");
                    let second = async {
                        // A second signal ends the workers at once; the order stays.
                        if caught_again().await.is_ok() {}
                    };
                    workers.drain(second).await;
                    outcome
                }
            };
            running.shutdown().await;
            outcome
        }
    };
    if let Some(postgres) = postgres {
        tokio::task::spawn_blocking(move || postgres.stop())
            .await
            .failed_to("stop the private Postgres")?;
    }
    outcome
}

async fn caught_again() -> Outcome<()> {
    signal().await
}

/// The data folder: the option, else the user's default (for the demo a folder of its own in it).
fn folder(options: &Up) -> Outcome<PathBuf> {
    let folder = match &options.data {
        Some(folder) => std::path::absolute(folder).failed_to("find the data folder")?,
        None => {
            let folder = default_data_folder()
                .map_err(|error| Failure::usage(format!("failed to {error}")))?;
            if options.demo {
                folder.join("demo")
            } else {
                folder
            }
        }
    };
    if options.database_url.is_some() {
        std::fs::create_dir_all(&folder)
            .failed_to(format!("make the data folder {}", folder.display()))?;
    }
    Ok(folder)
}

async fn start_coordinator(options: &Up, database_url: &str, data: &Path) -> Outcome<Running> {
    if !options.bind.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "failed to serve on {}: `up` serves loopback only",
            SocketAddr::to_string(&options.bind)
        ))
        .detail("use `bitfront coordinator` with a certificate and tokens for other machines"));
    }
    let mut config = Config::new(options.bind, database_url, data.join("artifacts"));
    config.lease_ttl = options.lease_ttl;
    serve(config)
        .await
        .map_err(|error| coordinator::failure(&error))
}

/// What happens while everything runs: the demo, or nothing until a signal.
async fn work(
    global: &Global,
    options: &Up,
    url: &str,
    started: Instant,
    workers: usize,
) -> Outcome {
    if !options.demo {
        if !global.quiet {
            eprintln!("submit a search with `bitfront submit FILE --url {url}`; Ctrl-C drains");
        }
        return std::future::pending().await;
    }
    let exit = run_demo(global, options, url, started, workers).await?;
    if options.once {
        return Ok(exit);
    }
    if !global.quiet {
        eprintln!("\nthe page stays up at {url}; Ctrl-C drains");
    }
    std::future::pending().await
}

async fn run_demo(
    global: &Global,
    options: &Up,
    url: &str,
    started: Instant,
    workers: usize,
) -> Outcome {
    let client = Client::local(url)?;
    let mut clock = Clock::new(started);
    let id = demo::submit(&client).await?;
    let mut progress = Progress::new(global.quiet);
    progress.say(&format!(
        "searching the bundled jets (generated data); the page: {url}"
    ));
    let search = until_end(&client, &id, |search, front| {
        clock.see(search);
        progress.show(search, front);
    })
    .await;
    progress.finish();
    let search = search?;
    let value: Value = client
        .get(&format!("/api/v1/searches/{id}/front"), &[])
        .await?;
    let front: Front = serde::Deserialize::deserialize(&value)
        .map_err(|error| Failure::general(format!("failed to read the front: {error}")))?;
    let report = Report::new(&search, &front, &clock, workers);
    if global.json {
        view::json(&report);
    } else {
        view::print(&format!(
            "{}\n{}\n{}\n",
            view::front(&front),
            report.summary(),
            demo::GENERATED
        ));
        if !global.quiet {
            eprintln!(
                "\nnext: bitfront front {0} --url {url}\n      bitfront trials {0} --sort -accuracy --url {url}\n      \
                 bitfront submit examples/jets-paper.yaml --watch --url {url}",
                search.name
            );
        }
    }
    if let Some(path) = &options.report {
        report.write(path)?;
    }
    Ok(ending(&search))
}
