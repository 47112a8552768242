//! Means, batch normalisations and sums of branches in integers: constants and alignment a channel.

use crate::freeze_layer::{Freezing, Frozen};
use crate::freeze_sum::{Sum, check_fraction, common_fraction, shift_to, shifted};
use crate::{Axis, Constant, Geometry, IntegerOperation, Interval, TensorFormat, reciprocal};

impl Freezing<'_> {
    pub(crate) fn mean(&self, bits: u32) -> Frozen {
        let (geometry, input) = (self.geometry()?, self.sources[0]);
        let (reciprocal, fraction) = reciprocals(&geometry, bits);
        let occurring = || reciprocal.iter().enumerate().filter(|(_, r)| **r != 0);
        let mut output = self.as_input(&[]);
        for (channel, range) in input.range.iter().enumerate() {
            output.fraction[channel] += fraction;
            check_fraction(&self.layer.name, output.fraction[channel])?;
            let of = |(count, factor): (usize, &i64)| {
                let mut sum = Sum::default();
                let end = |v: i64| i128::from(v) * count as i128;
                sum.add(end(range.lo), end(range.hi));
                sum.scaled(*factor, 0)?.intervals()
            };
            let mut all: Option<Interval> = None;
            for one in occurring().map(of) {
                let (_, range) = one.map_err(|bits| self.place().too_wide(channel, bits))?;
                all = Some(all.map_or(range, |all| all.hull(range)));
            }
            output.range.push(all.unwrap_or(Interval::point(0)));
        }
        let operation = IntegerOperation::Mean {
            geometry,
            reciprocal,
        };
        Ok((operation, output))
    }

    pub(crate) fn affine(&self, epsilon: f32, scale_bits: u32, offset_bits: u32) -> Frozen {
        let input = self.sources[0];
        let frozen = self.normalisation(epsilon)?.freeze(scale_bits, offset_bits);
        let mut output = self.as_input(&[]);
        let (mut multiplier, mut shifts, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        let constants = frozen.scale.into_iter().zip(frozen.offset);
        for (channel, (scale, offset)) in constants.enumerate() {
            let range = input.range[channel];
            let mut sum = Sum::default();
            let end = |v: i64| i128::from(v) * i128::from(scale.mantissa);
            sum.add(end(range.lo), end(range.hi));
            let asks = |constant: Constant| constant.mantissa != 0;
            let product = (input.fraction[channel] - scale.exponent, !sum.is_zero());
            let moved = (-offset.exponent, asks(offset));
            let fraction = common_fraction([product, moved].into_iter());
            let shift = shift_to(fraction, product);
            let finish = || {
                let offset = shifted(offset.mantissa, shift_to(fraction, moved))?;
                let mut sum = sum.scaled(1, shift)?;
                sum.add(offset, offset);
                Ok((offset as i64, sum.intervals()?.1))
            };
            let (offset, range) = finish().map_err(|bits| self.place().too_wide(channel, bits))?;
            check_fraction(&self.layer.name, fraction)?;
            output.fraction[channel] = fraction;
            output.range.push(range);
            multiplier.push(scale.mantissa);
            shifts.push(shift);
            offsets.push(offset);
        }
        let operation = IntegerOperation::Affine {
            multiplier,
            product_shift: shifts,
            offset: offsets,
        };
        Ok((operation, output))
    }

    pub(crate) fn add(&self) -> Frozen {
        let mut output = self.as_input(&[]);
        let mut shift: Vec<Vec<u32>> = vec![Vec::new(); self.sources.len()];
        for channel in 0..self.sources[0].channels() {
            let part = |source: &TensorFormat| {
                let asks = source.range[channel] != Interval::point(0);
                (source.fraction[channel], asks)
            };
            let common = common_fraction(self.sources.iter().map(|source| part(source)));
            let mut sum = Sum::default();
            for (source, shift) in self.sources.iter().zip(&mut shift) {
                let left = shift_to(common, part(source));
                let end =
                    |v: i64| shifted(v, left).map_err(|bits| self.place().too_wide(channel, bits));
                sum.add(
                    end(source.range[channel].lo)?,
                    end(source.range[channel].hi)?,
                );
                shift.push(left);
            }
            let intervals = sum.intervals();
            let (_, range) = intervals.map_err(|bits| self.place().too_wide(channel, bits))?;
            output.fraction[channel] = common;
            output.range.push(range);
        }
        Ok((IntegerOperation::Add { shift }, output))
    }
}

/// Reciprocals of the counts of elements that windows have inside, by count (0 where a count does
/// not occur), and the fraction bits they have in common.
fn reciprocals(geometry: &Geometry, bits: u32) -> (Vec<i64>, i32) {
    let mut by_count = vec![0i64; geometry.taps() + 1];
    let counts = |axis: &Axis| {
        let inside = |o| {
            (0..axis.size)
                .filter(|t| axis.source(o, *t).is_some())
                .count()
        };
        let mut counts: Vec<usize> = (0..axis.output).map(inside).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    };
    let columns = counts(&geometry.columns);
    let mut constants = Vec::new();
    for rows in counts(&geometry.rows) {
        for columns in &columns {
            constants.push((rows * columns, reciprocal(rows * columns, bits)));
        }
    }
    let fraction = constants
        .iter()
        .map(|(_, c)| -c.exponent)
        .max()
        .unwrap_or(0);
    for (count, constant) in constants {
        let shift = (fraction + constant.exponent).unsigned_abs();
        by_count[count] = constant.mantissa << shift;
    }
    (by_count, fraction)
}
