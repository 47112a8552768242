//! Where f32 holds every sum of the fake-quantized pass exactly, and where only f64 does.
//!
//! A float counts exactly up to 2^24 (f32) or 2^53 (f64) units. A sum is exact, in any order, if all
//! its terms are multiples of one power of two, the unit, and
//! `sum_k |w_k| * |x_k|max + |b| <= 2^24` units. So each channel of each tensor is followed by its
//! unit and its largest magnitude, from the actual weights.
//!
//! The rule this module keeps: it looks at values, not at the integer program, and errs on the side
//! of f64.

use bitfront_quantizer::Role;

use crate::fake_quantized::{ForwardPrecision, NormalisationConstants};
use crate::fake_quantized_layers::{Prepared, Products};
use crate::fake_quantized_prepare::prepare;
use crate::{Candidate, Source, Weights};

/// Largest number of units that f32 counts exactly.
const F32_UNITS: f64 = 16_777_216.0;

/// Exponents of units and magnitudes within which f32 neither underflows nor overflows.
const F32_EXPONENTS: std::ops::RangeInclusive<i32> = -120..=120;

/// What a channel may hold: multiples of `2^unit` up to `most`; nothing but zero if `most` is 0.
#[derive(Clone, Copy, Debug)]
struct Bound {
    unit: i32,
    most: f64,
}

/// Only zero.
const ZERO: Bound = Bound {
    unit: i32::MAX,
    most: 0.0,
};

/// The precision at which the fake-quantized pass of these weights, with frozen constants, is exact.
///
/// f32 if inequality (1) above holds in every layer; otherwise f64, which holds whatever an
/// [`IntegerProgram`](crate::IntegerProgram) may need. A candidate with a quantizer that has no
/// exact form (a float reference) has no exact precision: f32 says what it was trained at.
///
/// # Panics
/// As [`forward`](crate::forward).
pub fn forward_precision(candidate: &Candidate, weights: &Weights) -> ForwardPrecision {
    match first_beyond_f32(candidate, weights) {
        None => ForwardPrecision::F32,
        Some(_) => ForwardPrecision::F64,
    }
}

/// Index of the first layer whose sums f32 may not hold exactly.
///
/// # Panics
/// As [`forward`](crate::forward).
pub fn first_beyond_f32(candidate: &Candidate, weights: &Weights) -> Option<usize> {
    if let Some((place, problem)) = weights.shape_fault(candidate) {
        panic!("{place}: {problem}");
    }
    let exact = |(_, role, quantizer): (_, Role, bitfront_quantizer::Quantizer)| {
        quantizer.check_frozen(role).is_ok()
    };
    if !candidate.quantizers().into_iter().all(exact) {
        return None;
    }
    let shapes = candidate.first_input_shapes();
    let channels = candidate.input_shape.last().copied().unwrap_or(0);
    let input = vec![grid(&candidate.input_quantizer, Role::Input); channels];
    let mut bounds: Vec<Vec<Bound>> = Vec::with_capacity(shapes.len());
    for (index, (layer, weights)) in candidate.layers.iter().zip(&weights.layers).enumerate() {
        let shape = &shapes[index];
        let sources = candidate.sources(index).unwrap_or_default();
        let sources: Vec<&[Bound]> = sources
            .iter()
            .map(|source| match source {
                Source::Input => input.as_slice(),
                Source::Layer(at) => bounds[*at].as_slice(),
            })
            .collect();
        let frozen = NormalisationConstants::Frozen;
        let prepared = prepare::<f64>(candidate, layer, weights, shape, frozen);
        let Some(next) = of_layer(&prepared, &sources, shape) else {
            return Some(index);
        };
        bounds.push(next);
    }
    None
}

/// What a quantizer's values may be.
fn grid(quantizer: &bitfront_quantizer::Quantizer, role: Role) -> Bound {
    quantizer.grid(role).map_or(ZERO, |grid| Bound {
        unit: -grid.fraction,
        most: grid.hi.max(-grid.lo) as f64 * 2f64.powi(-grid.fraction),
    })
}

