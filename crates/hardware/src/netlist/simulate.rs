//! Runs vectors through a netlist, one a clock, and compares every output bit.

use super::dsp;
use super::order::Loops;
use super::{Bit, Cell, Kind, Netlist, NetlistError, ONE, ZERO};
use crate::circuit::{Circuit, Port};
use crate::verilog::BenchReport;

/// The bits of a net over the clocks, the first clock lowest.
pub(super) type History = Vec<u64>;

/// Streams the rows back to back and compares each row's outputs [`Circuit::cycles`] clock edges later,
/// as the bench of [`test_bench`](crate::verilog::test_bench) does. `inputs` are rows of input codes, `expected` rows of logit codes.
///
/// Flip-flops without an initial value start with an arbitrary one, which differs from one to the next.
///
/// # Errors
/// [`NetlistError`] for other ports than the circuit's, undriven bits, other clocks and loops.
///
/// # Panics
/// Unless both have as many whole rows.
pub fn simulate(
    netlist: &Netlist,
    circuit: &Circuit,
    inputs: &[i64],
    expected: &[i64],
) -> Result<BenchReport, NetlistError> {
    let rows = inputs.len() / circuit.inputs().len();
    assert_eq!(rows * circuit.inputs().len(), inputs.len(), "whole rows");
    assert_eq!(
        rows * circuit.outputs().len(),
        expected.len(),
        "as many rows"
    );
    netlist.check_ports(circuit.input_bits(), circuit.output_bits())?;
    let cycles = circuit.cycles() as usize;
    let clocks = rows + cycles;
    let driven = histories(circuit.inputs(), inputs, rows, clocks);
    let outputs = netlist.run(&driven, clocks)?;
    let wanted = histories(circuit.outputs(), expected, rows, rows);
    let mut wrong = vec![0; rows.div_ceil(64)];
    for (found, wanted) in outputs.iter().zip(&wanted) {
        for row in 0..rows {
            let differs = bit(found, row + cycles) ^ bit(wanted, row);
            wrong[row / 64] |= differs << (row % 64);
        }
    }
    Ok(BenchReport {
        vectors: rows as u64,
        mismatches: wrong.iter().map(|word| u64::from(word.count_ones())).sum(),
        first: (0..rows)
            .find(|row| bit(&wrong, *row) == 1)
            .map(|row| row as u64),
    })
}

pub(super) fn bit(history: &[u64], at: usize) -> u64 {
    (history[at / 64] >> (at % 64)) & 1
}

/// Rows of codes as histories of a packed bus; the last row stays on it.
fn histories(ports: &[Port], codes: &[i64], rows: usize, clocks: usize) -> Vec<History> {
    let bits = ports
        .iter()
        .flat_map(|port| (0..port.width).map(|bit| bit.min(63)));
    let columns = ports
        .iter()
        .enumerate()
        .flat_map(|(column, port)| std::iter::repeat_n(column, port.width as usize));
    let of_bit = |(column, place): (usize, u32)| {
        let mut history = vec![0; clocks.div_ceil(64)];
        for clock in 0..clocks {
            let row = clock.min(rows.saturating_sub(1));
            let code = codes.get(row * ports.len() + column).copied().unwrap_or(0);
            history[clock / 64] |= ((code >> place) as u64 & 1) << (clock % 64);
        }
        history
    };
    columns.zip(bits).map(of_bit).collect()
}

