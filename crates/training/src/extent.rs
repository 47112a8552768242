//! How a tensor lies in a buffer, and what a pass over it is for.

use bitfront_kernel::{Buffer, Kernels, stride};

/// Shape of a tensor for one sample: rows of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Spatial positions, row-major; 1 for a vector.
    pub(crate) positions: usize,
    /// Channels, the last axis.
    pub(crate) channels: usize,
}

impl Extent {
    /// Of a shape, channels last.
    pub(crate) fn of(shape: &[usize]) -> Self {
        let (channels, spatial) = shape.split_last().unwrap_or((&1, &[]));
        Self {
            positions: spatial.iter().product(),
            channels: *channels,
        }
    }

    /// Distance between rows.
    pub(crate) fn stride(self) -> usize {
        stride(self.channels)
    }

    /// Buffer values of one sample, padding included.
    pub(crate) fn padded(self) -> usize {
        self.positions * self.stride()
    }

    /// Values of one sample.
    pub(crate) fn values(self) -> usize {
        self.positions * self.channels
    }
}

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Scores: running statistics, nothing at random.
    Evaluate,
    /// A training step.
    Train,
    /// A training step late in the run: folded normalisations use their running statistics.
    TrainFrozen,
}

impl Mode {
    pub(crate) fn is_training(self) -> bool {
        self != Self::Evaluate
    }
}

/// A pass over some samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub(crate) kernels: Kernels,
    pub(crate) samples: usize,
    pub(crate) mode: Mode,
}

/// Where a layer's gradient by its input goes.
pub(crate) struct Target<'a> {
    /// Gradient by the values that were read.
    pub(crate) gradient: &'a mut [f32],
    /// Whether another reader has written before: then it is added to.
    pub(crate) add: bool,
    /// Room for one gradient of this size.
    pub(crate) scratch: &'a mut Buffer,
}

/// `to += from`.
pub(crate) fn add(from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Writes or adds.
pub(crate) fn pass_on(from: &[f32], target: &mut Target<'_>) {
    let to = &mut target.gradient[..from.len()];
    if target.add {
        add(from, to);
    } else {
        to.copy_from_slice(from);
    }
}
