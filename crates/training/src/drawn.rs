//! Quantizers that draw at random in training.
//!
//! The rule this module keeps: draws are counted from the seed, the step and the place, and taken in
//! the order of the values, so that neither micro-batches nor CPU levels change them. Evaluation never
//! draws.

use bitfront_kernel::stride;
use bitfront_quantizer::{Quantizer, Workspace};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::random::{Purpose, stream_of};

/// A quantizer with its draws of a step.
#[derive(Debug)]
pub(crate) struct Drawn {
    quantizer: Quantizer,
    words: ChaCha8Rng,
    /// A tensor and its quantized values without padding.
    dense: [Vec<f32>; 2],
    memory: Workspace,
}

impl Drawn {
    /// `None` for a quantizer that never draws.
    pub(crate) fn of(quantizer: &Quantizer) -> Option<Box<Self>> {
        quantizer.is_stochastic().then(|| {
            Box::new(Self {
                quantizer: *quantizer,
                words: stream_of(0, Purpose::Quantizer, 0, 0),
                dense: [Vec::new(), Vec::new()],
                memory: Workspace::default(),
            })
        })
    }

    /// Starts the draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64, place: u64) {
        self.words = stream_of(seed, Purpose::Quantizer, step, place);
    }

    /// Fake-quantizes a padded tensor of `columns` columns, which is seen without its padding: where a
    /// spread or a range is taken of it, zeros must not count.
    pub(crate) fn tensor(&mut self, columns: usize, x: &[f32], y: &mut [f32]) {
        let step = stride(columns);
        let [from, to] = &mut self.dense;
        from.clear();
        for row in x.chunks_exact(step) {
            from.extend_from_slice(&row[..columns]);
        }
        to.resize(from.len(), 0.0);
        let words = &mut self.words;
        let mut draw = || words.next_u32();
        self.quantizer
            .quantize_training_in(from, columns, to, &mut draw, &mut self.memory);
        for (y, quantized) in y.chunks_exact_mut(step).zip(to.chunks_exact(columns)) {
            y[..columns].copy_from_slice(quantized);
            y[columns..].fill(0.0);
        }
    }
}
