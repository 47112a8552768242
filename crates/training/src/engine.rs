//! Forward and backward pass of a whole graph on preallocated buffers, in micro-batches that stay in
//! cache.
//!
//! The rule this module keeps: the gradient of a batch is one chain over its rows, whatever the
//! micro-batches, and no step but the first allocates. Where a normalisation needs the statistics of a
//! whole batch, the micro-batch is the batch.

mod average;
mod memory;
mod prune;
mod step;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bitfront_kernel::{BatchLoss, Buffer, Kernels, stride};
use bitfront_network::{Candidate, LayerWeights, Weights};

use crate::averaging::Average;
use crate::distillation::SoftTargets;
use crate::extent::{Extent, Mode, Out, Pass, Read, Target, add, pass_on};
use crate::inputs::{Stored, input_codes};
use crate::loss::Loss;
use crate::node::{
    Feed, Flow, Node, Nodes, Origin, Work, fuse, nodes, read_stored, read_stored_codes,
};
use crate::pooling::{flatten, join, part, unflatten};
use crate::pruning::Sparsity;
use crate::recipe::Recipe;
use crate::train::Targets;

use memory::{sizes, whole_batch};
use step::Rule;

pub(crate) use memory::buffer_bytes;
pub use memory::micro_batch;
pub(crate) use step::is_kernel;

/// Most samples that pass the network together; exactly as many in networks without positions.
pub(crate) const MICRO_BATCH: usize = 64;

/// Parts in which the next rows are asked for, between the passes of those before: a CPU waits for few lines at a time.
const PREFETCHES: usize = 3;

/// A network in training.
pub(crate) struct Engine {
    kernels: Kernels,
    seed: u64,
    /// How the nodes read it: one position where only convolutions do, which read it as it is stored.
    input: Extent,
    /// Samples of a micro-batch.
    micro: usize,
    /// Whether statistics make the micro-batch the batch.
    whole: bool,
    nodes: Vec<Node>,
    output: usize,
    gradients: Vec<Buffer>,
    /// A gradient that is added to another.
    scratch: Buffer,
    /// Rows of the current micro-batch, as they are stored.
    gathered: Buffer,
    /// The same of rows that are codes.
    gathered_codes: Vec<u8>,
    /// Whether these are the current ones.
    on_codes: bool,
    /// The same by position, where there are several.
    unpacked: Buffer,
    loss: Loss,
    steps: u64,
    /// `beta^t` of both moments.
    decay: [f64; 2],
    candidate_layers: usize,
    rule: Rule,
    average: Option<Average>,
    sparsity: Option<Sparsity>,
}

/// Rows with padded, already quantized features.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) x: Stored<'a>,
    pub(crate) y: Targets<'a>,
    pub(crate) count: usize,
}

impl Engine {
    /// A network with these weights, for batches of at most `batch` rows.
    pub(crate) fn new(
        kernels: Kernels,
        candidate: &Candidate,
        weights: &Weights,
        seed: u64,
        batch: usize,
    ) -> Self {
        let mut engine = Self::one_by_one(kernels, candidate, weights, seed, batch);
        fuse(&mut engine.nodes, engine.output, sizes(candidate, batch).0);
        if engine.input.positions > 1 && read_stored(&mut engine.nodes) {
            engine.input = Extent {
                positions: 1,
                channels: engine.input.values(),
            };
            engine.unpacked = Buffer::zeroed(0);
            if let Some((grid, values)) = input_codes(candidate) {
                read_stored_codes(&mut engine.nodes, grid, values);
                engine.gathered_codes = vec![0; engine.gathered.len()];
            }
        }
        engine
    }