/// What a layer's channels may hold; `None` if f32 may not hold one of its sums exactly.
fn of_layer(layer: &Prepared<f64>, sources: &[&[Bound]], shape: &[usize]) -> Option<Vec<Bound>> {
    let x = sources[0];
    match layer {
        Prepared::Linear(steps) => {
            let mut bounds = x.to_vec();
            for step in steps {
                bounds = of_products(step, &bounds)?;
            }
            Some(bounds)
        }
        Prepared::MaxPool(_) | Prepared::ZeroPadding(_) => Some(x.to_vec()),
        Prepared::Same(tall) => Some(if *tall {
            x.repeat(shape.iter().product::<usize>() / x.len().max(1))
        } else {
            x.to_vec()
        }),
        Prepared::Mean(geometry, reciprocals) => {
            let reciprocals = reciprocals.as_deref().unwrap_or(&[]);
            let mean = |x: &Bound| {
                let sum = x.repeated(geometry.taps()).held()?;
                let mut all = ZERO;
                for reciprocal in reciprocals.iter().skip(1) {
                    all = all.beside(sum.times(*reciprocal).held()?);
                }
                Some(all)
            };
            x.iter().map(mean).collect()
        }
        Prepared::Affine(scale, offset) => x
            .iter()
            .zip(scale.iter().zip(offset))
            .map(|(x, (scale, offset))| x.times(*scale).plus(Bound::of(*offset)).held())
            .collect(),
        Prepared::Add => (0..x.len())
            .map(|channel| {
                let all = sources.iter().map(|source| source[channel]);
                all.fold(ZERO, Bound::plus).held()
            })
            .collect(),
        Prepared::Concatenate => Some(sources.concat()),
        Prepared::Activation(quantizer) => Some(vec![grid(quantizer, Role::Activation); x.len()]),
        Prepared::ChannelActivation(quantizers) => {
            let grids = quantizers.iter().map(|one| grid(one, Role::Activation));
            Some(grids.collect())
        }
    }
}

/// What the sums of products may hold.
fn of_products(step: &Products<f64>, x: &[Bound]) -> Option<Vec<Bound>> {
    let mut sums = match &step.bias {
        Some(bias) => bias.iter().map(|b| Bound::of(*b)).collect(),
        None => vec![ZERO; step.outputs],
    };
    let each = step.kernel.len() / step.taps() / step.inputs;
    for (at, w) in step.kernel.iter().enumerate() {
        let channel = at / each % step.inputs;
        let output = at % each + if step.depthwise { channel * each } else { 0 };
        if f64::from(*w as f32) != *w {
            return None;
        }
        sums[output] = sums[output].plus(x[channel].times(*w));
    }
    sums.into_iter().map(Bound::held).collect()
}

impl Bound {
    /// One constant.
    fn of(x: f64) -> Self {
        if x == 0.0 {
            return ZERO;
        }
        // The value of a float's last bit that is one.
        let bits = x.to_bits();
        let (exponent, mantissa) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let unit = match exponent {
            0 => mantissa.trailing_zeros() as i32 - 1074,
            _ => (mantissa | 1 << 52).trailing_zeros() as i32 + exponent as i32 - 1075,
        };
        Self {
            unit,
            most: x.abs(),
        }
    }

    /// Products with a constant.
    fn times(self, constant: f64) -> Self {
        let constant = Self::of(constant);
        if self.most == 0.0 || constant.most == 0.0 {
            return ZERO;
        }
        Self {
            unit: self.unit + constant.unit,
            most: self.most * constant.most,
        }
    }

    /// Sums of so many.
    fn repeated(self, count: usize) -> Self {
        Self {
            most: self.most * count as f64,
            ..self
        }
    }

    /// Sums with another.
    fn plus(self, other: Self) -> Self {
        Self {
            unit: self.unit.min(other.unit),
            most: self.most + other.most,
        }
    }

    /// Either of two.
    fn beside(self, other: Self) -> Self {
        Self {
            unit: self.unit.min(other.unit),
            most: self.most.max(other.most),
        }
    }

    /// Itself, if f32 holds all of it and all sums on the way to it.
    fn held(self) -> Option<Self> {
        let near =
            || F32_EXPONENTS.contains(&self.unit) && self.most <= 2f64.powi(*F32_EXPONENTS.end());
        let fits = self.most == 0.0 || near() && self.most <= F32_UNITS * 2f64.powi(self.unit);
        fits.then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_constants() {
        for (x, unit) in [
            (1.0, 0),
            (-0.75, -2),
            (6.0, 1),
            (f64::from_bits(1), -1074),
            (2f64.powi(-1030) * 3.0, -1030),
            (1.0 + f64::EPSILON, -52),
        ] {
            let bound = Bound::of(x);
            assert_eq!((bound.unit, bound.most), (unit, x.abs()), "{x}");
        }
    }
}
