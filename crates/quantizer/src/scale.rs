//! Automatic scales: found from the tensor, per channel (last axis).
//!
//! A tensor of one row is a vector in the original's sense (a bias): every element is its own
//! channel in the least-squares fits, while the first guess uses the whole vector's largest
//! magnitude.

use crate::po2::{EPSILON, Exact};
use crate::vector::round;
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
        // Levels are written to `y` first, and become values at the end.
        let mut scales = self.levels(x, columns, y);
        let limit = self.limit();
        for row in y.chunks_exact_mut(columns) {
            for (code, scale) in row.iter_mut().zip(&scales) {
                *code = *code * (scale * limit) + 0.0;
            }
        }
        if let Family::Bits { levels, .. } = self.family {
            for scale in &mut scales {
                *scale *= levels;
            }
        }
        scales
    }

    /// Writes integer levels into `y` and returns the real scale of each column: the values are
    /// `level * scale * limit`.
    pub(crate) fn levels(&self, x: &[f32], columns: usize, y: &mut [f32]) -> Vec<f32> {
        let limit = self.limit();
        let x: Vec<f32> = x.iter().map(|v| v / limit).collect();
        let mut scales = self.first_guess(&x, columns);
        match self.family {
            Family::Bits { top, .. } if self.po2 => {
                for _ in 0..ITERATIONS {
                    nearest_levels(&x, &scales, top, y);
                    self.least_squares(&x, y, &mut scales);
                }
            }
            Family::Bits { top, .. } => nearest_levels(&x, &scales, top, y),
            Family::Binary { below } => {
                for (code, v) in y.iter_mut().zip(&x) {
                    *code = if *v >= 0.0 { 1.0 } else { below };
                }
                self.least_squares(&x, y, &mut scales);
            }
            Family::Ternary => {
                for _ in 0..ITERATIONS {
                    outside_dead_band(&x, &scales, y);
                    self.least_squares(&x, y, &mut scales);
                }
            }
        }
        scales
    }

    /// The power of two that inputs are divided by and values multiplied with.
    pub(crate) fn limit(&self) -> f32 {
        match self.family {
            Family::Bits { limit, .. } => limit,
            Family::Binary { .. } | Family::Ternary => 1.0,
        }
    }

    /// Scales from the largest magnitude of each column (of the whole, in a vector).
    fn first_guess(&self, x: &[f32], columns: usize) -> Vec<f32> {
        let mut largest = vec![0f32; columns];
        for row in x.chunks_exact(columns) {
            for (m, v) in largest.iter_mut().zip(row) {
                *m = m.max(v.abs());
            }
        }
        if x.len() == columns {
            let whole = largest.iter().fold(0f32, |m, v| m.max(*v));
            largest.fill(whole);
        }
        for m in &mut largest {
            let guess = match self.family {
                Family::Bits { top, .. } => *m * 2.0 / (2.0 * top),
                Family::Binary { .. } => 0.0,
                Family::Ternary => 2.0 * *m / 3.0,
            };
            *m = if self.po2 { nearest_po2(guess) } else { guess };
        }
        largest
    }

    /// `mean(x q) / (mean(q q) + epsilon)` of each column, to the nearest power of two where asked.
    fn least_squares(&self, x: &[f32], q: &[f32], scales: &mut [f32]) {
        let columns = scales.len();
        let rows = (x.len() / columns) as f64;
        let (mut with_x, mut with_q) = (vec![0f64; columns], vec![0f64; columns]);
        for (x, q) in x.chunks_exact(columns).zip(q.chunks_exact(columns)) {
            for ((sum, x), q) in with_x.iter_mut().zip(x).zip(q) {
                *sum += f64::from(*x) * f64::from(*q);
            }
            for (sum, q) in with_q.iter_mut().zip(q) {
                *sum += f64::from(*q) * f64::from(*q);
            }
        }
        for ((scale, with_x), with_q) in scales.iter_mut().zip(with_x).zip(with_q) {
            let fit = (with_x / rows) as f32 / ((with_q / rows) as f32 + EPSILON);
            *scale = if self.po2 { nearest_po2(fit) } else { fit };
        }
    }
}

/// `sign(x) * min(floor(|x| / scale + 0.5), top)`: half away from zero.
fn nearest_levels(x: &[f32], scales: &[f32], top: f32, codes: &mut [f32]) {
    let columns = scales.len();
    for (x, codes) in x.chunks_exact(columns).zip(codes.chunks_exact_mut(columns)) {
        for ((code, v), scale) in codes.iter_mut().zip(x).zip(scales) {
            // A scale of zero (all weights zero) makes this NaN, and `min` the top, times sign 0.
            *code = (v.abs() / scale + 0.5).min(top);
        }
        if top <= 4_194_304.0 {
            for (code, v) in codes.iter_mut().zip(x) {
                let nearest = round(*code);
                let floor = if nearest > *code {
                    nearest - 1.0
                } else {
                    nearest
                };
                *code = sign(*v) * floor;
            }
        } else {
            for (code, v) in codes.iter_mut().zip(x) {
                *code = sign(*v) * code.floor();
            }
        }
    }
}

/// `sign(x)` where `|x|` is above half the scale, else 0.
fn outside_dead_band(x: &[f32], scales: &[f32], codes: &mut [f32]) {
    let columns = scales.len();
    for (x, codes) in x.chunks_exact(columns).zip(codes.chunks_exact_mut(columns)) {
        for ((code, v), scale) in codes.iter_mut().zip(x).zip(scales) {
            let ratio = (v / scale).abs();
            let outside = ratio > 0.5 && ratio < f32::INFINITY;
            *code = if outside { sign(*v) } else { 0.0 };
        }
    }
}

/// -1, 0 or +1.
#[inline]
fn sign(v: f32) -> f32 {
    f32::from(u8::from(v > 0.0)) - f32::from(u8::from(v < 0.0))
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
