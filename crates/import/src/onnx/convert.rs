//! What each ONNX node becomes.
//!
//! The rule this module keeps: every attribute that changes what a node computes is either honoured
//! or named in a refusal.

use std::collections::HashMap;
use std::rc::Rc;

use bitfront_network::Operation;
use bitfront_quantizer::Quantizer;

use super::node::Attributes;
use super::tensor::{Constant, constant};
use super::view::{Layout, View};
use super::{quantizers, tensor};
use crate::array::Array;
use crate::curve::{Activation, Curve};
use crate::graph::{Graph, Tensor};
use bitfront_onnx::{Graph as File, Node};

/// What a name in the graph stands for.
#[derive(Clone)]
pub(super) enum Value {
    /// A constant, with the quantizer that it goes through.
    Constant(Rc<Constant>, Option<Quantizer>),
    /// A constant that cannot be read.
    BadConstant(String),
    View(View),
    /// What a refused node gives.
    Refused,
}

/// Operators that are known.
const OPERATORS: [&str; 25] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "BipolarQuant",
    "Concat",
    "Constant",
    "Conv",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Pad",
    "Quant",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Tanh",
    "Transpose",
];

/// Whether an operator is a quantizer of QONNX.
pub(super) fn is_quantizer(operator: &str) -> bool {
    ["Quant", "BipolarQuant"].contains(&operator)
}

/// Domains of operators; the first is that of ONNX itself.
const DOMAINS: [&str; 5] = [
    "",
    "ai.onnx",
    "qonnx.custom_op.general",
    "onnx.brevitas",
    "finn.custom_op.general",
];

/// Where the channels of the graph's input stand: behind the positions if all that read it move
/// them to the front first.
pub(super) fn input_layout(file: &File, input: &str, rank: usize) -> Layout {
    let last = View {
        rank,
        layout: Layout::Last,
        ..View::flat(Tensor::Input)
    };
    let mut readers = file
        .node
        .iter()
        .filter(|node| node.input.iter().any(|name| name == input))
        .peekable();
    let moves = |node: &Node| {
        let order = Attributes::of(node).integers("perm").unwrap_or(&[]);
        let moved = last.transposed(order);
        node.op_type == "Transpose" && moved.is_some_and(|view| view.layout == Layout::First)
    };
    if rank > 1 && readers.peek().is_some() && readers.all(moves) {
        Layout::Last
    } else {
        Layout::First
    }
}

pub(super) struct Converter<'a> {
    pub(super) graph: &'a mut Graph,
    opset: i64,
    values: HashMap<&'a str, Value>,
    /// How often each name is read, outputs included.
    uses: HashMap<&'a str, usize>,
}

