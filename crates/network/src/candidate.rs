//! A candidate: a dense network with a quantizer in every place where a number is stored.

use bitfront_quantizer::Quantizer;
use serde::{Deserialize, Serialize};

/// A dense network with a quantizer on its input and on every layer's kernel, bias and activation.
///
/// Layer `n` takes the outputs of layer `n - 1`; the first takes the `inputs` features. The network
/// ends in logits, whose arg-max (lowest index on a tie) is the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Number of input features.
    pub inputs: usize,
    /// Quantizer of the standardised input.
    pub input_quantizer: Quantizer,
    /// Dense layers, first to last.
    pub layers: Vec<Layer>,
}

/// A dense layer: `activation(input * kernel + bias)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name, unique in the network (`fc1`).
    pub name: String,
    /// Number of outputs.
    pub units: usize,
    /// Quantizer of the kernel (`inputs x units`, row-major); scales may differ by column.
    pub kernel: Quantizer,
    /// Quantizer of the bias (`units`).
    pub bias: Quantizer,
    /// What stands behind the sum; `None` on the last layer: its outputs are the logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

/// A named activation layer. Its quantizer is the whole of it: `quantized_relu` rectifies,
/// `quantized_bits` does not, `relu` is the float rectifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// Name, unique in the network (`relu1`).
    pub name: String,
    /// Quantizer of the values that reach the next layer.
    pub quantizer: Quantizer,
}

/// What is wrong with a candidate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CandidateError {
    /// No layers, no inputs or no units.
    #[error("{place}: {problem}")]
    Shape {
        /// The layer's name, or `network`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A quantizer that cannot be scored exactly where it stands.
    #[error("{place}: {source}")]
    NotExact {
        /// Layer and parameter, `fc1.kernel`.
        place: String,
        /// Why.
        source: bitfront_quantizer::NotExact,
    },
}

impl Candidate {
    /// Inputs and outputs of layer `index`.
    pub fn layer_shape(&self, index: usize) -> (usize, usize) {
        let inputs = if index == 0 {
            self.inputs
        } else {
            self.layers[index - 1].units
        };
        (inputs, self.layers[index].units)
    }

    /// Number of outputs of the last layer.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.units)
    }

    /// Whether this is a float reference (any quantizer is `float` or `relu`): it can be trained
    /// and its accuracy measured, but it has no integer form and no hardware cost.
    pub fn is_float(&self) -> bool {
        let float = |q: &Quantizer| matches!(q, Quantizer::Float | Quantizer::Relu);
        float(&self.input_quantizer)
            || self.layers.iter().any(|layer| {
                float(&layer.kernel)
                    || float(&layer.bias)
                    || layer.activation.as_ref().is_some_and(|a| float(&a.quantizer))
            })
    }

    /// Checks shapes, names and (for a candidate that is not a float reference) that every
    /// quantizer has an exact integer form in its role.
    ///
    /// # Errors
    /// Every fault found, in layer order.
    pub fn check(&self) -> Result<(), Vec<CandidateError>> {
        unimplemented!("written with the integer program")
    }
}
