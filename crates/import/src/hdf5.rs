//! Attributes and arrays of an HDF5 file.
//!
//! The rule this module keeps: a file pays with its own bytes. Everything goes through a source that
//! counts what was read, so that neither repeated references to one heap object nor loops among
//! nodes make the reader allocate or run without end; sizes of arrays are compared with the limits
//! before they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{AttrValue, Dataset, FormatError, Source};

use crate::array::Array;
use crate::error::ImportError;
use crate::limits::{AXES, WEIGHTS};

/// Most values in all arrays together for each byte of the file: sixteenfold compression.
const VALUES_A_BYTE: u64 = 4;

/// Largest number, in bytes.
const NUMBER_BYTES: u64 = 8;

/// Filters that are undone: deflate, shuffle, checksum.
const FILTERS: [u16; 3] = [1, 2, 3];

/// Bytes that one look-up may read, as a multiple of the file's size and beyond it.
const READS_A_LOOKUP: (u64, u64) = (4, 1 << 20);

/// Bytes that all look-ups together may read.
const READS: (u64, u64) = (256, 256 << 20);

/// Bytes of a file, given out until they were given out too often.
struct Metered {
    bytes: Arc<[u8]>,
    left: Arc<Budget>,
}

struct Budget {
    lookup: AtomicU64,
    all: AtomicU64,
}

impl Budget {
    fn spend(&self, bytes: u64) -> Result<(), FormatError> {
        // A read of nothing is work too.
        let bytes = bytes + 16;
        let take = |left: &AtomicU64| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
        };
        match (take(&self.lookup), take(&self.all)) {
            (Ok(_), Ok(_)) => Ok(()),
            _ => Err(FormatError::Source(
                "its parts refer to the same bytes too often".into(),
            )),
        }
    }
}

impl Source for Metered {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.left.spend(buffer.len() as u64)?;
        let end = || {
            let start = usize::try_from(offset).ok()?;
            self.bytes.get(start..start.checked_add(buffer.len())?)
        };
        match end() {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(FormatError::Source("it ends too early".into())),
        }
    }
}

/// An open HDF5 file.
pub(crate) struct Hdf5 {
    file: hdf5_pure::File,
    budget: Arc<Budget>,
    lookup: u64,
    values_left: u64,
}

/// Whether the bytes start as an HDF5 file.
pub(crate) fn is_hdf5(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89HDF\r\n\x1a\n")
}

impl Hdf5 {
    /// Opens a file.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, ImportError> {
        let size = bytes.len() as u64;
        let of = |(times, more): (u64, u64)| size.saturating_mul(times).saturating_add(more);
        let budget = Arc::new(Budget {
            lookup: AtomicU64::new(of(READS_A_LOOKUP)),
            all: AtomicU64::new(of(READS)),
        });
        let source = Metered {
            bytes: bytes.into(),
            left: Arc::clone(&budget),
        };
        let file = hdf5_pure::File::from_source(source)
            .map_err(|e| ImportError::damaged("HDF5 file", e))?;
        Ok(Self {
            file,
            budget,
            lookup: of(READS_A_LOOKUP),
            values_left: WEIGHTS.min(size.saturating_mul(VALUES_A_BYTE)),
        })
    }

    fn begin(&self) {
        self.budget.lookup.store(self.lookup, Ordering::Relaxed);
    }

    /// Whether there is a group of this path.
    pub(crate) fn has_group(&self, path: &str) -> bool {
        self.begin();
        self.file.group(path).is_ok()
    }

    /// Names of a group's arrays.
    pub(crate) fn arrays_of(&self, group: &str) -> Result<Vec<String>, ImportError> {
        self.begin();
        let names = self.file.group(group).and_then(|group| group.datasets());
        names.map_err(|e| ImportError::damaged(group, e))
    }

    /// All texts among a group's attributes; a list counts as several texts.
    pub(crate) fn texts(&self, group: &str) -> Result<Texts, ImportError> {
        self.begin();
        let attributes = self.file.group(group).and_then(|group| group.attrs());
        let attributes = attributes.map_err(|e| ImportError::damaged(group, e))?;
        let texts = attributes.into_iter().filter_map(|(name, value)| {
            let texts = match value {
                AttrValue::String(text)
                | AttrValue::AsciiString(text)
                | AttrValue::VarLenString(text)
                | AttrValue::VarLenAsciiString(text)
                | AttrValue::StringSized { value: text, .. }
                | AttrValue::AsciiStringSized { value: text, .. } => vec![text],
                AttrValue::StringArray(texts)
                | AttrValue::AsciiStringArray(texts)
                | AttrValue::VarLenStringArray(texts)
                | AttrValue::VarLenAsciiStringArray(texts)
                | AttrValue::StringArraySized { values: texts, .. }
                | AttrValue::AsciiStringArraySized { values: texts, .. } => texts,
                // An empty list of names is written as an empty list of numbers.
                AttrValue::F64Array(numbers) if numbers.is_empty() => Vec::new(),
                _ => return None,
            };
            Some((name, texts))
        });
        Ok(Texts(texts.collect()))
    }

    /// An array of numbers.
    pub(crate) fn array(&mut self, path: &str) -> Result<Array, ImportError> {
        self.begin();
        let bad = |e: hdf5_pure::Error| ImportError::damaged(path, e);
        let dataset = self.file.dataset(path).map_err(bad)?;
        let shape = dataset.shape().map_err(bad)?;
        let size = shape.iter().try_fold(1u64, |n, axis| n.checked_mul(*axis));
        ImportError::check_size(path, shape.len() as u64, AXES as u64, "axes")?;
        let size = size.unwrap_or(u64::MAX);
        ImportError::check_size(path, size, self.values_left, "values")?;
        let width = dataset.element_size().map_err(bad)?;
        ImportError::check_size(path, width, NUMBER_BYTES, "bytes a value")?;
        check_chunks(
            path,
            &dataset,
            &shape,
            (self.values_left, self.file.file_size()),
        )?;
        let values = dataset.read_f32().map_err(bad)?;
        if values.len() as u64 != size {
            let problem = format!("{} values for the shape {shape:?}", values.len());
            return Err(ImportError::damaged(path, problem));
        }
        self.values_left -= size;
        Ok(Array::new(
            shape.iter().map(|axis| *axis as usize).collect(),
            values,
        ))
    }
}

