//! The fake-quantized forward pass at evaluation: the float twin of the integer program.
//!
//! The rule this module keeps: nothing here asks the integer program anything. Weights are
//! quantized as values, sums are taken in floats, tap by tap in input order with the bias last and
//! without fused multiply-add; at the precision that [`forward_precision`](crate::forward_precision)
//! names, every partial sum is exact, so order would not matter. Only the frozen constants are
//! shared ([`Normalisation`](crate::Normalisation), [`reciprocal`](crate::reciprocal), tables of a
//! softmax): they are definitions, not results.

use bitfront_quantizer::Role;

use crate::candidate::shape_of;
use crate::fake_quantized_layers::{Prepared, Real};
use crate::fake_quantized_prepare::prepare;
use crate::{Candidate, Source, Weights};

/// Which float carries the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardPrecision {
    /// f32: exact while no partial sum passes 2^24 units of its finest grid.
    F32,
    /// f64: exact to 2^53.
    F64,
}

/// Which constants batch normalisations use. A float reference always uses real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalisationConstants {
    /// The integer constants of the circuit: what is scored.
    Frozen,
    /// The trained real numbers: what freezing starts from.
    Float,
}

/// How a forward pass is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardOptions {
    /// Float of the sums.
    pub precision: ForwardPrecision,
    /// Constants of batch normalisations.
    pub normalisation: NormalisationConstants,
}

/// Values that a block of rows may hold in all layers together, unless one row alone has more.
const BLOCK_VALUES: usize = 1 << 18;

/// Outputs of standardised rows (`rows x inputs`), row-major `rows x outputs`, as real numbers, with
/// frozen constants.
///
/// # Panics
/// If the candidate's graph has faults, the weights are not of its shape or hold a variance below
/// zero, or `rows` is not whole rows.
pub fn forward(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<f64> {
    let options = ForwardOptions {
        precision,
        normalisation: NormalisationConstants::Frozen,
    };
    forward_with(candidate, weights, rows, options)
}

/// As [`forward`], with options. The difference between [`NormalisationConstants::Frozen`] and
/// [`NormalisationConstants::Float`] is what freezing the batch normalisations costs.
///
/// # Panics
/// As [`forward`].
pub fn forward_with(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    options: ForwardOptions,
) -> Vec<f64> {
    let mut outputs = Vec::new();
    let last = candidate.layers.len().wrapping_sub(1);
    run(candidate, weights, rows, options, last, &mut |_, values| {
        outputs.extend_from_slice(values);
    });
    outputs
}

/// Values of every layer, first to last; each row-major `rows x size`.
///
/// # Panics
/// As [`forward`].
pub fn forward_trace(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<Vec<f64>> {
    let options = ForwardOptions {
        precision,
        normalisation: NormalisationConstants::Frozen,
    };
    let mut outputs = vec![Vec::new(); candidate.layers.len()];
    run(
        candidate,
        weights,
        rows,
        options,
        0,
        &mut |layer, values| {
            outputs[layer].extend_from_slice(values);
        },
    );
    outputs
}

/// Gives the values of each layer from `first` on, block of rows by block of rows, to `take`.
fn run(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    options: ForwardOptions,
    first: usize,
    take: &mut dyn FnMut(usize, &[f64]),
) {
    if let Some((place, problem)) = weights.shape_fault(candidate) {
        panic!("{place}: {problem}");
    }
    let inputs = candidate.inputs();
    assert!(
        inputs > 0 && rows.len().is_multiple_of(inputs),
        "{} values are whole rows of {inputs}",
        rows.len()
    );
    match options.precision {
        ForwardPrecision::F32 => {
            Network::<f32>::new(candidate, weights, options).run(rows, first, take);
        }
        ForwardPrecision::F64 => {
            Network::<f64>::new(candidate, weights, options).run(rows, first, take);
        }
    }
}

/// A candidate with its weights quantized, as floats of one precision.
struct Network<'a, T> {
    candidate: &'a Candidate,
    shapes: Vec<Vec<usize>>,
    sources: Vec<Vec<Source>>,
    layers: Vec<Prepared<T>>,
    block: usize,
}

impl<'a, T: Real> Network<'a, T> {
    fn new(candidate: &'a Candidate, weights: &Weights, options: ForwardOptions) -> Self {
        let shapes = candidate.shapes();
        let inputs = candidate.first_input_shapes();
        let sources = |index| {
            let sources = candidate.sources(index);
            sources.expect("`shapes` has read them")
        };
        let layers = candidate.layers.iter().zip(&weights.layers).zip(&inputs);
        let layers = layers.map(|((layer, weights), shape)| {
            prepare(candidate, layer, weights, shape, options.normalisation)
        });
        let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>());
        let all = candidate.inputs() + sizes.sum::<usize>();
        let block = if finds_scales(candidate) {
            usize::MAX
        } else {
            (BLOCK_VALUES / all.max(1)).max(1)
        };
        Self {
            candidate,
            sources: (0..candidate.layers.len()).map(sources).collect(),
            layers: layers.collect(),
            shapes,
            block,
        }
    }

    fn run(&self, rows: &[f32], first: usize, take: &mut dyn FnMut(usize, &[f64])) {
        let inputs = self.candidate.inputs();
        for rows in rows.chunks(self.block.saturating_mul(inputs)) {
            let count = rows.len() / inputs;
            let channels = *self.candidate.input_shape.last().expect("it has axes");
            let mut input = vec![0f32; rows.len()];
            let quantizer = &self.candidate.input_quantizer;
            quantizer.quantize(rows, channels, &mut input);
            let input: Vec<T> = input.into_iter().map(|v| T::of(f64::from(v))).collect();
            let mut values: Vec<Vec<T>> = Vec::with_capacity(self.layers.len());
            for (index, layer) in self.layers.iter().enumerate() {
                let sources: Vec<(&[T], &[usize])> = self.sources[index]
                    .iter()
                    .map(|source| {
                        let of = match source {
                            Source::Input => &input,
                            Source::Layer(at) => &values[*at],
                        };
                        let shape = shape_of(*source, &self.candidate.input_shape, &self.shapes);
                        (of.as_slice(), shape)
                    })
                    .collect();
                let next = layer.values(&sources, count, &self.shapes[index]);
                if index >= first {
                    let wide: Vec<f64> = next.iter().map(|v| v.wide()).collect();
                    take(index, &wide);
                }
                values.push(next);
            }
        }
    }
}

/// Whether a quantizer of values finds its scale from all rows, so that blocks would change it.
fn finds_scales(candidate: &Candidate) -> bool {
    candidate.quantizers().iter().any(|(_, role, quantizer)| {
        matches!(role, Role::Input | Role::Activation) && quantizer.has_automatic_scale()
    })
}
