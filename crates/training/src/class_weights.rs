//! How much the rows of each class count.

use serde::{Deserialize, Serialize};

/// Largest weight of a class.
const MOST: f32 = 1e6;

/// Weights of classes in training, as Keras' `class_weight`: a step's loss is the sum of its rows'
/// losses, each times the weight of its class, over the number of its rows (not over the sum of the
/// weights).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// `rows / (classes that occur * rows of the class)`, counted over the train rows: every class
    /// counts alike, and the weights' mean over the rows is one.
    Balanced,
    /// One a class, in the order of the labels; above 0 and at most a million.
    #[serde(untagged)]
    Each(Vec<f32>),
}

impl ClassWeights {
    /// The first class whose weight is out of range, with it.
    pub(crate) fn fault(&self) -> Option<(usize, f32)> {
        let Self::Each(weights) = self else {
            return None;
        };
        let mut all = weights.iter().copied().enumerate();
        all.find(|(_, weight)| !(*weight > 0.0 && *weight <= MOST))
    }

    /// A weight for each of `classes` classes; 1 for one that no row has.
    pub(crate) fn resolve(&self, labels: &[u8], classes: usize) -> Vec<f32> {
        if let Self::Each(weights) = self {
            return weights.clone();
        }
        let mut counts = vec![0_u64; classes];
        for label in labels {
            counts[usize::from(*label)] += 1;
        }
        let occurring = counts.iter().filter(|count| **count > 0).count() as f64;
        let weight = |count: u64| match count {
            0 => 1.0,
            _ => (labels.len() as f64 / (occurring * count as f64)) as f32,
        };
        counts.into_iter().map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_by_hand() {
        let labels = [0, 0, 0, 0, 0, 0, 2, 2];
        let weights = ClassWeights::Balanced.resolve(&labels, 4);
        assert_eq!(weights, [8.0 / 12.0, 1.0, 2.0, 1.0]);
        let sum: f32 = labels.iter().map(|label| weights[*label as usize]).sum();
        assert_eq!(sum, 8.0);
    }

    #[test]
    fn both_forms_are_read_and_written() {
        let read = serde_json::from_str::<ClassWeights>;
        assert_eq!(read("\"balanced\"").unwrap(), ClassWeights::Balanced);
        let each = ClassWeights::Each(vec![1.0, 2.5]);
        assert_eq!(read("[1, 2.5]").unwrap(), each);
        assert_eq!(serde_json::to_string(&each).unwrap(), "[1.0,2.5]");
        assert!(read("\"even\"").is_err());
    }

    #[test]
    fn the_first_weight_out_of_range_is_named() {
        let each = |weights: &[f32]| ClassWeights::Each(weights.to_vec()).fault();
        assert_eq!(each(&[1.0, 0.5]), None);
        assert_eq!(each(&[1.0, 0.0]), Some((1, 0.0)));
        assert_eq!(each(&[1.0, 2.0, -1.0]), Some((2, -1.0)));
        assert_eq!(each(&[2e6]), Some((0, 2e6)));
        assert!(each(&[f32::NAN]).is_some());
    }
}
