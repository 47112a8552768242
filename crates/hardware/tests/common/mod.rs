//! Random integer programs, their reference inference, and running outside tools on a folder.

#![allow(dead_code, reason = "each test and example uses a part of this")]

pub(crate) mod graphs;
pub(crate) mod skipped;

use bitfront_network::{
    ActivationRule, Candidate, DenseStack, Geometry, IntegerLayer, IntegerOperation,
    IntegerProgram, Interval, Linear, Source, StackLayer, Taps, TensorFormat,
};
use bitfront_quantizer::Modes;

/// Rounding modes of `ap_fixed`.
pub(crate) const ROUNDING: [&str; 7] = [
    "AP_TRN",
    "AP_TRN_ZERO",
    "AP_RND",
    "AP_RND_ZERO",
    "AP_RND_MIN_INF",
    "AP_RND_INF",
    "AP_RND_CONV",
];

/// `SplitMix64`: small, seeded, good enough for vectors.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `lo..=hi`.
    pub(crate) fn within(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() % (hi - lo + 1) as u64) as i64
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What activation stands behind the hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `quantized_relu(bits)`.
    Relu,
    /// `quantized_bits(bits)`.
    Signed,
    /// `quantized_bits(bits, symmetric)`: no power-of-two bound at the bottom.
    Symmetric,
    /// A random step function.
    Steps,
}

/// A recipe for a random program.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) widths: Vec<usize>,
    pub(crate) input_bits: u32,
    pub(crate) weight_bits: u32,
    pub(crate) activation_bits: u32,
    /// Percent of weights that are zero.
    pub(crate) zeros: u64,
    /// No negative weights.
    pub(crate) positive: bool,
    /// Per-output scales and odd fractions.
    pub(crate) ragged: bool,
    pub(crate) rule: Rule,
    pub(crate) seed: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            widths: vec![4, 3, 2],
            input_bits: 6,
            weight_bits: 4,
            activation_bits: 4,
            zeros: 0,
            positive: false,
            ragged: false,
            rule: Rule::Relu,
            seed: 1,
        }
    }
}

fn signed(bits: u32) -> Interval {
    Interval {
        lo: -(1 << (bits - 1)),
        hi: (1 << (bits - 1)) - 1,
    }
}

pub(crate) fn candidate(spec: &Spec) -> Candidate {
    let quantizer = |text: String| text.parse().expect("a quantizer");
    let kernel = format!("quantized_bits({},0,alpha=1.0)", spec.weight_bits);
    let layers = spec
        .widths
        .windows(2)
        .enumerate()
        .map(|(index, pair)| StackLayer {
            name: format!("fc{}", index + 1),
            inputs: pair[0],
            units: pair[1],
            kernel: quantizer(kernel.clone()),
            bias: quantizer("quantized_bits(6,0,alpha=1.0)".to_owned()),
            activation: (index + 2 < spec.widths.len()).then(|| {
                (
                    format!("relu{}", index + 1),
                    quantizer(format!("quantized_relu({},2)", spec.activation_bits)),
                )
            }),
        })
        .collect();
    DenseStack {
        inputs: spec.widths[0],
        input_quantizer: quantizer(format!("quantized_bits({},2,alpha=1.0)", spec.input_bits)),
        layers,
        positions: Vec::new(),
    }
    .candidate()
}

