//! HDF5 files in the layouts of the public jet sets, and plain arrays; made by scripts/make-data-files.
#![cfg(feature = "hdf5")]

use std::fs;
use std::path::{Path, PathBuf};

use bitfront_dataset::{Dataset, SplitSpec, Table};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

fn open(name: &str) -> Dataset {
    Dataset::open(testdata(name)).unwrap()
}

/// The first eight jets of each class in turn, as the files have them.
fn rows() -> (Vec<f32>, Vec<u8>) {
    let jets = open("jets/jets_small.npz");
    let mut of_class: [Vec<usize>; 5] = Default::default();
    for (row, class) in jets.train.y.iter().enumerate() {
        of_class[usize::from(*class)].push(row);
    }
    let order: Vec<usize> = (0..40).map(|at| of_class[at % 5][at / 5]).collect();
    let x = order.iter().flat_map(|row| jets.train.row(*row)).copied();
    (
        x.collect(),
        order.iter().map(|r| jets.train.y[*r]).collect(),
    )
}

fn is_rows(table: &Table, from: usize, to: usize) {
    let (x, y) = rows();
    assert_eq!((table.rows, table.columns), (to - from, 16));
    assert_eq!(table.x, x[from * 16..to * 16]);
    assert_eq!(table.y, y[from..to]);
}

fn is_named_as_jets(data: &Dataset) {
    let jets = open("jets/jets_small.npz");
    assert_eq!(data.features, jets.features);
    assert_eq!(data.classes, ["g", "q", "w", "z", "t"]);
}

#[test]
fn a_file_of_jets_with_names() {
    for (file, from, to) in [
        ("train/jetImage_7_100p_0.h5", 0, 15),
        ("train/jetImage_7_100p_1.h5", 15, 30),
        ("val/jetImage_7_100p_2.h5", 30, 40),
    ] {
        let data = open(&format!("data/zenodo/{file}"));
        is_rows(&data.train, from, to);
        is_named_as_jets(&data);
        assert!(data.test.is_none());
    }
}

#[test]
fn a_folder_of_jets_keeps_what_is_published_for_testing_apart() {
    let data = open("data/zenodo");
    is_rows(&data.train, 0, 30);
    is_rows(data.test.as_ref().unwrap(), 30, 40);
    is_named_as_jets(&data);
    let bytes = Dataset::bytes(testdata("data/zenodo")).unwrap();
    assert_eq!(bytes, Dataset::bytes(testdata("data/zenodo")).unwrap());
    assert_eq!(Dataset::parse(&bytes, "jets.npz").unwrap(), data);
    // 40 jets: the images stay behind.
    assert!(bytes.len() < 40 * 16 * 4 + 3000, "{} bytes", bytes.len());

    let data = open("data/zenodo/train");
    is_rows(&data.train, 0, 30);
    assert!(data.test.is_none());
}

#[test]
fn compound_records_packed_by_lzf_lose_their_repeats() {
    let data = open("data/cernbox.z");
    is_rows(&data.train, 0, 40);
    is_named_as_jets(&data);
    data.prepare(&SplitSpec::default()).unwrap();
}

#[test]
fn plain_arrays_named_as_in_npz() {
    let data = open("data/arrays.h5");
    is_rows(&data.train, 0, 30);
    is_rows(data.test.as_ref().unwrap(), 30, 40);
    is_named_as_jets(&data);
}

#[test]
fn float_labels_are_values_one_or_several_a_row() {
    let data = open("data/values.h5");
    let (x, _) = rows();
    assert_eq!(data.targets, ["mass_mmdt", "multiplicity"]);
    assert!(data.classes.is_empty() && data.train.y.is_empty());
    assert_eq!((data.train.rows, data.train.columns), (40, 14));
    let parts = x.chunks_exact(16).map(|row| row.split_at(14));
    let (features, values): (Vec<_>, Vec<_>) = parts.unzip();
    assert_eq!(data.train.x, features.concat());
    assert_eq!(data.train.values, values.concat());

    // The array is found by its second value of row 2.
    let file = fs::read(testdata("data/values.h5")).unwrap();
    let number = f64::from(x[2 * 16 + 15]).to_le_bytes();
    let first = f64::from(x[2 * 16 + 14]).to_le_bytes();
    let pair = [first, number].concat();
    let at = file.windows(16).position(|bytes| bytes == pair).unwrap();
    let mut bad = file.clone();
    bad[at + 8..at + 16].copy_from_slice(&f64::INFINITY.to_le_bytes());
    let error = Dataset::parse(&bad, "f.h5").unwrap_err().to_string();
    assert_eq!(
        error,
        "f.h5: y, row 2, column multiplicity: inf is not accepted; accepted: finite numbers"
    );
}

