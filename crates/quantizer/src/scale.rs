//! Automatic scales: found from the tensor, per channel (last axis).
//!
//! A tensor of one row is a vector in the original's sense (a bias): every element is its own
//! channel in the least-squares fits, while the first guess uses the whole vector's largest
//! magnitude.

use crate::po2::{EPSILON, Exact};
use crate::vector::round;
use crate::workspace::cleared;
use crate::{Alpha, QuantizedHswish, Quantizer, ScaleExponents, StochasticTernary, Workspace};

/// Least-squares refinements, as in the original.
const ITERATIONS: usize = 5;

/// A quantizer whose scale is found from the tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Automatic {
    family: Family,
    po2: bool,
    exponents: ScaleExponents,
}

#[derive(Clone, Copy, Debug)]
enum Family {
    /// Largest code, 2^integer, 2^(bits without sign).
    Bits {
        top: f32,
        limit: f32,
        levels: f32,
    },
    /// Codes, the original's unit of scales, and whether codes are half steps.
    Linear {
        lo: f32,
        hi: f32,
        unit: f32,
        signs: bool,
        signed: bool,
    },
    /// The lower level.
    Binary {
        below: f32,
    },
    Ternary {
        unrolls: u32,
    },
}

impl Automatic {
    /// The automatic form of a quantizer; `None` where its scale is fixed.
    pub(crate) fn of(quantizer: &Quantizer) -> Option<Self> {
        let po2 = match quantizer.alpha() {
            Alpha::None | Alpha::Constant(_) => return None,
            Alpha::Auto => false,
            Alpha::AutoPo2 => true,
        };
        let mut exponents = ScaleExponents::default();
        let family = match quantizer {
            Quantizer::QuantizedBits(q)
            | Quantizer::QuantizedHswish(QuantizedHswish { grid: q, .. }) => {
                exponents = q.exponents;
                Family::Bits {
                    top: 2f32.powi(q.bits as i32 - 1) - 1.0,
                    limit: 2f32.powi(q.integer),
                    levels: 2f32.powi(q.unsigned_bits() as i32),
                }
            }
            Quantizer::QuantizedLinear(q) => {
                let (lo, hi) = q.code_range();
                let half = if q.is_sign() { 0.5 } else { 1.0 };
                Family::Linear {
                    lo: lo as f32 * half,
                    hi: hi as f32 * half,
                    unit: q.unit() as f32,
                    signs: q.is_sign(),
                    signed: q.keep_negative,
                }
            }
            Quantizer::Binary(q) => {
                exponents = q.exponents;
                Family::Binary {
                    below: if q.use_01 { 0.0 } else { -1.0 },
                }
            }
            Quantizer::StochasticBinary(_) => Family::Binary { below: -1.0 },
            Quantizer::Bernoulli(_) => Family::Binary { below: 0.0 },
            Quantizer::Ternary(q)
            | Quantizer::StochasticTernary(StochasticTernary { ternary: q, .. }) => {
                Family::Ternary {
                    unrolls: q.number_of_unrolls,
                }
            }
            _ => return None,
        };
        Some(Self {
            family,
            po2,
            exponents,
        })
    }

    /// Quantizes into `y`; leaves the scale of each column as the original reports it.
    pub(crate) fn quantize(
        &self,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        memory: &mut Workspace,
    ) {
        // Levels are written to `y` first, and become values at the end.
        self.levels(x, columns, y, memory);
        self.apply(&memory.scales, y);
        self.report(&mut memory.scales);
    }

    /// Turns levels into values.
    pub(crate) fn apply(&self, scales: &[f32], y: &mut [f32]) {
        let factor = self.factor();
        for row in y.chunks_exact_mut(scales.len()) {
            for (code, scale) in row.iter_mut().zip(scales) {
                *code = *code * (scale * factor) + 0.0;
            }
        }
    }

    /// Turns scales into those that the original reports.
    pub(crate) fn report(&self, scales: &mut [f32]) {
        let share = match self.family {
            Family::Bits { levels, .. } => levels,
            Family::Linear { unit, .. } => 1.0 / unit,
            Family::Binary { .. } | Family::Ternary { .. } => 1.0,
        };
        for scale in scales {
            *scale *= share;
        }
    }

