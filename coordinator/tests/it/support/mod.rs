//! A store on a database of its own, and workers that do no work.

mod database;
mod scores;

use std::{sync::Arc, time::Duration};

use bitfront_coordinator::{
    Config, State,
    artifacts::{Artifacts, Digest},
    ask::Proposer,
    error::Result,
    ids::{DatasetId, SearchId, UnitId, WorkerId},
    lease::lease,
    store::{
        Store,
        leases::{Ask, Holding, Leased},
        outcomes::{Completion, Failure, Produced},
        searches::NewSearch,
        workers::NewWorker,
    },
    wake::Wake,
};
use bitfront_search::{
    Search,
    file::{DatasetInfo, read},
    life::UnitKind,
};
use bytes::Bytes;
use database::Database;
pub(crate) use scores::{scored, scores};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long leases last in tests: none runs out by itself.
pub(crate) const TTL: Duration = Duration::from_mins(10);

/// A coordinator's state on a database of its own. Dropping it drops the database.
pub(crate) struct TestStore {
    pub(crate) state: State,
    /// For a look at rows and to move time.
    pub(crate) pool: sqlx::PgPool,
    pub(crate) dataset: DatasetId,
    dataset_digest: Digest,
    folder: tempfile::TempDir,
    database: Database,
}

/// What a test wants of a search.
pub(crate) struct Wanted {
    pub(crate) trials: u32,
    pub(crate) parallel: u32,
    pub(crate) sampler: Value,
    pub(crate) synthesis: Value,
    pub(crate) cost: &'static str,
    pub(crate) order: &'static str,
    pub(crate) seed: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            trials: 10,
            parallel: 8,
            sampler: json!({ "name": "random" }),
            synthesis: json!({ "policy": "none" }),
            cost: "lut_estimate",
            order: "number",
            seed: 7,
        }
    }
}

impl TestStore {
    pub(crate) async fn new() -> Self {
        let database = Database::create().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = open(&database.url, &folder).await;
        state.store.migrate().await.expect("migrations apply");
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(3)
            .connect(&database.url)
            .await
            .expect("the test's own connections");
        let bytes = Bytes::from_static(b"x,y\n1,a\n2,b\n");
        let dataset_digest = state
            .artifacts
            .put(bytes.clone())
            .await
            .expect("a data set");
        let info = json!({ "inputs": 4, "classes": ["a", "b", "c"] });
        let dataset = state
            .store
            .register_dataset(&dataset_digest, "jets.csv", bytes.len() as u64, &info)
            .await
            .expect("a registered data set");
        Self {
            state,
            pool,
            dataset,
            dataset_digest,
            folder,
            database,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.store
    }

    /// Another coordinator on the same database and folder.
    pub(crate) async fn second(&self) -> State {
        open(&self.database.url, &self.folder).await
    }

    pub(crate) fn file(wanted: &Wanted) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Search",
            "name": "small",
            "dataset": "jets",
            "model": {
                "inputs": { "quantizer": "quantized_bits(6,2,alpha=1.0)" },
                "layers": [
                    { "name": "fc1", "dense": 4 },
                    { "name": "relu1", "activation": "relu" },
                    { "name": "output", "dense": 3 },
                    { "name": "softmax", "activation": "softmax" },
                ],
            },
            "search_space": { "seed_trials": [] },
            "objectives": [
                { "metric": "accuracy", "goal": "maximize" },
                { "metric": wanted.cost, "goal": "minimize" },
            ],
            "sampler": wanted.sampler,
            "budget": { "trials": wanted.trials, "parallel": wanted.parallel },
            "synthesis": wanted.synthesis,
            "order": wanted.order,
            "seed": wanted.seed,
        })
    }

    pub(crate) fn resolve(&self, file: &Value) -> Search {
        let info = DatasetInfo {
            inputs: 4,
            classes: 3,
            digest: self.dataset_digest.to_string(),
            ..DatasetInfo::default()
        };
        read(file, Some(&info)).expect("a search file without faults")
    }

    pub(crate) async fn submit(&self, wanted: Wanted) -> SearchId {
        self.submit_file(Self::file(&wanted)).await
    }

    pub(crate) async fn submit_file(&self, file: Value) -> SearchId {
        let search = NewSearch {
            resolved: self.resolve(&file),
            file,
            dataset: self.dataset,
            idempotency_key: None,
        };
        self.store()
            .submit(search)
            .await
            .expect("a stored search")
            .0
    }

    pub(crate) async fn worker(&self) -> TestWorker {
        self.worker_with(json!({}), &["yosys"]).await
    }

    /// A worker with these tools, name to version, and synthesis engines.
    pub(crate) async fn worker_with(&self, tools: Value, engines: &[&str]) -> TestWorker {
        self.registered(tools, engines, 1).await
    }

    /// A worker of an engine version.
    pub(crate) async fn worker_of(&self, engine_version: i32) -> TestWorker {
        self.registered(json!({}), &["yosys"], engine_version).await
    }

    async fn registered(&self, tools: Value, engines: &[&str], engine_version: i32) -> TestWorker {
        let id = WorkerId::new();
        let worker = NewWorker {
            id,
            name: format!("worker-{id}"),
            host: "here".to_owned(),
            version: "0".to_owned(),
            slots: 1,
            kinds: vec![UnitKind::Trial, UnitKind::Synthesis],
            tools,
            cpu_level: "scalar".to_owned(),
            engines: engines.iter().map(|name| (*name).to_owned()).collect(),
            engine_version,
        };
        self.store()
            .register_worker(&worker)
            .await
            .expect("a registered worker");
        TestWorker {
            state: self.state.clone(),
            id,
        }
    }

    /// Lets a unit's lease run out by database time.
    pub(crate) async fn run_out(&self, unit: UnitId) {
        sqlx::query("update units set lease_expires_at = now() - interval '1 second' where id = $1 and state = 'leased'")
            .bind(unit.get())
            .execute(&self.pool)
            .await
            .expect("time moves");
    }

    /// Ends every unit's backoff.
    pub(crate) async fn end_backoff(&self) {
        sqlx::query("update units set not_before = now() where state = 'queued'")
            .execute(&self.pool)
            .await
            .expect("time moves");
    }

    pub(crate) async fn unit(&self, unit: UnitId) -> Row {
        sqlx::query_as(
            "select state, attempt, charged, error_code, cancel_requested from units where id = $1",
        )
        .bind(unit.get())
        .fetch_one(&self.pool)
        .await
        .expect("a unit")
    }

    pub(crate) async fn search_state(&self, search: SearchId) -> String {
        sqlx::query_scalar("select state from searches where id = $1")
            .bind(search.get())
            .fetch_one(&self.pool)
            .await
            .expect("a search")
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .expect("a count")
    }
}

