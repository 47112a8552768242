//! Fake-quantization with a power-of-two grid for each column, and the gradients by its grids.
//!
//! The rule this module keeps: a code is rounded as in [`Kernels::fake_quantize`], and sums over rows are
//! one chain a column, so that every level gives the same bits.

use crate::buffer::{Buffer, LANES, stride};
use crate::fake_quantize::ROUNDER;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Largest magnitude of a code, and of a grid's fraction.
const LARGEST_CODE: f32 = 4_194_304.0;
const LARGEST_FRACTION: i32 = 60;

/// A grid for each column: `y = clamp(round_half_even(x * 2^fraction), low, high) * 2^-fraction`. Columns
/// begin, and padding stays, at zero whatever goes in.
#[derive(Clone, Debug)]
pub struct ColumnGrids {
    columns: usize,
    inverse_step: Buffer,
    low: Buffer,
    high: Buffer,
    step: Buffer,
    back: Buffer,
    /// A gradient goes through where `open_low < x <= open_high`.
    open_low: Buffer,
    open_high: Buffer,
    /// 1 where values below the grid widen it, 0 where they are rectified.
    widens_below: Buffer,
}

impl ColumnGrids {
    /// Grids of nothing but zero.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        let filled = |value: f32| {
            let mut buffer = Buffer::zeroed(stride(columns));
            buffer.fill(value);
            buffer
        };
        Self {
            columns,
            inverse_step: filled(0.0),
            low: filled(ROUNDER),
            high: filled(ROUNDER),
            step: filled(0.0),
            back: filled(0.0),
            open_low: filled(0.0),
            open_high: filled(0.0),
            widens_below: filled(0.0),
        }
    }

    /// Gives a column the codes `low..=high` of step `2^-fraction`; `low` is 0 (rectified) or below.
    ///
    /// # Panics
    /// If there is no such column, codes pass 2^22 or the fraction is beyond 60 bits.
    pub fn set(&mut self, column: usize, fraction: i32, low: f32, high: f32) {
        assert!(column < self.columns, "column {column}");
        assert!(fraction.abs() <= LARGEST_FRACTION, "fraction {fraction}");
        assert!(
            (-LARGEST_CODE..=0.0).contains(&low) && (0.0..=LARGEST_CODE).contains(&high),
            "codes {low} to {high}"
        );
        let power = |e: i32| f32::from_bits(((e + 127) as u32) << 23);
        let step = power(-fraction);
        self.inverse_step[column] = power(fraction);
        self.low[column] = ROUNDER + low;
        self.high[column] = ROUNDER + high;
        self.step[column] = step;
        self.back[column] = -ROUNDER * step;
        let signed = low < 0.0;
        self.open_low[column] = if signed { (low - 0.5) * step } else { 0.0 };
        self.open_high[column] = (high + 0.5) * step;
        self.widens_below[column] = f32::from(u8::from(signed));
    }

    /// Makes a column always zero. Values up to `open` still pass their gradients, so that a format can
    /// come back.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn clear(&mut self, column: usize, open: f32) {
        assert!(column < self.columns, "column {column}");
        self.inverse_step[column] = 0.0;
        self.low[column] = ROUNDER;
        self.high[column] = ROUNDER;
        self.step[column] = 0.0;
        self.back[column] = 0.0;
        self.open_low[column] = 0.0;
        self.open_high[column] = open;
        self.widens_below[column] = 0.0;
    }
}

#[inline(always)]
unsafe fn quantize<V: Lanes>(grids: &ColumnGrids, x: &[f32], y: &mut [f32]) {
    let n = stride(grids.columns);
    for j in (0..n).step_by(LANES) {
        let at = |buffer: &Buffer| V::load(buffer.as_ptr().add(j));
        let (inverse, step, back) = (at(&grids.inverse_step), at(&grids.step), at(&grids.back));
        let (low, high) = (at(&grids.low), at(&grids.high));
        for i in (j..x.len()).step_by(n) {
            let code = V::load(x.as_ptr().add(i)).mul_add(inverse, V::splat(ROUNDER));
            let value = code.max(low).min(high).mul_add(step, back);
            value.store(y.as_mut_ptr().add(i));
        }
    }
}

#[inline(always)]
unsafe fn gradient<V: Lanes>(
    grids: &ColumnGrids,
    x: &[f32],
    y: &[f32],
    dy: &mut [f32],
    by_fraction: &mut [f32],
    by_range: &mut [f32],
) {
    let n = stride(grids.columns);
    for j in (0..n).step_by(LANES) {
        let at = |buffer: &Buffer| V::load(buffer.as_ptr().add(j));
        let (low, high) = (at(&grids.open_low), at(&grids.open_high));
        let below = at(&grids.widens_below);
        let (least, most) = (V::splat(f32::MIN), V::splat(f32::MAX));
        let mut fraction = V::load(by_fraction.as_ptr().add(j));
        let mut range = V::load(by_range.as_ptr().add(j));
        for i in (j..x.len()).step_by(n) {
            let value = V::load(x.as_ptr().add(i));
            let d = V::load(dy.as_ptr().add(i));
            let through = d.keep_where(value, low, high);
            let error = value.sub(V::load(y.as_ptr().add(i)));
            fraction = through.mul_add(error, fraction);
            let above = d.keep_where(value, high, most);
            let under = d.keep_where(value, least, low);
            range = range.add(above.sub(under.mul(below)));
            through.store(dy.as_mut_ptr().add(i));
        }
        fraction.store(by_fraction.as_mut_ptr().add(j));
        range.store(by_range.as_mut_ptr().add(j));
    }
}

