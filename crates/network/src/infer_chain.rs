//! Which layers of an integer program run in the vector kernels, and how.
//!
//! A stage is a dense or convolution layer with what follows it alone: a batch normalisation, whose
//! integers are multiplied into the weights, and an activation that rounds and fits into a width
//! (uniform quantizers, `ap_fixed` of most modes). Stages of dense layers on the
//! same positions follow one another as one chain. A convolution's patches become rows.
//!
//! The rule this module keeps: the kernels prove each sum for themselves; whatever they refuse, and
//! whatever is no stage, runs on 64 bits, and gives the same integers.

use bitfront_kernel::{DenseCodes, IntegerChain, Kernels, Overflow, Requantize, Rounding};
use bitfront_quantizer::{FixedRounding, Modes, Overflow as FixedOverflow};

use crate::{
    ActivationRule, Geometry, IntegerOperation, IntegerProgram, Interval, Linear, Source, Taps,
    TensorFormat,
};

/// Codes of patches that are gathered at a time.
const PATCH_CODES: usize = 1 << 16;

/// Layers in the order in which they run.
pub(crate) enum Step {
    /// One layer on 64 bits.
    Layer(usize),
    /// Layers in the kernels.
    Chain(Chain),
}

/// Layers that run as one chain.
pub(crate) struct Chain {
    /// The first layer, which reads the chain's input.
    pub(crate) first: usize,
    /// The layer whose values come out.
    pub(crate) last: usize,
    /// The window, where the first layer is a convolution.
    window: Option<Geometry>,
    kernels: Kernels,
    codes: IntegerChain,
}

/// The steps of a program.
pub(crate) fn plan(program: &IntegerProgram) -> Vec<Step> {
    steps(program, false)
}

/// The steps of a program that leave the values of every layer.
pub(crate) fn plan_each(program: &IntegerProgram) -> Vec<Step> {
    steps(program, true)
}

fn steps(program: &IntegerProgram, each: bool) -> Vec<Step> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); program.layers.len()];
    for (index, layer) in program.layers.iter().enumerate() {
        for source in &layer.sources {
            if let Source::Layer(at) = source {
                readers[*at].push(index);
            }
        }
    }
    let planner = Planner {
        program,
        readers,
        kernels: Kernels::detect(),
        each,
    };
    let mut within = vec![false; program.layers.len()];
    let mut steps = Vec::new();
    for index in 0..program.layers.len() {
        if within[index] {
            continue;
        }
        let Some((chain, layers)) = planner.chain(index) else {
            steps.push(Step::Layer(index));
            continue;
        };
        for layer in layers {
            within[layer] = true;
        }
        steps.push(Step::Chain(chain));
    }
    steps
}

impl Chain {
    /// Runs whole rows; appends the values of the last layer to `out`.
    pub(crate) fn run<C: Copy + Into<i64>>(&self, x: &[C], size: usize, out: &mut Vec<i64>) {
        let narrow = |code: &C| (*code).into() as i32;
        let mut results = Vec::new();
        let mut finish = |codes: &[i32], out: &mut Vec<i64>| {
            results.resize(codes.len() / self.codes.inputs() * self.codes.outputs(), 0);
            if let Err(fault) = self.codes.run(self.kernels, codes, &mut results) {
                panic!("{fault}");
            }
            out.extend(results.iter().map(|code| i64::from(*code)));
        };
        let Some(geometry) = &self.window else {
            let codes: Vec<i32> = x.iter().map(narrow).collect();
            finish(&codes, out);
            return;
        };
        let (taps, patch) = (geometry.taps(), self.codes.inputs());
        let inputs = patch / taps;
        let most = (PATCH_CODES / patch).max(1) * patch;
        let mut patches = Vec::new();
        for x in x.chunks_exact(size) {
            for position in 0..geometry.positions() {
                for tap in 0..taps {
                    match geometry.source(position, tap) {
                        Some(at) => {
                            patches.extend(x[at * inputs..(at + 1) * inputs].iter().map(narrow));
                        }
                        None => patches.resize(patches.len() + inputs, 0),
                    }
                }
                if patches.len() >= most {
                    finish(&patches, out);
                    patches.clear();
                }
            }
        }
        finish(&patches, out);
    }

    /// The kernels' chain, if it is the whole of a program that has so many layers and inputs: its
    /// rows are then the program's rows (a dense layer on several positions has more).
    pub(crate) fn whole(&self, layers: usize, inputs: usize) -> Option<(&IntegerChain, Kernels)> {
        let rows = self.window.is_none() && self.codes.inputs() == inputs;
        let whole = self.first == 0 && self.last + 1 == layers && rows;
        whole.then_some((&self.codes, self.kernels))
    }
}

