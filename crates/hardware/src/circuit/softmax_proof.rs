//! The proof that a circuit's softmax is that of its program: each part from the parts that it reads, by coefficients and by
//! every entry of every table.

use super::Circuit;
use super::linear_form::LinearForm;
use super::node::{Operand, Operation, Value, Wire};
use super::product::{form_of, seeds};
use super::softmax::{
    FLOOR, SoftmaxMark, distance_range, exponential, inverse, offset, one, product_shift,
};
use bitfront_network::{Interval, SoftmaxProgram};

impl Circuit {
    /// Proves that the outputs are the softmax of `logits`; `ranges` are the program's intervals of these, of those that
    /// nothing reads.
    ///
    /// # Errors
    /// An output, and what is wrong with it or with a part of all.
    pub(crate) fn check_softmax(
        &self,
        mark: &SoftmaxMark,
        logits: &[Option<Value>],
        ranges: &[Interval],
        softmax: &SoftmaxProgram,
    ) -> Result<(), (usize, String)> {
        let of_all = |problem: String| (0, problem);
        let counts = [
            mark.distances.len(),
            mark.exponentials.len(),
            mark.products.len(),
            self.output_operands.len(),
            ranges.len(),
        ];
        if counts != [logits.len(); 5] {
            return Err(of_all("classes are missing".to_owned()));
        }
        let ranges: Vec<Interval> = logits
            .iter()
            .zip(ranges)
            .map(|(value, range)| value.map_or(*range, |value| value.range(&self.nodes)))
            .collect();
        let of_largest = self
            .check_largest(mark.largest, logits, &ranges)
            .map_err(of_all)?;
        for (class, logit) in logits.iter().enumerate() {
            let range = distance_range(of_largest, ranges[class]);
            self.check_distance(mark.largest, *logit, mark.distances[class])
                .and_then(|()| {
                    let entry = |distance| exponential(softmax, distance);
                    let found = mark.exponentials[class];
                    self.check_falling(mark.distances[class], range, found, entry)
                })
                .map_err(|problem| (class, format!("its exponential: {problem}")))?;
        }
        let exponentials: Option<Vec<Value>> = mark.exponentials.iter().copied().collect();
        let Some(exponentials) = exponentials else {
            return Err(of_all("an exponential is not read".to_owned()));
        };
        self.check_sum(mark, &exponentials, softmax)
            .map_err(of_all)?;
        let of_inverse = mark.inverse.ok_or("the inverse is not read".to_owned());
        let of_inverse = of_inverse.map_err(of_all)?;
        for (class, exponential) in exponentials.into_iter().enumerate() {
            let checked = match mark.products[class] {
                None => Err("it is not read".to_owned()),
                Some(product) => self
                    .check_product(product, exponential, of_inverse)
                    .and_then(|()| self.check_probability(class, product, softmax)),
            };
            checked.map_err(|problem| (class, format!("its product: {problem}")))?;
        }
        Ok(())
    }

    /// The largest is that of all logits; what it may be.
    fn check_largest(
        &self,
        largest: Option<Value>,
        logits: &[Option<Value>],
        ranges: &[Interval],
    ) -> Result<Interval, String> {
        let largest = match largest {
            None => None,
            Some(largest) => {
                let all: Option<Vec<Value>> = logits.iter().copied().collect();
                let all = all.ok_or("a logit is not compared")?;
                self.check_maximum(&all, largest)?;
                Some(largest.range(&self.nodes))
            }
        };
        let bounds = Interval {
            lo: ranges.iter().map(|range| range.lo).max().unwrap_or(0),
            hi: ranges.iter().map(|range| range.hi).max().unwrap_or(0),
        };
        match largest {
            Some(range) if range != bounds => {
                Err("the largest logit has another interval".to_owned())
            }
            _ => Ok(bounds),
        }
    }

    fn check_distance(
        &self,
        largest: Option<Value>,
        logit: Option<Value>,
        distance: Option<Value>,
    ) -> Result<(), String> {
        let (Some(largest), Some(logit), Some(distance)) = (largest, logit, distance) else {
            // Its exponential is known then, whatever it is.
            return Ok(());
        };
        let expected = form_of(largest).combine(1, &form_of(logit), -1);
        let mut forms = seeds([largest, logit]);
        self.check_form(distance, &expected, &mut forms)
    }

