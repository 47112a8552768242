//! Trials that predict values, or tell two classes apart by one output.

use std::fmt::Write as _;

use bitfront_dataset::{Aim, Dataset, Prepared, SplitSpec};
use bitfront_hardware::circuit::Circuit;
use bitfront_network::{
    Candidate, ForwardPrecision, Head, IntegerProgram, Operation, Weights, forward,
};
use bitfront_search::TrialScores;
use bitfront_search::search::Loss;

use crate::fake::Fake;
use crate::fixture::{
    Running, SIX_BITS, candidate, dataset, float_candidate, queue_of_search, search,
};

/// [`candidate`] with so many outputs behind a head.
fn headed(mut candidate: Candidate, outputs: usize, head: Head) -> Candidate {
    let last = candidate.layers.last_mut().expect("layers");
    let Operation::Dense { units, .. } = &mut last.operation else {
        panic!("a dense layer");
    };
    *units = outputs;
    candidate.head = head;
    candidate
}

/// Three features, and two values that depend on them, far from 0: 400 rows of csv.
fn values() -> Vec<u8> {
    let text = String::from_utf8(dataset()).unwrap();
    let mut rows = text.lines();
    let mut csv = format!("{},twice\n", rows.next().unwrap().replace("label", "sum"));
    for row in rows {
        let fields: Vec<f64> = row.split(',').map(|f| f.parse().unwrap()).collect();
        let sum = 100.0 + fields[0] + 0.5 * fields[1];
        let _ = writeln!(
            csv,
            "{},{},{},{sum:.5},{:.5}",
            fields[0],
            fields[1],
            fields[2],
            0.25 - sum
        );
    }
    csv.into_bytes()
}

/// What a trial of this loss scored, with the weights it left.
async fn scored(
    data: Vec<u8>,
    targets: &[&str],
    loss: Loss,
    candidate: &Candidate,
) -> (TrialScores, Weights, String) {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let mut search = search(&fake.store(data), 60, 0.02);
    search.training.loss = loss;
    search.dataset.targets = targets.iter().map(ToString::to_string).collect();
    let unit = queue_of_search(&fake, &search, candidate);
    let done = fake.completed(&unit).await;
    let bytes = |kind: &str| {
        let artifact = done.artifacts.iter().find(|a| a.kind == kind).unwrap();
        fake.with(|s| s.artifacts[&artifact.digest].clone())
    };
    let weights = Weights::from_bytes(candidate, &bytes("weights")).unwrap();
    let log = String::from_utf8(bytes("log")).unwrap();
    worker.drained().await;
    (
        serde_json::from_str(&done.result_json).unwrap(),
        weights,
        log,
    )
}

fn prepared(data: &[u8], aim: &Aim) -> Prepared {
    let split = SplitSpec {
        train: 0.6,
        validation: 0.2,
        test: 0.2,
        seed: 1,
        ..SplitSpec::default()
    };
    Dataset::parse(data, "tiny.csv")
        .unwrap()
        .prepare_for(aim, &split)
        .unwrap()
}

#[tokio::test]
async fn values_are_predicted_and_scored_by_exact_integers() {
    for loss in [Loss::MeanSquaredError, Loss::MeanAbsoluteError] {
        let linear = headed(candidate(SIX_BITS), 1, Head::Linear);
        // The sum is a feature of the file: its last column is a value too, which nobody asked for.
        let (scores, weights, log) = scored(values(), &["sum"], loss, &linear).await;
        let error = scores.mean_squared_error_validation.unwrap();
        assert!(error < 0.1, "{scores:?}");
        assert!(scores.accuracy_validation.is_none() && scores.auc_validation.is_none());
        assert!(scores.confusion_test.is_none() && scores.costs.is_some());
        assert!(
            log.contains("target sum: an output of 1 is") && !log.contains("accuracy"),
            "{log}"
        );

        let aim = Aim {
            targets: vec!["sum".to_owned()],
            standardise: true,
        };
        let data = prepared(&values(), &aim);
        // The fake-quantized network gives the same outputs, and the same error to the last bit.
        let program = IntegerProgram::freeze(&linear, &weights).unwrap();
        let squared = |outputs: Vec<f64>| {
            let squares = outputs.iter().zip(&data.test.values);
            let sum = squares.fold(0.0, |sum, (z, t)| sum + (z - f64::from(*t)).powi(2));
            sum / data.test.values.len() as f64
        };
        let fake_quantized = forward(&linear, &weights, &data.test.x, ForwardPrecision::F64);
        assert_eq!(
            scores.mean_squared_error_test,
            Some(squared(fake_quantized.clone()))
        );
        let unit = 2_f64.powi(-program.output_fraction);
        let codes = program.logits(&program.input_codes(&data.test.x));
        let exact: Vec<f64> = codes.iter().map(|code| *code as f64 * unit).collect();
        assert_eq!(exact, fake_quantized);
        // The circuit's outputs are the values themselves: no class is chosen.
        let circuit = Circuit::build(&program).unwrap();
        assert_eq!(circuit.outputs().len(), 1);
    }
}

