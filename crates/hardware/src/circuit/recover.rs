//! The proof that a circuit's nodes compute the program: coefficients and structure, not samples.

use super::activation::{Activated, Activation};
use super::build::logit_shifts;
use super::linear_map::{LinearMap, Row, source_formats};
use super::maximum::under_window;
use super::movement::moved;
use super::node::{Operand, Operation, StepMark, Value};
use super::sum_tree::LinearForm;
use super::{Circuit, Wire};
use bitfront_network::{ActivationRule, IntegerOperation, IntegerProgram, Interval, TensorFormat};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One output of a linear step as the graph has it: a sum over the wires that carry the step's inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coefficients {
    /// Coefficient of each wire, in units of the output; zeros are left out.
    pub wires: BTreeMap<Wire, i64>,
    /// What is added, contributions of known inputs included.
    pub constant: i64,
}

/// Where a circuit differs from its program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer}, output {output}: {problem}")]
pub struct CircuitMismatch {
    /// Name of the layer.
    pub layer: String,
    /// Number of the output element.
    pub output: usize,
    /// What differs.
    pub problem: String,
}

impl Circuit {
    /// Recomputes the coefficients of a step's outputs by propagating linear forms through adders;
    /// `None` for an output that nothing reads or that adders alone do not compute.
    ///
    /// # Panics
    /// When `step` is not below [`Circuit::step_count`].
    pub fn recover(&self, step: usize) -> Vec<Option<Coefficients>> {
        let mark = &self.steps[step];
        // Forms over wires, each numbered as itself: elements on one wire are one input to adders.
        let wires = mark.inputs.iter().filter_map(|value| match value {
            Some(Value::Wire(operand)) => Some(operand.wire),
            _ => None,
        });
        let mut forms: HashMap<Wire, Option<LinearForm>> = wires
            .map(|wire| {
                let form = LinearForm {
                    coefficients: [(wire.0 as usize, 1)].into(),
                    constant: 0,
                };
                (wire, Some(form))
            })
            .collect();
        let recovered = |value: &Option<Value>| match value {
            None => None,
            Some(Value::Constant(constant)) => Some(Coefficients {
                wires: BTreeMap::new(),
                constant: *constant,
            }),
            Some(Value::Wire(operand)) => {
                let form = self.form(operand.wire, &mut forms)?;
                let wires = form
                    .coefficients
                    .iter()
                    .map(|(wire, &coefficient)| (Wire(*wire as u32), coefficient << operand.shift));
                Some(Coefficients {
                    wires: wires.collect(),
                    constant: form.constant << operand.shift,
                })
            }
        };
        mark.outputs.iter().map(recovered).collect()
    }

    /// The linear form of a wire over those that have one already; `None` where adders do not compute
    /// it. Operands stand before their nodes, so the graph is walked from the wire down.
    fn form(
        &self,
        wire: Wire,
        forms: &mut HashMap<Wire, Option<LinearForm>>,
    ) -> Option<LinearForm> {
        let mut open = vec![wire];
        while let Some(&top) = open.last() {
            if forms.contains_key(&top) {
                open.pop();
                continue;
            }
            let operation = &self.node(top).operation;
            let linear = matches!(
                operation,
                Operation::Constant { .. } | Operation::Register { .. } | Operation::Add { .. }
            );
            let missing: Vec<Wire> = operation
                .sources()
                .filter(|source| linear && !forms.contains_key(source))
                .collect();
            if missing.is_empty() {
                let form = propagate(operation, forms);
                forms.insert(top, form);
                open.pop();
            } else {
                open.extend(missing);
            }
        }
        forms.get(&wire).cloned().flatten()
    }

    /// Proves that the circuit computes the program: every linear step has exactly the program's
    /// coefficients and constants, every activation its rule, every maximum the elements under its
    /// window, and every step reads what its sources give.
    ///
    /// # Errors
    /// The first output that differs.
    pub fn check_against(&self, program: &IntegerProgram) -> Result<(), CircuitMismatch> {
        for (number, mark) in self.steps.iter().enumerate() {
            self.check_step(number, mark, program)
                .map_err(|(output, problem)| CircuitMismatch {
                    layer: program
                        .layers
                        .get(mark.layer)
                        .map_or_else(String::new, |layer| layer.name.clone()),
                    output,
                    problem,
                })?;
        }
        self.check_outputs(program)
            .map_err(|(output, problem)| CircuitMismatch {
                layer: "outputs".to_owned(),
                output,
                problem,
            })
    }

