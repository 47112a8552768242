//! `bitfront up`: private Postgres, a coordinator in this process, worker processes; Ctrl-C drains them
//! in the order workers, coordinator, Postgres.
//!
//! The rule this module keeps: whatever fails or interrupts it, what was started is stopped, and in
//! that order. Children stand in process groups of their own, so that the terminal's Ctrl-C reaches
//! only this process.

mod workers;

use std::path::PathBuf;
use std::time::Instant;

use bitfront_coordinator::private_postgres::{PrivatePostgres, default_data_folder};
use bitfront_coordinator::{Config, Running, serve};

use self::workers::Workers;
use super::Signals;
use super::coordinator;
use super::watch::{ending, until_end};
use crate::args::{Global, Up, cores};
use crate::client::{Client, Front};
use crate::demo::{self, Clock, Report};
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::progress::Progress;
use crate::view;

/// One run: its options and where it stands.
struct Run<'a> {
    global: &'a Global,
    options: &'a Up,
    data: PathBuf,
    started: Instant,
    workers: usize,
}

pub(super) async fn run(global: &Global, options: &Up) -> Outcome {
    let run = Run {
        global,
        options,
        data: folder(options)?,
        started: Instant::now(),
        workers: options.workers.map_or_else(cores, usize::from),
    };
    // From here on a signal must not end this process while children run.
    let mut signals = Signals::catch()?;
    let postgres = start_postgres(&run).await?;
    let outcome = with_coordinator(&run, postgres.as_ref(), &mut signals).await;
    if let Some(postgres) = postgres {
        tokio::task::spawn_blocking(move || postgres.stop())
            .await
            .failed_to("stop the private Postgres")?;
    }
    outcome
}

/// The private Postgres, unless another database is named.
async fn start_postgres(run: &Run<'_>) -> Outcome<Option<PrivatePostgres>> {
    if run.options.database_url.is_some() {
        return Ok(None);
    }
    let data = run.data.clone();
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&data))
        .await
        .failed_to("start the private Postgres")?
        .map_err(|error| Failure::general(format!("failed to {error}")))?;
    Ok(Some(postgres))
}

async fn with_coordinator(
    run: &Run<'_>,
    postgres: Option<&PrivatePostgres>,
    signals: &mut Signals,
) -> Outcome {
    let running = start_coordinator(run, postgres).await?;
    let outcome = with_workers(run, running.url(), postgres, signals).await;
    running.shutdown().await;
    outcome
}

async fn with_workers(
    run: &Run<'_>,
    url: &str,
    postgres: Option<&PrivatePostgres>,
    signals: &mut Signals,
) -> Outcome {
    let mut workers = Workers::start(url, &run.data, run.workers)?;
    let database = postgres.map_or_else(
        || "the database given".to_owned(),
        |postgres| {
            format!(
                "private Postgres {} in {}",
                postgres.version(),
                run.data.display()
            )
        },
    );
    run.say(&format!(
        "bitfront is up at {url} ({} workers, {database})",
        run.workers
    ));
    let outcome = tokio::select! {
        outcome = run.work(url) => outcome,
        () = workers.supervise() => {
            Err(Failure::general(format!("the workers do not stay up; their logs are in {}", run.data.display())))
        }
        // An interrupted demo that was to run to its end has not.
        () = signals.next() => Ok(if run.options.once { Exit::Interrupted } else { Exit::Ok }),
    };
    run.say("draining");
    // A second signal ends the workers at once; the order stays.
    workers.drain(signals.next()).await;
    outcome
}

/// The data folder of options that can be honoured: the one named, else the user's default (for the demo a folder of its own in it).
fn folder(options: &Up) -> Outcome<PathBuf> {
    let folder = if let Some(folder) = &options.data {
        std::path::absolute(folder).failed_to("find the data folder")?
    } else {
        let folder =
            default_data_folder().map_err(|error| Failure::usage(format!("failed to {error}")))?;
        if options.demo {
            folder.join("demo")
        } else {
            folder
        }
    };
    if !options.bind.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "failed to serve on {}: `up` serves loopback only",
            options.bind
        ))
        .detail("use `bitfront coordinator` with a certificate and tokens for other machines"));
    }
    if options.database_url.is_some() {
        std::fs::create_dir_all(&folder)
            .failed_to(format!("make the data folder {}", folder.display()))?;
    }
    Ok(folder)
}

async fn start_coordinator(run: &Run<'_>, postgres: Option<&PrivatePostgres>) -> Outcome<Running> {
    let bind = run.options.bind;
    let database_url = match (&run.options.database_url, postgres) {
        (Some(url), _) => url.as_str(),
        (None, Some(postgres)) => postgres.url(),
        (None, None) => return Err(Failure::general("no database was started")),
    };
    let mut config = Config::new(bind, database_url, run.data.join("artifacts"));
    config.lease_ttl = run.options.lease_ttl;
    config.devices = coordinator::devices(run.options.devices.as_deref())?;
    serve(config)
        .await
        .map_err(|error| coordinator::failure(&error))
}

impl Run<'_> {
    fn say(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("{text}");
        }
    }

    /// What happens while everything runs: the demo, or nothing until a signal.
    async fn work(&self, url: &str) -> Outcome {
        if !self.options.demo {
            self.say(&format!(
                "submit a search with `bitfront submit FILE --url {url}`; Ctrl-C drains"
            ));
            return std::future::pending().await;
        }
        let exit = self.demo(url).await?;
        if self.options.once {
            return Ok(exit);
        }
        self.say(&format!("\nthe page stays up at {url}; Ctrl-C drains"));
        std::future::pending().await
    }

    async fn demo(&self, url: &str) -> Outcome {
        let client = Client::local(url)?;
        let mut clock = Clock::new(self.started);
        let id = demo::submit(&client).await?;
        let mut progress = Progress::new(self.global.quiet);
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
        let front: Front = client
            .get(&format!("/api/v1/searches/{id}/front"), &[])
            .await?;
        let report = Report::new(&search, &front, &clock, self.workers);
        if self.global.json {
            view::json(&report);
        } else {
            view::print(&format!(
                "{}\n{}\n{}\n",
                view::front(&front),
                report.summary(),
                demo::GENERATED
            ));
            if !self.options.once {
                self.say(&format!(
                    "\nnext: bitfront front {0} --url {url}\n      bitfront trials {0} --sort -accuracy --url {url}\n      \
                     bitfront trial show {0}#{1} --url {url}",
                    search.name,
                    front.members.last().map_or(0, |member| member.number),
                ));
            }
        }
        if let Some(path) = &self.options.report {
            report.write(path)?;
        }
        Ok(ending(&search))
    }
}
