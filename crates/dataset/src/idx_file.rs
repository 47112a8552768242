//! The idx reader: images and labels as MNIST and its successors ship them, one array a file, plain or gzip.
//!
//! A data set is several files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same with `t10k` (or
//! `test`) for the test rows. They come as a folder, which [`pack`] puts into a zip, or as that zip.
//!
//! The rule this module keeps: what a header declares is compared with the bytes that are there, or that
//! a gzip stream of this length can hold, before anything is allocated for it.

use std::io::{Cursor, Read, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, Table};

/// No deflate stream grows by more than 1032 to 1.
const MAX_EXPANSION: u64 = 1100;
/// Most values of an image.
const MAX_PIXELS: u64 = 1 << 24;

const FILES: &str = "train-images-idx3-ubyte and train-labels-idx1-ubyte, for test rows also t10k-images-idx3-ubyte and \
    t10k-labels-idx1-ubyte; each may end with .gz";

/// One array of unsigned bytes.
struct Array {
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

/// What a file of the set holds, told from its name.
fn part(name: &str) -> Option<(&'static str, &'static str)> {
    let base = name.rsplit('/').next().unwrap_or(name);
    if !base.contains("idx") {
        return None;
    }
    let split = ["train", "t10k", "test"]
        .into_iter()
        .find(|split| base.starts_with(split))?;
    let split = if split == "train" { "train" } else { "test" };
    let kind = ["images", "labels"]
        .into_iter()
        .find(|kind| base.contains(kind))?;
    Some((split, kind))
}

/// Whether a zip whose first entry has this name is a set of idx files.
pub(crate) fn is_part(name: &str) -> bool {
    part(name).is_some()
}

/// Puts the idx files of a folder into a zip, unchanged, in the order of their names: the same files give
/// the same bytes.
pub(crate) fn pack(folder: &Path) -> Result<Vec<u8>, DatasetError> {
    let file = folder.display().to_string();
    let io = |source| DatasetError::Io {
        file: file.clone(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let name = entry
            .map_err(io)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if is_part(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(wrong(&file, "folder", "no idx files".to_owned(), FILES));
    }
    let damaged = |e: &dyn std::fmt::Display| DatasetError::Damaged {
        file: file.clone(),
        problem: e.to_string(),
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for name in names {
        let bytes = std::fs::read(folder.join(&name)).map_err(io)?;
        zip.start_file(name, options).map_err(|e| damaged(&e))?;
        zip.write_all(&bytes).map_err(io)?;
    }
    Ok(zip.finish().map_err(|e| damaged(&e))?.into_inner())
}

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let bad = |name: &str, e: &dyn std::fmt::Display| DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a whole zip of idx files: {name}: {e}"),
    };
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad("zip", &e))?;
    let mut arrays: [Option<(String, Array)>; 4] = [const { None }; 4];
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).map_err(|e| bad("zip", &e))?;
        let Ok(name) = entry.name().map(|name| name.to_string()) else {
            continue;
        };
        let Some((split, kind)) = part(&name) else {
            continue;
        };
        let slot = usize::from(split == "test") * 2 + usize::from(kind == "labels");
        if let Some((first, _)) = &arrays[slot] {
            let problem = format!("a second array of {split} {kind}, besides {first}");
            return Err(wrong(file, &name, problem, "one file of each kind"));
        }
        let (size, packed) = (entry.size(), entry.compressed_size());
        if size > most(packed) {
            return Err(bad(&name, &format!("{size} bytes packed in {packed}")));
        }
        let mut content = Vec::new();
        (&mut entry)
            .take(size)
            .read_to_end(&mut content)
            .map_err(|e| bad(&name, &e))?;
        let array = parse(&content, file, &name)?;
        arrays[slot] = Some((name, array));
    }
    let [images, labels, test_images, test_labels] = arrays;
    let missing = |what: &str| wrong(file, what, "missing".to_owned(), FILES);
    let (Some(images), Some(labels)) = (images, labels) else {
        return Err(missing("train images or labels"));
    };
    let shape = images.1.shape.clone();
    let test = match (test_images, test_labels) {
        (Some(test), Some(labels)) => {
            if test.1.shape.get(1..) != shape.get(1..) {
                let problem = format!("shape {:?}", test.1.shape);
                let accepted = format!("images as those of {}, {shape:?}", images.0);
                return Err(wrong(file, &test.0, problem, &accepted));
            }
            Some(table(file, test, labels)?)
        }
        (None, None) => None,
        _ => return Err(missing("test images or labels")),
    };
    let train = table(file, images, labels)?;
    let top = train.y.iter().chain(test.iter().flat_map(|t| &t.y)).max();
    let columns = shape.last().copied().unwrap_or(1).max(1);
    Ok(Dataset {
        features: (0..train.columns as u64)
            .map(|at| format!("p{}_{}", at / columns, at % columns))
            .collect(),
        classes: (0..=top.copied().unwrap_or(0))
            .map(|class| class.to_string())
            .collect(),
        targets: Vec::new(),
        train,
        test,
        scaling: Scaling::Pixels,
        digest: String::new(),
    })
}

