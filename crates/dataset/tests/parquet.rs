//! Parquet files of several writers' settings; made by scripts/make-data-files.
#![cfg(feature = "parquet")]

use std::fs;
use std::path::{Path, PathBuf};

use bitfront_dataset::{Dataset, SplitSpec};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/data")
        .join(name)
}

#[test]
fn the_published_layout_is_the_table_of_the_arff_file() {
    let parquet = Dataset::open(testdata("openml.parquet")).unwrap();
    let arff = Dataset::open(testdata("openml.arff")).unwrap();
    assert_eq!(parquet.train, arff.train);
    assert_eq!(
        (&parquet.features, &parquet.classes),
        (&arff.features, &arff.classes)
    );
    assert_eq!((parquet.train.rows, parquet.features.len()), (40, 16));
    assert_eq!(parquet.classes, ["g", "q", "t", "w", "z"]);
    parquet.prepare(&SplitSpec::default()).unwrap();
}

#[test]
fn types_encodings_pages_and_groups() {
    let jets = Dataset::open(testdata("openml.arff")).unwrap();
    for name in ["gzip", "plain", "groups", "split"] {
        let data = Dataset::open(testdata(&format!("parquet/{name}.parquet"))).unwrap();
        assert_eq!(data.features, ["m", "n", "k", "b"], "{name}");
        assert_eq!(data.classes, ["0", "1", "2", "3", "4"], "{name}");
        assert_eq!(data.train.rows, 40, "{name}");
        for row in 0..40 {
            let [mass, multiplicity] = [14, 15].map(|at| jets.train.row(row)[at]);
            let heavy = f32::from(u8::from(mass > 80.0));
            let expected = [mass, multiplicity, multiplicity, heavy];
            assert_eq!(data.train.row(row), expected, "{name}, row {row}");
            assert_eq!(usize::from(data.train.y[row]), row % 5, "{name}");
        }
    }
}

#[test]
fn a_last_column_of_floats_is_a_value() {
    let data = Dataset::open(testdata("parquet/values.parquet")).unwrap();
    let jets = Dataset::open(testdata("openml.arff")).unwrap();
    assert_eq!(
        (&*data.features, &*data.targets),
        (&["n".to_owned(), "b".to_owned()][..], &["m".to_owned()][..])
    );
    assert!(data.classes.is_empty() && data.train.y.is_empty());
    let masses: Vec<f32> = (0..40).map(|row| jets.train.row(row)[14]).collect();
    assert_eq!(data.train.values, masses);
    data.prepare(&SplitSpec::default()).unwrap();
}

#[test]
fn what_is_not_read_is_named() {
    let cases = [
        (
            "unknown",
            "parquet, row 0, column m: NaN is not accepted; accepted: finite numbers",
        ),
        (
            "zstd",
            "column m: pages packed by zstd, LZ4, Brotli or LZO; accepted: not packed, Snappy, gzip",
        ),
        (
            "missing",
            "parquet, row 0, column m: a missing value is not accepted",
        ),
        (
            "lists",
            "a column of lists or structures; accepted are plain columns",
        ),
    ];
    for (name, part) in cases {
        let error = Dataset::open(testdata(&format!("parquet/{name}.parquet"))).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    let refused = |bytes: &[u8]| Dataset::parse(bytes, "f").unwrap_err().to_string();
    assert!(refused(b"PAR1xxxxxxxx").contains("no `PAR1` at its end: cut short, or encrypted"));
    assert!(refused(b"PAR1\xff\xff\xff\xffPAR1").contains("a footer longer than the file"));
}

#[test]
fn a_file_cut_short_or_changed_is_read_or_refused() {
    for name in ["gzip", "plain", "groups", "split", "values"] {
        let whole = fs::read(testdata(&format!("parquet/{name}.parquet"))).unwrap();
        for at in 0..whole.len() {
            assert!(
                Dataset::parse(&whole[..at], "f").is_err(),
                "{name} cut at {at}"
            );
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            if let Ok(data) = Dataset::parse(&changed, "f") {
                assert_eq!(data.train.x.len(), data.train.rows * data.train.columns);
                let labels = data.train.y.len() + data.train.values.len();
                assert_eq!(labels, data.train.rows);
            }
        }
    }
}