struct Planner<'a> {
    program: &'a IntegerProgram,
    readers: Vec<Vec<usize>>,
    kernels: Kernels,
    /// Every layer is a step of its own.
    each: bool,
}

/// A layer of weights as the kernels take it.
struct Stage {
    inputs: usize,
    outputs: usize,
    input_range: (i32, i32),
    weights: Vec<i32>,
    bias: Vec<i32>,
    requantize: Option<(Vec<u32>, Finish)>,
}

/// From sums to codes, but for the shifts.
#[derive(Clone, Copy)]
struct Finish {
    fraction: i32,
    rounding: Rounding,
    overflow: Overflow,
    low: i32,
    high: i32,
}

impl Planner<'_> {
    /// The longest chain that starts at a layer, and the layers that it holds.
    fn chain(&self, first: usize) -> Option<(Chain, Vec<usize>)> {
        let window = match self.linear(first)?.taps {
            Taps::Dense => None,
            Taps::Window(geometry) => Some(geometry),
            Taps::Depthwise(_) => return None,
        };
        let (mut stages, mut layers): (Vec<Stage>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(at) = next.take() {
            let Some((stage, covered)) = self.stage(at, stages.last()) else {
                break;
            };
            if IntegerChain::new(&[stage.codes()]).is_err() {
                break;
            }
            layers.extend(covered);
            if stage.requantize.is_some() {
                let reader = layers.last().and_then(|last| self.reader(*last));
                let dense = |at: &usize| {
                    self.linear(*at)
                        .is_some_and(|l| l.taps == Taps::Dense && l.inputs == stage.outputs)
                };
                next = reader.filter(dense);
            }
            stages.push(stage);
        }
        let codes: Vec<DenseCodes<'_>> = stages.iter().map(Stage::codes).collect();
        let chain = Chain {
            first,
            last: *layers.last()?,
            window,
            kernels: self.kernels,
            codes: IntegerChain::new(&codes).ok()?,
        };
        Some((chain, layers))
    }

    fn linear(&self, index: usize) -> Option<&Linear> {
        match &self.program.layers[index].operation {
            IntegerOperation::Linear(linear) => Some(linear),
            _ => None,
        }
    }

    /// The only layer that reads a layer's values, which may join its step.
    fn reader(&self, index: usize) -> Option<usize> {
        match self.readers[index][..] {
            [reader] if !self.each => Some(reader),
            _ => None,
        }
    }

    fn source(&self, index: usize) -> &TensorFormat {
        match self.program.layers[index].sources[0] {
            Source::Input => &self.program.input,
            Source::Layer(at) => &self.program.layers[at].output,
        }
    }

    /// What an activation layer does with sums, if the kernels can.
    fn finish(rule: &ActivationRule) -> Option<Finish> {
        let ActivationRule::Uniform {
            fraction,
            range,
            modes,
        } = rule
        else {
            return None;
        };
        let (rounding, overflow) = kernel_modes(*modes)?;
        Some(Finish {
            fraction: *fraction,
            rounding,
            overflow,
            low: i32::try_from(range.lo).ok()?,
            high: i32::try_from(range.hi).ok()?,
        })
    }

    /// The stage that starts at layer `first`, and the layers that it holds.
    fn stage(&self, first: usize, above: Option<&Stage>) -> Option<(Stage, Vec<usize>)> {
        let linear = self.linear(first)?;
        let input_range = match above.and_then(|above| above.requantize.as_ref()) {
            Some((_, finish)) => (finish.low, finish.high),
            None => input_range(linear, self.source(first))?,
        };
        let mut stage = Stage::of(linear, input_range)?;
        let (mut last, mut layers) = (first, vec![first]);
        while let Some(reader) = self.reader(last) {
            let format = &self.program.layers[last].output;
            if format.channels() != stage.outputs {
                break;
            }
            let taken = match &self.program.layers[reader].operation {
                IntegerOperation::Reshape => true,
                _ if stage.requantize.is_some() => false,
                IntegerOperation::Affine {
                    multiplier,
                    product_shift,
                    offset,
                } => stage.scale(multiplier, product_shift, offset).is_some(),
                IntegerOperation::Activation(rule) => Self::finish(rule)
                    .is_some_and(|finish| stage.requantize(format, finish).is_some()),
                _ => false,
            };
            if !taken {
                break;
            }
            last = reader;
            layers.push(reader);
        }
        Some((stage, layers))
    }
}