impl<'a> Converter<'a> {
    /// A converter that knows the constants and the input (name, rank, layout).
    pub(super) fn new(
        file: &'a File,
        graph: &'a mut Graph,
        opset: i64,
        (input, rank, layout): (&'a str, usize, Layout),
    ) -> Self {
        let mut values = HashMap::new();
        for initializer in &file.initializer {
            let value = match constant(initializer) {
                Ok(constant) => Value::Constant(Rc::new(constant), None),
                Err(problem) => Value::BadConstant(problem),
            };
            values.insert(initializer.name.as_str(), value);
        }
        let view = View {
            rank,
            layout,
            ..View::flat(Tensor::Input)
        };
        values.insert(input, Value::View(view));
        let mut uses = HashMap::new();
        let read = file.node.iter().flat_map(|node| &node.input);
        for name in read.chain(file.output.iter().map(|output| &output.name)) {
            *uses.entry(name.as_str()).or_default() += 1;
        }
        Self {
            graph,
            opset,
            values,
            uses,
        }
    }

    /// The tensor of the graph's output, if no node before it was refused.
    pub(super) fn output(&mut self, name: &str) -> Option<Tensor> {
        match self.values.get(name) {
            Some(Value::View(view)) if view.order.is_none() && view.layout_is_ours(self.graph) => {
                Some(view.tensor)
            }
            Some(Value::View(_)) => {
                let reason = "has channels before positions; accepted as an output is one axis \
                              that a layer made, or channels behind the positions";
                self.graph.refuse(name, "output", reason);
                None
            }
            Some(Value::Refused) => None,
            _ => {
                self.graph.refuse(name, "output", "is given by no node");
                None
            }
        }
    }

    /// Converts a node, or records why it cannot be.
    pub(super) fn node(&mut self, node: &'a Node) {
        let Some(output) = node.output.first() else {
            return;
        };
        let name = [&node.name, output]
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("unnamed", |name| name.trim_start_matches('/'));
        let value = match self.convert(node, name) {
            Ok(value) => value,
            Err(reason) => {
                self.graph.refuse(name, &node.op_type, reason);
                Value::Refused
            }
        };
        self.values.insert(output, value);
    }

    fn convert(&mut self, node: &'a Node, name: &str) -> Result<Value, String> {
        let operator = node.op_type.as_str();
        let known = OPERATORS.contains(&operator) && DOMAINS.contains(&node.domain.as_str());
        if !known || is_quantizer(operator) == DOMAINS[..2].contains(&node.domain.as_str()) {
            return Err("is no operator that is supported".into());
        }
        let attributes = Attributes::of(node);
        if operator == "Constant" {
            let value = attributes.find("value").and_then(|value| value.t.as_ref());
            let value = value.ok_or("has no tensor for its value")?;
            return Ok(Value::Constant(Rc::new(tensor::constant(value)?), None));
        }
        let inputs = self.inputs(node)?;
        if is_quantizer(operator) {
            return self.quantizer(node, name, &attributes, &inputs);
        }
        if inputs
            .iter()
            .flatten()
            .any(|value| matches!(value, Value::Refused))
        {
            return Ok(Value::Refused);
        }
        let origin = (name, operator);
        let Some(Some(Value::View(view))) = inputs.first() else {
            return match (operator, inputs.as_slice()) {
                ("Identity", [Some(constant)]) => Ok(constant.clone()),
                (
                    "Add",
                    [
                        Some(Value::Constant(bias, quantizer)),
                        Some(Value::View(view)),
                    ],
                ) => self.bias(node, view, bias, *quantizer, 1),
                _ => Err("reads a constant first; accepted is a tensor of the network".into()),
            };
        };
        let view = view.clone();
        let layer = |this: &mut Self, operation: Operation| {
            this.graph
                .add(origin, name, &[view.tensor], operation, Vec::new())
        };
        let curve = |this: &mut Self, activation: Activation| {
            let tensor = this.graph.activate(origin, name, view.tensor, activation)?;
            Ok(Value::View(view.of(tensor)))
        };
        match operator {
            "Identity" => Ok(Value::View(view)),
            "Relu" => curve(self, Activation::Quantizer(Quantizer::Relu)),
            "Tanh" => curve(self, Activation::Curve(Curve::Tanh)),
            "Sigmoid" => curve(self, Activation::Curve(Curve::Sigmoid)),
            "LeakyRelu" => {
                let slope = attributes.real("alpha", 0.01);
                curve(self, Activation::Curve(Curve::Leaky { slope }))
            }
            "Softmax" => {
                let axis = attributes.integer("axis", if self.opset < 13 { 1 } else { -1 });
                if view.rank != 1 || !view.is_channels(axis) {
                    return Err("is not over the only axis behind the batch".into());
                }
                curve(self, Activation::Curve(Curve::Softmax))
            }
            "Dropout" => {
                let ratio = match inputs.get(1) {
                    Some(Some(Value::Constant(constant, None))) => {
                        constant.real().and_then(Array::uniform).unwrap_or(0.5)
                    }
                    _ => attributes.real("ratio", 0.5),
                };
                let tensor = layer(self, Operation::Dropout { rate: ratio })?;
                Ok(Value::View(view.of(tensor)))
            }
            "Gemm" | "MatMul" => self.dense(name, &attributes, operator, &view, &inputs),
            "Conv" => self.convolution(name, &attributes, &view, &inputs),
            "Add" => match &inputs[1..] {
                [Some(Value::Constant(bias, quantizer))] => {
                    self.bias(node, &view, bias, *quantizer, 0)
                }
                _ => self.join(origin, &inputs, None),
            },
            "Concat" => self.join(origin, &inputs, Some(attributes.integer("axis", 1))),
            "BatchNormalization" => self.normalisation(name, &attributes, &view, &inputs),
            "MaxPool" | "AveragePool" => self.pool(name, operator, &attributes, &view),
            "GlobalAveragePool" => self.mean(origin, &view, true),
            "ReduceMean" => {
                let given = inputs.get(1).cloned().flatten();
                let axes = match &given {
                    Some(Value::Constant(axes, _)) => axes.integers(),
                    _ => attributes.integers("axes"),
                };
                if !axes.is_some_and(|axes| view.are_spatial(axes)) {
                    return Err("is not over all positions of each channel".into());
                }
                self.mean(origin, &view, attributes.integer("keepdims", 1) != 0)
            }
            "Flatten" => {
                let axis = attributes.integer("axis", 1);
                if axis != 1 && axis != -(view.rank as i64) {
                    return Err(format!("has axis = {axis}; accepted is 1"));
                }
                self.flatten(origin, &view)
            }
            "Reshape" => {
                let target = integers(&inputs, 1).ok_or("has a shape that is no constant")?;
                let size: usize = self.graph.shape(view.tensor).iter().product();
                let is_flat = match target {
                    [batch, -1] => *batch >= 0,
                    [_, all] => *all == size as i64,
                    _ => false,
                };
                if !is_flat {
                    return Err(format!(
                        "makes the shape {target:?}; accepted is [batch, {size}]"
                    ));
                }
                self.flatten(origin, &view)
            }
            "Squeeze" if view.is_pooled(self.graph) => Ok(Value::View(View::flat(view.tensor))),
            "Squeeze" => Err("is not behind a mean over all positions".into()),
            "Transpose" => {
                let order = attributes.integers("perm").unwrap_or(&[]);
                let moved = view.transposed(order);
                moved.map(Value::View).ok_or_else(|| {
                    format!("has perm = {order:?}; accepted is to move channels to the other end")
                })
            }
            "Pad" => self.pad(origin, &attributes, &view, &inputs),
            _ => Err("is no operator that is supported".into()),
        }
    }

    /// Values of a node's inputs; nothing where an optional one is left out.
    fn inputs(&self, node: &Node) -> Result<Vec<Option<Value>>, String> {
        let value = |name: &String| {
            if name.is_empty() {
                return Ok(None);
            }
            match self.values.get(name.as_str()) {
                Some(Value::BadConstant(problem)) => Err(problem.clone()),
                Some(value) => Ok(Some(value.clone())),
                None => Err(format!("reads `{name}`, which nothing before it gives")),
            }
        };
        node.input.iter().map(value).collect()
    }

    pub(super) fn quantizer(
        &mut self,
        node: &Node,
        name: &str,
        attributes: &Attributes<'_>,
        inputs: &[Option<Value>],
    ) -> Result<Value, String> {
        let settings: Vec<Option<&Constant>> = inputs
            .get(1..)
            .unwrap_or(&[])
            .iter()
            .map(|value| match value {
                Some(Value::Constant(constant, None)) => Some(&**constant),
                _ => None,
            })
            .collect();
        let quantizer = match node.op_type.as_str() {
            "Quant" => quantizers::quant(attributes, &settings)?,
            _ => quantizers::bipolar(&settings)?,
        };
        match inputs.first() {
            Some(Some(Value::Constant(constant, None))) => {
                // A bias or kernel keeps its negative values, which the rectifier would not.
                let signed = !matches!(quantizer, Quantizer::QuantizedRelu(_));
                let quantizer = signed
                    .then_some(quantizer)
                    .ok_or("is unsigned on weights; accepted are signed quantizers there")?;
                Ok(Value::Constant(Rc::clone(constant), Some(quantizer)))
            }
            Some(Some(Value::Constant(_, Some(_)))) => Err("quantizes what is quantized".into()),
            Some(Some(Value::View(view))) => {
                // A rectifier before a quantizer without negative values is part of it.
                let merges = matches!(quantizer, Quantizer::QuantizedRelu(_))
                    && self.is_read_once(&node.input[0]);
                if merges
                    && let Some((Operation::Activation { quantizer: before }, _)) =
                        self.graph.operation_mut(view.tensor)
                    && *before == Quantizer::Relu
                {
                    *before = quantizer;
                    return Ok(Value::View(view.clone()));
                }
                let origin = (name, node.op_type.as_str());
                let activation = Activation::Quantizer(quantizer);
                let tensor = self.graph.activate(origin, name, view.tensor, activation)?;
                Ok(Value::View(view.of(tensor)))
            }
            _ => Ok(Value::Refused),
        }
    }

    pub(super) fn is_read_once(&self, name: &str) -> bool {
        self.uses.get(name) == Some(&1)
    }
}

impl View {
    /// Whether the file sees the tensor as the network here does.
    fn layout_is_ours(&self, graph: &Graph) -> bool {
        self.rank == 1 || self.layout == Layout::Last || self.is_pooled(graph)
    }
}

/// A constant list of integers among a node's inputs.
pub(super) fn integers(inputs: &[Option<Value>], at: usize) -> Option<&[i64]> {
    match inputs.get(at) {
        Some(Some(Value::Constant(constant, None))) => constant.integers(),
        _ => None,
    }
}
