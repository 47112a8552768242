//! Runs one attempt from its lease to its report.
//!
//! The rule this module keeps (promise P3): exactly one of complete, fail and release is sent, and
//! none of them once the attempt was lost or its lease ran out here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bitfront_proto::v1::lease::Work;
use bitfront_proto::v1::{ArtifactRef, CompleteRequest, FailRequest};
use tonic::{Code, Status};
use tracing::{Instrument, info, info_span, warn};

use crate::attempt::Attempt;
use crate::context::Context;
use crate::error::{Ended, Failure};
use crate::link::{Artifact, retry, upload};
use crate::{synthesis, trial};

/// What a unit of work produced: its result or its end, and the bytes it leaves behind either way.
pub(crate) struct Produced {
    /// Result JSON for [`CompleteRequest`].
    pub(crate) result: Result<String, Ended>,
    /// Artifacts, without the log.
    pub(crate) artifacts: Vec<Artifact>,
}

impl Produced {
    /// Nothing but an end.
    pub(crate) fn ended(ended: impl Into<Ended>) -> Self {
        Self {
            result: Err(ended.into()),
            artifacts: Vec::new(),
        }
    }
}

/// Runs an attempt and reports it.
pub(crate) async fn run(context: Arc<Context>, attempt: Arc<Attempt>, work: Option<Work>) {
    let unit = attempt.unit();
    let span = info_span!("attempt", kind = unit.kind, unit = %unit.id, attempt = unit.attempt);
    run_in_span(context, attempt, work).instrument(span).await;
}

async fn run_in_span(context: Arc<Context>, attempt: Arc<Attempt>, work: Option<Work>) {
    let held = Held {
        context: &context,
        attempt: &attempt,
    };
    // The lease was counted from before a long poll: renew it at once.
    context.hurry.notify_one();
    let watchdog = tokio::spawn({
        let attempt = Arc::clone(&attempt);
        async move { attempt.watch().await }
    });
    let produced = match work {
        Some(Work::Trial(work)) => trial::run(&context, &attempt, work).await,
        Some(Work::Synthesis(work)) => synthesis::run(&context, &attempt, work).await,
        None => Produced::ended(Failure::lasting(
            "internal",
            "a lease without work: coordinator and worker speak different versions",
        )),
    };
    tokio::select! {
        () = attempt.stopped() => {}
        () = report(&context, &attempt, produced) => {}
    }
    watchdog.abort();
    if let Some(reason) = attempt.reason() {
        if reason.owes_release() {
            release(&context, &attempt).await;
        }
        info!(?reason, "stopped");
    }
    drop(held);
}

/// Renewed as long as this lives: an attempt whose task ends in any way is not renewed any more.
struct Held<'a> {
    context: &'a Context,
    attempt: &'a Attempt,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.context.leave(self.attempt);
    }
}

/// Uploads and reports. The caller drops this future when the attempt is stopped.
async fn report(context: &Context, attempt: &Attempt, produced: Produced) {
    let failure = match &produced.result {
        Err(Ended::Stopped) => return,
        Err(Ended::Failed(failure)) => Some(failure.clone()),
        Ok(_) => None,
    };
    if let Some(failure) = &failure {
        attempt.log(&format!("failed: {failure}"));
        warn!(code = failure.code, message = %failure.message, "failed");
    }
    if !attempt.may_publish() {
        return;
    }
    let mut artifacts = produced.artifacts;
    artifacts.push(Artifact {
        kind: "log",
        bytes: attempt.whole_log().into_bytes(),
    });
    let uploaded = match upload_all(context, &artifacts).await {
        Ok(uploaded) => uploaded,
        Err(status) => {
            let message = format!("upload of an artifact was refused: {}", status.message());
            fail(context, attempt, &Failure::internal(message), Vec::new()).await;
            return;
        }
    };
    match (produced.result, failure) {
        (_, Some(failure)) => fail(context, attempt, &failure, uploaded).await,
        (Ok(result_json), None) => complete(context, attempt, result_json, uploaded).await,
        (Err(_), None) => {}
    }
}

