//! Training forms of the families that draw at random.
//!
//! The rule this module keeps: all randomness comes from the caller's 32-bit words, taken in the
//! tensor's order, so that a run is the same on every machine; scales are found without chance, but
//! for `ternary` with stochastic rounding, whose original draws while it searches.

use crate::po2::{EPSILON, Exact, Exponents, flushed_power};
use crate::scale::Automatic;
use crate::workspace::cleared;
use crate::{
    Binary, QuantizedBits, QuantizedLinear, QuantizedRelu, Quantizer, Rounding, Sigmoid,
    Stochastic, StochasticTernary, Workspace,
};

/// Draws from the caller's words.
struct Draw<'a, W>(&'a mut W);

impl<W: FnMut() -> u32> Draw<'_, W> {
    /// Uniform in [0, 1), 24 bits.
    fn uniform(&mut self) -> f64 {
        f64::from((self.0)() >> 8) * 2f64.powi(-24)
    }

    /// Up with the fraction's probability, on multiples of `grid`.
    fn round(&mut self, value: f64, grid: f64) -> f64 {
        let scaled = value / grid;
        let floor = scaled.floor();
        // A draw is always taken, so that where a value lies changes no other value's draw.
        let up = self.uniform() < scaled - floor;
        (floor + f64::from(u8::from(up))) * grid
    }

    /// Whether a draw is below the sigmoid of `x`.
    fn below_sigmoid(&mut self, sigmoid: Sigmoid, x: f64) -> bool {
        self.uniform() < sigmoid.value(x)
    }
}

impl Rounding {
    /// The grid of the families that the original rounds to half steps.
    fn half_grid(self) -> f64 {
        if self == Self::Stochastic { 0.5 } else { 1.0 }
    }
}

impl Quantizer {
    /// Fake-quantizes as [`Quantizer::quantize`] does, but in training form: `stochastic_*`,
    /// `bernoulli` and stochastic rounding draw from `words` (independent uniform 32-bit numbers).
    /// The others take no word and give what [`Quantizer::quantize`] gives.
    ///
    /// The gradient is that of [`Quantizer::straight_through`]. `stochastic_ternary` with a fixed
    /// scale, which the original refuses in training, draws as with a found one, with its threshold
    /// and without dividing by the standard deviation.
    ///
    /// # Panics
    /// If `y` is shorter than `x`, or `x` is not whole rows of `columns`.
    pub fn quantize_training(
        &self,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        words: &mut impl FnMut() -> u32,
    ) -> Vec<f32> {
        let mut memory = Workspace::default();
        self.quantize_training_in(x, columns, y, words, &mut memory);
        memory.scales
    }

