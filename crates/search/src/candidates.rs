//! Between points and candidates.

use crate::search::{Network, Search};
use crate::space::{Parameter, Point, PointError};
use bitfront_network::{Activation, Candidate, Layer};
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
    /// A candidate of this network with the quantizer that `choose(parameter, layer)` names in every
    /// place (`layer` is 0 for the input).
    pub fn candidate(&self, choose: impl Fn(Parameter, usize) -> Quantizer) -> Candidate {
        let layers = self.layers.iter().enumerate().map(|(index, layer)| Layer {
            name: layer.name.clone(),
            units: layer.units,
            kernel: choose(Parameter::Kernel, index),
            bias: choose(Parameter::Bias, index),
            activation: layer.activation.as_ref().map(|activation| Activation {
                name: activation.name.clone(),
                quantizer: choose(Parameter::Activation, index),
            }),
        });
        Candidate {
            inputs: self.inputs,
            input_quantizer: choose(Parameter::Input, 0),
            layers: layers.collect(),
        }
    }

    /// The float reference: no quantizers, float rectifiers.
    pub fn float_candidate(&self) -> Candidate {
        self.candidate(|parameter, layer| {
            let rectifies = |index: usize| {
                let activation = self.layers[index].activation.as_ref();
                activation.is_some_and(|activation| activation.rectifies)
            };
            if parameter == Parameter::Activation && rectifies(layer) {
                Quantizer::Relu
            } else {
                Quantizer::Float
            }
        })
    }
}

/// The quantizer of `candidate` in one place.
fn quantizer_at(candidate: &Candidate, parameter: Parameter, layer: usize) -> Option<Quantizer> {
    match parameter {
        Parameter::Input => Some(candidate.input_quantizer),
        Parameter::Kernel => candidate.layers.get(layer).map(|layer| layer.kernel),
        Parameter::Bias => candidate.layers.get(layer).map(|layer| layer.bias),
        Parameter::Activation => {
            let activation = candidate.layers.get(layer)?.activation.as_ref()?;
            Some(activation.quantizer)
        }
    }
}