    fn check_step(
        &self,
        number: usize,
        mark: &StepMark,
        program: &IntegerProgram,
    ) -> Result<(), (usize, String)> {
        let Some(layer) = program.layers.get(mark.layer) else {
            return Err((0, "the program has no such layer".to_owned()));
        };
        let formats = source_formats(program, layer);
        let read = self.read(mark, &formats);
        if read.concat() != mark.inputs {
            return Err((0, "it does not read what its sources give".to_owned()));
        }
        let slices: Vec<&[Option<Value>]> = read.iter().map(Vec::as_slice).collect();
        let zero = Some(Value::Constant(0));
        if let Some(expected) = moved(&layer.operation, &formats, &slices, zero) {
            return match expected.iter().zip(&mark.outputs).position(|(e, f)| e != f) {
                Some(output) => Err((output, "another element stands here".to_owned())),
                None if expected.len() == mark.outputs.len() => Ok(()),
                None => Err((0, "elements are missing".to_owned())),
            };
        }
        if let Some(map) = LinearMap::of(program, layer, mark.step) {
            let recovered = self.recover(number);
            let rows: Vec<&Row> = map.rows().collect();
            if rows.len() != recovered.len() {
                return Err((
                    0,
                    format!("{} outputs, not {}", recovered.len(), rows.len()),
                ));
            }
            let outputs = rows.iter().zip(&recovered).zip(&mark.outputs).enumerate();
            for (output, ((row, found), value)) in outputs {
                if value.is_some() {
                    check_row(row, found.as_ref(), &mark.inputs)
                        .map_err(|problem| (output, problem))?;
                }
            }
            return Ok(());
        }
        for (output, value) in mark.outputs.iter().enumerate() {
            let Some(value) = *value else { continue };
            let checked = match &layer.operation {
                IntegerOperation::Activation(rule) => {
                    self.check_activation(rule, formats[0], mark.inputs[output], output, value)
                }
                IntegerOperation::MaxPool(geometry) => {
                    let under = under_window(geometry, formats[0].channels(), output);
                    let under: Option<Vec<Value>> =
                        under.iter().map(|&from| mark.inputs[from]).collect();
                    match under {
                        Some(under) => self.check_maximum(&under, value),
                        None => Err("an element under its window is not read".to_owned()),
                    }
                }
                _ => Err("its operation has no circuit".to_owned()),
            };
            checked.map_err(|problem| (output, problem))?;
        }
        Ok(())
    }

    /// What a step's sources give, tensor by tensor.
    fn read(&self, mark: &StepMark, formats: &[&TensorFormat]) -> Vec<Vec<Option<Value>>> {
        let inputs = |format: Option<&&TensorFormat>| -> Vec<Option<Value>> {
            let count = format.map_or(0, |format| format.shape.iter().product());
            let mut elements = vec![None; count];
            for (index, node) in self.nodes.iter().enumerate() {
                if let Operation::Input { index: element } = node.operation {
                    let wire = Wire(index as u32);
                    elements[element] = Some(Value::Wire(Operand { wire, shift: 0 }));
                }
            }
            elements
        };
        let sources = mark.sources.iter().enumerate();
        sources
            .map(|(at, source)| match source {
                None => inputs(formats.get(at)),
                Some(step) => self.steps[*step].outputs.clone(),
            })
            .collect()
    }

    /// The node behind any registers.
    fn unregistered(&self, mut wire: Wire) -> Wire {
        while let Operation::Register { source } = self.node(wire).operation {
            wire = source;
        }
        wire
    }

    fn check_activation(
        &self,
        rule: &ActivationRule,
        format: &TensorFormat,
        input: Option<Value>,
        element: usize,
        value: Value,
    ) -> Result<(), String> {
        let channel = element % format.channels();
        let activation = Activation {
            rule,
            channel,
            fraction: format.fraction[channel],
        };
        let range = match input {
            Some(Value::Constant(code)) => Interval::point(code),
            Some(Value::Wire(operand)) => self.node(operand.wire).range,
            // Its accumulator went because its code is known whatever the accumulator is.
            None => return self.check_known(rule, channel, value),
        };
        let expected = input.and_then(|input| activation.of(input, range));
        match (expected, value) {
            (Some(Activated::Known(code)), Value::Constant(found)) if code == found => Ok(()),
            (Some(Activated::Node(operation, _)), Value::Wire(operand)) if operand.shift == 0 => {
                let found = &self.node(self.unregistered(operand.wire)).operation;
                let found = found.rewired(|wire| self.unregistered(wire));
                let operation = operation.rewired(|wire| self.unregistered(wire));
                if found == operation {
                    Ok(())
                } else {
                    Err(format!("its activation is {found:?}, not {operation:?}"))
                }
            }
            _ => Err("it is no activation of its accumulator".to_owned()),
        }
    }

    /// A code that does not depend on its accumulator must be one of the rule's.
    fn check_known(
        &self,
        rule: &ActivationRule,
        channel: usize,
        value: Value,
    ) -> Result<(), String> {
        let Value::Constant(code) = value else {
            return Err("read, but its accumulator is not computed".to_owned());
        };
        let possible = match rule {
            ActivationRule::Uniform { range, .. } => (range.lo..=range.hi).contains(&code),
            ActivationRule::Steps { codes, .. } => codes[channel].contains(&code),
            ActivationRule::Function(_) => false,
        };
        if possible {
            Ok(())
        } else {
            Err(format!("{code} is no code of its activation"))
        }
    }