    /// The same in memory that is kept between calls; the scales are left there.
    ///
    /// # Panics
    /// As [`Quantizer::quantize_training`].
    pub fn quantize_training_in(
        &self,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        words: &mut impl FnMut() -> u32,
        memory: &mut Workspace,
    ) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        assert!(
            columns > 0 && x.len().is_multiple_of(columns),
            "{} values are whole rows of {columns}",
            x.len()
        );
        let mut draw = Draw(words);
        match self {
            Self::StochasticBinary(q) | Self::Bernoulli(q) => {
                self.two_levels(q, x, columns, y, &mut draw, memory);
            }
            Self::StochasticTernary(q) => {
                self.three_levels(q, x, columns, y, &mut draw, memory);
            }
            _ if self.rounding() == Rounding::Nearest => {
                return self.quantize_in(x, columns, y, memory);
            }
            Self::Binary(q) => self.rounded_signs(q, x, columns, y, &mut draw, memory),
            Self::Ternary(q) if let Some(automatic) = Automatic::of(self) => {
                let unrolls = q.number_of_unrolls;
                drawn_ternary(&automatic, unrolls, x, columns, y, &mut draw, memory);
            }
            Self::QuantizedLinear(q) => {
                self.rounded_linear(q, x, columns, y, &mut draw, memory);
            }
            // Where the scale is found, the original rounds to the nearest in training too.
            Self::Ternary(_) => return self.quantize_in(x, columns, y, memory),
            _ if self.has_automatic_scale() => return self.quantize_in(x, columns, y, memory),
            _ => self.rounded(x, y, &mut draw, memory),
        }
        self.blend(x, y);
    }

    /// Families with one fixed scale, element by element.
    fn rounded<W: FnMut() -> u32>(
        &self,
        x: &[f32],
        y: &mut [f32],
        draw: &mut Draw<'_, W>,
        memory: &mut Workspace,
    ) {
        let alpha = self.alpha().constant().unwrap_or(1.0);
        memory.set_scale(alpha);
        let x = self.before_grid(x, &mut memory.before_grid);
        for (y, x) in y.iter_mut().zip(x.iter().map(|x| f64::from(*x))) {
            let value = match self {
                Self::QuantizedBits(q) => f64::from(alpha) * bits(q, x, draw),
                Self::QuantizedHswish(q) => f64::from(alpha) * bits(&q.grid, x, draw),
                Self::QuantizedRelu(q) => relu(q, x, draw),
                Self::QuantizedTanh(q) => {
                    let step = 2f64.powi(-q.code_fraction());
                    let (lo, hi) = q.code_range();
                    let code = draw.round(q.function(x) / step, q.rounding.half_grid());
                    code.clamp(lo as f64, hi as f64) * step
                }
                Self::QuantizedSigmoid(q) => {
                    let step = 2f64.powi(-(q.bits as i32));
                    let (lo, hi) = q.code_range();
                    let code = draw.round(q.sigmoid.value(x) / step, q.rounding.half_grid());
                    code.clamp(lo as f64, hi as f64) * step
                }
                Self::QuantizedPo2(q) => {
                    let size = power(&Exponents::of_po2(q), x.abs(), draw);
                    if x < 0.0 { -size } else { size }
                }
                Self::QuantizedReluPo2(q) => {
                    let exponents = Exponents::of_relu_po2(q);
                    if x < 0.0 && q.negative_slope != 0.0 {
                        -power(&exponents, -x * f64::from(q.negative_slope), draw)
                    } else {
                        power(&exponents, x.max(0.0), draw)
                    }
                }
                _ => x,
            };
            // Minus zero never comes out.
            *y = value as f32 + 0.0;
        }
    }

    /// `stochastic_binary` and `bernoulli`.
    fn two_levels<W: FnMut() -> u32>(
        &self,
        q: &Stochastic,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        draw: &mut Draw<'_, W>,
        memory: &mut Workspace,
    ) {
        // Scales are those of the likelier values.
        let automatic = Automatic::of(self);
        self.scales(automatic, x, columns, y, memory);
        let spread = spread(automatic.is_some(), x, columns, &mut memory.sums);
        let scales = &memory.scales;
        let temperature = f64::from(q.temperature);
        let is_bernoulli = matches!(self, Self::Bernoulli(_));
        let below = if is_bernoulli { 0.0 } else { -1.0 };
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let at = temperature * f64::from(*x) / spread[i % spread.len()];
            let level = if draw.below_sigmoid(q.sigmoid, at) {
                1.0
            } else {
                below
            };
            *y = level * scales[i % scales.len()] + 0.0;
        }
    }

    /// `stochastic_ternary`.
    fn three_levels<W: FnMut() -> u32>(
        &self,
        q: &StochasticTernary,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        draw: &mut Draw<'_, W>,
        memory: &mut Workspace,
    ) {
        let automatic = Automatic::of(self);
        self.scales(automatic, x, columns, y, memory);
        let spread = spread(automatic.is_some(), x, columns, &mut memory.sums);
        let scales = &memory.scales;
        let temperature = f64::from(q.temperature);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let scale = scales[i % scales.len()];
            let threshold = match automatic {
                Some(_) => f64::from(scale) / 2.0,
                None => f64::from(q.ternary.fixed_threshold()),
            };
            let spread = spread[i % spread.len()];
            let mut sign = |shift: f64| {
                let at = temperature * (f64::from(*x) + shift) / spread;
                if draw.below_sigmoid(q.sigmoid, at) {
                    0.5
                } else {
                    -0.5
                }
            };
            let level: f32 = sign(-threshold) + sign(threshold);
            *y = level * scale + 0.0;
        }
    }

    /// Leaves the scale of each column, or the fixed one; `y` is scratch.
    fn scales(
        &self,
        automatic: Option<Automatic>,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        memory: &mut Workspace,
    ) {
        match automatic {
            Some(automatic) => automatic.levels(x, columns, y, memory),
            None => memory.set_scale(self.alpha().constant().unwrap_or(1.0)),
        }
    }

    /// `binary` with stochastic rounding: inputs are rounded to eighths of their range, and those
    /// that become zero have a random sign.
    fn rounded_signs<W: FnMut() -> u32>(
        &self,
        q: &Binary,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        draw: &mut Draw<'_, W>,
        memory: &mut Workspace,
    ) {
        let Workspace {
            scales: range,
            moved: rounded,
            sums,
            ..
        } = memory;
        cleared(range, columns);
        for row in x.chunks_exact(columns) {
            for (m, v) in range.iter_mut().zip(row) {
                *m = m.max(v.abs());
            }
        }
        if x.len() == columns {
            let whole = range.iter().fold(0f32, |m, v| m.max(*v));
            range.fill(whole);
        }
        let below = if q.use_01 { 0.0 } else { -1.0 };
        cleared(rounded, x.len());
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let f = f64::from(2.0 * range[i % columns].min(1.0));
            let at = if f > 0.0 {
                f * draw.round(f64::from(*x) / f, 0.125)
            } else {
                0.0
            };
            let tie = draw.uniform() < 0.5;
            rounded[i] = at as f32;
            *y = if at > 0.0 || (at == 0.0 && tie) {
                1.0
            } else {
                below
            };
        }
        let Some(automatic) = Automatic::of(self) else {
            let alpha = q.alpha.constant().unwrap_or(1.0);
            for y in y {
                *y = *y * alpha + 0.0;
            }
            memory.set_scale(alpha);
            return;
        };
        let scales = range;
        automatic.least_squares(rounded, y, scales, sums);
        automatic.apply(scales, y);
    }

    /// `quantized_linear` with stochastic rounding on whole steps.
    fn rounded_linear<W: FnMut() -> u32>(
        &self,
        q: &QuantizedLinear,
        x: &[f32],
        columns: usize,
        y: &mut [f32],
        draw: &mut Draw<'_, W>,
        memory: &mut Workspace,
    ) {
        let automatic = Automatic::of(self);
        let alpha = q.alpha.constant().unwrap_or(1.0);
        match automatic {
            Some(automatic) => automatic.levels(x, columns, y, memory),
            None => memory.set_scale((f64::from(alpha) * q.unit()) as f32),
        }
        let scales = &mut memory.scales;
        let (lo, hi) = q.code_range();
        // One signed bit is half a step up or down.
        let (half, shift) = if q.is_sign() { (0.5, 0.5) } else { (1.0, 0.0) };
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let scale = f64::from(scales[i % scales.len()]);
            let at = (f64::from(*x) / scale).clamp(lo as f64 * half, hi as f64 * half);
            let level = draw.round(at - shift, 1.0) + shift;
            *y = (level * scale) as f32 + 0.0;
        }
        match automatic {
            Some(automatic) => automatic.report(scales),
            None => memory.set_scale(alpha),
        }
    }
}

