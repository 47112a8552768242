//! Circuits within ranges of data equal integer inference on these rows, cost no more, and say that other rows may differ.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, Observed, OutputForm, Ranges};
use bitfront_hardware::circuit_costs;
use bitfront_hardware::verilog::emit;
use bitfront_network::{Head, IntegerProgram};
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

/// Rows of which a circuit gives something else than integer inference.
fn different(circuit: &Circuit, program: &IntegerProgram, codes: &[i32]) -> usize {
    let expected = circuit.output().expected(program, codes);
    let expected = expected.chunks(circuit.outputs().len());
    let rows = codes.chunks(program.inputs()).zip(expected);
    rows.filter(|(row, expected)| {
        let row: Vec<i64> = row.iter().map(|code| i64::from(*code)).collect();
        circuit.evaluate(&row) != *expected
    })
    .count()
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
        .collect()
}

#[test]
fn rows_of_the_data_are_equal_and_circuits_no_larger() {
    let (mut smaller, mut outside) = (0, 0);
    for program in programs() {
        let codes = data(&program, 300, 5);
        let observed = Observed::of(&program, &codes);
        assert_eq!(observed.rows_outside(&program, &codes), 0);
        for output in [OutputForm::Logits, OutputForm::ArgMax] {
            let has_classes = matches!(program.candidate.head, Head::Softmax { .. });
            if output == OutputForm::ArgMax && !has_classes {
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
            assert_eq!(different(&circuit, &program, &codes), 0);
            let luts = [&proven, &circuit].map(|one| circuit_costs(&program, one).lut_estimate);
            assert!(luts[1] <= luts[0], "{luts:?}");
            smaller += usize::from(luts[1] < luts[0]);

            // Rows of another kind may differ, and only those that leave the ranges.
            let others: Vec<i32> = rows(&program, 200, 9).iter().map(|c| *c as i32).collect();
            let apart = different(&circuit, &program, &others);
            assert!(apart <= observed.rows_outside(&program, &others));
            assert_eq!(different(&proven, &program, &others), 0);
            outside += apart;
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
        let few = Observed::of(program, &codes[..2 * program.inputs()]);
        let circuit = Circuit::build_within(program, &options(OutputForm::Logits), &few).unwrap();
        different(&circuit, program, &codes) > 0
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
    let observed = Observed::of(program, &data(program, 300, 5));
    let within = Circuit::build_within(program, &options, &observed).unwrap();
    let said = "Ranges of sums are those of the train rows";
    assert!(emit(&within, "network").contains(said));
    let proven = Circuit::build(program).unwrap();
    assert!(!emit(&proven, "network").contains(said));
    // Without rows nothing is narrower.
    let none = Circuit::build_within(program, &options, &Observed::of(program, &[])).unwrap();
    assert_eq!(none.nodes(), proven.nodes());
}
