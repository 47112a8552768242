//! What is measured on a candidate, and how a search reads it.

use crate::search::{Constraint, Search};
use crate::{Goal, Metric};
use bitfront_hardware::Costs;
use serde::{Deserialize, Serialize};

/// Everything measured on one trained candidate before synthesis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialScores {
    /// Share of validation rows classified right, 0 to 1, from integer inference (P1); absent where values
    /// are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_validation: Option<f64>,
    /// The same on the test split: shown, never used to choose (P5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_test: Option<f64>,
    /// One-against-rest AUC of each class on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_validation: Option<Vec<f64>>,
    /// One-against-rest AUC of each class on the test split: shown, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_test: Option<Vec<f64>>,
    /// Share of the other classes' validation rows that a cut takes for each class where it keeps half of
    /// that class, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_efficiency_50_validation: Option<Vec<f64>>,
    /// The same on the test split: shown, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_efficiency_50_test: Option<Vec<f64>>,
    /// The share where the cut keeps 80 % of the class, on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_efficiency_80_validation: Option<Vec<f64>>,
    /// The same on the test split: shown, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_efficiency_80_test: Option<Vec<f64>>,
    /// Test rows of each class (outer) by the class they are taken for (inner): shown, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion_test: Option<Vec<Vec<u64>>>,
    /// Mean of squared differences to the standardised targets over validation rows and targets, from
    /// integer inference; absent where classes are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_squared_error_validation: Option<f64>,
    /// The same on the test split: shown, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_squared_error_test: Option<f64>,
    /// Validation accuracy with float batch normalisations in place of the frozen integer ones;
    /// absent without such layers. Shown beside the score, never used to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_float_batch_norm: Option<f64>,
    /// Hardware costs; absent for a float reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
    /// SHA-256 of the RTL that the candidate's circuit is written as, lowercase hex: equal circuits are
    /// synthesised once. Absent for a float reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_digest: Option<String>,
    /// What a circuit within the ranges of the train rows does on the other splits; absent where its ranges are proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// What synthesis measured, if it did. No part of what a worker reports of a trial: it comes from
    /// a synthesis job, later, and who keeps the scores puts it here.
    #[serde(skip)]
    pub measured: Option<Measured>,
}

/// How often a circuit within the ranges of the train rows is another function than integer inference, on the splits that its
/// ranges were not taken from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// Of validation rows.
    pub validation: UnseenRows,
    /// Of test rows: shown, never used to choose (P5).
    pub test: UnseenRows,
}

/// A split's part of [`Unseen`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnseenRows {
    /// Rows of the split.
    pub rows: u64,
    /// Those with a value beyond the ranges: on all others the circuit is proven to equal integer inference.
    pub outside: u64,
    /// Those on which the circuit's outputs are others than those of integer inference; each of them is outside.
    pub different: u64,
    /// Share of the rows that the circuit classifies right, 0 to 1; absent where values are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean squared error of the circuit's outputs, as that of the scores; absent where classes are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_squared_error: Option<f64>,
}

/// What synthesis measured on a trial's circuit, from the one tool whose counts are compared; what that
/// tool does not count is absent. Other fields of a job's result are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// LUTs of one to six inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lut_measured: Option<u64>,
    /// Flip-flops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ff_measured: Option<u64>,
    /// DSP blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsp_measured: Option<u64>,
    /// Carry cells, as the tool placed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_measured: Option<u64>,
}

impl TrialScores {
    /// How well it predicts the validation split, more is better: accuracy, or the mean squared error turned.
    pub(crate) fn quality(&self) -> Option<f64> {
        let error = self.mean_squared_error_validation.map(|error| -error);
        self.accuracy_validation.or(error)
    }
}

/// Objective values turned so that less is better in each; all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Objectives(Vec<f64>);

impl Objectives {
    /// Objectives from values of which less is better.
    ///
    /// `None` if a value is not finite.
    pub fn minimised(values: Vec<f64>) -> Option<Self> {
        values
            .iter()
            .all(|value| value.is_finite())
            .then_some(Self(values))
    }

    /// The values, less is better, in the search's order of objectives.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

/// Where a trial stands in its search.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Has every objective and meets every constraint: may join the front.
    Feasible(Objectives),
    /// Has every objective and breaks a constraint: kept and shown, never in the front.
    Infeasible {
        /// Objective values.
        objectives: Objectives,
        /// Sum over the broken constraints of the excess relative to the bound (absolute where the
        /// bound is 0); above 0.
        violation: f64,
    },
    /// Lacks an objective or a constrained metric: a float reference has no costs, and what was not
    /// synthesised has no measured ones.
    Unscored,
}

impl Search {
    /// The objective values of a trial in natural units, in the search's order.
    pub fn objective_values(&self, scores: &TrialScores) -> Option<Vec<f64>> {
        self.values(|metric| metric.read(scores))
    }

