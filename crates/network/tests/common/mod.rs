//! Random candidates, weights and rows from a seed, shared by the tests of this crate.

use bitfront_network::{Activation, Candidate, Layer, LayerWeights, Weights};
use bitfront_quantizer::{Quantizer, Role};

/// A small counter-based generator (splitmix64): the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Roughly normal, with a spread that differs from call to call.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.unit() - 0.5).sum::<f32>() * 1.4
    }
}

/// A family's name in counts.
pub(crate) fn family(q: &Quantizer) -> String {
    let text = q.to_string();
    text.split('(').next().unwrap_or(&text).to_owned()
}

fn alpha(random: &mut Random, role: Role) -> String {
    let constants = [
        "",
        ",alpha=1.0",
        ",alpha=0.5",
        ",alpha=4.0",
        ",alpha=0.0625",
    ];
    if matches!(role, Role::Kernel | Role::Bias) && random.chance(40) {
        ",alpha='auto_po2'".into()
    } else {
        random.pick(&constants).into()
    }
}

/// A quantizer of a random family that is exact in `role`.
pub(crate) fn quantizer(random: &mut Random, role: Role) -> Quantizer {
    loop {
        let bits = 1 + random.below(16);
        let integer = random.below(9) as i32 - 3;
        let text = match random.below(9) {
            0 | 1 => {
                let symmetric = random.pick(&["", ",symmetric=1"]);
                let negative = random.pick(&["", "", ",keep_negative=0"]);
                let a = alpha(random, role);
                format!("quantized_bits({bits},{integer}{symmetric}{negative}{a})")
            }
            2 => format!("quantized_relu({bits},{integer})"),
            3 => match random.below(4) {
                0 => format!("quantized_relu({bits},{integer},use_sigmoid=1)"),
                1 => format!(
                    "quantized_relu({bits},{integer},relu_upper_bound={},is_quantized_clip=False)",
                    random.pick(&["0.5", "1.5", "3.0"])
                ),
                _ => format!(
                    "quantized_relu({bits},{integer},negative_slope={})",
                    random.pick(&["0.5", "0.25", "0.125", "1.0"])
                ),
            },
            4 => format!(
                "binary(use_01={}{})",
                random.pick(&["True", "False"]),
                alpha(random, role)
            ),
            5 => format!(
                "stochastic_binary({})",
                alpha(random, role).trim_start_matches(',')
            ),
            6 => {
                let a = alpha(random, role);
                let t = if a.contains("auto") {
                    ""
                } else {
                    random.pick(&["", ",threshold=0.7"])
                };
                format!("ternary({})", format!("{a}{t}").trim_start_matches(','))
            }
            7 => format!(
                "quantized_po2({},max_value={}{})",
                2 + random.below(5),
                random.pick(&["1", "2", "4", "0.5", "3.0"]),
                random.pick(&["", "", ",quadratic_approximation=True"])
            ),
            _ => format!(
                "quantized_relu_po2({},max_value={}{}{})",
                1 + random.below(5),
                random.pick(&["1", "2", "4", "0.5", "3.0"]),
                random.pick(&["", ",negative_slope=0.25"]),
                random.pick(&["", "", ",quadratic_approximation=True"])
            ),
        };
        if let Ok(q) = text.parse::<Quantizer>()
            && q.check_exact(role).is_ok()
        {
            return q;
        }
    }
}

/// A random candidate: 1 to 4 layers of odd shapes, every quantizer of its own family.
pub(crate) fn candidate(random: &mut Random) -> Candidate {
    let depth = 1 + random.below(4);
    let shape = |random: &mut Random| 1 + random.below(17);
    Candidate {
        inputs: shape(random),
        input_quantizer: quantizer(random, Role::Input),
        layers: (0..depth)
            .map(|index| Layer {
                name: format!("fc{index}"),
                units: shape(random),
                kernel: quantizer(random, Role::Kernel),
                bias: quantizer(random, Role::Bias),
                activation: (index + 1 < depth).then(|| Activation {
                    name: format!("act{index}"),
                    quantizer: quantizer(random, Role::Activation),
                }),
            })
            .collect(),
    }
}

/// Weights of a spread between 2^-6 and 2^4, some columns and biases all zero, some huge.
pub(crate) fn weights(random: &mut Random, candidate: &Candidate) -> Weights {
    let layers = (0..candidate.layers.len()).map(|index| {
        let (inputs, units) = candidate.layer_shape(index);
        let spread = 2f32.powi(random.below(11) as i32 - 6);
        let zero: Vec<bool> = (0..units).map(|_| random.chance(5)).collect();
        let kernel = (0..inputs * units)
            .map(|i| {
                if zero[i % units] {
                    0.0
                } else {
                    spread * random.normal()
                }
            })
            .collect();
        let zero = random.chance(10);
        let bias = (0..units)
            .map(|_| if zero { 0.0 } else { spread * random.normal() })
            .collect();
        LayerWeights { kernel, bias }
    });
    Weights {
        layers: layers.collect(),
    }
}

/// Standardised rows with zeros, halves and outliers among them.
pub(crate) fn rows(random: &mut Random, candidate: &Candidate, count: usize) -> Vec<f32> {
    let value = |random: &mut Random| match random.below(12) {
        0 => 0.0,
        1 => -0.0,
        2 => (random.below(65) as f32 - 32.0) / 8.0,
        3 => 1e9 * random.normal(),
        4 => 1e-7 * random.normal(),
        _ => 2.0 * random.normal(),
    };
    (0..count * candidate.inputs)
        .map(|_| value(random))
        .collect()
}
