//! ONNX nodes with weights: dense layers, convolutions, biases, batch normalisations.

use bitfront_network::{Operation, Part};
use bitfront_quantizer::Quantizer;

use super::convert::{Converter, Value};
use super::node::Attributes;
use super::tensor::Constant;
use super::view::{Layout, View};
use crate::array::Array;
use crate::graph::{CONSTANT_BITS, Tensor};
use bitfront_onnx::Node;

impl Converter<'_> {
    pub(super) fn dense(
        &mut self,
        name: &str,
        attributes: &Attributes<'_>,
        operator: &str,
        view: &View,
        inputs: &[Option<Value>],
    ) -> Result<Value, String> {
        if view.rank > 1 && (view.layout == Layout::First || operator == "Gemm") {
            return Err(
                "multiplies along positions; accepted is along the only axis behind the \
                        batch, or along channels that stand last"
                    .into(),
            );
        }
        let (array, kernel) = weights(inputs, 1, "matrix")?;
        if array.shape.len() != 2 {
            return Err(format!("has a matrix of shape {:?}", array.shape));
        }
        let mut array = array.clone();
        let mut bias = None;
        if operator == "Gemm" {
            attributes.only("transA", 0)?;
            if attributes.integer("transB", 0) != 0 {
                array = array.transposed(&[1, 0]);
            }
            scale(&mut array, attributes.real("alpha", 1.0), kernel, "alpha")?;
            if inputs.get(2).is_some_and(Option::is_some) {
                let (given, quantizer) = weights(inputs, 2, "bias")?;
                let mut given = spread(given, array.shape[1])?;
                scale(&mut given, attributes.real("beta", 1.0), quantizer, "beta")?;
                bias = Some((given, quantizer));
            }
        }
        if let Some(order) = &view.order {
            if order.len() != array.shape[0] {
                return Err(format!("has a matrix of shape {:?}", array.shape));
            }
            array = array.rows_reordered(order);
        }
        let operation = Operation::Dense {
            units: array.shape[1],
            kernel: kernel.unwrap_or(Quantizer::Float),
            bias: bias.as_ref().map(|(_, q)| q.unwrap_or(Quantizer::Float)),
            fold: None,
        };
        let mut parts = vec![(Part::Kernel, array)];
        parts.extend(bias.map(|(array, _)| (Part::Bias, array)));
        let tensor = self
            .graph
            .add((name, operator), name, &[view.tensor], operation, parts)?;
        let mut view = view.of(tensor);
        view.order = None;
        Ok(Value::View(view))
    }

    pub(super) fn convolution(
        &mut self,
        name: &str,
        attributes: &Attributes<'_>,
        view: &View,
        inputs: &[Option<Value>],
    ) -> Result<Value, String> {
        let shape = self.graph.shape(view.tensor).to_vec();
        if view.layout == Layout::Last || view.rank != shape.len() || shape.len() < 2 {
            return Err("reads no tensor of channels and one or two spatial axes".into());
        }
        let (spatial, channels) = (shape.len() - 1, shape[shape.len() - 1]);
        let (array, quantizer) = weights(inputs, 1, "kernel")?;
        if array.shape.len() != spatial + 2 || array.shape.contains(&0) {
            return Err(format!("has a kernel of shape {:?}", array.shape));
        }
        let (filters, group) = (array.shape[0], attributes.integer("group", 1));
        // [out, in, positions...] becomes [positions..., in, out].
        let order: Vec<usize> = (2..spatial + 2).chain([1, 0]).collect();
        let mut moved = array.transposed(&order);
        let size = moved.shape[..spatial].to_vec();
        let (window, border) = attributes.window(Some(&size), &shape[..spatial])?;
        let kernel = quantizer.unwrap_or(Quantizer::Float);
        let bias = match inputs.get(2) {
            Some(Some(_)) => {
                let (array, quantizer) = weights(inputs, 2, "bias")?;
                Some((
                    spread(array, filters)?,
                    quantizer.unwrap_or(Quantizer::Float),
                ))
            }
            _ => None,
        };
        let bias_quantizer = bias.as_ref().map(|(_, quantizer)| *quantizer);
        let operation = if group == 1 {
            Operation::Conv {
                filters,
                window,
                kernel,
                bias: bias_quantizer,
                fold: None,
            }
        } else if group == channels as i64 && array.shape[1] == 1 && filters % channels == 0 {
            let multiplier = filters / channels;
            let shape = [&size[..], &[channels, multiplier]].concat();
            moved = moved
                .reshaped(&shape)
                .ok_or("has a kernel of another shape")?;
            Operation::DepthwiseConv {
                multiplier,
                window,
                kernel,
                bias: bias_quantizer,
                fold: None,
            }
        } else {
            return Err(format!(
                "has {group} groups for {channels} channels; accepted are one group, or one a \
                 channel"
            ));
        };
        let origin = (name, "Conv");
        let input = self.padded(origin, name, view.tensor, border)?;
        let mut parts = vec![(Part::Kernel, moved)];
        parts.extend(bias.map(|(array, _)| (Part::Bias, array)));
        let tensor = self.graph.add(origin, name, &[input], operation, parts)?;
        Ok(Value::View(view.of(tensor)))
    }

    pub(super) fn padded(
        &mut self,
        origin: (&str, &str),
        name: &str,
        tensor: Tensor,
        border: Vec<[usize; 2]>,
    ) -> Result<Tensor, String> {
        if border.iter().all(|ends| *ends == [0, 0]) {
            return Ok(tensor);
        }
        let operation = Operation::ZeroPadding { border };
        self.graph.add(
            origin,
            &format!("{name}_padding"),
            &[tensor],
            operation,
            Vec::new(),
        )
    }

    /// A constant that is added: the bias of the layer before it. `at` is the index of the tensor
    /// among the inputs.
    pub(super) fn bias(
        &mut self,
        node: &Node,
        view: &View,
        array: &Constant,
        quantizer: Option<Quantizer>,
        at: usize,
    ) -> Result<Value, String> {
        let refusal = "adds a constant to what is not the sum of a dense layer or convolution \
                       without bias, read by nothing else";
        let array = array.real().ok_or("adds integers")?;
        let axis = match view.layout {
            Layout::First if view.rank > 1 => 1,
            _ => view.rank,
        };
        // Axes are counted from the end, as in broadcasting.
        let from_end = view.rank + 1 - axis;
        let lies = array.shape.iter().rev().enumerate();
        let fits = lies
            .clone()
            .all(|(at, size)| *size == 1 || at + 1 == from_end);
        if !fits || !self.is_read_once(&node.input[at]) {
            return Err(refusal.into());
        }
        let channels = self.graph.shape(view.tensor).last().copied().unwrap_or(0);
        let Some((operation, parts)) = self.graph.operation_mut(view.tensor) else {
            return Err(refusal.into());
        };
        let (Operation::Dense { bias, .. }
        | Operation::Conv { bias, .. }
        | Operation::DepthwiseConv { bias, .. }) = operation
        else {
            return Err(refusal.into());
        };
        if bias.is_some() {
            return Err(refusal.into());
        }
        let values = spread(array, channels)?.values;
        if values.iter().any(|value| !value.is_finite()) {
            return Err("adds values that are no numbers".into());
        }
        *bias = Some(quantizer.unwrap_or(Quantizer::Float));
        parts.insert(Part::Bias, values);
        Ok(Value::View(view.clone()))
    }

    pub(super) fn normalisation(
        &mut self,
        name: &str,
        attributes: &Attributes<'_>,
        view: &View,
        inputs: &[Option<Value>],
    ) -> Result<Value, String> {
        attributes.only("training_mode", 0)?;
        if !view.is_channels(1) {
            return Err("normalises along positions; accepted is along channels".into());
        }
        let mut parts = Vec::new();
        for (at, part) in [Part::Gamma, Part::Beta, Part::Mean, Part::Variance]
            .into_iter()
            .enumerate()
        {
            let (array, quantizer) = weights(inputs, at + 1, part.name())?;
            if quantizer.is_some() {
                return Err(format!("has a quantized {part}; accepted are float values"));
            }
            let mut array = array.clone();
            if let Some(order) = &view.order {
                if array.shape != [order.len()] {
                    return Err(format!("has a {part} of shape {:?}", array.shape));
                }
                array = array.rows_reordered(order);
            }
            parts.push((part, array));
        }
        let operation = Operation::BatchNorm {
            epsilon: attributes.real("epsilon", 1e-5),
            momentum: attributes.real("momentum", 0.9),
            scale_bits: CONSTANT_BITS,
            offset_bits: CONSTANT_BITS,
        };
        let origin = (name, "BatchNormalization");
        let tensor = self
            .graph
            .add(origin, name, &[view.tensor], operation, parts)?;
        Ok(Value::View(view.of(tensor)))
    }
}

