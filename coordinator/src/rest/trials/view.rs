//! A trial as the API shows it.

use super::usage::{UsageView, is_of_device, usage};
use crate::store::read::TrialRow;
use bitfront_network::{Candidate, LayerSummary, Operation, Part, Source};
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
    /// What was measured: `accuracy_validation`, `accuracy_test`, or where values are predicted
    /// `mean_squared_error_validation`, `mean_squared_error_test`; with an entry a class `auc_validation`, `auc_test`,
    /// `background_efficiency_50_validation` and so on for 80 and the test split; `confusion_test`, test rows of each class by
    /// the class they are taken for; `unseen`, of circuits within the ranges of the train rows: what they do on the other splits;
    /// and `costs`, the estimates from the trained weights.
    #[schema(value_type = Option<Object>)]
    pub scores: Option<Value>,
    /// Engine version of the worker that trained and scored it; absent before, 0 where it announced none.
    pub engine_version: Option<i32>,
    /// What synthesis measured: `lut_measured`, `ff_measured`, `dsp_measured`, `carry_measured`.
    #[schema(value_type = Option<Object>)]
    pub measured: Option<Value>,
    /// What its circuit takes of the search's device; no share of what another part takes.
    pub usage: Vec<UsageView>,
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
        let (result, device) = (row.synthesis_result.as_ref(), row.device.as_ref());
        let of_result = |key: &str| result.and_then(|result| result.get(key)?.as_str());
        let is_of_device = is_of_device(of_result("tool"), of_result("part"), device);
        let costs = row.scores.as_ref().and_then(|scores| scores.get("costs"));
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
            engine_version: row.engine_version,
            usage: usage(costs, (row.measured.as_ref(), is_of_device), device),
            measured: row.measured,
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
    /// As `QKeras` writes it; where channels differ, how many there are of which bits.
    #[schema(example = "quantized_bits(6,0,1)")]
    pub quantizer: String,
    /// Bits of one value, the most where channels differ.
    pub bits: u32,
    /// The fewest bits of a channel, where channels differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_bits: Option<u32>,
}

impl Placed {
    /// A quantizer that every channel has.
    pub(in crate::rest) fn of(quantizer: &Quantizer) -> Self {
        Self {
            quantizer: quantizer.to_string(),
            bits: quantizer.bits(),
            least_bits: None,
        }
    }

    /// The quantizers of channels, first to last.
    fn of_channels(quantizers: &[Quantizer]) -> Option<Self> {
        let first = quantizers.first()?;
        if quantizers.iter().all(|one| one == first) {
            return Some(Self::of(first));
        }
        let bits = quantizers.iter().map(Quantizer::bits);
        let (least, most) = (bits.clone().min()?, bits.max()?);
        Some(Self {
            quantizer: format!("{} channels of {least} to {most} bits", quantizers.len()),
            bits: most,
            least_bits: Some(least),
        })
    }
}

/// A layer of a trial's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Layer)]
pub struct LayerView {
    /// Its name.
    pub name: String,
    /// What it computes.
    #[schema(example = "dense")]
    pub kind: String,
    /// Names of what it reads; `input` is the network's input.
    pub reads: Vec<String>,
    /// Shape of its values, channels last.
    pub output_shape: Vec<usize>,
    /// Of the weights (a separable layer's depthwise ones); absent where there are none.
    pub kernel: Option<Placed>,
    /// Of a separable layer's pointwise weights.
    pub pointwise_kernel: Option<Placed>,
    /// Of the biases; absent where there are none.
    pub bias: Option<Placed>,
    /// Of the values of an activation layer.
    pub activation: Option<Placed>,
    /// Number of weights, running statistics included.
    pub parameters: u64,
    /// Bits to store the quantized ones.
    pub parameter_bits: u64,
    /// Multiplications of one inference, before zeros are left out.
    pub multiplications: u64,
}

/// The layers of a candidate, each behind the ones it reads.
pub(in crate::rest) fn layers(candidate: &Candidate) -> Vec<LayerView> {
    let inputs = candidate.first_input_shapes();
    let view = |(index, summary): (usize, LayerSummary)| {
        let operation = &candidate.layers[index].operation;
        let quantizers = operation.quantizers();
        let at = |wanted: &[Option<Part>]| {
            let found = quantizers
                .iter()
                .find(|(place, _)| wanted.contains(&place.part));
            found.map(|(_, quantizer)| Placed::of(quantizer))
        };
        let activation = match operation {
            Operation::ChannelActivation { quantizers } => Placed::of_channels(quantizers),
            _ => at(&[None]),
        };
        let parts = operation.parts(&inputs[index]);
        let bits_of = |(part, shape): &(Part, Vec<usize>)| {
            let quantizer = quantizers
                .iter()
                .find(|(place, _)| place.part == Some(*part));
            let bits = quantizer.map_or(0, |(_, quantizer)| quantizer.bits());
            shape.iter().product::<usize>() as u64 * u64::from(bits)
        };
        let sources = candidate.sources(index).unwrap_or_default();
        LayerView {
            kind: summary.kind.to_owned(),
            reads: sources
                .into_iter()
                .map(|source| match source {
                    Source::Input => "input".to_owned(),
                    Source::Layer(index) => candidate.layers[index].name.clone(),
                })
                .collect(),
            kernel: at(&[Some(Part::Kernel), Some(Part::DepthwiseKernel)]),
            pointwise_kernel: at(&[Some(Part::PointwiseKernel)]),
            bias: at(&[Some(Part::Bias)]),
            activation,
            parameter_bits: parts.iter().map(bits_of).sum(),
            name: summary.name,
            output_shape: summary.output_shape,
            parameters: summary.parameters,
            multiplications: summary.multiplications,
        }
    };
    candidate
        .summary()
        .into_iter()
        .enumerate()
        .map(view)
        .collect()
}
