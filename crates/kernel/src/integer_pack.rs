//! A dense layer in the order the integer kernels read it, with the proof that its sums fit i32.
//!
//! Weights stand in blocks of 16 outputs; a block holds, for each group of four bytes of an input
//! row (four byte codes or two word codes), one vector of 16 x 4 bytes. Inputs and outputs that pad
//! a group or a block have weights of zero, so what is read there does not matter.

use crate::buffer::LANES;
use crate::integer::{DenseCodes, IntegerFault, Overflow, Requantize, Rounding};

/// Sixteen i32 on a 64-byte line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [i32; LANES]);

/// How codes and weights are stored and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// i16 x i16, two a group.
    Words,
    /// u8 x i8, four a group.
    Bytes,
    /// u8 x i8, where the sum of two neighbouring products always fits i16.
    SmallBytes,
}

/// How a finished sum is rounded; constants are in [`Pack::add`] and [`Pack::mask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// `(sum + add) >> shift`, the constant already in the start value.
    Constant,
    /// As `Constant`, and an even result where no bit of `mask` is left.
    Even,
    /// `(sum + add + (sum < 0 ? mask : 0)) >> shift`.
    BySign,
}

/// The end of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish {
    pub(crate) round: Round,
    pub(crate) overflow: Overflow,
    pub(crate) low: i32,
    pub(crate) high: i32,
}

/// Where a layer's results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// i32, as they are.
    Sums,
    /// `code - offset` as u8.
    Bytes { offset: i32 },
    /// `code - offset` as i16.
    Words { offset: i32 },
}

/// A packed layer. Vectors of [`Line`]s: one a block of outputs, but `weights`: `groups` a block.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) form: Form,
    /// Smallest and largest input code.
    pub(crate) input_range: (i32, i32),
    /// Subtracted from an input code before it is stored.
    pub(crate) offset: i32,
    /// Groups of four bytes of an input row.
    pub(crate) groups: usize,
    pub(crate) weights: Vec<Line>,
    pub(crate) start: Vec<Line>,
    pub(crate) shift: Vec<Line>,
    pub(crate) add: Vec<Line>,
    pub(crate) mask: Vec<Line>,
    pub(crate) finish: Option<Finish>,
    pub(crate) target: Target,
}

/// Constants of one output's rounding: `(add, mask)`.
fn constants(rounding: Rounding, shift: u32) -> (i32, i32) {
    let below = (1i32 << shift) - 1;
    let half = below - (below >> 1);
    match rounding {
        // Without a shift every value is whole: only a zero passes the mask, and zero is even.
        Rounding::HalfEven => (half, if shift == 0 { -1 } else { below }),
        Rounding::Floor => (0, 0),
        Rounding::HalfUp => (half, 0),
        Rounding::HalfDown => (below - half, 0),
        Rounding::TowardZero => (0, below),
        Rounding::HalfTowardZero => (below - half, i32::from(shift > 0)),
        Rounding::HalfAwayFromZero => (half, -i32::from(shift > 0)),
    }
}

fn round_of(rounding: Rounding) -> Round {
    match rounding {
        Rounding::Floor | Rounding::HalfUp | Rounding::HalfDown => Round::Constant,
        Rounding::HalfEven => Round::Even,
        Rounding::TowardZero | Rounding::HalfTowardZero | Rounding::HalfAwayFromZero => {
            Round::BySign
        }
    }
}

/// Form and offset of a layer's input.
fn form_of(layer: usize, dense: &DenseCodes<'_>) -> Result<(Form, i32), IntegerFault> {
    let too_wide = |problem| Err(IntegerFault::TooWide { layer, problem });
    let (low, high) = dense.input_range;
    let span = i64::from(high) - i64::from(low);
    let all = |low, high| dense.weights.iter().all(|w| (low..=high).contains(w));
    if span <= 255 && all(-128, 127) {
        return Ok((bytes_form(dense, span), low));
    }
    if !all(-32_768, 32_767) {
        return too_wide("a weight is outside of -32768..=32767".into());
    }
    if low >= -32_768 && high <= 32_767 {
        Ok((Form::Words, 0))
    } else if span <= 65_535 && low <= i32::MAX - 65_535 {
        Ok((Form::Words, low + 32_768))
    } else {
        too_wide(format!("input codes {low}..={high} need more than 16 bits"))
    }
}