/// A random program: weights uniform over their codes, activations scaled so that they vary.
pub(crate) fn program(spec: &Spec) -> IntegerProgram {
    let mut random = Random(spec.seed);
    let input = uniform(
        spec.widths[0],
        spec.input_bits as i32 - 3,
        signed(spec.input_bits),
    );
    let mut format = input.clone();
    let mut layers: Vec<IntegerLayer> = Vec::new();
    let last = spec.widths.len() - 2;
    for (index, pair) in spec.widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        let weights = signed(spec.weight_bits);
        let kernel: Vec<i64> = (0..inputs * outputs)
            .map(|_| {
                let weight = random.within(weights.lo, weights.hi);
                let weight = if spec.positive { weight.abs() } else { weight };
                if random.chance(spec.zeros) { 0 } else { weight }
            })
            .collect();
        let bias: Vec<i64> = (0..outputs).map(|_| random.within(-31, 31)).collect();
        let mut shift = |max| {
            if spec.ragged {
                random.within(0, max) as u32
            } else {
                0
            }
        };
        let product_shift: Vec<u32> = (0..outputs).map(|_| shift(2)).collect();
        let bias_shift: Vec<u32> = (0..outputs).map(|_| shift(3)).collect();
        let fraction = format.fraction[0] + spec.weight_bits as i32 - 1;
        let accumulator_fraction: Vec<i32> = product_shift
            .iter()
            .map(|&shift| fraction + if index == last { 0 } else { shift as i32 })
            .collect();
        let result_range: Vec<Interval> = (0..outputs)
            .map(|j| {
                let mut range = Interval {
                    lo: bias[j] << bias_shift[j],
                    hi: bias[j] << bias_shift[j],
                };
                for i in 0..inputs {
                    let weight = kernel[i * outputs + j] << product_shift[j];
                    let ends = [weight * format.range[i].lo, weight * format.range[i].hi];
                    range.lo += ends[0].min(ends[1]);
                    range.hi += ends[0].max(ends[1]);
                }
                range
            })
            .collect();
        let widest = result_range.iter().map(|r| r.width()).max().unwrap_or(1);
        let source = match layers.len() {
            0 => Source::Input,
            above => Source::Layer(above - 1),
        };
        layers.push(IntegerLayer {
            name: format!("fc{}", index + 1),
            sources: vec![source],
            operation: IntegerOperation::Linear(Linear {
                taps: Taps::Dense,
                inputs,
                outputs,
                input_shift: vec![0; inputs],
                kernel,
                multiplier: vec![1; outputs],
                product_shift,
                bias: bias.iter().zip(&bias_shift).map(|(b, s)| b << s).collect(),
                accumulator_range: result_range.clone(),
            }),
            output: TensorFormat {
                shape: vec![outputs],
                fraction: accumulator_fraction,
                range: result_range.clone(),
            },
        });
        if index == last {
            format.fraction = vec![fraction];
            break;
        }
        let (rule, output) = activation(spec, &mut random, fraction, widest, &result_range);
        format = output;
        layers.push(IntegerLayer {
            name: format!("relu{}", index + 1),
            sources: vec![Source::Layer(layers.len() - 1)],
            operation: IntegerOperation::Activation(rule),
            output: format.clone(),
        });
    }
    IntegerProgram {
        candidate: candidate(spec),
        input,
        layers,
        output_fraction: format.fraction[0],
    }
}

/// A vector whose elements have one format.
fn uniform(size: usize, fraction: i32, range: Interval) -> TensorFormat {
    TensorFormat {
        shape: vec![size],
        fraction: vec![fraction; size],
        range: vec![range; size],
    }
}

fn activation(
    spec: &Spec,
    random: &mut Random,
    fraction: i32,
    widest: u32,
    results: &[Interval],
) -> (ActivationRule, TensorFormat) {
    let bits = spec.activation_bits;
    let range = match spec.rule {
        Rule::Relu => Interval {
            lo: 0,
            hi: (1 << bits) - 1,
        },
        Rule::Signed | Rule::Steps => signed(bits),
        Rule::Symmetric => Interval {
            lo: -signed(bits).hi,
            ..signed(bits)
        },
    };
    // Keep the bits just below the top ones, so that saturation occurs but is not the rule.
    let drop = widest as i32 - 3 - bits as i32;
    let fraction = fraction - drop;
    let format = uniform(results.len(), fraction, range);
    if spec.rule != Rule::Steps {
        let modes = Modes::NEAREST_EVEN;
        let rule = ActivationRule::Uniform {
            fraction,
            range,
            modes,
        };
        return (rule, format);
    }
    let mut thresholds = Vec::new();
    let mut codes = Vec::new();
    for result in results {
        let count = random.within(1, 9);
        let reach = (result.hi - result.lo) / 4 + 2;
        let mut row: Vec<i64> = (0..count).map(|_| random.within(-reach, reach)).collect();
        row.sort_unstable();
        row.dedup();
        let mut steps: Vec<i64> = (0..=row.len())
            .map(|_| random.within(range.lo, range.hi))
            .collect();
        steps.sort_unstable();
        thresholds.push(row);
        codes.push(steps);
    }
    (ActivationRule::Steps { thresholds, codes }, format)
}

