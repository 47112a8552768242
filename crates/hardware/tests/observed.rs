//! Circuits within ranges of data equal integer inference on these rows, cost no more, and say that other rows may differ.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, Observed, OutputForm, Ranges};
use bitfront_hardware::circuit_costs;
use bitfront_hardware::verilog::emit;
use bitfront_network::{Candidate, Head, IntegerProgram, SoftmaxTables, Weights};
use common::graphs::{candidates, frozen};
use common::{Random, Rule, Spec, program, rows};

fn options(output: OutputForm) -> BuildOptions {
    BuildOptions {
        output,
        ranges: Ranges::Data,
        ..BuildOptions::default()
    }
}

/// Rows as data has them: near one of three, so that sums use a part of what their weights allow.
fn data(program: &IntegerProgram, count: usize, seed: u64) -> Vec<i32> {
    let centres = rows(program, 3, seed);
    let centres: Vec<&[i64]> = centres.chunks(program.inputs()).take(3).collect();
    let range = program.input.hull();
    let mut random = Random(seed);
    let near = |code: i64| (code + random.within(-1, 1)).clamp(range.lo, range.hi) as i32;
    let all = (0..count).flat_map(|n| centres[n % 3].to_vec());
    all.map(near).collect()
}

fn ranges_of(program: &IntegerProgram, codes: &[i32]) -> Observed {
    Observed::of(program, codes, &|| false).expect("nobody stops it")
}

fn outside_of(observed: &Observed, program: &IntegerProgram, codes: &[i32]) -> Vec<usize> {
    let rows = observed.rows_outside(program, codes, &|| false);
    rows.expect("nobody stops it")
}

/// Rows of `others` with a value beyond those of all rows of `codes`, a row and a value at a time.
fn one_by_one(program: &IntegerProgram, codes: &[i32], others: &[i32]) -> Vec<usize> {
    let traces = |codes: &[i32]| -> Vec<Vec<Vec<i64>>> {
        let rows = codes.chunks(program.inputs());
        rows.map(|row| program.trace(row)).collect()
    };
    let channels = |layer: usize| program.layers[layer].output.channels();
    let mut seen: Vec<Vec<(i64, i64)>> = (0..program.layers.len())
        .map(|layer| vec![(i64::MAX, i64::MIN); channels(layer)])
        .collect();
    for trace in traces(codes) {
        for (layer, values) in trace.iter().enumerate() {
            for (element, value) in values.iter().enumerate() {
                let (lo, hi) = &mut seen[layer][element % channels(layer)];
                (*lo, *hi) = ((*lo).min(*value), (*hi).max(*value));
            }
        }
    }
    let leaves = |trace: &Vec<Vec<i64>>| {
        trace.iter().enumerate().any(|(layer, values)| {
            values.iter().enumerate().any(|(element, value)| {
                let (lo, hi) = seen[layer][element % channels(layer)];
                !(lo..=hi).contains(value)
            })
        })
    };
    let rows = traces(others).into_iter().enumerate();
    rows.filter_map(|(row, trace)| leaves(&trace).then_some(row))
        .collect()
}

/// Rows of which a circuit gives something else than integer inference.
fn different(circuit: &Circuit, program: &IntegerProgram, codes: &[i32]) -> Vec<usize> {
    let expected = circuit.output().expected(program, codes);
    let expected = expected.chunks(circuit.outputs().len());
    let rows = codes.chunks(program.inputs()).zip(expected).enumerate();
    rows.filter_map(|(at, (row, expected))| {
        let row: Vec<i64> = row.iter().map(|code| i64::from(*code)).collect();
        (circuit.evaluate(&row) != *expected).then_some(at)
    })
    .collect()
}

fn programs() -> Vec<IntegerProgram> {
    let dense = |rule, seed| {
        program(&Spec {
            widths: vec![6, 8, 5, 3],
            input_bits: 6,
            weight_bits: 4,
            activation_bits: 4,
            rule,
            seed,
            ..Spec::default()
        })
    };
    (1..7)
        .flat_map(|seed| [dense(Rule::Relu, seed), dense(Rule::Signed, seed)])
        .chain(candidates().iter().map(|(name, _)| frozen(name, 1)))
        .chain((1..9).map(passed_on))
        .collect()
}

