//! A graph of two-operand adders and its own proof: coefficients, ranges and price from nothing else.
//!
//! The rule this module keeps: nothing the solver believed is used here. Whatever is said of a graph is
//! worked out anew from its adders.

use super::matrix::{Matrix, MatrixError};
use super::range::{Range, adder_price};

/// One wire: `a + b * 2^shift`, or `a - b * 2^shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Adder {
    /// Wire of the first operand.
    pub a: u32,
    /// Wire of the second operand.
    pub b: u32,
    /// Power of two by which the second operand is scaled; may be negative.
    pub shift: i32,
    /// The second operand is subtracted.
    pub subtract: bool,
}

/// One output: plus or minus a shifted wire. Neither costs an adder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The wire, or none where the output is always zero.
    pub wire: Option<u32>,
    /// Power of two by which it is scaled.
    pub shift: i32,
    /// The wire's negative is the output.
    pub negative: bool,
}

/// Adders that compute the product of an input vector and a constant matrix.
///
/// Wires `0..inputs.len()` are the inputs, wire `inputs.len() + k` is adder `k`; an adder uses earlier
/// wires only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdderGraph {
    /// Range of every input.
    pub inputs: Vec<Range>,
    /// In order of evaluation.
    pub adders: Vec<Adder>,
    /// One for each column of the matrix.
    pub outputs: Vec<Output>,
}

/// What is wrong with a graph.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// An adder or output uses a wire that is not made before it.
    #[error("{place} uses wire {wire}, of which there are {wires} before it")]
    Wire {
        /// Which adder or output.
        place: String,
        /// What it uses.
        wire: u32,
        /// How many there are.
        wires: usize,
    },
    /// A wire reaches past 120 bits.
    #[error("{0} reaches past 120 bits")]
    Width(String),
    /// An output computes something else than its column.
    #[error(
        "output {output} has {found} * 2^{unit} where input {input} should have {expected} * 2^{unit}"
    )]
    Coefficient {
        /// Column of the matrix.
        output: usize,
        /// Row of the matrix.
        input: usize,
        /// As the matrix has it.
        expected: i128,
        /// As the graph has it.
        found: i128,
        /// Both in units of `2^unit`.
        unit: i32,
    },
    /// The graph has other inputs or outputs than the matrix.
    #[error(
        "the graph has {graph:?} inputs and outputs, or other ranges, where the matrix has {matrix:?}"
    )]
    Shape {
        /// Inputs and outputs of the graph.
        graph: (usize, usize),
        /// Rows and columns.
        matrix: (usize, usize),
    },
    /// An input vector has another length than the graph has inputs.
    #[error("{found} inputs are given to a graph of {expected}")]
    Inputs {
        /// Length of the vector.
        found: usize,
        /// Inputs of the graph.
        expected: usize,
    },
    /// A value of a wire is outside its range.
    #[error("wire {wire} is {value} where its range is {low}..={high}, in its own steps")]
    Outside {
        /// The wire; the first ones are the inputs.
        wire: usize,
        /// Its value.
        value: i128,
        /// Smallest it may be.
        low: i128,
        /// Largest it may be.
        high: i128,
    },
    /// The matrix itself is malformed.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

impl AdderGraph {
    /// Range of every wire, by interval arithmetic from wire to wire.
    ///
    /// # Errors
    /// On wires used before they are made and wires wider than 120 bits.
    pub fn ranges(&self) -> Result<Vec<Range>, GraphError> {
        let mut ranges = self.inputs.clone();
        for (number, adder) in self.adders.iter().enumerate() {
            let place = || format!("adder {number}");
            let a = *self.wire(&ranges, adder.a, place)?;
            let mut b = self.wire(&ranges, adder.b, place)?.shifted(adder.shift);
            if adder.subtract {
                b = b.negated();
            }
            ranges.push(a.plus(b).ok_or_else(|| GraphError::Width(place()))?);
        }
        Ok(ranges)
    }

