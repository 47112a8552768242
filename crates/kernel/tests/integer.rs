//! Integer chains give, on every level, the integers of a plain loop in wide arithmetic.

use bitfront_kernel::{
    DenseCodes, IntegerChain, IntegerFault, Kernels, Level, Overflow, Requantize, Rounding,
};
use proptest::prelude::*;

fn levels() -> impl Iterator<Item = Kernels> {
    Level::ALL.into_iter().filter_map(Kernels::at)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn within(&mut self, low: i64, high: i64) -> i64 {
        let size = (high - low + 1) as u64;
        low + ((self.next() >> 11) % size) as i64
    }

    /// One in `n`.
    fn chance(&mut self, n: u64) -> bool {
        (self.next() >> 20).is_multiple_of(n)
    }
}

/// A layer that owns its numbers.
#[derive(Debug, Clone)]
struct Layer {
    inputs: usize,
    outputs: usize,
    input_range: (i32, i32),
    weights: Vec<i32>,
    bias: Vec<i32>,
    shifts: Vec<u32>,
    rounding: Rounding,
    overflow: Overflow,
    range: (i32, i32),
    finishes: bool,
}

impl Layer {
    fn codes(&self) -> DenseCodes<'_> {
        DenseCodes {
            inputs: self.inputs,
            outputs: self.outputs,
            input_range: self.input_range,
            weights: &self.weights,
            bias: &self.bias,
            requantize: self.finishes.then_some(Requantize {
                shifts: &self.shifts,
                rounding: self.rounding,
                overflow: self.overflow,
                low: self.range.0,
                high: self.range.1,
            }),
        }
    }

    fn weight(&self, i: usize, j: usize) -> i64 {
        i64::from(self.weights[i * self.outputs + j])
    }

    /// The plain loop.
    fn apply(&self, x: &[i64]) -> Vec<i64> {
        let sum = |j: usize| {
            let products: i64 = (0..self.inputs).map(|i| x[i] * self.weight(i, j)).sum();
            products + i64::from(self.bias[j])
        };
        (0..self.outputs)
            .map(|j| {
                if self.finishes {
                    self.limit(rounded(sum(j), self.shifts[j], self.rounding))
                } else {
                    sum(j)
                }
            })
            .collect()
    }

    fn limit(&self, v: i64) -> i64 {
        let (low, high) = (i64::from(self.range.0), i64::from(self.range.1));
        match self.overflow {
            Overflow::Saturate => v.clamp(low, high),
            Overflow::Zero if (low..=high).contains(&v) => v,
            Overflow::Zero => 0,
            Overflow::Wrap => low + (v - low).rem_euclid(high - low + 1),
        }
    }
}

/// `v / 2^shift` by the words of [`Rounding`].
fn rounded(v: i64, shift: u32, rounding: Rounding) -> i64 {
    let unit = 1i64 << shift;
    let (below, rest) = (v.div_euclid(unit), v.rem_euclid(unit));
    let above = below + i64::from(rest > 0);
    let (nearer_zero, farther) = if v < 0 {
        (above, below)
    } else {
        (below, above)
    };
    let nearest = |on_tie| match (2 * rest).cmp(&unit) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Equal => on_tie,
        std::cmp::Ordering::Greater => above,
    };
    match rounding {
        Rounding::Floor => below,
        Rounding::TowardZero => nearer_zero,
        Rounding::HalfEven => nearest(if below % 2 == 0 { below } else { above }),
        Rounding::HalfUp => nearest(above),
        Rounding::HalfDown => nearest(below),
        Rounding::HalfTowardZero => nearest(nearer_zero),
        Rounding::HalfAwayFromZero => nearest(farther),
    }
}

/// A range of `2^bits` codes somewhere near zero.
fn range(random: &mut Random, bits: u32) -> (i32, i32) {
    let size = 1i64 << bits;
    let low = match random.within(0, 4) {
        0 | 1 => 0,
        2 | 3 => -size / 2,
        _ => -random.within(0, size - 1),
    };
    (low as i32, (low + size - 1) as i32)
}