/// The kernels' modes for those of `ap_fixed`, but for wraps that keep some bits.
fn kernel_modes(modes: Modes) -> Option<(Rounding, Overflow)> {
    let rounding = match modes.rounding {
        FixedRounding::Trn => Rounding::Floor,
        FixedRounding::TrnZero => Rounding::TowardZero,
        FixedRounding::Rnd => Rounding::HalfUp,
        FixedRounding::RndZero => Rounding::HalfTowardZero,
        FixedRounding::RndMinInf => Rounding::HalfDown,
        FixedRounding::RndInf => Rounding::HalfAwayFromZero,
        FixedRounding::RndConv => Rounding::HalfEven,
    };
    let overflow = match modes.overflow {
        FixedOverflow::Sat | FixedOverflow::SatSym => Overflow::Saturate,
        FixedOverflow::SatZero => Overflow::Zero,
        FixedOverflow::Wrap if modes.saturated_bits == 0 => Overflow::Wrap,
        FixedOverflow::Wrap | FixedOverflow::WrapSm => return None,
    };
    Some((rounding, overflow))
}

/// Range of the codes that a layer's weights meet.
fn input_range(linear: &Linear, source: &TensorFormat) -> Option<(i32, i32)> {
    let mut range = source.hull();
    if let Taps::Window(geometry) = linear.taps
        && geometry.reads_border()
    {
        range = range.hull(Interval::point(0));
    }
    Some((i32::try_from(range.lo).ok()?, i32::try_from(range.hi).ok()?))
}

/// `(value * factor) << shift`, if it fits.
fn scaled(value: i64, factor: i64, shift: u32) -> Option<i32> {
    let product = value.checked_mul(factor)?;
    if product == 0 {
        return Some(0);
    }
    let scale = 1i64.checked_shl(shift).filter(|scale| *scale > 0)?;
    i32::try_from(product.checked_mul(scale)?).ok()
}

impl Stage {
    fn of(linear: &Linear, input_range: (i32, i32)) -> Option<Self> {
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let weight = |(at, code): (usize, &i64)| {
            let (i, j) = (at / outputs % inputs, at % outputs);
            let shift = linear.input_shift[i] + linear.product_shift[j];
            scaled(*code, linear.multiplier[j], shift)
        };
        let weights: Option<Vec<i32>> = linear.kernel.iter().enumerate().map(weight).collect();
        let bias: Option<Vec<i32>> = linear.bias.iter().map(|b| scaled(*b, 1, 0)).collect();
        Some(Self {
            inputs: linear.kernel.len() / outputs,
            outputs,
            input_range,
            weights: weights?,
            bias: bias?,
            requantize: None,
        })
    }

    /// Multiplies each output and adds to it; `None`, and nothing changed, where that does not fit.
    fn scale(&mut self, multiplier: &[i64], shift: &[u32], offset: &[i64]) -> Option<()> {
        let outputs = self.outputs;
        let weight = |(at, w): (usize, &i32)| {
            let j = at % outputs;
            scaled(i64::from(*w), multiplier[j], shift[j])
        };
        let bias = |(j, b): (usize, &i32)| {
            let product = scaled(i64::from(*b), multiplier[j], shift[j])?;
            i32::try_from(i64::from(product) + offset[j]).ok()
        };
        let weights: Option<Vec<i32>> = self.weights.iter().enumerate().map(weight).collect();
        let bias: Option<Vec<i32>> = self.bias.iter().enumerate().map(bias).collect();
        (self.weights, self.bias) = (weights?, bias?);
        Some(())
    }

    /// Ends with an activation over sums of format `from`; `None`, and nothing changed, where that
    /// does not fit.
    fn requantize(&mut self, from: &TensorFormat, finish: Finish) -> Option<()> {
        let down = |(j, own): (usize, &i32)| match own - finish.fraction {
            // Always zero: nothing to shift.
            _ if from.range[j] == Interval::point(0) => Some((0, 0)),
            down @ 0..=30 => Some((down.unsigned_abs(), 0)),
            up @ ..0 => Some((0, up.unsigned_abs())),
            _ => None,
        };
        let shifts: Option<Vec<(u32, u32)>> = from.fraction.iter().enumerate().map(down).collect();
        let shifts = shifts?;
        let left: Vec<u32> = shifts.iter().map(|(_, left)| *left).collect();
        self.scale(&vec![1; self.outputs], &left, &vec![0; self.outputs])?;
        let right = shifts.into_iter().map(|(right, _)| right).collect();
        self.requantize = Some((right, finish));
        Some(())
    }

    fn codes(&self) -> DenseCodes<'_> {
        let requantize = self.requantize.as_ref();
        DenseCodes {
            inputs: self.inputs,
            outputs: self.outputs,
            input_range: self.input_range,
            weights: &self.weights,
            bias: &self.bias,
            requantize: requantize.map(|(shifts, finish)| Requantize {
                shifts,
                rounding: finish.rounding,
                overflow: finish.overflow,
                low: finish.low,
                high: finish.high,
            }),
        }
    }
}
