//! What a circuit's adders and multipliers compute, read off the graph: coefficients, not samples.

use super::Circuit;
use super::linear_form::LinearForm;
use super::node::{Operation, Value, Wire};
use std::collections::{BTreeMap, HashMap};

/// One output of a linear step as the graph has it: a sum over the wires that carry the step's inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coefficients {
    /// Coefficient of each wire, in units of the output; zeros are left out.
    pub wires: BTreeMap<Wire, i64>,
    /// What is added, contributions of known inputs included.
    pub constant: i64,
}

impl Circuit {
    /// Recomputes the coefficients of a step's outputs by propagating linear forms through adders and
    /// multipliers; `None` for an output that nothing reads or that they alone do not compute.
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
    pub(super) fn form(
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
                Operation::Constant { .. }
                    | Operation::Register { .. }
                    | Operation::Add { .. }
                    | Operation::Multiply { .. }
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
        Operation::Multiply { source, factor } => {
            Some(form(*source)?.combine(*factor, &LinearForm::default(), 0))
        }
        Operation::Input { .. }
        | Operation::Requantize { .. }
        | Operation::Steps { .. }
        | Operation::Table { .. }
        | Operation::Max { .. }
        | Operation::AtLeast { .. }
        | Operation::Select { .. }
        | Operation::Digit { .. } => None,
    }
}
