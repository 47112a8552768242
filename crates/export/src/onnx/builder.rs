//! Nodes, constants and the file of a graph.

use prost::Message;

use crate::error::Refusals;
use crate::scaled::Scaled;
use bitfront_onnx::{
    Attribute, Dimension, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type,
    ValueInfo,
};

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
        let width = scaled.width();
        if let Some(reason) = scaled.refusal() {
            self.refusals.add(place, reason);
        }
        let raw = self.floats(&format!("{name}_value"), shape, &scaled.values());
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