/// Checks that the pieces of a chunked array are no larger than accepted (so many values, so many
/// stored bytes) and lie inside it.
fn check_chunks(
    path: &str,
    dataset: &Dataset,
    shape: &[u64],
    (most_values, most_bytes): (u64, u64),
) -> Result<(), ImportError> {
    let bad = |e: hdf5_pure::Error| ImportError::damaged(path, e);
    let Some(chunk) = dataset.chunk_shape().map_err(bad)? else {
        return Ok(());
    };
    let size = chunk.iter().try_fold(1u64, |n, axis| n.checked_mul(*axis));
    let fits = |extents: &[u64]| extents.len() == shape.len() && !extents.contains(&0);
    if !fits(&chunk) || size.is_none_or(|n| n > most_values) {
        let problem = format!("chunks of shape {chunk:?} in an array of shape {shape:?}");
        return Err(ImportError::damaged(path, problem));
    }
    if let Some(filter) = dataset.filters().iter().find(|id| !FILTERS.contains(id)) {
        let problem = format!("its chunks use the filter {filter}; accepted are {FILTERS:?}");
        return Err(ImportError::damaged(path, problem));
    }
    for chunk in dataset.chunks().map_err(bad)? {
        let inside = chunk.offset.iter().zip(shape).all(|(at, axis)| at < axis);
        if chunk.storage_size > most_bytes {
            let problem = format!("a chunk of {} stored bytes", chunk.storage_size);
            return Err(ImportError::damaged(path, problem));
        }
        if chunk.offset.len() != shape.len() || !inside {
            return Err(ImportError::damaged(
                path,
                "a chunk lies outside of its array",
            ));
        }
    }
    Ok(())
}

/// Texts among the attributes of a group.
pub(crate) struct Texts(Vec<(String, Vec<String>)>);

impl Texts {
    /// The text of an attribute.
    pub(crate) fn one(&mut self, name: &str) -> Option<String> {
        let at = self
            .0
            .iter()
            .position(|(key, texts)| key == name && texts.len() == 1)?;
        self.0.swap_remove(at).1.pop()
    }

    /// The texts of a list; lists too long for one attribute stand in `name0`, `name1`, ...
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let mut take = |wanted: &str| {
            let at = self.0.iter().position(|(key, _)| key == wanted)?;
            Some(self.0.swap_remove(at).1)
        };
        if let Some(texts) = take(name) {
            return Some(texts);
        }
        let mut texts = take(&format!("{name}0"))?;
        let mut number = 1;
        while let Some(more) = take(&format!("{name}{number}")) {
            texts.extend(more);
            number += 1;
        }
        Some(texts)
    }
}
