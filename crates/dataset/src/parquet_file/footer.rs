//! The footer of a Parquet file: its columns and where their chunks lie.

use super::thrift::{Fault, Kind, Reader};

/// Most columns.
const MAX_COLUMNS: usize = 4096;

/// Physical types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
    /// Another one, by its number.
    Other(i64),
}

impl Type {
    fn of(number: i64) -> Self {
        match number {
            0 => Self::Boolean,
            1 => Self::Int32,
            2 => Self::Int64,
            4 => Self::Float,
            5 => Self::Double,
            6 => Self::Bytes,
            other => Self::Other(other),
        }
    }
}

/// What the values of a column mean beyond their physical type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What the type says.
    #[default]
    Plain,
    Unsigned,
    Text,
    /// Decimals, dates, times: not read.
    Other,
}

/// A column without structure: one value a row.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) meaning: Meaning,
    /// Whether values may be missing.
    pub(super) optional: bool,
}

/// The values of a column in one group of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) codec: i64,
}

/// What the footer says.
#[derive(Default)]
pub(super) struct Footer {
    pub(super) columns: Vec<Column>,
    pub(super) rows: u64,
    /// Rows of each group, and a chunk for each column.
    pub(super) groups: Vec<(u64, Vec<Chunk>)>,
}

impl Footer {
    /// Finds and reads the footer of a file.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Fault> {
        let body = bytes
            .strip_prefix(b"PAR1")
            .ok_or("no `PAR1` at its begin")?;
        let body = body
            .strip_suffix(b"PAR1")
            .ok_or("no `PAR1` at its end: cut short, or encrypted")?;
        let (body, length) = body.split_last_chunk::<4>().ok_or("it ends too early")?;
        let length = u32::from_le_bytes(*length) as usize;
        let start = body
            .len()
            .checked_sub(length)
            .ok_or("a footer longer than the file")?;
        let mut reader = Reader::new(&body[start..]);
        let mut footer = Self::default();
        let mut nodes = Vec::new();
        let mut rows = None;
        reader.fields(|reader, id, kind| {
            match id {
                2 => reader.list(kind, |reader, kind| {
                    if nodes.len() > MAX_COLUMNS {
                        return Err("more than 4096 columns");
                    }
                    nodes.push(node(reader, kind)?);
                    Ok(())
                })?,
                3 => rows = Some(reader.integer(kind)?),
                4 => reader.list(kind, |reader, kind| {
                    footer.groups.push(group(reader, kind)?);
                    Ok(())
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        footer.rows = natural(rows)?;
        footer.columns = flat(nodes)?;
        let mut rows = 0_u64;
        for (count, chunks) in &footer.groups {
            rows = rows.checked_add(*count).ok_or("too many rows")?;
            if chunks.len() != footer.columns.len() {
                return Err("a group of rows without a chunk for each column");
            }
        }
        if rows != footer.rows {
            return Err("its groups have another number of rows than the file");
        }
        Ok(footer)
    }
}

/// A node of the schema: (a column, number of children, repeated).
type Node = (Column, i64, bool);

fn node(reader: &mut Reader<'_>, kind: Kind) -> Result<Node, Fault> {
    let (mut name, mut physical, mut children) = (String::new(), None, 0);
    let (mut repetition, mut meaning) = (0, Meaning::Plain);
    let mut decimals = false;
    reader.structure(kind, |reader, id, kind| {
        match id {
            1 => physical = Some(reader.integer(kind)?),
            3 => repetition = reader.integer(kind)?,
            4 => reader.text(kind)?.clone_into(&mut name),
            5 => children = reader.integer(kind)?,
            6 => {
                meaning = match reader.integer(kind)? {
                    0 | 4 => Meaning::Text,
                    11..=14 => Meaning::Unsigned,
                    15..=18 => Meaning::Plain,
                    _ => Meaning::Other,
                };
                decimals |= meaning == Meaning::Other;
            }
            10 => logical(reader, kind, &mut meaning)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if decimals {
        meaning = Meaning::Other;
    }
    let column = Column {
        name,
        kind: Type::of(physical.unwrap_or(-1)),
        meaning,
        optional: repetition != 0,
    };
    Ok((column, children, repetition == 2))
}

/// The newer way to say what values mean: a union of structures.
fn logical(reader: &mut Reader<'_>, kind: Kind, meaning: &mut Meaning) -> Result<(), Fault> {
    reader.structure(kind, |reader, id, kind| {
        *meaning = match id {
            1 | 4 => Meaning::Text,
            10 => {
                let mut signed = true;
                reader.structure(kind, |_, id, kind| {
                    if id == 2 {
                        signed = Reader::truth(kind)?;
                    }
                    Ok(id == 2)
                })?;
                *meaning = if signed {
                    Meaning::Plain
                } else {
                    Meaning::Unsigned
                };
                return Ok(true);
            }
            _ => Meaning::Other,
        };
        Ok(false)
    })
}

/// The columns of a schema in which nothing stands within anything else.
fn flat(nodes: Vec<Node>) -> Result<Vec<Column>, Fault> {
    let mut nodes = nodes.into_iter();
    let (_, children, _) = nodes.next().ok_or("no columns")?;
    let mut columns = Vec::new();
    for (column, children, repeated) in nodes {
        if children != 0 || repeated {
            return Err(
                "a column of lists or structures; accepted are plain columns, one value a row",
            );
        }
        columns.push(column);
    }
    if children != columns.len() as i64 || columns.is_empty() {
        return Err("a schema that does not count its columns right");
    }
    Ok(columns)
}

fn group(reader: &mut Reader<'_>, kind: Kind) -> Result<(u64, Vec<Chunk>), Fault> {
    let (mut rows, mut chunks) = (None, Vec::new());
    reader.structure(kind, |reader, id, kind| {
        match id {
            1 => reader.list(kind, |reader, kind| {
                chunks.push(chunk(reader, kind)?);
                Ok(())
            })?,
            3 => rows = Some(reader.integer(kind)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((natural(rows)?, chunks))
}

fn chunk(reader: &mut Reader<'_>, kind: Kind) -> Result<Chunk, Fault> {
    let (mut codec, mut length, mut data, mut dictionary) = (None, None, None, None);
    reader.structure(kind, |reader, id, kind| {
        match id {
            1 => return Err("a chunk in another file"),
            3 => reader.structure(kind, |reader, id, kind| {
                let place = match id {
                    4 => &mut codec,
                    7 => &mut length,
                    9 => &mut data,
                    11 => &mut dictionary,
                    _ => return Ok(false),
                };
                *place = Some(reader.integer(kind)?);
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let data = natural(data)?;
    // A dictionary stands before the data; some writers put 0 where there is none.
    let start = match dictionary {
        Some(dictionary) if dictionary > 0 => natural(Some(dictionary))?.min(data),
        _ => data,
    };
    Ok(Chunk {
        start,
        length: natural(length)?,
        codec: codec.ok_or("a chunk without its codec")?,
    })
}

fn natural(number: Option<i64>) -> Result<u64, Fault> {
    let number = number.ok_or("a header lacks a number")?;
    u64::try_from(number).map_err(|_| "a header has a negative number")
}
