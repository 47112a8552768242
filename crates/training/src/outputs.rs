//! Outputs of a network by the engine's own forward pass: what a teacher gives to learn from.

use bitfront_kernel::Kernels;
use bitfront_network::{Candidate, Weights};

use crate::check::{check_candidate, check_weights};
use crate::engine::{Engine, MICRO_BATCH};
use crate::error::TrainError;
use crate::inputs::Inputs;

/// Rows that are quantized together.
const ROWS: usize = 4096;

/// Outputs (logits of a softmax head) of standardised rows `x`, `rows x outputs`, row-major, fake-quantized in f32 as
/// validation is; the same bits on every CPU level.
///
/// # Errors
/// [`TrainError::Graph`] and [`TrainError::Candidate`] for a network that cannot be trained,
/// [`TrainError::Weights`] for weights of another shape.
///
/// # Panics
/// When `x` is not whole rows of the candidate's inputs.
pub fn outputs(
    candidate: &Candidate,
    weights: &Weights,
    x: &[f32],
) -> Result<Vec<f32>, TrainError> {
    check_candidate(candidate, MICRO_BATCH)?;
    check_weights(candidate, weights)?;
    let columns = candidate.inputs();
    assert!(
        x.len().is_multiple_of(columns),
        "{} values are whole rows of {columns}",
        x.len()
    );
    let mut engine = Engine::new(Kernels::detect(), candidate, weights, 0, MICRO_BATCH);
    let mut found = Vec::with_capacity(x.len() / columns * candidate.outputs());
    for rows in x.chunks(ROWS * columns) {
        engine.outputs(Inputs::of(candidate, rows).stored(), &mut found);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use bitfront_network::{ForwardPrecision, Head, Layer, Operation, SCALE_BITS, forward};

    use super::*;
    use crate::initial::starting_weights;

    #[test]
    fn they_are_those_of_the_reference() {
        let dense = |units, quantizer: &str| Operation::Dense {
            units,
            kernel: quantizer.parse().unwrap(),
            bias: Some(quantizer.parse().unwrap()),
            fold: None,
        };
        let activation = |quantizer: &str| Operation::Activation {
            quantizer: quantizer.parse().unwrap(),
        };
        let x: Vec<f32> = (0..3 * 100)
            .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
            .collect();
        for [input, weights, values, within] in [
            ["float", "float", "relu", "1e-5"],
            [
                "quantized_bits(8,1,alpha=1.0)",
                "quantized_bits(6,1,alpha=1.0)",
                "quantized_relu(6,2)",
                "0",
            ],
        ] {
            let candidate = Candidate {
                input_shape: vec![3],
                input_quantizer: input.parse().unwrap(),
                layers: vec![
                    Layer::new("fc1", dense(9, weights)),
                    Layer::new("relu1", activation(values)),
                    Layer::new("fc2", dense(4, weights)),
                ],
                head: Head::ARG_MAX,
                scale_bits: SCALE_BITS,
            };
            let weights = starting_weights(&candidate, 5);
            let found = outputs(&candidate, &weights, &x).unwrap();
            let expected = forward(&candidate, &weights, &x, ForwardPrecision::F32);
            assert_eq!(found.len(), 400);
            let within: f64 = within.parse().unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (f64::from(*found) - expected).abs() <= within,
                    "{found} {expected}"
                );
            }
        }
    }
}