    /// The same, in which every layer does its own work alone.
    fn one_by_one(
        kernels: Kernels,
        candidate: &Candidate,
        weights: &Weights,
        seed: u64,
        batch: usize,
    ) -> Self {
        let (capacity, micro) = sizes(candidate, batch);
        let Nodes {
            all: nodes,
            output,
            slots,
        } = nodes(candidate, weights, capacity);
        let output = match output {
            Origin::Node(at) => at,
            Origin::Input => 0,
        };
        let input = Extent::of(&candidate.input_shape);
        let widest = nodes.iter().flat_map(|node| {
            let feeds = node.feeds.iter().filter(|feed| feed.flow == Flow::Add);
            feeds.map(|feed| match feed.origin {
                Origin::Node(at) => nodes[at].extent.padded(),
                Origin::Input => 0,
            })
        });
        let widest = widest.max().unwrap_or(0);
        // A folded layer gives two gradients by its input.
        let folded = nodes
            .iter()
            .filter_map(|node| match (&node.work, &node.feeds[..]) {
                (
                    Work::Weighted(w),
                    [
                        Feed {
                            origin: Origin::Node(at),
                            ..
                        },
                    ],
                ) if w.folded.is_some() => Some(nodes[*at].extent.padded()),
                _ => None,
            });
        let widest = widest.max(folded.max().unwrap_or(0));
        let unpacked = if input.positions == 1 {
            0
        } else {
            input.padded()
        };
        let all = |values: usize| Buffer::zeroed(capacity * values);
        Self {
            kernels,
            seed,
            input,
            micro,
            whole: whole_batch(candidate),
            output,
            gradients: slots.into_iter().map(all).collect(),
            scratch: all(widest),
            gathered: all(stride(input.values())),
            gathered_codes: Vec::new(),
            on_codes: false,
            unpacked: all(unpacked),
            loss: Loss::new(candidate.head, nodes[output].extent, capacity),
            nodes,
            steps: 0,
            decay: [1.0; 2],
            candidate_layers: candidate.layers.len(),
            rule: Rule::default(),
            average: None,
            sparsity: None,
        }
    }

    /// Steps by this recipe from now on; without it by Adam alone.
    #[must_use]
    pub(crate) fn by(mut self, recipe: &Recipe) -> Self {
        self.rule = Rule {
            optimizer: recipe.optimizer,
            clip_norm: recipe.clip_norm,
            l1: recipe.l1,
            l2: recipe.l2,
        };
        self.loss.smoothing = recipe.label_smoothing;
        if let Some(function) = recipe.loss {
            self.loss.function = function;
        }
        self
    }

    /// Multiplies the losses of train rows by the weights of their classes.
    #[must_use]
    pub(crate) fn weighing(mut self, class_weights: &[f32]) -> Self {
        self.loss.weigh(class_weights.to_vec());
        self
    }

    /// Learns from a teacher beside the labels.
    #[must_use]
    pub(crate) fn taught_by(mut self, targets: &Arc<SoftTargets>) -> Self {
        self.loss.learn_from(Arc::clone(targets));
        self
    }

    /// The float weights and running statistics.
    pub(crate) fn weights(&self) -> Weights {
        let mut layers = vec![LayerWeights::default(); self.candidate_layers];
        for node in &self.nodes {
            node.save(&mut layers[node.layer]);
        }
        Weights { layers }
    }

    /// Fake-quantizes all parameters for the passes that follow, and starts their random draws.
    pub(crate) fn quantize(&mut self, mode: Mode) {
        for node in &mut self.nodes {
            if mode.is_training() {
                node.begin(self.seed, self.steps);
            }
            if let Work::Weighted(weighted) = &mut node.work {
                weighted.quantize(self.kernels, mode);
            }
        }
    }

