//! A view of the simplest networks: dense layers in a row, each with a bias, each but the last
//! followed by an activation layer.

use bitfront_quantizer::Quantizer;

use crate::{Candidate, Head, Layer, Operation};

/// A dense layer with what follows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StackLayer {
    /// Name of the dense layer.
    pub name: String,
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub units: usize,
    /// Quantizer of the kernel.
    pub kernel: Quantizer,
    /// Quantizer of the bias.
    pub bias: Quantizer,
    /// Name and quantizer of the activation layer behind it.
    pub activation: Option<(String, Quantizer)>,
}

/// A candidate as a stack of dense layers.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseStack {
    /// Number of input features.
    pub inputs: usize,
    /// Quantizer of the input.
    pub input_quantizer: Quantizer,
    /// Dense layers, first to last.
    pub layers: Vec<StackLayer>,
    /// Index of each dense layer among the candidate's layers.
    pub positions: Vec<usize>,
}

impl Candidate {
    /// This candidate as a stack of dense layers.
    ///
    /// # Errors
    /// The first layer that does not fit, and why, as a sentence.
    pub fn dense_stack(&self) -> Result<DenseStack, String> {
        let [inputs] = self.input_shape[..] else {
            return Err(format!("the input has {} axes", self.input_shape.len()));
        };
        let mut stack = DenseStack {
            inputs,
            input_quantizer: self.input_quantizer,
            layers: Vec::new(),
            positions: Vec::new(),
        };
        let mut width = inputs;
        for (index, layer) in self.layers.iter().enumerate() {
            let name = &layer.name;
            if !layer.inputs.is_empty() {
                return Err(format!("`{name}` names what it reads"));
            }
            match (&layer.operation, stack.layers.last_mut()) {
                (
                    Operation::Dense {
                        units,
                        kernel,
                        bias: Some(bias),
                        fold: None,
                    },
                    above,
                ) => {
                    if above.is_some_and(|above| above.activation.is_none()) {
                        return Err(format!("`{name}` follows a dense layer"));
                    }
                    stack.layers.push(StackLayer {
                        name: name.clone(),
                        inputs: width,
                        units: *units,
                        kernel: *kernel,
                        bias: *bias,
                        activation: None,
                    });
                    stack.positions.push(index);
                    width = *units;
                }
                (Operation::Activation { quantizer }, Some(above))
                    if above.activation.is_none() && index + 1 < self.layers.len() =>
                {
                    above.activation = Some((name.clone(), *quantizer));
                }
                (operation, _) => {
                    return Err(format!("`{name}` is {} here", operation.kind()));
                }
            }
        }
        if stack.layers.is_empty() {
            return Err("it has no layers".into());
        }
        Ok(stack)
    }
}

impl DenseStack {
    /// The candidate that this is a view of, with the largest logit as its class.
    pub fn candidate(&self) -> Candidate {
        let mut layers = Vec::new();
        for layer in &self.layers {
            layers.push(Layer::new(
                layer.name.clone(),
                Operation::Dense {
                    units: layer.units,
                    kernel: layer.kernel,
                    bias: Some(layer.bias),
                    fold: None,
                },
            ));
            if let Some((name, quantizer)) = &layer.activation {
                let quantizer = *quantizer;
                layers.push(Layer::new(
                    name.clone(),
                    Operation::Activation { quantizer },
                ));
            }
        }
        Candidate {
            input_shape: vec![self.inputs],
            input_quantizer: self.input_quantizer,
            layers,
            head: Head::ARG_MAX,
            scale_bits: crate::candidate::SCALE_BITS,
        }
    }
}
