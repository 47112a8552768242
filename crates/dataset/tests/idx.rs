//! idx files good and bad: what is read, and what the errors say.

use std::io::{Cursor, Write as _};
use std::path::Path;

use bitfront_dataset::{Dataset, DatasetError, Scaling, SplitSpec};
use flate2::Compression;
use flate2::write::GzEncoder;

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|axis| axis.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn images(rows: u32) -> Vec<u8> {
    let values: Vec<u8> = (0..rows * 6).map(|at| (at * 7 % 256) as u8).collect();
    idx(&[rows, 2, 3], &values)
}

fn labels(rows: u32) -> Vec<u8> {
    let values: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
    idx(&[rows], &values)
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(path: &Path) -> Result<Dataset, String> {
    Dataset::open(path).map_err(|e: DatasetError| e.to_string())
}

#[test]
fn a_folder_as_it_ships() {
    let files = folder(&[
        ("README.md", b"not a part".to_vec()),
        ("train-images-idx3-ubyte.gz", gzip(&images(30))),
        ("train-labels-idx1-ubyte.gz", gzip(&labels(30))),
        ("t10k-images-idx3-ubyte.gz", gzip(&images(6))),
        ("t10k-labels-idx1-ubyte.gz", gzip(&labels(6))),
    ]);
    let data = open(files.path()).unwrap();
    assert_eq!((data.train.rows, data.train.columns), (30, 6));
    assert_eq!(data.train.x[..7], [0.0, 7.0, 14.0, 21.0, 28.0, 35.0, 42.0]);
    assert_eq!(data.train.y[..4], [0, 1, 2, 0]);
    assert_eq!(data.classes, ["0", "1", "2"]);
    assert_eq!(data.features[..4], ["p0_0", "p0_1", "p0_2", "p1_0"]);
    assert_eq!(data.test.as_ref().map(|test| test.rows), Some(6));
    // What is sent to a coordinator is the same data set.
    let bytes = Dataset::bytes(files.path()).unwrap();
    assert_eq!(Dataset::parse(&bytes, "f.zip").unwrap(), data);
    assert_eq!(Dataset::bytes(files.path()).unwrap(), bytes);

    // Pixels become fractions of 256, exactly.
    assert_eq!(data.scaling, Scaling::Pixels);
    let prepared = data.prepare(&SplitSpec::default()).unwrap();
    assert_eq!((prepared.mean[5], prepared.std[5]), (0.0, 256.0));
    assert_eq!(prepared.test.x[1], 7.0 / 256.0);
}

#[test]
fn plain_files_without_test_rows() {
    let files = folder(&[(IMAGES, images(9)), (LABELS, labels(9))]);
    let data = open(files.path()).unwrap();
    assert_eq!(data.train.rows, 9);
    assert!(data.test.is_none());
}

#[test]
fn faults_are_named() {
    let whole = images(9);
    let mut damaged = gzip(&whole);
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    let mut floats = whole.clone();
    floats[2] = 0x0d;
    let cases = [
        (vec![], "no idx files"),
        (
            vec![(IMAGES, whole.clone())],
            "train images or labels: missing",
        ),
        (
            vec![(IMAGES, whole[..40].to_vec()), (LABELS, labels(9))],
            "shape [9, 2, 3] declared in 40 bytes",
        ),
        (
            vec![(IMAGES, [&whole[..], b"x"].concat()), (LABELS, labels(9))],
            "there are more",
        ),
        (
            vec![(IMAGES, gzip(&whole)[..30].to_vec()), (LABELS, labels(9))],
            "not a whole idx file",
        ),
        (
            vec![(IMAGES, damaged), (LABELS, labels(9))],
            "not a whole idx file",
        ),
        (
            vec![(IMAGES, floats), (LABELS, labels(9))],
            "values of type 0x0d; accepted: unsigned bytes",
        ),
        (
            vec![(IMAGES, whole.clone()), (LABELS, labels(8))],
            "shape [8]; accepted: shape [9]",
        ),
        (
            vec![(IMAGES, labels(9)), (LABELS, labels(9))],
            "accepted: at least one image",
        ),
        (
            vec![
                (IMAGES, idx(&[u32::MAX, u32::MAX, 9], b"x")),
                (LABELS, labels(9)),
            ],
            "declared in",
        ),
        (
            vec![
                (IMAGES, gzip(&idx(&[u32::MAX, 28, 28], b"x"))),
                (LABELS, labels(9)),
            ],
            "declared in",
        ),
        (
            vec![
                (IMAGES, whole),
                (LABELS, labels(9)),
                ("t10k-images-idx3-ubyte", idx(&[3, 3, 3], &[0; 27])),
                ("t10k-labels-idx1-ubyte", labels(3)),
            ],
            "images as those of train-images",
        ),
    ];
    for (files, expected) in cases {
        let files = folder(&files);
        let error = open(files.path()).unwrap_err();
        assert!(error.contains(expected), "{error}\nwithout {expected}");
    }
    let single = Dataset::parse(&images(9), "train-images")
        .unwrap_err()
        .to_string();
    assert!(single.contains("a single idx array"), "{single}");
}

#[test]
fn arrays_of_images_in_npz() {
    use npyz::WriterBuilder as _;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("x.npy", options).unwrap();
    let mut array = npyz::WriteOptions::new()
        .default_dtype()
        .order(npyz::Order::Fortran)
        .shape(&[30, 2, 2])
        .writer(&mut zip)
        .begin_nd()
        .unwrap();
    // The value of (row, i, j) is 100 j + 10 i + row.
    let values = (0..120).map(|at| (at / 60 * 100 + at / 30 % 2 * 10 + at % 30) as f32);
    array.extend(values).unwrap();
    array.finish().unwrap();
    zip.start_file("y.npy", options).unwrap();
    let mut array = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[30])
        .writer(&mut zip)
        .begin_nd()
        .unwrap();
    array.extend((0..30).map(|row| (row % 3) as u8)).unwrap();
    array.finish().unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let data = Dataset::parse(&bytes, "f.npz").unwrap();
    assert_eq!(data.scaling, Scaling::Channels(2));
    assert_eq!(data.train.columns, 4);
    assert_eq!(data.train.row(5), [5.0, 105.0, 15.0, 115.0]);
    let prepared = data.prepare(&SplitSpec::default()).unwrap();
    assert_eq!(prepared.mean[0], prepared.mean[2]);
    assert_eq!(prepared.mean[1], prepared.mean[0] + 100.0);
    assert_eq!(prepared.std[0], prepared.std[1]);
}
