//! The proof that a streamed circuit has the program's constants: from its tables and circuits, not from samples.

use bitfront_network::{IntegerOperation, IntegerProgram, Interval, Linear};

use super::build::{Planned, plan};
use super::shared::{Shared, scaled};
use super::{Front, Stage, StreamedCircuit};
use crate::circuit::{CircuitMismatch, Port};

impl StreamedCircuit {
    /// Proves that every stage computes the program: the circuits of single positions by their coefficients and rules
    /// ([`Circuit::check_against`](crate::circuit::Circuit::check_against)), windows by what they hand on, and of shared stages
    /// the matrix, recomputed from the weights by cycle and lane, and that no accumulator is too narrow.
    ///
    /// # Errors
    /// The first output that differs.
    pub fn check_against(&self, program: &IntegerProgram) -> Result<(), CircuitMismatch> {
        let plan = plan(program, &self.options)
            .map_err(|error| differs(&error.layer, 0, &error.reason))?;
        if plan.len() != self.stages.len() {
            let problem = format!("{} stages, not {}", self.stages.len(), plan.len());
            return Err(differs("stages", 0, &problem));
        }
        for (stage, planned) in self.stages.iter().zip(&plan) {
            stage.check_against(planned, program)?;
        }
        Ok(())
    }
}

impl Stage {
    fn check_against(
        &self,
        planned: &Planned,
        program: &IntegerProgram,
    ) -> Result<(), CircuitMismatch> {
        let first = planned.dense.map(|number| &program.layers[number]);
        let first = first.or(planned.core.layers.first());
        let layer = first.map_or("input", |layer| &layer.name);
        let fault = |(output, problem): (usize, String)| differs(layer, output, &problem);
        let read = planned.core.input.range.iter().cycle();
        let narrower = |(port, range): (&Port, &Interval)| port.range != *range;
        if self.beats != planned.beats || self.core.inputs().iter().zip(read).any(narrower) {
            return Err(differs(layer, 0, "it reads other beats"));
        }
        match (&self.front, &planned.front) {
            (Front::Pointwise, Front::Pointwise) => {}
            (Front::Window(window), Front::Window(wanted)) if window == wanted => {}
            (Front::Shared(shared), Front::Shared(wanted)) if shared.ports == wanted.ports => {
                let operation = first.map(|layer| &layer.operation);
                let Some(IntegerOperation::Linear(linear)) = operation else {
                    return Err(differs(layer, 0, "it is no dense layer"));
                };
                shared.check_against(linear).map_err(fault)?;
            }
            _ => {
                return Err(differs(
                    layer,
                    0,
                    "its beats are put together in another way",
                ));
            }
        }
        self.core.check_against(&planned.core)
    }
}

impl Shared {
    /// Whether the table has the layer's matrix and every accumulator holds all that is in it on the way.
    fn check_against(&self, linear: &Linear) -> Result<(), (usize, String)> {
        let channels = self.ports.len();
        let entries = self.cycles() * self.lanes * self.outputs;
        if self.beats * channels != linear.inputs
            || self.outputs != linear.outputs
            || self.parts * self.lanes < channels
            || self.weights.len() != entries
        {
            return Err((0, "its table has another shape".to_owned()));
        }
        for output in 0..linear.outputs {
            let mut reached = Interval::point(0);
            for element in 0..linear.inputs {
                let (beat, channel) = (element / channels, element % channels);
                let cycle = beat * self.parts + channel / self.lanes;
                let found = self.weight(cycle, channel % self.lanes, output);
                let wanted =
                    linear.kernel[element * linear.outputs + output] << linear.input_shift[element];
                if found != wanted {
                    let problem =
                        format!("element {element} is multiplied by {found}, not by {wanted}");
                    return Err((output, problem));
                }
                let product = scaled(self.ports[channel].range, found);
                reached.lo += product.lo.min(0);
                reached.hi += product.hi.max(0);
            }
            let held = self.partial[output];
            if reached.lo < held.lo || reached.hi > held.hi {
                let problem = format!(
                    "its accumulator holds {} to {}, the sums reach {} to {}",
                    held.lo, held.hi, reached.lo, reached.hi
                );
                return Err((output, problem));
            }
        }
        Ok(())
    }
}

fn differs(layer: &str, output: usize, problem: &str) -> CircuitMismatch {
    CircuitMismatch {
        layer: layer.to_owned(),
        output,
        problem: problem.to_owned(),
    }
}
