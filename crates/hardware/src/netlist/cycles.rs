//! A netlist clock by clock, in many streams at once: a bit of each stream in the words of a net.
//!
//! Every cell becomes choices between two wires by a third, as few as the reduced decision diagram of its table has; equal choices
//! are one. A clock is then a walk over one list, and what the registers hold is the only state.

use std::collections::HashMap;

use super::dsp;
use super::order::Loops;
use super::{Bit, Kind, Netlist, NetlistError, ONE, ZERO};

/// 64-bit words of a wire.
const WORDS: usize = 4;
/// Streams that run side by side.
pub(super) const STREAMS: usize = 64 * WORDS;

/// A bit of each stream.
pub(super) type Lanes = [u64; WORDS];

/// A wire by its number.
type Wire = u32;
const LOW: Wire = 0;
const HIGH: Wire = 1;

/// `to = by ? one : zero`.
#[derive(Clone, Copy)]
struct Choice {
    to: Wire,
    by: Wire,
    one: Wire,
    zero: Wire,
}

/// A part of a clock, in order.
enum Step {
    /// These of the choices.
    Choices(std::ops::Range<usize>),
    /// A product: wires of the factors' pins, and the first wire of the product.
    Product { factors: Vec<Wire>, to: Wire },
}

/// A register takes what stands on `next` at an edge.
struct Register {
    holds: Wire,
    next: Wire,
}

/// A netlist with the state of all streams.
pub(super) struct Machine {
    wires: Vec<Lanes>,
    choices: Vec<Choice>,
    steps: Vec<Step>,
    registers: Vec<Register>,
    /// What registers take, between reading all and writing all.
    taken: Vec<Lanes>,
}

/// Wires of a port, lowest bit first.
pub(super) type Bus = Vec<Wire>;

impl Machine {
    /// The machine, and the wires of the input ports and output ports that are named. Ports that are not there have no wires.
    ///
    /// Registers without an initial value start with an arbitrary one, another in each stream.
    ///
    /// # Errors
    /// [`NetlistError`] for undriven bits, other clocks, and loops without a register.
    pub(super) fn new(
        netlist: &Netlist,
        inputs: &[&str],
        outputs: &[&str],
    ) -> Result<(Self, Vec<Bus>, Vec<Bus>), NetlistError> {
        let order = netlist.order(Loops::ThroughRegisters)?;
        let mut wiring = Wiring {
            netlist,
            wire_of: vec![None; netlist.names.len()],
            known: HashMap::new(),
            machine: Self {
                wires: vec![[0; WORDS], [u64::MAX; WORDS]],
                choices: Vec::new(),
                steps: Vec::new(),
                registers: Vec::new(),
                taken: Vec::new(),
            },
        };
        wiring.wire_of[ZERO as usize] = Some(LOW);
        wiring.wire_of[ONE as usize] = Some(HIGH);
        let mut buses = Vec::with_capacity(inputs.len());
        for port in inputs {
            buses.push(wiring.start(netlist.input(port), |_| [0; WORDS]));
        }
        for (index, cell) in netlist.cells.iter().enumerate() {
            if let Kind::FlipFlop { initial, .. } = cell.kind {
                let value = |word: usize| match initial {
                    Some(value) => {
                        if value {
                            u64::MAX
                        } else {
                            0
                        }
                    }
                    None => mixed((index * WORDS + word) as u64),
                };
                wiring.start(&cell.outputs, |_| std::array::from_fn(value));
            }
        }
        for index in order {
            wiring.cell(index)?;
        }
        let outputs = outputs.iter().map(|port| {
            let bits = netlist.output(port).iter();
            bits.map(|bit| wiring.wire(*bit)).collect()
        });
        let outputs: Vec<Bus> = outputs.collect::<Result<_, _>>()?;
        let mut machine = wiring.machine;
        machine.taken = vec![[0; WORDS]; machine.registers.len()];
        Ok((machine, buses, outputs))
    }

    /// Puts a bit of each stream on a wire of an input port.
    pub(super) fn drive(&mut self, wire: Wire, lanes: Lanes) {
        self.wires[wire as usize] = lanes;
    }

    /// What is on a wire.
    pub(super) fn read(&self, wire: Wire) -> Lanes {
        self.wires[wire as usize]
    }

    /// Lets what the inputs and registers say reach every wire.
    pub(super) fn settle(&mut self) {
        for step in &self.steps {
            match step {
                Step::Choices(range) => {
                    for choice in &self.choices[range.clone()] {
                        let [by, one, zero] = [choice.by, choice.one, choice.zero]
                            .map(|wire| self.wires[wire as usize]);
                        let chosen =
                            |word: usize| (by[word] & one[word]) | (!by[word] & zero[word]);
                        self.wires[choice.to as usize] = std::array::from_fn(chosen);
                    }
                }
                Step::Product { factors, to } => {
                    let pins: Vec<&[u64]> = factors
                        .iter()
                        .map(|wire| &self.wires[*wire as usize][..])
                        .collect();
                    for (at, product) in dsp::products(&pins, STREAMS).into_iter().enumerate() {
                        self.wires[*to as usize + at].copy_from_slice(&product);
                    }
                }
            }
        }
    }

