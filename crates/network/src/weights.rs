//! Float weights of a candidate and their file (safetensors).
//!
//! The file holds `<layer>.kernel` (`inputs x units`, f32) and `<layer>.bias` (`units`, f32) of
//! every layer, and the candidate's JSON under the metadata key `candidate`.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::Candidate;

/// Metadata key of the candidate's JSON.
const CANDIDATE: &str = "candidate";

/// Bytes a file may have beyond its tensors: the header with names, shapes and the candidate.
const HEADER_BYTES: usize = 1 << 20;

/// Weights of one dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// `inputs x units`, row-major.
    pub kernel: Vec<f32>,
    /// `units`.
    pub bias: Vec<f32>,
}

/// Weights of a network, first to last layer, as trained (before quantization).
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// One entry a dense layer.
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

impl Weights {
    /// The file: the same weights and candidate give the same bytes.
    ///
    /// # Panics
    /// If the weights are not of the candidate's shape.
    pub fn to_bytes(&self, candidate: &Candidate) -> Vec<u8> {
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = candidate
            .layers
            .iter()
            .zip(&self.layers)
            .enumerate()
            .flat_map(|(index, (layer, weights))| {
                let (inputs, units) = candidate.layer_shape(index);
                [
                    (
                        format!("{}.kernel", layer.name),
                        vec![inputs, units],
                        le_bytes(&weights.kernel),
                    ),
                    (
                        format!("{}.bias", layer.name),
                        vec![units],
                        le_bytes(&weights.bias),
                    ),
                ]
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
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
    /// another shape or type, and for weights that are not finite.
    pub fn from_bytes(candidate: &Candidate, bytes: &[u8]) -> Result<Self, WeightsError> {
        let parameters: usize = (0..candidate.layers.len())
            .map(|index| candidate.layer_shape(index))
            .map(|(inputs, units)| inputs.saturating_mul(units).saturating_add(units))
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
        let layers = candidate
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let (inputs, units) = candidate.layer_shape(index);
                Ok(LayerWeights {
                    kernel: tensor(&file, &format!("{}.kernel", layer.name), &[inputs, units])?,
                    bias: tensor(&file, &format!("{}.bias", layer.name), &[units])?,
                })
            })
            .collect::<Result<Vec<_>, WeightsError>>()?;
        let expected = 2 * layers.len();
        if file.len() != expected {
            return Err(WeightsError::Format(format!(
                "it has {} tensors; the candidate has {expected}",
                file.len()
            )));
        }
        Ok(Self { layers })
    }

    /// The first fault of shape against `candidate`: place and problem.
    pub(crate) fn shape_fault(&self, candidate: &Candidate) -> Option<(String, String)> {
        if self.layers.len() != candidate.layers.len() {
            let (have, need) = (self.layers.len(), candidate.layers.len());
            return Some((
                "network".into(),
                format!("{have} layers of weights for {need} layers"),
            ));
        }
        let mut parts = candidate.layers.iter().zip(&self.layers).enumerate();
        parts.find_map(|(index, (layer, weights))| {
            let (inputs, units) = candidate.layer_shape(index);
            let fault = |part: &str, have: usize, need: usize| {
                let problem = format!("{have} weights; its shape needs {need}");
                (have != need).then(|| (format!("{}.{part}", layer.name), problem))
            };
            fault("kernel", weights.kernel.len(), inputs * units)
                .or_else(|| fault("bias", weights.bias.len(), units))
        })
    }
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
