//! The main loop: register, lease as much as there are free slots, hand leases to executors, drain.

use std::sync::Arc;
use std::time::Duration;

use bitfront_proto::v1::{HeartbeatRequest, Lease, LeaseRequest, RegisterRequest, UnitRef};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::{debug, info, warn};

use crate::attempt::{Attempt, Stop};
use crate::cache::FileCache;
use crate::context::{Context, Times};
use crate::link::{Backoff, Link};
use crate::tools::Tools;
use crate::{Config, Kind, WorkerError, executor, heartbeat};

/// How long the goodbye (releases, the last heartbeat) may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs a worker until `drain` is cancelled, the coordinator asks it to stop, or it has been idle
/// for `max_idle`.
///
/// A drain stops leasing, lets running work end within `grace`, hands the rest back uncharged and
/// returns `Ok`. An unreachable coordinator is waited for.
///
/// # Errors
/// [`WorkerError`] when a setting cannot be honoured, the cache folder cannot be used, or the
/// coordinator refuses this worker.
pub async fn run(config: Config, drain: CancellationToken) -> Result<(), WorkerError> {
    config.check()?;
    let link = Link::new(&config)?;
    let cache = FileCache::new(&config.cache_dir, config.cache_limit)?;
    let tools = tokio::task::spawn_blocking(Tools::find)
        .await
        .unwrap_or_default();
    // A child token: the coordinator's wish to stop this worker is not the caller's.
    let drain = drain.child_token();
    let kinds = kinds(&config, &tools)?;
    let context = Arc::new(Context::new(config, link, cache, tools, kinds, drain));
    if !announce(&context).await? {
        return Ok(());
    }
    let finished = CancellationToken::new();
    let beats = tokio::spawn(heartbeat::run(Arc::clone(&context), finished.clone()));
    let mut running = JoinSet::new();
    let led = lead(&context, &mut running).await;
    wind_down(&context, &mut running).await;
    finished.cancel();
    let _ = beats.await;
    goodbye(&context).await;
    led
}

/// The kinds this worker takes.
fn kinds(config: &Config, tools: &Tools) -> Result<Vec<Kind>, WorkerError> {
    let able = tools.can_synthesise();
    if config.kinds.is_empty() {
        return Ok(if able {
            vec![Kind::Trial, Kind::Synthesis]
        } else {
            info!(missing = ?tools.missing(), "no synthesis jobs on this machine");
            vec![Kind::Trial]
        });
    }
    if config.kinds.contains(&Kind::Synthesis) && !able {
        return Err(WorkerError::Config {
            field: "kinds",
            value: format!("synthesis without {} on PATH", tools.missing().join(", ")),
            accepted: "trial, or synthesis where verilator, g++ and the programs of an engine are installed",
        });
    }
    Ok(config.kinds.clone())
}

/// Registers; waits for a coordinator that does not answer or is not well. False: told to stop
/// meanwhile, or idle for too long.
async fn announce(context: &Context) -> Result<bool, WorkerError> {
    let idle = context.config.max_idle.unwrap_or(Duration::MAX);
    let registered = async {
        let mut backoff = Backoff::new();
        loop {
            match register(context).await {
                Err(status) if !is_refusal(&status) => {
                    debug!(code = ?status.code(), message = status.message(), "not registered yet");
                    tokio::time::sleep(backoff.next()).await;
                }
                answered => break answered,
            }
        }
    };
    tokio::select! {
        () = context.drain.cancelled() => Ok(false),
        () = context.config.immediate.cancelled() => Ok(false),
        () = tokio::time::sleep(idle) => {
            info!("no coordinator answered within the idle time");
            Ok(false)
        }
        answer = registered => match answer {
            Ok(()) => Ok(true),
            Err(status) => Err(refused("register", &status)),
        }
    }
}

/// Engines of the synthesis jobs that this worker takes.
fn engines(context: &Context) -> Vec<String> {
    if !context.kinds.contains(&Kind::Synthesis) {
        return Vec::new();
    }
    let here = context.tools.engines().into_iter();
    here.map(|engine| engine.name().to_owned()).collect()
}

