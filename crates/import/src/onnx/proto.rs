//! A model from its bytes, with a bound on how many values the decoder makes.

use bitfront_onnx::Model;
use prost::Message;

use crate::error::ImportError;
use crate::limits::PROTO_FIELDS;

/// Decodes a model.
///
/// The decoder makes a value of every field, so fields are counted first: a file of empty nodes
/// would otherwise take a hundred times its size.
pub(crate) fn decode(bytes: &[u8]) -> Result<Model, ImportError> {
    let mut fields = 0;
    count(bytes, MODEL, &mut fields)?;
    Model::decode(bytes).map_err(|e| ImportError::damaged("ONNX file", e))
}

/// Which fields of a message are messages themselves, with their own.
struct Nested(&'static [(u64, &'static Nested)]);

const LEAF: &Nested = &Nested(&[]);
const ATTRIBUTE: &Nested = &Nested(&[(5, LEAF)]);
const NODE: &Nested = &Nested(&[(5, ATTRIBUTE)]);
const SHAPE: &Nested = &Nested(&[(1, LEAF)]);
const TENSOR_TYPE: &Nested = &Nested(&[(2, SHAPE)]);
const TYPE: &Nested = &Nested(&[(1, TENSOR_TYPE)]);
const VALUE: &Nested = &Nested(&[(2, TYPE)]);
const GRAPH: &Nested = &Nested(&[(1, NODE), (5, LEAF), (11, VALUE), (12, VALUE)]);
const MODEL: &Nested = &Nested(&[(7, GRAPH), (8, LEAF)]);

fn count(mut bytes: &[u8], nested: &Nested, fields: &mut u64) -> Result<(), ImportError> {
    let damaged = |problem: &str| ImportError::damaged("ONNX file", problem);
    while !bytes.is_empty() {
        *fields += 1;
        ImportError::check_size("ONNX file", *fields, PROTO_FIELDS, "fields")?;
        let key = varint(&mut bytes).ok_or_else(|| damaged("it ends within a field"))?;
        let skip = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(|| damaged("it ends within a number"))?;
                0
            }
            1 => 8,
            2 => varint(&mut bytes).ok_or_else(|| damaged("it ends within a length"))?,
            5 => 4,
            kind => return Err(damaged(&format!("it has a field of the wire type {kind}"))),
        };
        let part = usize::try_from(skip)
            .ok()
            .and_then(|skip| bytes.get(..skip));
        let part = part.ok_or_else(|| damaged("a part is longer than the file"))?;
        bytes = &bytes[part.len()..];
        let inner = nested.0.iter().find(|(number, _)| *number == key >> 3);
        if let (2, Some((_, inner))) = (key & 7, inner) {
            count(part, inner, fields)?;
        }
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
