//! ONNX nodes without weights: pooling, padding, flattening, sums and concatenations.

use std::rc::Rc;

use bitfront_network::{Operation, Padding};

use super::convert::{Converter, Value, integers};
use super::node::{Attributes, pairs};
use super::view::{Layout, View};
use crate::array::Array;
use crate::graph::{CONSTANT_BITS, Tensor};

impl Converter<'_> {
    pub(super) fn pool(
        &mut self,
        name: &str,
        operator: &str,
        attributes: &Attributes<'_>,
        view: &View,
    ) -> Result<Value, String> {
        let shape = self.graph.shape(view.tensor).to_vec();
        if view.layout == Layout::Last || view.rank != shape.len() || shape.len() < 2 {
            return Err("reads no tensor of channels and one or two spatial axes".into());
        }
        let extents = &shape[..shape.len() - 1];
        let (window, border) = attributes.window(None, extents)?;
        if attributes.integer("ceil_mode", 0) != 0 {
            let rest = |at: usize| {
                let reach = (window.size[at] - 1) * window.dilation[at] + 1;
                let padded = extents[at] + border[at][0] + border[at][1];
                padded.saturating_sub(reach) % window.strides[at]
            };
            if window.padding == Padding::Same || (0..extents.len()).any(|at| rest(at) != 0) {
                return Err("has ceil_mode = 1, which adds windows that are not whole".into());
            }
        }
        let origin = (name, operator);
        let is_padded = border.iter().any(|ends| *ends != [0, 0]);
        let counts_border = attributes.integer("count_include_pad", 0) != 0;
        let mut input = view.tensor;
        if operator == "AveragePool" && counts_border {
            if window.padding == Padding::Same {
                let geometry = window.over(extents)?;
                if geometry.reads_border() {
                    return Err(
                        "counts the border of a window that is padded as `same`; accepted \
                                is a `Pad` node before it"
                            .into(),
                    );
                }
            }
            input = self.padded(origin, name, input, border)?;
        } else if is_padded {
            return Err("has a border that differs from the paddings `same` and `valid`".into());
        }
        let operation = if operator == "MaxPool" {
            Operation::MaxPool { window }
        } else {
            Operation::AveragePool {
                window,
                reciprocal_bits: CONSTANT_BITS,
            }
        };
        let tensor = self
            .graph
            .add(origin, name, &[input], operation, Vec::new())?;
        Ok(Value::View(view.of(tensor)))
    }

    pub(super) fn mean(
        &mut self,
        origin: (&str, &str),
        view: &View,
        keeps: bool,
    ) -> Result<Value, String> {
        let operation = Operation::GlobalAveragePool {
            reciprocal_bits: CONSTANT_BITS,
        };
        let tensor = self
            .graph
            .add(origin, origin.0, &[view.tensor], operation, Vec::new())?;
        let mut view = view.of(tensor);
        if !keeps {
            view = View::flat(tensor);
        }
        Ok(Value::View(view))
    }

    pub(super) fn flatten(&mut self, origin: (&str, &str), view: &View) -> Result<Value, String> {
        let shape = self.graph.shape(view.tensor).to_vec();
        if shape.len() == 1 {
            return Ok(Value::View(View {
                order: view.order.clone(),
                ..View::flat(view.tensor)
            }));
        }
        let operation = Operation::Flatten;
        let tensor = self
            .graph
            .add(origin, origin.0, &[view.tensor], operation, Vec::new())?;
        Ok(Value::View(View {
            order: view.flattened_order(&shape),
            ..View::flat(tensor)
        }))
    }

    pub(super) fn pad(
        &mut self,
        origin: (&str, &str),
        attributes: &Attributes<'_>,
        view: &View,
        inputs: &[Option<Value>],
    ) -> Result<Value, String> {
        let mode = attributes.text("mode").unwrap_or("constant");
        let value = match inputs.get(2) {
            Some(Some(Value::Constant(constant, _))) => constant.real().and_then(Array::uniform),
            Some(Some(_)) => None,
            _ => Some(attributes.real("value", 0.0)),
        };
        if mode != "constant" || value != Some(0.0) || inputs.get(3).is_some_and(Option::is_some) {
            return Err("pads by other things than zeros".into());
        }
        let pads = integers(inputs, 1).or_else(|| attributes.integers("pads"));
        let pads = pads.ok_or("has pads that are no constant")?;
        let pairs = pairs(pads, view.rank + 1)?;
        let (channels, spatial) = match view.layout {
            Layout::First => (pairs.get(1), pairs.get(2..)),
            Layout::Last => (pairs.last(), pairs.get(1..view.rank)),
        };
        let spatial = spatial.unwrap_or(&[]).to_vec();
        let whole = self.graph.shape(view.tensor).len() == view.rank;
        if pairs[0] != [0, 0] || channels != Some(&[0, 0]) || spatial.is_empty() || !whole {
            return Err("pads other axes than positions".into());
        }
        let operation = Operation::ZeroPadding { border: spatial };
        let tensor = self
            .graph
            .add(origin, origin.0, &[view.tensor], operation, Vec::new())?;
        Ok(Value::View(view.of(tensor)))
    }

    /// Sum (no axis) or concatenation of tensors.
    pub(super) fn join(
        &mut self,
        origin: (&str, &str),
        inputs: &[Option<Value>],
        axis: Option<i64>,
    ) -> Result<Value, String> {
        let views: Option<Vec<&View>> = inputs
            .iter()
            .map(|value| match value {
                Some(Value::View(view)) => Some(view),
                _ => None,
            })
            .collect();
        let views = views.ok_or("reads a constant; accepted are tensors of the network")?;
        let first = *views.first().ok_or("reads nothing")?;
        let alike = |view: &&View| {
            view.rank == first.rank && (view.rank == 1 || view.layout == first.layout)
        };
        if !views.iter().all(alike) {
            return Err("reads tensors of different axes".into());
        }
        if let [_] = views.as_slice() {
            return Ok(Value::View(first.clone()));
        }
        let order = match axis {
            None if views.iter().all(|view| view.order == first.order) => first.order.clone(),
            None => return Err("adds tensors that were flattened in different orders".into()),
            Some(axis) if !first.is_channels(axis) => {
                return Err(format!(
                    "joins along axis {axis}; accepted are the channels"
                ));
            }
            Some(_) => self.joined_order(&views),
        };
        let tensors: Vec<Tensor> = views.iter().map(|view| view.tensor).collect();
        let operation = match axis {
            None => Operation::Add,
            Some(_) => Operation::Concatenate,
        };
        let tensor = self
            .graph
            .add(origin, origin.0, &tensors, operation, Vec::new())?;
        let mut view = first.of(tensor);
        view.order = order;
        Ok(Value::View(view))
    }

    /// Order of flattened tensors put side by side.
    pub(super) fn joined_order(&self, views: &[&View]) -> Option<Rc<[usize]>> {
        if views.iter().all(|view| view.order.is_none()) {
            return None;
        }
        let mut order = Vec::new();
        for view in views {
            let start = order.len();
            let size: usize = self.graph.shape(view.tensor).iter().product();
            match &view.order {
                Some(inner) => order.extend(inner.iter().map(|at| start + at)),
                None => order.extend(start..start + size),
            }
        }
        Some(order.into())
    }
}
