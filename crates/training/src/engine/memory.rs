//! How many samples pass together, and what an engine allocates.

use bitfront_kernel::{PatchTable, stride};
use bitfront_network::{Candidate, Geometry, Head, Operation};
use bitfront_quantizer::Quantizer;

use super::MICRO_BATCH;
use crate::extent::Extent;
use crate::node::needs_whole_batch;
use crate::plan::Plan;
use crate::window::{patch_values, slide_bytes};

/// Values of all layers that should stay in cache while a micro-batch passes.
const CACHED_VALUES: usize = 1 << 19;

/// Float values, quantized ones, gradient and two moments of a parameter.
const PARAMETER_COPIES: usize = 5;

/// Samples that a candidate's buffers are made for, and those of a micro-batch.
pub(super) fn sizes(candidate: &Candidate, batch: usize) -> (usize, usize) {
    let micro = micro_batch(candidate);
    let whole = whole_batch(candidate);
    (if whole { batch.max(micro) } else { micro }, micro)
}

/// Samples that pass a network together, so that their values stay in cache: 1 to 64, and 64 where the network has no
/// positions. Its graph has no faults.
pub fn micro_batch(candidate: &Candidate) -> usize {
    let extents: Vec<Extent> = candidate.shapes().iter().map(|s| Extent::of(s)).collect();
    let input = Extent::of(&candidate.input_shape);
    let flat = input.positions == 1 && extents.iter().all(|extent| extent.positions == 1);
    let values: usize = extents.iter().map(|extent| extent.padded()).sum();
    if flat {
        MICRO_BATCH
    } else {
        (CACHED_VALUES / (values + input.padded()).max(1)).clamp(1, MICRO_BATCH)
    }
}

/// Whether any layer's statistics are those of a batch.
pub(super) fn whole_batch(candidate: &Candidate) -> bool {
    let mut operations = candidate.layers.iter().map(|layer| &layer.operation);
    operations.any(needs_whole_batch)
}

/// Bytes that an engine for batches of `batch` rows allocates, at most; a test holds it against what a
/// counting allocator sees.
pub(crate) fn buffer_bytes(candidate: &Candidate, batch: usize) -> usize {
    let (capacity, _) = sizes(candidate, batch);
    let input = Extent::of(&candidate.input_shape);
    let unpacked = if input.positions == 1 {
        0
    } else {
        input.padded()
    };
    let outputs = match candidate.head {
        Head::Softmax { .. } => 1,
        Head::Sigmoid | Head::Linear => 1 + candidate.outputs(),
    };
    // Rows as values and as codes.
    let rows = stride(input.values()) + stride(input.values()).div_ceil(size_of::<f32>());
    let mut sample = rows + unpacked + outputs;
    let (mut fixed, mut widest) = (0_usize, 0);
    let inputs = candidate.first_input_shapes();
    let layers = candidate.layers.iter().zip(candidate.shapes());
    for ((layer, shape), input) in layers.zip(&inputs) {
        let from = Extent::of(input);
        let layer = Layer {
            operation: &layer.operation,
            geometry: layer.operation.geometry(input).ok(),
            from,
            to: Extent::of(&shape),
        };
        // A gradient that is added to another, and the second one of a folded layer.
        widest = widest.max(from.padded());
        sample = sample.saturating_add(layer.by_sample());
        fixed = fixed.saturating_add(layer.once());
    }
    for spec in candidate.tensors() {
        let columns = spec.shape.last().copied().unwrap_or(1).max(1);
        let rows = spec.shape.iter().product::<usize>() / columns;
        let padded = rows.saturating_mul(stride(columns));
        let (prepared, folded) = (columns * stride(rows), columns.max(rows));
        let operation = &candidate.layers[spec.layer].operation;
        let quantizers = operation.quantizers();
        let own = quantizers
            .iter()
            .find(|(place, _)| place.part == Some(spec.part));
        let working = own.map_or(0, |(_, quantizer)| working_copies(quantizer));
        // Folded kernel and its prepared form beside the plain ones.
        let forms = if needs_whole_batch(operation) { 2 } else { 1 };
        let all = padded.saturating_mul(PARAMETER_COPIES + working + forms);
        fixed = fixed
            .saturating_add(all)
            .saturating_add(prepared.saturating_mul(forms))
            .saturating_add(16 * folded);
    }
    sample
        .saturating_add(widest)
        .saturating_mul(capacity)
        .saturating_add(fixed)
        .saturating_mul(size_of::<f32>())
}

/// Copies of a tensor that a quantizer works in.
fn working_copies(quantizer: &Quantizer) -> usize {
    if quantizer.is_stochastic() {
        4
    } else if Plan::of(quantizer).keeps_zero() {
        0
    } else {
        2
    }
}

/// A layer and what it reads.
struct Layer<'a> {
    operation: &'a Operation,
    geometry: Option<Geometry>,
    from: Extent,
    to: Extent,
}

impl Layer<'_> {
    /// Values of a sample: outputs and their gradient, and what else the layer keeps.
    fn by_sample(&self) -> usize {
        let own = 2 * self.to.padded();
        let repeated = |multiplier: usize| {
            let columns = stride(self.from.channels * multiplier);
            2 * usize::from(multiplier > 1) * self.from.positions * columns
        };
        let rest = match self.operation {
            Operation::DepthwiseConv { multiplier, .. } => repeated(*multiplier),
            Operation::SeparableConv { multiplier, .. } => {
                let middle = stride(self.from.channels * multiplier);
                repeated(*multiplier) + 2 * self.to.positions * middle
            }
            Operation::MaxPool { .. } | Operation::Dropout { .. } => self.to.padded(),
            Operation::Activation { quantizer } => working_copies(quantizer) * self.to.padded(),
            _ => 0,
        };
        let unfolded = match self.operation {
            Operation::BatchNorm { .. } => 0,
            operation if needs_whole_batch(operation) => self.to.padded(),
            _ => 0,
        };
        own + rest + unfolded
    }

    /// Values that do not grow with samples: tables of windows, patches, statistics.
    fn once(&self) -> usize {
        let taps = self.geometry.map_or(1, |geometry| geometry.taps());
        let table = taps * self.to.positions;
        let patches = match (self.operation, self.geometry) {
            (Operation::Conv { .. }, Some(geometry)) => {
                let channels = self.from.channels;
                let copies = PatchTable::bytes(self.to.positions, taps, channels);
                let tables = copies + slide_bytes(&geometry, channels);
                // Patches of values and of gradients.
                let patches = 2 * patch_values(taps, channels);
                patches + tables.div_ceil(size_of::<f32>())
            }
            _ => 0,
        };
        table + patches + 32 * self.to.stride()
    }
}