#[test]
fn labels_of_another_kind_say_what_can_be() {
    // Texts under the name of the labels.
    let mut bytes = fs::read(testdata("data/arrays.h5")).unwrap();
    for (old, new) in [
        (&b"y_train\0"[..], &b"z_train\0"[..]),
        (b"classes\0", b"y_train\0"),
    ] {
        let at = bytes.windows(8).position(|found| found == old).unwrap();
        bytes[at..at + 8].copy_from_slice(new);
    }
    let error = Dataset::parse(&bytes, "f.h5").unwrap_err().to_string();
    assert_eq!(
        error,
        "f.h5: array y_train: shape [5] of a type that is no number; accepted: a one-dimensional array of integers, one a \
         row (class numbers from 0), or an array of floats, rows or rows x targets (values to predict)"
    );
}

#[test]
fn faults_are_named() {
    // A change of as many bytes: (file, what is replaced, by what, part of the error).
    let cases: [(&str, &[u8], &[u8], &str); 4] = [
        (
            "zenodo/train/jetImage_7_100p_0.h5",
            b"j_mass_mmdt",
            b"j_mass_mmdx",
            "jetFeatureNames: no column j_mass_mmdt among its 59; accepted: the 16 features",
        ),
        (
            "zenodo/train/jetImage_7_100p_0.h5",
            b"jetFeatureNames",
            b"jetFeatureNamez",
            "array jetFeatureNames: missing",
        ),
        (
            "cernbox.z",
            b"j_multiplicity\0",
            b"j_multiplicitx\0",
            "array t_allpar_new: no column j_multiplicity among its 60",
        ),
        (
            "arrays.h5",
            b"x_train\0",
            b"w_train\0",
            "array names: none that is known; the file has classes, features, w_train, x_test",
        ),
    ];
    for (file, old, new, part) in cases {
        let mut bytes = fs::read(testdata("data").join(file)).unwrap();
        let found: Vec<usize> = (0..bytes.len() - old.len())
            .filter(|at| &bytes[*at..at + old.len()] == old)
            .collect();
        assert!(!found.is_empty(), "{part}");
        for at in found {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
        let error = Dataset::parse(&bytes, "f.h5").unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn values_that_cannot_be_used_are_named_with_their_row() {
    let file = fs::read(testdata("data/zenodo/train/jetImage_7_100p_0.h5")).unwrap();
    // Contiguous: the row of 59 numbers is found by its first feature.
    let (x, _) = rows();
    let zlogz = f64::from(x[3 * 16]).to_le_bytes();
    let at = file.windows(8).position(|bytes| bytes == zlogz).unwrap();
    let change = |at: usize, value: f64| {
        let mut file = file.clone();
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        Dataset::parse(&file, "f.h5").unwrap_err().to_string()
    };
    let error = change(at, f64::NAN);
    assert!(
        error.contains("f.h5: jets, row 3, column j_zlogz: NaN"),
        "{error}"
    );
    // Its label stands 41 columns on.
    let error = change(at + 8 * (53 - 12), 1.0);
    assert!(
        error.contains("row 3, column j_g, j_q, j_w, j_z, j_t: [1.0, 0.0, 0.0, 1.0, 0.0]"),
        "{error}"
    );
    assert!(error.contains("accepted: one 1 among zeros"), "{error}");
}

#[test]
fn a_file_cut_short_or_changed_is_read_or_refused() {
    for name in [
        "zenodo/val/jetImage_7_100p_2.h5",
        "cernbox.z",
        "arrays.h5",
        "values.h5",
    ] {
        let whole = fs::read(testdata("data").join(name)).unwrap();
        for at in (0..whole.len()).step_by(97) {
            // What follows the last array is no part of the data, so a cut need not be seen.
            let _ = Dataset::parse(&whole[..at], "f.h5");
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            if let Ok(data) = Dataset::parse(&changed, "f.h5") {
                assert_eq!(data.train.x.len(), data.train.rows * data.train.columns);
                let labels = data.train.y.len() + data.train.values.len();
                assert_eq!(labels, data.train.rows * data.targets.len().max(1));
            }
        }
    }
}
