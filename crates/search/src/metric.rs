//! The scores a search may aim at or be limited by, and which way is better.

use crate::scores::{Measured, TrialScores, UnseenRows};
use crate::search::Loss;
use bitfront_hardware::circuit::Ranges;
use bitfront_hardware::device::Resource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A score that a search can optimise, constrain or sort by.
///
/// Accuracy, AUC and background efficiencies are those of the validation split. There is no metric of the test split: what
/// chooses must not see it (promise P5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of validation rows whose class is right, 0 to 1.
    Accuracy,
    /// Mean over the classes of the area under the one-against-rest ROC curve, 0 to 1.
    Auc,
    /// Mean over the classes of the background efficiency at a signal efficiency of 50 %, 0 to 1: the
    /// share of the other classes that is taken for the class by the cut that keeps half of it.
    #[serde(rename = "background_efficiency_50")]
    BackgroundEfficiency50,
    /// The same at a signal efficiency of 80 %.
    #[serde(rename = "background_efficiency_80")]
    BackgroundEfficiency80,
    /// Mean over validation rows and targets of the squared difference between an output and its target,
    /// in units of the target's variance over the train rows: 1 is what the mean alone would have.
    MeanSquaredError,
    /// Stored bits of parameters and activations.
    Bits,
    /// Stored bits of kernels and biases.
    BitsParameters,
    /// Stored bits of activations.
    BitsActivations,
    /// Energy of one inference in pJ, 45 nm, corrected mode.
    EnergyPj,
    /// Energy of one inference in pJ as `QTools` 0.8 counts it.
    #[serde(rename = "energy_qtools_0_8_pj")]
    EnergyQtools08Pj,
    /// Energy of one inference in pJ as `QTools` 0.9 counts it.
    #[serde(rename = "energy_qtools_0_9_pj")]
    EnergyQtools09Pj,
    /// Effective bit operations of the trained weights.
    Ebops,
    /// Bit operations by declared widths, zero weights left out of the products.
    Bops,
    /// Estimated six-input look-up tables.
    LutEstimate,
    /// Estimated flip-flops.
    FfEstimate,
    /// Estimated DSP blocks.
    DspEstimate,
    /// Estimated carry cells of four bits.
    CarryEstimate,
    /// Estimated cells on the longest path between registers, a carry cell counted like a look-up table.
    LevelsEstimate,
    /// The fastest clock in MHz by the delay model: more is better. Modelled, not measured.
    FmaxEstimateMhz,
    /// Estimated LUT + 55 per DSP block.
    LutEquivalent,
    /// Look-up tables that synthesis counted; only trials that were synthesised have it.
    LutMeasured,
    /// Flip-flops that synthesis counted; only trials that were synthesised have it.
    FfMeasured,
    /// DSP blocks that synthesis counted; only trials that were synthesised have it.
    DspMeasured,
    /// Carry cells that synthesis counted; only trials that were synthesised have it.
    CarryMeasured,
    /// Clock cycles from a row's first inputs to its outputs.
    Cycles,
    /// Clock cycles from a row to the next one at the soonest; 1 of an unrolled circuit.
    InitiationInterval,
    /// Estimated latency in ns at the device's clock.
    LatencyNs,
    /// Share of the validation rows with a value beyond the ranges of a circuit within those of the train rows, 0 to 1: on all
    /// others it is proven to equal integer inference. Of `circuit: {ranges: data}` alone.
    UnseenOutside,
    /// Share of the validation rows on which such a circuit's outputs are others than those of integer inference, 0 to 1.
    UnseenDifferent,
}

/// Which way a metric is better.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

