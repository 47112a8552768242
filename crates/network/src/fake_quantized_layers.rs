//! Layers of the fake-quantized forward pass, on values, in f32 or f64.
//!
//! The rule this module keeps: each loop is the layer's definition, one output after the other.

use std::borrow::Cow;
use std::ops::{Add, Div, Mul};

use bitfront_quantizer::Quantizer;

use crate::Geometry;

/// Sums that are taken together.
const TOGETHER: usize = 16;

/// A float that carries sums.
pub(crate) trait Real:
    Copy + Default + PartialOrd + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The nearest one.
    fn of(x: f64) -> Self;
    /// The same number.
    fn wide(self) -> f64;
    /// Fake-quantizes values of `columns` channels.
    fn quantize(quantizer: &Quantizer, x: &[Self], columns: usize) -> Vec<Self>;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as Self
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn quantize(quantizer: &Quantizer, x: &[Self], columns: usize) -> Vec<Self> {
        let mut y = vec![0.0; x.len()];
        quantizer.quantize(x, columns, &mut y);
        y
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }

    fn wide(self) -> f64 {
        self
    }

    fn quantize(quantizer: &Quantizer, x: &[Self], _: usize) -> Vec<Self> {
        let mut y = vec![0.0; x.len()];
        quantizer.quantize_f64(x, &mut y);
        y
    }
}

/// A layer with its weights as values.
pub(crate) enum Prepared<T> {
    /// Sums of products, one step or (separable) two.
    Linear(Vec<Products<T>>),
    /// Largest value under the window.
    MaxPool(Geometry),
    /// Mean of the values under the window, by the constant for their count or by division.
    Mean(Geometry, Option<Vec<T>>),
    /// The same values; whether in one axis.
    Same(bool),
    /// Zeros before and after each spatial axis.
    ZeroPadding(Vec<[usize; 2]>),
    /// `x * scale + offset`, a channel each.
    Affine(Vec<T>, Vec<T>),
    /// Sum of the sources.
    Add,
    /// Channels side by side.
    Concatenate,
    /// A quantizer.
    Activation(Quantizer),
    /// A quantizer a channel.
    ChannelActivation(Vec<Quantizer>),
}

/// One step of sums of products.
pub(crate) struct Products<T> {
    /// `None`: every position alone.
    pub(crate) geometry: Option<Geometry>,
    pub(crate) depthwise: bool,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: Vec<T>,
    pub(crate) bias: Option<Vec<T>>,
}

impl<T: Real> Prepared<T> {
    /// Values of `count` rows: each source with its shape, the result of shape `output`.
    pub(crate) fn values(
        &self,
        sources: &[(&[T], &[usize])],
        count: usize,
        output: &[usize],
    ) -> Vec<T> {
        let (x, shape) = sources[0];
        let size: usize = shape.iter().product();
        let channels = *shape.last().expect("it has axes");
        let rows = || x.chunks_exact(size.max(1));
        match self {
            Self::Linear(steps) => {
                let mut all = vec![T::default(); count * output.iter().product::<usize>()];
                let (last, before) = steps.split_last().expect("it has steps");
                for (row, all) in rows().zip(all.chunks_exact_mut(output.iter().product())) {
                    let mut values = Cow::Borrowed(row);
                    for step in before {
                        let mut next = vec![T::default(); step.size(&values)];
                        step.of_row(&values, &mut next);
                        values = Cow::Owned(next);
                    }
                    last.of_row(&values, all);
                }
                all
            }
            Self::MaxPool(geometry) => {
                let largest = |under: &mut dyn Iterator<Item = T>| {
                    under.reduce(|best, v| if v > best { v } else { best })
                };
                rows()
                    .flat_map(|row| pooled(geometry, row, channels, largest))
                    .collect()
            }
            Self::Mean(geometry, reciprocals) => {
                let mean = |under: &mut dyn Iterator<Item = T>| {
                    let (mut sum, mut count) = (T::default(), 0);
                    for v in under {
                        sum = sum + v;
                        count += 1;
                    }
                    Some(match reciprocals {
                        Some(reciprocals) => sum * reciprocals[count],
                        None => sum / T::of(f64::from(count as u32)),
                    })
                };
                rows()
                    .flat_map(|row| pooled(geometry, row, channels, mean))
                    .collect()
            }
            Self::Same(_) => x.to_vec(),
            Self::ZeroPadding(border) => {
                rows().flat_map(|row| padded(row, shape, border)).collect()
            }
            Self::Affine(scale, offset) => x
                .iter()
                .enumerate()
                .map(|(i, x)| *x * scale[i % channels] + offset[i % channels])
                .collect(),
            Self::Add => {
                let mut sums = x.to_vec();
                for (other, _) in &sources[1..] {
                    for (sum, v) in sums.iter_mut().zip(*other) {
                        *sum = *sum + *v;
                    }
                }
                sums
            }
            Self::Concatenate => {
                let width = |shape: &[usize]| *shape.last().expect("it has axes");
                let positions = count * size / channels;
                (0..positions)
                    .flat_map(|at| {
                        sources.iter().flat_map(move |(values, shape)| {
                            &values[at * width(shape)..(at + 1) * width(shape)]
                        })
                    })
                    .copied()
                    .collect()
            }
            Self::Activation(quantizer) => T::quantize(quantizer, x, channels),
            Self::ChannelActivation(quantizers) => {
                let mut values = x.to_vec();
                for (channel, quantizer) in quantizers.iter().enumerate() {
                    let own: Vec<T> = x.iter().skip(channel).step_by(channels).copied().collect();
                    let own = T::quantize(quantizer, &own, 1);
                    let places = values.iter_mut().skip(channel).step_by(channels);
                    for (value, quantized) in places.zip(own) {
                        *value = quantized;
                    }
                }
                values
            }
        }
    }
}

