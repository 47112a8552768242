//! One step of the optimiser on all parameters: penalties, clipping, the rule itself.

use bitfront_kernel::AdamStep;
use bitfront_network::Part;

use super::Engine;
use crate::optimizer::{Optimizer, decay};

/// Adam's decays and epsilon, as in Keras.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f32 = 1e-7;

/// What of a recipe a step goes by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    pub(super) optimizer: Optimizer,
    pub(super) clip_norm: Option<f32>,
    pub(super) l1: f32,
    pub(super) l2: f32,
}

/// Whether a part is a kernel, which penalties are for.
pub(crate) fn is_kernel(part: Part) -> bool {
    matches!(
        part,
        Part::Kernel | Part::DepthwiseKernel | Part::PointwiseKernel
    )
}

impl Engine {
    /// Adds the penalties' gradients and clips the whole.
    fn shape_gradients(&mut self) {
        let Rule {
            clip_norm, l1, l2, ..
        } = self.rule;
        if l1 > 0.0 || l2 > 0.0 {
            for node in &mut self.nodes {
                node.each_parameter(|part, parameter| {
                    if is_kernel(part) {
                        parameter.penalise(l1, l2);
                    }
                });
            }
        }
        let Some(most) = clip_norm else { return };
        let mut squares = 0.0;
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| squares += parameter.squared_gradient());
        }
        let length = squares.sqrt();
        // A length that is not finite is left for the step to find.
        if !(length.is_finite() && length > f64::from(most)) {
            return;
        }
        let factor = (f64::from(most) / length) as f32;
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| {
                for g in parameter.gradient.iter_mut() {
                    *g *= factor;
                }
            });
        }
    }

    /// One step of the optimiser on all parameters.
    ///
    /// # Errors
    /// Layer and parameter that are no longer finite.
    pub(crate) fn update(&mut self, learning_rate: f32) -> Result<(), String> {
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| parameter.mask_gradient());
        }
        self.shape_gradients();
        self.steps += 1;
        for (power, beta) in self.decay.iter_mut().zip([BETA1, BETA2]) {
            *power *= f64::from(beta as f32);
        }
        // In f32 throughout, as in Keras: of the first steps' small differences to 1 these are the roundings that count.
        let [rest1, rest2] = self.decay.map(|power| 1.0 - power as f32);
        let step = AdamStep {
            rate: learning_rate * rest2.sqrt() / rest1,
            beta1: BETA1,
            beta2: BETA2,
            epsilon: EPSILON,
            limit: f32::INFINITY,
        };
        let optimizer = self.rule.optimizer;
        for node in &mut self.nodes {
            let mut bad = None;
            node.each_parameter(|part, parameter| {
                let finite = match optimizer {
                    Optimizer::Adam => parameter.update(self.kernels, step),
                    Optimizer::AdamW { weight_decay } => {
                        decay(weight_decay, learning_rate, &mut parameter.values);
                        parameter.update(self.kernels, step)
                    }
                    Optimizer::Sgd { momentum, nesterov } => {
                        parameter.descend(learning_rate, momentum, nesterov)
                    }
                };
                if !finite && bad.is_none() {
                    bad = Some(part);
                }
            });
            if let Some(part) = bad {
                return Err(format!("{}.{part}", node.name));
            }
        }
        Ok(())
    }
}
