//! Arrays of an HDF5 file, window by window.
//!
//! The rule this module keeps: a file pays with its own bytes. All reading goes through a source that counts what was
//! read, so that neither repeated references nor loops among nodes run without end; sizes, chunks and filters are
//! compared with the file's length before an array is read, and no more than a window of rows is unpacked at once.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{Datatype, FormatError, Source};

use crate::arrays::wrong;
use crate::error::DatasetError;

/// An array may be so many times as long as its file, and [`MORE`] beyond it.
const MAX_EXPANSION: u64 = 256;
/// An empty array may have a chunk of this size.
const MORE: u64 = 4 << 20;
/// Most axes of an array.
const MAX_AXES: usize = 4;
/// Most bytes of a record: the public jets have 240 and 480.
const MAX_RECORD: u64 = 1 << 16;
/// Bytes of rows that are unpacked at once, unless a chunk is larger.
const WINDOW: u64 = 1 << 20;
/// Filters that are undone: deflate, shuffle, checksum, LZF.
const FILTERS: [u16; 4] = [1, 2, 3, 32000];
/// Bytes that may be read from a file: a multiple of its length, and beyond it.
const READS: (u64, u64) = (256, 256 << 20);
/// The same of one look-up.
const READS_A_LOOKUP: (u64, u64) = (4, 1 << 20);

/// Bytes that may still be read: by this look-up, and at all.
struct Budget {
    lookup: AtomicU64,
    all: AtomicU64,
}

enum Bytes {
    Memory(Arc<[u8]>),
    Disk(File, u64),
}

/// Bytes of a file, given out until they were given out too often.
struct Metered(Bytes, Arc<Budget>);

impl Source for Metered {
    fn len(&self) -> u64 {
        match &self.0 {
            Bytes::Memory(bytes) => bytes.len() as u64,
            Bytes::Disk(_, length) => *length,
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        // A read of nothing is work too.
        let cost = buffer.len() as u64 + 16;
        let take = |left: &AtomicU64| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(cost)
            })
        };
        if take(&self.1.lookup).is_err() || take(&self.1.all).is_err() {
            let problem = "its parts refer to the same bytes too often";
            return Err(FormatError::Source(problem.into()));
        }
        let early = || FormatError::Source("it ends too early".into());
        match &self.0 {
            Bytes::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| early())?;
                let end = start.checked_add(buffer.len()).ok_or_else(early)?;
                buffer.copy_from_slice(bytes.get(start..end).ok_or_else(early)?);
                Ok(())
            }
            Bytes::Disk(file, _) => file
                .read_exact_at(buffer, offset)
                .map_err(|e| FormatError::Source(e.to_string())),
        }
    }
}

/// An open file.
pub(super) struct Store {
    pub(super) name: String,
    file: hdf5_pure::File,
    budget: Arc<Budget>,
    length: u64,
}

/// An array whose sizes were checked.
pub(super) struct Array {
    dataset: hdf5_pure::Dataset,
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) kind: Datatype,
    /// Bytes of one element.
    pub(super) width: usize,
    /// Rows of a window.
    window: u64,
}

impl Array {
    /// Elements of a row.
    pub(super) fn columns(&self) -> u64 {
        self.shape.iter().skip(1).product()
    }
}

impl Store {
    pub(super) fn of_bytes(bytes: &[u8], name: &str) -> Result<Self, DatasetError> {
        let length = bytes.len() as u64;
        Self::open(Bytes::Memory(bytes.into()), length, name)
    }