/// A layer whose sums fit, often just so.
fn layer(
    random: &mut Random,
    shape: (usize, usize),
    input_range: (i32, i32),
    finishes: bool,
) -> Layer {
    let (inputs, outputs) = shape;
    let (low, high) = (i64::from(input_range.0), i64::from(input_range.1));
    let widest = low.abs().max(high.abs()).max(1);
    let most = ((1i64 << 30) / (widest * inputs as i64)).clamp(1, 32_767);
    // Byte codes are as likely as words.
    let most = if random.chance(2) {
        most.min(127)
    } else {
        most
    };
    let most = 1.max(most >> random.within(0, 7));
    let mut weights: Vec<i32> = (0..inputs * outputs)
        .map(|_| random.within(-most - 1, most) as i32)
        .collect();
    if random.chance(4) {
        for w in &mut weights {
            *w = if random.chance(2) {
                -most as i32 - 1
            } else {
                most as i32
            };
        }
    }
    let shifts: Vec<u32> = (0..outputs).map(|_| random.within(0, 12) as u32).collect();
    let shifts = if random.chance(8) {
        vec![30; outputs]
    } else {
        shifts
    };
    let mut layer = Layer {
        inputs,
        outputs,
        input_range,
        weights,
        bias: vec![0; outputs],
        shifts,
        rounding: Rounding::ALL[random.within(0, 6) as usize],
        overflow: Overflow::ALL[random.within(0, 2) as usize],
        range: (0, 0),
        finishes,
    };
    for j in 0..outputs {
        let ends = |f: fn(i64, i64) -> i64| -> i64 {
            (0..inputs)
                .map(|i| f(layer.weight(i, j) * low, layer.weight(i, j) * high))
                .sum()
        };
        let extra = if finishes {
            (1i64 << layer.shifts[j]) - 1
        } else {
            0
        };
        let (least, most) = (ends(i64::min), ends(i64::max));
        let lowest = (i64::from(i32::MIN) - least).max(i64::from(i32::MIN));
        let highest = (i64::from(i32::MAX) - extra - most).min(i64::from(i32::MAX));
        layer.bias[j] = match random.within(0, 9) {
            0 => lowest,
            1 => highest,
            _ => random.within(-4_000, 4_000).clamp(lowest, highest),
        } as i32;
    }
    let widest = if random.chance(2) { 8 } else { 15 };
    let bits = random.within(1, widest) as u32;
    layer.range = range(random, bits);
    layer
}

fn chain(random: &mut Random, sizes: &[usize]) -> Vec<Layer> {
    let widest = if random.chance(2) { 8 } else { 16 };
    let bits = random.within(1, widest) as u32;
    let mut input_range = range(random, bits);
    let mut layers: Vec<Layer> = Vec::new();
    for (index, pair) in sizes.windows(2).enumerate() {
        let finishes = index + 2 < sizes.len() || random.chance(2);
        let next = layer(random, (pair[0], pair[1]), input_range, finishes);
        input_range = next.range;
        layers.push(next);
    }
    layers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn chains_equal_the_plain_loop(
        sizes in prop::collection::vec(1_usize..75, 2..5), rows in 0_usize..230, seed: u64,
    ) {
        let mut random = Random(seed | 1);
        let layers = chain(&mut random, &sizes);
        let (low, high) = layers[0].input_range;
        let codes: Vec<i32> = (0..rows * sizes[0])
            .map(|_| match random.within(0, 5) {
                0 => low,
                1 => high,
                _ => random.within(i64::from(low), i64::from(high)) as i32,
            })
            .collect();
        let expected: Vec<i64> = codes
            .chunks(sizes[0])
            .flat_map(|row| {
                let x = row.iter().map(|c| i64::from(*c)).collect();
                layers.iter().fold(x, |x: Vec<i64>, layer| layer.apply(&x))
            })
            .collect();
        let outputs = sizes[sizes.len() - 1];
        let classes: Vec<u8> = expected
            .chunks(outputs)
            .map(|row| row.iter().position(|v| Some(v) == row.iter().max()).unwrap() as u8)
            .collect();
        let specs: Vec<DenseCodes<'_>> = layers.iter().map(Layer::codes).collect();
        let chain = IntegerChain::new(&specs);
        prop_assert!(chain.is_ok(), "{:?}", chain.err());
        let chain = chain.unwrap();
        prop_assert_eq!((chain.inputs(), chain.outputs()), (sizes[0], outputs));
        for kernels in levels() {
            let mut out = vec![i32::MIN; rows * outputs];
            prop_assert_eq!(chain.run(kernels, &codes, &mut out), Ok(()));
            let out: Vec<i64> = out.into_iter().map(i64::from).collect();
            prop_assert_eq!(&out, &expected, "{:?}", kernels.level());
            let mut found = vec![255; rows];
            prop_assert_eq!(chain.classify(kernels, &codes, &mut found), Ok(()));
            prop_assert_eq!(&found, &classes);
        }
    }
}

