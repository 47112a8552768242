//! The heartbeat: one batch an interval that renews every lease and carries the news.
//!
//! The rule this module keeps: a heartbeat that fails is unknown, not lost. It is tried again soon,
//! the news stays queued, and only the lease clock or the coordinator's own word ends an attempt.

use std::sync::Arc;
use std::time::Duration;

use bitfront_proto::v1::{HeartbeatRequest, UnitRef};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tracing::{info, warn};

use crate::attempt::{Attempt, Carried};
use crate::context::Context;
use crate::dispatcher::register;
use crate::link::{Backoff, is_passing};

/// Sends heartbeats until `finished`.
pub(crate) async fn run(context: Arc<Context>, finished: CancellationToken) {
    let mut backoff = Backoff::new();
    let mut wait = context.times().heartbeat;
    let mut silent = false;
    loop {
        tokio::select! {
            () = finished.cancelled() => return,
            () = context.hurry.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        // Nobody needs the answer once everything has ended.
        let status = tokio::select! {
            () = finished.cancelled() => return,
            result = beat(&context) => result,
        };
        let interval = context.times().heartbeat;
        wait = match status {
            Ok(()) => {
                if std::mem::take(&mut silent) {
                    info!("the coordinator answers again");
                }
                backoff.reset();
                interval
            }
            Err(status) if is_passing(&status) => {
                if !std::mem::replace(&mut silent, true) {
                    warn!(
                        message = status.message(),
                        "no answer to a heartbeat; work goes on until its lease ends"
                    );
                }
                backoff.next().max(Duration::from_millis(20)).min(interval)
            }
            Err(status) if status.code() == Code::NotFound => {
                // A coordinator that does not know this worker (a restored database): say who we are.
                if let Err(status) = register(&context).await {
                    warn!(message = status.message(), "failed to register again");
                }
                backoff.next().max(Duration::from_millis(20)).min(interval)
            }
            Err(status) => {
                warn!(code = ?status.code(), message = status.message(), "a heartbeat was refused");
                interval
            }
        };
    }
}

/// One heartbeat.
async fn beat(context: &Context) -> Result<(), tonic::Status> {
    let held: Vec<(Arc<Attempt>, Carried, bitfront_proto::v1::Progress)> = context
        .held()
        .into_iter()
        .map(|attempt| {
            let (progress, carried) = attempt.progress();
            (attempt, carried, progress)
        })
        .collect();
    let request = HeartbeatRequest {
        worker_id: context.worker_id.clone(),
        units: held
            .iter()
            .map(|(_, _, progress)| progress.clone())
            .collect(),
        draining: context.drain.is_cancelled(),
    };
    let times = context.times();
    let sent = Instant::now();
    // One interval, a third of the lease, so that a lost answer leaves time for two more tries.
    let deadline = times.heartbeat.max(Duration::from_millis(500));
    let response = context.link.heartbeat(request, deadline).await?;
    for answer in response.units {
        let Some(unit) = answer.unit.as_ref() else {
            continue;
        };
        if let Some((attempt, carried, _)) = held.iter().find(|(a, _, _)| same(a.unit(), unit)) {
            attempt.answered(answer.answer(), *carried, sent, times.lease_ttl);
        }
    }
    if response.stop && !context.drain.is_cancelled() {
        info!("the coordinator asks this worker to stop");
        context.drain.cancel();
    }
    Ok(())
}

fn same(a: &UnitRef, b: &UnitRef) -> bool {
    (a.kind, &a.id, a.attempt) == (b.kind, &b.id, b.attempt)
}
