//! Forward and backward pass of layers whose weights and values have formats of their own.
//!
//! The rule this module keeps: the gradient of a batch is one chain over its rows, whatever the
//! micro-batches, and quantized values are those of the candidate that the formats make.

use bitfront_kernel::{AdamStep, BatchLoss, Buffer, Kernels, stride};
use bitfront_network::Link;
use bitfront_training::passes::unflatten;
use bitfront_training::{Gathered, SoftTargets};

use crate::layer::{Beginning, Layer};

/// A network whose formats are learned.
pub(crate) struct Engine {
    kernels: Kernels,
    pub(crate) layers: Vec<Layer>,
    /// Samples that pass the network together.
    micro: usize,
    /// Positions and channels of the input.
    input: [usize; 2],
    /// Rows of the data, with a padded row a position.
    x: Buffer,
    /// The same as they are stored, where they have several positions.
    stored: Buffer,
    by_logits: Buffer,
    classes: usize,
    labels: Vec<u8>,
    /// Weights of the rows' losses: all count alike.
    alike: Vec<f32>,
    taught: Option<Gathered>,
}

/// Rows of the data: padded features, classes, and what a teacher says of them.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [u8],
    pub(crate) teacher: Option<&'a SoftTargets>,
    pub(crate) count: usize,
}

/// One optimizer step.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) weights: AdamStep,
    pub(crate) bits: AdamStep,
    /// Share of the averages that is kept.
    pub(crate) keep: f32,
    /// Nats an EBOP.
    pub(crate) beta: f32,
}

impl Engine {
    /// Layers with these weights, `micro` samples at a time; ranges hold what `rows` give in floats.
    pub(crate) fn new(
        kernels: Kernels,
        chain: &[Link],
        start: Beginning<'_>,
        micro: usize,
        rows: Rows<'_>,
    ) -> Self {
        let [x, stored, by_logits] = values(chain).map(|values| Buffer::zeroed(micro * values));
        let layer = |link| Layer::new(link, start, micro);
        let mut engine = Self {
            kernels,
            layers: chain.iter().map(layer).collect(),
            micro,
            input: chain[0].read,
            x,
            stored,
            by_logits,
            classes: chain[chain.len() - 1].outputs,
            labels: vec![0; micro],
            alike: vec![1.0; micro],
            taught: rows.teacher.map(|teacher| Gathered::new(teacher, micro)),
        };
        engine.begin(start, rows);
        engine
    }

    /// Bytes of [`Engine::new`], at most, a teacher left out.
    pub(crate) fn bytes(chain: &[Link], micro: usize) -> usize {
        let layers = chain.iter().map(|link| Layer::bytes(link, micro));
        let own = values(chain).iter().sum::<usize>().saturating_mul(micro);
        layers.fold(own.saturating_mul(size_of::<f32>()), usize::saturating_add)
    }

    /// Gives the layers formats whose ranges hold what `rows` give.
    fn begin(&mut self, start: Beginning<'_>, rows: Rows<'_>) {
        let channels = self.layers.iter().map(|layer| layer.formats.channels);
        let mut largest: Vec<Vec<f32>> = channels.map(|count| vec![0.0; count]).collect();
        for first in (0..rows.count).step_by(self.micro) {
            let count = self.take_from(rows, first);
            for (index, largest) in largest.iter_mut().enumerate() {
                let (before, rest) = self.layers.split_at_mut(index);
                let x = before.last().map_or(&self.x, |before| &before.sums);
                rest[0].measure(self.kernels, count, x, index > 0, largest);
            }
        }
        for (index, (layer, largest)) in self.layers.iter_mut().zip(&largest).enumerate() {
            layer.begin(largest, start, index == 0);
        }
    }

    /// Quantizes weights and formats for the passes that follow.
    pub(crate) fn quantize(&mut self) {
        for layer in &mut self.layers {
            layer.quantize(self.kernels);
        }
    }

    /// Gradient of the mean loss over the rows `batch`; returns the summed loss by the classes.
    pub(crate) fn gradients(&mut self, rows: Rows<'_>, batch: &[u32]) -> BatchLoss {
        let scale = 1.0 / batch.len() as f32;
        let mut total = BatchLoss::default();
        for part in batch.chunks(self.micro) {
            self.take(rows, part);
            self.forward(part.len());
            let share = self.taught.as_ref().map_or(1.0, Gathered::labels_share);
            let loss = self.lose(part.len(), scale * share);
            total.loss += loss.loss;
            total.correct += loss.correct;
            if let Some(teacher) = rows.teacher {
                self.follow(teacher, part, scale);
            }
            self.backward(part.len());
        }
        total
    }