    /// The leaves of a tree of maxima are under the window, and what is left out is never larger.
    fn check_maximum(&self, under: &[Value], value: Value) -> Result<(), String> {
        let leaf = |operand: Operand| match self.node(operand.wire).operation {
            Operation::Constant { value } => (None, value << operand.shift),
            _ => (
                Some(self.unregistered(operand.wire)),
                i64::from(operand.shift),
            ),
        };
        let of_value = |value: &Value| match *value {
            Value::Constant(code) => (None, code),
            Value::Wire(operand) => leaf(operand),
        };
        let expected: BTreeSet<(Option<Wire>, i64)> = under.iter().map(of_value).collect();
        let mut found = BTreeSet::new();
        let mut floor = i64::MIN;
        let mut open = match value {
            Value::Constant(code) => {
                found.insert((None, code));
                floor = code;
                Vec::new()
            }
            Value::Wire(operand) => vec![operand],
        };
        while let Some(operand) = open.pop() {
            let wire = self.unregistered(operand.wire);
            let node = self.node(wire);
            let here = leaf(Operand { wire, ..operand });
            if expected.contains(&here) {
                floor = floor.max(node.range.lo << operand.shift);
                found.insert(here);
            } else if let Operation::Max { left, right } = node.operation {
                open.extend([left, right].map(|below| Operand {
                    shift: below.shift + operand.shift,
                    ..below
                }));
            } else {
                return Err("it reads an element that is not under its window".to_owned());
            }
        }
        if !found.is_subset(&expected) {
            return Err("it reads an element that is not under its window".to_owned());
        }
        let largest = |(wire, number): &(Option<Wire>, i64)| match wire {
            None => *number,
            Some(wire) => self.node(*wire).range.hi << number,
        };
        match expected
            .difference(&found)
            .find(|left| largest(left) > floor)
        {
            Some(_) => Err("an element under its window is not compared".to_owned()),
            None => Ok(()),
        }
    }

    /// The output bus carries the last step's outputs, shifted to one fraction.
    fn check_outputs(&self, program: &IntegerProgram) -> Result<(), (usize, String)> {
        let Some(last) = self.steps.last() else {
            return Ok(());
        };
        let outputs = last.outputs.iter().zip(logit_shifts(program));
        for (output, ((value, shift), operand)) in outputs.zip(&self.output_operands).enumerate() {
            let found = (self.unregistered(operand.wire), operand.shift);
            let same = match value {
                None => false,
                Some(Value::Constant(code)) => {
                    let code = code << shift;
                    matches!(self.node(found.0).operation,
                        Operation::Constant { value } if value << found.1 == code)
                }
                Some(Value::Wire(operand)) => {
                    (self.unregistered(operand.wire), operand.shift + shift) == found
                }
            };
            if !same {
                return Err((output, "the bus carries something else".to_owned()));
            }
        }
        Ok(())
    }
}

fn check_row(
    row: &Row,
    found: Option<&Coefficients>,
    inputs: &[Option<Value>],
) -> Result<(), String> {
    let Some(found) = found else {
        return Err("read, but not computed by adders".to_owned());
    };
    let mut constant = row.constant;
    let mut expected: BTreeMap<Wire, i64> = BTreeMap::new();
    for &(input, weight) in &row.weights {
        let coefficient = row.coefficient(weight);
        match inputs[input] {
            Some(Value::Constant(code)) => constant += code * coefficient,
            Some(Value::Wire(operand)) => {
                *expected.entry(operand.wire).or_insert(0) += coefficient << operand.shift;
            }
            None if coefficient == 0 => {}
            None => {
                return Err(format!(
                    "input {input} is not read, its coefficient is {coefficient}"
                ));
            }
        }
    }
    expected.retain(|_, coefficient| *coefficient != 0);
    let of = |map: &BTreeMap<Wire, i64>, wire: &Wire| map.get(wire).copied().unwrap_or(0);
    let mut wires = found.wires.keys().chain(expected.keys());
    if let Some(wire) = wires.find(|wire| of(&found.wires, wire) != of(&expected, wire)) {
        return Err(format!(
            "the coefficient of wire {} is {}, not {}",
            wire.0,
            of(&found.wires, wire),
            of(&expected, wire)
        ));
    }
    if found.constant != constant {
        return Err(format!(
            "its constant is {}, not {constant}",
            found.constant
        ));
    }
    Ok(())
}

fn propagate(
    operation: &Operation,
    forms: &HashMap<Wire, Option<LinearForm>>,
) -> Option<LinearForm> {
    let form = |wire: Wire| forms.get(&wire)?.as_ref();
    match operation {
        Operation::Constant { value } => Some(LinearForm {
            constant: *value,
            ..LinearForm::default()
        }),
        Operation::Register { source } => form(*source).cloned(),
        Operation::Add {
            left,
            right,
            subtract,
        } => {
            let sign = if *subtract { -1 } else { 1 };
            let (left_form, right_form) = (form(left.wire)?, form(right.wire)?);
            Some(left_form.combine(1 << left.shift, right_form, sign * (1_i64 << right.shift)))
        }
        Operation::Input { .. }
        | Operation::Requantize { .. }
        | Operation::Steps { .. }
        | Operation::Max { .. } => None,
    }
}
