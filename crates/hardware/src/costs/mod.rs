//! Costs that need no circuit: bits, effective bit operations and energy.
//!
//! Everything here reads a [`NetworkDescription`]: a typed list of layers with what each reads.
//! [`NetworkDescription::of`] makes one from a candidate.

mod bits;
mod bops;
mod data_type;
mod description;
mod ebops;
mod energy;
mod layer_types;
mod memory;
mod multiplier;
mod widths;

pub(crate) use bits::stored_bits;
pub use bits::{BitRule, Bits, Forgiveness, LayerBits};
pub use bops::program_bops;
pub use data_type::{DataType, FloatFormat};
pub use description::{Format, LayerDescription, LayerKind, NetworkDescription, Parameter};
pub use ebops::{effective_bits, program_ebops, upper_bound_ebops};
pub use energy::{Energy, EnergyMode, EnergySettings, LayerEnergy};
pub use layer_types::{LayerTypes, layer_types};
pub use memory::Memory;
pub use multiplier::{Operator, Product, product};
pub(crate) use widths::{Widths, magnitude_bits, widths};
