//! What a network's outputs mean.

use serde::{Deserialize, Serialize};

/// What the outputs mean, and what is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// One logit a class: the largest is the class, the lowest index on a tie.
    Softmax {
        /// Integer softmax by tables; `None`: the network ends in logits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tables: Option<SoftmaxTables>,
    },
    /// Each output is a logit of its own: at least zero means yes.
    Sigmoid,
    /// Outputs are the values: regression, autoencoder.
    Linear,
}

/// Integer softmax by an exponential and an inverse table, as hardware does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxTables {
    /// Address bits of both tables, 4 to 16.
    pub address_bits: u32,
    /// Fraction bits of an address of the exponential table: distances below the largest logit in
    /// steps of `2^-address_fraction`, 0 to 12.
    pub address_fraction: u32,
    /// Fraction bits of the exponentials, 4 to 24.
    pub exp_fraction: u32,
    /// Fraction bits of the inverses, 4 to 24.
    pub inverse_fraction: u32,
    /// Fraction bits of the probabilities, 1 to 24.
    pub output_fraction: u32,
}

impl Default for SoftmaxTables {
    /// Tables of 1024 entries, as common on FPGAs.
    fn default() -> Self {
        Self {
            address_bits: 10,
            address_fraction: 6,
            exp_fraction: 17,
            inverse_fraction: 17,
            output_fraction: 16,
        }
    }
}

impl Head {
    /// Classes by the largest logit.
    pub const ARG_MAX: Self = Self::Softmax { tables: None };
}