    /// Opens a file that is read where it lies.
    pub(super) fn of_path(path: &Path) -> Result<Self, DatasetError> {
        let name = path.display().to_string();
        let io = |source| DatasetError::Io {
            file: name.clone(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Self::open(Bytes::Disk(file, length), length, &name)
    }

    fn open(bytes: Bytes, length: u64, name: &str) -> Result<Self, DatasetError> {
        let budget = Arc::new(Budget {
            lookup: AtomicU64::new(scaled(READS_A_LOOKUP, length)),
            all: AtomicU64::new(scaled(READS, length)),
        });
        let source = Metered(bytes, Arc::clone(&budget));
        let file = hdf5_pure::File::from_source(source).map_err(|e| damaged(name, "file", &e))?;
        Ok(Self {
            name: name.to_owned(),
            file,
            budget,
            length,
        })
    }

    fn begin(&self) {
        let most = scaled(READS_A_LOOKUP, self.length);
        self.budget.lookup.store(most, Ordering::Relaxed);
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.begin();
        self.file.dataset(name).is_ok()
    }

    /// Names of the arrays in the root, as far as they can be told.
    pub(super) fn list(&self) -> Vec<String> {
        self.begin();
        self.file.root().datasets().unwrap_or_default()
    }

    pub(super) fn array(&self, name: &str) -> Result<Array, DatasetError> {
        self.begin();
        if !self.has(name) {
            return Err(wrong(&self.name, name, "missing", "an array of this name"));
        }
        self.begin();
        let bad = |e: hdf5_pure::Error| damaged(&self.name, name, &e);
        let dataset = self.file.dataset(name).map_err(bad)?;
        let shape = dataset.shape().map_err(bad)?;
        let width = dataset.element_size().map_err(bad)?;
        let most = scaled((MAX_EXPANSION, MORE), self.length);
        let bytes = shape
            .iter()
            .try_fold(width, |n, axis| n.checked_mul(*axis))
            .filter(|bytes| *bytes <= most);
        if shape.len() > MAX_AXES || width == 0 || width > MAX_RECORD || bytes.is_none() {
            let problem = format!(
                "shape {shape:?} of {width} bytes each in a file of {} bytes",
                self.length
            );
            let accepted = format!(
                "at most {MAX_AXES} axes, {MAX_RECORD} bytes an element, {most} bytes in all"
            );
            return Err(wrong(&self.name, name, problem, &accepted));
        }
        let kind = dataset.datatype().map_err(bad)?;
        let chunk_rows = self.check_chunks(&dataset, name, &shape, (width, most))?;
        let row = shape.iter().skip(1).product::<u64>().saturating_mul(width);
        let rows = (WINDOW / row.max(1)).max(1);
        Ok(Array {
            dataset,
            name: name.to_owned(),
            window: rows.max(chunk_rows).next_multiple_of(chunk_rows),
            shape,
            kind,
            width: width as usize,
        })
    }

    /// Compares chunks and filters with what is accepted; rows of a chunk, 1 for an array without.
    fn check_chunks(
        &self,
        dataset: &hdf5_pure::Dataset,
        name: &str,
        shape: &[u64],
        (width, most): (u64, u64),
    ) -> Result<u64, DatasetError> {
        let bad = |e: hdf5_pure::Error| damaged(&self.name, name, &e);
        let Some(chunk) = dataset.chunk_shape().map_err(bad)? else {
            return Ok(1);
        };
        let fits = chunk.len() == shape.len() && !chunk.contains(&0);
        let size = chunk.iter().try_fold(width, |n, axis| n.checked_mul(*axis));
        if !fits || size.is_none_or(|bytes| bytes > most) {
            let problem = format!("chunks of shape {chunk:?} in an array of shape {shape:?}");
            return Err(damaged(&self.name, name, &problem));
        }
        if let Some(filter) = dataset.filters().iter().find(|id| !FILTERS.contains(id)) {
            let problem = format!("packed by filter {filter}");
            let accepted = "no filter, deflate (1), shuffle (2), checksum (3) and LZF (32000)";
            return Err(wrong(&self.name, name, problem, accepted));
        }
        for stored in dataset.chunks().map_err(bad)? {
            let inside = stored.offset.iter().zip(shape).all(|(at, axis)| at < axis);
            if stored.storage_size > self.length || stored.offset.len() != shape.len() || !inside {
                let problem = "a chunk outside of its array or longer than the file";
                return Err(damaged(&self.name, name, &problem));
            }
        }
        Ok(chunk.first().copied().unwrap_or(1))
    }

    /// Gives the bytes of all rows to `take`, window by window, each with the number of its first row.
    pub(super) fn rows(
        &self,
        array: &Array,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        let rows = array.shape.first().copied().unwrap_or(1);
        let row_bytes = array.columns() as usize * array.width;
        let mut first = 0;
        while first < rows {
            self.begin();
            let count = array.window.min(rows - first);
            let bytes = array
                .dataset
                .read_raw_rows(first, count)
                .map_err(|e| damaged(&self.name, &array.name, &e))?;
            if bytes.len() != count as usize * row_bytes {
                let problem = format!("{} bytes for {count} rows of {row_bytes}", bytes.len());
                return Err(damaged(&self.name, &array.name, &problem));
            }
            take(first, &bytes)?;
            first += count;
        }
        Ok(())
    }

    /// Strings of an array.
    pub(super) fn texts(&self, array: &Array) -> Result<Vec<String>, DatasetError> {
        self.begin();
        let texts = array.dataset.read_string();
        texts.map_err(|e| damaged(&self.name, &array.name, &e))
    }
}

fn scaled((times, more): (u64, u64), length: u64) -> u64 {
    length.saturating_mul(times).saturating_add(more)
}

fn damaged(file: &str, array: &str, problem: &dyn std::fmt::Display) -> DatasetError {
    DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a whole HDF5 file: {array}: {problem}"),
    }
}
