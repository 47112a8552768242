//! From an integer program to a chain of stages.

use bitfront_network::{
    Geometry, IntegerLayer, IntegerOperation, IntegerProgram, Linear, Source, Taps, TensorFormat,
};

use super::core::Core;
use super::shared::Shared;
use super::window::Window;
use super::{Front, Stage, StreamedCircuit, check, schedule};
use crate::circuit::{BuildError, BuildOptions, Circuit, OutputForm, Port, Ranges};

/// Most shared multipliers of a stage: several times the DSP blocks of the largest devices.
pub(super) const MOST_MULTIPLIERS: usize = 1 << 15;

pub(super) fn too_many_multipliers(count: usize) -> String {
    format!(
        "needs {count} multipliers; accepted are at most {MOST_MULTIPLIERS}: a greater reuse takes fewer"
    )
}

/// Most entries times words of a window's shift register.
const MOST_ENTRIES: usize = 1 << 18;

/// How a streamed circuit is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Cycles that each multiplier of a dense layer is used in for a row, at least 1. With 1, dense layers
    /// of one beat are adder graphs. Dense layers of a flattened image always take its beats one by one.
    pub reuse: u32,
    /// How the circuits of single positions are built.
    pub circuit: BuildOptions,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            reuse: 1,
            circuit: BuildOptions::default(),
        }
    }
}

