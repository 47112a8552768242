//! Float weights of a candidate and their file (safetensors).
//!
//! The file holds every tensor that [`Candidate::tensors`] names as `<layer>.<part>` (f32,
//! row-major), and the candidate's JSON under the metadata key `candidate`.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Candidate, Part, TensorSpec};

/// Metadata key of the candidate's JSON.
const CANDIDATE: &str = "candidate";

/// Bytes a file may have beyond its tensors: the header with names, shapes and the candidate.
const HEADER_BYTES: usize = 1 << 20;

/// Weights of one layer; empty for layers without any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerWeights {
    /// Row-major values of each tensor.
    pub parts: BTreeMap<Part, Vec<f32>>,
}

/// Weights of a network as trained (before quantization).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// One entry a layer of the candidate.
    pub layers: Vec<LayerWeights>,
}

/// Why a weights file was refused.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("not a weights file: {0}")]
    Format(String),
    /// A tensor is missing or of another shape or type.
    #[error("tensor {name}: {problem}")]
    Tensor {
        /// `fc1.kernel`.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl LayerWeights {
    /// A kernel and a bias.
    pub fn dense(kernel: Vec<f32>, bias: Vec<f32>) -> Self {
        Self {
            parts: BTreeMap::from([(Part::Kernel, kernel), (Part::Bias, bias)]),
        }
    }

    /// A tensor; nothing if the layer has none of the name.
    pub fn part(&self, part: Part) -> &[f32] {
        self.parts.get(&part).map_or(&[], Vec::as_slice)
    }
}

impl Weights {
    /// Weights whose tensors are what `values` gives.
    ///
    /// # Panics
    /// If the candidate's graph has faults.
    pub fn build(candidate: &Candidate, mut values: impl FnMut(&TensorSpec) -> Vec<f32>) -> Self {
        let mut layers = vec![LayerWeights::default(); candidate.layers.len()];
        for spec in candidate.tensors() {
            layers[spec.layer].parts.insert(spec.part, values(&spec));
        }
        Self { layers }
    }

    /// A tensor of layer `layer`; nothing if it has none of the name.
    pub fn part(&self, layer: usize, part: Part) -> &[f32] {
        self.layers[layer].part(part)
    }

    /// The file: the same weights and candidate give the same bytes.
    ///
    /// # Panics
    /// If the weights are not of the candidate's shape.
    pub fn to_bytes(&self, candidate: &Candidate) -> Vec<u8> {
        let specs = candidate.tensors();
        let tensors = specs.iter().map(|spec| {
            let values = self.part(spec.layer, spec.part);
            (name_of(candidate, spec), &spec.shape, le_bytes(values))
        });
        let tensors: Vec<(String, &Vec<usize>, Vec<u8>)> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, (*shape).clone(), bytes)
                .expect("weights have the candidate's shape");
            (name.as_str(), view)
        });
        let json = serde_json::to_string(candidate).expect("a candidate has only string keys");
        let metadata = HashMap::from([(CANDIDATE.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).expect("tensors in memory serialize")
    }

    /// Reads the weights of `candidate`.
    ///
    /// # Errors
    /// [`WeightsError`] for bytes that are not a safetensors file of at most the candidate's size
    /// and 1 MiB, for a file of another candidate, for tensors that are missing, unknown or of
    /// another shape or type, for weights that are not finite, and for variances below zero.
    pub fn from_bytes(candidate: &Candidate, bytes: &[u8]) -> Result<Self, WeightsError> {
        let specs = candidate.tensors();
        let parameters = specs
            .iter()
            .map(|spec| spec.shape.iter().product::<usize>())
            .fold(0, usize::saturating_add);
        let most = parameters.saturating_mul(4).saturating_add(HEADER_BYTES);
        if bytes.len() > most {
            return Err(WeightsError::Format(format!(
                "it has {} bytes, more than the {most} that this candidate can need",
                bytes.len()
            )));
        }
        let format = |e: safetensors::SafeTensorError| WeightsError::Format(e.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let stored = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(CANDIDATE))
            .ok_or_else(|| WeightsError::Format(format!("its metadata has no `{CANDIDATE}`")))?;
        let stored: Candidate = serde_json::from_str(stored)
            .map_err(|e| WeightsError::Format(format!("its candidate does not parse: {e}")))?;
        if stored != *candidate {
            return Err(WeightsError::Format(format!(
                "it holds the candidate {}, not {}",
                stored.digest(),
                candidate.digest()
            )));
        }
        let mut layers = vec![LayerWeights::default(); candidate.layers.len()];
        for spec in &specs {
            let name = name_of(candidate, spec);
            let values = tensor(&file, &name, &spec.shape)?;
            if spec.part == Part::Variance
                && let Some(at) = values.iter().position(|v| *v < 0.0)
            {
                let problem = format!("element {at} is {}; accepted is at least 0", values[at]);
                return Err(WeightsError::Tensor { name, problem });
            }
            layers[spec.layer].parts.insert(spec.part, values);
        }
        if file.len() != specs.len() {
            return Err(WeightsError::Format(format!(
                "it has {} tensors; the candidate has {}",
                file.len(),
                specs.len()
            )));
        }
        Ok(Self { layers })
    }

    /// The first tensor that is not of the candidate's shape: its place and what is wrong.
    pub fn shape_fault(&self, candidate: &Candidate) -> Option<(String, String)> {
        if self.layers.len() != candidate.layers.len() {
            let (have, need) = (self.layers.len(), candidate.layers.len());
            return Some((
                "network".into(),
                format!("{have} layers of weights for {need} layers"),
            ));
        }
        let specs = candidate.tensors();
        let wrong = specs.iter().find_map(|spec| {
            let have = self.part(spec.layer, spec.part).len();
            let need: usize = spec.shape.iter().product();
            let problem = format!("{have} weights; its shape needs {need}");
            (have != need).then(|| (name_of(candidate, spec), problem))
        });
        let unknown = || {
            let layers = self.layers.iter().enumerate();
            layers
                .flat_map(|(layer, weights)| weights.parts.keys().map(move |part| (layer, *part)))
                .find(|(layer, part)| {
                    !specs
                        .iter()
                        .any(|spec| (spec.layer, spec.part) == (*layer, *part))
                })
                .map(|(layer, part)| {
                    let name = format!("{}.{part}", candidate.layers[layer].name);
                    (name, "the layer has no such tensor".into())
                })
        };
        wrong.or_else(unknown)
    }
}

/// Name of a tensor in files and messages: `fc1.kernel`.
fn name_of(candidate: &Candidate, spec: &TensorSpec) -> String {
    format!("{}.{}", candidate.layers[spec.layer].name, spec.part)
}

fn tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
    let fault = |problem: String| WeightsError::Tensor {
        name: name.to_owned(),
        problem,
    };
    let view = file.tensor(name).map_err(|_| fault("is missing".into()))?;
    if view.dtype() != Dtype::F32 {
        return Err(fault(format!(
            "has the type {:?}; accepted is F32",
            view.dtype()
        )));
    }
    if view.shape() != shape {
        return Err(fault(format!(
            "has the shape {:?}; accepted is {shape:?}",
            view.shape()
        )));
    }
    let (words, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(fault(format!(
            "element {at} is {}; accepted are numbers",
            values[at]
        ))),
        None => Ok(values),
    }
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
