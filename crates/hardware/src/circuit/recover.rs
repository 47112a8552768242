//! The proof that a circuit's adders compute the program's kernels: coefficients, not samples.

use super::node::{Operation, Value};
use super::{Circuit, Wire};
use bitfront_network::{IntegerLayer, IntegerProgram};
use std::collections::BTreeMap;

/// The linear part of one layer as the graph has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredLayer {
    /// `inputs x outputs`, row-major, in units of each output's accumulator. Zero for inputs whose
    /// value is known.
    pub kernel: Vec<i64>,
    /// One an output, in units of its accumulator, contributions of known inputs included.
    pub constant: Vec<i64>,
    /// Whether each output is computed at all (else nothing depends on it).
    pub live: Vec<bool>,
}

/// Where a circuit differs from its program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer}, output {output}: {problem}")]
pub struct CircuitMismatch {
    /// Name of the dense layer.
    pub layer: String,
    /// Number of the output.
    pub output: usize,
    /// What differs.
    pub problem: String,
}

/// A linear function of a layer's inputs: coefficients and constant.
type Form = (BTreeMap<usize, i64>, i64);

impl Circuit {
    /// Recomputes the kernel of a layer by propagating coefficients through its adders.
    ///
    /// # Panics
    /// When `layer` is not below [`Circuit::layer_count`].
    pub fn recover_kernel(&self, layer: usize) -> RecoveredLayer {
        let mark = &self.layers[layer];
        let inputs = mark.inputs.len();
        let outputs = mark.accumulators.len();
        let mut forms: Vec<Option<Form>> = vec![None; self.nodes.len()];
        let mut input_shift = vec![0; inputs];
        for (i, value) in mark.inputs.iter().enumerate() {
            if let Some(Value::Wire(operand)) = value {
                forms[operand.wire.0 as usize] = Some(([(i, 1)].into(), 0));
                input_shift[i] = operand.shift;
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if forms[index].is_none() {
                forms[index] = propagate(&node.operation, &forms);
            }
        }
        let mut recovered = RecoveredLayer {
            kernel: vec![0; inputs * outputs],
            constant: vec![0; outputs],
            live: vec![true; outputs],
        };
        for (j, value) in mark.accumulators.iter().enumerate() {
            match value {
                None => recovered.live[j] = false,
                Some(Value::Constant(value)) => recovered.constant[j] = *value,
                Some(Value::Wire(operand)) => {
                    let Some((coefficients, constant)) = &forms[operand.wire.0 as usize] else {
                        recovered.live[j] = false;
                        continue;
                    };
                    recovered.constant[j] = constant << operand.shift;
                    for (&i, &coefficient) in coefficients {
                        let scaled = coefficient << operand.shift;
                        recovered.kernel[i * outputs + j] = scaled >> input_shift[i];
                    }
                }
            }
        }
        recovered
    }

    /// Proves that every layer's adders compute exactly the program's kernel and bias.
    ///
    /// # Errors
    /// The first output that differs.
    pub fn check_against(&self, program: &IntegerProgram) -> Result<(), CircuitMismatch> {
        for (number, layer) in program.layers.iter().enumerate() {
            let recovered = self.recover_kernel(number);
            for j in 0..layer.outputs {
                self.check_output(number, layer, j, &recovered)
                    .map_err(|problem| CircuitMismatch {
                        layer: layer.name.clone(),
                        output: j,
                        problem,
                    })?;
            }
        }
        Ok(())
    }

    fn check_output(
        &self,
        number: usize,
        layer: &IntegerLayer,
        j: usize,
        recovered: &RecoveredLayer,
    ) -> Result<(), String> {
        if !recovered.live[j] {
            // Nothing may depend on it: the next layer has it unread or already knows its value.
            let next = self.layers.get(number + 1).map(|mark| mark.inputs[j]);
            return match next {
                Some(None | Some(Value::Constant(_))) => Ok(()),
                _ => Err("read, but not computed by adders".to_owned()),
            };
        }
        let mut constant = layer.bias[j] << layer.bias_shift[j];
        for (i, value) in self.layers[number].inputs.iter().enumerate() {
            let weight = layer.kernel[i * layer.outputs + j] << layer.product_shift[j];
            let expected = match value {
                Some(Value::Constant(code)) => {
                    constant += code * weight;
                    0
                }
                Some(Value::Wire(_)) => weight,
                None if weight == 0 => 0,
                None => return Err(format!("input {i} is not read, its weight is {weight}")),
            };
            let found = recovered.kernel[i * layer.outputs + j];
            if found != expected {
                return Err(format!("weight of input {i} is {found}, not {expected}"));
            }
        }
        if recovered.constant[j] != constant {
            return Err(format!("bias is {}, not {constant}", recovered.constant[j]));
        }
        Ok(())
    }
}

fn propagate(operation: &Operation, forms: &[Option<Form>]) -> Option<Form> {
    let form = |wire: Wire| forms[wire.0 as usize].as_ref();
    match operation {
        Operation::Constant { value } => Some((BTreeMap::new(), *value)),
        Operation::Register { source } => form(*source).cloned(),
        Operation::Add {
            left,
            right,
            subtract,
        } => {
            let (left_form, right_form) = (form(left.wire)?, form(right.wire)?);
            let scale = (1_i64 << right.shift) * if *subtract { -1 } else { 1 };
            let mut coefficients: BTreeMap<usize, i64> = left_form
                .0
                .iter()
                .map(|(&input, &c)| (input, c << left.shift))
                .collect();
            for (&input, &coefficient) in &right_form.0 {
                *coefficients.entry(input).or_insert(0) += coefficient * scale;
            }
            coefficients.retain(|_, coefficient| *coefficient != 0);
            let constant = (left_form.1 << left.shift) + right_form.1 * scale;
            Some((coefficients, constant))
        }
        Operation::Input { .. } | Operation::Requantize { .. } | Operation::Steps { .. } => None,
    }
}
