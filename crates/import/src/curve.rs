//! Activations of float models, by name.

use bitfront_network::Head;
use bitfront_quantizer::Quantizer;

/// An activation that is no quantizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Curve {
    /// Normalised exponentials along the last axis.
    Softmax,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` above zero, `slope * x` below.
    Leaky {
        /// Slope below zero.
        slope: f32,
    },
}

impl Curve {
    /// The head that a network has which ends in this activation.
    pub(crate) fn head(self) -> Option<Head> {
        match self {
            Self::Softmax => Some(Head::ARG_MAX),
            Self::Sigmoid => Some(Head::Sigmoid),
            Self::Tanh | Self::Leaky { .. } => None,
        }
    }

    /// The activation of a layer inside the network.
    ///
    /// # Errors
    /// Why there is none, as a sentence's end.
    pub(crate) fn quantizer(self) -> Result<Quantizer, String> {
        let unavailable = |what: &str| {
            Err(format!(
                "{what} inside the network has no float form here; accepted are relu, linear and \
                 the quantizers of QKeras"
            ))
        };
        match self {
            Self::Softmax => Err(
                "a softmax stands inside the network; accepted is one on the outputs".to_owned(),
            ),
            Self::Sigmoid => unavailable("a sigmoid"),
            Self::Tanh => unavailable("a hyperbolic tangent"),
            Self::Leaky { slope: 0.0 } => Ok(Quantizer::Relu),
            Self::Leaky { slope: 1.0 } => Ok(Quantizer::Float),
            Self::Leaky { slope } => unavailable(&format!("a rectifier with the slope {slope}")),
        }
    }
}

/// What an activation does to values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    /// Nothing.
    Linear,
    /// A quantizer, the float rectifier among them.
    Quantizer(Quantizer),
    /// A float curve.
    Curve(Curve),
}

impl Activation {
    /// The float activation of this name in Keras.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Linear,
            "relu" => Self::Quantizer(Quantizer::Relu),
            "softmax" => Self::Curve(Curve::Softmax),
            "sigmoid" => Self::Curve(Curve::Sigmoid),
            "tanh" => Self::Curve(Curve::Tanh),
            _ => return None,
        })
    }
}