    /// Loss by the classes over all rows, in order.
    pub(crate) fn evaluate(&mut self, rows: Rows<'_>) -> BatchLoss {
        let mut total = BatchLoss::default();
        for first in (0..rows.count).step_by(self.micro) {
            let count = self.take_from(rows, first);
            self.forward(count);
            let loss = self.lose(count, 1.0);
            total.loss += loss.loss;
            total.correct += loss.correct;
        }
        total
    }

    /// Takes the rows `part` and their labels.
    fn take(&mut self, rows: Rows<'_>, part: &[u32]) {
        for (label, row) in self.labels.iter_mut().zip(part) {
            *label = rows.y[*row as usize];
        }
        let features = self.input[0] * self.input[1];
        let values = part.len() * stride(features);
        let kernels = self.kernels;
        kernels.gather(features, rows.x, part, &mut self.landing()[..values]);
        self.spread(part.len());
    }

    /// Takes a micro-batch of rows in order, from `first` on, and their labels; how many there are.
    fn take_from(&mut self, rows: Rows<'_>, first: usize) -> usize {
        let count = self.micro.min(rows.count - first);
        self.labels[..count].copy_from_slice(&rows.y[first..][..count]);
        let step = stride(self.input[0] * self.input[1]);
        let values = &rows.x[first * step..][..count * step];
        self.landing()[..values.len()].copy_from_slice(values);
        self.spread(count);
        count
    }

    /// Where rows come as they are stored.
    fn landing(&mut self) -> &mut [f32] {
        if self.input[0] > 1 {
            &mut self.stored
        } else {
            &mut self.x
        }
    }

    fn spread(&mut self, samples: usize) {
        if self.input[0] > 1 {
            unflatten(self.input, samples, &self.stored, &mut self.x);
        }
    }

    fn forward(&mut self, samples: usize) {
        for index in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(index);
            let x = before.last().map_or(&self.x, |before| &before.sums);
            rest[0].forward(self.kernels, samples, x);
        }
    }

    fn lose(&mut self, rows: usize, scale: f32) -> BatchLoss {
        let last = &self.layers[self.layers.len() - 1];
        self.kernels.softmax_cross_entropy(
            self.classes,
            &last.sums,
            &self.labels[..rows],
            scale,
            &mut self.by_logits,
        )
    }

    /// Adds the teacher's part of the gradient.
    fn follow(&mut self, teacher: &SoftTargets, part: &[u32], scale: f32) {
        let Some(taught) = &mut self.taught else {
            return;
        };
        let alike = &self.alike[..part.len()];
        taught.take(teacher, part.iter().map(|row| *row as usize), alike);
        let logits = &self.layers[self.layers.len() - 1].sums;
        taught.lose(self.kernels, logits, alike, scale, &mut self.by_logits);
    }

    fn backward(&mut self, samples: usize) {
        for index in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(index);
            let (layer, after) = rest.split_first_mut().expect("a layer");
            let x = before.last().map_or(&self.x, |before| &before.sums);
            let dy = after
                .first()
                .map_or(&self.by_logits, |after| &after.by_read);
            layer.backward(self.kernels, samples, x, dy);
        }
    }

    /// Moves weights and formats by the gradients and the penalty; the first layer with a number that is
    /// not finite, if any.
    pub(crate) fn step(&mut self, step: Step) -> Option<usize> {
        let mut layers = self.layers.iter_mut();
        layers.position(|layer| !layer.step(self.kernels, step))
    }

    /// EBOPs by the learned widths, signs left out, and the widths of the biases: as HGQ2 0.2 counts.
    pub(crate) fn ebops_by_widths(&self) -> f64 {
        self.layers.iter().map(Layer::ebops_by_widths).sum()
    }

    /// Exchanges weights and formats with their averages.
    pub(crate) fn exchange(&mut self) {
        for layer in &mut self.layers {
            layer.exchange();
        }
    }
}

/// Padded values of a sample: by position, as it is stored (nothing where that is the same), and of its logits.
fn values(chain: &[Link]) -> [usize; 3] {
    let [positions, channels] = chain[0].read;
    let stored = if positions > 1 {
        stride(positions * channels)
    } else {
        0
    };
    let logits = stride(chain[chain.len() - 1].outputs);
    [positions * stride(channels), stored, logits]
}
