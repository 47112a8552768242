//! Runs vectors through a netlist, one a clock, and compares every output bit.

use super::cycles::mixed;
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
/// Of a circuit with flags of valid rows a reset comes first, the second half of the rows comes with pauses in which the bus
/// carries other rows, and `out_valid` must say of each clock whether a row is out.
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
    let flags = circuit.has_valid();
    let beats = if flags {
        netlist.check_flags()?;
        with_pauses(rows)
    } else {
        (0..rows)
            .map(|row| Beat {
                row,
                is_valid: true,
            })
            .collect()
    };
    let clocks = beats.len() + cycles;
    let on_bus = |clock: usize| beats[clock.min(beats.len().saturating_sub(1))].row;
    let mut driven = vec![(
        "inputs",
        histories(circuit.inputs(), inputs, clocks, on_bus),
    )];
    let mut read = vec!["outputs"];
    if flags {
        let valid = |clock: usize| beats.get(clock).is_some_and(|beat| beat.is_valid);
        // The reset takes back the row that enters with it.
        driven.push((
            "in_valid",
            vec![history(clocks, |clock| clock == 0 || valid(clock))],
        ));
        driven.push(("rst", vec![history(clocks, |clock| clock == 0)]));
        read.push("out_valid");
    }
    let found = netlist.run(&driven, &read, clocks)?;
    let wanted = histories(circuit.outputs(), expected, rows, |row| row);
    let mut wrong = vec![false; rows];
    let mut last_row = 0;
    for clock in 1..clocks {
        // What entered so many clocks before; none did before the reset.
        let beat = clock
            .checked_sub(cycles)
            .and_then(|entered| beats.get(entered));
        let row = beat.filter(|beat| beat.is_valid).map(|beat| beat.row);
        last_row = row.unwrap_or(last_row);
        let Some(at) = wrong.get_mut(last_row) else {
            continue;
        };
        if let Some(out_valid) = found.get(1) {
            *at |= (bit(&out_valid[0], clock) == 1) != row.is_some();
        }
        if let Some(row) = row {
            let mut bits = found[0].iter().zip(&wanted);
            *at |= bits.any(|(found, wanted)| bit(found, clock) != bit(wanted, row));
        }
    }
    let differs = |row: &usize| wrong[*row];
    Ok(BenchReport {
        vectors: rows as u64,
        mismatches: (0..rows).filter(differs).count() as u64,
        first: (0..rows).find(differs).map(|row| row as u64),
    })
}

/// What a clock puts on the input bus.
struct Beat {
    row: usize,
    is_valid: bool,
}

/// A reset, the first half of the rows one a clock, the others with pauses at random, and one at the end.
fn with_pauses(rows: usize) -> Vec<Beat> {
    let other = |clock: usize| Beat {
        row: mixed(clock as u64) as usize % rows.max(1),
        is_valid: false,
    };
    let mut beats = vec![other(0)];
    for row in 0..rows {
        while row > rows / 2 && mixed(beats.len() as u64).is_multiple_of(3) {
            beats.push(other(beats.len()));
        }
        beats.push(Beat {
            row,
            is_valid: true,
        });
    }
    beats.push(other(beats.len()));
    beats
}

pub(super) fn bit(history: &[u64], at: usize) -> u64 {
    (history[at / 64] >> (at % 64)) & 1
}

/// A bit by the clock.
fn history(clocks: usize, value: impl Fn(usize) -> bool) -> History {
    let mut history = vec![0; clocks.div_ceil(64)];
    for clock in 0..clocks {
        history[clock / 64] |= u64::from(value(clock)) << (clock % 64);
    }
    history
}

/// Rows of codes as histories of a packed bus: of each clock the row that is on it.
fn histories(
    ports: &[Port],
    codes: &[i64],
    clocks: usize,
    row: impl Fn(usize) -> usize,
) -> Vec<History> {
    let bits = ports
        .iter()
        .flat_map(|port| (0..port.width).map(|bit| bit.min(63)));
    let columns = ports
        .iter()
        .enumerate()
        .flat_map(|(column, port)| std::iter::repeat_n(column, port.width as usize));
    let of_bit = |(column, place): (usize, u32)| {
        history(clocks, |clock| {
            let code = codes.get(row(clock) * ports.len() + column);
            (code.copied().unwrap_or(0) >> place) & 1 == 1
        })
    };
    columns.zip(bits).map(of_bit).collect()
}

impl Netlist {
    /// Histories of the bits of the output ports `read`, from those of the input ports.
    pub(super) fn run(
        &self,
        driven: &[(&str, Vec<History>)],
        read: &[&str],
        clocks: usize,
    ) -> Result<Vec<Vec<History>>, NetlistError> {
        let words = clocks.div_ceil(64);
        let mut histories: Vec<Option<History>> = vec![None; self.names.len()];
        histories[ZERO as usize] = Some(vec![0; words]);
        histories[ONE as usize] = Some(vec![u64::MAX; words]);
        for (port, inputs) in driven {
            for (&bit, history) in self.input(port).iter().zip(inputs) {
                histories[bit as usize] = Some(history.clone());
            }
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
        let of_bit = |bit: &Bit| {
            let bit = self.resolved(*bit)?;
            let history = histories[bit as usize].clone();
            history.ok_or_else(|| NetlistError::Undriven(self.name(bit)))
        };
        let of_port = |port: &&str| self.output(port).iter().map(of_bit).collect();
        read.iter().map(of_port).collect()
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