impl Metric {
    /// Every metric, in the order of the reference.
    pub const ALL: [Self; 29] = [
        Self::Accuracy,
        Self::Auc,
        Self::BackgroundEfficiency50,
        Self::BackgroundEfficiency80,
        Self::MeanSquaredError,
        Self::Bits,
        Self::BitsParameters,
        Self::BitsActivations,
        Self::EnergyPj,
        Self::EnergyQtools08Pj,
        Self::EnergyQtools09Pj,
        Self::Ebops,
        Self::Bops,
        Self::LutEstimate,
        Self::FfEstimate,
        Self::DspEstimate,
        Self::CarryEstimate,
        Self::LevelsEstimate,
        Self::FmaxEstimateMhz,
        Self::LutEquivalent,
        Self::LutMeasured,
        Self::FfMeasured,
        Self::DspMeasured,
        Self::CarryMeasured,
        Self::Cycles,
        Self::InitiationInterval,
        Self::LatencyNs,
        Self::UnseenOutside,
        Self::UnseenDifferent,
    ];

    /// The metric's name in search files, columns and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::BackgroundEfficiency50 => "background_efficiency_50",
            Self::BackgroundEfficiency80 => "background_efficiency_80",
            Self::MeanSquaredError => "mean_squared_error",
            Self::Bits => "bits",
            Self::BitsParameters => "bits_parameters",
            Self::BitsActivations => "bits_activations",
            Self::EnergyPj => "energy_pj",
            Self::EnergyQtools08Pj => "energy_qtools_0_8_pj",
            Self::EnergyQtools09Pj => "energy_qtools_0_9_pj",
            Self::Ebops => "ebops",
            Self::Bops => "bops",
            Self::LutEstimate => "lut_estimate",
            Self::FfEstimate => "ff_estimate",
            Self::DspEstimate => "dsp_estimate",
            Self::CarryEstimate => "carry_estimate",
            Self::LevelsEstimate => "levels_estimate",
            Self::FmaxEstimateMhz => "fmax_estimate_mhz",
            Self::LutEquivalent => "lut_equivalent",
            Self::LutMeasured => "lut_measured",
            Self::FfMeasured => "ff_measured",
            Self::DspMeasured => "dsp_measured",
            Self::CarryMeasured => "carry_measured",
            Self::Cycles => "cycles",
            Self::InitiationInterval => "initiation_interval",
            Self::LatencyNs => "latency_ns",
            Self::UnseenOutside => "unseen_outside",
            Self::UnseenDifferent => "unseen_different",
        }
    }

    /// Which way is better.
    pub fn goal(self) -> Goal {
        match self {
            Self::Accuracy | Self::Auc | Self::FmaxEstimateMhz => Goal::Maximize,
            _ => Goal::Minimize,
        }
    }

    /// Whether this is a hardware cost; the others measure how well the network, or its circuit, predicts.
    pub fn is_cost(self) -> bool {
        !self.is_of_unseen_rows()
            && !matches!(
                self,
                Self::Accuracy
                    | Self::Auc
                    | Self::BackgroundEfficiency50
                    | Self::BackgroundEfficiency80
                    | Self::MeanSquaredError
            )
    }

    /// Whether trials whose circuits have such ranges have it: where they are proven, no row is beyond them.
    pub fn is_had_with(self, ranges: Ranges) -> bool {
        ranges == Ranges::Data || !self.is_of_unseen_rows()
    }

    fn is_of_unseen_rows(self) -> bool {
        matches!(self, Self::UnseenOutside | Self::UnseenDifferent)
    }

    /// Whether trials that are trained by `loss` have it.
    pub fn suits(self, loss: Loss) -> bool {
        self.is_cost()
            || self.is_of_unseen_rows()
            || (self == Self::MeanSquaredError) == loss.is_of_values()
    }

    /// The device's resource that this metric counts; `None` for what is no count of one.
    pub fn resource(self) -> Option<Resource> {
        match self {
            Self::LutEstimate | Self::LutMeasured => Some(Resource::Lut),
            Self::FfEstimate | Self::FfMeasured => Some(Resource::Ff),
            Self::DspEstimate | Self::DspMeasured => Some(Resource::Dsp),
            _ => None,
        }
    }

    /// Whether synthesis measures it: a trial has it only once its circuit was built.
    pub fn is_measured(self) -> bool {
        self.estimate() != self
    }

    /// What stands for a measured metric until it is measured: the estimate of the same resource, and
    /// for carry cells the LUT estimate, which grows with them. Other metrics stand for themselves.
    #[must_use]
    pub fn estimate(self) -> Self {
        match self {
            Self::LutMeasured | Self::CarryMeasured => Self::LutEstimate,
            Self::FfMeasured => Self::FfEstimate,
            Self::DspMeasured => Self::DspEstimate,
            other => other,
        }
    }

    /// This metric's value, if the trial has it. A float reference has no costs.
    ///
    /// A value that is not finite counts as absent, so that comparisons are total.
    pub fn read(self, scores: &TrialScores) -> Option<f64> {
        let cost = |value: fn(&bitfront_hardware::Costs) -> f64| scores.costs.as_ref().map(value);
        // What scores from before it was counted lack.
        let later = |value: fn(&bitfront_hardware::Costs) -> Option<f64>| {
            scores.costs.as_ref().and_then(value)
        };
        let measured = |value: fn(&Measured) -> Option<u64>| {
            let count = scores.measured.as_ref().and_then(value)?;
            Some(count as f64)
        };
        // Of validation rows: those of the test split choose nothing.
        let unseen = |count: fn(&UnseenRows) -> u64| {
            let rows = &scores.unseen.as_ref()?.validation;
            Some(count(rows) as f64 / rows.rows as f64)
        };
        let value = match self {
            Self::Accuracy => scores.accuracy_validation,
            Self::Auc => mean(scores.auc_validation.as_deref()),
            Self::BackgroundEfficiency50 => {
                mean(scores.background_efficiency_50_validation.as_deref())
            }
            Self::BackgroundEfficiency80 => {
                mean(scores.background_efficiency_80_validation.as_deref())
            }
            Self::MeanSquaredError => scores.mean_squared_error_validation,
            Self::Bits => cost(|costs| costs.bits as f64),
            Self::BitsParameters => cost(|costs| costs.bits_parameters as f64),
            Self::BitsActivations => cost(|costs| costs.bits_activations as f64),
            Self::EnergyPj => cost(|costs| costs.energy_pj),
            Self::EnergyQtools08Pj => cost(|costs| costs.energy_qtools_0_8_pj),
            Self::EnergyQtools09Pj => cost(|costs| costs.energy_qtools_0_9_pj),
            Self::Ebops => cost(|costs| costs.ebops),
            Self::Bops => later(|costs| costs.bops),
            Self::LutEstimate => cost(|costs| costs.lut_estimate as f64),
            Self::FfEstimate => cost(|costs| costs.ff_estimate as f64),
            Self::DspEstimate => cost(|costs| costs.dsp_estimate as f64),
            Self::CarryEstimate => later(|costs| costs.carry_estimate.map(|cells| cells as f64)),
            Self::LevelsEstimate => later(|costs| costs.levels_estimate.map(f64::from)),
            Self::FmaxEstimateMhz => later(|costs| costs.fmax_estimate_mhz),
            Self::LutEquivalent => cost(|costs| costs.lut_equivalent as f64),
            Self::LutMeasured => measured(|measured| measured.lut_measured),
            Self::FfMeasured => measured(|measured| measured.ff_measured),
            Self::DspMeasured => measured(|measured| measured.dsp_measured),
            Self::CarryMeasured => measured(|measured| measured.carry_measured),
            Self::Cycles => cost(|costs| f64::from(costs.cycles)),
            Self::InitiationInterval => cost(|costs| costs.initiation_interval as f64),
            Self::LatencyNs => cost(|costs| costs.latency_ns),
            Self::UnseenOutside => unseen(|rows| rows.outside),
            Self::UnseenDifferent => unseen(|rows| rows.different),
        };
        value.filter(|value| value.is_finite())
    }
}

/// Mean over the classes, where there are any.
fn mean(per_class: Option<&[f64]>) -> Option<f64> {
    let per_class = per_class.filter(|values| !values.is_empty())?;
    Some(per_class.iter().sum::<f64>() / per_class.len() as f64)
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn names_are_the_serde_names_and_unlike_each_other() {
        let mut names = Vec::new();
        for metric in Metric::ALL {
            let json = serde_json::to_value(metric).expect("a metric serialises");
            assert_eq!(json, metric.name());
            names.push(metric.name());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