async fn upload_all(context: &Context, artifacts: &[Artifact]) -> Result<Vec<ArtifactRef>, Status> {
    let mut uploaded = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        retry("put_artifact", || upload(&context.link, artifact)).await?;
        uploaded.push(artifact.reference());
    }
    Ok(uploaded)
}

async fn complete(
    context: &Context,
    attempt: &Attempt,
    result_json: String,
    artifacts: Vec<ArtifactRef>,
) {
    if !attempt.may_publish() {
        return;
    }
    attempt.begin_report();
    let (epochs, log_tail) = attempt.last_news();
    let request = CompleteRequest {
        worker_id: context.worker_id.clone(),
        unit: Some(attempt.unit().clone()),
        result_json,
        artifacts: artifacts.clone(),
        epochs,
        log_tail,
    };
    match retry("complete", || context.link.complete(request.clone())).await {
        Ok(()) => info!("completed"),
        Err(status) if is_gone(&status) => info!(message = status.message(), "the lease was gone"),
        Err(status) => {
            let message = format!("the result was refused: {}", status.message());
            warn!(code = ?status.code(), message, "not completed");
            let failure = Failure::lasting("internal", message);
            fail(context, attempt, &failure, artifacts).await;
        }
    }
}

async fn fail(
    context: &Context,
    attempt: &Attempt,
    failure: &Failure,
    artifacts: Vec<ArtifactRef>,
) {
    if !attempt.may_publish() {
        return;
    }
    attempt.begin_report();
    let request = FailRequest {
        worker_id: context.worker_id.clone(),
        unit: Some(attempt.unit().clone()),
        code: failure.code.to_owned(),
        message: failure.message.clone(),
        retryable: failure.retryable,
        artifacts,
        log_tail: attempt.last_news().1,
    };
    if let Err(status) = retry("fail", || context.link.fail(request.clone())).await {
        info!(code = ?status.code(), message = status.message(), "the failure was not taken");
    }
}

/// Hands the unit back, uncharged. Tried for a short while only: the lease runs out anyway.
async fn release(context: &Context, attempt: &Attempt) {
    let call = retry("release", || {
        context
            .link
            .release(&context.worker_id, vec![attempt.unit().clone()])
    });
    match tokio::time::timeout(Duration::from_secs(3), call).await {
        Ok(Ok(())) => {}
        Ok(Err(status)) => info!(message = status.message(), "the release was not taken"),
        Err(_) => info!("no answer to the release"),
    }
}

/// Whether an answer says that another attempt has the work, or that it has ended.
fn is_gone(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::FailedPrecondition | Code::Aborted | Code::NotFound
    )
}

/// Runs CPU work on a thread of its own and waits for it. A panic becomes an `internal` failure.
///
/// The work must look at [`Attempt::is_stopped`] often: this waits for it also after a stop, so
/// that a slot is free only when its core is.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let span = tracing::Span::current();
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(16 << 20)
        .spawn(move || {
            let result = span.in_scope(|| std::panic::catch_unwind(AssertUnwindSafe(work)));
            let _ = sender.send(result);
        })
        .map_err(|e| Failure::internal(format!("start a thread: {e}")))?;
    match receiver.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(Failure::internal(format!(
            "panic in {name}: {}",
            panic_text(panic.as_ref())
        ))),
        Err(_) => Err(Failure::internal(format!(
            "thread {name} ended without a result"
        ))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_that_may_be_tried_again() {
        assert_eq!(on_thread("fine", || 7).await, Ok(7));
        let failure = on_thread("broken", || -> u32 { panic!("overflow in {}", "fc1") })
            .await
            .unwrap_err();
        assert_eq!(failure.code, "internal");
        assert!(failure.retryable);
        assert!(failure.message.contains("overflow in fc1"));
    }

    #[test]
    fn refusals_of_a_lost_lease_are_told_from_refusals_of_the_content() {
        assert!(is_gone(&Status::failed_precondition("lease lost")));
        assert!(!is_gone(&Status::invalid_argument("result_json")));
    }
}
