//! Fits of estimates, and what they predict, as the API shows them.

use crate::store::read::EstimatorRatios;
use bitfront_hardware::fit::Fit;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What fits are made for: whatever differs here has a fit of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstimatorKey {
    /// Engine of the synthesis jobs.
    #[schema(example = "yosys")]
    pub engine: String,
    /// Version of the tool whose figures these are; of several programs, each with its version.
    #[schema(example = "0.23")]
    pub tool_version: String,
    /// Part or device; absent where the engine does not place.
    pub part: Option<String>,
    /// Options that decide about the figures.
    pub options: String,
    /// Version of Bitfront that made the estimates.
    pub estimator_version: String,
    /// Distinct circuits that were built: equal ones count once.
    pub circuits: i64,
    /// When the last of their jobs ended.
    pub last_ended_at: DateTime<Utc>,
}

/// How far estimates are from what synthesis measured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Estimator)]
pub struct EstimatorView {
    /// What it is for.
    #[serde(flatten)]
    pub key: EstimatorKey,
    /// Of look-up tables; absent with too few circuits.
    pub lut: Option<FitView>,
    /// Of flip-flops; absent with too few circuits.
    pub ff: Option<FitView>,
    /// Of carry cells; absent with too few circuits.
    pub carry: Option<FitView>,
}

/// The median of measured / estimated with its intervals, of which nothing is assumed but that circuits come in any order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Fit)]
pub struct FitView {
    /// Circuits it is made of.
    pub jobs: usize,
    /// The median ratio, which estimates are multiplied with.
    pub ratio: f64,
    /// The median of all such circuits lies in here.
    pub ratio_interval: [f64; 2],
    /// Probability of `ratio_interval`.
    pub ratio_level: f64,
    /// The ratio of the next circuit lies in here.
    pub next_interval: [f64; 2],
    /// Probability of `next_interval`.
    pub next_level: f64,
    /// Median of |predicted - measured| / measured, each circuit predicted from all others.
    pub median_error: f64,
    /// The same of the estimate as it is.
    pub median_error_of_estimate: f64,
}

/// What a fit says of a trial's circuit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Prediction)]
pub struct PredictionView {
    /// What the fit is for.
    #[serde(flatten)]
    pub key: EstimatorKey,
    /// Look-up tables; absent with too few circuits.
    pub lut_predicted: Option<PredictedView>,
    /// Flip-flops; absent with too few circuits.
    pub ff_predicted: Option<PredictedView>,
    /// Carry cells; absent with too few circuits, or without an estimate.
    pub carry_predicted: Option<PredictedView>,
}

/// A predicted count with its interval.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Predicted)]
pub struct PredictedView {
    /// The estimate times the median ratio.
    pub value: u64,
    /// Lower end of the prediction interval.
    pub low: u64,
    /// Upper end of the prediction interval.
    pub high: u64,
    /// Probability of the interval.
    pub level: f64,
    /// Circuits that the fit is made of.
    pub jobs: usize,
    /// Median of |predicted - measured| / measured, each circuit predicted from all others.
    pub median_error: f64,
}

impl From<Fit> for FitView {
    fn from(fit: Fit) -> Self {
        Self {
            jobs: fit.jobs,
            ratio: fit.ratio,
            ratio_interval: fit.ratio_interval,
            ratio_level: fit.ratio_level,
            next_interval: fit.next_interval,
            next_level: fit.next_level,
            median_error: fit.median_error,
            median_error_of_estimate: fit.median_error_of_estimate,
        }
    }
}

impl From<&EstimatorRatios> for EstimatorKey {
    fn from(ratios: &EstimatorRatios) -> Self {
        let ratios = ratios.clone();
        Self {
            engine: ratios.engine,
            tool_version: ratios.tool_version,
            part: (!ratios.part.is_empty()).then_some(ratios.part),
            options: ratios.options,
            estimator_version: ratios.estimator_version,
            circuits: ratios.circuits,
            last_ended_at: ratios.last_ended_at,
        }
    }
}

impl From<EstimatorRatios> for EstimatorView {
    fn from(ratios: EstimatorRatios) -> Self {
        let fit = |ratios: &[f64]| Fit::of(ratios).map(FitView::from);
        Self {
            lut: fit(&ratios.lut),
            ff: fit(&ratios.ff),
            carry: fit(&ratios.carry),
            key: (&ratios).into(),
        }
    }
}

/// What the fits of `ratios` say of a circuit with these costs; nothing of a trial without costs.
pub(in crate::rest) fn predictions(
    ratios: &[EstimatorRatios],
    scores: Option<&Value>,
) -> Vec<PredictionView> {
    let Some(costs) = scores.and_then(|scores| scores.get("costs")) else {
        return Vec::new();
    };
    let predicted = |ratios: &[f64], cost: &str| {
        let estimate = costs.get(cost)?.as_u64()?;
        let fit = Fit::of(ratios)?;
        let prediction = fit.predict(estimate);
        Some(PredictedView {
            value: prediction.value,
            low: prediction.low,
            high: prediction.high,
            level: fit.next_level,
            jobs: fit.jobs,
            median_error: fit.median_error,
        })
    };
    ratios
        .iter()
        .map(|ratios| PredictionView {
            key: ratios.into(),
            lut_predicted: predicted(&ratios.lut, "lut_estimate"),
            ff_predicted: predicted(&ratios.ff, "ff_estimate"),
            carry_predicted: predicted(&ratios.carry, "carry_estimate"),
        })
        .collect()
}
