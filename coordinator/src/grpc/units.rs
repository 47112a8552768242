//! The unary calls: register, lease, heartbeat, complete, fail, release.

use std::{collections::HashMap, time::Duration};

use bitfront_proto::v1::{
    CompleteRequest, CompleteResponse, EpochMeasurement, FailRequest, FailResponse,
    HeartbeatRequest, HeartbeatResponse, Lease, LeaseAnswer, LeaseRequest, LeaseResponse,
    RegisterRequest, RegisterResponse, ReleaseRequest, ReleaseResponse, SynthesisWork, TrialWork,
    UnitAnswer, lease::Work,
};
use bitfront_search::life::UnitKind;

use super::convert::{
    engines, holding, invalid, kinds, measured, produced, unit_ref, uuid, worker,
};
use crate::{
    error::{Error, Result},
    ids::{UnitId, WorkerId},
    lease::{LARGEST_CAPACITY, lease as lease_work},
    state::State,
    store::{
        leases::{Ask, Holding, Leased, Renewal},
        outcomes::{Completion, Failure},
        workers::NewWorker,
    },
};

/// Log text taken from one unit in one call; what comes before it is dropped.
const LARGEST_LOG_TAIL: usize = 16 << 10;

/// Largest `result_json`: a run with learned bit widths has a candidate an epoch, each with a quantizer a channel.
const LARGEST_RESULT: usize = 12 << 20;

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

pub(super) async fn register(state: &State, message: RegisterRequest) -> Result<RegisterResponse> {
    let length = message.name.chars().count();
    if !(1..=128).contains(&length) {
        return Err(invalid(
            "name",
            format_args!("{length} characters, accepted are 1 to 128"),
        ));
    }
    if !(1..=1024).contains(&message.slots) {
        return Err(invalid(
            "slots",
            format_args!("{}, accepted are 1 to 1024", message.slots),
        ));
    }
    let kinds = kinds(&message.kinds)?;
    let worker = NewWorker {
        id: worker(&message.worker_id)?,
        name: message.name,
        host: message.host,
        version: message.version,
        slots: message.slots,
        engines: engines(&kinds, message.engines)?,
        engine_version: i32::try_from(message.engine_version).map_err(|_| {
            invalid(
                "engine_version",
                format_args!("{}, accepted are 0 to {}", message.engine_version, i32::MAX),
            )
        })?,
        kinds,
        tools: serde_json::to_value(&message.tools)?,
        cpu_level: message.cpu_level,
    };
    state.store.register_worker(&worker).await?;
    tracing::info!(worker = %worker.id, name = worker.name, slots = worker.slots, "worker registered");
    Ok(RegisterResponse {
        coordinator_version: env!("CARGO_PKG_VERSION").to_owned(),
        lease_ttl_ms: milliseconds(state.config.lease_ttl),
        heartbeat_interval_ms: milliseconds(state.config.lease_ttl / 3),
    })
}

pub(super) async fn lease(state: &State, message: LeaseRequest) -> Result<LeaseResponse> {
    if !(1..=LARGEST_CAPACITY).contains(&message.capacity) {
        return Err(invalid(
            "capacity",
            format_args!("{}, accepted are 1 to {LARGEST_CAPACITY}", message.capacity),
        ));
    }
    let ask = Ask {
        worker: worker(&message.worker_id)?,
        request: uuid("request_id", &message.request_id)?,
        kinds: kinds(&message.kinds)?,
        capacity: message.capacity,
        ttl: state.config.lease_ttl,
    };
    let wait = Duration::from_millis(u64::from(message.wait_ms));
    let leases = lease_work(state, ask, wait).await?;
    Ok(LeaseResponse {
        leases: describe(state, &leases).await?,
    })
}

/// Adds to each lease what its worker needs to run it.
async fn describe(state: &State, leases: &[Leased]) -> Result<Vec<Lease>> {
    let of_kind = |kind| -> Vec<UnitId> {
        leases
            .iter()
            .filter(|lease| lease.kind == kind)
            .map(|lease| lease.holding.unit)
            .collect()
    };
    let (trials, jobs) = (of_kind(UnitKind::Trial), of_kind(UnitKind::Synthesis));
    let mut work: HashMap<UnitId, Work> = HashMap::with_capacity(leases.len());
    if !trials.is_empty() {
        for trial in state.store.trial_work(&trials).await? {
            work.insert(
                trial.trial.into(),
                Work::Trial(TrialWork {
                    search_id: trial.search.to_string(),
                    number: trial.number,
                    search_json: trial.search_json.to_string(),
                    candidate_json: trial.candidate_json.to_string(),
                    seed: trial.seed,
                    dataset_digest: trial.dataset_digest,
                    dataset_file: trial.dataset_file,
                }),
            );
        }
    }
    if !jobs.is_empty() {
        for job in state.store.synthesis_work(&jobs).await? {
            work.insert(
                job.job.into(),
                Work::Synthesis(SynthesisWork {
                    trial_id: job.trial.to_string(),
                    search_json: job.search_json.to_string(),
                    candidate_json: job.candidate_json.to_string(),
                    weights_digest: job.weights_digest,
                    dataset_digest: job.dataset_digest,
                    dataset_file: job.dataset_file,
                    tool: job.tool,
                    part: job.part,
                    vectors: job.vectors,
                }),
            );
        }
    }
    leases
        .iter()
        .map(|lease| {
            let unit = lease.holding.unit;
            let work = work
                .remove(&unit)
                .ok_or_else(|| Error::internal(format!("unit {unit} has no row of its kind")))?;
            Ok(Lease {
                unit: Some(unit_ref(lease)),
                ttl_ms: milliseconds(state.config.lease_ttl),
                work: Some(work),
            })
        })
        .collect()
}

