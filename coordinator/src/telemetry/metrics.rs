//! Every metric's name and help, and the page that Prometheus reads.

use crate::error::Result;
use crate::store::Store;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

const REQUESTS: &str = "bitfront_http_requests_total";
const SECONDS: &str = "bitfront_http_request_seconds";
const UNITS: &str = "bitfront_units";
const WORKERS: &str = "bitfront_workers_seen";
const UP: &str = "bitfront_database_up";

/// Starts counting; a process has one recorder, so calling it again returns the same handle.
pub fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(
                    Matcher::Full(SECONDS.to_owned()),
                    &[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
                )
                .expect("the list of buckets is not empty");
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder is installed: /metrics stays empty");
            }
            describe_counter!(
                REQUESTS,
                "Requests answered, by method, path template and status."
            );
            describe_histogram!(
                SECONDS,
                Unit::Seconds,
                "Time to the head of the answer, by method and path template."
            );
            describe_gauge!(UNITS, "Units of work in the database, by kind and state.");
            describe_gauge!(WORKERS, "Workers seen in the last minute.");
            describe_gauge!(UP, "Whether the database answered this scrape.");
            handle
        })
        .clone()
}

/// Counts one answered request. `path` is the template the router matched, so that ids make no labels.
pub(crate) fn request(method: &str, path: &str, status: u16, took: Duration) {
    let method = method.to_owned();
    let path = path.to_owned();
    counter!(REQUESTS, "method" => method.clone(), "path" => path.clone(), "status" => status.to_string()).increment(1);
    histogram!(SECONDS, "method" => method, "path" => path).record(took.as_secs_f64());
}

/// The page in Prometheus' text format, with the database's counts as of now. A database that does not
/// answer is a value on the page, not a failed scrape.
pub(crate) async fn render(handle: &PrometheusHandle, store: &Store) -> String {
    let counted = count(store).await;
    gauge!(UP).set(if counted.is_ok() { 1.0 } else { 0.0 });
    handle.run_upkeep();
    handle.render()
}

async fn count(store: &Store) -> Result<()> {
    let totals = store.unit_totals().await?;
    for kind in ["trial", "synthesis"] {
        for state in [
            "queued",
            "leased",
            "paused",
            "completed",
            "failed",
            "pruned",
            "cancelled",
        ] {
            let here =
                |total: &&crate::store::read::UnitTotal| total.kind == kind && total.state == state;
            let count = totals.iter().find(here).map_or(0, |total| total.count);
            gauge!(UNITS, "kind" => kind, "state" => state).set(count as f64);
        }
    }
    gauge!(WORKERS).set(store.workers_seen().await? as f64);
    Ok(())
}
