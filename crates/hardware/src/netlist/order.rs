//! Names of bits, ports, and an order of the cells.

use super::{Bit, Kind, Netlist, NetlistError, UNDEFINED};

/// What may hold a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loops {
    /// Nothing: each cell stands after those that it reads.
    None,
    /// Registers: each cell stands after those that it reads, but for registers, which hold what an edge before gave them.
    ThroughRegisters,
}

impl Netlist {
    /// Bits of an input port, lowest first; none of a port that is not there.
    pub(super) fn input(&self, port: &str) -> &[Bit] {
        self.inputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// Bits of an output port, lowest first; none of a port that is not there.
    pub(super) fn output(&self, port: &str) -> &[Bit] {
        self.outputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// Refuses other bits of `inputs` and `outputs` than the circuit's.
    pub(super) fn check_ports(&self, inputs: u32, outputs: u32) -> Result<(), NetlistError> {
        check_port("inputs", self.input("inputs"), inputs)?;
        check_port("outputs", self.output("outputs"), outputs)
    }

    /// Refuses a netlist without the flags of valid rows.
    pub(super) fn check_flags(&self) -> Result<(), NetlistError> {
        check_port("in_valid", self.input("in_valid"), 1)?;
        check_port("rst", self.input("rst"), 1)?;
        check_port("out_valid", self.output("out_valid"), 1)
    }

    /// The bit that another name stands for.
    pub(super) fn resolved(&self, bit: Bit) -> Result<Bit, NetlistError> {
        let mut at = bit;
        for _ in 0..self.same_as.len() {
            let next = self.same_as[at as usize];
            if next == at {
                return Ok(at);
            }
            at = next;
        }
        Err(NetlistError::Loop(self.name(bit)))
    }

    pub(super) fn name(&self, bit: Bit) -> String {
        self.names[bit as usize].clone()
    }

    /// Cells in an order in which each stands after those that it reads.
    ///
    /// # Errors
    /// [`NetlistError`] for bits with two drivers, other clocks than `clk`, and loops that are not accepted.
    pub(super) fn order(&self, loops: Loops) -> Result<Vec<usize>, NetlistError> {
        let mut driver: Vec<Option<usize>> = vec![None; self.names.len()];
        let mut is_input = vec![false; self.names.len()];
        for &bit in self.inputs.values().flatten() {
            is_input[bit as usize] = true;
        }
        let clock = self.input("clk");
        for (index, cell) in self.cells.iter().enumerate() {
            for &bit in &cell.outputs {
                let other_name = self.same_as[bit as usize] != bit;
                let before = driver[bit as usize].replace(index);
                if before.is_some() || other_name || is_input[bit as usize] || bit <= UNDEFINED {
                    return Err(NetlistError::DrivenTwice(self.name(bit)));
                }
            }
            if let Kind::FlipFlop { .. } = cell.kind {
                let found = self.resolved(cell.inputs[0])?;
                if clock != [found] {
                    return Err(NetlistError::Clock(self.name(found)));
                }
            }
        }
        let holds = |index: usize| {
            loops == Loops::ThroughRegisters
                && matches!(self.cells[index].kind, Kind::FlipFlop { .. })
        };
        // The cells that each one waits for.
        let mut sources: Vec<Vec<usize>> = vec![Vec::new(); self.cells.len()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.cells.len()];
        for (index, cell) in self.cells.iter().enumerate() {
            for &bit in cell.data_inputs() {
                let source = driver[self.resolved(bit)? as usize];
                if let Some(source) = source.filter(|source| !holds(*source)) {
                    sources[index].push(source);
                    readers[source].push(index);
                }
            }
        }
        let mut waits: Vec<usize> = sources.iter().map(Vec::len).collect();
        let mut order: Vec<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
        let mut next = 0;
        while let Some(&index) = order.get(next) {
            next += 1;
            for &reader in &readers[index] {
                waits[reader] -= 1;
                if waits[reader] == 0 {
                    order.push(reader);
                }
            }
        }
        let Some(mut stuck) = waits.iter().position(|count| *count > 0) else {
            return Ok(order);
        };
        // It may only stand behind a loop; whoever goes back from source to source comes round in it.
        let mut seen = vec![false; waits.len()];
        while !std::mem::replace(&mut seen[stuck], true) {
            let source = sources[stuck].iter().find(|source| waits[**source] > 0);
            stuck = source.copied().unwrap_or(stuck);
        }
        let name = self.name(self.cells[stuck].outputs[0]);
        Err(match loops {
            Loops::None => NetlistError::Loop(name),
            Loops::ThroughRegisters => NetlistError::CombinationalLoop(name),
        })
    }
}

/// Refuses a port of other bits than are expected.
pub(super) fn check_port(
    port: &'static str,
    bits: &[Bit],
    expected: u32,
) -> Result<(), NetlistError> {
    let (found, expected) = (bits.len(), expected as usize);
    if found == expected {
        return Ok(());
    }
    Err(NetlistError::Port {
        port,
        found,
        expected,
    })
}
