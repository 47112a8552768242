//! A trained model of another tool as a search starts from it: its network, its weights as a file, what was imported.
//!
//! The rule this module keeps: all or nothing, and every reason at once. It knows no transport and no store, so that
//! the command line reads a file exactly as the coordinator will.

use bitfront_import::{ImportError, Imported, read};
use bitfront_network::{Candidate, CandidateError, Layer};
use bitfront_search::{file::ModelInfo, search::Network};

use crate::{artifacts::Digest, error::Fault};

/// Notes kept of a model.
const NOTES: usize = 200;
/// Characters kept of a note, a source, a fault's place and its detail.
const CHARACTERS: usize = 1000;

/// A model that a search can start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The network as imported, with its own quantizers.
    pub candidate: Candidate,
    /// The file of its weights (safetensors), under the float reference of the network.
    pub weights: Vec<u8>,
    /// Format, version, writer.
    pub source: String,
    /// What a user should know of the import.
    pub notes: Vec<String>,
}

/// Why a file is no model to start from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// In one sentence.
    pub detail: String,
    /// Where single layers stand in the way: all of them, as `/layers/NAME`.
    pub faults: Vec<Fault>,
}

impl Model {
    /// Reads a model file of any format that is known; `file` is its name.
    ///
    /// # Errors
    /// [`Refusal`]: an unknown or damaged file, all unsupported layers, all faults of the network, or
    /// all activations that have no float reference.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, Refusal> {
        let imported = read(bytes, Some(file)).map_err(refusal)?;
        let Imported {
            candidate,
            weights,
            source,
            notes,
        } = imported;
        let faults = without_reference(&candidate);
        if !faults.is_empty() {
            let detail = format!(
                "the model has {} without a float reference",
                count(faults.len(), "activation")
            );
            return Err(Refusal { detail, faults });
        }
        let network = Network::of(&candidate).map_err(|detail| Refusal {
            detail,
            faults: Vec::new(),
        })?;
        if let Some((place, problem)) = weights.shape_fault(&network.float) {
            return Err(Refusal {
                detail: format!("the weights do not fit the network: {place}: {problem}"),
                faults: Vec::new(),
            });
        }
        Ok(Self {
            weights: weights.to_bytes(&network.float),
            candidate,
            source: plain(&source),
            notes: notes.iter().take(NOTES).map(|note| plain(note)).collect(),
        })
    }

    /// What a search file that imports it is resolved with.
    pub fn info(&self, file: &str) -> ModelInfo {
        ModelInfo {
            name: name(file).to_owned(),
            candidate: self.candidate.clone(),
            weights_digest: Digest::of(&self.weights).to_string(),
        }
    }
}

/// What search files call a model: its file's name without the extension.
pub fn name(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Every activation that a float network cannot stand for.
fn without_reference(candidate: &Candidate) -> Vec<Fault> {
    // One layer at a time: a network names only its first.
    let alone = |layer: &Layer| {
        let network = Candidate {
            input_shape: candidate.input_shape.clone(),
            input_quantizer: candidate.input_quantizer,
            layers: vec![layer.clone()],
            head: candidate.head,
            scale_bits: candidate.scale_bits,
        };
        Network::of(&network).err()
    };
    candidate
        .layers
        .iter()
        .filter_map(|layer| Some(fault(&layer.name, alone(layer)?)))
        .collect()
}

fn refusal(error: ImportError) -> Refusal {
    match error {
        ImportError::Unsupported(layers) => Refusal {
            detail: format!("the model has {}", count(layers.len(), "unsupported layer")),
            faults: layers
                .iter()
                .map(|layer| fault(&layer.name, format!("{}: {}", layer.kind, layer.reason)))
                .collect(),
        },
        ImportError::Network(errors) => Refusal {
            detail: format!(
                "the model makes a network with {}",
                count(errors.len(), "fault")
            ),
            faults: errors
                .iter()
                .map(|error| match error {
                    CandidateError::Shape { place, problem } => fault(place, problem),
                    CandidateError::NotExact { place, source } => fault(place, source.to_string()),
                })
                .collect(),
        },
        ImportError::Unknown { .. }
        | ImportError::TooLarge { .. }
        | ImportError::Damaged { .. } => Refusal {
            detail: plain(&error.to_string()),
            faults: Vec::new(),
        },
    }
}

fn fault(layer: &str, detail: impl AsRef<str>) -> Fault {
    let name = plain(layer).replace('~', "~0").replace('/', "~1");
    Fault {
        pointer: format!("/layers/{name}"),
        detail: plain(detail.as_ref()),
        suggestion: None,
    }
}

/// `2 faults`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Text of a file as it may be stored and shown: without control characters, and not endless.
fn plain(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut plain: String = text.chars().take(CHARACTERS).map(shown).collect();
    if text.chars().nth(CHARACTERS).is_some() {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_made_plain() {
        assert_eq!(plain("a\0b\nc"), "a\u{fffd}b\u{fffd}c");
        let long = plain(&"x".repeat(5000));
        assert_eq!(long.chars().count(), CHARACTERS + 1);
        assert_eq!(fault("a/b~c", "d").pointer, "/layers/a~1b~0c");
    }

    #[test]
    fn a_name_is_a_file_name_without_its_extension() {
        assert_eq!(name("jets.v2.keras"), "jets.v2");
        assert_eq!(name("jets"), "jets");
    }
}