impl Netlist {
    /// Histories of the outputs.
    pub(super) fn run(
        &self,
        inputs: &[History],
        clocks: usize,
    ) -> Result<Vec<History>, NetlistError> {
        let words = clocks.div_ceil(64);
        let mut histories: Vec<Option<History>> = vec![None; self.names.len()];
        histories[ZERO as usize] = Some(vec![0; words]);
        histories[ONE as usize] = Some(vec![u64::MAX; words]);
        for (&bit, history) in self.input("inputs").iter().zip(inputs) {
            histories[bit as usize] = Some(history.clone());
        }
        for index in self.order(Loops::None)? {
            let cell = &self.cells[index];
            let mut read = Vec::with_capacity(cell.inputs.len());
            for &bit in cell.data_inputs() {
                let bit = self.resolved(bit)?;
                let history = histories[bit as usize].as_deref();
                read.push(history.ok_or_else(|| NetlistError::Undriven(self.name(bit)))?);
            }
            let written = cell.run(&read, clocks, index);
            for (&bit, history) in cell.outputs.iter().zip(written) {
                histories[bit as usize] = Some(history);
            }
        }
        let outputs = self.output("outputs").iter().map(|&bit| {
            let bit = self.resolved(bit)?;
            let history = histories[bit as usize].clone();
            history.ok_or_else(|| NetlistError::Undriven(self.name(bit)))
        });
        outputs.collect()
    }
}

impl Cell {
    /// Inputs without the clock.
    pub(super) fn data_inputs(&self) -> &[Bit] {
        match self.kind {
            Kind::FlipFlop { .. } => &self.inputs[1..],
            _ => &self.inputs,
        }
    }

    /// The histories of the outputs from those of [`Cell::data_inputs`].
    fn run(&self, inputs: &[&[u64]], clocks: usize, index: usize) -> Vec<History> {
        let words = clocks.div_ceil(64);
        match self.kind {
            Kind::Lut { table } => {
                vec![(0..words).map(|at| lut(table, inputs, at)).collect()]
            }
            Kind::Inverter => vec![inputs[0].iter().map(|word| !word).collect()],
            Kind::Multiplexer => {
                let word = |at: usize| select(inputs[2][at], inputs[1][at], inputs[0][at]);
                vec![(0..words).map(word).collect()]
            }
            Kind::Carry { bits } => {
                // The second carry-in of eight bits only serves cells split in two.
                let second = |at| if bits == 4 { inputs[1][at] } else { 0 };
                let mut carry: History = (0..words).map(|at| inputs[0][at] | second(at)).collect();
                let (mut sums, mut carries) = (Vec::with_capacity(2 * bits), Vec::new());
                for bit in 0..bits {
                    let (propagate, data) = (inputs[2 + bit], inputs[2 + bits + bit]);
                    let sum = propagate.iter().zip(&carry).map(|(p, c)| p ^ c);
                    sums.push(sum.collect());
                    let next = propagate.iter().zip(&carry).zip(data);
                    carry = next.map(|((p, c), d)| select(*p, *c, *d)).collect();
                    carries.push(carry.clone());
                }
                sums.extend(carries);
                sums
            }
            Kind::Multiplier => dsp::products(inputs, clocks),
            Kind::FlipFlop { set, initial } => {
                let mut history = vec![0; words];
                // Arbitrary where it is not said: a multiplicative hash of the cell's number.
                let arbitrary = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1;
                let mut state = u64::from(initial.unwrap_or(arbitrary));
                for clock in 0..clocks {
                    history[clock / 64] |= state << (clock % 64);
                    let [enable, data, force] = [0, 1, 2].map(|pin| bit(inputs[pin], clock));
                    state = match force {
                        1 => u64::from(set),
                        _ => select(enable, data, state) & 1,
                    };
                }
                vec![history]
            }
        }
    }
}

fn select(by: u64, one: u64, zero: u64) -> u64 {
    (by & one) | (!by & zero)
}

/// A table over words: halved by the highest input, then by the next.
fn lut(table: u64, inputs: &[&[u64]], at: usize) -> u64 {
    let Some((highest, rest)) = inputs.split_last() else {
        return if table & 1 == 1 { u64::MAX } else { 0 };
    };
    let half = 1 << rest.len();
    let low_rows = (1_u64 << half) - 1;
    let (low, high) = (table & low_rows, (table >> half) & low_rows);
    let zero = lut(low, rest, at);
    if low == high {
        return zero;
    }
    select(highest[at], lut(high, rest, at), zero)
}
