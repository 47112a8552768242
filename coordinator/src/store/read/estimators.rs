//! What synthesis measured over what was estimated, as fits are made of it.

use crate::error::Result;
use crate::ids::TrialId;
use crate::store::Store;
use bitfront_search::Search;
use chrono::{DateTime, Utc};

/// The ratios of one engine, version of its tool, part, options and version of Bitfront.
#[derive(Clone, Debug)]
pub struct EstimatorRatios {
    /// Engine of the jobs.
    pub engine: String,
    /// Version of the tool whose figures these are; of several programs, each with its version.
    pub tool_version: String,
    /// Part or device; empty where the engine does not place.
    pub part: String,
    /// Options that decide about the figures.
    pub options: String,
    /// Version of Bitfront that made the estimates.
    pub estimator_version: String,
    /// Distinct circuits.
    pub circuits: i64,
    /// When the last of their jobs ended.
    pub last_ended_at: DateTime<Utc>,
    /// Measured / estimated LUTs, ascending.
    pub lut: Vec<f64>,
    /// Of flip-flops.
    pub ff: Vec<f64>,
    /// Of carry cells.
    pub carry: Vec<f64>,
}

impl Store {
    /// All ratios, those with the latest job first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn estimator_ratios(&self) -> Result<Vec<EstimatorRatios>> {
        self.ratios(None, None).await
    }

    /// The ratios of jobs like `trial`'s own - the same engine, part and options - with estimates of the version of Bitfront that
    /// estimated it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn estimator_ratios_for(
        &self,
        trial: TrialId,
        search: &Search,
    ) -> Result<Vec<EstimatorRatios>> {
        self.ratios(Some(trial), Some(search)).await
    }

    async fn ratios(
        &self,
        trial: Option<TrialId>,
        search: Option<&Search>,
    ) -> Result<Vec<EstimatorRatios>> {
        let target = search.map(|search| &search.synthesis_target);
        let options =
            search.map(|search| search.synthesis_target.options(&search.design_options()));
        Ok(sqlx::query_file_as!(
            EstimatorRatios,
            "src/store/read/sql/estimator_ratios.sql",
            trial.map(TrialId::get),
            target.map(|target| target.engine.name()),
            target.map(|target| target.part.as_deref().unwrap_or_default()),
            options,
        )
        .fetch_all(self.pool())
        .await?)
    }
}