    /// That a value is a falling function of a source in `range`: every entry of a table at either end of what
    /// it stands for, or the one code of all sources.
    fn check_falling(
        &self,
        source: Option<Value>,
        range: Interval,
        value: Option<Value>,
        entry: impl Fn(i64) -> i64,
    ) -> Result<(), String> {
        let (operand, source) = match (value, source) {
            (None, _) => return Err("it is not read".to_owned()),
            (Some(Value::Constant(code)), _) => {
                return if entry(range.lo) == code && entry(range.hi) == code {
                    Ok(())
                } else {
                    Err(format!("it is not {code} for all of {range:?}"))
                };
            }
            (Some(Value::Wire(operand)), Some(Value::Wire(source))) => (operand, source),
            (Some(Value::Wire(_)), _) => return Err("it is a table of nothing".to_owned()),
        };
        let Operation::Table {
            source: mut address,
            mut dropped,
            first,
            ref codes,
        } = self.node(self.unregistered(operand.wire)).operation
        else {
            return Err("it is no table".to_owned());
        };
        address = self.unregistered(address);
        // The last entry is of all sources above, where these are clipped.
        let mut clipped = None;
        if let Operation::Requantize {
            source,
            right_shift,
            range,
            modes: FLOOR,
        } = self.node(address).operation
            && dropped == 0
            && right_shift >= 0
            && range.lo == 0
        {
            (address, dropped) = (self.unregistered(source), right_shift.unsigned_abs());
            clipped = Some(range.hi);
        }
        if operand.shift != 0 || address != self.unregistered(source.wire) {
            return Err("it is a table of something else".to_owned());
        }
        let Interval { lo, hi } = self.node(address).range;
        if lo << source.shift > range.lo || hi << source.shift < range.hi {
            return Err("its source may have more values".to_owned());
        }
        let last = first + codes.len() as i64 - 1;
        let covered = clipped.map_or(hi >> dropped, |highest| highest.min(hi >> dropped));
        if first != lo >> dropped || last != covered || lo < 0 {
            return Err("its table lacks a value that its source may have".to_owned());
        }
        for (at, &code) in (first..).zip(codes) {
            let end = if at == last {
                hi
            } else {
                ((at + 1) << dropped) - 1
            };
            for of in [(at << dropped).max(lo), end.min(hi)] {
                if entry(of << source.shift) != code {
                    return Err(format!("its table has {code} for {of}"));
                }
            }
        }
        Ok(())
    }

    /// The sum is of all exponentials, and the inverse that of the sum.
    fn check_sum(
        &self,
        mark: &SoftmaxMark,
        exponentials: &[Value],
        softmax: &SoftmaxProgram,
    ) -> Result<(), String> {
        let mut range = Interval::point(-offset(softmax));
        let mut expected = LinearForm::constant(range.lo);
        for exponential in exponentials {
            let of = exponential.range(&self.nodes);
            range.lo += of.lo;
            range.hi += of.hi;
            expected = expected.combine(1, &form_of(*exponential), 1);
        }
        range.lo = range.lo.max(one(softmax) - offset(softmax));
        if let Some(sum) = mark.sum {
            let mut forms = seeds(exponentials.iter().copied());
            self.check_form(sum, &expected, &mut forms)
                .map_err(|problem| format!("the sum: {problem}"))?;
        }
        self.check_falling(mark.sum, range, mark.inverse, |sum| inverse(softmax, sum))
            .map_err(|problem| format!("the inverse: {problem}"))
    }

    /// An output is a product, shifted and floored.
    fn check_probability(
        &self,
        class: usize,
        product: Value,
        softmax: &SoftmaxProgram,
    ) -> Result<(), String> {
        let shift = product_shift(softmax);
        let found = self.output_operands[class];
        let wire = self.unregistered(found.wire);
        let same = match product {
            Value::Constant(code) => {
                let code = if shift < 0 {
                    code << shift.unsigned_abs()
                } else {
                    code >> shift
                };
                matches!(self.node(wire).operation, Operation::Constant { value } if value << found.shift == code)
            }
            Value::Wire(operand) => {
                let right_shift = shift - operand.shift as i32;
                if right_shift > 0 {
                    self.is_floor(wire, operand.wire, right_shift) && found.shift == 0
                } else {
                    let shifted = Operand {
                        wire: self.unregistered(operand.wire),
                        shift: right_shift.unsigned_abs(),
                    };
                    Operand { wire, ..found } == shifted
                }
            }
        };
        if same {
            Ok(())
        } else {
            Err("the bus carries something else".to_owned())
        }
    }