/// A level of `quantized_bits` before its scale.
fn bits<W: FnMut() -> u32>(q: &QuantizedBits, x: f64, draw: &mut Draw<'_, W>) -> f64 {
    if q.unsigned_bits() == 0 {
        return if x >= 0.0 { 1.0 } else { -1.0 };
    }
    let (lo, hi) = q.code_range();
    let step = 2f64.powi(-q.code_fraction());
    draw.round(x / step, 1.0).clamp(lo as f64, hi as f64) * step
}

/// A value of `quantized_relu`.
fn relu<W: FnMut() -> u32>(q: &QuantizedRelu, x: f64, draw: &mut Draw<'_, W>) -> f64 {
    let m = 2f64.powi(q.unsigned_bits() as i32);
    let step = 2f64.powi(-q.code_fraction());
    let grid = q.rounding.half_grid();
    let slope = f64::from(q.negative_slope);
    let limit = 2f64.powi(q.integer);
    let code = if q.use_sigmoid {
        let p = q.sigmoid.value(x / limit) * m;
        let above = (2.0 * draw.round(p, grid) - m).clamp(0.0, m - 1.0);
        if slope == 0.0 {
            above
        } else {
            let below = 2.0 * draw.round(p * slope, grid) - slope * m;
            above + below.clamp(-slope * m, 0.0)
        }
    } else {
        let p = x / step;
        let above = draw.round(p, grid).clamp(0.0, m - 1.0);
        if slope == 0.0 {
            above
        } else {
            above + draw.round(p * slope, grid).clamp(-slope * m, 0.0)
        }
    };
    let value = code * step;
    q.cut().map_or(value, |cut| value.min(f64::from(cut)))
}

