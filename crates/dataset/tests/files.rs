//! Files good and bad: what is read, and what the errors say.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use bitfront_dataset::{Dataset, DatasetError, SplitSpec, Table, TestRows};
use npyz::WriterBuilder as _;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Arrays on the way into an npz.
struct Npz(ZipWriter<Cursor<Vec<u8>>>);

impl Npz {
    fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    fn array<T: npyz::Serialize + npyz::AutoSerialize + Copy>(
        mut self,
        name: &str,
        shape: &[u64],
        values: &[T],
    ) -> Self {
        self.start(name);
        let options = npyz::WriteOptions::new();
        let mut writer = options
            .default_dtype()
            .shape(shape)
            .writer(&mut self.0)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        self
    }

    fn strings(mut self, name: &str, values: &[&str]) -> Self {
        let dtype = npyz::DType::Plain("<U8".parse().unwrap());
        self.start(name);
        let mut writer = npyz::WriteOptions::<str>::new()
            .dtype(dtype)
            .shape(&[values.len() as u64])
            .writer(&mut self.0)
            .begin_nd()
            .unwrap();
        for value in values {
            writer.push(*value).unwrap();
        }
        writer.finish().unwrap();
        self
    }

    /// Starts the file of an array.
    fn start(&mut self, name: &str) {
        let options = SimpleFileOptions::default();
        self.0.start_file(format!("{name}.npy"), options).unwrap();
    }

