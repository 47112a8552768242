//! What a circuit ends in: logits, or what is made of them.

use super::BuildError;
use super::table::MOST_ADDRESS_BITS;
use bitfront_network::{Candidate, Head, IntegerProgram};
use serde::{Deserialize, Serialize};

/// Most exponentials in the tables of all classes together.
const MOST_ENTRIES: usize = 1 << 16;

/// What the output bus of a circuit carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputForm {
    /// A code for each output of the network.
    #[default]
    Logits,
    /// The index of the largest, the lowest of equal ones.
    #[serde(rename = "argmax")]
    ArgMax,
    /// A probability for each class, by the tables of the network's head.
    Softmax,
}

impl OutputForm {
    /// What the output bus carries for rows of input codes, by integer inference: row-major.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`]; where there are no classes to choose from, or no softmax tables, which no circuit of
    /// this form has.
    pub fn expected(self, program: &IntegerProgram, input_codes: &[i32]) -> Vec<i64> {
        match self {
            Self::Logits => program.logits(input_codes),
            Self::ArgMax => {
                let classes = program.classify(input_codes).expect("its head has classes");
                classes.into_iter().map(i64::from).collect()
            }
            Self::Softmax => {
                let all = program.probabilities(input_codes);
                let all = all.expect("its head has tables");
                all.into_iter().map(i64::from).collect()
            }
        }
    }

    /// What a network's head itself says, where nothing else is asked for: probabilities where it has tables for them.
    pub fn of(head: Head) -> Self {
        match head {
            Head::Softmax { tables: Some(_) } => Self::Softmax,
            _ => Self::Logits,
        }
    }

    /// Words of an output row.
    pub fn words(self, program: &IntegerProgram) -> usize {
        match self {
            Self::Logits | Self::Softmax => program.outputs(),
            Self::ArgMax => 1,
        }
    }

    /// As search files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::ArgMax => "argmax",
            Self::Softmax => "softmax",
        }
    }

    /// Whether circuits of this candidate can end so.
    ///
    /// # Errors
    /// What the network's head has not, and softmax tables that are too large.
    pub fn check(self, candidate: &Candidate) -> Result<(), BuildError> {
        let refuse = |reason: String| {
            Err(BuildError {
                layer: self.name().to_owned(),
                reason,
            })
        };
        match (self, candidate.head) {
            (Self::Logits, _) | (Self::ArgMax, Head::Softmax { .. }) => Ok(()),
            (Self::ArgMax, _) => refuse(
                "the network's outputs are no classes to choose from; accepted: output `logits`"
                    .to_owned(),
            ),
            (
                Self::Softmax,
                Head::Softmax {
                    tables: Some(tables),
                },
            ) => {
                let (bits, classes) = (tables.address_bits, candidate.outputs());
                if bits <= MOST_ADDRESS_BITS && classes << bits <= MOST_ENTRIES {
                    return Ok(());
                }
                refuse(format!(
                    "its {classes} tables have {bits} address bits; accepted are at most {MOST_ADDRESS_BITS}, and \
                     {MOST_ENTRIES} entries in all"
                ))
            }
            (Self::Softmax, _) => refuse(
                "the network's head has no softmax tables; accepted: output `logits`".to_owned(),
            ),
        }
    }

    /// Bits right of the binary point of the bus' words.
    pub(super) fn fraction(self, program: &IntegerProgram) -> i32 {
        match (self, program.candidate.head) {
            (Self::ArgMax, _) => 0,
            (
                Self::Softmax,
                Head::Softmax {
                    tables: Some(tables),
                },
            ) => tables.output_fraction as i32,
            _ => program.output_fraction,
        }
    }
}
