//! What a circuit is built within and held against: ranges of the train rows where they are asked for, and vectors; and what
//! such a circuit does on rows that its ranges were not taken from.
//!
//! The rule this module keeps: what is said of unseen rows is said of the circuit itself, evaluated on every row that may differ.

use super::vectors::Vectors;
use crate::trial::Measured;
use bitfront_dataset::{Prepared, Table};
use bitfront_hardware::circuit::{Observed, OutputForm, Ranges};
use bitfront_hardware::design::{Design, DesignOptions};
use bitfront_network::IntegerProgram;
use bitfront_search::{Unseen, UnseenRows};

/// Ranges and vectors of one circuit.
pub(crate) struct Evidence<'a> {
    /// Ranges of the train rows; `None` where those of interval analysis are used.
    pub(crate) within: Option<Within<'a>>,
    /// What it is compared on.
    pub(crate) vectors: Vectors,
}

/// Ranges of the train rows, beside the rows that they were not taken from.
pub(crate) struct Within<'a> {
    /// The ranges.
    pub(crate) observed: Observed,
    /// The validation split.
    pub(crate) validation: &'a Table,
    /// The test split.
    pub(crate) test: &'a Table,
}

impl<'a> Evidence<'a> {
    /// Of a program of these splits; `wanted` vectors, or the fewest that a job takes. `None` where `stopped`.
    pub(crate) fn new(
        program: &IntegerProgram,
        options: &DesignOptions,
        data: &'a Prepared,
        wanted: usize,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let output = options.circuit.output;
        if options.circuit.ranges == Ranges::Proven {
            return Some(Self::proven(program, output, &data.test.x, wanted));
        }
        let train = program.input_codes(&data.train.x);
        Some(Self {
            vectors: Vectors::of_rows(program, output, &train, wanted),
            within: Some(Within {
                observed: Observed::of(program, &train, stopped)?,
                validation: &data.validation,
                test: &data.test,
            }),
        })
    }

    /// Of a circuit whose ranges are those of interval analysis.
    pub(crate) fn proven(
        program: &IntegerProgram,
        output: OutputForm,
        test_rows: &[f32],
        wanted: usize,
    ) -> Self {
        Self {
            within: None,
            vectors: Vectors::for_program(program, output, test_rows, wanted),
        }
    }

    /// The ranges of the train rows.
    pub(crate) fn observed(&self) -> Option<&Observed> {
        self.within.as_ref().map(|within| &within.observed)
    }
}

impl Within<'_> {
    /// What the circuit within these ranges does on the splits that they were not taken from. `None` where `stopped`.
    pub(crate) fn unseen(
        &self,
        program: &IntegerProgram,
        circuit: &Design,
        output: OutputForm,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Unseen> {
        let of = |table| self.unseen_rows(program, circuit, output, table, stopped);
        Some(Unseen {
            validation: of(self.validation)?,
            test: of(self.test)?,
        })
    }

    fn unseen_rows(
        &self,
        program: &IntegerProgram,
        circuit: &Design,
        output: OutputForm,
        table: &Table,
        stopped: &dyn Fn() -> bool,
    ) -> Option<UnseenRows> {
        let (inputs, outputs) = (program.inputs(), program.outputs());
        let codes = program.input_codes(&table.x);
        let outside = self.observed.rows_outside(program, &codes, stopped)?;
        let of_outside = outside
            .iter()
            .flat_map(|row| &codes[row * inputs..][..inputs]);
        let of_outside: Vec<i32> = of_outside.copied().collect();
        let expected = output.expected(program, &of_outside);
        let expected = expected.chunks_exact(circuit.output_words());
        // Within the ranges the logits of the circuit are these.
        let mut logits = program.logits(&codes);
        let mut different = 0;
        let each = of_outside.chunks_exact(inputs).zip(expected).zip(&outside);
        for (at, ((codes, expected), row)) in each.enumerate() {
            if at % 64 == 0 && stopped() {
                return None;
            }
            let codes: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
            let found = circuit.evaluate(&codes);
            if found == expected {
                continue;
            }
            different += 1;
            let logits = &mut logits[row * outputs..][..outputs];
            match output {
                // The largest probability is the class, as the largest logit is.
                OutputForm::Logits | OutputForm::Softmax => logits.copy_from_slice(&found),
                // Logits of which the circuit's class is the largest.
                OutputForm::ArgMax => {
                    for (class, logit) in (0..).zip(logits) {
                        *logit = i64::from(class == found[0]);
                    }
                }
            }
        }
        let measured = Measured::of_logits(program, &logits, table);
        Some(UnseenRows {
            rows: table.rows as u64,
            outside: outside.len() as u64,
            different,
            accuracy: measured.accuracy(),
            mean_squared_error: measured.mean_squared_error(),
        })
    }
}