/// Whether sums of two neighbouring products fit i16.
fn bytes_form(dense: &DenseCodes<'_>, span: i64) -> Form {
    let small = (0..dense.outputs).all(|j| {
        let weight = |i: usize| i64::from(dense.weights[i * dense.outputs + j]);
        (0..dense.inputs).step_by(2).all(|i| {
            let pair = if i + 1 < dense.inputs {
                [weight(i), weight(i + 1)]
            } else {
                [weight(i), 0]
            };
            let most: i64 = pair.iter().map(|w| w.max(&0) * span).sum();
            let least: i64 = pair.iter().map(|w| w.min(&0) * span).sum();
            least >= -32_768 && most <= 32_767
        })
    });
    if small { Form::SmallBytes } else { Form::Bytes }
}

/// Shapes and ranges of one layer.
pub(crate) fn check(layer: usize, dense: &DenseCodes<'_>) -> Result<(), IntegerFault> {
    let fault = |problem| Err(IntegerFault::Layer { layer, problem });
    let (inputs, outputs) = (dense.inputs, dense.outputs);
    if inputs == 0 || outputs == 0 {
        return fault(format!("its shape {inputs} x {outputs} is empty"));
    }
    if inputs.checked_mul(outputs) != Some(dense.weights.len()) || outputs != dense.bias.len() {
        return fault(format!(
            "{} weights and {} biases do not make the shape {inputs} x {outputs}",
            dense.weights.len(),
            dense.bias.len()
        ));
    }
    let (low, high) = dense.input_range;
    if low > high {
        return fault(format!("its input range {low}..={high} is empty"));
    }
    dense.requantize.as_ref().map_or(Ok(()), |requantize| {
        check_requantize(layer, outputs, requantize)
    })
}

fn check_requantize(
    layer: usize,
    outputs: usize,
    requantize: &Requantize<'_>,
) -> Result<(), IntegerFault> {
    let fault = |problem| Err(IntegerFault::Layer { layer, problem });
    let (low, high) = (requantize.low, requantize.high);
    if requantize.shifts.len() != outputs {
        return fault(format!(
            "{} shifts for {outputs} outputs",
            requantize.shifts.len()
        ));
    }
    if let Some(shift) = requantize.shifts.iter().find(|shift| **shift > 30) {
        return fault(format!("a shift of {shift}; accepted are 0..=30"));
    }
    if low > high {
        return fault(format!("its output range {low}..={high} is empty"));
    }
    let size = i64::from(high) - i64::from(low) + 1;
    match requantize.overflow {
        Overflow::Zero if low > 0 || high < 0 => {
            fault(format!("zero is not in its output range {low}..={high}"))
        }
        Overflow::Wrap if size.count_ones() != 1 => fault(format!(
            "wrapping needs a power of two of codes; {low}..={high} are {size}"
        )),
        _ => Ok(()),
    }
}