    fn bytes(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

fn refusal(bytes: &[u8]) -> String {
    Dataset::parse(bytes, "f.npz").unwrap_err().to_string()
}

#[test]
fn npz_with_and_without_test_rows() {
    let bytes = Npz::new()
        .array("x_train", &[3, 2], &[1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0])
        .array("y_train", &[3], &[0_i64, 1, 1])
        .array("x_test", &[2, 2], &[7.0_f32, 8.0, 9.0, 10.0])
        .array("y_test", &[2], &[1_u8, 0])
        .strings("features", &["mass", "width"])
        .strings("classes", &["w", "z"])
        .bytes();
    let data = Dataset::parse(&bytes, "f.npz").unwrap();
    assert_eq!(data.features, ["mass", "width"]);
    assert_eq!(data.classes, ["w", "z"]);
    assert_eq!(data.train.x, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(data.train.y, [0, 1, 1]);
    assert_eq!(data.test.unwrap().y, [1, 0]);
    assert_eq!(data.digest.len(), 64);

    let bytes = Npz::new()
        .array("x", &[2, 1], &[1_i32, 2])
        .array("y", &[2], &[1_u16, 0])
        .bytes();
    let data = Dataset::parse(&bytes, "f.npz").unwrap();
    assert_eq!(
        (data.features, data.classes),
        (vec!["x0".to_owned()], vec!["0".to_owned(), "1".to_owned()])
    );
    assert!(data.test.is_none());
}

#[test]
fn npz_faults_are_named() {
    let good = || Npz::new().array("x", &[3, 1], &[1.0_f32, 2.0, 3.0]);
    let text = refusal(&good().array("y", &[2], &[0_u8, 1]).bytes());
    assert_eq!(
        text,
        "f.npz: array y: 2 labels; accepted: 3, one a row of x"
    );
    let text = refusal(&good().bytes());
    assert!(text.contains("array y: missing"), "{text}");
    let text = refusal(&good().strings("y", &["w", "z", "w"]).bytes());
    assert!(
        text.contains("array y: type") && text.contains("integers"),
        "{text}"
    );
    let text = refusal(&good().array("y", &[3], &[0_i64, -1, 1]).bytes());
    assert_eq!(
        text,
        "f.npz: y, row 1, column label: -1 is not accepted; accepted: class numbers 0 to 1"
    );
    let text = refusal(
        &good()
            .array("y", &[3], &[0_u8, 3, 1])
            .strings("classes", &["a", "b", "c"])
            .bytes(),
    );
    assert!(
        text.contains("row 1, column label: 3") && text.contains("0 to 2"),
        "{text}"
    );
    let text = refusal(&good().array("y", &[3], &[0_u8, 2, 0]).bytes());
    assert_eq!(
        text,
        "f.npz: train rows: class 1 has 0 rows; accepted: at least 1"
    );
    let text = refusal(
        &good()
            .array("y", &[3], &[0_u8, 1, 0])
            .strings("features", &["a", "b"])
            .bytes(),
    );
    assert!(
        text.contains("array features: shape [2]; accepted: one name for each of the 1 columns"),
        "{text}"
    );

    let wide = |x: [f32; 4]| {
        Npz::new()
            .array("x", &[2, 2], &x)
            .array("y", &[2], &[0_u8, 1])
            .strings("features", &["m", "w"])
    };
    let text = refusal(&wide([0.0, 1.0, 2.0, f32::NAN]).bytes());
    assert_eq!(
        text,
        "f.npz: x, row 1, column w: NaN is not accepted; accepted: finite numbers"
    );
    let text = refusal(
        &Npz::new()
            .array("x", &[4], &[0.0_f32; 4])
            .array("y", &[4], &[0_u8, 1, 0, 1])
            .bytes(),
    );
    assert!(text.contains("array x: shape [4]"), "{text}");
    let text = refusal(&Npz::new().array("data", &[4], &[0.0_f32; 4]).bytes());
    assert!(text.contains("the file has data"), "{text}");
    let twice = Npz::new()
        .array("x", &[2, 2], &[0.0_f32; 4])
        .array("y", &[2], &[0_u8, 1])
        .strings("features", &["m", "m"]);
    let error = Dataset::parse(&twice.bytes(), "f.npz").unwrap_err();
    assert!(matches!(
        error,
        DatasetError::DuplicateFeature {
            first: 0,
            second: 1,
            ..
        }
    ));
}

#[test]
fn a_header_that_declares_too_much_is_refused_before_allocating() {
    let mut npz = Npz::new();
    for (name, shape) in [("x", "(1000000000, 1000)"), ("y", "(1000000000,)")] {
        npz.start(name);
        let zip = &mut npz.0;
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(text.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        zip.write_all(&[0; 16]).unwrap();
    }
    let text = refusal(&npz.bytes());
    assert!(
        text.contains("array x: shape [1000000000, 1000]") && text.contains("over 16 bytes"),
        "{text}"
    );
}

#[test]
fn a_header_of_nested_brackets_is_refused_before_it_is_parsed() {
    // The parser would take 2^60 steps: the test hangs where brackets are not counted first.
    let brackets = "[".repeat(60);
    let mut npz = Npz::new();
    npz.start("x");
    let zip = &mut npz.0;
    let text = format!("{{'descr': {brackets}, 'fortran_order': False, 'shape': (1, 1), }}\n");
    zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
    zip.write_all(&(text.len() as u16).to_le_bytes()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    zip.write_all(&[0; 4]).unwrap();
    let text = refusal(&npz.array("y", &[1], &[0_i64]).bytes());
    assert!(
        text.contains("array x: a header with more than 4 brackets within each other"),
        "{text}"
    );
}

#[test]
fn fortran_order_is_transposed() {
    let mut npz = Npz::new();
    npz.start("x");
    let mut array = npyz::WriteOptions::new()
        .default_dtype()
        .order(npyz::Order::Fortran)
        .shape(&[2, 3])
        .writer(&mut npz.0)
        .begin_nd()
        .unwrap();
    array.extend([1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap();
    array.finish().unwrap();
    let bytes = npz.array("y", &[2], &[0_u8, 1]).bytes();
    assert_eq!(
        Dataset::parse(&bytes, "f").unwrap().train.x,
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
}

#[test]
fn csv_labels_by_name_or_number() {
    let data = Dataset::parse(b"m, w, kind\n1, 2, z\n3, 4, g\n5, 6, z\n", "f.csv").unwrap();
    assert_eq!(data.features, ["m", "w"]);
    assert_eq!(data.classes, ["g", "z"]);
    assert_eq!(data.train.y, [1, 0, 1]);
    assert_eq!(data.train.x, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let data = Dataset::parse(b"m,label\n1e0,1\n-2,0\n", "f.csv").unwrap();
    assert_eq!((data.classes.len(), data.train.y), (2, vec![1, 0]));
}

#[test]
fn csv_faults_are_named() {
    let text = |csv: &str| {
        Dataset::parse(csv.as_bytes(), "f.csv")
            .unwrap_err()
            .to_string()
    };
    let cases = [
        (
            "m,w,y\n1,2,0\n1,nan,1\n",
            "f.csv: csv, line 3, column w: \"nan\" is not accepted; accepted: finite numbers",
        ),
        ("m,w,y\n1,,0\n", "line 2, column w: \"\""),
        ("m,w,y\n1,2\n", "not a regular csv"),
        (
            "m,m,y\n1,2,0\n1,2,1\n",
            "feature m appears twice (columns 0 and 1)",
        ),
        ("m,y\n1,0\n2,2\n", "class 1 has 0 rows"),
        ("m,y\n1,0\n2,300\n", "column label: \"300\""),
        ("m,y\n1,0\n2,\n", "line 3, column label"),
        ("1,2,0\n1,2,1\n", "the first row holds only numbers"),
        ("m,y\n", "no rows below it"),
        ("m,y\n1,a\n", "1 classes; accepted: 2 to 256 classes"),
    ];
    for (csv, part) in cases {
        assert!(text(csv).contains(part), "{csv:?} gave {}", text(csv));
    }
}

#[test]
fn other_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jets.npz");
    let text = Dataset::open(&path).unwrap_err().to_string();
    assert!(
        text.starts_with("read ") && text.contains("jets.npz"),
        "{text}"
    );
    std::fs::write(&path, b"ARROW1xx").unwrap();
    let text = Dataset::open(&path).unwrap_err().to_string();
    assert!(
        text.contains("looks like an Arrow file; accepted are npz"),
        "{text}"
    );
}

#[cfg(not(feature = "hdf5"))]
#[test]
fn a_program_without_hdf5_says_so() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/data");
    for name in ["cernbox.z", "zenodo"] {
        let text = Dataset::open(data.join(name)).unwrap_err().to_string();
        let part = "is an HDF5 file, and this program was built without HDF5: rebuild with --features hdf5";
        assert!(text.contains(part), "{text}");
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_parquet_says_so() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/data");
    let text = Dataset::open(data.join("openml.parquet")).unwrap_err();
    let part = "is a Parquet file, and this program was built without Parquet: rebuild with --features parquet";
    assert!(text.to_string().contains(part), "{text}");
}

fn jets() -> Dataset {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/jets/jets_small.npz");
    Dataset::open(root).unwrap()
}

#[test]
fn the_sample_of_jets() {
    let jets = jets();
    assert_eq!(
        jets.digest,
        "125cc991d6f6de9d2b84036f50e3d5446ecf7bce7573fd5fb68f5e9980c8be4e"
    );
    assert_eq!(jets.classes, ["g", "q", "w", "z", "t"]);
    assert_eq!(
        (jets.features.len(), jets.features[0].as_str()),
        (16, "j_zlogz")
    );
    assert_eq!(
        (jets.train.rows, jets.test.as_ref().unwrap().rows),
        (48_000, 12_000)
    );
    let prepared = jets.prepare(&SplitSpec::default()).unwrap();
    assert_eq!(
        (prepared.train.rows, prepared.validation.rows),
        (38_400, 9_600)
    );
    assert_eq!(prepared.test.rows, 12_000);
    for column in 0..16 {
        let values = || {
            prepared
                .train
                .x
                .iter()
                .skip(column)
                .step_by(16)
                .map(|v| f64::from(*v))
        };
        let mean = values().sum::<f64>() / 38_400.0;
        let square = values().map(|v| v * v).sum::<f64>() / 38_400.0;
        assert!(
            mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-5,
            "{column}: {mean} {square}"
        );
        let raw = f64::from(jets.test.as_ref().unwrap().row(7)[column]);
        let (m, s) = (
            f64::from(prepared.mean[column]),
            f64::from(prepared.std[column]),
        );
        assert_eq!(prepared.test.row(7)[column], ((raw - m) / s) as f32);
    }
    assert_eq!(prepared, jets.prepare(&SplitSpec::default()).unwrap());
    let other = jets
        .prepare(&SplitSpec {
            seed: 1,
            ..SplitSpec::default()
        })
        .unwrap();
    assert_ne!(prepared.train.y, other.train.y);
}

proptest! {
    #[test]
    fn splits_are_stratified_and_take_every_row_once(
        sizes in prop::collection::vec(10_usize..60, 2..5), seed: u64,
    ) {
        let mut csv = String::from("x,y\n");
        let mut row = 0;
        for (class, size) in sizes.iter().enumerate() {
            for _ in 0..*size {
                writeln!(csv, "{row},{class}").unwrap();
                row += 1;
            }
        }
        let data = Dataset::parse(csv.as_bytes(), "f.csv").unwrap();
        let spec = SplitSpec { train: 0.5, validation: 0.25, test: 0.25, seed, ..SplitSpec::default() };
        let prepared = data.prepare(&spec).unwrap();
        let raw = |v: f32| (f64::from(v) * f64::from(prepared.std[0]) + f64::from(prepared.mean[0])).round() as usize;
        let mut seen: Vec<usize> = Vec::new();
        for table in [&prepared.train, &prepared.validation, &prepared.test] {
            seen.extend(table.x.iter().map(|v| raw(*v)));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..row).collect::<Vec<_>>());
        for (class, size) in sizes.iter().enumerate() {
            let count = |y: &[u8]| y.iter().filter(|y| usize::from(**y) == class).count();
            let quarter = (*size as f64 / 4.0 + 0.5).floor() as usize;
            prop_assert_eq!(count(&prepared.test.y), quarter);
            prop_assert_eq!(count(&prepared.validation.y), quarter);
        }
    }
}

/// Published loaders' `train_test_split(test_size=0.2, random_state=42)`: rows by numpy's own permutation.
#[test]
fn test_rows_are_those_of_scikit_learn_where_they_are_asked_for() {
    let mut csv = String::from("x,y\n");
    for row in 0..11 {
        writeln!(csv, "{row},{}", ["a", "b"][row % 2]).unwrap();
    }
    let spec = SplitSpec {
        train: 0.6,
        validation: 0.2,
        test: 0.2,
        seed: 42,
        test_rows: TestRows::ScikitLearn,
    };
    let prepared = Dataset::parse(csv.as_bytes(), "f.csv")
        .unwrap()
        .prepare(&spec)
        .unwrap();
    let rows = |table: &Table| -> Vec<usize> {
        let (std, mean) = (f64::from(prepared.std[0]), f64::from(prepared.mean[0]));
        let raw = |v: &f32| (f64::from(*v) * std + mean).round() as usize;
        table.x.iter().map(raw).collect()
    };
    // numpy.random.RandomState(42).permutation(11)[:3], sorted.
    assert_eq!(rows(&prepared.test), [0, 5, 9]);
    let mut rest = [rows(&prepared.train), rows(&prepared.validation)].concat();
    assert_eq!(
        prepared.validation.rows, 2,
        "a quarter of the rest, of each class"
    );
    rest.extend(rows(&prepared.test));
    rest.sort_unstable();
    assert_eq!(rest, (0..11).collect::<Vec<_>>());

    // A class that they lack, a seed that numpy lacks, test rows that the file has.
    let few = Dataset::parse(b"x,y\n1,a\n2,a\n3,a\n4,a\n5,b\n6,b\n7,b\n8,b\n", "f.csv").unwrap();
    let refused = (0..40).find_map(|seed| few.prepare(&SplitSpec { seed, ..spec }).err());
    assert!(
        refused
            .unwrap()
            .to_string()
            .starts_with("test part of the split: class "),
        "two rows of eight are of one class with some seeds"
    );
    let beyond = SplitSpec {
        seed: 1 << 32,
        ..spec
    };
    let text = few.prepare(&beyond).unwrap_err().to_string();
    assert!(
        text.starts_with("split.seed is 4294967296; accepted: 0 to 4294967295"),
        "{text}"
    );
    let mut own = few;
    own.test = Some(own.train.clone());
    let text = own.prepare(&spec).unwrap_err().to_string();
    assert!(text.contains("test rows of its own"), "{text}");
}

#[test]
fn a_class_too_small_to_split_is_named() {
    let data = Dataset::parse(b"x,y\n1,a\n2,a\n3,a\n4,a\n5,a\n6,a\n7,b\n", "f.csv").unwrap();
    let text = data.prepare(&SplitSpec::default()).unwrap_err().to_string();
    assert_eq!(
        text,
        "validation part of the split: class b has 0 rows; accepted: at least 1"
    );
}