impl Kernels {
    /// Fake-quantizes padded rows `x` into `y`, each column to its own grid.
    ///
    /// # Panics
    /// When the lengths differ or are no whole rows.
    pub fn quantize_columns(self, grids: &ColumnGrids, x: &[f32], y: &mut [f32]) {
        check(grids, x.len(), y.len());
        dispatch!(self.level(), quantize(grids: &ColumnGrids, x: &[f32], y: &mut [f32]));
    }

    /// Turns the gradient `dy` by the quantized rows `y` into the one by `x`: straight through within the
    /// grid, zero beyond. Adds `sum dy * (x - y)` over what goes through to `by_fraction`, and the
    /// gradient of what lies above, less that of what lies below a signed grid, to `by_range`.
    ///
    /// # Panics
    /// When the lengths differ or are no whole rows, or the sums are no padded row.
    pub fn columns_gradient(
        self,
        grids: &ColumnGrids,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        by_fraction: &mut [f32],
        by_range: &mut [f32],
    ) {
        check(grids, x.len(), y.len());
        check(grids, x.len(), dy.len());
        let row = stride(grids.columns);
        assert!(
            by_fraction.len() == row && by_range.len() == row,
            "the sums are rows of {row}"
        );
        dispatch!(
            self.level(),
            gradient(
                grids: &ColumnGrids, x: &[f32], y: &[f32], dy: &mut [f32],
                by_fraction: &mut [f32], by_range: &mut [f32]
            )
        );
    }
}

fn check(grids: &ColumnGrids, x: usize, y: usize) {
    let row = stride(grids.columns);
    assert!(
        x == y && x.is_multiple_of(row),
        "{x} and {y} values are equally many rows of {row}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn every_level_quantizes_and_sums_by_the_definition(
            columns in 1usize..40,
            rows in 1usize..9,
            seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u32
            };
            let mut grids = ColumnGrids::new(columns);
            // A column in five keeps nothing but zero.
            let formats: Vec<Option<(i32, f32, f32)>> = (0..columns)
                .map(|_| (next() % 5 > 0).then(|| {
                    let high = ((1u32 << (next() % 8)) - 1) as f32;
                    let low = if next() % 2 == 0 { 0.0 } else { -high - 1.0 };
                    ((next() % 14) as i32 - 4, low, high)
                }))
                .collect();
            for (column, format) in formats.iter().enumerate() {
                if let Some((fraction, low, high)) = *format {
                    grids.set(column, fraction, low, high);
                }
            }
            let mut value = || (next() % 4097) as f32 / 256.0 - 8.0;
            let dense: Vec<f32> = (0..rows * columns).map(|_| value()).collect();
            let upstream: Vec<f32> = (0..rows * columns).map(|_| value()).collect();
            let x = Buffer::padded(&dense, columns);
            for level in Level::ALL {
                let Some(kernels) = Kernels::at(level) else { continue };
                let mut y = Buffer::zeroed(x.len());
                kernels.quantize_columns(&grids, &x, &mut y);
                let mut dx = Buffer::padded(&upstream, columns);
                let mut sums = [Buffer::zeroed(stride(columns)), Buffer::zeroed(stride(columns))];
                let [by_fraction, by_range] = &mut sums;
                kernels.columns_gradient(&grids, &x, &y, &mut dx, by_fraction, by_range);
                prop_assert!(y.chunks(stride(columns)).all(|row| row[columns..].iter().all(|v| *v == 0.0)));
                let (y, dx) = (y.dense(columns), dx.dense(columns));
                for (column, format) in formats.iter().enumerate() {
                    let (mut fraction_sum, mut range_sum) = (0.0f32, 0.0f32);
                    for at in (column..dense.len()).step_by(columns) {
                        let (x, d) = (dense[at], upstream[at]);
                        let (wanted, low, high) = match *format {
                            None => (0.0, 0.0, 0.0),
                            Some((fraction, low, high)) => {
                                let step = 2f32.powi(-fraction);
                                let code = (x / step).round_ties_even().clamp(low, high);
                                let open = if low < 0.0 { (low - 0.5) * step } else { 0.0 };
                                (code * step, open, (high + 0.5) * step)
                            }
                        };
                        prop_assert_eq!(y[at], wanted);
                        let through = if x > low && x <= high { d } else { 0.0 };
                        prop_assert_eq!(dx[at], through);
                        fraction_sum = through.mul_add(x - wanted, fraction_sum);
                        let signed = format.is_some_and(|(_, low, _)| low < 0.0);
                        let above = if x > high { d } else { 0.0 };
                        let under = if x <= low && signed { d } else { 0.0 };
                        range_sum += above - under;
                    }
                    prop_assert_eq!(sums[0][column], fraction_sum);
                    prop_assert_eq!(sums[1][column], range_sum);
                }
            }
        }
    }
}