/// Announces this process and takes over the coordinator's times.
pub(crate) async fn register(context: &Context) -> Result<(), Status> {
    let config = &context.config;
    let response = context
        .link
        .register(RegisterRequest {
            worker_id: context.worker_id.clone(),
            name: config.name.clone(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: config.slots as u32,
            kinds: context
                .kinds
                .iter()
                .map(|kind| kind.wire() as i32)
                .collect(),
            tools: context.tools.versions(),
            cpu_level: bitfront_kernel::level().to_owned(),
            engines: engines(context),
            engine_version: bitfront_training::ENGINE_VERSION,
        })
        .await?;
    let lease_ttl = Duration::from_millis(response.lease_ttl_ms.max(100).into());
    let heartbeat = match response.heartbeat_interval_ms {
        0 => lease_ttl / 3,
        ms => Duration::from_millis(ms.into()).min(lease_ttl / 3),
    };
    context.set_times(Times {
        lease_ttl,
        heartbeat,
    });
    info!(
        worker = %context.worker_id,
        name = %config.name,
        coordinator = %response.coordinator_version,
        lease_ttl_ms = lease_ttl.as_millis() as u64,
        "registered"
    );
    Ok(())
}

/// Leases and starts work until the drain.
async fn lead(context: &Arc<Context>, running: &mut JoinSet<()>) -> Result<(), WorkerError> {
    let mut backoff = Backoff::new();
    let mut idle_since = Instant::now();
    let mut known = true;
    // A request that failed is repeated under its id: what it leased all the same comes with the
    // answer and is not left to expire.
    let mut unanswered = None;
    loop {
        while running.try_join_next().is_some() {
            idle_since = Instant::now();
        }
        let free = context.config.slots.saturating_sub(running.len());
        if free == 0 {
            tokio::select! {
                () = context.drain.cancelled() => return Ok(()),
                _ = running.join_next() => {}
            }
            idle_since = Instant::now();
            continue;
        }
        if running.is_empty()
            && let Some(most) = context.config.max_idle
            && idle_since.elapsed() >= most
        {
            info!("no work within the idle time");
            return Ok(());
        }
        // Silence may have been a restart: the new process should know its workers.
        if !known {
            match register(context).await {
                Ok(()) => known = true,
                Err(status) if is_refusal(&status) => return Err(refused("register", &status)),
                Err(_) => {
                    if pause(context, backoff.next()).await {
                        give_back_unseen(context, unanswered).await;
                        return Ok(());
                    }
                    continue;
                }
            }
        }
        let request = unanswered
            .take()
            .unwrap_or_else(|| ask(context, free, idle_since));
        let sent = Instant::now();
        let answer = tokio::select! {
            biased;
            () = context.drain.cancelled() => {
                give_back_unseen(context, Some(request)).await;
                return Ok(());
            }
            answer = context.link.lease(request.clone()) => answer,
        };
        match answer {
            Ok(response) => {
                backoff.reset();
                if !response.leases.is_empty() {
                    idle_since = Instant::now();
                }
                for lease in response.leases {
                    start(context, running, lease, sent);
                }
            }
            Err(status) if is_refusal(&status) => return Err(refused("lease", &status)),
            Err(status) => {
                known = false;
                unanswered = Some(request);
                debug!(code = ?status.code(), message = status.message(), "no leases");
                if pause(context, backoff.next()).await {
                    give_back_unseen(context, unanswered).await;
                    return Ok(());
                }
            }
        }
    }
}

/// The next request for work. It waits at most a third of a lease, because a lease is counted from
/// when its request was sent, and not beyond the idle time.
fn ask(context: &Context, free: usize, idle_since: Instant) -> LeaseRequest {
    let mut wait = (context.times().lease_ttl / 3).min(Duration::from_secs(30));
    if let Some(most) = context.config.max_idle {
        wait = wait.min(
            most.saturating_sub(idle_since.elapsed())
                .max(Duration::from_millis(50)),
        );
    }
    LeaseRequest {
        worker_id: context.worker_id.clone(),
        request_id: uuid::Uuid::now_v7().to_string(),
        capacity: free as u32,
        kinds: context
            .kinds
            .iter()
            .map(|kind| kind.wire() as i32)
            .collect(),
        wait_ms: wait.as_millis() as u32,
    }
}

/// Waits; true when a drain began meanwhile.
async fn pause(context: &Context, wait: Duration) -> bool {
    tokio::select! {
        () = context.drain.cancelled() => true,
        () = tokio::time::sleep(wait) => false,
    }
}

/// A drain cut a request short: whatever it leased all the same is asked for once more, without
/// waiting, and handed back.
async fn give_back_unseen(context: &Context, request: Option<LeaseRequest>) {
    let Some(request) = request else { return };
    let again = LeaseRequest {
        wait_ms: 0,
        ..request
    };
    let Ok(Ok(response)) = tokio::time::timeout(GOODBYE, context.link.lease(again)).await else {
        return;
    };
    let units: Vec<UnitRef> = response.leases.into_iter().filter_map(|l| l.unit).collect();
    if !units.is_empty() {
        let release = context.link.release(&context.worker_id, units);
        let _ = tokio::time::timeout(GOODBYE, release).await;
    }
}

/// Starts a leased attempt.
fn start(context: &Arc<Context>, running: &mut JoinSet<()>, lease: Lease, sent: Instant) {
    let Some(unit) = lease.unit.clone() else {
        warn!("a lease without a unit of work was ignored");
        return;
    };
    let ttl = Duration::from_millis(lease.ttl_ms.into());
    let attempt = Arc::new(Attempt::new(unit, sent, ttl));
    if context.enter(&attempt) {
        let context = Arc::clone(context);
        running.spawn(executor::run(context, attempt, lease.work));
    }
}

/// Lets running work end within the grace, then releases the rest.
async fn wind_down(context: &Context, running: &mut JoinSet<()>) {
    context.drain.cancel();
    context.hurry.notify_one();
    let ended = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => return,
        () = tokio::time::sleep(context.config.grace) => {}
        () = context.config.immediate.cancelled() => {}
    }
    for attempt in context.held() {
        attempt.stop(Stop::Released);
    }
    let ended = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, ended).await.is_err() {
        // The leases run out by themselves.
        warn!(left = running.len(), "some work did not stop in time");
        running.abort_all();
    }
}

/// Tells the coordinator that this worker is leaving.
async fn goodbye(context: &Context) {
    let request = HeartbeatRequest {
        worker_id: context.worker_id.clone(),
        units: Vec::new(),
        draining: true,
    };
    let _ = context
        .link
        .heartbeat(request, Duration::from_secs(1))
        .await;
}

/// Whether the coordinator will never take calls of this worker.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
            | Code::InvalidArgument
    )
}

fn refused(call: &'static str, status: &Status) -> WorkerError {
    WorkerError::Refused {
        call,
        message: format!("{:?}: {}", status.code(), status.message()),
    }
}