pub(super) async fn heartbeat(
    state: &State,
    message: HeartbeatRequest,
) -> Result<HeartbeatResponse> {
    let worker = worker(&message.worker_id)?;
    let mut holdings = Vec::with_capacity(message.units.len());
    let (mut points, mut logs) = (Vec::new(), Vec::new());
    for unit in &message.units {
        let holding = holding(unit.unit.as_ref())?;
        holdings.push(holding);
        points.extend(measured(holding, &unit.epochs)?);
        logs.extend(log(holding, &unit.log_tail));
    }
    let stop = state
        .store
        .worker_seen(worker, Some(message.draining))
        .await?;
    // The leases first: what is told of them must not wait for curves and logs.
    let renewals = state
        .store
        .renew(worker, &holdings, state.config.lease_ttl)
        .await?;
    state.store.measure(worker, &points).await?;
    state.store.append_logs(worker, &logs).await?;
    let units = message
        .units
        .into_iter()
        .zip(renewals)
        .map(|(progress, renewal)| {
            let answer = match renewal {
                Renewal::Extended => LeaseAnswer::Extended,
                Renewal::Cancel => LeaseAnswer::Cancel,
                Renewal::Lost => LeaseAnswer::Lost,
            };
            UnitAnswer {
                unit: progress.unit,
                answer: answer.into(),
            }
        })
        .collect();
    Ok(HeartbeatResponse { units, stop })
}

pub(super) async fn complete(state: &State, message: CompleteRequest) -> Result<CompleteResponse> {
    if message.result_json.len() > LARGEST_RESULT {
        return Err(invalid(
            "result_json",
            format_args!(
                "{} bytes, accepted are {LARGEST_RESULT}",
                message.result_json.len()
            ),
        ));
    }
    let completion = Completion {
        worker: worker(&message.worker_id)?,
        holding: holding(message.unit.as_ref())?,
        result: serde_json::from_str(&message.result_json)
            .map_err(|error| invalid("result_json", format_args!("not JSON: {error}")))?,
        artifacts: produced(&message.artifacts)?,
    };
    last_words(
        state,
        completion.worker,
        completion.holding,
        &message.epochs,
        &message.log_tail,
    )
    .await?;
    state.store.complete(completion).await?;
    state.wake.ring();
    Ok(CompleteResponse {})
}

pub(super) async fn fail(state: &State, message: FailRequest) -> Result<FailResponse> {
    let plain = (1..=64).contains(&message.code.len())
        && message
            .code
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !plain {
        return Err(invalid(
            "code",
            format_args!("{:?} is not a word like diverged", message.code),
        ));
    }
    let failure = Failure {
        worker: worker(&message.worker_id)?,
        holding: holding(message.unit.as_ref())?,
        code: message.code,
        message: message.message.chars().take(4000).collect(),
        retryable: message.retryable,
        artifacts: produced(&message.artifacts)?,
    };
    last_words(
        state,
        failure.worker,
        failure.holding,
        &[],
        &message.log_tail,
    )
    .await?;
    tracing::info!(unit = %failure.holding.unit, code = failure.code, message = failure.message, "attempt failed");
    state.store.fail(failure).await?;
    state.wake.ring();
    Ok(FailResponse {})
}

pub(super) async fn release(state: &State, message: ReleaseRequest) -> Result<ReleaseResponse> {
    let worker = worker(&message.worker_id)?;
    let holdings = message
        .units
        .iter()
        .map(|unit| holding(Some(unit)))
        .collect::<Result<Vec<Holding>>>()?;
    let let_go = state.store.release(worker, &holdings).await?;
    state.store.settle_ended(&let_go).await?;
    state.wake.ring();
    Ok(ReleaseResponse {})
}

/// The last curve points and log text, which are taken only while the attempt runs.
async fn last_words(
    state: &State,
    worker: WorkerId,
    holding: Holding,
    epochs: &[EpochMeasurement],
    log_tail: &str,
) -> Result<()> {
    state
        .store
        .measure(worker, &measured(holding, epochs)?)
        .await?;
    let logs: Vec<_> = log(holding, log_tail).into_iter().collect();
    state.store.append_logs(worker, &logs).await
}

/// The last part of some log text, at a character's start.
fn log(holding: Holding, text: &str) -> Option<(Holding, String)> {
    let start = (text.len().saturating_sub(LARGEST_LOG_TAIL)..=text.len())
        .find(|at| text.is_char_boundary(*at))?;
    let tail = &text[start..];
    (!tail.is_empty()).then(|| (holding, tail.to_owned()))
}
