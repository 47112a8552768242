//! Npz data sets: whole zip files, and arrays that this target zips itself.
//!
//! A zip keeps checksums, so that changed bytes of a zip rarely reach the reader of arrays. An input
//! that is no zip is therefore taken as a list of arrays: a byte that chooses the name and whether it is
//! packed, two bytes with the length, the bytes of the array.

use std::io::{Cursor, Write as _};

use zip::CompressionMethod::{Deflated, Stored};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::Target;

/// Bytes of an npz file, or a list of arrays.
pub const TARGET: Target = Target {
    name: "npz",
    run,
    seeds,
};

/// Names of arrays that the reader looks for, and one that it does not.
const NAMES: [&str; 9] = [
    "x", "y", "x_train", "y_train", "x_test", "y_test", "features", "classes", "other",
];

/// Bit of the first byte that says deflate.
const PACKED: u8 = 0x80;

fn run(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PK") {
        crate::csv::read(bytes)
    } else {
        zipped(bytes).is_some_and(|bytes| crate::csv::read(&bytes))
    }
}

/// The zip of a list of arrays; `None` for a name that comes twice.
fn zipped(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    while let [name, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (array, rest) = rest.split_at(length);
        let method = if name & PACKED == 0 { Stored } else { Deflated };
        let options = SimpleFileOptions::default().compression_method(method);
        let name = NAMES[usize::from(name & !PACKED) % NAMES.len()];
        zip.start_file(format!("{name}.npy"), options).ok()?;
        zip.write_all(array).ok()?;
        bytes = rest;
    }
    Some(zip.finish().ok()?.into_inner())
}

fn seeds() -> Vec<Vec<u8>> {
    let x: Vec<u8> = (0..12_u8)
        .flat_map(|v| f32::from(v).to_le_bytes())
        .collect();
    let wide: Vec<u8> = (0..6_u8).flat_map(|v| f64::from(v).to_le_bytes()).collect();
    let y = |labels: &[i64]| {
        labels
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let names: Vec<u8> = "p\0q\0"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let lists = [
        vec![
            (0, npy("<f4", "(6, 2)", "False", &x)),
            (1, npy("<i8", "(6,)", "False", &y(&[0, 1, 0, 1, 2, 2]))),
        ],
        vec![
            (2 | PACKED, npy("<f8", "(3, 2)", "True", &wide)),
            (3, npy("|u1", "(3,)", "False", &[0, 1, 0])),
            (4, npy("<i2", "(2, 2)", "False", &[1, 0, 2, 0, 3, 0, 4, 0])),
            (
                5 | PACKED,
                npy("<i4", "(2, 1)", "False", &[0, 0, 0, 0, 1, 0, 0, 0]),
            ),
            (6, npy("<U2", "(2,)", "False", &names)),
            (7 | PACKED, npy("|S3", "(2,)", "False", b"one2\0\0")),
            (8, npy("<f4", "()", "False", &[0; 4])),
        ],
    ];
    let mut seeds = Vec::new();
    for list in lists {
        let mut seed = Vec::new();
        for (name, array) in list {
            let length = u16::try_from(array.len()).expect("a small array");
            seed.push(name);
            seed.extend(length.to_le_bytes());
            seed.extend(array);
        }
        seeds.push(zipped(&seed).expect("names differ"));
        seeds.push(seed);
    }
    seeds
}

/// A version 1 array file.
fn npy(descr: &str, shape: &str, fortran: &str, data: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).expect("a short header");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}
