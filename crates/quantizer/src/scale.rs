//! Automatic scales: found from the tensor, per channel (last axis).
//!
//! A tensor of one row is a vector in the original's sense (a bias): every element is its own
//! channel in the least-squares fits, while the first guess uses the whole vector's largest
//! magnitude.

use crate::po2::{EPSILON, Exact};
use crate::{Alpha, Quantizer};

/// Least-squares refinements, as in the original.
const ITERATIONS: usize = 5;

/// A quantizer whose scale is found from the tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Automatic {
    family: Family,
    po2: bool,
}

#[derive(Clone, Copy, Debug)]
enum Family {
    /// Largest code, 2^integer, 2^(bits - 1).
    Bits {
        top: f32,
        limit: f32,
        levels: f32,
    },
    /// The lower level.
    Binary {
        below: f32,
    },
    Ternary,
}

impl Automatic {
    /// The automatic form of a quantizer; `None` where its scale is fixed.
    pub(crate) fn of(quantizer: &Quantizer) -> Option<Self> {
        let po2 = match quantizer.alpha()? {
            Alpha::None | Alpha::Constant(_) => return None,
            Alpha::Auto => false,
            Alpha::AutoPo2 => true,
        };
        let family = match quantizer {
            Quantizer::QuantizedBits(q) => {
                let levels = 2f32.powi(q.bits as i32 - 1);
                Family::Bits {
                    top: levels - 1.0,
                    limit: 2f32.powi(q.integer),
                    levels,
                }
            }
            Quantizer::Binary(q) | Quantizer::StochasticBinary(q) => Family::Binary {
                below: if q.use_01 { 0.0 } else { -1.0 },
            },
            Quantizer::Ternary(_) => Family::Ternary,
            _ => return None,
        };
        Some(Self { family, po2 })
    }

    /// Quantizes into `y` and returns the scale of each column as the original reports it.
    pub(crate) fn quantize(&self, x: &[f32], columns: usize, y: &mut [f32]) -> Vec<f32> {
        let rows = x.len() / columns;
        let whole = x.iter().fold(0f32, |m, v| m.max(v.abs()));
        let mut column = vec![0f32; rows];
        let mut codes = vec![0f32; rows];
        (0..columns)
            .map(|j| {
                for (i, value) in column.iter_mut().enumerate() {
                    *value = x[i * columns + j];
                }
                let largest = if rows == 1 {
                    whole
                } else {
                    column.iter().fold(0f32, |m, v| m.max(v.abs()))
                };
                let (scale, step) = self.fit(&mut column, largest, &mut codes);
                for (i, code) in codes.iter().enumerate() {
                    y[i * columns + j] = code * step + 0.0;
                }
                scale
            })
            .collect()
    }

    /// Codes of one column; returns the reported scale and the value of code 1.
    fn fit(&self, x: &mut [f32], largest: f32, codes: &mut [f32]) -> (f32, f32) {
        match self.family {
            Family::Bits { top, limit, levels } => {
                for v in x.iter_mut() {
                    *v /= limit;
                }
                let mut scale = (largest / limit) * 2.0 / (2.0 * top);
                let assign = |scale: f32, codes: &mut [f32]| {
                    for (code, &v) in codes.iter_mut().zip(&*x) {
                        let magnitude = (v.abs() / scale + 0.5).floor();
                        let cut = if magnitude < top { magnitude } else { top };
                        *code = sign(v) * cut;
                    }
                };
                if self.po2 {
                    scale = nearest_po2(scale);
                    for _ in 0..ITERATIONS {
                        assign(scale, codes);
                        scale = self.least_squares(x, codes);
                    }
                } else {
                    assign(scale, codes);
                }
                (scale * levels, scale * limit)
            }
            Family::Binary { below } => {
                for (code, &v) in codes.iter_mut().zip(&*x) {
                    *code = if v >= 0.0 { 1.0 } else { below };
                }
                let scale = self.least_squares(x, codes);
                (scale, scale)
            }
            Family::Ternary => {
                let mut scale = 2.0 * largest / 3.0;
                if self.po2 {
                    scale = nearest_po2(scale);
                }
                for _ in 0..ITERATIONS {
                    for (code, &v) in codes.iter_mut().zip(&*x) {
                        let inside = scale * (v / scale).round_ties_even();
                        *code = if inside.abs() >= scale / 2.0 {
                            sign(v)
                        } else {
                            0.0
                        };
                    }
                    scale = self.least_squares(x, codes);
                }
                (scale, scale)
            }
        }
    }

    /// `mean(x q) / (mean(q q) + epsilon)`, to the nearest power of two where asked.
    fn least_squares(&self, x: &[f32], q: &[f32]) -> f32 {
        let rows = x.len() as f64;
        let sum = |a: &[f32]| -> f64 {
            a.iter()
                .zip(q)
                .map(|(a, q)| f64::from(*a) * f64::from(*q))
                .sum()
        };
        let scale = (sum(x) / rows) as f32 / ((sum(q) / rows) as f32 + EPSILON);
        if self.po2 { nearest_po2(scale) } else { scale }
    }
}

/// -1, 0 or +1.
fn sign(v: f32) -> f32 {
    if v > 0.0 {
        1.0
    } else if v < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// `2^round(log2(scale + epsilon))`.
fn nearest_po2(scale: f32) -> f32 {
    let sum = scale + EPSILON;
    if sum.is_finite() && sum > 0.0 {
        2f32.powi(Exact::of(f64::from(sum)).round_log2())
    } else {
        // No power of two is near: what the original's logarithm gives.
        if sum.is_nan() || sum < 0.0 {
            f32::NAN
        } else {
            sum
        }
    }
}

/// The same quantizer with an automatic scale replaced by 1.
pub(crate) fn with_unit_scale(quantizer: &Quantizer) -> Quantizer {
    let unit = |alpha: Alpha| {
        if alpha.constant().is_none() {
            Alpha::None
        } else {
            alpha
        }
    };
    let mut fixed = *quantizer;
    match &mut fixed {
        Quantizer::QuantizedBits(q) => {
            q.symmetric |= q.alpha.constant().is_none();
            q.alpha = unit(q.alpha);
        }
        Quantizer::Binary(q) | Quantizer::StochasticBinary(q) => q.alpha = unit(q.alpha),
        Quantizer::Ternary(q) => q.alpha = unit(q.alpha),
        _ => {}
    }
    fixed
}