/// Every rounding and overflow mode at every value around ties and bounds, by a layer that passes its
/// input through.
#[test]
fn roundings_and_overflows_are_those_of_their_words() {
    let inputs: Vec<i32> = (-700..700).collect();
    for rounding in Rounding::ALL {
        for overflow in Overflow::ALL {
            for shift in 0..8 {
                for range in [(-4, 3), (0, 15), (-8, 7), (-1, 0)] {
                    let layer = Layer {
                        inputs: 1,
                        outputs: 1,
                        input_range: (-700, 700),
                        weights: vec![1],
                        bias: vec![0],
                        shifts: vec![shift],
                        rounding,
                        overflow,
                        range,
                        finishes: true,
                    };
                    let expected: Vec<i64> = inputs
                        .iter()
                        .flat_map(|x| layer.apply(&[i64::from(*x)]))
                        .collect();
                    let chain = IntegerChain::new(&[layer.codes()]).expect("a chain");
                    for kernels in levels() {
                        let mut out = vec![0; inputs.len()];
                        chain
                            .run(kernels, &inputs, &mut out)
                            .expect("codes in range");
                        let out: Vec<i64> = out.into_iter().map(i64::from).collect();
                        assert_eq!(out, expected, "{rounding:?} {overflow:?} {shift} {range:?}");
                    }
                }
            }
        }
    }
}

/// Ends of what bytes and words hold: all products at their extremes, also where pairs of byte
/// products leave i16 and pairs of word products reach 2^31.
#[test]
fn extreme_codes_and_weights() {
    let cases = [
        ((0, 255), 127, true),
        ((0, 255), -128, true),
        ((-128, 127), -128, true),
        ((1_000_000, 1_000_255), 1, true),
        ((-32_768, 32_767), -32_768, false),
        ((0, 65_535), -32_768, false),
        ((0, 256), 127, false),
        ((0, 255), 128, false),
    ];
    for (input_range, weight, bytes) in cases {
        for inputs in 1..=2 {
            // Two full-size word products together reach -2^31, and leave i32 above.
            if inputs == 2 && input_range == (-32_768, 32_767) {
                continue;
            }
            let layer = Layer {
                inputs,
                outputs: 17,
                input_range,
                weights: vec![weight; inputs * 17],
                bias: vec![0; 17],
                shifts: vec![],
                rounding: Rounding::Floor,
                overflow: Overflow::Saturate,
                range: (0, 0),
                finishes: false,
            };
            let Ok(chain) = IntegerChain::new(&[layer.codes()]) else {
                assert_eq!((input_range, weight, inputs), ((0, 65_535), -32_768, 2));
                continue;
            };
            assert_eq!(chain.is_bytes(), bytes, "{input_range:?} {weight}");
            for kernels in levels() {
                for code in [input_range.0, input_range.1] {
                    let mut out = vec![0; 17];
                    chain
                        .run(kernels, &vec![code; inputs], &mut out)
                        .expect("codes in range");
                    assert_eq!(out, vec![code * weight * inputs as i32; 17]);
                }
            }
        }
    }
}

fn simple() -> Layer {
    Layer {
        inputs: 2,
        outputs: 1,
        input_range: (-8, 7),
        weights: vec![1, 1],
        bias: vec![0],
        shifts: vec![1],
        rounding: Rounding::HalfEven,
        overflow: Overflow::Saturate,
        range: (0, 15),
        finishes: true,
    }
}