impl Pack {
    /// Packs one layer of a chain that passed [`check`]; `next` tells how its codes are stored.
    pub(crate) fn new(
        layer: usize,
        dense: &DenseCodes<'_>,
        next: Option<&DenseCodes<'_>>,
    ) -> Result<Self, IntegerFault> {
        let (form, offset) = form_of(layer, dense)?;
        let target = match next {
            None => Target::Sums,
            Some(next) => match form_of(layer + 1, next)? {
                (Form::Words, offset) => Target::Words { offset },
                (_, offset) => Target::Bytes { offset },
            },
        };
        let per_group = if form == Form::Words { 2 } else { 4 };
        let groups = dense.inputs.div_ceil(per_group);
        let blocks = dense.outputs.div_ceil(LANES);
        let zero = Line([0; LANES]);
        let mut pack = Self {
            inputs: dense.inputs,
            outputs: dense.outputs,
            form,
            input_range: dense.input_range,
            offset,
            groups,
            weights: vec![zero; blocks * groups],
            start: vec![zero; blocks],
            shift: vec![zero; blocks],
            add: vec![zero; blocks],
            mask: vec![zero; blocks],
            finish: dense.requantize.as_ref().map(|requantize| Finish {
                round: round_of(requantize.rounding),
                overflow: requantize.overflow,
                low: requantize.low,
                high: requantize.high,
            }),
            target,
        };
        for j in 0..dense.outputs {
            pack.fill(layer, dense, j, per_group)?;
        }
        Ok(pack)
    }

    /// Packs output `j` and proves its interval.
    fn fill(
        &mut self,
        layer: usize,
        dense: &DenseCodes<'_>,
        j: usize,
        per_group: usize,
    ) -> Result<(), IntegerFault> {
        let (block, lane) = (j / LANES, j % LANES);
        let (low, high) = dense.input_range;
        let (low, high) = (i128::from(low), i128::from(high));
        let bias = dense.bias[j];
        let (mut least, mut most) = (i128::from(bias), i128::from(bias));
        let mut total = 0i64;
        for i in 0..dense.inputs {
            let weight = dense.weights[i * dense.outputs + j];
            let (a, b) = (i128::from(weight) * low, i128::from(weight) * high);
            least += a.min(b);
            most += a.max(b);
            total += i64::from(weight);
            // The bits of the weight at its place in the group, i8 or i16.
            let bits = 32 / per_group;
            let code = (weight as u32 & (u32::MAX >> (32 - bits))) << (i % per_group * bits);
            let line = &mut self.weights[block * self.groups + i / per_group];
            line.0[lane] |= code as i32;
        }
        let mut add = 0;
        if let Some(requantize) = &dense.requantize {
            let shift = requantize.shifts[j];
            let mask;
            (add, mask) = constants(requantize.rounding, shift);
            self.shift[block].0[lane] = shift as i32;
            self.add[block].0[lane] = add;
            self.mask[block].0[lane] = mask;
        }
        // What rounding adds lies between 0 and 2^shift - 1 (at most `add + mask` by sign).
        let extra = dense
            .requantize
            .as_ref()
            .map_or(0, |r| (1i128 << r.shifts[j]) - 1);
        if least < i128::from(i32::MIN) || most + extra > i128::from(i32::MAX) {
            return Err(IntegerFault::TooWide {
                layer,
                problem: format!("the sum of output {j} is within {least}..={most}"),
            });
        }
        // Stored codes are smaller by the offset; the start value gives it back, modulo 2^32.
        let given_back = total.wrapping_mul(i64::from(self.offset)) as i32;
        let by_sign = self.finish.is_some_and(|f| f.round == Round::BySign);
        let start = bias.wrapping_add(given_back);
        self.start[block].0[lane] = if by_sign {
            start
        } else {
            start.wrapping_add(add)
        };
        Ok(())
    }

    /// Blocks of 16 outputs.
    pub(crate) fn blocks(&self) -> usize {
        self.start.len()
    }

    /// Bytes of a row of results in [`Target`]'s form, padded to whole blocks.
    pub(crate) fn row_bytes(&self) -> usize {
        let width = match self.target {
            Target::Sums => 4,
            Target::Bytes { .. } => 1,
            Target::Words { .. } => 2,
        };
        self.blocks() * LANES * width
    }

    pub(crate) const fn multiply_adds(&self) -> usize {
        self.inputs * self.outputs
    }

    pub(crate) fn is_bytes(&self) -> bool {
        self.form != Form::Words
    }
}
