//! How a tensor lies in a buffer, and what a pass over it is for.

use bitfront_kernel::{Activate, Activated, Buffer, Kernels, LANES, stride};

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

/// Where a layer's values go.
pub(crate) enum Out<'a> {
    /// Stored.
    Values(&'a mut [f32]),
    /// Quantized at once.
    Activated(Activate, Activated<'a>),
}

impl Out<'_> {
    /// The same from a value on, a multiple of [`LANES`].
    pub(crate) fn from(&mut self, at: usize) -> Out<'_> {
        match self {
            Self::Values(values) => Out::Values(&mut values[at..]),
            Self::Activated(activate, to) => {
                let to = Activated {
                    values: to.values.as_deref_mut().map(|values| &mut values[at..]),
                    codes: to.codes.as_deref_mut().map(|codes| &mut codes[at..]),
                    inside: &mut to.inside[at / LANES..],
                };
                Out::Activated(*activate, to)
            }
        }
    }
}

/// What a layer reads.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    pub(crate) values: &'a [f32],
    /// The same as codes, less the lowest one, where the layer asked for them.
    pub(crate) codes: Option<&'a [u8]>,
}

/// Where a layer's gradient by its input goes.
pub(crate) struct Target<'a> {
    /// Gradient by the values that were read.
    pub(crate) gradient: &'a mut [f32],
    /// Whether another reader has written before: then it is added to.
    pub(crate) add: bool,
    /// Bits of the values whose gradient is wanted; the others' is zero. Absent: all.
    pub(crate) inside: Option<&'a [u16]>,
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
