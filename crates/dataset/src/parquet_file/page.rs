//! The pages of a column's chunk: unpacked, and their values.
//!
//! The rule this module keeps: a page's sizes are compared with the bytes that are there before anything is allocated
//! for them, and never more values are unpacked than the group has rows.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::footer::{Chunk, Type};
use super::thrift::{Fault, Reader};

/// No stream of an accepted codec grows by more than 1032 to 1.
const MAX_EXPANSION: usize = 1100;

/// Texts that occur, each with the number that stands for it.
pub(super) trait Texts {
    /// The number of a text.
    fn number(&mut self, text: &[u8]) -> Result<u64, Fault>;
}

/// What a page's header says.
#[derive(Default)]
struct Header {
    kind: i64,
    size: usize,
    packed: usize,
    values: usize,
    encoding: i64,
    /// Bytes of levels before the values, in pages of version 2.
    levels: Option<(usize, usize)>,
    is_packed: bool,
    level_encoding: i64,
}

/// Where the first missing value of a chunk stands, or why it cannot be read.
pub(super) enum Problem {
    Missing(u64),
    Fault(Fault),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The values of a chunk: bits of numbers, the lowest bits first, or numbers of texts.
pub(super) fn values(
    file: &[u8],
    chunk: &Chunk,
    (kind, optional): (Type, bool),
    rows: u64,
    texts: &mut impl Texts,
) -> Result<Vec<u64>, Problem> {
    let outside: Fault = "a chunk outside of the file";
    let start = usize::try_from(chunk.start).map_err(|_| outside)?;
    let length = usize::try_from(chunk.length).map_err(|_| outside)?;
    let end = start.checked_add(length).ok_or(outside)?;
    let mut bytes = file.get(start..end).ok_or(outside)?;
    let rows = usize::try_from(rows).map_err(|_| outside)?;
    let mut dictionary: Option<Vec<u64>> = None;
    let mut values = Vec::new();
    while values.len() < rows {
        let mut reader = Reader::new(bytes);
        let header = header(&mut reader)?;
        let body = &bytes[reader.position()..];
        if header.packed > body.len() {
            return Err(Problem::Fault("a page longer than its chunk"));
        }
        let (body, rest) = body.split_at(header.packed);
        bytes = rest;
        match header.kind {
            // A dictionary.
            2 => {
                let body = unpack(body, header.size, chunk.codec)?;
                if header.values > body.len() {
                    return Err(Problem::Fault("a dictionary with more values than bytes"));
                }
                dictionary = Some(plain(&body, header.values, kind, texts)?);
            }
            0 | 3 => {
                if header.values > rows - values.len() {
                    return Err(Problem::Fault("more values than rows"));
                }
                let read = page(&header, body, chunk.codec, optional)?;
                let (levels, body) = (read.0, &read.1[read.2..]);
                if let Some(at) = levels.iter().position(|level| *level == 0) {
                    return Err(Problem::Missing((values.len() + at) as u64));
                }
                let dictionary = dictionary.as_deref();
                let decoded = decode(body, &header, kind, dictionary, texts)?;
                values.extend(decoded);
            }
            // Indexes and what is to come.
            _ => {}
        }
    }
    Ok(values)
}

fn header(reader: &mut Reader<'_>) -> Result<Header, Fault> {
    let mut header = Header {
        kind: -1,
        is_packed: true,
        ..Header::default()
    };
    let size = |number: i64| usize::try_from(number).map_err(|_| "a page of a negative size");
    reader.fields(|reader, id, kind| {
        match id {
            1 => header.kind = reader.integer(kind)?,
            2 => header.size = size(reader.integer(kind)?)?,
            3 => header.packed = size(reader.integer(kind)?)?,
            5 | 7 => reader.structure(kind, |reader, field, kind| {
                match field {
                    1 => header.values = size(reader.integer(kind)?)?,
                    2 => header.encoding = reader.integer(kind)?,
                    // The third field of a dictionary says whether it is sorted.
                    3 if id == 5 => header.level_encoding = reader.integer(kind)?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            8 => {
                let (mut definition, mut repetition) = (0, 0);
                reader.structure(kind, |reader, id, kind| {
                    match id {
                        1 => header.values = size(reader.integer(kind)?)?,
                        4 => header.encoding = reader.integer(kind)?,
                        5 => definition = size(reader.integer(kind)?)?,
                        6 => repetition = size(reader.integer(kind)?)?,
                        7 => header.is_packed = Reader::truth(kind)?,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                header.levels = Some((repetition, definition));
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(header)
}

/// Levels of a page (1: there is a value), its unpacked bytes and where the values begin in them.
fn page(
    header: &Header,
    body: &[u8],
    codec: i64,
    optional: bool,
) -> Result<(Vec<u32>, Vec<u8>, usize), Fault> {
    const SHORT: Fault = "a page shorter than its levels";
    if header.kind == 3 {
        let (repetition, definition) = header.levels.ok_or("a page without its header")?;
        let before = repetition.checked_add(definition).ok_or(SHORT)?;
        let levels = body.get(repetition..before).ok_or(SHORT)?;
        let levels = if optional {
            hybrid(levels, 1, header.values)?
        } else {
            Vec::new()
        };
        let size = header.size.checked_sub(before).ok_or(SHORT)?;
        let codec = if header.is_packed { codec } else { 0 };
        return Ok((levels, unpack(&body[before..], size, codec)?, 0));
    }
    let bytes = unpack(body, header.size, codec)?;
    if !optional {
        return Ok((Vec::new(), bytes, 0));
    }
    if header.level_encoding != 3 {
        return Err("levels in another encoding than RLE");
    }
    let (levels, end) = sized(&bytes)?;
    Ok((hybrid(levels, 1, header.values)?, bytes, end))
}

/// Bytes that stand behind their length, and where they end.
fn sized(bytes: &[u8]) -> Result<(&[u8], usize), Fault> {
    let short: Fault = "a page ends too early";
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
    let length = u32::from_le_bytes(*length) as usize;
    Ok((rest.get(..length).ok_or(short)?, 4 + length))
}

fn unpack(bytes: &[u8], size: usize, codec: i64) -> Result<Vec<u8>, Fault> {
    const SIZE: Fault = "a page of another size than its header says";
    if size > bytes.len().saturating_mul(MAX_EXPANSION) {
        return Err("a page that grows more than 1100-fold");
    }
    let unpacked = match codec {
        0 => bytes.to_vec(),
        1 => {
            // An empty page has no bytes at all with some writers.
            if size == 0 {
                return Ok(Vec::new());
            }
            if snap::raw::decompress_len(bytes).ok() != Some(size) {
                return Err(SIZE);
            }
            let mut decoder = snap::raw::Decoder::new();
            decoder
                .decompress_vec(bytes)
                .map_err(|_| "a page that is no whole Snappy stream")?
        }
        2 => {
            let mut unpacked = Vec::new();
            MultiGzDecoder::new(bytes)
                .take(size as u64 + 1)
                .read_to_end(&mut unpacked)
                .map_err(|_| "a page that is no whole gzip stream")?;
            unpacked
        }
        _ => {
            return Err(
                "pages packed by zstd, LZ4, Brotli or LZO; accepted: not packed, Snappy, gzip",
            );
        }
    };
    if unpacked.len() != size {
        return Err(SIZE);
    }
    Ok(unpacked)
}

fn decode(
    bytes: &[u8],
    header: &Header,
    kind: Type,
    dictionary: Option<&[u64]>,
    texts: &mut impl Texts,
) -> Result<Vec<u64>, Fault> {
    let count = header.values;
    match header.encoding {
        0 => plain(bytes, count, kind, texts),
        2 | 8 => {
            let dictionary = dictionary.ok_or("a page without its dictionary")?;
            let (width, bytes) = bytes.split_first().unwrap_or((&0, &[]));
            let numbers = hybrid(bytes, *width, count)?;
            let values = numbers.into_iter().map(|number| {
                let value = dictionary.get(number as usize).copied();
                value.ok_or("a number beyond the dictionary")
            });
            values.collect()
        }
        3 if kind == Type::Boolean => {
            let (bytes, _) = sized(bytes)?;
            Ok(hybrid(bytes, 1, count)?
                .into_iter()
                .map(u64::from)
                .collect())
        }
        9 => {
            let width = width(kind).ok_or("byte stream split of values without a width")?;
            let parts = whole(bytes, count, width)?;
            Ok((0..count)
                .map(|at| {
                    let byte = |part: usize| u64::from(parts[part * count + at]) << (8 * part);
                    (0..width).map(byte).sum()
                })
                .collect())
        }
        _ => Err("values in a delta encoding; accepted: plain, dictionary, byte stream split"),
    }
}

/// Bytes of a number.
fn width(kind: Type) -> Option<usize> {
    match kind {
        Type::Int32 | Type::Float => Some(4),
        Type::Int64 | Type::Double => Some(8),
        _ => None,
    }
}

/// The first `count` times `width` bytes.
fn whole(bytes: &[u8], count: usize, width: usize) -> Result<&[u8], Fault> {
    let length = count.checked_mul(width);
    length
        .and_then(|length| bytes.get(..length))
        .ok_or("a page with fewer values than its header says")
}

fn plain(
    bytes: &[u8],
    count: usize,
    kind: Type,
    texts: &mut impl Texts,
) -> Result<Vec<u64>, Fault> {
    match kind {
        Type::Boolean => {
            let bytes = whole(bytes, count.div_ceil(8), 1)?;
            let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
            Ok((0..count).map(bit).collect())
        }
        Type::Bytes => {
            let mut values = Vec::new();
            let mut rest = bytes;
            for _ in 0..count {
                let (text, end) = sized(rest)?;
                values.push(texts.number(text)?);
                rest = &rest[end..];
            }
            Ok(values)
        }
        _ => {
            let width = width(kind).ok_or("values of an unknown type")?;
            let bits = |bytes: &[u8]| {
                let bytes = bytes.iter().rev();
                bytes.fold(0, |bits, byte| bits << 8 | u64::from(*byte))
            };
            Ok(whole(bytes, count, width)?
                .chunks_exact(width)
                .map(bits)
                .collect())
        }
    }
}

/// `count` numbers of `width` bits in runs: equal ones, or groups of eight side by side.
fn hybrid(bytes: &[u8], width: u8, count: usize) -> Result<Vec<u32>, Fault> {
    const SHORT: Fault = "runs that end too early";
    if width > 32 {
        return Err("numbers of more than 32 bits");
    }
    let width = usize::from(width);
    let mut rest = bytes;
    let mut values = Vec::new();
    while values.len() < count {
        let left = count - values.len();
        if width == 0 && rest.is_empty() {
            // Numbers of no bits: all are 0, whether or not a run says so.
            values.resize(count, 0);
            break;
        }
        let mut head = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, tail) = rest.split_first().ok_or(SHORT)?;
            rest = tail;
            head |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let length = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        if head & 1 == 0 {
            let size = width.div_ceil(8);
            let bytes = rest.get(..size).ok_or(SHORT)?;
            rest = &rest[size..];
            let value = bytes
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | u32::from(*byte));
            values.resize(values.len() + length.min(left), value);
        } else {
            // Groups of eight numbers; the last one may be cut.
            let bytes = rest;
            let numbers = length.saturating_mul(8).min(left);
            if (numbers * width).div_ceil(8) > bytes.len() {
                return Err(SHORT);
            }
            for at in 0..numbers {
                let (first, shift) = (at * width / 8, at * width % 8);
                let end = bytes.len().min(first + 5);
                let bits = bytes[first.min(end)..end].iter().rev();
                let bits = bits.fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
                let mask = (1_u64 << width) - 1;
                values.push((bits >> shift & mask) as u32);
            }
            let size = length.saturating_mul(width).min(rest.len());
            rest = &rest[size..];
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_groups() {
        // Four times 5 in three bits, then 0 to 7 side by side (the example of the format's specification).
        let bytes = [8, 5, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        let values = hybrid(&bytes, 3, 12).unwrap();
        assert_eq!(values, [5, 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(hybrid(&bytes, 3, 10).unwrap(), values[..10]);
        assert!(hybrid(&bytes, 3, 13).is_err());
        assert!(hybrid(&bytes[..5], 3, 12).is_err());
        assert_eq!(hybrid(&[], 0, 3).unwrap(), [0; 3]);
        let wide = [3, 255, 255, 255, 255, 1, 0, 0, 0];
        assert_eq!(hybrid(&wide, 32, 2).unwrap(), [u32::MAX, 1]);
    }
}
