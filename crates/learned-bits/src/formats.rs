//! Formats of the values that a layer reads, of each channel or of all: fraction bits and range are learned.

use bitfront_kernel::{AdamStep, Buffer, ColumnGrids, Kernels, stride};

use crate::bits::{integer_bits, power, round};
use crate::settings::Granularity;
use crate::tensor::Learned;

/// Largest magnitude of fraction bits, and of integer bits.
const MOST_FRACTION: f32 = 12.0;
const MOST_INTEGER: f32 = 8.0;

/// One channel's format as it is used: multiples of `2^-fraction` below `2^integer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) fraction: i32,
    pub(crate) integer: i32,
}

impl Format {
    /// The finest that any channel has.
    pub(crate) const FREE: Self = Self {
        fraction: MOST_FRACTION as i32,
        integer: MOST_INTEGER as i32,
    };
}

/// The formats of a layer's input.
pub(crate) struct Formats {
    pub(crate) channels: usize,
    /// Whether values have a sign; those behind a rectifier have none.
    pub(crate) signed: bool,
    /// Whether all channels have one format.
    pub(crate) shared: bool,
    /// Finest fraction and widest integer part that are allowed.
    finest: Format,
    fractions: Learned,
    integers: Learned,
    pub(crate) grids: ColumnGrids,
    used: Vec<Option<Format>>,
    by_fraction: Buffer,
    by_range: Buffer,
}

impl Formats {
    /// Padded rows of its channels: numbers, gradient, moments and average of fraction and integer bits, what the
    /// passes use and sum.
    pub(crate) const COPIES: usize = 18;

    /// Formats of nothing yet.
    pub(crate) fn none(channels: usize) -> Self {
        let granularity = Granularity::default();
        Self::new(&vec![0.0; channels], false, Format::FREE, 0.0, granularity)
    }

    /// Formats of `fraction_bits` whose ranges hold `largest`, channel by channel.
    pub(crate) fn new(
        largest: &[f32],
        signed: bool,
        finest: Format,
        fraction_bits: f32,
        granularity: Granularity,
    ) -> Self {
        let channels = largest.len();
        let shared = granularity == Granularity::Layer;
        let of_all = largest.iter().fold(0.0_f32, |most, one| most.max(*one));
        let zeros = Buffer::zeroed(stride(channels));
        let (mut fractions, mut integers) = (zeros.clone(), zeros.clone());
        for (channel, largest) in largest.iter().enumerate() {
            fractions[channel] = fraction_bits.min(finest.fraction as f32);
            let largest = if shared { of_all } else { *largest };
            let integer = integer_bits(largest.max(0.01)).min(finest.integer);
            integers[channel] = integer as f32;
        }
        Self {
            channels,
            signed,
            shared,
            finest,
            fractions: Learned::new(fractions, MOST_FRACTION),
            integers: Learned::new(integers, MOST_INTEGER),
            grids: ColumnGrids::new(channels),
            used: vec![None; channels],
            by_fraction: zeros.clone(),
            by_range: zeros,
        }
    }

    /// Rounds the formats for the passes that follow.
    pub(crate) fn quantize(&mut self) {
        for channel in 0..self.channels {
            let rounded = |values: &Buffer, most: i32| (round(values[channel]) as i32).min(most);
            let format = Format {
                fraction: rounded(&self.fractions.values, self.finest.fraction),
                integer: rounded(&self.integers.values, self.finest.integer),
            };
            let alive = format.fraction + format.integer > 0;
            self.used[channel] = alive.then_some(format);
            if alive {
                let count = power(format.fraction + format.integer);
                let low = if self.signed { -count } else { 0.0 };
                self.grids.set(channel, format.fraction, low, count - 1.0);
            } else {
                self.grids.clear(channel, power(format.integer));
            }
        }
    }

    /// The format of a channel; `None`: it is always zero.
    pub(crate) fn used(&self, channel: usize) -> Option<Format> {
        self.used[channel]
    }

    /// Width of a channel's codes, the sign included.
    pub(crate) fn width(&self, channel: usize) -> f32 {
        self.used[channel].map_or(0.0, |format| {
            (format.fraction + format.integer + i32::from(self.signed)) as f32
        })
    }

    /// Turns the gradient `dy` by the quantized values `y` into the one by `x`, and notes those by the
    /// formats.
    pub(crate) fn backward(&mut self, kernels: Kernels, x: &[f32], y: &[f32], dy: &mut [f32]) {
        kernels.columns_gradient(
            &self.grids,
            x,
            y,
            dy,
            &mut self.by_fraction,
            &mut self.by_range,
        );
    }

    /// Moves the formats by the noted gradients and by the penalty of each bit, `penalty(channel)`.
    /// Whether everything is finite afterwards.
    pub(crate) fn step(
        &mut self,
        kernels: Kernels,
        bits: AdamStep,
        keep: f32,
        penalty: impl Fn(usize) -> f32,
    ) -> bool {
        for channel in 0..self.channels {
            let price = match self.used[channel] {
                Some(_) => penalty(channel),
                None => 0.0,
            };
            let integer = round(self.integers.values[channel]) as i32;
            let end = std::f32::consts::LN_2 * power(integer);
            self.fractions.gradient[channel] =
                std::f32::consts::LN_2 * self.by_fraction[channel] + price;
            self.integers.gradient[channel] = end * self.by_range[channel] + price;
        }
        if self.shared {
            for learned in [&mut self.fractions, &mut self.integers] {
                let gradient = &mut learned.gradient[..self.channels];
                let sum = gradient.iter().sum();
                gradient.fill(sum);
            }
        }
        self.by_fraction.fill(0.0);
        self.by_range.fill(0.0);
        let moved = self.fractions.step(kernels, bits, keep);
        self.integers.step(kernels, bits, keep) && moved
    }

    pub(crate) fn exchange(&mut self) {
        self.fractions.exchange();
        self.integers.exchange();
    }
}