#[test]
fn sums_that_just_fit_are_taken_and_one_more_is_refused() {
    let built = |bias: i32, finishes: bool| {
        let layer = Layer {
            bias: vec![bias],
            finishes,
            ..simple()
        };
        IntegerChain::new(&[layer.codes()]).map(|_| ())
    };
    assert_eq!(built(i32::MAX - 14, false), Ok(()));
    assert_eq!(built(i32::MIN + 16, false), Ok(()));
    assert_eq!(built(i32::MAX - 15, true), Ok(()));
    for (bias, finishes) in [
        (i32::MAX - 13, false),
        (i32::MIN + 15, false),
        (i32::MAX - 14, true),
    ] {
        let fault = built(bias, finishes);
        assert!(
            matches!(fault, Err(IntegerFault::TooWide { layer: 0, .. })),
            "{fault:?}"
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    let one = |change: fn(&mut Layer)| {
        let mut layer = simple();
        change(&mut layer);
        IntegerChain::new(&[layer.codes()])
            .expect_err("refused")
            .to_string()
    };
    let cases = [
        (
            one(|l| l.outputs = 2),
            "layer 0: 2 weights and 1 biases do not make the shape 2 x 2",
        ),
        (
            one(|l| l.inputs = usize::MAX),
            "layer 0: 2 weights and 1 biases do not make",
        ),
        (one(|l| l.inputs = 0), "layer 0: its shape 0 x 1 is empty"),
        (
            one(|l| l.input_range = (1, 0)),
            "layer 0: its input range 1..=0 is empty",
        ),
        (
            one(|l| l.range = (1, 0)),
            "layer 0: its output range 1..=0 is empty",
        ),
        (
            one(|l| l.shifts = vec![31]),
            "layer 0: a shift of 31; accepted are 0..=30",
        ),
        (
            one(|l| l.shifts = vec![]),
            "layer 0: 0 shifts for 1 outputs",
        ),
        (
            one(|l| (l.overflow, l.range) = (Overflow::Wrap, (0, 14))),
            "layer 0: wrapping needs a power of two of codes; 0..=14 are 15",
        ),
        (
            one(|l| (l.overflow, l.range) = (Overflow::Zero, (1, 2))),
            "layer 0: zero is not in its output range 1..=2",
        ),
        (
            one(|l| l.weights[1] = 32_768),
            "layer 0 is too wide for 32-bit sums: a weight is outside",
        ),
        (
            one(|l| l.input_range = (-1, 65_535)),
            "layer 0 is too wide for 32-bit sums: input codes -1..=65535 need more than 16 bits",
        ),
    ];
    for (found, expected) in cases {
        assert!(found.starts_with(expected), "{found} / {expected}");
    }
    let pair = |change: fn(&mut Layer, &mut Layer)| {
        let (mut first, mut last) = (simple(), simple());
        (last.inputs, last.weights, last.input_range) = (1, vec![1], (0, 15));
        change(&mut first, &mut last);
        IntegerChain::new(&[first.codes(), last.codes()])
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert_eq!(pair(|_, _| ()), Ok(()));
    let cases = [
        (
            pair(|first, _| first.finishes = false),
            "layer 0: only the last layer may give sums",
        ),
        (
            pair(|_, last| (last.inputs, last.weights) = (2, vec![1, 1])),
            "layer 0: it has 1 outputs, the next layer 2 inputs",
        ),
        (
            pair(|_, last| last.input_range = (0, 14)),
            "layer 0: its codes 0..=15 leave the next layer's input range 0..=14",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, Err(expected.to_owned()));
    }
    assert!(IntegerChain::new(&[]).is_err());
}

#[test]
fn rows_are_checked() {
    let chain = IntegerChain::new(&[simple().codes()]).expect("a chain");
    for kernels in levels() {
        let run = |codes: &[i32], outputs: usize| chain.run(kernels, codes, &mut vec![0; outputs]);
        assert!(matches!(run(&[0; 3], 1), Err(IntegerFault::Rows { .. })));
        assert!(matches!(run(&[0; 4], 1), Err(IntegerFault::Rows { .. })));
        assert_eq!(run(&[], 0), Ok(()));
        for (at, code) in [(0, 8), (1, -9), (399, i32::MIN), (201, i32::MAX)] {
            let mut codes = vec![7; 400];
            codes[at] = code;
            let fault = IntegerFault::Code {
                at,
                code,
                range: (-8, 7),
            };
            assert_eq!(run(&codes, 200), Err(fault));
        }
    }
}

#[test]
fn a_tie_goes_to_the_lowest_class() {
    for outputs in [1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 17, 256] {
        let mut layer = Layer {
            outputs,
            bias: vec![0; outputs],
            finishes: false,
            ..simple()
        };
        layer.weights = vec![0; 2 * outputs];
        layer.bias[outputs / 2] = 5;
        layer.bias[outputs - 1] = 5;
        let chain = IntegerChain::new(&[layer.codes()]).expect("a chain");
        for kernels in levels() {
            let mut classes = [0; 3];
            chain
                .classify(kernels, &[0; 6], &mut classes)
                .expect("codes in range");
            assert_eq!(classes, [(outputs / 2) as u8; 3], "{outputs}");
        }
    }
    let layer = Layer {
        outputs: 257,
        weights: vec![0; 514],
        bias: vec![0; 257],
        finishes: false,
        ..simple()
    };
    let chain = IntegerChain::new(&[layer.codes()]).expect("a chain");
    let fault = chain.classify(Kernels::detect(), &[0; 2], &mut [0]);
    assert!(matches!(fault, Err(IntegerFault::Rows { .. })));
}