    /// Writes integer levels into `y` and leaves the real scale of each column: the values are
    /// `level * scale * factor`.
    pub(crate) fn levels(&self, x: &[f32], columns: usize, y: &mut [f32], memory: &mut Workspace) {
        let Workspace {
            scales,
            moved,
            sums,
            ..
        } = memory;
        let x: &[f32] = match self.family {
            Family::Bits { limit, .. } => {
                moved.clear();
                moved.extend(x.iter().map(|v| v / limit));
                moved
            }
            _ => x,
        };
        self.first_guess(x, columns, scales);
        match self.family {
            Family::Bits { top, .. } => {
                nearest_levels(x, scales, top, y);
                if self.po2 {
                    // The levels are those of the scale before the last fit.
                    for _ in 1..ITERATIONS {
                        self.least_squares(x, y, scales, sums);
                        nearest_levels(x, scales, top, y);
                    }
                    self.least_squares(x, y, scales, sums);
                }
            }
            Family::Linear { lo, hi, signs, .. } => {
                let iterations = match (self.po2, signs) {
                    (false, _) => 0,
                    (true, true) => 1,
                    (true, false) => ITERATIONS,
                };
                for _ in 0..iterations {
                    divided_levels(x, scales, [lo, hi], signs, y);
                    self.least_squares(x, y, scales, sums);
                }
                divided_levels(x, scales, [lo, hi], signs, y);
                if signs {
                    for level in y {
                        *level *= 2.0;
                    }
                }
            }
            Family::Binary { below } => {
                for (code, v) in y.iter_mut().zip(x.iter()) {
                    *code = if *v >= 0.0 { 1.0 } else { below };
                }
                self.least_squares(x, y, scales, sums);
            }
            Family::Ternary { unrolls } => {
                for _ in 0..unrolls {
                    outside_dead_band(x, scales, y);
                    self.least_squares(x, y, scales, sums);
                }
            }
        }
    }

    /// The power of two that values are multiplied with besides their scale.
    pub(crate) fn factor(&self) -> f32 {
        match self.family {
            Family::Bits { limit, .. } => limit,
            Family::Linear { signs: true, .. } => 0.5,
            _ => 1.0,
        }
    }

    /// Scales from the largest magnitude of each column (of the whole, in a vector).
    pub(crate) fn first_guess(&self, x: &[f32], columns: usize, largest: &mut Vec<f32>) {
        let linear = matches!(self.family, Family::Linear { .. });
        let unsigned = matches!(self.family, Family::Linear { signed: false, .. });
        cleared(largest, columns);
        for row in x.chunks_exact(columns) {
            for (m, v) in largest.iter_mut().zip(row) {
                *m = m.max(if unsigned { *v } else { v.abs() });
            }
        }
        if x.len() == columns && !linear {
            let whole = largest.iter().fold(0f32, |m, v| m.max(*v));
            largest.fill(whole);
        }
        for m in largest {
            let guess = match self.family {
                Family::Bits { top, .. } => *m * 2.0 / (2.0 * top),
                Family::Linear { lo, hi, .. } => {
                    let whole = if unsigned { *m } else { *m * 2.0 };
                    (whole / (hi - lo)).max(EPSILON)
                }
                Family::Binary { .. } => 0.0,
                Family::Ternary { .. } => 2.0 * *m / 3.0,
            };
            *m = self.rounded(guess);
        }
    }

    /// `mean(x q) / (mean(q q) + epsilon)` of each column, to the nearest power of two where asked.
    pub(crate) fn least_squares(
        &self,
        x: &[f32],
        q: &[f32],
        scales: &mut [f32],
        [with_x, with_q]: &mut [Vec<f64>; 2],
    ) {
        let columns = scales.len();
        let rows = (x.len() / columns) as f64;
        cleared(with_x, columns);
        cleared(with_q, columns);
        for (x, q) in x.chunks_exact(columns).zip(q.chunks_exact(columns)) {
            for ((sum, x), q) in with_x.iter_mut().zip(x).zip(q) {
                *sum += f64::from(*x) * f64::from(*q);
            }
            for (sum, q) in with_q.iter_mut().zip(q) {
                *sum += f64::from(*q) * f64::from(*q);
            }
        }
        for ((scale, with_x), with_q) in scales.iter_mut().zip(&*with_x).zip(&*with_q) {
            let fit = (with_x / rows) as f32 / ((with_q / rows) as f32 + EPSILON);
            *scale = self.rounded(fit);
        }
    }

    /// A scale as it is used: the nearest power of two where asked for, within its bounds.
    fn rounded(&self, scale: f32) -> f32 {
        if !self.po2 {
            return scale;
        }
        let nearest = nearest_po2(scale);
        let bound = |e: Option<i32>, none: f32| e.map_or(none, |e| 2f32.powi(e));
        let nearest = nearest.max(bound(self.exponents.min, nearest));
        nearest.min(bound(self.exponents.max, nearest))
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

/// `round(clip(x / scale))`, or half a step up or down.
fn divided_levels(x: &[f32], scales: &[f32], [lo, hi]: [f32; 2], signs: bool, codes: &mut [f32]) {
    let columns = scales.len();
    for (x, codes) in x.chunks_exact(columns).zip(codes.chunks_exact_mut(columns)) {
        for ((code, v), scale) in codes.iter_mut().zip(x).zip(scales) {
            *code = if signs {
                if *v >= 0.0 { 0.5 } else { -0.5 }
            } else {
                (v / scale).max(lo).min(hi).round_ties_even()
            };
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