impl<T: Real> Products<T> {
    /// Number of values that it makes of a row.
    fn size(&self, row: &[T]) -> usize {
        let positions = match &self.geometry {
            Some(geometry) => geometry.positions(),
            None => row.len() / self.inputs,
        };
        positions * self.outputs
    }

    /// Adds the sums to `values`, which are zero.
    fn of_row(&self, row: &[T], values: &mut [T]) {
        for (position, sums) in values.chunks_exact_mut(self.outputs).enumerate() {
            match &self.geometry {
                None if !self.depthwise => self.all(&row[position * self.inputs..], sums),
                None => self.tap(row, position, 0, sums),
                Some(geometry) => {
                    for tap in 0..geometry.taps() {
                        if let Some(source) = geometry.source(position, tap) {
                            self.tap(row, source, tap, sums);
                        }
                    }
                }
            }
            if let Some(bias) = &self.bias {
                for (sum, b) in sums.iter_mut().zip(bias) {
                    *sum = *sum + *b;
                }
            }
        }
    }

    /// [`Products::tap`] of one position that reads all inputs: the same sums in the same order, some of them at a time
    /// so that they need not be stored in between.
    fn all(&self, x: &[T], sums: &mut [T]) {
        let mut first = 0;
        for sums in sums.chunks_mut(TOGETHER) {
            if let Ok(sums) = <&mut [T; TOGETHER]>::try_from(&mut *sums) {
                let mut own = *sums;
                for (x, weights) in x.iter().zip(self.kernel.chunks_exact(self.outputs)) {
                    let weights = &weights[first..][..TOGETHER];
                    for (sum, w) in own.iter_mut().zip(weights) {
                        *sum = *sum + *x * *w;
                    }
                }
                *sums = own;
            } else {
                for (x, weights) in x.iter().zip(self.kernel.chunks_exact(self.outputs)) {
                    for (sum, w) in sums.iter_mut().zip(&weights[first..]) {
                        *sum = *sum + *x * *w;
                    }
                }
            }
            first += TOGETHER;
        }
    }

    /// Adds the products of one input position with the weights of one tap.
    fn tap(&self, row: &[T], source: usize, tap: usize, sums: &mut [T]) {
        let x = &row[source * self.inputs..(source + 1) * self.inputs];
        let each = self.kernel.len() / self.taps() / self.inputs;
        let kernel = &self.kernel[tap * self.inputs * each..(tap + 1) * self.inputs * each];
        for (channel, (x, weights)) in x.iter().zip(kernel.chunks_exact(each)).enumerate() {
            let first = if self.depthwise { channel * each } else { 0 };
            for (sum, w) in sums[first..first + each].iter_mut().zip(weights) {
                *sum = *sum + *x * *w;
            }
        }
    }

    /// Number of positions that a sum reads.
    pub(crate) fn taps(&self) -> usize {
        self.geometry.as_ref().map_or(1, Geometry::taps)
    }
}

/// One row's pooled values: `reduce` over what lies under the window, channel by channel.
fn pooled<T: Real>(
    geometry: &Geometry,
    row: &[T],
    channels: usize,
    reduce: impl Fn(&mut dyn Iterator<Item = T>) -> Option<T>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(geometry.positions() * channels);
    for position in 0..geometry.positions() {
        for channel in 0..channels {
            let mut under = (0..geometry.taps())
                .filter_map(|tap| geometry.source(position, tap))
                .map(|source| row[source * channels + channel]);
            values.push(reduce(&mut under).unwrap_or_default());
        }
    }
    values
}

/// One row with zeros around its spatial axes.
fn padded<T: Real>(row: &[T], shape: &[usize], border: &[[usize; 2]]) -> Vec<T> {
    let Some((extent, inner)) = shape.split_first().filter(|_| !border.is_empty()) else {
        return row.to_vec();
    };
    let parts = row.chunks_exact(row.len() / extent);
    let parts: Vec<Vec<T>> = parts
        .map(|part| padded(part, inner, &border[1..]))
        .collect();
    let width = parts.first().map_or(0, Vec::len);
    let [before, after] = border[0];
    let mut values = vec![T::default(); before * width];
    values.extend(parts.into_iter().flatten());
    values.resize(values.len() + after * width, T::default());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_are_taken_together_are_those_of_each_output() {
        let number = |i: usize| ((i * 7919) % 1009) as f32 / 317.0 - 1.5;
        for outputs in [1, 5, 16, 37] {
            let products = Products {
                geometry: None,
                depthwise: false,
                inputs: 7,
                outputs,
                kernel: (0..7 * outputs).map(number).collect(),
                bias: Some((0..outputs).map(|j| number(j + 3)).collect()),
            };
            let row: Vec<f32> = (0..2 * 7).map(|i| number(i + 11)).collect();
            let mut values = vec![0.0; products.size(&row)];
            products.of_row(&row, &mut values);
            let expected = row.chunks_exact(7).flat_map(|x| {
                (0..outputs).map(move |j| {
                    let of = |sum: f32, (i, x): (usize, &f32)| sum + x * number(i * outputs + j);
                    x.iter().enumerate().fold(0.0, of) + number(j + 3)
                })
            });
            assert!(values.into_iter().eq(expected), "{outputs} outputs");
        }
    }
}
