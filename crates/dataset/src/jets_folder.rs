//! A folder of the published jet files, as one npz file of their features.
//!
//! An archive of Zenodo 3602260 unpacks to `train/` or `val/`, each with many HDF5 files of 10,000 jets, most of whose
//! bytes are images and particles. Only the features are kept: the same files give the same bytes.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::DatasetError;
use crate::hdf5_file;
use crate::jets;
use crate::table::Table;

/// The HDF5 files for training and for testing (those of a folder `val`), each in the order of their names.
struct Files {
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
}

/// The npz file of a folder with HDF5 files; `None` where there are none.
pub(crate) fn pack(folder: &Path) -> Result<Option<Vec<u8>>, DatasetError> {
    let files = find(folder)?;
    if files.train.is_empty() {
        return Ok(None);
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let io = |source| DatasetError::Io {
        file: folder.display().to_string(),
        source,
    };
    let mut put = |name: &str, descr: &str, shape: &str, data: &[u8]| {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true)
            .last_modified_time(DateTime::default());
        zip.start_file(format!("{name}.npy"), options)
            .map_err(std::io::Error::other)?;
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        // The data begin at a multiple of 64 bytes.
        let padded = format!("{header:<width$}\n", width = 64 * 2 - 10 - 1);
        zip.write_all(b"\x93NUMPY\x01\0")?;
        zip.write_all(&(padded.len() as u16).to_le_bytes())?;
        zip.write_all(padded.as_bytes())?;
        zip.write_all(data)
    };
    let parts = if files.test.is_empty() {
        vec![("x", "y", files.train)]
    } else {
        vec![
            ("x_train", "y_train", files.train),
            ("x_test", "y_test", files.test),
        ]
    };
    for (x, y, files) in parts {
        let table = read(&files)?;
        let bytes: Vec<u8> = table
            .x
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let shape = format!("({}, {})", table.rows, table.columns);
        put(x, "<f4", &shape, &bytes).map_err(io)?;
        put(y, "|u1", &format!("({},)", table.rows), &table.y).map_err(io)?;
    }
    let (features, classes) = jets::names();
    for (name, texts) in [("features", features), ("classes", classes)] {
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        let mut data = vec![0; width * texts.len()];
        for (text, place) in texts.iter().zip(data.chunks_exact_mut(width.max(1))) {
            place[..text.len()].copy_from_slice(text.as_bytes());
        }
        let shape = format!("({},)", texts.len());
        put(name, &format!("|S{width}"), &shape, &data).map_err(io)?;
    }
    let bytes = zip.finish().map_err(|e| io(std::io::Error::other(e)))?;
    Ok(Some(bytes.into_inner()))
}

fn find(folder: &Path) -> Result<Files, DatasetError> {
    let own = hdf5_files(folder)?;
    let of = |part: &str| {
        let part = folder.join(part);
        if part.is_dir() {
            hdf5_files(&part)
        } else {
            Ok(Vec::new())
        }
    };
    let (train, val) = (of("train")?, of("val")?);
    Ok(if own.is_empty() && train.is_empty() {
        Files {
            train: val,
            test: Vec::new(),
        }
    } else {
        Files {
            train: [own, train].concat(),
            test: val,
        }
    })
}

fn hdf5_files(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let io = |source| DatasetError::Io {
        file: folder.display().to_string(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("h5" | "hdf5")) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read(files: &[PathBuf]) -> Result<Table, DatasetError> {
    let mut all = Table::default();
    for file in files {
        let table = hdf5_file::read_jets_of(file)?;
        all.columns = table.columns;
        all.rows += table.rows;
        all.x.to_mut().extend_from_slice(&table.x);
        all.y.extend(table.y);
    }
    Ok(all)
}