#[test]
fn rows_of_the_data_are_equal_and_circuits_no_larger() {
    let (mut smaller, mut outside) = (0, 0);
    for mut program in programs() {
        let codes = data(&program, 300, 5);
        let observed = ranges_of(&program, &codes);
        assert!(outside_of(&observed, &program, &codes).is_empty());
        if let Head::Softmax { tables } = &mut program.candidate.head {
            *tables = Some(SoftmaxTables {
                address_bits: 6,
                ..SoftmaxTables::default()
            });
        }
        for output in [OutputForm::Logits, OutputForm::ArgMax, OutputForm::Softmax] {
            if output.check(&program.candidate).is_err() {
                continue;
            }
            let options = options(output);
            let proven = BuildOptions {
                ranges: Ranges::Proven,
                ..options
            };
            let proven = Circuit::build_with(&program, &proven).unwrap();
            let circuit = Circuit::build_within(&program, &options, &observed).unwrap();
            circuit.check_against(&program).unwrap();
            assert!(different(&circuit, &program, &codes).is_empty());
            let luts = [&proven, &circuit].map(|one| circuit_costs(&program, one).lut_estimate);
            assert!(luts[1] <= luts[0], "{luts:?}");
            smaller += usize::from(luts[1] < luts[0]);

            // Rows of another kind may differ, and only those that leave the ranges.
            let others: Vec<i32> = rows(&program, 200, 9).iter().map(|c| *c as i32).collect();
            let apart = different(&circuit, &program, &others);
            let left = outside_of(&observed, &program, &others);
            assert_eq!(left, one_by_one(&program, &codes, &others));
            assert!(apart.iter().all(|row| left.contains(row)));
            assert!(different(&proven, &program, &others).is_empty());
            outside += apart.len();
        }
    }
    assert!(smaller > 20, "{smaller} circuits are smaller");
    assert!(outside > 500, "{outside} rows differ");
}

#[test]
fn ranges_of_too_few_rows_are_seen_by_the_others() {
    let programs: Vec<IntegerProgram> = programs().into_iter().take(12).collect();
    let seen = programs.iter().filter(|program| {
        let codes = data(program, 300, 5);
        let few = ranges_of(program, &codes[..2 * program.inputs()]);
        let circuit = Circuit::build_within(program, &options(OutputForm::Logits), &few).unwrap();
        !different(&circuit, program, &codes).is_empty()
    });
    assert_eq!(seen.count(), programs.len());
}

#[test]
fn what_is_built_of_data_says_so_and_without_data_is_refused() {
    let program = &programs()[0];
    let options = options(OutputForm::Logits);
    let refused = Circuit::build_with(program, &options).unwrap_err();
    assert!(
        refused.to_string().contains("accepted: `proven`"),
        "{refused}"
    );
    let observed = ranges_of(program, &data(program, 300, 5));
    let within = Circuit::build_within(program, &options, &observed).unwrap();
    let said = "Ranges of sums are those of the train rows";
    assert!(emit(&within, "network").contains(said));
    let proven = Circuit::build(program).unwrap();
    assert!(!emit(&proven, "network").contains(said));
    // Without rows nothing is narrower.
    let none = Circuit::build_within(program, &options, &ranges_of(program, &[])).unwrap();
    assert_eq!(none.nodes(), proven.nodes());
}

#[test]
fn whoever_stops_gets_no_ranges() {
    let program = &programs()[0];
    let codes = data(program, 300, 5);
    assert_eq!(Observed::of(program, &codes, &|| true), None);
    let observed = ranges_of(program, &codes);
    assert_eq!(observed.rows_outside(program, &codes, &|| true), None);
}

/// Sums of a convolution that an activation reads and a sparse layer of weights -1, 0 and 1 passes on: the convolution's ranges
/// are of a channel, the layer's of an element.
fn passed_on(seed: u64) -> IntegerProgram {
    let bits = "quantized_bits(4,0,alpha=1.0)";
    let window = serde_json::json!({"size": [2, 2], "strides": [1, 1], "dilation": [1, 1], "padding": "same"});
    let candidate = serde_json::json!({
        "input_shape": [3, 3, 1], "input_quantizer": "quantized_bits(6,2,alpha=1.0)", "head": {"kind": "linear"},
        "layers": [
            {"name": "a", "operation":
                {"kind": "conv", "filters": 2, "window": window, "kernel": bits, "bias": null, "fold": null}},
            {"name": "f", "operation": {"kind": "flatten"}},
            {"name": "r", "operation": {"kind": "activation", "quantizer": bits}},
            {"name": "b", "inputs": ["f"], "operation":
                {"kind": "dense", "units": 12, "kernel": "ternary(alpha=1.0)", "bias": null, "fold": null}},
            {"name": "c", "inputs": ["r", "b"], "operation": {"kind": "concatenate"}},
            {"name": "out", "operation": {"kind": "dense", "units": 3, "kernel": bits, "bias": null, "fold": null}},
        ],
    });
    let candidate: Candidate = serde_json::from_value(candidate).unwrap();
    candidate.check().unwrap();
    let mut random = Random(seed);
    let weights = Weights::build(&candidate, |spec| {
        let mut sparse = |share: i64| match random.within(1, share) {
            1 => random.within(-1000, 1000) as f32 / 1000.0,
            _ => 0.0,
        };
        let count: usize = spec.shape.iter().product();
        let share = if count == 18 * 12 { 8 } else { 1 };
        (0..count).map(|_| sparse(share)).collect()
    });
    IntegerProgram::freeze(&candidate, &weights).unwrap()
}