impl StreamedCircuit {
    /// The streamed circuit of a program.
    ///
    /// # Errors
    /// [`BuildError`] for networks that are no chain, for padding, sums and joins as layers of their own, for
    /// pools over a border (but maxima of numbers that are not negative), and for what
    /// [`Circuit::build_with`] refuses in a stage.
    pub fn build(program: &IntegerProgram, options: &StreamOptions) -> Result<Self, BuildError> {
        let refuse = |layer: &str, reason: &str| {
            Err(BuildError {
                layer: layer.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let output = options.circuit.output;
        if output != OutputForm::Logits {
            return refuse(
                output.name(),
                "streamed circuits end in logits; accepted: output `logits`",
            );
        }
        if options.circuit.valid {
            return refuse(
                "valid",
                "streamed circuits have valid bits of their own; accepted: `false`",
            );
        }
        if options.circuit.ranges != Ranges::Proven {
            return refuse(
                "ranges",
                "streamed circuits have none of data; accepted: ranges `proven`",
            );
        }
        for (index, layer) in program.layers.iter().enumerate() {
            let before = index.checked_sub(1).map_or(Source::Input, Source::Layer);
            if layer.sources != [before] {
                return refuse(&layer.name, check::NO_CHAIN);
            }
        }
        let plan = plan(program, options)?;
        let beats = positions(&program.input);
        let output_beats = plan.last().map_or(beats, |stage| stage.beats);
        let built = plan.into_iter().map(|stage| {
            let core = Circuit::build_with(&stage.core, &options.circuit)?;
            Ok(Stage {
                front: stage.front,
                core,
                beats: stage.beats,
            })
        });
        let mut circuit = Self {
            stages: built.collect::<Result<_, _>>()?,
            inputs: Port::pack(
                program
                    .input
                    .range
                    .iter()
                    .copied()
                    .zip(program.input.fraction.iter().copied()),
            ),
            beats,
            output_beats,
            options: *options,
            gap: 0,
            latency: 0,
        };
        let timing = schedule::timing(&circuit);
        (circuit.gap, circuit.latency) = (timing.gap, timing.latency);
        circuit.check_against(program).map_err(|error| BuildError {
            reason: format!("its circuit is another function: {error}"),
            layer: error.layer,
        })?;
        Ok(circuit)
    }
}

/// A stage whose circuit is not built yet.
pub(super) struct Planned {
    pub(super) front: Front,
    /// What is computed on one beat.
    pub(super) core: IntegerProgram,
    pub(super) beats: usize,
    /// The dense layer of a shared stage, by its number in the program.
    pub(super) dense: Option<usize>,
}

/// The stages of a program, in order.
///
/// # Errors
/// The layer that does not stream.
pub(super) fn plan(
    program: &IntegerProgram,
    options: &StreamOptions,
) -> Result<Vec<Planned>, BuildError> {
    let mut chain = Chain {
        program,
        options,
        stages: Vec::new(),
        front: Front::Pointwise,
        core: Core::new(program, &program.input, 1, false),
        dense: None,
        format: program.input.clone(),
        beats: positions(&program.input),
    };
    for (number, layer) in program.layers.iter().enumerate() {
        chain.layer(number, layer).map_err(|reason| BuildError {
            layer: layer.name.clone(),
            reason,
        })?;
    }
    chain.close(true);
    Ok(chain.stages)
}

/// Positions of a tensor: what stands before its channels.
fn positions(format: &TensorFormat) -> usize {
    format.size() / format.channels().max(1)
}

struct Chain<'a> {
    program: &'a IntegerProgram,
    options: &'a StreamOptions,
    stages: Vec<Planned>,
    /// The stage that is being filled.
    front: Front,
    core: Core<'a>,
    dense: Option<usize>,
    /// Format of the values that it has so far; the shape is the layer's.
    format: TensorFormat,
    /// Beats of a row that it gives.
    beats: usize,
}

impl Chain<'_> {
    fn layer(&mut self, number: usize, layer: &IntegerLayer) -> Result<(), String> {
        match &layer.operation {
            IntegerOperation::Linear(linear) => match linear.taps {
                Taps::Dense => self.dense(number, layer, linear)?,
                Taps::Window(geometry) | Taps::Depthwise(geometry) => {
                    self.window(layer, geometry)?;
                }
            },
            IntegerOperation::Separable { depthwise, .. } => match depthwise.taps {
                Taps::Depthwise(geometry) => self.window(layer, geometry)?,
                _ => return Err("has no window".into()),
            },
            IntegerOperation::MaxPool(geometry) => {
                if geometry.reads_border() && self.format.range.iter().any(|range| range.lo < 0) {
                    return Err(
                        "takes maxima over a border of numbers that may be negative; \
                                accepted are windows inside, or a rectifier before it"
                            .into(),
                    );
                }
                self.window(layer, *geometry)?;
            }
            IntegerOperation::Mean { geometry, .. } => {
                if geometry.reads_border() {
                    return Err(check::MEAN_OVER_BORDER.into());
                }
                self.window(layer, *geometry)?;
            }
            // Beats are read one by one anyway; who reads a flat tensor finds its beats.
            IntegerOperation::Reshape => {}
            IntegerOperation::Affine { .. } | IntegerOperation::Activation(_) => {
                if layer.output.channels() != self.channels() {
                    return Err(check::ON_FLATTENED.into());
                }
                self.core.push(layer);
            }
            IntegerOperation::ZeroPadding { .. } => {
                return Err(check::PADDING.into());
            }
            IntegerOperation::Add { .. } | IntegerOperation::Concatenate => {
                return Err(check::SEVERAL.into());
            }
        }
        if !matches!(layer.operation, IntegerOperation::Reshape) {
            self.format = layer.output.clone();
        }
        Ok(())
    }

    /// Words of a beat.
    fn channels(&self) -> usize {
        self.format.channels()
    }

    fn window(&mut self, layer: &IntegerLayer, geometry: Geometry) -> Result<(), String> {
        self.close(false);
        let window = Window::new(geometry, &self.format)?;
        let words = window.entries().saturating_mul(self.channels());
        if words > MOST_ENTRIES {
            return Err(format!(
                "keeps {words} words of its input; accepted are at most {MOST_ENTRIES}"
            ));
        }
        let padded = geometry.reads_border();
        self.core = Core::new(self.program, &self.format, geometry.taps(), padded);
        self.core.push(layer);
        self.front = Front::Window(window);
        self.beats = geometry.positions();
        Ok(())
    }

    fn dense(
        &mut self,
        number: usize,
        layer: &IntegerLayer,
        linear: &Linear,
    ) -> Result<(), String> {
        let flat = linear.inputs != self.channels();
        let reuse = (self.options.reuse as usize).min(self.channels());
        if !flat && (reuse <= 1 || self.beats > 1) {
            self.core.push(layer);
            return Ok(());
        }
        if linear.inputs != self.channels() * self.beats {
            return Err(format!(
                "reads {} numbers where {} beats of {} come; accepted is all of them",
                linear.inputs,
                self.beats,
                self.channels()
            ));
        }
        self.close(false);
        let reuse = if self.beats > 1 { 1 } else { reuse };
        let (shared, sums) = Shared::new(
            linear,
            &self.format,
            self.beats,
            reuse,
            self.options.circuit.multipliers,
        );
        if shared.multipliers() > MOST_MULTIPLIERS {
            return Err(too_many_multipliers(shared.multipliers()));
        }
        // What is left: scale, shift and bias of each sum.
        let raw = TensorFormat {
            shape: vec![1, linear.outputs],
            fraction: layer.output.fraction.clone(),
            range: sums,
        };
        let rest = IntegerOperation::Affine {
            multiplier: linear.multiplier.clone(),
            product_shift: linear.product_shift.clone(),
            offset: linear.bias.clone(),
        };
        self.core = Core::new(self.program, &raw, 1, false);
        self.core.push_operation(&layer.name, rest, &layer.output);
        self.front = Front::Shared(shared);
        self.dense = Some(number);
        self.beats = 1;
        Ok(())
    }

    /// Ends the stage that is being filled, if it does anything.
    fn close(&mut self, last: bool) {
        let core = Core::new(self.program, &self.format, 1, false);
        let done = std::mem::replace(&mut self.core, core);
        let front = std::mem::replace(&mut self.front, Front::Pointwise);
        if done.is_empty() && matches!(front, Front::Pointwise) && !last {
            return;
        }
        self.stages.push(Planned {
            front,
            core: done.finish(last),
            beats: self.beats,
            dense: self.dense.take(),
        });
    }
}
