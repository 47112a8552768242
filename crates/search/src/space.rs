//! The choices a search opens: one categorical variable for each layer or group and parameter type.
//!
//! The rule this module keeps: points and candidates of a search stand one to one. Each variable
//! covers its own places in the network and no choice is listed twice, so equal candidates come from
//! equal points.

use bitfront_network::{Part, Place};
use bitfront_quantizer::{Quantizer, Role};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in a layer a quantizer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// The network's input.
    Input,
    /// A layer's kernel; a separable layer's depthwise kernel.
    Kernel,
    /// A separable layer's pointwise kernel.
    PointwiseKernel,
    /// A layer's bias.
    Bias,
    /// The values of an activation layer.
    Activation,
}

impl Parameter {
    /// The name in rules and variables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Kernel => "kernel",
            Self::PointwiseKernel => "pointwise_kernel",
            Self::Bias => "bias",
            Self::Activation => "activation",
        }
    }

    /// The parameter type of a place within a layer.
    pub fn of(place: Place) -> Self {
        match (place.part, place.role) {
            (Some(Part::PointwiseKernel), _) => Self::PointwiseKernel,
            (_, Role::Input) => Self::Input,
            (_, Role::Kernel) => Self::Kernel,
            (_, Role::Bias) => Self::Bias,
            (_, Role::Activation) => Self::Activation,
        }
    }

    /// The role a quantizer plays here.
    pub fn role(self) -> Role {
        match self {
            Self::Input => Role::Input,
            Self::Kernel | Self::PointwiseKernel => Role::Kernel,
            Self::Bias => Role::Bias,
            Self::Activation => Role::Activation,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One choice: the quantizer of one parameter type in one layer, or in all layers of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// `fc1.kernel`, or `relu1+relu2.activation` for a group.
    pub name: String,
    /// Parameter type.
    pub parameter: Parameter,
    /// Layers it covers, by index (0 for the input).
    pub layers: Vec<usize>,
    /// The choices, by ascending bits; a single one is fixed.
    pub choices: Vec<Quantizer>,
}

impl Variable {
    /// Whether this variable decides `parameter` of layer `layer`.
    pub fn covers(&self, parameter: Parameter, layer: usize) -> bool {
        self.parameter == parameter && self.layers.contains(&layer)
    }
}

/// The choices a search opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// The variables: the input first, then each layer's kernel, bias and activation.
    pub variables: Vec<Variable>,
}

/// One assignment of all variables: an index into each variable's choices.
///
/// Its canonical form is its JSON, `[3,0,2]`; it has a meaning only in its own search.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Point(Vec<u16>);

/// A point of another space.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Too few or too many choices.
    #[error("point has {actual} choices, the space has {expected} variables")]
    Length {
        /// Choices in the point.
        actual: usize,
        /// Variables in the space.
        expected: usize,
    },
    /// An index out of range.
    #[error("point names choice {choice} of `{variable}`, which has {choices}")]
    Choice {
        /// Name of the variable.
        variable: String,
        /// Index in the point.
        choice: u16,
        /// Number of choices.
        choices: usize,
    },
}

impl Point {
    /// A point from choice indexes, one for each variable.
    pub fn new(choices: Vec<u16>) -> Self {
        Self(choices)
    }

    /// The choice indexes.
    pub fn choices(&self) -> &[u16] {
        &self.0
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices: Vec<_> = self.0.iter().map(u16::to_string).collect();
        write!(f, "[{}]", choices.join(","))
    }
}

impl Space {
    /// Number of points, or `None` above `u128::MAX` (resolving a search refuses such a space).
    pub fn checked_size(&self) -> Option<u128> {
        self.variables.iter().try_fold(1_u128, |size, variable| {
            size.checked_mul(variable.choices.len() as u128)
        })
    }

    /// Exact number of points.
    pub fn size(&self) -> u128 {
        self.checked_size().unwrap_or(u128::MAX)
    }

    /// Number of variables with more than one choice.
    pub fn free_variables(&self) -> usize {
        let free = |variable: &&Variable| variable.choices.len() > 1;
        self.variables.iter().filter(free).count()
    }

    /// Checks that `point` is a point of this space.
    ///
    /// # Errors
    /// [`PointError`] for a wrong number of choices or one out of range.
    pub fn check(&self, point: &Point) -> Result<(), PointError> {
        if point.0.len() != self.variables.len() {
            return Err(PointError::Length {
                actual: point.0.len(),
                expected: self.variables.len(),
            });
        }
        for (variable, &choice) in self.variables.iter().zip(&point.0) {
            if usize::from(choice) >= variable.choices.len() {
                return Err(PointError::Choice {
                    variable: variable.name.clone(),
                    choice,
                    choices: variable.choices.len(),
                });
            }
        }
        Ok(())
    }

    /// Point number `index`, of `0..size()`: mixed radix, the last variable running fastest.
    pub fn point(&self, mut index: u128) -> Point {
        let mut choices = vec![0; self.variables.len()];
        for (choice, variable) in choices.iter_mut().zip(&self.variables).rev() {
            let radix = variable.choices.len() as u128;
            *choice = (index % radix) as u16;
            index /= radix;
        }
        Point(choices)
    }

    /// The number of a point of this space, the inverse of [`Space::point`].
    pub fn index(&self, point: &Point) -> u128 {
        self.variables
            .iter()
            .zip(&point.0)
            .fold(0, |index, (variable, &choice)| {
                index * variable.choices.len() as u128 + u128::from(choice)
            })
    }
}