/// Most bytes that so many can unpack to.
fn most(packed: u64) -> u64 {
    packed.saturating_mul(MAX_EXPANSION).saturating_add(1024)
}

/// Reads one array, gzip or not.
fn parse(bytes: &[u8], file: &str, name: &str) -> Result<Array, DatasetError> {
    let bad = |problem: String| DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a whole idx file: {name}: {problem}"),
    };
    let gzip = bytes.starts_with(b"\x1f\x8b");
    let limit = if gzip {
        most(bytes.len() as u64)
    } else {
        bytes.len() as u64
    };
    let mut reader: Box<dyn Read + '_> = if gzip {
        Box::new(GzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    let mut start = [0; 4];
    reader
        .read_exact(&mut start)
        .map_err(|e| bad(e.to_string()))?;
    let [0, 0, kind, axes] = start else {
        return Err(bad(format!("it begins with {start:02x?}, not with 00 00")));
    };
    if kind != 8 {
        let problem = format!("values of type 0x{kind:02x}");
        return Err(wrong(file, name, problem, "unsigned bytes, type 0x08"));
    }
    let mut shape = Vec::with_capacity(usize::from(axes));
    for _ in 0..axes {
        let mut axis = [0; 4];
        reader
            .read_exact(&mut axis)
            .map_err(|e| bad(e.to_string()))?;
        shape.push(u64::from(u32::from_be_bytes(axis)));
    }
    let size = shape.iter().try_fold(1_u64, |n, axis| n.checked_mul(*axis));
    let size = size
        .filter(|size| *size <= limit)
        .ok_or_else(|| bad(format!("shape {shape:?} declared in {} bytes", bytes.len())))?;
    let mut values = Vec::new();
    // One byte more than declared: it must not be there, and behind it the checksum is compared.
    reader
        .take(size + 1)
        .read_to_end(&mut values)
        .map_err(|e| bad(e.to_string()))?;
    if values.len() as u64 != size {
        let more = if values.len() as u64 > size {
            "more".to_owned()
        } else {
            values.len().to_string()
        };
        return Err(bad(format!(
            "shape {shape:?} needs {size} bytes, there are {more}"
        )));
    }
    Ok(Array {
        shape,
        bytes: values,
    })
}

/// Puts images and labels together.
fn table(
    file: &str,
    (images, x): (String, Array),
    (labels, y): (String, Array),
) -> Result<Table, DatasetError> {
    let pixels = x
        .shape
        .iter()
        .skip(1)
        .try_fold(1_u64, |n, axis| n.checked_mul(*axis));
    let pixels = pixels.filter(|pixels| (1..=MAX_PIXELS).contains(pixels));
    let (Some(pixels), true) = (pixels, x.shape.len() >= 2 && !x.bytes.is_empty()) else {
        let accepted = "at least one image, of rows x columns pixels";
        return Err(wrong(
            file,
            &images,
            format!("shape {:?}", x.shape),
            accepted,
        ));
    };
    let rows = x.shape[0];
    if y.shape != [rows] {
        let accepted = format!("shape [{rows}], a label for each image of {images}");
        return Err(wrong(
            file,
            &labels,
            format!("shape {:?}", y.shape),
            &accepted,
        ));
    }
    Ok(Table {
        rows: rows as usize,
        columns: pixels as usize,
        x: (x.bytes.iter().map(|pixel| f32::from(*pixel)))
            .collect::<Vec<_>>()
            .into(),
        y: y.bytes,
        values: Vec::new(),
    })
}

fn wrong(file: &str, array: &str, problem: String, accepted: &str) -> DatasetError {
    DatasetError::Array {
        file: file.to_owned(),
        array: array.to_owned(),
        problem,
        accepted: accepted.to_owned(),
    }
}
