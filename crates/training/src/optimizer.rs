//! How a step goes from gradients to weights.
//!
//! The rule this module keeps: the formulas are Keras', in f32, one rounding an operation, so that every
//! CPU level gives the same bits.

use serde::{Deserialize, Serialize};

/// The optimiser. `w` is a weight, `g` its gradient, `r` the learning rate of the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam with decays 0.9 and 0.999: `m = 0.9 m + 0.1 g`, `v = 0.999 v + 0.001 g²`,
    /// `w -= r sqrt(1 - 0.999^t) / (1 - 0.9^t) m / (sqrt(v) + 1e-7)` in step `t`, from 1.
    #[default]
    Adam,
    /// Adam after `w -= w weight_decay r`, which no moment sees. All trained tensors decay.
    AdamW {
        /// From 0 to 1; 0.004 unless given.
        #[serde(default = "default_weight_decay")]
        weight_decay: f32,
    },
    /// Gradient descent: `u = momentum u - r g`, then `w += u`, or with Nesterov's momentum
    /// `w += momentum u - r g`.
    Sgd {
        /// At least 0 and below 1; 0 unless given.
        #[serde(default)]
        momentum: f32,
        /// Whether the step looks ahead along the momentum.
        #[serde(default)]
        nesterov: bool,
    },
}

fn default_weight_decay() -> f32 {
    0.004
}

/// One step of gradient descent; whether everything is finite afterwards.
pub(crate) fn descend(
    [rate, momentum, limit]: [f32; 3],
    nesterov: bool,
    values: &mut [f32],
    velocity: &mut [f32],
    gradient: &[f32],
) -> bool {
    let mut seen = 0.0_f32;
    for ((w, u), g) in values.iter_mut().zip(velocity).zip(gradient) {
        let step = rate * g;
        *u = momentum * *u - step;
        let moved = *w + if nesterov { momentum * *u - step } else { *u };
        // Infinity and NaN times zero are NaN, and NaN stays.
        seen += moved * 0.0 + *u * 0.0;
        *w = moved.clamp(-limit, limit);
    }
    seen == 0.0
}

/// Decay of weights that no moment sees.
pub(crate) fn decay(weight_decay: f32, rate: f32, values: &mut [f32]) {
    for w in values {
        *w -= *w * weight_decay * rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: f32 = f32::INFINITY;

    #[test]
    fn two_steps_of_each_momentum_by_hand() {
        // u: -0.25, then 0.5 * -0.25 - 0.25 = -0.375.
        for (nesterov, expected) in [(false, [0.75, 0.375]), (true, [0.625, 0.1875])] {
            let (mut w, mut u) = ([1.0], [0.0]);
            for value in expected {
                assert!(descend([0.25, 0.5, FREE], nesterov, &mut w, &mut u, &[1.0]));
                assert_eq!(w[0], value, "{nesterov}");
            }
            assert_eq!(u, [-0.375]);
        }
    }

    #[test]
    fn descent_keeps_to_the_limit_and_tells_what_is_not_finite() {
        let (mut w, mut u) = ([0.0, 0.0], [0.0, 0.0]);
        assert!(descend(
            [1.0, 0.0, 2.0],
            false,
            &mut w,
            &mut u,
            &[5.0, -5.0]
        ));
        assert_eq!(w, [-2.0, 2.0]);
        let bad = [f32::INFINITY, 0.0];
        assert!(!descend([1.0, 0.0, 2.0], false, &mut w, &mut u, &bad));
    }

    #[test]
    fn decay_by_hand() {
        let mut w = [2.0, -4.0];
        decay(0.5, 0.25, &mut w);
        assert_eq!(w, [1.75, -3.5]);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let read = serde_json::from_str::<Optimizer>;
        assert_eq!(read("\"adam\"").unwrap(), Optimizer::Adam);
        let sgd = Optimizer::Sgd {
            momentum: 0.9,
            nesterov: false,
        };
        assert_eq!(read(r#"{"sgd": {"momentum": 0.9}}"#).unwrap(), sgd);
        let error = read(r#"{"adamw": {"decay": 0.1}}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `decay`"), "{error}");
    }
}
