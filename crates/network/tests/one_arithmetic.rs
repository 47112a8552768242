//! Promise P1 on random candidates: the integer program and the fake-quantized forward pass give
//! the same numbers, at every output of every layer.

mod common;

use std::collections::BTreeMap;

use bitfront_network::{
    Candidate, ForwardPrecision, FreezeError, IntegerOperation, IntegerProgram, Interval, Linear,
    Source, Taps, forward, forward_precision, forward_trace, probabilities,
};
use common::Random;

/// Candidates that must freeze and agree, in each of the tests below; there are eight.
const CANDIDATES: usize = 2000;

#[derive(Default)]
struct Counts {
    labels: BTreeMap<String, usize>,
    families: BTreeMap<(&'static str, String), usize>,
    widths: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
    f32_exact: usize,
    f64_exact: usize,
    values: usize,
}

impl Counts {
    fn note(&mut self, candidate: &Candidate) {
        for label in common::graph::labels(candidate) {
            *self.labels.entry(label).or_default() += 1;
        }
        for (_, role, quantizer) in candidate.quantizers() {
            let family = common::quantizers::family(&quantizer);
            *self.families.entry((role.name(), family)).or_default() += 1;
            let text = quantizer.to_string();
            if let Some(rest) = text.strip_prefix("quantized_bits(") {
                let bits = rest.split(',').next().unwrap_or_default().to_owned();
                *self.widths.entry(bits).or_default() += 1;
            }
        }
    }

    fn candidates(&self) -> usize {
        self.f32_exact + self.f64_exact
    }

    fn print(&self) {
        println!(
            "{} candidates: {} exact in f32, {} in f64; {} values equal",
            self.candidates(),
            self.f32_exact,
            self.f64_exact,
            self.values
        );
        for (reason, count) in &self.refused {
            println!("  refused: {reason}: {count}");
        }
        for (label, count) in &self.labels {
            println!("  layer {label}: {count}");
        }
        for ((role, family), count) in &self.families {
            println!("  {role} {family}: {count}");
        }
    }