    /// Sum over the adders of [`adder_price`].
    ///
    /// # Errors
    /// As [`Self::ranges`].
    pub fn price(&self) -> Result<u64, GraphError> {
        let ranges = self.ranges()?;
        Ok(self
            .adders
            .iter()
            .map(|adder| {
                let b = ranges[adder.b as usize].shifted(adder.shift);
                u64::from(adder_price(&ranges[adder.a as usize], &b, adder.subtract))
            })
            .sum())
    }

    /// Adders on the longest way from an input to an output.
    ///
    /// # Errors
    /// On wires used before they are made.
    pub fn depth(&self) -> Result<u32, GraphError> {
        let mut depths = vec![0_u32; self.inputs.len()];
        for (number, adder) in self.adders.iter().enumerate() {
            let place = || format!("adder {number}");
            let a = *self.wire(&depths, adder.a, place)?;
            let b = *self.wire(&depths, adder.b, place)?;
            depths.push(a.max(b) + 1);
        }
        let mut deepest = 0;
        for (number, output) in self.outputs.iter().enumerate() {
            if let Some(wire) = output.wire {
                deepest = deepest.max(*self.wire(&depths, wire, || format!("output {number}"))?);
            }
        }
        Ok(deepest)
    }

    /// The matrix that the graph computes, one column per output: integers in units of `2^unit`, and the
    /// unit.
    ///
    /// # Errors
    /// As [`Self::ranges`], and on coefficients past 120 bits.
    pub fn coefficients(&self) -> Result<(Vec<Vec<i128>>, i32), GraphError> {
        // A wire as integers in units of its own power of two, so that negative shifts stay exact.
        let rows = self.inputs.len();
        let mut wires: Vec<(Vec<i128>, i32)> = (0..rows)
            .map(|input| ((0..rows).map(|row| i128::from(row == input)).collect(), 0))
            .collect();
        for (number, adder) in self.adders.iter().enumerate() {
            let place = || format!("adder {number}");
            let (a, unit_a) = self.wire(&wires, adder.a, place)?;
            let (b, unit_b) = self.wire(&wires, adder.b, place)?;
            let unit_b = unit_b + adder.shift;
            let unit = (*unit_a).min(unit_b);
            let sum = a.iter().zip(b).map(|(&a, &b)| {
                let [a, b] = [scaled(a, unit_a - unit)?, scaled(b, unit_b - unit)?];
                Some(if adder.subtract { a - b } else { a + b })
            });
            let sum: Option<Vec<i128>> = sum.collect();
            wires.push((sum.ok_or_else(|| GraphError::Width(place()))?, unit));
        }
        let mut columns = Vec::with_capacity(self.outputs.len());
        for (number, output) in self.outputs.iter().enumerate() {
            columns.push(match output.wire {
                None => (vec![0; rows], 0),
                Some(wire) => {
                    let place = || format!("output {number}");
                    let (values, unit) = self.wire(&wires, wire, place)?;
                    let sign = if output.negative { -1 } else { 1 };
                    let values = values.iter().map(|value| value * sign).collect();
                    (values, unit + output.shift)
                }
            });
        }
        let unit = columns.iter().map(|&(_, unit)| unit).min().unwrap_or(0);
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(number, (values, own))| {
                let values = values.into_iter().map(|value| scaled(value, own - unit));
                let values: Option<Vec<i128>> = values.collect();
                values.ok_or_else(|| GraphError::Width(format!("output {number}")))
            });
        Ok((columns.collect::<Result<_, _>>()?, unit))
    }

    /// Proves that the graph computes the matrix: every coefficient equal, every range inside 120 bits.
    ///
    /// Inputs that are always zero may have any coefficient.
    ///
    /// # Errors
    /// On the first thing that differs.
    pub fn verify(&self, matrix: &Matrix) -> Result<(), GraphError> {
        matrix.check()?;
        let shapes = (
            (self.inputs.len(), self.outputs.len()),
            (matrix.rows, matrix.columns),
        );
        if shapes.0 != shapes.1 || self.inputs != matrix.inputs {
            return Err(GraphError::Shape {
                graph: shapes.0,
                matrix: shapes.1,
            });
        }
        self.ranges()?;
        let (columns, unit) = self.coefficients()?;
        for (output, column) in columns.iter().enumerate() {
            for (input, &found) in column.iter().enumerate() {
                if matrix.inputs[input].is_zero() {
                    continue;
                }
                let entry = i128::from(matrix.entry(input, output));
                let own = matrix.exponent(input, output);
                let common = own.min(unit);
                let width = || GraphError::Width(format!("output {output}"));
                let expected = scaled(entry, own - common).ok_or_else(width)?;
                let found = scaled(found, unit - common).ok_or_else(width)?;
                if expected != found {
                    return Err(GraphError::Coefficient {
                        output,
                        input,
                        expected,
                        found,
                        unit: common,
                    });
                }
            }
        }
        Ok(())
    }

    /// The outputs for one input vector: integers in units of `2^unit`, and the unit.
    ///
    /// `inputs` are counted in steps of the inputs' ranges. Every wire is checked against its range.
    ///
    /// # Errors
    /// As [`Self::ranges`], and on inputs outside their range.
    pub fn evaluate(&self, inputs: &[i64]) -> Result<(Vec<i128>, i32), GraphError> {
        let ranges = self.ranges()?;
        if inputs.len() != self.inputs.len() {
            return Err(GraphError::Inputs {
                found: inputs.len(),
                expected: self.inputs.len(),
            });
        }
        // A wire's value in steps of its own range.
        let mut values: Vec<i128> = inputs.iter().copied().map(i128::from).collect();
        for (number, adder) in self.adders.iter().enumerate() {
            let exponent = ranges[self.inputs.len() + number].exponent;
            let in_steps = |wire: u32, shift: i32| {
                let own = ranges[wire as usize].exponent + shift;
                scaled(values[wire as usize], own - exponent)
                    .ok_or_else(|| GraphError::Width(format!("adder {number}")))
            };
            let [a, b] = [in_steps(adder.a, 0)?, in_steps(adder.b, adder.shift)?];
            values.push(if adder.subtract { a - b } else { a + b });
        }
        for (wire, (value, range)) in values.iter().zip(&ranges).enumerate() {
            if !(range.low..=range.high).contains(value) {
                return Err(GraphError::Outside {
                    wire,
                    value: *value,
                    low: range.low,
                    high: range.high,
                });
            }
        }
        let outputs: Vec<(i128, i32)> = self
            .outputs
            .iter()
            .map(|output| {
                output.wire.map_or((0, 0), |wire| {
                    let value = values[wire as usize];
                    let exponent = ranges[wire as usize].exponent + output.shift;
                    (if output.negative { -value } else { value }, exponent)
                })
            })
            .collect();
        let unit = outputs.iter().map(|output| output.1).min().unwrap_or(0);
        let outputs = outputs.iter().enumerate().map(|(number, &(value, own))| {
            scaled(value, own - unit).ok_or_else(|| GraphError::Width(format!("output {number}")))
        });
        Ok((outputs.collect::<Result<_, _>>()?, unit))
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the graph")]
    fn wire<'a, T>(
        &self,
        wires: &'a [T],
        wire: u32,
        place: impl Fn() -> String,
    ) -> Result<&'a T, GraphError> {
        wires.get(wire as usize).ok_or_else(|| GraphError::Wire {
            place: place(),
            wire,
            wires: wires.len(),
        })
    }
}

/// `value * 2^shift`, none past 120 bits.
fn scaled(value: i128, shift: i32) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    let shift = u32::try_from(shift).ok().filter(|&shift| shift < 120)?;
    (value.unsigned_abs().leading_zeros() > shift + 8).then(|| value << shift)
}