/// A power of two whose mean is the magnitude.
fn power<W: FnMut() -> u32>(exponents: &Exponents, size: f64, draw: &mut Draw<'_, W>) -> f64 {
    let chance = draw.uniform();
    if size < f64::from(EPSILON) || exponents.floor {
        return flushed_power(exponents.round(Exact::of(size)));
    }
    let clipped = exponents.clipped(Exact::of(size));
    let clipped = clipped.mantissa as f64 * 2f64.powi(clipped.exponent);
    let at = if exponents.quadratic {
        clipped.sqrt()
    } else {
        clipped
    };
    let floor = Exact::of(at).floor_log2();
    let up = chance < at * 2f64.powi(-floor) - 1.0;
    flushed_power(exponents.exponent(floor + i32::from(up)))
}

/// `ternary` with stochastic rounding to thirds of the scale, drawn anew at each step of the search.
fn drawn_ternary<W: FnMut() -> u32>(
    automatic: &Automatic,
    unrolls: u32,
    x: &[f32],
    columns: usize,
    y: &mut [f32],
    draw: &mut Draw<'_, W>,
    memory: &mut Workspace,
) {
    let Workspace { scales, sums, .. } = memory;
    automatic.first_guess(x, columns, scales);
    for _ in 0..unrolls {
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let ratio = f64::from(*x) / f64::from(scales[i % columns]);
            let ratio = if ratio.is_finite() { ratio } else { 0.0 };
            let outside = draw.round(ratio, 1.0 / 3.0).abs() >= 0.5;
            *y = match x {
                _ if !outside => 0.0,
                x if *x > 0.0 => 1.0,
                _ => -1.0,
            };
        }
        automatic.least_squares(x, y, scales, sums);
    }
    automatic.apply(scales, y);
}

/// Standard deviation of each column plus epsilon (of the whole, in a vector), or 1.
fn spread<'a>(
    found: bool,
    x: &[f32],
    columns: usize,
    [sum, squares]: &'a mut [Vec<f64>; 2],
) -> &'a [f64] {
    if !found {
        return &[1.0];
    }
    let columns = if x.len() == columns { 1 } else { columns };
    let rows = (x.len() / columns).max(1) as f64;
    cleared(sum, columns);
    cleared(squares, columns);
    for row in x.chunks_exact(columns) {
        for (sum, v) in sum.iter_mut().zip(row) {
            *sum += f64::from(*v);
        }
    }
    for row in x.chunks_exact(columns) {
        for ((square, v), sum) in squares.iter_mut().zip(row).zip(&*sum) {
            *square += (f64::from(*v) - sum / rows).powi(2);
        }
    }
    let epsilon = f64::from(EPSILON);
    for square in &mut *squares {
        *square = (*square / rows).sqrt() + epsilon;
    }
    squares
}
