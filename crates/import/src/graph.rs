//! Puts layers together to a candidate with its weights, whatever file they come from.
//!
//! The rule this module keeps: a layer is added whole, with weights of the shapes its operation
//! needs, or refused with a reason; sizes are checked before anything is computed from them.

use std::collections::{BTreeMap, HashSet};

use bitfront_network::{
    Candidate, Head, Layer, LayerWeights, Operation, Part, SCALE_BITS, Weights,
};
use bitfront_quantizer::Quantizer;

use crate::array::Array;
use crate::curve::{Activation, Curve};
use crate::error::{ImportError, Unsupported};
use crate::limits::LAYERS;

/// Significant bits of frozen multipliers, offsets and reciprocals of imported layers: as many as
/// leave a trained network's accuracy alone. A search may choose fewer.
pub(crate) const CONSTANT_BITS: u32 = 12;

/// Most values of a tensor of activations or weights.
const LARGEST_TENSOR: usize = 1 << 24;

/// Most outputs a channel of a depthwise convolution.
const LARGEST_MULTIPLIER: usize = 4096;

/// A tensor of values in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tensor {
    /// The network's input.
    Input,
    /// What a layer gives.
    Layer(usize),
}

/// What a layer does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// An operation of the network.
    Operation(Box<Operation>),
    /// An activation that is a head, or needs a quantizer.
    Curve(Curve),
}

#[derive(Debug)]
struct Draft {
    name: String,
    /// Name and type in the file.
    origin: (String, String),
    inputs: Vec<Tensor>,
    step: Step,
    parts: BTreeMap<Part, Vec<f32>>,
    shape: Vec<usize>,
}

/// A network that grows layer by layer.
#[derive(Debug)]
pub(crate) struct Graph {
    input_shape: Vec<usize>,
    drafts: Vec<Draft>,
    names: HashSet<String>,
    unsupported: Vec<Unsupported>,
    notes: Vec<String>,
    /// Names that had to be changed.
    renamed: Vec<String>,
}

impl Graph {
    /// A network of an input alone.
    ///
    /// # Errors
    /// For input shapes that no network has.
    pub(crate) fn new(input_shape: Vec<usize>) -> Result<Self, String> {
        let accepted = (1..=3).contains(&input_shape.len());
        if !accepted || input_shape.contains(&0) || size(&input_shape).is_none() {
            return Err(format!(
                "reads inputs of shape {input_shape:?}; accepted are [features], [length, \
                 channels] and [height, width, channels]"
            ));
        }
        Ok(Self {
            input_shape,
            drafts: Vec::new(),
            names: HashSet::from(["input".to_owned(), "network".to_owned()]),
            unsupported: Vec::new(),
            notes: Vec::new(),
            renamed: Vec::new(),
        })
    }

    /// Shape of a tensor, channels last.
    pub(crate) fn shape(&self, tensor: Tensor) -> &[usize] {
        match tensor {
            Tensor::Input => &self.input_shape,
            Tensor::Layer(index) => &self.drafts[index].shape,
        }
    }

    /// Records a layer that cannot be imported.
    pub(crate) fn refuse(&mut self, name: &str, kind: &str, reason: impl Into<String>) {
        self.unsupported.push(Unsupported {
            name: name.to_owned(),
            kind: kind.to_owned(),
            reason: reason.into(),
        });
    }

    /// Records something a user should know.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// Why it does not fit, as a sentence's end.
    pub(crate) fn add(
        &mut self,
        origin: (&str, &str),
        name: &str,
        inputs: &[Tensor],
        operation: Operation,
        parts: Vec<(Part, Array)>,
    ) -> Result<Tensor, String> {
        if let Operation::SeparableConv { multiplier, .. }
        | Operation::DepthwiseConv { multiplier, .. } = &operation
            && !(1..=LARGEST_MULTIPLIER).contains(multiplier)
        {
            return Err(format!(
                "has {multiplier} outputs a channel; accepted are 1 to {LARGEST_MULTIPLIER}"
            ));
        }
        let shapes: Vec<&[usize]> = inputs.iter().map(|tensor| self.shape(*tensor)).collect();
        let shape = operation.output_shape(&shapes)?;
        if size(&shape).is_none() || shape.contains(&0) {
            return Err(format!(
                "has values of shape {shape:?}; accepted are 1 to {LARGEST_TENSOR} in all"
            ));
        }
        let mut given: BTreeMap<Part, Array> = parts.into_iter().collect();
        let mut checked = BTreeMap::new();
        for (part, needed) in operation.parts(shapes[0]) {
            let array = given
                .remove(&part)
                .ok_or_else(|| format!("has no {part} in the file"))?;
            if array.shape != needed {
                return Err(format!(
                    "has a {part} of shape {:?} in the file; its settings need {needed:?}",
                    array.shape
                ));
            }
            if let Some(value) = array.values.iter().find(|v| !v.is_finite()) {
                return Err(format!("has {value} in its {part}; accepted are numbers"));
            }
            if part == Part::Variance
                && let Some(value) = array.values.iter().find(|v| **v < 0.0)
            {
                return Err(format!("has the variance {value}; accepted are 0 and more"));
            }
            checked.insert(part, array.values);
        }
        if let Some(part) = given.keys().next() {
            return Err(format!("has a {part}, for which there is no place"));
        }
        self.push(
            origin,
            name,
            inputs,
            Step::Operation(Box::new(operation)),
            checked,
            shape,
        )
    }

