//! From a trained candidate to its integer program, layer by layer.
//!
//! The rule this module keeps: an interval is computed in 128 bits from the actual codes and the
//! actual interval of each channel, and anything that passes 2^53 is refused by name.

use bitfront_quantizer::{NotExact, Quantizer, Role};

use crate::freeze_layer::Freezing;
use crate::freeze_sum::{check_fraction, common_fraction, shift_to, shifted};
use crate::{
    Candidate, CandidateError, FreezeError, IntegerLayer, IntegerProgram, Interval, Part, Source,
    TensorFormat, Weights,
};

impl IntegerProgram {
    /// Freezes a candidate with its weights.
    ///
    /// # Errors
    /// [`FreezeError`] where the graph has a fault, a part has no exact integer form, weights have
    /// another shape or are not finite, or a sum may pass 2^53 units of its grid.
    pub fn freeze(candidate: &Candidate, weights: &Weights) -> Result<Self, FreezeError> {
        if let Err(faults) = candidate.check_shapes() {
            return Err(fault_of(&faults));
        }
        if let Some((place, reason)) = weights.shape_fault(candidate) {
            return Err(FreezeError::Shape { place, reason });
        }
        let (fraction, range) = grid_of("input", &candidate.input_quantizer, Role::Input)?;
        let input = TensorFormat::uniform(candidate.input_shape.clone(), fraction, range);
        let mut layers: Vec<IntegerLayer> = Vec::with_capacity(candidate.layers.len());
        let shapes = candidate.shapes();
        for (index, (layer, shape)) in candidate.layers.iter().zip(shapes).enumerate() {
            let sources = candidate.sources(index).unwrap_or_default();
            let formats = sources.iter().map(|source| match source {
                Source::Input => &input,
                Source::Layer(at) => &layers[*at].output,
            });
            let frozen = Freezing {
                layer,
                weights: &weights.layers[index],
                sources: formats.collect(),
                shape,
                scale_bits: candidate.scale_bits,
            };
            let (operation, output) = frozen.freeze()?;
            layers.push(IntegerLayer {
                name: layer.name.clone(),
                sources,
                operation,
                output,
            });
        }
        let mut program = Self {
            candidate: candidate.clone(),
            input,
            layers,
            output_fraction: 0,
        };
        program.output_fraction = program.freeze_outputs()?;
        Ok(program)
    }

    /// The finest fraction among the last layer's channels, at which every logit must fit.
    fn freeze_outputs(&self) -> Result<i32, FreezeError> {
        let last = self.layers.last().map_or(&self.input, |last| &last.output);
        let parts = || parts(last);
        let common = common_fraction(parts());
        let place = LayerPlace {
            name: self.layers.last().map_or("network", |last| &last.name),
        };
        for (channel, (part, range)) in parts().zip(&last.range).enumerate() {
            let shift = shift_to(common, part);
            for end in [range.lo, range.hi] {
                shifted(end, shift).map_err(|bits| place.too_wide(channel, bits))?;
            }
        }
        Ok(common)
    }
}

/// Names a layer in errors.
#[derive(Clone, Copy)]
pub(crate) struct LayerPlace<'a> {
    /// The layer's name.
    pub(crate) name: &'a str,
}

impl LayerPlace<'_> {
    /// An output channel that passes 2^53.
    pub(crate) fn too_wide(&self, channel: usize, bits: u32) -> FreezeError {
        FreezeError::TooWide {
            place: format!("{} output {channel}", self.name),
            bits,
        }
    }

    /// A part without an exact integer form.
    pub(crate) fn not_exact(&self, part: Option<Part>, reason: impl Into<String>) -> FreezeError {
        let name = self.name;
        FreezeError::NotExact {
            place: part.map_or_else(|| name.into(), |part| format!("{name}.{part}")),
            reason: reason.into(),
        }
    }
}

fn fault_of(faults: &[CandidateError]) -> FreezeError {
    let (place, reason) = match faults.first() {
        Some(CandidateError::Shape { place, problem }) => (place.clone(), problem.clone()),
        Some(CandidateError::NotExact { place, source }) => (place.clone(), source.to_string()),
        None => ("network".into(), "has a fault".into()),
    };
    FreezeError::Shape { place, reason }
}

pub(crate) fn reason_of(error: &NotExact) -> String {
    format!("{}: {}", error.quantizer, error.reason)
}

/// Fraction and range of a quantizer's grid.
pub(crate) fn grid_of(
    place: &str,
    quantizer: &Quantizer,
    role: Role,
) -> Result<(i32, Interval), FreezeError> {
    let checked = quantizer.check_exact(role);
    let grid = checked.and_then(|()| quantizer.grid(role)).map_err(|e| {
        let place = LayerPlace { name: place };
        place.not_exact(None, reason_of(&e))
    })?;
    check_fraction(place, grid.fraction)?;
    let (lo, hi) = (grid.lo, grid.hi);
    Ok((grid.fraction, Interval { lo, hi }))
}

/// Fraction of each channel, and whether it asks for its bits (it is not always zero).
fn parts(format: &TensorFormat) -> impl Iterator<Item = (i32, bool)> {
    let channels = format.fraction.iter().zip(&format.range);
    channels.map(|(fraction, range)| (*fraction, *range != Interval::point(0)))
}
