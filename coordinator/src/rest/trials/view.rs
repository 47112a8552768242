//! A trial as the API shows it.

use crate::store::read::TrialRow;
use bitfront_network::Candidate;
use bitfront_quantizer::Quantizer;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A trial's row in a table.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Trial)]
pub struct TrialView {
    /// Its id.
    pub id: Uuid,
    /// Its search.
    pub search_id: Uuid,
    /// From 0 in its search.
    pub number: i32,
    /// What a seed trial is called (`float`, `uniform-6`); absent for proposed trials.
    pub label: Option<String>,
    /// `queued`, `leased`, `paused`, `completed`, `failed`, `pruned` or `cancelled`.
    #[schema(example = "completed")]
    pub state: String,
    /// Whether no other trial of the search dominates it.
    pub on_front: bool,
    /// The last attempt, 0 before the first.
    pub attempt: i32,
    /// Name of the worker that has or had the last attempt.
    pub worker: Option<String>,
    /// Quantizers of the layers' kernels, first to last.
    #[schema(value_type = Vec<String>)]
    pub kernels: Value,
    /// What was measured: `accuracy_validation`, `accuracy_test`, `auc_validation`, `auc_test` and `costs`, the
    /// estimates from the trained weights.
    #[schema(value_type = Option<Object>)]
    pub scores: Option<Value>,
    /// Its synthesis job, if it has one.
    pub synthesis: Option<TrialSynthesis>,
    /// Stable code of the error, if it failed.
    pub error_code: Option<String>,
    /// What went wrong, if it failed.
    pub error_message: Option<String>,
    /// When its first lease was given.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A trial's synthesis job in short.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrialSynthesis {
    /// Its id.
    pub id: Uuid,
    /// Its state.
    pub state: String,
    /// What was measured, once completed.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
}

impl From<TrialRow> for TrialView {
    fn from(row: TrialRow) -> Self {
        let synthesis = row.synthesis_id.zip(row.synthesis_state);
        Self {
            id: row.id,
            search_id: row.search_id,
            number: row.number,
            label: row.label,
            state: row.state,
            on_front: row.on_front,
            attempt: row.attempt,
            worker: row.worker,
            kernels: row.kernels,
            scores: row.scores,
            synthesis: synthesis.map(|(id, state)| TrialSynthesis {
                id,
                state,
                result: row.synthesis_result,
            }),
            error_code: row.error_code,
            error_message: row.error_message,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

/// A quantizer where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Placed {
    /// As `QKeras` writes it.
    #[schema(example = "quantized_bits(6,0,1)")]
    pub quantizer: String,
    /// Bits of one value.
    pub bits: u32,
}

/// A layer of a trial's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Layer)]
pub struct LayerView {
    /// Its name.
    pub name: String,
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
    /// Of the weights.
    pub kernel: Placed,
    /// Of the biases.
    pub bias: Placed,
    /// Of the values that reach the next layer; absent where the layer's sums are the logits.
    pub activation: Option<Placed>,
    /// Weights and biases.
    pub parameters: usize,
    /// Bits to store them.
    pub parameter_bits: u64,
    /// Multiplications of one inference, before zeros are left out.
    pub multiplications: usize,
}

/// The layers of a candidate, first to last.
pub(super) fn layers(candidate: &Candidate) -> Vec<LayerView> {
    let placed = |quantizer: &Quantizer| Placed {
        quantizer: quantizer.to_string(),
        bits: quantizer.bits(),
    };
    let view = |(index, layer): (usize, &bitfront_network::Layer)| {
        let (inputs, outputs) = candidate.layer_shape(index);
        let (kernel, bias) = (placed(&layer.kernel), placed(&layer.bias));
        let (weights, biases) = (inputs * outputs, outputs);
        LayerView {
            name: layer.name.clone(),
            inputs,
            outputs,
            parameters: weights + biases,
            parameter_bits: weights as u64 * u64::from(kernel.bits)
                + biases as u64 * u64::from(bias.bits),
            multiplications: weights,
            kernel,
            bias,
            activation: layer
                .activation
                .as_ref()
                .map(|activation| placed(&activation.quantizer)),
        }
    };
    candidate.layers.iter().enumerate().map(view).collect()
}