    /// Whether a wire is another one shifted right, with no bit lost above.
    fn is_floor(&self, wire: Wire, of: Wire, shift: i32) -> bool {
        let Operation::Requantize {
            source,
            right_shift,
            range,
            modes,
        } = self.node(wire).operation
        else {
            return false;
        };
        let source = self.unregistered(source);
        source == self.unregistered(of)
            && right_shift == shift
            && modes == FLOOR
            && range.lo == 0
            && self.node(source).range.hi >> shift <= range.hi
    }
}

#[cfg(test)]
mod tests {
    use crate::circuit::{BuildOptions, Circuit, Operation, OutputForm, Wire};
    use bitfront_network::{Candidate, IntegerProgram, Weights};

    fn program() -> IntegerProgram {
        let candidate: Candidate = serde_json::from_str(
            r#"{"input_shape": [3], "input_quantizer": "quantized_bits(5,2,alpha=1.0)", "layers": [{"name": "fc",
                "operation": {"kind": "dense", "units": 3, "kernel": "quantized_bits(4,1,alpha=1.0)",
                    "bias": "quantized_bits(4,1,alpha=1.0)", "fold": null}}],
                "head": {"kind": "softmax", "tables": {"address_bits": 5, "address_fraction": 2, "exp_fraction": 6,
                    "inverse_fraction": 6, "output_fraction": 7}}}"#,
        )
        .expect("a candidate");
        let weights = Weights::build(&candidate, |tensor| {
            let values = 0..tensor.shape.iter().product::<usize>();
            values.map(|at| (at as f32 * 1.3).sin() * 1.8).collect()
        });
        IntegerProgram::freeze(&candidate, &weights).expect("a program")
    }

    /// Operations that are a little different.
    fn mutants(operation: &Operation) -> Vec<Operation> {
        let mutant = |change: &dyn Fn(&mut Operation)| {
            let mut mutant = operation.clone();
            change(&mut mutant);
            mutant
        };
        match operation {
            Operation::Add { subtract, .. } => vec![mutant(&|mutant| {
                if let Operation::Add { subtract: to, .. } = mutant {
                    *to = !subtract;
                }
            })],
            Operation::Max { left, .. } => vec![mutant(&|mutant| {
                if let Operation::Max { right, .. } = mutant {
                    *right = *left;
                }
            })],
            Operation::Table { codes, .. } => (0..codes.len())
                .map(|at| {
                    mutant(&move |mutant| {
                        if let Operation::Table { codes, .. } = mutant {
                            codes[at] ^= 1;
                        }
                    })
                })
                .collect(),
            Operation::Requantize { .. } => vec![mutant(&|mutant| {
                if let Operation::Requantize { right_shift, .. } = mutant {
                    *right_shift += 1;
                }
            })],
            Operation::Digit { once, thrice, .. } => {
                let thrice = *thrice;
                let once = *once;
                vec![
                    mutant(&|mutant| {
                        if let Operation::Digit { bit, .. } = mutant {
                            *bit ^= 2;
                        }
                    }),
                    mutant(&|mutant| {
                        if let Operation::Digit { once, .. } = mutant {
                            *once = thrice;
                        }
                    }),
                    mutant(&|mutant| {
                        if let Operation::Digit { multiplier, .. } = mutant {
                            *multiplier = once.wire;
                        }
                    }),
                ]
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn no_changed_part_is_proven() {
        let program = program();
        let options = BuildOptions {
            output: OutputForm::Softmax,
            ..BuildOptions::default()
        };
        let circuit = Circuit::build_with(&program, &options).expect("a circuit");
        circuit.check_against(&program).expect("proven");
        let mut kinds = [0; 5];
        for index in 0..circuit.nodes.len() {
            for mutant in mutants(&circuit.nodes[index].operation) {
                kinds[match mutant {
                    Operation::Add { .. } => 0,
                    Operation::Max { .. } => 1,
                    Operation::Table { .. } => 2,
                    Operation::Requantize { .. } => 3,
                    _ => 4,
                }] += 1;
                let mut changed = circuit.clone();
                changed.nodes[index].operation = mutant;
                assert!(
                    changed.check_against(&program).is_err(),
                    "{:?} of {:?}",
                    changed.node(Wire(index as u32)),
                    circuit.node(Wire(index as u32))
                );
            }
        }
        assert!(kinds.iter().all(|&count| count > 1), "{kinds:?}");
        // Nor are probabilities in another order.
        let mut swapped = circuit.clone();
        swapped.output_operands.swap(0, 1);
        assert!(swapped.check_against(&program).is_err());
    }
}