    /// Gradient of the mean loss over the rows `batch` by the float parameters; parameters must be
    /// quantized in the same mode. Returns the summed loss.
    pub(crate) fn gradients(&mut self, rows: Rows<'_>, batch: &[u32], mode: Mode) -> BatchLoss {
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| parameter.gradient.fill(0.0));
        }
        let scale = 1.0 / batch.len() as f32;
        let mut total = BatchLoss::default();
        let micro = if self.whole { batch.len() } else { self.micro };
        let mut parts = batch.chunks(micro).peekable();
        while let Some(part) = parts.next() {
            let pass = self.pass(part.len(), mode);
            self.gather(rows.x, part);
            self.loss.take(rows.y, part.iter().map(|row| *row as usize));
            self.loss.take_for_training(part);
            let next = parts.peek().copied().unwrap_or_default();
            let mut next = next.chunks(next.len().div_ceil(PREFETCHES).max(1));
            self.prefetch(rows, next.next());
            self.forward(pass, None);
            self.prefetch(rows, next.next());
            let loss = self.lose(pass, scale);
            self.prefetch(rows, next.next());
            total.loss += loss.loss;
            total.correct += loss.correct;
            if !total.loss.is_finite() {
                break;
            }
            self.backward(pass);
        }
        for node in &mut self.nodes {
            if let Work::Weighted(weighted) = &mut node.work {
                weighted.straight_through(self.kernels, mode);
            }
        }
        total
    }

    /// Asks for these rows and their classes, which are wanted soon.
    fn prefetch(&self, rows: Rows<'_>, order: Option<&[u32]>) {
        let (width, order) = (self.input.values(), order.unwrap_or_default());
        match rows.x {
            Stored::Values(x) => self.kernels.prefetch(stride(width), x, order),
            Stored::Codes(x) => self.kernels.prefetch(stride(width), x, order),
        }
        if let Targets::Classes(classes) = rows.y {
            self.kernels.prefetch(1, classes, order);
        }
    }

    /// Copies these rows for the passes that follow.
    fn gather(&mut self, rows: Stored<'_>, order: &[u32]) {
        let width = self.input.values();
        let used = ..order.len() * stride(width);
        self.on_codes = match rows {
            Stored::Values(x) => {
                self.kernels
                    .gather(width, x, order, &mut self.gathered[used]);
                false
            }
            Stored::Codes(x) => {
                let to = &mut self.gathered_codes[used];
                self.kernels.gather_codes(width, x, order, to);
                true
            }
        };
    }

    /// Loss over all rows in order, without gradients; parameters must be quantized for evaluation.
    pub(crate) fn evaluate(&mut self, rows: Rows<'_>) -> BatchLoss {
        let step = stride(self.input.values());
        let mut total = BatchLoss::default();
        for start in (0..rows.count).step_by(self.micro) {
            let samples = self.micro.min(rows.count - start);
            let pass = self.pass(samples, Mode::Evaluate);
            self.forward(pass, Some(rows.x.part(start * step, samples * step)));
            self.loss.take(rows.y, start..start + samples);
            let loss = self.lose(pass, 1.0);
            total.loss += loss.loss;
            total.correct += loss.correct;
        }
        total
    }

    /// Adds the outputs of padded, quantized rows to `to`, dense.
    pub(crate) fn outputs(&mut self, x: Stored<'_>, to: &mut Vec<f32>) {
        self.quantize(Mode::Evaluate);
        let step = stride(self.input.values());
        for start in (0..x.len()).step_by(self.micro * step) {
            let values = (x.len() - start).min(self.micro * step);
            let pass = self.pass(values / step, Mode::Evaluate);
            self.forward(pass, Some(x.part(start, values)));
            let Node { values, extent, .. } = &self.nodes[self.output];
            for row in values.chunks_exact(extent.padded()).take(pass.samples) {
                to.extend_from_slice(&row[..extent.values()]);
            }
        }
    }

    /// Gradients by the float parameters.
    #[cfg(test)]
    pub(crate) fn float_gradients(&mut self) -> Weights {
        let mut layers = vec![LayerWeights::default(); self.candidate_layers];
        for node in &mut self.nodes {
            let to = &mut layers[node.layer].parts;
            node.each_parameter(|part, parameter| {
                to.insert(part, parameter.gradient.dense(parameter.columns()));
            });
        }
        Weights { layers }
    }

    /// The first layer whose values are not finite, for an error message.
    pub(crate) fn first_not_finite(&self) -> String {
        let bad = |node: &&Node| node.values.iter().any(|value| !value.is_finite());
        match self.nodes.iter().find(bad) {
            Some(node) => format!("{}.output", node.name),
            None => "the loss".to_owned(),
        }
    }

    fn pass(&self, samples: usize, mode: Mode) -> Pass {
        Pass {
            kernels: self.kernels,
            samples,
            mode,
        }
    }

    /// Forward pass of rows `x`, or of the gathered ones.
    fn forward(&mut self, pass: Pass, x: Option<Stored<'_>>) {
        let stored = match x {
            Some(stored) => stored,
            None if self.on_codes => Stored::Codes(&self.gathered_codes),
            None => Stored::Values(&self.gathered),
        };
        let input: &[f32] = if self.input.positions == 1 {
            stored.values()
        } else {
            unpack(
                self.input,
                pass.samples,
                stored.values(),
                &mut self.unpacked,
            );
            &self.unpacked
        };
        for index in 0..self.nodes.len() {
            let (before, rest) = self.nodes.split_at_mut(index);
            let Some((node, after)) = rest.split_first_mut() else {
                break;
            };
            let Node {
                feeds,
                extent,
                work,
                values,
                ..
            } = node;
            let read = |feed: Feed| {
                let (x, extent) = match feed.origin {
                    Origin::Input => (input, self.input),
                    Origin::Node(at) => (&*before[at].values, before[at].extent),
                };
                // Empty where codes are read.
                let values = x.get(..pass.samples * extent.padded());
                (values.unwrap_or_default(), extent)
            };
            // The layer before it has done its work.
            if matches!(work, Work::Activation(activation) if activation.is_fused()) {
                continue;
            }
            let (x, from) = read(feeds[0]);
            let size = pass.samples * extent.padded();
            if let Work::Weighted(weighted) = work {
                let codes = match feeds[0].origin {
                    Origin::Node(at) => before[at].codes(),
                    Origin::Input => stored.codes(),
                };
                let x = Read { values: x, codes };
                let at_once = after.first_mut().and_then(Node::at_once);
                let y = at_once.unwrap_or_else(|| Out::Values(&mut values[..size]));
                weighted.forward(pass, x, y);
                continue;
            }
            let y = &mut values[..size];
            match work {
                Work::Weighted(_) => {}
                Work::Normalise(normalise) => normalise.forward(pass, x, y),
                Work::Activation(activation) => activation.forward(pass, x, y),
                Work::Dropout(dropout) => dropout.forward(pass, x, y),
                Work::MaxPool(pool) => pool.forward(pass, x, y),
                Work::AveragePool(pool) => pool.forward(pass.samples, x, y),
                Work::Pad(pad) => pad.forward(pass.samples, x, y),
                Work::Flatten => flatten(from, pass.samples, x, y),
                Work::Add => {
                    y.copy_from_slice(x);
                    for feed in &feeds[1..] {
                        add(read(*feed).0, y);
                    }
                }
                Work::Concatenate => {
                    let mut offset = 0;
                    for feed in feeds {
                        let (x, from) = read(*feed);
                        join(from, *extent, offset, x, y);
                        offset += from.channels;
                    }
                }
            }
        }
    }

    /// Loss of the samples that went forward, and its gradient times `scale` by the outputs.
    fn lose(&mut self, pass: Pass, scale: f32) -> BatchLoss {
        let output = &self.nodes[self.output];
        let Some(slot) = output.slot else {
            return BatchLoss::default();
        };
        let (gradient, loss) = (&mut self.gradients[slot], &self.loss);
        let (kernels, samples, outputs) = (pass.kernels, pass.samples, &output.values);
        if pass.mode.is_training() {
            loss.of_training(kernels, samples, outputs, scale, gradient)
        } else {
            loss.of(kernels, samples, outputs, scale, gradient)
        }
    }

    /// Backward pass from the gradient by the outputs.
    fn backward(&mut self, pass: Pass) {
        let input = match (self.on_codes, self.input.positions) {
            (true, _) => Stored::Codes(&self.gathered_codes),
            (false, 1) => Stored::Values(&self.gathered),
            (false, _) => Stored::Values(&self.unpacked),
        };
        for index in (0..self.nodes.len()).rev() {
            let (before, rest) = self.nodes.split_at_mut(index);
            let Some((
                Node {
                    feeds,
                    extent,
                    work,
                    slot: Some(slot),
                    ..
                },
                after,
            )) = rest.split_first_mut()
            else {
                continue;
            };
            // Where this node's gradient may differ from zero.
            let bits = after.first().and_then(Node::cut_bits);
            let mut own = std::mem::replace(&mut self.gradients[*slot], Buffer::zeroed(0));
            let dy = &mut own[..pass.samples * extent.padded()];
            if let (Work::Weighted(weighted), Origin::Node(at)) = (&*work, feeds[0].origin)
                && let Work::Activation(activation) = &before[at].work
                && activation.leaves_out_values()
                && !weighted.reads_codes_back(pass, bits)
            {
                let used = ..pass.samples * before[at].extent.padded();
                let Node { work, values, .. } = &mut before[at];
                if let Work::Activation(activation) = work {
                    activation.make_values(pass.kernels, &mut values[used]);
                }
            }
            let x = match feeds[0].origin {
                Origin::Input => {
                    let values = input.values().get(..pass.samples * self.input.padded());
                    values.unwrap_or_default()
                }
                // Empty behind a fused activation, which reads none.
                Origin::Node(at) => {
                    let size = pass.samples * before[at].extent.padded();
                    before[at].values.get(..size).unwrap_or_default()
                }
            };
            let codes = match feeds[0].origin {
                Origin::Input => input.codes(),
                Origin::Node(at) => before[at].codes(),
            };
            let read = Read { values: x, codes };
            // What changes the gradient in place comes first; the others read it.
            match work {
                Work::Activation(activation) => activation.backward(pass.kernels, x, dy),
                Work::Dropout(dropout) => dropout.backward(dy),
                Work::Normalise(normalise) => normalise.backward(x, dy),
                Work::Weighted(weighted) if !weighted.feeds_back => {
                    weighted.backward(pass, read, dy, bits, None);
                }
                _ => {}
            }
            let mut offset = 0;
            for feed in feeds.iter() {
                let Origin::Node(at) = feed.origin else {
                    offset += self.input.channels;
                    continue;
                };
                let source = &before[at];
                let shared = source.slot == Some(*slot);
                if let Some(to) = source.slot
                    && feed.flow != Flow::None
                    && !shared
                {
                    let from = source.extent;
                    let mut target = Target {
                        gradient: &mut self.gradients[to][..pass.samples * from.padded()],
                        add: feed.flow == Flow::Add,
                        inside: source.inside(),
                        scratch: &mut self.scratch,
                    };
                    match work {
                        Work::Weighted(weighted) => {
                            weighted.backward(pass, read, dy, bits, Some(target));
                        }
                        Work::MaxPool(pool) => pool.backward(pass, dy, &mut target),
                        Work::AveragePool(pool) => pool.backward(pass.samples, dy, &mut target),
                        Work::Pad(pad) => pad.backward(pass.samples, dy, &mut target),
                        Work::Flatten => unflatten(from, pass.samples, dy, &mut target),
                        Work::Concatenate => part(from, *extent, offset, dy, &mut target),
                        Work::Add | Work::Activation(_) | Work::Dropout(_) | Work::Normalise(_) => {
                            pass_on(dy, &mut target);
                        }
                    }
                }
                offset += source.extent.channels;
            }
            self.gradients[*slot] = own;
        }
    }
}

/// Stored rows (all values of a sample, padded once) by position.
fn unpack(input: Extent, samples: usize, stored: &[f32], out: &mut [f32]) {
    let step = stride(input.values());
    let rows = out
        .chunks_exact_mut(input.padded())
        .zip(stored.chunks_exact(step));
    for (out, x) in rows.take(samples) {
        let positions = out.chunks_exact_mut(input.stride());
        for (out, x) in positions.zip(x.chunks_exact(input.channels)) {
            out[..input.channels].copy_from_slice(x);
        }
    }
}