/// Integer inference as the type's own documentation says it, without a circuit.
pub(crate) fn logits(program: &IntegerProgram, row: &[i64]) -> Vec<i64> {
    let mut values: Vec<Vec<i64>> = Vec::new();
    for layer in &program.layers {
        let read = |source: &Source| match source {
            Source::Input => (row, &program.input),
            Source::Layer(index) => (values[*index].as_slice(), &program.layers[*index].output),
        };
        let sources: Vec<(&[i64], &TensorFormat)> = layer.sources.iter().map(read).collect();
        values.push(layer_codes(layer, &sources));
    }
    let codes = values.pop().unwrap_or_default();
    let fraction = &program.layers[program.layers.len() - 1].output.fraction;
    let shifted =
        |(j, code): (usize, i64)| code << (program.output_fraction - fraction[j % fraction.len()]);
    codes.into_iter().enumerate().map(shifted).collect()
}

fn layer_codes(layer: &IntegerLayer, sources: &[(&[i64], &TensorFormat)]) -> Vec<i64> {
    let (x, format) = sources[0];
    let channels = format.fraction.len();
    let position = |geometry: &Geometry, at: usize| -> Vec<usize> {
        (0..geometry.taps())
            .filter_map(|tap| geometry.source(at, tap))
            .collect()
    };
    match &layer.operation {
        IntegerOperation::Linear(linear) => linear_codes(linear, x),
        IntegerOperation::Separable {
            depthwise,
            pointwise,
            ..
        } => linear_codes(pointwise, &linear_codes(depthwise, x)),
        IntegerOperation::MaxPool(geometry) => (0..geometry.positions() * channels)
            .map(|at| {
                let under = position(geometry, at / channels).into_iter();
                under
                    .map(|from| x[from * channels + at % channels])
                    .max()
                    .unwrap()
            })
            .collect(),
        IntegerOperation::Mean {
            geometry,
            reciprocal,
        } => (0..geometry.positions() * channels)
            .map(|at| {
                let under = position(geometry, at / channels);
                let sum: i64 = under
                    .iter()
                    .map(|from| x[from * channels + at % channels])
                    .sum();
                sum * reciprocal[under.len()]
            })
            .collect(),
        IntegerOperation::Reshape => x.to_vec(),
        IntegerOperation::ZeroPadding { border } => {
            let axes = &format.shape[..format.shape.len() - 1];
            let out = &layer.output.shape;
            let size: usize = out.iter().product();
            (0..size)
                .map(|element| {
                    // Coordinates of the element, last axis first.
                    let mut rest = element / channels;
                    let mut from = 0;
                    let mut scale = 1;
                    for axis in (0..axes.len()).rev() {
                        let at = rest % out[axis];
                        rest /= out[axis];
                        let [before, _] = border[axis];
                        if at < before || at >= before + axes[axis] {
                            return 0;
                        }
                        from += (at - before) * scale;
                        scale *= axes[axis];
                    }
                    x[from * channels + element % channels]
                })
                .collect()
        }
        IntegerOperation::Affine {
            multiplier,
            product_shift,
            offset,
        } => x
            .iter()
            .enumerate()
            .map(|(at, x)| {
                let c = at % channels;
                ((x * multiplier[c]) << product_shift[c]) + offset[c]
            })
            .collect(),
        IntegerOperation::Add { shift } => (0..x.len())
            .map(|at| {
                let terms = sources.iter().zip(shift);
                terms
                    .map(|((x, _), shift)| x[at] << shift[at % channels])
                    .sum()
            })
            .collect(),
        IntegerOperation::Concatenate => {
            let positions = x.len() / channels;
            let mut joined = Vec::new();
            for at in 0..positions {
                for (x, format) in sources {
                    let channels = format.fraction.len();
                    joined.extend_from_slice(&x[at * channels..(at + 1) * channels]);
                }
            }
            joined
        }
        IntegerOperation::Activation(rule) => x
            .iter()
            .enumerate()
            .map(|(at, &accumulator)| (at % channels, at % channels, rule, accumulator))
            .map(|(channel, c, rule, accumulator)| match rule {
                ActivationRule::Channels(rules) => (channel, 0, &rules[c], accumulator),
                _ => (channel, c, rule, accumulator),
            })
            .map(|(channel, c, rule, accumulator)| match rule {
                ActivationRule::Uniform {
                    fraction,
                    range,
                    modes,
                } => {
                    let exponent = fraction - format.fraction[channel];
                    let real = accumulator as f64 * f64::from(exponent).exp2();
                    if *modes == Modes::NEAREST_EVEN {
                        (real.round_ties_even() as i64).clamp(range.lo, range.hi)
                    } else {
                        modes.code(accumulator.into(), exponent, (range.lo, range.hi))
                    }
                }
                ActivationRule::Steps { thresholds, codes } => {
                    let passed = thresholds[c].iter().filter(|&&t| t <= accumulator).count();
                    codes[c][passed]
                }
                ActivationRule::Channels(_) => unreachable!("a channel has one rule"),
                ActivationRule::Function(quantizer) => panic!("{quantizer} is a function"),
            })
            .collect(),
    }
}

