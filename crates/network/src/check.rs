//! Whether a candidate can be: every fault of its graph, shapes, names and quantizers at once.

use std::collections::HashSet;

use bitfront_quantizer::{Quantizer, Role};

use crate::candidate::{Candidate, INPUT, Source};
use crate::geometry::Window;
use crate::head::Head;
use crate::operation::Operation;

/// Most values of an axis, and most outputs of a layer: networks for circuits are far smaller.
const LARGEST: usize = 4096;

/// Most values of a tensor.
const LARGEST_TENSOR: usize = 1 << 24;

/// Most layers.
const MOST_LAYERS: usize = 512;

/// Most classes: a class is stored in a byte.
const MOST_CLASSES: usize = 256;

/// What is wrong with a candidate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CandidateError {
    /// The graph, a shape, a size or a name.
    #[error("{place}: {problem}")]
    Shape {
        /// The layer's name, or `network`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A quantizer that cannot be scored exactly where it stands.
    #[error("{place}: {source}")]
    NotExact {
        /// Layer and parameter, `fc1.kernel`.
        place: String,
        /// Why.
        source: bitfront_quantizer::NotExact,
    },
}

impl Candidate {
    /// Checks the graph, shapes, names and (for a candidate that is not a float reference) that
    /// every quantizer has an exact integer form in its role.
    ///
    /// # Errors
    /// Every fault found, in layer order.
    pub fn check(&self) -> Result<(), Vec<CandidateError>> {
        let mut faults = self.shape_faults();
        if !self.is_float() {
            faults.extend(self.exactness_faults());
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Checks everything but exactness: what training needs.
    ///
    /// # Errors
    /// Every fault found, in layer order.
    pub fn check_shapes(&self) -> Result<(), Vec<CandidateError>> {
        let faults = self.shape_faults();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    fn exactness_faults(&self) -> Vec<CandidateError> {
        let fault = |(place, role, quantizer): (String, Role, Quantizer)| {
            let source = quantizer.check_frozen(role).err()?;
            Some(CandidateError::NotExact { place, source })
        };
        self.quantizers().into_iter().filter_map(fault).collect()
    }

    fn shape_faults(&self) -> Vec<CandidateError> {
        let mut faults = Faults(Vec::new());
        faults.axes(&self.input_shape);
        if !(1..=24).contains(&self.scale_bits) {
            let bits = self.scale_bits;
            faults.add(
                "network",
                format!("has scale_bits {bits}; accepted are 1 to 24"),
            );
        }
        if self.layers.is_empty() {
            faults.add("network", "has no layers; accepted is at least one".into());
        }
        if self.layers.len() > MOST_LAYERS {
            let count = self.layers.len();
            faults.add(
                "network",
                format!("has {count} layers; accepted are at most {MOST_LAYERS}"),
            );
            return faults.0;
        }
        let mut names = HashSet::from(["network", INPUT]);
        let mut shapes: Vec<Option<Vec<usize>>> = Vec::with_capacity(self.layers.len());
        let mut read = vec![false; self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            faults.name(&layer.name, &mut names);
            faults.settings(&layer.name, &layer.operation);
            let shape = match self.sources(index) {
                Err(name) => {
                    let known = self.layers.iter().any(|other| other.name == *name);
                    let problem = if known {
                        format!(
                            "reads `{name}`, which is not an earlier layer; accepted are `input` \
                             and layers before it"
                        )
                    } else {
                        format!("reads `{name}`, which is no layer of the network")
                    };
                    faults.add(&layer.name, problem);
                    faults.sizes(&layer.name, &layer.operation);
                    None
                }
                Ok(sources) => {
                    for source in &sources {
                        if let Source::Layer(source) = source {
                            read[*source] = true;
                        }
                    }
                    self.layer_shape(index, &sources, &shapes, &mut faults)
                }
            };
            shapes.push(shape);
        }
        for (layer, _) in self
            .layers
            .iter()
            .zip(&read)
            .rev()
            .skip(1)
            .rev()
            .filter(|(_, read)| !**read)
        {
            faults.add(
                &layer.name,
                "is read by no layer; only the last layer gives the network's outputs".into(),
            );
        }
        if let (Some(last), Some(Some(shape))) = (self.layers.last(), shapes.last()) {
            faults.head(&last.name, &last.operation, shape, self.head);
        }
        faults.0
    }

    /// The shape of a layer's values, if all it reads has one and fits.
    fn layer_shape(
        &self,
        index: usize,
        sources: &[Source],
        shapes: &[Option<Vec<usize>>],
        faults: &mut Faults,
    ) -> Option<Vec<usize>> {
        let layer = &self.layers[index];
        let inputs = sources
            .iter()
            .map(|source| match source {
                Source::Input => Some(self.input_shape.as_slice()),
                Source::Layer(at) => shapes[*at].as_deref(),
            })
            .collect::<Option<Vec<_>>>();
        let Some(inputs) = inputs else {
            faults.sizes(&layer.name, &layer.operation);
            return None;
        };
        let shape = match layer.operation.output_shape(&inputs) {
            Ok(shape) => shape,
            Err(problem) => {
                faults.add(&layer.name, problem);
                return None;
            }
        };
        let size = |shape: &[usize]| shape.iter().fold(1usize, |n, axis| n.saturating_mul(*axis));
        let channels = shape.last().copied().unwrap_or(0);
        let tall = matches!(layer.operation, Operation::Flatten);
        if !tall && !(1..=LARGEST).contains(&channels) {
            let what = if shape.len() == 1 {
                "units"
            } else {
                "channels"
            };
            faults.count(&layer.name, channels, what);
            return None;
        }
        if size(&shape) > LARGEST_TENSOR {
            faults.add(
                &layer.name,
                format!("has values of shape {shape:?}; accepted are at most 2^24 in all"),
            );
            return None;
        }
        for (part, needed) in layer.operation.parts(inputs[0]) {
            if size(&needed) > LARGEST_TENSOR {
                faults.add(
                    &layer.name,
                    format!("needs a {part} of shape {needed:?}; accepted are at most 2^24 values"),
                );
                return None;
            }
        }
        Some(shape)
    }
}

/// Collects what is wrong with a candidate.
struct Faults(Vec<CandidateError>);

impl Faults {
    fn add(&mut self, place: &str, problem: String) {
        self.0.push(CandidateError::Shape {
            place: place.into(),
            problem,
        });
    }

    fn axes(&mut self, shape: &[usize]) {
        if !(1..=3).contains(&shape.len()) {
            self.add(
                "network",
                format!(
                    "has an input of {} axes; accepted are [features], [length, channels] and \
                     [height, width, channels]",
                    shape.len()
                ),
            );
        }
        for axis in shape.iter().filter(|axis| !(1..=LARGEST).contains(*axis)) {
            self.add(
                "network",
                format!("has {axis} inputs in an axis; accepted are 1 to {LARGEST}"),
            );
        }
    }

    fn name<'a>(&mut self, name: &'a str, names: &mut HashSet<&'a str>) {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if name.len() > 64 || !starts || !name.chars().all(fits) {
            self.add(
                name,
                format!(
                    "the name `{name}` is not accepted; accepted are up to 64 letters, digits and \
                     `_`, not starting with a digit"
                ),
            );
        }
        if !names.insert(name) {
            self.add(
                name,
                format!("the name `{name}` is used twice; names are unique"),
            );
        }
    }

    /// Numbers of an operation that no shape shows.
    fn count(&mut self, name: &str, count: usize, what: &str) {
        self.add(
            name,
            format!("has {count} {what}; accepted are 1 to {LARGEST}"),
        );
    }

    /// Sizes that are wrong whatever the layer reads, for one whose input is not known.
    fn sizes(&mut self, name: &str, operation: &Operation) {
        let (count, what) = match operation {
            Operation::Dense { units, .. } => (*units, "units"),
            Operation::Conv { filters, .. } | Operation::SeparableConv { filters, .. } => {
                (*filters, "channels")
            }
            _ => (1, ""),
        };
        if !(1..=LARGEST).contains(&count) {
            self.count(name, count, what);
        }
        if let Some(Err(problem)) = operation.window().map(Window::check_entries) {
            self.add(name, problem);
        }
    }

    fn settings(&mut self, name: &str, operation: &Operation) {
        let mut bits = |what: &str, bits: u32| {
            if !(1..=24).contains(&bits) {
                self.add(name, format!("has {what} {bits}; accepted are 1 to 24"));
            }
        };
        match operation {
            Operation::AveragePool {
                reciprocal_bits, ..
            }
            | Operation::GlobalAveragePool { reciprocal_bits } => {
                bits("reciprocal_bits", *reciprocal_bits);
            }
            Operation::BatchNorm {
                scale_bits,
                offset_bits,
                ..
            } => {
                bits("scale_bits", *scale_bits);
                bits("offset_bits", *offset_bits);
            }
            _ => {}
        }
        let normalisation = match operation {
            Operation::BatchNorm {
                epsilon, momentum, ..
            } => Some((*epsilon, *momentum)),
            Operation::Dense { fold, .. }
            | Operation::Conv { fold, .. }
            | Operation::DepthwiseConv { fold, .. } => fold.map(|f| (f.epsilon, f.momentum)),
            _ => None,
        };
        if let Operation::Dense {
            bias: None,
            fold: Some(_),
            ..
        }
        | Operation::Conv {
            bias: None,
            fold: Some(_),
            ..
        }
        | Operation::DepthwiseConv {
            bias: None,
            fold: Some(_),
            ..
        } = operation
        {
            self.add(
                name,
                "folds a batch normalisation, which makes a bias, and has no quantizer for it; \
                 accepted is a bias quantizer"
                    .into(),
            );
        }
        if let Some((epsilon, momentum)) = normalisation {
            if !(epsilon > 0.0 && epsilon <= 1.0) {
                self.add(
                    name,
                    format!("has the epsilon {epsilon}; accepted is above 0, at most 1"),
                );
            }
            if !(0.0..=1.0).contains(&momentum) {
                self.add(
                    name,
                    format!("has the momentum {momentum}; accepted is 0 to 1"),
                );
            }
        }
        match operation {
            Operation::Dropout { rate } if !(0.0..1.0).contains(rate) => {
                self.add(
                    name,
                    format!("has the rate {rate}; accepted is at least 0, below 1"),
                );
            }
            Operation::MaxPool { window } | Operation::AveragePool { window, .. }
                if window.dilation.iter().any(|step| *step != 1) =>
            {
                self.add(name, "has a dilation; accepted for pooling is 1".into());
            }
            _ => {}
        }
    }

    fn head(&mut self, name: &str, operation: &Operation, shape: &[usize], head: Head) {
        let outputs: usize = shape.iter().product();
        match head {
            Head::Softmax { tables } => {
                if shape.len() != 1 || !(2..=MOST_CLASSES).contains(&outputs) {
                    self.add(
                        name,
                        format!(
                            "has outputs of shape {shape:?}; accepted for a softmax head are 2 to \
                             {MOST_CLASSES} classes in one axis"
                        ),
                    );
                }
                if let Some(tables) = tables {
                    let all = [
                        ("address_bits", tables.address_bits, 4..=16),
                        ("address_fraction", tables.address_fraction, 0..=12),
                        ("exp_fraction", tables.exp_fraction, 4..=24),
                        ("inverse_fraction", tables.inverse_fraction, 4..=24),
                        ("output_fraction", tables.output_fraction, 1..=24),
                    ];
                    for (what, value, accepted) in all {
                        if !accepted.contains(&value) {
                            self.add(
                                "network",
                                format!(
                                    "has softmax tables with {what} {value}; accepted are {} to {}",
                                    accepted.start(),
                                    accepted.end()
                                ),
                            );
                        }
                    }
                }
            }
            Head::Sigmoid | Head::Linear => {}
        }
        if matches!(operation, Operation::Dropout { .. }) {
            self.add(
                name,
                "is the last layer and drops outputs; accepted is any other layer".into(),
            );
        }
    }
}
