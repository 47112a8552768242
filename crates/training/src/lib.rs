//! Quantization-aware training of dense networks.
//!
//! [`train`] takes a candidate, standardised samples, a [`Recipe`] and a seed, and gives float weights
//! whose fake-quantized forward pass was trained: the forward pass uses quantized values, the
//! gradient goes straight through the quantizers as each family defines it.
//!
//! The rule this room keeps: the weights are a pure function of (candidate, samples, recipe, seed), bit
//! for bit, on every CPU level. All products run in the kernels' fixed order, every other function is
//! made of correctly rounded operations, and randomness is counted from the seed.
//!
//! ```
//! use bitfront_network::{Candidate, Layer};
//! use bitfront_training::{Control, Recipe, Samples, train};
//! let candidate = Candidate {
//!     inputs: 1,
//!     input_quantizer: "quantized_bits(8,3,0,1,alpha=1.0)".parse()?,
//!     layers: vec![Layer {
//!         name: "fc1".into(),
//!         units: 2,
//!         kernel: "quantized_bits(6,2,alpha=1.0)".parse()?,
//!         bias: "quantized_bits(6,2,alpha=1.0)".parse()?,
//!         activation: None,
//!     }],
//! };
//! let samples = Samples { x: &[-1.0, -0.5, 0.5, 1.0], y: &[0, 0, 1, 1], rows: 4, columns: 1 };
//! let recipe = Recipe { epochs: 60, batch_size: 4, learning_rate: 0.1, ..Recipe::default() };
//! let mut on_epoch = |_: &_| Control::Continue;
//! let trained = train(&candidate, &samples, &samples, &recipe, 7, &mut on_epoch, &|| false)?;
//! assert_eq!(trained.curve.last().unwrap().validation_accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod engine;
mod error;
#[cfg(test)]
mod gradient_check;
pub mod metrics;
mod parameter;
mod plan;
mod random;
mod recipe;
mod train;

pub use error::TrainError;
pub use recipe::{Recipe, RecipeFault, Schedule};
pub use train::{Control, EpochReport, Samples, Trained, Trainer, train};