/// Weights among a node's inputs, with their quantizer.
fn weights<'v>(
    inputs: &'v [Option<Value>],
    at: usize,
    what: &str,
) -> Result<(&'v Array, Option<Quantizer>), String> {
    match inputs.get(at) {
        Some(Some(Value::Constant(constant, quantizer))) => constant
            .real()
            .map(|array| (array, *quantizer))
            .ok_or_else(|| format!("has a {what} of integers")),
        _ => Err(format!("has a {what} that is no constant")),
    }
}

/// A factor on weights, which quantized ones cannot take.
fn scale(
    array: &mut Array,
    factor: f32,
    quantizer: Option<Quantizer>,
    name: &str,
) -> Result<(), String> {
    if factor == 1.0 {
        return Ok(());
    }
    if quantizer.is_some() {
        return Err(format!(
            "has {name} = {factor} on quantized weights; accepted is 1"
        ));
    }
    array.values.iter_mut().for_each(|value| *value *= factor);
    Ok(())
}

/// An array of one value, or of `size`, as `size` values.
fn spread(array: &Array, size: usize) -> Result<Array, String> {
    match array.values.len() {
        1 => Ok(Array::vector(vec![array.values[0]; size])),
        n if n == size => Ok(Array::vector(array.values.clone())),
        n => Err(format!("has a bias of {n} values for {size} channels")),
    }
}