/// A unit's row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) state: String,
    pub(crate) attempt: i32,
    pub(crate) charged: i32,
    pub(crate) error_code: Option<String>,
    pub(crate) cancel_requested: bool,
}

async fn open(url: &str, folder: &tempfile::TempDir) -> State {
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), url, folder.path());
    config.lease_ttl = TTL;
    config.artifact_limit = 1 << 20;
    State {
        store: Store::connect(url, 6).await.expect("a connection"),
        artifacts: Artifacts::open(folder.path().to_owned())
            .await
            .expect("a folder"),
        config: Arc::new(config),
        proposer: Proposer::default(),
        wake: Wake::default(),
        metrics: metrics_exporter_prometheus::PrometheusBuilder::new()
            .build_recorder()
            .handle(),
        shutdown: CancellationToken::new(),
    }
}

/// A registered worker that reports whatever a test says.
#[derive(Clone)]
pub(crate) struct TestWorker {
    pub(crate) state: State,
    pub(crate) id: WorkerId,
}

impl TestWorker {
    pub(crate) fn ask(&self, capacity: u32) -> Ask {
        Ask {
            worker: self.id,
            request: Uuid::now_v7(),
            kinds: vec![UnitKind::Trial, UnitKind::Synthesis],
            capacity,
            ttl: TTL,
        }
    }

    /// Leases without waiting.
    pub(crate) async fn lease(&self, capacity: u32) -> Vec<Leased> {
        lease(&self.state, self.ask(capacity), Duration::ZERO)
            .await
            .expect("an answer")
    }

    pub(crate) async fn lease_one(&self) -> Holding {
        let leases = self.lease(1).await;
        assert_eq!(leases.len(), 1, "there is work");
        leases[0].holding
    }

    /// Uploads weights and completes a trial with scores that follow from its candidate.
    pub(crate) async fn complete(&self, holding: Holding) -> Result<()> {
        let work = self.state.store.trial_work(&[holding.unit]).await?;
        self.complete_with(holding, scores(&work[0].candidate_json))
            .await
    }

    pub(crate) async fn complete_with(&self, holding: Holding, result: Value) -> Result<()> {
        let weights = Bytes::from(format!("weights of {}", holding.unit));
        let digest = self.state.artifacts.put(weights.clone()).await?;
        self.state
            .store
            .record_artifact(&digest, weights.len() as u64)
            .await?;
        let completion = Completion {
            worker: self.id,
            holding,
            result,
            artifacts: vec![Produced {
                kind: "weights".to_owned(),
                digest: digest.to_string(),
            }],
        };
        self.state.store.complete(completion).await
    }

    pub(crate) async fn fail(&self, holding: Holding, retryable: bool) -> Result<()> {
        let failure = Failure {
            worker: self.id,
            holding,
            code: "diverged".to_owned(),
            message: "the loss is not finite".to_owned(),
            retryable,
            artifacts: Vec::new(),
        };
        self.state.store.fail(failure).await
    }
}
