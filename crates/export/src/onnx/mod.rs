//! The integer network as a graph of float nodes: QONNX, or plain ONNX.
//!
//! The rule this module keeps: every value and every partial sum is an integer of at most 24 bits
//! times a power of two, which f32 adds and multiplies exactly in any order, so that whoever runs
//! the graph gets the integers of inference; a layer that needs more is refused. Tensors are
//! channels-first, as is usual in ONNX.

mod builder;
mod layers;

use bitfront_network::{IntegerProgram, Interval, Source, TensorFormat};

use crate::ExportError;
use crate::scaled::F32_BITS;
use builder::Builder;
pub(crate) use builder::Dialect;

/// The file of a program.
///
/// # Errors
/// [`ExportError::Refused`] with every layer that has no exact form.
pub(crate) fn file(
    program: &IntegerProgram,
    dialect: Dialect,
    format: &'static str,
) -> Result<Vec<u8>, ExportError> {
    let mut writer = Writer {
        program,
        builder: Builder::new(dialect),
        tensors: Vec::new(),
        input: String::new(),
    };
    writer.read_input();
    for index in 0..program.layers.len() {
        let tensor = writer.layer(index);
        writer.tensors.push(tensor);
    }
    let last = writer.tensors.last().unwrap_or(&writer.input).clone();
    let output = program.layers.last().map_or(&program.input, |l| &l.output);
    let mut builder = writer.builder;
    let refusals = std::mem::take(&mut builder.refusals);
    refusals.none(format, ())?;
    let (input, output) = (channels_first(&program.input.shape), &output.shape);
    Ok(builder.file(&last, &input, &channels_first(output)))
}

/// A program on its way to a graph.
struct Writer<'a> {
    program: &'a IntegerProgram,
    builder: Builder,
    /// The tensor of each layer's values.
    tensors: Vec<String>,
    /// The tensor of the quantized input.
    input: String,
}

impl Writer<'_> {
    fn format(&self, source: Source) -> &TensorFormat {
        match source {
            Source::Input => &self.program.input,
            Source::Layer(at) => &self.program.layers[at].output,
        }
    }

    fn tensor(&self, source: Source) -> String {
        match source {
            Source::Input => self.input.clone(),
            Source::Layer(at) => self.tensors[at].clone(),
        }
    }

    fn read_input(&mut self) {
        let quantizer = self.program.candidate.input_quantizer;
        let format = &self.program.input;
        let (fraction, range) = (format.fraction[0], format.hull());
        self.input = self.put_on_grid(
            "input",
            "input_quantizer",
            "input".into(),
            quantizer,
            (fraction, range),
        );
    }

    /// Refuses sums that f32 does not hold.
    fn check(&mut self, place: &str, what: &str, ranges: &[Interval]) {
        let hull = ranges.iter().copied().reduce(Interval::hull);
        let magnitude = hull.map_or(0, |range| range.hi.max(-range.lo));
        if magnitude > 1 << F32_BITS {
            let reason = format!(
                "has {what} of up to {magnitude} steps; accepted are 2^{F32_BITS}, which f32 holds"
            );
            self.builder.refusals.add(place, reason);
        }
    }
}

/// `[height, width, channels]` as `[channels, height, width]`.
fn channels_first(shape: &[usize]) -> Vec<usize> {
    match shape.split_last() {
        Some((channels, positions)) => std::iter::once(channels)
            .chain(positions)
            .copied()
            .collect(),
        None => Vec::new(),
    }
}

/// A name that every reader takes.
fn plain(name: &str) -> String {
    let mut text: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    // Tensors of the graph itself have these names.
    if matches!(text.as_str(), "input" | "output") || text.starts_with(|c: char| c.is_ascii_digit())
    {
        text.insert_str(0, "layer_");
    }
    text
}
