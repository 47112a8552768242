//! Random integer programs, their reference inference, and running outside tools on a folder.

#![allow(dead_code, reason = "each test and example uses a part of this")]

use bitfront_network::{
    ActivationRule, Candidate, IntegerLayer, IntegerProgram, Interval, Layer, TensorFormat,
};

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
    let layers = spec.widths[1..]
        .iter()
        .enumerate()
        .map(|(index, &units)| Layer {
            name: format!("fc{}", index + 1),
            units,
            kernel: quantizer(kernel.clone()),
            bias: quantizer("quantized_bits(6,0,alpha=1.0)".to_owned()),
            activation: (index + 2 < spec.widths.len()).then(|| bitfront_network::Activation {
                name: format!("relu{}", index + 1),
                quantizer: quantizer(format!("quantized_relu({},2)", spec.activation_bits)),
            }),
        })
        .collect();
    Candidate {
        inputs: spec.widths[0],
        input_quantizer: quantizer(format!("quantized_bits({},2,alpha=1.0)", spec.input_bits)),
        layers,
    }
}

/// A random program: weights uniform over their codes, activations scaled so that they vary.
pub(crate) fn program(spec: &Spec) -> IntegerProgram {
    let mut random = Random(spec.seed);
    let input = TensorFormat {
        fraction: spec.input_bits as i32 - 3,
        range: signed(spec.input_bits),
    };
    let mut format = input;
    let mut layers = Vec::new();
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
        let fraction = format.fraction + spec.weight_bits as i32 - 1;
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
                    let ends = [weight * format.range.lo, weight * format.range.hi];
                    range.lo += ends[0].min(ends[1]);
                    range.hi += ends[0].max(ends[1]);
                }
                range
            })
            .collect();
        let widest = result_range.iter().map(|r| r.width()).max().unwrap_or(1);
        let (activation, output) = if index == last {
            (
                None,
                TensorFormat {
                    fraction,
                    range: Interval {
                        lo: result_range.iter().map(|r| r.lo).min().unwrap_or(0),
                        hi: result_range.iter().map(|r| r.hi).max().unwrap_or(0),
                    },
                },
            )
        } else {
            activation(spec, &mut random, fraction, widest, &result_range)
        };
        layers.push(IntegerLayer {
            name: format!("fc{}", index + 1),
            inputs,
            outputs,
            input: format,
            kernel,
            bias,
            product_shift,
            bias_shift,
            accumulator_fraction,
            accumulator_range: result_range.clone(),
            result_range,
            activation,
            output,
        });
        format = output;
    }
    IntegerProgram {
        candidate: candidate(spec),
        input,
        layers,
    }
}

fn activation(
    spec: &Spec,
    random: &mut Random,
    fraction: i32,
    widest: u32,
    results: &[Interval],
) -> (Option<ActivationRule>, TensorFormat) {
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
    let format = TensorFormat {
        fraction: fraction - drop,
        range,
    };
    if spec.rule != Rule::Steps {
        return (Some(ActivationRule::Uniform), format);
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
    (Some(ActivationRule::Steps { thresholds, codes }), format)
}

/// Integer inference as the type's own documentation says it, without a circuit.
pub(crate) fn logits(program: &IntegerProgram, row: &[i64]) -> Vec<i64> {
    let mut values = row.to_vec();
    for layer in &program.layers {
        values = (0..layer.outputs)
            .map(|j| {
                let sum: i64 = (0..layer.inputs)
                    .map(|i| values[i] * layer.kernel[i * layer.outputs + j])
                    .sum();
                let accumulator =
                    (sum << layer.product_shift[j]) + (layer.bias[j] << layer.bias_shift[j]);
                assert!(accumulator >= layer.result_range[j].lo);
                assert!(accumulator <= layer.result_range[j].hi);
                match &layer.activation {
                    None => accumulator << (layer.output.fraction - layer.accumulator_fraction[j]),
                    Some(ActivationRule::Uniform) => {
                        let exponent = layer.output.fraction - layer.accumulator_fraction[j];
                        let real = accumulator as f64 * f64::from(exponent).exp2();
                        (real.round_ties_even() as i64)
                            .clamp(layer.output.range.lo, layer.output.range.hi)
                    }
                    Some(ActivationRule::Steps { thresholds, codes }) => {
                        let passed = thresholds[j].iter().filter(|&&t| t <= accumulator).count();
                        codes[j][passed]
                    }
                }
            })
            .collect();
    }
    values
}

/// Rows over the whole input box: all least, all greatest, one greatest among zeros, then random.
pub(crate) fn rows(program: &IntegerProgram, count: usize, seed: u64) -> Vec<i64> {
    let mut random = Random(seed);
    let Interval { lo, hi } = program.input.range;
    let columns = program.candidate.inputs;
    let mut rows = vec![lo; columns];
    rows.extend(vec![hi; columns]);
    for hot in 0..columns {
        rows.extend((0..columns).map(|i| if i == hot { hi } else { 0 }));
    }
    while rows.len() < count * columns {
        rows.push(random.within(lo, hi));
    }
    rows
}