    /// An edge of the clock: all registers at once take what is on their wires.
    pub(super) fn clock(&mut self) {
        for (taken, register) in self.taken.iter_mut().zip(&self.registers) {
            *taken = self.wires[register.next as usize];
        }
        for (taken, register) in self.taken.iter().zip(&self.registers) {
            self.wires[register.holds as usize] = *taken;
        }
    }
}

/// A netlist on its way to a machine.
struct Wiring<'a> {
    netlist: &'a Netlist,
    /// The wire of each bit that has one so far.
    wire_of: Vec<Option<Wire>>,
    /// The wire of each choice that is made: by, one, zero.
    known: HashMap<[Wire; 3], Wire>,
    machine: Machine,
}

impl Wiring<'_> {
    /// New wires for bits that have their values before a clock.
    fn start(&mut self, bits: &[Bit], value: impl Fn(usize) -> Lanes) -> Bus {
        let each = bits.iter().enumerate();
        let wires = each.map(|(at, bit)| {
            let wire = self.machine.wires.len() as Wire;
            self.machine.wires.push(value(at));
            self.wire_of[*bit as usize] = Some(wire);
            wire
        });
        wires.collect()
    }

    fn wire(&self, bit: Bit) -> Result<Wire, NetlistError> {
        let bit = self.netlist.resolved(bit)?;
        self.wire_of[bit as usize].ok_or_else(|| NetlistError::Undriven(self.netlist.name(bit)))
    }

    fn choice(&mut self, by: Wire, one: Wire, zero: Wire) -> Wire {
        match (by, one, zero) {
            (LOW, _, _) => return zero,
            (HIGH, _, _) => return one,
            (_, HIGH, LOW) => return by,
            _ if one == zero => return one,
            _ => {}
        }
        if let Some(wire) = self.known.get(&[by, one, zero]) {
            return *wire;
        }
        let machine = &mut self.machine;
        let to = machine.wires.len() as Wire;
        machine.wires.push([0; WORDS]);
        let at = machine.choices.len();
        machine.choices.push(Choice { to, by, one, zero });
        match machine.steps.last_mut() {
            Some(Step::Choices(range)) => range.end = at + 1,
            _ => machine.steps.push(Step::Choices(at..at + 1)),
        }
        self.known.insert([by, one, zero], to);
        to
    }

    /// A table of as many inputs as there are, the highest last.
    fn table(&mut self, table: u64, inputs: &[Wire]) -> Wire {
        let Some((highest, rest)) = inputs.split_last() else {
            return if table & 1 == 1 { HIGH } else { LOW };
        };
        let half = 1 << rest.len();
        let low_rows = (1_u64 << half) - 1;
        let (low, high) = (table & low_rows, (table >> half) & low_rows);
        let zero = self.table(low, rest);
        if low == high {
            return zero;
        }
        let one = self.table(high, rest);
        self.choice(*highest, one, zero)
    }

    fn cell(&mut self, index: usize) -> Result<(), NetlistError> {
        let cell = &self.netlist.cells[index];
        let inputs = cell.data_inputs().iter().map(|bit| self.wire(*bit));
        let inputs: Bus = inputs.collect::<Result<_, _>>()?;
        let outputs = match cell.kind {
            Kind::Lut { table } => vec![self.table(table, &inputs)],
            Kind::Inverter => vec![self.choice(inputs[0], LOW, HIGH)],
            Kind::Multiplexer => vec![self.choice(inputs[2], inputs[1], inputs[0])],
            Kind::Carry { bits } => {
                // The second carry-in of eight bits only serves cells split in two.
                let second = if bits == 4 { inputs[1] } else { LOW };
                let mut carry = self.choice(inputs[0], HIGH, second);
                let (mut sums, mut carries) = (Vec::with_capacity(2 * bits), Vec::new());
                for bit in 0..bits {
                    let (propagate, data) = (inputs[2 + bit], inputs[2 + bits + bit]);
                    let no_carry = self.choice(carry, LOW, HIGH);
                    sums.push(self.choice(propagate, no_carry, carry));
                    carry = self.choice(propagate, carry, data);
                    carries.push(carry);
                }
                sums.extend(carries);
                sums
            }
            Kind::Multiplier => {
                let product = self.start(&cell.outputs, |_| [0; WORDS]);
                let step = Step::Product {
                    factors: inputs,
                    to: product[0],
                };
                self.machine.steps.push(step);
                product
            }
            Kind::FlipFlop { set, .. } => {
                let holds = self.wire(cell.outputs[0])?;
                let [enable, data, force] = [inputs[0], inputs[1], inputs[2]];
                let free = self.choice(enable, data, holds);
                let next = self.choice(force, if set { HIGH } else { LOW }, free);
                self.machine.registers.push(Register { holds, next });
                vec![holds]
            }
        };
        for (bit, wire) in cell.outputs.iter().zip(outputs) {
            self.wire_of[*bit as usize] = Some(wire);
        }
        Ok(())
    }
}

/// An arbitrary word for each number (`SplitMix64`).
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