    /// The objective values of a trial, turned so that less is better.
    pub fn objectives_of(&self, scores: &TrialScores) -> Option<Objectives> {
        let values = self.objective_values(scores)?;
        Objectives::minimised(self.turned(&values))
    }

    fn values(&self, read: impl Fn(Metric) -> Option<f64>) -> Option<Vec<f64>> {
        let metrics = self.objectives.iter().map(|objective| objective.metric);
        metrics.map(read).collect()
    }

    /// Values in natural units, in the search's order of objectives, turned so that less is better.
    pub(crate) fn turned(&self, values: &[f64]) -> Vec<f64> {
        self.objectives
            .iter()
            .zip(values)
            .map(|(objective, value)| match objective.goal {
                Goal::Maximize => -value,
                Goal::Minimize => *value,
            })
            .collect()
    }

    /// Whether an objective or a constraint is measured by synthesis.
    pub fn reads_measurements(&self) -> bool {
        let objectives = self.objectives.iter().map(|objective| objective.metric);
        let constraints = self.constraints.iter().map(|constraint| constraint.metric);
        objectives.chain(constraints).any(Metric::is_measured)
    }

    /// Where a trial with these scores stands.
    pub fn standing(&self, scores: &TrialScores) -> Standing {
        self.standing_by(|metric| metric.read(scores))
    }

    /// Where a trial would stand if its circuit measured as it is estimated: what proposals look at, and
    /// what chooses the circuits to build.
    ///
    /// A measurement never counts here, even where there is one: it comes when it comes, and trial n
    /// must not depend on that (promise P2).
    pub fn expected_standing(&self, scores: &TrialScores) -> Standing {
        self.standing_by(|metric| metric.estimate().read(scores))
    }

    /// Whether a measurement is all that this trial lacks to be feasible: it has every other metric and
    /// breaks no bound on those.
    pub fn lacks_measurement(&self, scores: &TrialScores) -> bool {
        let breaks = |constraint: &Constraint| {
            let value = constraint.metric.read(scores);
            value.is_some_and(|value| constraint.violation(value) > 0.0)
        };
        self.standing(scores) == Standing::Unscored
            && self.expected_standing(scores) != Standing::Unscored
            && !self.constraints.iter().any(breaks)
    }

    fn standing_by(&self, read: impl Fn(Metric) -> Option<f64>) -> Standing {
        let values = self.values(&read);
        let Some(objectives) =
            values.and_then(|values| Objectives::minimised(self.turned(&values)))
        else {
            return Standing::Unscored;
        };
        let mut violation = 0.0;
        for constraint in &self.constraints {
            match read(constraint.metric) {
                Some(value) => violation += constraint.violation(value),
                None => return Standing::Unscored,
            }
        }
        if violation > 0.0 {
            Standing::Infeasible {
                objectives,
                violation,
            }
        } else {
            Standing::Feasible(objectives)
        }
    }
}

impl Constraint {
    /// How far a value of the metric is outside this constraint, relative to the bound (absolute where
    /// the bound is 0): 0 when it is met.
    pub fn violation(&self, value: f64) -> f64 {
        let relative = |excess: f64, bound: f64| {
            if excess <= 0.0 {
                0.0
            } else if bound == 0.0 {
                excess
            } else {
                excess / bound.abs()
            }
        };
        let below = self.min.map_or(0.0, |min| relative(min - value, min));
        let above = self.max.map_or(0.0, |max| relative(value - max, max));
        below + above
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, Standing, TrialScores, Unseen, UnseenRows};
    use crate::testing::{float_scores, scores, search_with};
    use serde_json::json;

    #[test]
    fn objectives_are_turned_so_that_less_is_better() {
        let search = search_with(&json!({}));
        let objectives = search.objectives_of(&scores(0.7, 100)).expect("scored");
        assert_eq!(objectives.values(), [-0.7, 100.0]);
        let values = search.objective_values(&scores(0.7, 100));
        assert_eq!(values, Some(vec![0.7, 100.0]));
    }

    #[test]
    fn a_float_reference_or_a_number_that_is_none_stands_nowhere() {
        let search = search_with(&json!({}));
        assert_eq!(search.standing(&float_scores(0.76)), Standing::Unscored);
        assert_eq!(search.standing(&scores(f64::NAN, 100)), Standing::Unscored);
    }

    #[test]
    fn violations_are_relative_and_add_up() {
        let search = search_with(&json!({"constraints": [
            {"metric": "accuracy", "min": 0.8}, {"metric": "lut_estimate", "max": 50},
            {"metric": "dsp_estimate", "max": 0},
        ]}));
        let Standing::Infeasible { violation, .. } = search.standing(&scores(0.6, 100)) else {
            panic!("infeasible");
        };
        assert!((violation - (0.25 + 1.0)).abs() < 1e-12);
        assert!(matches!(
            search.standing(&scores(0.8, 50)),
            Standing::Feasible(_)
        ));
    }

