//! The proof that a circuit's nodes compute the program: coefficients and structure, not samples.

use super::activation::{Activated, Activation};
use super::build::{input_value, logit_shifts, shifted};
use super::linear_map::{LinearMap, Row, source_formats};
use super::maximum::under_window;
use super::movement::moved;
use super::node::{Operand, Operation, StepMark, Value};
use super::ranges::ranges;
use super::recover::Coefficients;
use super::{Circuit, OutputForm, Wire};
use bitfront_network::{IntegerOperation, IntegerProgram, Interval, TensorFormat};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Proves that the circuit computes the program: every linear step has exactly the program's
    /// coefficients and constants, every activation its rule, every maximum the elements under its
    /// window, and every step reads what its sources give. Where sums are narrowed to ranges of data, that is so of rows
    /// within them.
    ///
    /// # Errors
    /// The first output that differs.
    pub fn check_against(&self, program: &IntegerProgram) -> Result<(), CircuitMismatch> {
        let ranges = ranges(program, &self.steps, self.observed.as_ref()).unwrap_or_default();
        for (number, mark) in self.steps.iter().enumerate() {
            self.check_step(number, mark, program, &ranges)
                .map_err(|(output, problem)| CircuitMismatch {
                    layer: program
                        .layers
                        .get(mark.layer)
                        .map_or_else(String::new, |layer| layer.name.clone()),
                    output,
                    problem,
                })?;
        }
        self.check_outputs(program, &ranges)
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
        ranges: &[Vec<Interval>],
    ) -> Result<(), (usize, String)> {
        let Some(layer) = program.layers.get(mark.layer) else {
            return Err((0, "the program has no such layer".to_owned()));
        };
        let formats = source_formats(program, layer);
        let read = self.read(mark, program, &formats);
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
                    let channel = output % formats[0].channels();
                    let activation = Activation::new(rule, channel, formats[0].fraction[channel]);
                    // What the program has for the code; an activation has one source.
                    let range = match mark.sources.first() {
                        Some(Some(step)) => ranges.get(*step).and_then(|r| r.get(output)),
                        _ => program.input.range.get(channel),
                    };
                    let range = range.copied();
                    self.check_activation(&activation, mark.inputs[output], range, value)
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
    fn read(
        &self,
        mark: &StepMark,
        program: &IntegerProgram,
        formats: &[&TensorFormat],
    ) -> Vec<Vec<Option<Value>>> {
        let inputs = |format: Option<&&TensorFormat>| -> Vec<Option<Value>> {
            let count = format.map_or(0, |format| format.shape.iter().product());
            // Known ones are there whether or not something reads them.
            let known = |element| match input_value(program, element, Wire(0)) {
                Value::Constant(code) => Some(Value::Constant(code)),
                Value::Wire(_) => None,
            };
            let mut elements: Vec<Option<Value>> = (0..count).map(known).collect();
            for (index, node) in self.nodes.iter().enumerate() {
                if let Operation::Input { index: element } = node.operation {
                    elements[element] = Some(input_value(program, element, Wire(index as u32)));
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
    pub(super) fn unregistered(&self, mut wire: Wire) -> Wire {
        while let Operation::Register { source } = self.node(wire).operation {
            wire = source;
        }
        wire
    }

    /// An activation of the right wire, or a known code that `range`, the program's interval of an
    /// accumulator that nothing reads, leaves no choice about.
    fn check_activation(
        &self,
        activation: &Activation<'_>,
        input: Option<Value>,
        range: Option<Interval>,
        value: Value,
    ) -> Result<(), String> {
        let expected = match input {
            None => {
                let image = range.and_then(|range| activation.image(range));
                let known = image.filter(|image| image.lo == image.hi);
                known.map(|image| Activated::Known(image.lo))
            }
            Some(Value::Constant(code)) => {
                activation.of(Value::Constant(code), Interval::point(code))
            }
            Some(Value::Wire(operand)) => {
                activation.of(Value::Wire(operand), self.node(operand.wire).range)
            }
        };
        match (expected, value) {
            (Some(Activated::Known(code)), Value::Constant(found)) if code == found => Ok(()),
            (Some(Activated::Wire(same)), Value::Wire(operand))
                if same.shift == operand.shift
                    && self.unregistered(same.wire) == self.unregistered(operand.wire) =>
            {
                Ok(())
            }
            (Some(Activated::Node(operation, _, shift)), Value::Wire(operand))
                if operand.shift == shift =>
            {
                let found = &self.node(self.unregistered(operand.wire)).operation;
                let found = found.rewired(|wire| self.unregistered(wire));
                let operation = operation.rewired(|wire| self.unregistered(wire));
                if found == operation {
                    self.check_table(activation, input, &operation)
                } else {
                    Err(format!("its activation is {found:?}, not {operation:?}"))
                }
            }
            _ => Err("it is no activation of its accumulator".to_owned()),
        }
    }

    /// Every entry of a table against the program's own rule, at either end of what it stands for: how the table was
    /// made is no part of this.
    fn check_table(
        &self,
        activation: &Activation<'_>,
        input: Option<Value>,
        operation: &Operation,
    ) -> Result<(), String> {
        let Operation::Table {
            source,
            dropped,
            first,
            codes,
        } = operation
        else {
            return Ok(());
        };
        let shift = match input {
            Some(Value::Wire(operand)) => operand.shift,
            _ => 0,
        };
        let Interval { lo, hi } = self.node(*source).range;
        for (address, &code) in (*first..).zip(codes) {
            let ends = [address << dropped, ((address + 1) << dropped) - 1];
            for value in ends.map(|end| end.clamp(lo, hi)) {
                if activation.code(value << shift) != Some(code) {
                    return Err(format!("its table has {code} for {value}"));
                }
            }
        }
        if (*first, *first + codes.len() as i64 - 1) == (lo >> dropped, hi >> dropped) {
            Ok(())
        } else {
            Err("its table lacks a value that its accumulator may have".to_owned())
        }
    }

    /// The leaves of a tree of maxima are under the window, and what is left out is never larger.
    pub(super) fn check_maximum(&self, under: &[Value], value: Value) -> Result<(), String> {
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

    /// The output bus carries the last step's outputs, shifted to one fraction, or what is made of them. `ranges`
    /// are the program's intervals of every step's outputs.
    fn check_outputs(
        &self,
        program: &IntegerProgram,
        ranges: &[Vec<Interval>],
    ) -> Result<(), (usize, String)> {
        let Some(last) = self.steps.last() else {
            return Ok(());
        };
        if self.output != OutputForm::Logits {
            return self.check_made_of_logits(program, &last.outputs, ranges);
        }
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

    /// The output bus carries the index of the largest of the last step's `values`, or their softmax.
    fn check_made_of_logits(
        &self,
        program: &IntegerProgram,
        values: &[Option<Value>],
        ranges: &[Vec<Interval>],
    ) -> Result<(), (usize, String)> {
        let shifts = logit_shifts(program);
        let shifted_values = values.iter().zip(&shifts);
        let logits: Vec<Option<Value>> = shifted_values
            .map(|(value, shift)| value.map(|value| value.shifted(*shift)))
            .collect();
        let bounds = ranges.last().map(Vec::as_slice).unwrap_or_default();
        let bounds = bounds.iter().zip(&shifts);
        let bounds: Vec<Interval> = bounds
            .map(|(range, shift)| shifted(*range, *shift))
            .collect();
        if bounds.len() != logits.len() {
            return Err((0, "the program has no intervals of its outputs".to_owned()));
        }
        if let Some(mark) = &self.softmax {
            let Some(softmax) = program.softmax() else {
                return Err((0, "the program has no softmax tables".to_owned()));
            };
            return self.check_softmax(mark, &logits, &bounds, &softmax);
        }
        let [operand] = self.output_operands[..] else {
            return Err((0, "the bus carries more than an index".to_owned()));
        };
        self.check_arg_max(operand, &logits, &bounds)
            .map_err(|problem| (0, problem))
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