#[tokio::test]
async fn a_float_network_of_values_has_its_error_alone() {
    let float = headed(float_candidate(), 1, Head::Linear);
    let (scores, ..) = scored(values(), &["sum"], Loss::MeanSquaredError, &float).await;
    assert!(scores.mean_squared_error_validation.unwrap() < 0.1);
    assert!(scores.mean_squared_error_test.is_some());
    assert!(scores.costs.is_none() && scores.accuracy_validation.is_none());
}

#[tokio::test]
async fn one_output_tells_two_classes_apart() {
    for (network, is_float) in [(candidate(SIX_BITS), false), (float_candidate(), true)] {
        let sigmoid = headed(network, 1, Head::Sigmoid);
        let (scores, ..) = scored(dataset(), &[], Loss::BinaryCrossEntropy, &sigmoid).await;
        assert!(scores.accuracy_validation.unwrap() > 0.9, "{scores:?}");
        assert!(scores.mean_squared_error_validation.is_none());
        let Some(auc) = scores.auc_validation else {
            assert!(is_float);
            continue;
        };
        // Either class against the other is the same question.
        assert_eq!((auc.len(), auc[0]), (2, auc[1]));
        let confusion = scores.confusion_test.unwrap();
        let right = confusion[0][0] + confusion[1][1];
        let rows: u64 = confusion.iter().flatten().sum();
        assert_eq!(right as f64 / rows as f64, scores.accuracy_test.unwrap());
    }
}

#[tokio::test]
async fn values_of_zero_and_one_are_labels_of_their_own() {
    let text = String::from_utf8(dataset()).unwrap();
    let mut csv = String::from("a,b,c,above,below,label\n");
    for row in text.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let value = |at: usize| fields[at].parse::<f64>().unwrap();
        let (above, below) = (u8::from(value(0) > 0.0), u8::from(value(1) < 0.25));
        let _ = writeln!(
            csv,
            "{},{},{},{above},{below},{}",
            fields[0], fields[1], fields[2], fields[3]
        );
    }
    let sigmoid = headed(candidate(SIX_BITS), 2, Head::Sigmoid);
    let data = csv.into_bytes();
    let (scores, weights, _) = scored(
        data.clone(),
        &["above", "below"],
        Loss::BinaryCrossEntropy,
        &sigmoid,
    )
    .await;
    assert!(scores.accuracy_validation.unwrap() > 0.7, "{scores:?}");
    assert!(
        scores
            .auc_validation
            .as_ref()
            .unwrap()
            .iter()
            .all(|auc| *auc > 0.9)
    );
    assert!(scores.confusion_test.is_none());
    let aim = Aim {
        targets: vec!["above".to_owned(), "below".to_owned()],
        standardise: false,
    };
    let test = prepared(&data, &aim).test;
    let outputs = forward(&sigmoid, &weights, &test.x, ForwardPrecision::F64);
    let right = outputs
        .iter()
        .zip(&test.values)
        .map(|(z, t)| (*z >= 0.0) == (*t == 1.0));
    let right: Vec<bool> = right.collect();
    let rows = right
        .chunks(2)
        .filter(|row| row.iter().all(|right| *right))
        .count();
    assert_eq!(scores.accuracy_test, Some(rows as f64 / test.rows as f64));

    // Another value is no label.
    let data = String::from_utf8(data)
        .unwrap()
        .replace(",1,1,1\n", ",3,1,1\n");
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let mut search = search(&fake.store(data.into_bytes()), 2, 0.02);
    search.training.loss = Loss::BinaryCrossEntropy;
    search.dataset.targets = aim.targets;
    let unit = queue_of_search(&fake, &search, &sigmoid);
    let failed = fake.failed(&unit).await;
    assert_eq!(failed.code, "dataset-invalid");
    assert!(
        failed
            .message
            .contains("has the target 3; accepted: 0 to 1"),
        "{}",
        failed.message
    );
    worker.drained().await;
}