    #[test]
    fn a_bound_on_unseen_rows_is_on_those_of_the_validation_split() {
        let search = search_with(&json!({"circuit": {"ranges": "data"},
            "constraints": [{"metric": "unseen_different", "max": 0.01}, {"metric": "unseen_outside", "max": 0.2}]}));
        let mut trial = scores(0.7, 100);
        assert_eq!(search.standing(&trial), Standing::Unscored);
        for (outside, different, inside) in [(100, 5, true), (100, 6, false), (101, 0, false)] {
            let of = |outside, different| UnseenRows {
                rows: 500,
                outside,
                different,
                ..UnseenRows::default()
            };
            trial.unseen = Some(Unseen {
                validation: of(outside, different),
                test: of(500, 500),
            });
            let stands = search.standing(&trial);
            let is_inside = matches!(stands, Standing::Feasible(_));
            assert_eq!(is_inside, inside, "{stands:?}");
        }
    }

    #[test]
    fn infeasible_trials_are_not_in_the_front() {
        let search = search_with(&json!({"constraints": [{"metric": "accuracy", "min": 0.5}]}));
        let trials = [
            scores(0.4, 10),
            scores(0.6, 100),
            scores(0.6, 100),
            scores(0.55, 120),
        ];
        let front = search.front((0..).zip(&trials));
        assert_eq!(front, [1, 2]);
    }

    #[test]
    fn a_measured_objective_ranks_what_was_measured_and_nothing_else() {
        let search = search_with(&json!({"objectives": ["accuracy", "lut_measured"]}));
        assert!(search.reads_measurements());
        assert!(!search_with(&json!({})).reads_measurements());
        let built = |accuracy, estimate, luts| TrialScores {
            measured: Some(Measured {
                lut_measured: Some(luts),
                ..Measured::default()
            }),
            ..scores(accuracy, estimate)
        };
        // Estimated smallest and best, and not built; built ones whose order the estimates have wrong.
        let trials = [scores(0.8, 10), built(0.7, 100, 300), built(0.7, 200, 250)];
        assert_eq!(search.standing(&trials[0]), Standing::Unscored);
        assert_eq!(search.front((0..).zip(&trials)), [2]);
        assert_eq!(search.expected_front((0..).zip(&trials)), [0]);
        let lacking: Vec<bool> = trials.iter().map(|t| search.lacks_measurement(t)).collect();
        assert_eq!(lacking, [true, false, false]);
        assert!(!search.lacks_measurement(&float_scores(0.8)));
        let Standing::Feasible(expected) = search.expected_standing(&trials[1]) else {
            panic!("feasible");
        };
        assert_eq!(expected.values(), [-0.7, 100.0]);
    }

    #[test]
    fn a_measured_bound_lets_no_unmeasured_trial_in() {
        let bound = json!({"constraints": [{"metric": "lut_measured", "max": 250}]});
        let search = search_with(&bound);
        let mut trial = scores(0.7, 100);
        assert_eq!(search.standing(&trial), Standing::Unscored);
        assert!(search.lacks_measurement(&trial));
        assert!(matches!(
            search.expected_standing(&trial),
            Standing::Feasible(_)
        ));
        for (luts, inside) in [(250, true), (251, false)] {
            trial.measured = Some(Measured {
                lut_measured: Some(luts),
                ..Measured::default()
            });
            let stands = search.standing(&trial);
            assert_eq!(
                matches!(stands, Standing::Feasible(_)),
                inside,
                "{stands:?}"
            );
            assert!(!search.lacks_measurement(&trial));
        }
    }

    #[test]
    fn what_breaks_another_bound_lacks_more_than_a_measurement() {
        let search = search_with(&json!({"objectives": ["accuracy", "lut_measured"],
            "constraints": [{"metric": "lut_estimate", "max": 200}, {"metric": "lut_measured", "max": 50}]}));
        assert!(!search.lacks_measurement(&scores(0.7, 201)));
        // Its estimate is above the bound on the measurement, which may yet turn out below it.
        assert!(search.lacks_measurement(&scores(0.7, 200)));
    }

    #[test]
    fn a_report_of_a_trial_cannot_bring_measurements() {
        let mut trial = scores(0.7, 100);
        trial.measured = Some(Measured::default());
        let mut json = serde_json::to_value(&trial).expect("JSON");
        assert!(json.get("measured").is_none());
        json["measured"] = json!({"lut_measured": 1});
        assert!(serde_json::from_value::<TrialScores>(json).is_err());
    }

    #[test]
    fn the_test_split_chooses_nothing() {
        let search = search_with(&json!({}));
        let mut tempting = scores(0.7, 100);
        tempting.accuracy_test = Some(1.0);
        tempting.auc_test = Some(vec![1.0; 3]);
        tempting.background_efficiency_50_test = Some(vec![0.0; 3]);
        tempting.background_efficiency_80_test = Some(vec![0.0; 3]);
        tempting.confusion_test = Some(vec![vec![9, 0], vec![0, 9]]);
        assert_eq!(
            search.standing(&tempting),
            search.standing(&scores(0.7, 100))
        );
    }
}