    /// Adds an activation; a linear one adds nothing.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub(crate) fn activate(
        &mut self,
        origin: (&str, &str),
        name: &str,
        input: Tensor,
        activation: Activation,
    ) -> Result<Tensor, String> {
        let step = match activation {
            Activation::Linear => return Ok(input),
            Activation::Quantizer(quantizer) => {
                Step::Operation(Box::new(Operation::Activation { quantizer }))
            }
            Activation::Curve(curve) => Step::Curve(curve),
        };
        let shape = self.shape(input).to_vec();
        self.push(origin, name, &[input], step, BTreeMap::new(), shape)
    }

    fn push(
        &mut self,
        origin: (&str, &str),
        name: &str,
        inputs: &[Tensor],
        step: Step,
        parts: BTreeMap<Part, Vec<f32>>,
        shape: Vec<usize>,
    ) -> Result<Tensor, String> {
        if self.drafts.len() >= LAYERS {
            return Err(format!(
                "is one layer more than the {LAYERS} that are accepted"
            ));
        }
        let name = self.name(name);
        self.drafts.push(Draft {
            name,
            origin: (origin.0.to_owned(), origin.1.to_owned()),
            inputs: inputs.to_vec(),
            step,
            parts,
            shape,
        });
        Ok(Tensor::Layer(self.drafts.len() - 1))
    }

    /// A name that networks accept and no other layer has.
    fn name(&mut self, wanted: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut base: String = wanted
            .chars()
            .take(56)
            .map(|c| if fits(c) { c } else { '_' })
            .collect();
        if !base.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            base.insert_str(0, "l_");
        }
        let mut name = base.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{base}_{number}");
            number += 1;
        }
        if name != wanted {
            self.renamed.push(format!("`{wanted}` is `{name}`"));
        }
        name
    }

    /// The operation that gives `tensor`, if nothing but one layer will have read it: for adding a
    /// bias or merging a quantizer into it.
    pub(crate) fn operation_mut(
        &mut self,
        tensor: Tensor,
    ) -> Option<(&mut Operation, &mut BTreeMap<Part, Vec<f32>>)> {
        let Tensor::Layer(index) = tensor else {
            return None;
        };
        let draft = self.drafts.get_mut(index)?;
        match &mut draft.step {
            Step::Operation(operation) => Some((operation, &mut draft.parts)),
            Step::Curve(_) => None,
        }
    }

    /// The candidate whose outputs are `output`, with its weights and the notes.
    ///
    /// # Errors
    /// All that was refused; else every fault of the network.
    pub(crate) fn finish(
        mut self,
        output: Option<Tensor>,
    ) -> Result<(Candidate, Weights, Vec<String>), ImportError> {
        let head = output.map(|output| self.take_head(output));
        self.settle_curves(head.as_ref().map(|(tensor, _)| *tensor));
        if !self.unsupported.is_empty() {
            return Err(ImportError::Unsupported(self.unsupported));
        }
        let (output, head) =
            head.ok_or_else(|| ImportError::damaged("model", "it has no output"))?;
        let keep = self.reachable(output);
        let (input_quantizer, replaced) = self.input_quantizer(&keep);
        let source = |tensor: Tensor| match tensor {
            Tensor::Layer(index) if Some(index) == replaced => Tensor::Input,
            other => other,
        };
        let mut layers: Vec<Layer> = Vec::new();
        let mut weights = Weights::default();
        let mut before = Tensor::Input;
        let names: Vec<String> = self.drafts.iter().map(|draft| draft.name.clone()).collect();
        for (index, draft) in self.drafts.into_iter().enumerate() {
            // Curves left are heads.
            let Step::Operation(operation) = draft.step else {
                continue;
            };
            if !keep[index] {
                let note = format!("the outputs do not depend on `{}`: left out", draft.name);
                self.notes.push(note);
                continue;
            }
            if Some(index) == replaced {
                continue;
            }
            let inputs: Vec<Tensor> = draft.inputs.iter().map(|tensor| source(*tensor)).collect();
            let mut layer = Layer::new(draft.name, *operation);
            if inputs != [before] {
                let name = |tensor: &Tensor| match tensor {
                    Tensor::Input => "input".to_owned(),
                    Tensor::Layer(index) => names[*index].clone(),
                };
                layer.inputs = inputs.iter().map(name).collect();
            }
            layers.push(layer);
            weights.layers.push(LayerWeights { parts: draft.parts });
            before = Tensor::Layer(index);
        }
        if !self.renamed.is_empty() {
            let list = self.renamed.join(", ");
            self.notes
                .push(format!("layers are named otherwise: {list}"));
        }
        let normalises = |layer: &Layer| matches!(layer.operation, Operation::BatchNorm { .. });
        if layers.iter().any(normalises) {
            self.notes.push(format!(
                "batch normalisations freeze to multipliers and offsets of {CONSTANT_BITS} \
                 significant bits"
            ));
        }
        if input_quantizer == Quantizer::Float {
            self.notes
                .push("the model does not quantize its input: `input_quantizer` is float".into());
        }
        let candidate = Candidate {
            input_shape: self.input_shape,
            input_quantizer,
            layers,
            head,
            scale_bits: SCALE_BITS,
        };
        candidate.check_shapes().map_err(ImportError::Network)?;
        if let Some((place, problem)) = weights.shape_fault(&candidate) {
            return Err(ImportError::damaged(place, problem));
        }
        Ok((candidate, weights, self.notes))
    }

    /// What the network ends in without its head and without dropout behind the last layer.
    fn take_head(&mut self, output: Tensor) -> (Tensor, Head) {
        let (mut tensor, mut head) = (output, None);
        while let Tensor::Layer(index) = tensor {
            let draft = &self.drafts[index];
            match &draft.step {
                Step::Curve(curve) if head.is_none() && curve.head().is_some() => {
                    head = curve.head();
                }
                Step::Operation(operation) if matches!(**operation, Operation::Dropout { .. }) => {}
                _ => break,
            }
            tensor = draft.inputs[0];
        }
        if head.is_none() {
            self.note(
                "the model ends without softmax or sigmoid: its outputs are taken as they are \
                 (head `linear`)",
            );
        }
        (tensor, head.unwrap_or(Head::Linear))
    }

    /// Gives every curve before the head its quantizer, or refuses it.
    fn settle_curves(&mut self, output: Option<Tensor>) {
        let keep = output.map(|output| self.reachable(output));
        let read = |index: usize| keep.as_ref().is_none_or(|keep| keep[index]);
        for index in (0..self.drafts.len()).filter(|index| read(*index)) {
            let draft = &mut self.drafts[index];
            let Step::Curve(curve) = draft.step else {
                continue;
            };
            match curve.quantizer() {
                Ok(quantizer) => {
                    let operation = Operation::Activation { quantizer };
                    draft.step = Step::Operation(Box::new(operation));
                }
                // Without an output nothing says whether this is the head.
                Err(_) if keep.is_none() && curve.head().is_some() => {}
                Err(reason) => {
                    let (name, kind) = draft.origin.clone();
                    self.refuse(&name, &kind, reason);
                }
            }
        }
    }

    /// Which layers the output depends on.
    fn reachable(&self, output: Tensor) -> Vec<bool> {
        let mut keep = vec![false; self.drafts.len()];
        if let Tensor::Layer(index) = output {
            keep[index] = true;
        }
        for index in (0..keep.len()).rev() {
            if !keep[index] {
                continue;
            }
            for tensor in &self.drafts[index].inputs {
                if let Tensor::Layer(source) = tensor {
                    keep[*source] = true;
                }
            }
        }
        keep
    }

    /// The quantizer of the network's input, and the layer that stands for it: an activation layer
    /// that alone reads the input.
    fn input_quantizer(&self, keep: &[bool]) -> (Quantizer, Option<usize>) {
        let reads = |draft: &Draft| draft.inputs.contains(&Tensor::Input);
        let mut readers = (0..keep.len()).filter(|at| keep[*at] && reads(&self.drafts[*at]));
        let (first, second) = (readers.next(), readers.next());
        if let (Some(index), None) = (first, second)
            && let Step::Operation(operation) = &self.drafts[index].step
            && let Operation::Activation { quantizer } = &**operation
            && !matches!(quantizer, Quantizer::Float | Quantizer::Relu)
            && keep.iter().filter(|kept| **kept).count() > 1
        {
            return (*quantizer, Some(index));
        }
        (Quantizer::Float, None)
    }
}

/// Number of values of a shape, if it is no larger than accepted.
fn size(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, axis| n.checked_mul(*axis))
        .filter(|n| *n <= LARGEST_TENSOR)
}
