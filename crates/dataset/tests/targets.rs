//! Values to predict: from files, from features, split, standardised and stored.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use bitfront_dataset::{Aim, Dataset, Prepared, SplitSpec, StoredError};
use npyz::WriterBuilder as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A stored file of a test, which nobody writes to once it is mapped.
#[expect(unsafe_code, reason = "a map's contract")]
fn map(path: &Path, key: &str) -> Result<Prepared, StoredError> {
    // SAFETY: as said above.
    unsafe { Prepared::map(path, key) }
}

/// An npz file of float arrays, and of whole numbers under names that end in `#`.
fn npz(arrays: &[(&str, &[u64], &[f64])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, shape, values) in arrays {
        let file = format!("{}.npy", name.trim_end_matches('#'));
        zip.start_file(file, SimpleFileOptions::default()).unwrap();
        let mut bytes = Vec::new();
        if name.ends_with('#') {
            let options = npyz::WriteOptions::new().default_dtype().shape(shape);
            let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
            writer.extend(values.iter().map(|v| *v as i64)).unwrap();
            writer.finish().unwrap();
        } else {
            let options = npyz::WriteOptions::new().default_dtype().shape(shape);
            let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
            writer.extend(values.iter().copied()).unwrap();
            writer.finish().unwrap();
        }
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn jets() -> Dataset {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/jets/jets_small.npz");
    Dataset::open(root).unwrap()
}

fn aim(targets: &[&str], standardise: bool) -> Aim {
    Aim {
        targets: targets.iter().map(ToString::to_string).collect(),
        standardise,
    }
}

#[test]
fn float_labels_of_npz_are_values_one_or_several_a_row() {
    let x: (&str, &[u64], &[f64]) = ("x", &[3, 1], &[0.0, 1.0, 2.0]);
    let one = Dataset::parse(&npz(&[x, ("y", &[3], &[0.5, 1.0, 80.4])]), "f.npz").unwrap();
    assert_eq!((one.targets, one.classes), (vec!["y".to_owned()], vec![]));
    assert_eq!(
        (one.train.values, one.train.y),
        (vec![0.5, 1.0, 80.4], vec![])
    );
    let y: (&str, &[u64], &[f64]) = ("y", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let two = Dataset::parse(&npz(&[x, y]), "f.npz").unwrap();
    assert_eq!(two.targets, ["y0", "y1"]);
    assert_eq!(two.train.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

    let refusal = |arrays: &[_]| {
        Dataset::parse(&npz(arrays), "f.npz")
            .unwrap_err()
            .to_string()
    };
    let accepted = "accepted: a one-dimensional array of integers, one a row (class numbers from 0), or an array of floats, \
                    rows or rows x targets (values to predict)";
    let text = refusal(&[x, ("y", &[3, 1, 1], &[1.0, 2.0, 3.0])]);
    assert_eq!(text, format!("f.npz: array y: shape [3, 1, 1]; {accepted}"));
    let text = refusal(&[x, ("y", &[2], &[1.0, 2.0])]);
    assert_eq!(
        text,
        "f.npz: array y: 2 labels; accepted: 3, one a row of x"
    );
    let text = refusal(&[x, ("y", &[3], &[1.0, f64::NAN, 3.0])]);
    assert_eq!(
        text,
        "f.npz: y, row 1, column y: NaN is not accepted; accepted: finite numbers"
    );
    let text = refusal(&[
        ("x_train", &[2, 1], &[0.0, 1.0]),
        ("y_train", &[2], &[0.5, 1.0]),
        ("x_test", &[2, 1], &[0.0, 1.0]),
        ("y_test#", &[2], &[0.0, 1.0]),
    ]);
    assert_eq!(
        text,
        "f.npz: array y_test: class numbers; accepted: 1 floats a row, as y_train has"
    );
}

#[test]
fn a_last_column_of_numbers_that_are_not_all_whole_is_a_value() {
    let data = Dataset::parse(b"a,b,mass\n1,2,80.4\n3,4,91\n", "f.csv").unwrap();
    assert_eq!(
        (&*data.targets, &*data.features),
        (
            &["mass".to_owned()][..],
            &["a".to_owned(), "b".to_owned()][..]
        )
    );
    assert_eq!(data.train.values, [80.4, 91.0]);
    for classes in [
        "a,y\n1,0\n2,1\n",
        "a,y\n1,0.5\n2,w\n",
        "a,y\n1,nan\n2,0.5\n",
    ] {
        let data = Dataset::parse(classes.as_bytes(), "f.csv").unwrap();
        assert!(
            data.targets.is_empty() && data.classes.len() == 2,
            "{classes}"
        );
    }
}

#[test]
fn a_feature_that_is_predicted_is_read_no_more() {
    let (jets, split) = (jets(), SplitSpec::default());
    let classes = jets.prepare(&split).unwrap();
    let column = |name: &str| jets.features.iter().position(|f| f == name).unwrap();
    let (mass, multiplicity) = (column("j_mass_mmdt"), column("j_multiplicity"));
    let raw = jets
        .prepare_for(&aim(&["j_multiplicity", "j_mass_mmdt"], false), &split)
        .unwrap();
    assert_eq!(
        (raw.train.columns, raw.targets.len(), raw.features.len()),
        (14, 2, 14)
    );
    assert!(raw.classes.is_empty() && raw.train.y.is_empty());
    // The rows are those of the classes' split, and the other features stay what they were.
    let own_test = jets.test.as_ref().unwrap();
    for row in [0, 7, 11_999] {
        let (raw_row, own) = (raw.test.row(row), classes.test.row(row));
        let kept: Vec<f32> = (0..16)
            .filter(|c| ![mass, multiplicity].contains(c))
            .map(|c| own[c])
            .collect();
        assert_eq!(raw_row, kept);
        let values = [own_test.row(row)[multiplicity], own_test.row(row)[mass]];
        assert_eq!(raw.test.values[2 * row..][..2], values);
    }

    let even = jets
        .prepare_for(&aim(&["j_mass_mmdt"], true), &split)
        .unwrap();
    // Standardised over the train rows as the feature is.
    let expected: Vec<f32> = (0..classes.validation.rows)
        .map(|row| classes.validation.row(row)[mass])
        .collect();
    assert_eq!(even.validation.values, expected);
    assert_eq!(even.target_mean, [classes.mean[mass]]);
    assert_eq!(even.target_std, [classes.std[mass]]);
    assert_eq!(
        (&*raw.target_mean, &*raw.target_std),
        (&[0.0; 2][..], &[1.0; 2][..])
    );
}

#[test]
fn targets_that_cannot_be_say_what_can() {
    let data = Dataset::parse(b"a,b,class\n1,2,0\n3,4,1\n5,6,0\n", "f.csv").unwrap();
    let refusal = |targets: &[&str]| {
        let refused = data.prepare_for(&aim(targets, false), &SplitSpec::default());
        refused.unwrap_err().to_string()
    };
    assert_eq!(refusal(&["c"]), "target c is no feature; accepted: a, b");
    assert_eq!(
        refusal(&["a", "a"]),
        "target a stands twice; accepted: names that differ"
    );
    assert_eq!(
        refusal(&["b", "a"]),
        "target a is one too many; accepted: at most 1, so that a feature is left to read"
    );
}

#[test]
fn values_are_split_whole_and_stored_as_they_are() {
    let mut csv = String::from("a,mass\n");
    for row in 0..50 {
        let _ = writeln!(csv, "{row},{}.5", 100 + row);
    }
    let data = Dataset::parse(csv.as_bytes(), "f.csv").unwrap();
    let split = SplitSpec::default();
    let prepared = data.prepare(&split).unwrap();
    let tables = [&prepared.train, &prepared.validation, &prepared.test];
    assert_eq!(tables.map(|table| table.rows), [32, 8, 10]);
    let mut all: Vec<f32> = tables.iter().flat_map(|t| t.values.clone()).collect();
    all.sort_by(f32::total_cmp);
    assert_eq!(
        all,
        (0..50).map(|row| 100.5 + row as f32).collect::<Vec<_>>()
    );

    let aim = aim(&[], true);
    let even = data.prepare_for(&aim, &split).unwrap();
    let mean = even.train.values.iter().sum::<f32>() / 32.0;
    assert!(mean.abs() < 1e-5 && even.target_std[0] > 1.0, "{mean}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prepared");
    let key = Prepared::key(&data.digest, &aim, &split);
    assert_ne!(key, Prepared::key(&data.digest, &Aim::default(), &split));
    even.store(&key, &File::create(&path).unwrap()).unwrap();
    assert_eq!(map(&path, &key).unwrap(), even);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    assert!(map(&path, &key).is_err());
}
