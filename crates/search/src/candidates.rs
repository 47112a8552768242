//! Between points and candidates.

use crate::search::{Network, Search};
use crate::space::{Parameter, Point, PointError};
use bitfront_network::{Candidate, Head, Layer, Place, SoftmaxTables};
use bitfront_quantizer::Quantizer;

impl Search {
    /// The candidate that `point` stands for.
    ///
    /// # Errors
    /// [`PointError`] if `point` is of another space.
    pub fn candidate(&self, point: &Point) -> Result<Candidate, PointError> {
        self.space.check(point)?;
        Ok(self.network.candidate(|parameter, layer| {
            let (variable, choice) = self
                .space
                .variables
                .iter()
                .zip(point.choices())
                .find(|(variable, _)| variable.covers(parameter, layer))
                .expect("resolving gives every place a variable");
            variable.choices[usize::from(*choice)]
        }))
    }

    /// The point that stands for `candidate`, if it lies in the space.
    pub fn locate(&self, candidate: &Candidate) -> Option<Point> {
        let mut choices = Vec::with_capacity(self.space.variables.len());
        for variable in &self.space.variables {
            let first = *variable.layers.first()?;
            let wanted = quantizer_at(candidate, variable.parameter, first)?;
            let choice = variable.choices.iter().position(|one| *one == wanted)?;
            choices.push(u16::try_from(choice).ok()?);
        }
        let point = Point::new(choices);
        // Tied places must agree, and the network must be the search's own.
        (self.candidate(&point).as_ref() == Ok(candidate)).then_some(point)
    }
}

impl Network {
    /// The same with the softmax tables of its circuits, where there are any and its outputs are classes.
    #[must_use]
    pub(crate) fn with_tables(mut self, asked: Option<SoftmaxTables>) -> Self {
        if let Head::Softmax { tables } = &mut self.float.head {
            *tables = asked;
        }
        self
    }

    /// The network of a candidate: its graph without quantizers. Rectifying activation layers become
    /// rectifiers, the others pass values on. Plain outputs in one axis are the logits of classes,
    /// since the data of a search have classes.
    ///
    /// # Errors
    /// An activation layer that squashes its values or leaks, for which there is no float reference.
    pub fn of(candidate: &Candidate) -> Result<Self, String> {
        let mut float = candidate.clone();
        float.input_quantizer = Quantizer::Float;
        if matches!(float.head, Head::Linear | Head::Softmax { .. }) {
            float.head = Head::ARG_MAX;
        }
        for layer in &mut float.layers {
            for (place, quantizer) in layer.operation.quantizers_mut() {
                let bends = match *quantizer {
                    Quantizer::QuantizedRelu(q) => q.negative_slope != 0.0 || q.use_sigmoid,
                    Quantizer::QuantizedReluPo2(q) => q.negative_slope != 0.0,
                    Quantizer::QuantizedUlaw(_)
                    | Quantizer::QuantizedTanh(_)
                    | Quantizer::QuantizedSigmoid(_)
                    | Quantizer::QuantizedHswish(_) => true,
                    _ => false,
                };
                *quantizer = match (place.part, *quantizer) {
                    (None, _) if bends => {
                        return Err(format!(
                            "layer `{}` is `{quantizer}`, for which there is no float reference to \
                             search around; accepted are rectifiers and quantizers of the identity",
                            layer.name
                        ));
                    }
                    (
                        None,
                        Quantizer::Relu
                        | Quantizer::QuantizedRelu(_)
                        | Quantizer::QuantizedReluPo2(_),
                    ) => Quantizer::Relu,
                    _ => Quantizer::Float,
                };
            }
        }
        Ok(Self { float })
    }

    /// A candidate of this network with the quantizer that `choose(parameter, layer)` names in every
    /// place (`layer` is 0 for the input).
    pub fn candidate(&self, choose: impl Fn(Parameter, usize) -> Quantizer) -> Candidate {
        let mut candidate = self.float.clone();
        candidate.input_quantizer = choose(Parameter::Input, 0);
        for (index, layer) in candidate.layers.iter_mut().enumerate() {
            for (place, quantizer) in layer.operation.quantizers_mut() {
                *quantizer = choose(Parameter::of(place), index);
            }
        }
        candidate
    }

    /// Whether the layer is an activation that rectifies.
    pub fn rectifies(&self, layer: usize) -> bool {
        let quantizers = self.float.layers[layer].operation.quantizers();
        quantizers
            .iter()
            .any(|(place, quantizer)| place.part.is_none() && *quantizer == Quantizer::Relu)
    }

    /// Number of input values.
    pub fn inputs(&self) -> usize {
        self.float.inputs()
    }

    /// Number of weights that training moves.
    pub fn parameters(&self) -> u64 {
        let tensors = self.float.tensors();
        let trained = tensors.iter().filter(|tensor| tensor.part.is_trained());
        trained
            .map(|tensor| tensor.shape.iter().product::<usize>() as u64)
            .sum()
    }
}

/// The quantizer of `candidate` in one place.
fn quantizer_at(candidate: &Candidate, parameter: Parameter, layer: usize) -> Option<Quantizer> {
    if parameter == Parameter::Input {
        return Some(candidate.input_quantizer);
    }
    let layer: &Layer = candidate.layers.get(layer)?;
    let quantizers: Vec<(Place, Quantizer)> = layer.operation.quantizers();
    quantizers
        .into_iter()
        .find(|(place, _)| Parameter::of(*place) == parameter)
        .map(|(_, quantizer)| quantizer)
}
