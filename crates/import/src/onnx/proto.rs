//! The messages of ONNX, as far as they are read.
//!
//! Field numbers and types are those of the ONNX intermediate representation; fields that are not
//! listed are skipped by the decoder.

use prost::Message;

use crate::error::ImportError;
use crate::limits::PROTO_FIELDS;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Model {
    #[prost(int64, tag = "1")]
    pub(crate) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(crate) producer_name: String,
    #[prost(string, tag = "3")]
    pub(crate) producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub(crate) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) opset_import: Vec<OperatorSet>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(crate) domain: String,
    #[prost(int64, tag = "2")]
    pub(crate) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(crate) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(crate) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(float, optional, tag = "2")]
    pub(crate) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(crate) i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(crate) t: Option<TensorProto>,
    #[prost(float, repeated, tag = "7")]
    pub(crate) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(crate) ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub(crate) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(crate) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(crate) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(crate) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(crate) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(crate) double_data: Vec<f64>,
    /// 1: the values stand in another file.
    #[prost(int32, tag = "14")]
    pub(crate) data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(crate) tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(crate) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(crate) dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub(crate) dim_value: Option<i64>,
}

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
