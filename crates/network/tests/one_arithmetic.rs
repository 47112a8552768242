//! Promise P1 on random candidates: the integer program and the fake-quantized forward pass give
//! the same numbers, for every output of every layer.

mod common;

use std::collections::BTreeMap;

use bitfront_network::{ForwardPrecision, FreezeError, IntegerProgram, Interval};
use bitfront_network::{forward, forward_precision, forward_trace};
use common::Random;

/// Candidates that must freeze and agree.
const CANDIDATES: usize = 3000;

#[derive(Default)]
struct Counts {
    families: BTreeMap<(&'static str, String), usize>,
    f32_exact: usize,
    f64_exact: usize,
    refused: usize,
    values: usize,
}

impl Counts {
    fn note(&mut self, candidate: &bitfront_network::Candidate) {
        let mut note = |role, q| *self.families.entry((role, common::family(q))).or_default() += 1;
        note("input", &candidate.input_quantizer);
        for layer in &candidate.layers {
            note("kernel", &layer.kernel);
            note("bias", &layer.bias);
            if let Some(activation) = &layer.activation {
                note("activation", &activation.quantizer);
            }
        }
    }
}

#[test]
fn integers_equal_the_fake_quantized_pass() {
    let mut counts = Counts::default();
    let mut seed = 0;
    while counts.f32_exact + counts.f64_exact < CANDIDATES {
        seed += 1;
        let mut random = Random(seed);
        let candidate = common::candidate(&mut random);
        assert_eq!(candidate.check(), Ok(()), "seed {seed}");
        let weights = common::weights(&mut random, &candidate);
        let rows = common::rows(&mut random, &candidate, 35);
        let program = match IntegerProgram::freeze(&candidate, &weights) {
            Ok(program) => program,
            Err(FreezeError::TooWide { .. } | FreezeError::NotExact { .. }) => {
                counts.refused += 1;
                continue;
            }
            Err(error) => panic!("seed {seed}: {error}"),
        };
        counts.note(&candidate);
        let precision = forward_precision(&candidate, &weights);
        let floats = forward_trace(&candidate, &weights, &rows, precision);
        let codes = program.input_codes(&rows);
        let logits = program.logits(&codes);
        let outputs = candidate.outputs();
        for (r, row) in codes.chunks_exact(candidate.inputs).enumerate() {
            let trace = program.trace(row);
            assert_eq!(
                trace.last().map(Vec::as_slice),
                logits.get(r * outputs..(r + 1) * outputs)
            );
            let mut input: Vec<i64> = row.iter().map(|c| i64::from(*c)).collect();
            for (index, (layer, codes)) in program.layers.iter().zip(&trace).enumerate() {
                for (j, sum) in layer.accumulators(&input).into_iter().enumerate() {
                    let Interval { lo, hi } = layer.result_range[j];
                    assert!(
                        (lo..=hi).contains(&sum),
                        "seed {seed} layer {index} output {j}: range"
                    );
                }
                let step = 2f64.powi(-layer.output.fraction);
                for (j, code) in codes.iter().enumerate() {
                    let Interval { lo, hi } = layer.output.range;
                    assert!(
                        (lo..=hi).contains(code),
                        "seed {seed} layer {index}: output range"
                    );
                    let float = floats[index][r * layer.outputs + j];
                    assert_eq!(
                        *code as f64 * step,
                        float,
                        "seed {seed} ({precision:?}) row {r} layer {index} output {j}\n{candidate:#?}"
                    );
                    counts.values += 1;
                }
                input.clone_from(codes);
            }
        }
        // Where f32 is exact, f64 and any order agree as well.
        if precision == ForwardPrecision::F32 {
            counts.f32_exact += 1;
            let double = forward(&candidate, &weights, &rows, ForwardPrecision::F64);
            assert_eq!(
                Some(&double),
                floats.last(),
                "seed {seed}: f32 and f64 differ"
            );
        } else {
            counts.f64_exact += 1;
        }
    }
    println!(
        "{} candidates exact in f32, {} in f64; {} refused (too wide or too many steps); {} values",
        counts.f32_exact, counts.f64_exact, counts.refused, counts.values
    );
    for ((role, family), count) in &counts.families {
        println!("  {role:10} {family:18} {count}");
    }
    // Seven families in four roles: none may be left out.
    assert_eq!(counts.families.len(), 28, "a family is missing in a role");
    assert!(counts.f32_exact > 500 && counts.f64_exact > 100);
}

#[test]
fn intervals_hold_every_partial_sum() {
    for seed in 0..200 {
        let mut random = Random(1_000_000 + seed);
        let candidate = common::candidate(&mut random);
        let weights = common::weights(&mut random, &candidate);
        let Ok(program) = IntegerProgram::freeze(&candidate, &weights) else {
            continue;
        };
        let layer = &program.layers[0];
        for j in 0..layer.outputs {
            let Interval { lo, hi } = layer.accumulator_range[j];
            for bias_first in [false, true] {
                // Corners: each input at the end that drives the sum up, then down.
                for up in [false, true] {
                    let bias = layer.bias[j] << layer.bias_shift[j];
                    let mut sum = if bias_first { bias } else { 0 };
                    for i in 0..layer.inputs {
                        let k = layer.kernel[i * layer.outputs + j];
                        let range = layer.input.range;
                        let x = if (k > 0) == up { range.hi } else { range.lo };
                        sum += (k * x) << layer.product_shift[j];
                        assert!((lo..=hi).contains(&sum), "seed {seed} output {j}");
                    }
                    if !bias_first {
                        sum += bias;
                    }
                    let ends = layer.result_range[j];
                    assert_eq!(
                        sum,
                        if up { ends.hi } else { ends.lo },
                        "seed {seed}: not tight"
                    );
                }
            }
        }
    }
}
