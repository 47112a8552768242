//! What every handler and background task of one coordinator shares.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::Artifacts, ask::Proposer, config::Config, error::Result, store::Store, wake::Wake,
};

/// Shared state of one coordinator process; cloning it is cheap. Nothing in it outlives a restart: what matters is in
/// Postgres and in the artifact folder.
#[derive(Clone)]
pub struct State {
    /// Postgres.
    pub store: Store,
    /// Content-addressed files.
    pub artifacts: Artifacts,
    /// Settings.
    pub config: Arc<Config>,
    /// Proposes the next trials of running searches.
    pub proposer: Proposer,
    /// Rung when work may have appeared or something was recorded: lease calls and event streams listen.
    pub wake: Wake,
    /// What `/metrics` renders.
    pub metrics: PrometheusHandle,
    /// Cancelled when the process drains: long polls answer empty, streams end, background tasks stop.
    pub shutdown: CancellationToken,
}

impl State {
    /// Connects to the database, applies missing migrations and opens the artifact folder.
    ///
    /// # Errors
    /// The database does not answer, a migration fails, or the folder cannot be created.
    pub async fn open(config: Config, metrics: PrometheusHandle) -> Result<Self> {
        let store = Store::connect(&config.database_url, config.database_connections).await?;
        store.migrate().await?;
        let artifacts = Artifacts::open(config.data_dir.clone()).await?;
        Ok(Self {
            store,
            artifacts,
            config: Arc::new(config),
            proposer: Proposer::default(),
            wake: Wake::default(),
            metrics,
            shutdown: CancellationToken::new(),
        })
    }
}
