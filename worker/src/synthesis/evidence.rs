//! What a circuit is built within and held against: ranges of the train rows where they are asked for, and vectors.

use super::vectors::Vectors;
use bitfront_hardware::circuit::{Observed, Ranges};
use bitfront_hardware::design::DesignOptions;
use bitfront_network::IntegerProgram;

/// Ranges and vectors of one circuit.
pub(crate) struct Evidence {
    /// Ranges of the train rows; `None` where those of interval analysis are used.
    pub(crate) observed: Option<Observed>,
    /// What it is compared on.
    pub(crate) vectors: Vectors,
    /// Of a circuit within ranges of the train rows: test rows, and how many of them leave the ranges.
    pub(crate) outside: Option<(usize, usize)>,
}

impl Evidence {
    /// Of a program whose data is standardised and row-major; `wanted` vectors, or the fewest that a job takes. Ranges of data
    /// take train rows, of which a split has at least one.
    pub(crate) fn new(
        program: &IntegerProgram,
        options: &DesignOptions,
        (train, test): (&[f32], &[f32]),
        wanted: usize,
    ) -> Self {
        let output = options.circuit.output;
        match options.circuit.ranges {
            Ranges::Proven => Self {
                observed: None,
                vectors: Vectors::for_program(program, output, test, wanted),
                outside: None,
            },
            Ranges::Data => {
                let train = program.input_codes(train);
                let test = program.input_codes(test);
                let observed = Observed::of(program, &train);
                let rows = test.len() / program.inputs();
                Self {
                    vectors: Vectors::of_rows(program, output, &train, wanted),
                    outside: Some((rows, observed.rows_outside(program, &test))),
                    observed: Some(observed),
                }
            }
        }
    }
}