fn linear_codes(linear: &Linear, x: &[i64]) -> Vec<i64> {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    // Positions of the output, and what each tap reads there.
    let (positions, taps) = match &linear.taps {
        Taps::Dense => (x.len() / inputs, 1),
        Taps::Window(geometry) | Taps::Depthwise(geometry) => {
            (geometry.positions(), geometry.taps())
        }
    };
    let source = |position: usize, tap: usize| match &linear.taps {
        Taps::Dense => Some(position),
        Taps::Window(geometry) | Taps::Depthwise(geometry) => geometry.source(position, tap),
    };
    let mut sums = Vec::with_capacity(positions * outputs);
    for position in 0..positions {
        for j in 0..outputs {
            let mut sum = 0;
            for tap in 0..taps {
                let Some(from) = source(position, tap) else {
                    continue;
                };
                for i in 0..inputs {
                    let code = x[from * inputs + i] << linear.input_shift[i];
                    sum += code
                        * match &linear.taps {
                            Taps::Depthwise(_) => {
                                let multiplier = outputs / inputs;
                                if j / multiplier != i {
                                    continue;
                                }
                                linear.kernel[(tap * inputs + i) * multiplier + j % multiplier]
                            }
                            _ => linear.kernel[(tap * inputs + i) * outputs + j],
                        };
                }
            }
            let sum = ((sum * linear.multiplier[j]) << linear.product_shift[j]) + linear.bias[j];
            assert!(sum >= linear.accumulator_range[j].lo);
            assert!(sum <= linear.accumulator_range[j].hi);
            sums.push(sum);
        }
    }
    sums
}

/// Rows over the whole input box: all least, all greatest, one greatest among zeros, then random.
pub(crate) fn rows(program: &IntegerProgram, count: usize, seed: u64) -> Vec<i64> {
    let mut random = Random(seed);
    let range = |element: usize| program.input.range[element % program.input.range.len()];
    let columns = program.candidate.inputs();
    let mut rows: Vec<i64> = (0..columns).map(|i| range(i).lo).collect();
    rows.extend((0..columns).map(|i| range(i).hi));
    for hot in 0..columns.min(count) {
        rows.extend((0..columns).map(|i| if i == hot { range(i).hi } else { 0 }));
    }
    while rows.len() < count * columns {
        let Interval { lo, hi } = range(rows.len() % columns);
        rows.push(random.within(lo, hi));
    }
    rows
}
