//! Quantization-aware training of networks.
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
//! use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS};
//! use bitfront_training::{Control, Recipe, Samples, Targets, train};
//! let candidate = Candidate {
//!     input_shape: vec![1],
//!     input_quantizer: "quantized_bits(8,3,0,1,alpha=1.0)".parse()?,
//!     layers: vec![Layer::new("fc1", Operation::Dense {
//!         units: 2,
//!         kernel: "quantized_bits(6,2,alpha=1.0)".parse()?,
//!         bias: Some("quantized_bits(6,2,alpha=1.0)".parse()?),
//!         fold: None,
//!     })],
//!     head: Head::ARG_MAX,
//!     scale_bits: SCALE_BITS,
//! };
//! let y = Targets::Classes(&[0, 0, 1, 1]);
//! let samples = Samples { x: &[-1.0, -0.5, 0.5, 1.0], y, rows: 4, columns: 1 };
//! let recipe = Recipe { epochs: 60, batch_size: 4, learning_rate: 0.1, ..Recipe::default() };
//! let mut on_epoch = |_: &_| Control::Continue;
//! let trained = train(&candidate, &samples, &samples, &recipe, 7, &mut on_epoch, &|| false)?;
//! assert_eq!(trained.curve.last().unwrap().validation_accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod averaging;
mod channelwise;
mod check;
mod class_weights;
mod distillation;
mod drawn;
mod dropout;
mod engine;
mod error;
mod extent;
mod fold;
mod footprint;
#[cfg(test)]
mod gradient_check;
mod initial;
mod inputs;
mod loss;
mod mask;
pub mod metrics;
mod node;
mod normalise;
mod optimizer;
mod outputs;
mod parameter;
pub mod passes;
mod plan;
mod pooling;
mod pruning;
mod random;
mod recipe;
#[cfg(test)]
mod reference;
mod schedule;
mod statistics;
#[cfg(test)]
mod straight_through_check;
mod train;
mod version;
mod weighted;
mod window;

pub use averaging::Averaging;
pub use class_weights::ClassWeights;
pub use distillation::{Distillation, Gathered, SoftTargets};
pub use engine::micro_batch;
pub use error::TrainError;
pub use footprint::training_bytes;
pub use loss::LossFunction;
pub use optimizer::Optimizer;
pub use outputs::outputs;
pub use pruning::{PruneBy, Pruning, Sparsity};
pub use random::row_order;
pub use recipe::{EarlyStopping, Recipe, RecipeFault};
pub use schedule::{Plateau, Schedule};
pub use train::{Control, EpochReport, Samples, Targets, Trained, Trainer, train};
pub use version::ENGINE_VERSION;
