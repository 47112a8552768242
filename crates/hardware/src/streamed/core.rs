//! The part of a program that a stage computes on one beat, as a program of its own.

use bitfront_network::{
    Axis, Geometry, Head, IntegerLayer, IntegerOperation, IntegerProgram, Linear, Source, Taps,
    TensorFormat,
};

use super::with_zero;

/// Layers of one position on their way to a program.
pub(super) struct Core<'a> {
    program: &'a IntegerProgram,
    input: TensorFormat,
    layers: Vec<IntegerLayer>,
}

impl<'a> Core<'a> {
    /// A core over `positions` beats of the format's channels, zeros among them if `padded`.
    pub(super) fn new(
        program: &'a IntegerProgram,
        format: &TensorFormat,
        positions: usize,
        padded: bool,
    ) -> Self {
        let range = format.range.iter();
        let range = range.map(|range| if padded { with_zero(*range) } else { *range });
        let input = TensorFormat {
            shape: vec![positions, format.channels()],
            fraction: format.fraction.clone(),
            range: range.collect(),
        };
        Self {
            program,
            input,
            layers: Vec::new(),
        }
    }

    /// Whether it does nothing yet.
    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Appends a layer that reads the one before it, for one position.
    pub(super) fn push(&mut self, layer: &IntegerLayer) {
        let operation = one_position(&layer.operation);
        self.push_operation(&layer.name, operation, &layer.output);
    }

    /// Appends an operation whose values have the channels of `output`.
    pub(super) fn push_operation(
        &mut self,
        name: &str,
        operation: IntegerOperation,
        output: &TensorFormat,
    ) {
        let source = match self.layers.len() {
            0 => Source::Input,
            count => Source::Layer(count - 1),
        };
        let before = self
            .layers
            .last()
            .map_or(&self.input, |layer| &layer.output);
        let windowed = matches!(
            operation,
            IntegerOperation::MaxPool(_)
                | IntegerOperation::Mean { .. }
                | IntegerOperation::Separable { .. }
                | IntegerOperation::Linear(Linear {
                    taps: Taps::Window(_) | Taps::Depthwise(_),
                    ..
                })
        );
        let positions = if windowed { 1 } else { before.shape[0] };
        self.layers.push(IntegerLayer {
            name: name.to_owned(),
            sources: vec![source],
            operation,
            output: TensorFormat {
                shape: vec![positions, output.channels()],
                ..output.clone()
            },
        });
    }

    /// The program; `last` is the one whose outputs are the network's.
    pub(super) fn finish(self, last: bool) -> IntegerProgram {
        let mut candidate = self.program.candidate.clone();
        candidate.head = Head::Linear;
        let output = self
            .layers
            .last()
            .map_or(&self.input, |layer| &layer.output);
        // The coarsest fraction leaves every channel's codes as they are.
        let own = output.fraction.iter().copied().min().unwrap_or(0);
        let output_fraction = if last {
            self.program.output_fraction
        } else {
            own
        };
        IntegerProgram {
            candidate,
            input: self.input,
            layers: self.layers,
            output_fraction,
        }
    }
}

/// The operation with its window over one axis of taps.
fn one_position(operation: &IntegerOperation) -> IntegerOperation {
    let linear = |linear: &Linear| Linear {
        taps: match linear.taps {
            Taps::Dense => Taps::Dense,
            Taps::Window(geometry) => Taps::Window(over_taps(geometry)),
            Taps::Depthwise(geometry) => Taps::Depthwise(over_taps(geometry)),
        },
        ..linear.clone()
    };
    match operation {
        IntegerOperation::Linear(own) => IntegerOperation::Linear(linear(own)),
        IntegerOperation::Separable {
            depthwise,
            between,
            pointwise,
        } => IntegerOperation::Separable {
            depthwise: linear(depthwise),
            between: TensorFormat {
                shape: vec![1, between.channels()],
                ..between.clone()
            },
            pointwise: Linear {
                taps: Taps::Dense,
                ..pointwise.clone()
            },
        },
        IntegerOperation::MaxPool(geometry) => IntegerOperation::MaxPool(over_taps(*geometry)),
        IntegerOperation::Mean {
            geometry,
            reciprocal,
        } => IntegerOperation::Mean {
            geometry: over_taps(*geometry),
            reciprocal: reciprocal.clone(),
        },
        other => other.clone(),
    }
}

fn over_taps(geometry: Geometry) -> Geometry {
    Geometry {
        rows: Axis::ONE,
        columns: Axis {
            input: geometry.taps(),
            size: geometry.taps(),
            ..Axis::ONE
        },
    }
}