    fn assert_complete(&self) {
        let missing: Vec<_> = expected_labels()
            .into_iter()
            .filter(|label| !self.labels.contains_key(label))
            .collect();
        assert!(missing.is_empty(), "no candidate has {missing:?}");
        let missing: Vec<_> = common::quantizers::expected_families()
            .into_iter()
            .filter(|family| !self.families.contains_key(family))
            .collect();
        assert!(missing.is_empty(), "no candidate has {missing:?}");
        let missing: Vec<_> = (1..=16)
            .filter(|bits| !self.widths.contains_key(&bits.to_string()))
            .collect();
        assert!(missing.is_empty(), "no quantizer has {missing:?} bits");
        assert!(self.f32_exact > 100 && self.f64_exact > 100);
    }
}

/// Every kind of layer that must occur.
fn expected_labels() -> Vec<String> {
    let ranks = |kind: &str, ranks: &[usize]| -> Vec<String> {
        ranks
            .iter()
            .map(|rank| format!("{kind} rank {rank}"))
            .collect()
    };
    let mut all = Vec::new();
    for kind in [
        "dense",
        "flatten",
        "activation",
        "channel_activation",
        "dropout",
    ] {
        all.extend(ranks(kind, &[1, 2, 3]));
    }
    for kind in [
        "conv",
        "depthwise_conv",
        "separable_conv",
        "max_pool",
        "average_pool",
        "global_average_pool",
        "zero_padding",
    ] {
        all.extend(ranks(kind, &[2, 3]));
    }
    all.extend(ranks("batch_norm by powers of two,", &[1, 2, 3]));
    all.extend(ranks("batch_norm by multipliers,", &[1, 2, 3]));
    for kind in ["add", "concatenate"] {
        all.extend([2, 3].map(|n| format!("{kind} of {n}")));
    }
    for kind in ["dense", "conv", "depthwise_conv"] {
        let with = ["folded normalisation", "bias", "no bias"];
        all.extend(with.map(|with| format!("{kind}, {with}")));
    }
    for rest in [
        "window, padding Valid",
        "window, padding Same",
        "window, strides",
        "window, dilation",
        "head softmax",
        "head softmax by tables",
        "head sigmoid",
        "head linear",
    ] {
        all.push(rest.into());
    }
    all
}

/// A random candidate with weights, if it has an integer program.
fn random_program(
    random: &mut Random,
    seed: u64,
) -> Result<(Candidate, bitfront_network::Weights, IntegerProgram), String> {
    let candidate = common::graph::candidate(random);
    assert_eq!(candidate.check(), Ok(()), "seed {seed}\n{candidate:#?}");
    let weights = common::weights(random, &candidate);
    match IntegerProgram::freeze(&candidate, &weights) {
        Ok(program) => Ok((candidate, weights, program)),
        Err(FreezeError::TooWide { .. }) => Err("a sum may pass 2^53 units".into()),
        Err(FreezeError::NotExact { place, reason }) => {
            println!("seed {seed}: {place}: {reason}");
            // Numbers differ from case to case.
            let start = reason.split(|c: char| c.is_ascii_digit()).next();
            Err(start.unwrap_or_default().trim().into())
        }
        Err(error) => panic!("seed {seed}: {error}\n{candidate:#?}"),
    }
}

/// Compares `CANDIDATES` candidates from the seeds of one share.
fn integers_equal_the_fake_quantized_pass(share: u64) {
    let mut counts = Counts::default();
    let mut seed = share << 32;
    while counts.candidates() < CANDIDATES {
        seed += 1;
        let mut random = Random(seed);
        let (candidate, weights, program) = match random_program(&mut random, seed) {
            Ok(found) => found,
            Err(reason) => {
                *counts.refused.entry(reason).or_default() += 1;
                continue;
            }
        };
        counts.note(&candidate);
        // Some have more rows than a block of the vector kernels.
        let count = if random.chance(5) {
            67
        } else {
            random.up_to(9)
        };
        let rows = common::rows(&mut random, &candidate, count);
        let precision = forward_precision(&candidate, &weights);
        let floats = forward_trace(&candidate, &weights, &rows, precision);
        let codes = program.input_codes(&rows);
        let logits = program.logits(&codes);
        let width = candidate.outputs();
        let mut outputs = Vec::new();
        for (r, row) in codes.chunks_exact(candidate.inputs()).enumerate() {
            let trace = program.trace(row);
            for (index, (layer, codes)) in program.layers.iter().zip(&trace).enumerate() {
                let format = &layer.output;
                let size: usize = format.shape.iter().product();
                assert_eq!(codes.len(), size, "seed {seed} layer {index}: size");
                for (j, code) in codes.iter().enumerate() {
                    let channel = j % format.range.len();
                    let Interval { lo, hi } = format.range[channel];
                    assert!(
                        (lo..=hi).contains(code),
                        "seed {seed} row {r} layer {index} output {j}: {code} is not in \
                         {lo}..={hi}\n{candidate:#?}"
                    );
                    let value = *code as f64 * 2f64.powi(-format.fraction[channel]);
                    assert_eq!(
                        value,
                        floats[index][r * size + j],
                        "seed {seed} ({precision:?}) row {r} layer {index} output {j}: integers, \
                         fake-quantized\n{candidate:#?}"
                    );
                    counts.values += 1;
                    if index + 1 == program.layers.len() {
                        outputs.push(value);
                    }
                }
            }
            if r == 0 {
                check_partial_sums(&program, row, &trace, seed);
            }
        }
        let step = 2f64.powi(-program.output_fraction);
        let batch: Vec<f64> = logits.iter().map(|code| *code as f64 * step).collect();
        assert_eq!(
            batch, outputs,
            "seed {seed}: batch and row by row\n{candidate:#?}"
        );
        assert_eq!(logits.len(), count * width);
        check_head(&candidate, &program, &codes, &outputs, seed);
        if precision == ForwardPrecision::F32 {
            counts.f32_exact += 1;
            // Where f32 is exact, f64 gives the same.
            let double = forward(&candidate, &weights, &rows, ForwardPrecision::F64);
            assert_eq!(double, outputs, "seed {seed}: f32 and f64 differ");
        } else {
            counts.f64_exact += 1;
        }
    }
    counts.print();
    counts.assert_complete();
}

/// The classes and the probabilities of integers and floats.
fn check_head(
    candidate: &Candidate,
    program: &IntegerProgram,
    codes: &[i32],
    outputs: &[f64],
    seed: u64,
) {
    let bitfront_network::Head::Softmax { tables } = candidate.head else {
        assert_eq!(program.classify(codes), None);
        return;
    };
    let classes = program.classify(codes).expect("a softmax head has classes");
    for (class, row) in classes
        .iter()
        .zip(outputs.chunks_exact(candidate.outputs()))
    {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let first = row.iter().position(|x| *x == most);
        assert_eq!(Some(usize::from(*class)), first, "seed {seed}: class");
    }
    if let Some(tables) = tables {
        let integers = program.probabilities(codes).expect("it has tables");
        let unit = 2f64.powi(-(tables.output_fraction as i32));
        let integers: Vec<f64> = integers.iter().map(|p| f64::from(*p) * unit).collect();
        let floats = probabilities(candidate, outputs);
        assert_eq!(
            integers, floats,
            "seed {seed}: probabilities\n{candidate:#?}"
        );
    }
}

/// Adds every layer's products up one after the other and holds each partial sum against the
/// interval that the program states for it.
fn check_partial_sums(program: &IntegerProgram, row: &[i32], trace: &[Vec<i64>], seed: u64) {
    let input: Vec<i64> = row.iter().map(|c| i64::from(*c)).collect();
    for (index, layer) in program.layers.iter().enumerate() {
        let x = match layer.sources[0] {
            Source::Input => &input,
            Source::Layer(at) => &trace[at],
        };
        let place = format!("seed {seed} layer {index}");
        match &layer.operation {
            IntegerOperation::Linear(linear) => {
                assert_eq!(sums(linear, x, &place), trace[index], "{place}");
            }
            IntegerOperation::Separable {
                depthwise,
                between,
                pointwise,
            } => {
                let middle = sums(depthwise, x, &place);
                for (j, code) in middle.iter().enumerate() {
                    let Interval { lo, hi } = between.range[j % between.range.len()];
                    assert!((lo..=hi).contains(code), "{place}: between");
                }
                assert_eq!(sums(pointwise, &middle, &place), trace[index], "{place}");
            }
            _ => {}
        }
    }
}

/// The accumulators of one row, from their definition.
fn sums(linear: &Linear, x: &[i64], place: &str) -> Vec<i64> {
    let Linear {
        inputs, outputs, ..
    } = *linear;
    let (positions, taps) = match linear.taps {
        Taps::Dense => (x.len() / inputs, 1),
        Taps::Window(geometry) | Taps::Depthwise(geometry) => {
            (geometry.positions(), geometry.taps())
        }
    };
    let mut all = Vec::new();
    for position in 0..positions {
        for j in 0..outputs {
            let scale = |v: i128| (v * i128::from(linear.multiplier[j])) << linear.product_shift[j];
            let bias = i128::from(linear.bias[j]);
            let Interval { lo, hi } = linear.accumulator_range[j];
            let range = i128::from(lo)..=i128::from(hi);
            let mut sum = 0i128;
            for tap in 0..taps {
                let source = match linear.taps {
                    Taps::Dense => Some(position),
                    Taps::Window(geometry) | Taps::Depthwise(geometry) => {
                        geometry.source(position, tap)
                    }
                };
                let Some(source) = source else { continue };
                for i in 0..inputs {
                    let at = match linear.taps {
                        Taps::Depthwise(_) if i != j * inputs / outputs => continue,
                        Taps::Depthwise(_) => tap * outputs + j,
                        _ => (tap * inputs + i) * outputs + j,
                    };
                    let x = i128::from(x[source * inputs + i]) << linear.input_shift[i];
                    sum += x * i128::from(linear.kernel[at]);
                    assert!(
                        range.contains(&scale(sum)) && range.contains(&(scale(sum) + bias)),
                        "{place} output {j}: a partial sum of {} leaves {lo}..={hi}",
                        scale(sum)
                    );
                }
            }
            all.push((scale(sum) + bias) as i64);
        }
    }
    all
}

macro_rules! shares {
    ($($name:ident: $share:expr),*) => {
        $(
            #[test]
            fn $name() {
                integers_equal_the_fake_quantized_pass($share);
            }
        )*
    };
}

shares!(
    share_1_of_8: 1,
    share_2_of_8: 2,
    share_3_of_8: 3,
    share_4_of_8: 4,
    share_5_of_8: 5,
    share_6_of_8: 6,
    share_7_of_8: 7,
    share_8_of_8: 8
);
