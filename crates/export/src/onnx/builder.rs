//! Nodes, constants and the file of a graph.

use prost::Message;

use crate::error::Refusals;
use bitfront_onnx::{
    Attribute, Dimension, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type,
    ValueInfo,
};

/// Bits of an integer that f32 holds, with every smaller one.
pub(super) const F32_BITS: u32 = 24;

/// Where the operators of quantized graphs are defined.
const QONNX_DOMAIN: &str = "qonnx.custom_op.general";

/// Version of the operators: the one that every reader of quantized graphs takes.
const OPERATORS: i64 = 13;

/// How numbers are put on a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// By `Quant` nodes.
    Qonnx,
    /// By `Round` and `Clip`; constants lie on their grid already.
    Plain,
}

/// Codes times a power of two.
#[derive(Clone, Debug)]
pub(super) struct Scaled {
    pub(super) codes: Vec<i64>,
    pub(super) exponent: i32,
}

/// A graph on its way.
pub(super) struct Builder {
    pub(super) dialect: Dialect,
    pub(super) refusals: Refusals,
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
}

impl Builder {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            refusals: Refusals::default(),
            nodes: Vec::new(),
            constants: Vec::new(),
        }
    }

    /// Adds a node; its one output has the node's name with a mark.
    pub(super) fn node(
        &mut self,
        name: &str,
        kind: &str,
        input: Vec<String>,
        attribute: Vec<Attribute>,
    ) -> String {
        let custom = matches!(kind, "Quant" | "BipolarQuant");
        let output = format!("{name}_out");
        self.nodes.push(Node {
            input,
            output: vec![output.clone()],
            name: name.into(),
            op_type: kind.into(),
            attribute,
            domain: if custom { QONNX_DOMAIN } else { "" }.into(),
        });
        output
    }

    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.constants.push(Tensor {
            dims: shape.iter().map(|axis| *axis as i64).collect(),
            data_type: 1,
            name: name.into(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Tensor::default()
        });
        name.into()
    }

    pub(super) fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.constants.push(Tensor {
            dims: vec![values.len() as i64],
            data_type: 7,
            name: name.into(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Tensor::default()
        });
        name.into()
    }

    /// A constant tensor, behind its own quantizer where the dialect has them.
    pub(super) fn constant(
        &mut self,
        place: &str,
        name: &str,
        shape: &[usize],
        scaled: &Scaled,
    ) -> String {
        let width = width_of(&scaled.codes);
        if width > F32_BITS + 1 || scaled.exponent.abs() > 100 {
            let reason = format!(
                "has constants of {width} bits in steps of 2^{} on a common grid; accepted are \
                 {} bits, which f32 holds",
                scaled.exponent,
                F32_BITS + 1
            );
            self.refusals.add(place, reason);
        }
        let step = 2f64.powi(scaled.exponent);
        let values = scaled.codes.iter().map(|code| (*code as f64 * step) as f32);
        let raw = self.floats(&format!("{name}_value"), shape, &values.collect::<Vec<_>>());
        match self.dialect {
            Dialect::Plain => raw,
            // A signed grid of one bit has the levels -1 and 1 in that format, and no zero.
            Dialect::Qonnx => self.quant(
                name,
                raw,
                scaled.exponent,
                (width.max(2), true, false),
                "ROUND",
            ),
        }
    }

    /// A `Quant` node: bits, sign, and whether the most negative code is left out.
    pub(super) fn quant(
        &mut self,
        name: &str,
        x: String,
        exponent: i32,
        (bits, signed, narrow): (u32, bool, bool),
        rounding: &str,
    ) -> String {
        let scale = self.floats(&format!("{name}_scale"), &[], &[2f32.powi(exponent)]);
        let zero = self.floats(&format!("{name}_zero"), &[], &[0.0]);
        let width = self.floats(&format!("{name}_bits"), &[], &[bits as f32]);
        let attributes = vec![
            Attribute::number("signed", signed.into()),
            Attribute::number("narrow", narrow.into()),
            Attribute::text("rounding_mode", rounding),
        ];
        self.node(name, "Quant", vec![x, scale, zero, width], attributes)
    }

    /// The file of a graph from `input` to the tensor `last`; shapes are channels-first.
    pub(super) fn file(mut self, last: &str, input: &[usize], output: &[usize]) -> Vec<u8> {
        let mut last = last.to_owned();
        if last == "input" {
            last = self.node("identity", "Identity", vec![last], Vec::new());
        }
        for node in &mut self.nodes {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if *name == last {
                    "output".clone_into(name);
                }
            }
        }
        let mut opset_import = vec![OperatorSet {
            domain: String::new(),
            version: OPERATORS,
        }];
        if self.dialect == Dialect::Qonnx {
            opset_import.push(OperatorSet {
                domain: QONNX_DOMAIN.into(),
                version: 1,
            });
        }
        let value = |name: &str, shape: &[usize]| value(self.dialect, name, shape);
        let graph = Graph {
            name: "bitfront".into(),
            input: vec![value("input", input)],
            output: vec![value("output", output)],
            node: self.nodes,
            initializer: self.constants,
        };
        let model = Model {
            ir_version: 8,
            opset_import,
            producer_name: "bitfront".into(),
            graph: Some(graph),
            ..Model::default()
        };
        model.encode_to_vec()
    }
}

fn value(dialect: Dialect, name: &str, shape: &[usize]) -> ValueInfo {
    let batch = match dialect {
        // Quantized graphs are read with every size known.
        Dialect::Qonnx => Dimension {
            dim_value: Some(1),
            dim_param: None,
        },
        Dialect::Plain => Dimension {
            dim_value: None,
            dim_param: Some("batch".into()),
        },
    };
    let axes = shape.iter().map(|axis| Dimension {
        dim_value: Some(*axis as i64),
        dim_param: None,
    });
    let shape = Shape {
        dim: std::iter::once(batch).chain(axes).collect(),
    };
    ValueInfo {
        name: name.into(),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type: 1,
                shape: Some(shape),
            }),
        }),
    }
}

/// Bits of the narrowest two's complement that holds all codes.
fn width_of(codes: &[i64]) -> u32 {
    let bits = codes.iter().map(|code| {
        let magnitude = if *code < 0 { !code } else { *code };
        65 - magnitude.leading_zeros()
    });
    bits.max().unwrap_or(1)
}

impl Scaled {
    /// Numbers `codes[k] * 2^exponents[k]` on their coarsest common grid.
    ///
    /// # Errors
    /// Bits that are needed, where they are more than 62.
    pub(super) fn of(codes: &[i64], exponents: impl Fn(usize) -> i32) -> Result<Self, u32> {
        let parts = codes.iter().enumerate().filter(|(_, code)| **code != 0);
        let finest = parts.map(|(k, code)| exponents(k) + code.trailing_zeros() as i32);
        let exponent = finest.min().unwrap_or(0);
        let mut common = Vec::with_capacity(codes.len());
        for (k, code) in codes.iter().enumerate() {
            let shift = exponents(k) - exponent;
            let wide = i128::from(*code);
            let value = match shift {
                _ if wide == 0 => 0,
                0..=62 => wide << shift,
                -62..0 => wide >> -shift,
                _ => return Err(shift.unsigned_abs()),
            };
            common.push(i64::try_from(value).map_err(|_| 128 - value.abs().leading_zeros())?);
        }
        Ok(Self {
            codes: common,
            exponent,
        })
    }
}
