//! A candidate: a dense network with a quantizer in every place where a number is stored.

use std::collections::HashSet;
use std::fmt::Write as _;

use bitfront_quantizer::{Quantizer, Role};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most inputs or units of a layer: networks for fully unrolled circuits are far smaller.
const LARGEST: usize = 4096;

/// Most classes: a class is stored in a byte.
const MOST_CLASSES: usize = 256;

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
                    || layer
                        .activation
                        .as_ref()
                        .is_some_and(|a| float(&a.quantizer))
            })
    }

    /// Checks shapes, names and (for a candidate that is not a float reference) that every
    /// quantizer has an exact integer form in its role.
    ///
    /// # Errors
    /// Every fault found, in layer order.
    pub fn check(&self) -> Result<(), Vec<CandidateError>> {
        let mut faults = Faults {
            found: Vec::new(),
            exact: !self.is_float(),
        };
        faults.size("network", "inputs", self.inputs);
        faults.quantizer("input".into(), &self.input_quantizer, Role::Input);
        if self.layers.is_empty() {
            faults.shape("network", "has no layers; accepted is at least one".into());
        }
        let mut names = HashSet::from(["network", "input"]);
        for (index, layer) in self.layers.iter().enumerate() {
            let last = index + 1 == self.layers.len();
            faults.name(&layer.name, &mut names);
            faults.size(&layer.name, "units", layer.units);
            faults.quantizer(
                format!("{}.kernel", layer.name),
                &layer.kernel,
                Role::Kernel,
            );
            faults.quantizer(format!("{}.bias", layer.name), &layer.bias, Role::Bias);
            if last && layer.units > MOST_CLASSES {
                let units = layer.units;
                faults.shape(
                    &layer.name,
                    format!("has {units} outputs; accepted are at most {MOST_CLASSES} classes"),
                );
            }
            match &layer.activation {
                Some(activation) => {
                    faults.name(&activation.name, &mut names);
                    let place = activation.name.clone();
                    faults.quantizer(place, &activation.quantizer, Role::Activation);
                    if last {
                        faults.shape(
                            &layer.name,
                            format!(
                                "is the last layer and has the activation `{}`; accepted is none: \
                                 its sums are the logits",
                                activation.name
                            ),
                        );
                    }
                }
                None if !last => faults.shape(
                    &layer.name,
                    "has no activation; accepted is a quantizer, for every layer but the last"
                        .into(),
                ),
                None => {}
            }
        }
        if faults.found.is_empty() {
            Ok(())
        } else {
            Err(faults.found)
        }
    }

    /// Lowercase hex sha-256 of the candidate's JSON (fields in declaration order, canonical
    /// quantizer strings): equal candidates have equal digests, however they were written.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).expect("a candidate has only string keys");
        Sha256::digest(&json)
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}

/// Collects what is wrong with a candidate.
struct Faults {
    found: Vec<CandidateError>,
    /// Whether quantizers have to be exact (not in a float reference).
    exact: bool,
}

impl Faults {
    fn shape(&mut self, place: &str, problem: String) {
        self.found.push(CandidateError::Shape {
            place: place.into(),
            problem,
        });
    }

    fn size(&mut self, place: &str, what: &str, size: usize) {
        if !(1..=LARGEST).contains(&size) {
            self.shape(
                place,
                format!("has {size} {what}; accepted are 1 to {LARGEST}"),
            );
        }
    }

    fn name<'a>(&mut self, name: &'a str, names: &mut HashSet<&'a str>) {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if name.len() > 64 || !starts || !name.chars().all(fits) {
            self.shape(
                name,
                format!(
                    "the name `{name}` is not accepted; accepted are up to 64 letters, digits and \
                     `_`, not starting with a digit"
                ),
            );
        }
        if !names.insert(name) {
            self.shape(
                name,
                format!("the name `{name}` is used twice; names are unique"),
            );
        }
    }

    fn quantizer(&mut self, place: String, quantizer: &Quantizer, role: Role) {
        if self.exact
            && let Err(source) = quantizer.check_exact(role)
        {
            self.found.push(CandidateError::NotExact { place, source });
        }
    }
}
