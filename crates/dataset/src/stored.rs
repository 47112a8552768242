//! Prepared data in a file that is mapped, so that all slots and workers of a machine share its pages.
//!
//! Layout: 8 bytes `bfprep01`; length of the header (u64); the header, JSON; then, each from a multiple of 64
//! bytes on, the features and the labels (classes, or values) of train, validation and test; at the end the SHA-256 of all before.
//! Numbers are little-endian.
//!
//! The rule this module keeps: a file is used only when its digest is right and its key is the one that
//! was asked for. It is written under another name and renamed when it is whole, and never changed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bitfront_kernel::Map;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::aim::Aim;
use crate::prepare::Prepared;
use crate::split::SplitSpec;
use crate::table::Table;
use crate::values::Values;

const MAGIC: &[u8; 8] = b"bfprep01";
/// Goes up with every change of a reader, of the split or of the scaling that changes a value.
const PREPARATION: u32 = 1;
const ALIGN: usize = 64;
const DIGEST: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header {
    key: String,
    rows: [usize; 3],
    columns: usize,
    mean: Vec<f32>,
    std: Vec<f32>,
    classes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    target_mean: Vec<f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    target_std: Vec<f32>,
    features: Vec<String>,
}

/// Why a stored file is not used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file could not be opened or mapped.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not what was written.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

impl Prepared {
    /// What a stored file is for: the data set's bytes, the split, the preparation's version, and what is
    /// predicted where that is not the file's labels as they are.
    #[must_use]
    pub fn key(digest: &str, aim: &Aim, split: &SplitSpec) -> String {
        let key = format!("{digest} {split:?} preparation {PREPARATION}");
        if *aim == Aim::default() {
            key
        } else {
            format!("{key} {aim:?}")
        }
    }

    /// Writes the prepared data to a new file and flushes it to the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn store(&self, key: &str, file: &File) -> io::Result<()> {
        let tables = [&self.train, &self.validation, &self.test];
        let header = serde_json::to_vec(&Header {
            key: key.to_owned(),
            rows: tables.map(|table| table.rows),
            columns: self.train.columns,
            mean: self.mean.clone(),
            std: self.std.clone(),
            classes: self.classes.clone(),
            targets: self.targets.clone(),
            target_mean: self.target_mean.clone(),
            target_std: self.target_std.clone(),
            features: self.features.clone(),
        })?;
        let mut out = Digested {
            out: BufWriter::with_capacity(1 << 20, file),
            hash: Sha256::new(),
            at: 0,
        };
        out.put(MAGIC)?;
        out.put(&(header.len() as u64).to_le_bytes())?;
        out.put(&header)?;
        for table in tables {
            out.align()?;
            out.floats(&table.x)?;
            out.align()?;
            out.put(&table.y)?;
            out.floats(&table.values)?;
        }
        let digest = out.hash.finalize();
        out.out.write_all(&digest)?;
        out.out.flush()?;
        file.sync_all()
    }

    /// Maps a stored file after its digest and key were compared.
    ///
    /// # Errors
    /// [`StoredError`]: the caller prepares the data again.
    ///
    /// # Safety
    /// No process writes to the file or cuts it while what is returned, or a part of it, lives ([`Map::new`]).
    #[expect(
        unsafe_code,
        reason = "whether the file keeps its bytes is known where its folder is"
    )]
    pub unsafe fn map(path: &Path, key: &str) -> Result<Self, StoredError> {
        // SAFETY: the caller's promise is the same.
        let map = Arc::new(unsafe { Map::new(&File::open(path)?) }?);
        let bytes = map.bytes();
        let damaged = StoredError::Damaged;
        let end = bytes
            .len()
            .checked_sub(DIGEST)
            .ok_or(damaged("too short"))?;
        let (body, digest) = bytes.split_at(end);
        if !body.starts_with(MAGIC) {
            return Err(damaged("another format"));
        }
        if Sha256::digest(body)[..] != *digest {
            return Err(damaged("its digest is not that of its bytes"));
        }
        if cfg!(target_endian = "big") {
            return Err(damaged("values of another byte order"));
        }
        let cut = |range: Range<usize>| body.get(range).ok_or(damaged("too short"));
        let length: [u8; 8] = (cut(8..16)?.try_into()).map_err(|_| damaged("too short"))?;
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        let mut at = length.checked_add(16).ok_or(damaged("header"))?;
        let header: Header = serde_json::from_slice(cut(16..at)?).map_err(|_| damaged("header"))?;
        if header.key != key {
            return Err(damaged("it is of other data"));
        }
        let mut next = |size: Option<usize>| {
            let start = at.checked_next_multiple_of(ALIGN)?;
            at = start.checked_add(size?)?;
            Some(start..at)
        };
        let mut tables = Vec::with_capacity(3);
        for rows in header.rows {
            let columns = header.columns;
            let size = rows.checked_mul(columns).and_then(|n| n.checked_mul(4));
            let x = next(size).ok_or(damaged("sizes"))?;
            let targets = header.targets.len();
            let labels = rows.checked_mul(if targets == 0 { 1 } else { 4 * targets });
            let labels = next(labels).ok_or(damaged("sizes"))?;
            if x.end > end {
                return Err(damaged("sizes"));
            }
            let labels = cut(labels)?;
            let (y, values) = if targets == 0 {
                (labels.to_vec(), Vec::new())
            } else {
                let (values, _) = labels.as_chunks();
                let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
                (Vec::new(), values.collect())
            };
            tables.push(Table {
                rows,
                columns,
                x: Values::mapped(&map, x).ok_or(damaged("sizes"))?,
                y,
                values,
            });
        }
        let Ok([train, validation, test]) = <[Table; 3]>::try_from(tables) else {
            return Err(damaged("tables"));
        };
        Ok(Self {
            train,
            validation,
            test,
            mean: header.mean,
            std: header.std,
            classes: header.classes,
            targets: header.targets,
            target_mean: header.target_mean,
            target_std: header.target_std,
            features: header.features,
        })
    }
}

struct Digested<'a> {
    out: BufWriter<&'a File>,
    hash: Sha256,
    at: usize,
}

impl Digested<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.at += bytes.len();
        self.out.write_all(bytes)
    }

    fn floats(&mut self, values: &[f32]) -> io::Result<()> {
        for values in values.chunks(1 << 14) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.put(&bytes)?;
        }
        Ok(())
    }

    fn align(&mut self) -> io::Result<()> {
        let missing = self.at.next_multiple_of(ALIGN) - self.at;
        self.put(&[0; ALIGN][..missing])
    }
}
