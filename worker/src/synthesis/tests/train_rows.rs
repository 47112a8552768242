//! Jobs of circuits within the ranges of the train rows.

use super::*;
use bitfront_dataset::{Prepared, Table};
use bitfront_hardware::circuit::Observed;

/// Splits of rows of so many features, and two classes.
pub(super) fn prepared(
    columns: usize,
    train: &[f32],
    validation: &[f32],
    test: &[f32],
) -> Prepared {
    let table = |x: &[f32]| Table {
        rows: x.len() / columns,
        columns,
        x: x.to_vec().into(),
        y: (0..x.len() / columns).map(|row| (row % 2) as u8).collect(),
        values: Vec::new(),
    };
    Prepared {
        train: table(train),
        validation: table(validation),
        test: table(test),
        mean: vec![0.0; columns],
        std: vec![1.0; columns],
        classes: vec!["a".to_owned(), "b".to_owned()],
        targets: Vec::new(),
        target_mean: Vec::new(),
        target_std: Vec::new(),
        features: (0..columns).map(|n| format!("x{n}")).collect(),
    }
}

#[test]
fn a_circuit_within_the_train_rows_passes_every_gate_on_them_and_says_so() {
    let program = program(&[6, 5, 2]);
    let train: Vec<f32> = (0..3000 * 6)
        .map(|n| (n * 7919 % 101) as f32 / 200.0)
        .collect();
    let test: Vec<f32> = train.iter().take(60).map(|x| 3.0 - 9.0 * x).collect();
    let validation: Vec<f32> = train.iter().take(120).map(|x| 0.9 * x).collect();
    let data = prepared(6, &train, &validation, &test);
    let mut options = DesignOptions::default();
    let wide = Design::build(&program, &options).unwrap().costs(&program);
    options.circuit.ranges = Ranges::Data;
    let mut evidence = Evidence::new(&program, &options, &data, 0, &|| false).unwrap();
    let codes = program.input_codes(&train);
    let codes: Vec<i64> = codes.into_iter().map(i64::from).collect();
    let train_rows: Vec<&[i64]> = codes.chunks(6).collect();
    assert_eq!(evidence.vectors.rows, 2000);
    let mut vectors = evidence.vectors.inputs.chunks(6);
    assert!(vectors.all(|row| train_rows.contains(&row)));

    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let target = Target::default();
    let bench = Workbench {
        options,
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &evidence, &mut Vec::new()).unwrap();
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert!(result.options.contains("ranges of the train rows"));
    assert!(result.lut_estimate < wide.lut_estimate, "{result:?}");

    // Ranges of two rows are not those of the others.
    let two = program.input_codes(&train[..12]);
    let two = Observed::of(&program, &two, &|| false).unwrap();
    evidence.within.as_mut().unwrap().observed = two;
    let failed = measure(&bench, &program, &evidence, &mut Vec::new()).unwrap_err();
    assert_eq!(code(failed), "circuit-mismatch");
}

#[test]
fn unseen_rows_are_said_of_the_circuit_itself() {
    let program = program(&[6, 5, 2]);
    let rows: Vec<f32> = (0..400 * 6)
        .map(|n| (n * 7919 % 101) as f32 / 40.0 - 1.0)
        .collect();
    let (validation, test) = rows.split_at(250 * 6);
    for output in [OutputForm::Logits, OutputForm::ArgMax] {
        let mut options = DesignOptions::default();
        options.circuit.ranges = Ranges::Data;
        options.circuit.output = output;
        // Ranges of four rows: many others leave them, and some wrap.
        let data = prepared(6, &rows[..24], validation, test);
        let evidence = Evidence::new(&program, &options, &data, 0, &|| false).unwrap();
        let circuit = Design::build_within(&program, &options, evidence.observed()).unwrap();
        let within = evidence.within.as_ref().unwrap();
        let unseen = within
            .unseen(&program, &circuit, output, &|| false)
            .unwrap();
        // By every row, whether it leaves the ranges or not.
        for (table, said) in [
            (&data.validation, unseen.validation),
            (&data.test, unseen.test),
        ] {
            let codes = program.input_codes(&table.x);
            let logits = output.expected(&program, &codes);
            let words = logits.chunks(circuit.output_words());
            let class = |words: &[i64]| match words {
                [class] => *class,
                logits => i64::from(logits[1] > logits[0]),
            };
            let (mut different, mut right, mut right_by_integers) = (0, 0, 0);
            for ((label, expected), codes) in table.y.iter().zip(words).zip(codes.chunks(6)) {
                let codes: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
                let found = circuit.evaluate(&codes);
                different += u64::from(found != expected);
                right += u64::from(class(&found) == i64::from(*label));
                right_by_integers += u64::from(class(expected) == i64::from(*label));
            }
            let rows = table.rows as u64;
            assert_eq!((said.rows, said.different), (rows, different));
            assert_eq!(said.accuracy, Some(right as f64 / rows as f64));
            assert!(
                different > 0 && right != right_by_integers,
                "{different} of {rows} differ, {right} right, {right_by_integers} by integers"
            );
            assert!((different..rows).contains(&said.outside), "{said:?}");
        }
        let stopped = within.unseen(&program, &circuit, output, &|| true);
        assert_eq!(stopped, None);
    }
}
