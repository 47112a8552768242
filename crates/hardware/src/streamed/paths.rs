//! Carry cells, logic levels and the slowest path of a streamed circuit: those of its positions' circuits, and of what stands around
//! them between registers.
//!
//! Around them are counters with their comparisons, tables of weights, choices of words, products, sums of two lanes and accumulators,
//! each a few LUTs and at most one carry chain. The same delays as within the positions' circuits make a time of it. Nothing is
//! fitted; `docs/estimates.md` has the errors.

use super::products::Made;
use super::shared::{Shared, signed_bits};
use super::verilog::counter_bits;
use super::window::Window;
use super::{Front, Stage, StreamedCircuit};
use crate::circuit::DelayModel;

/// Bits of a carry cell.
const CELL_BITS: u32 = 4;
/// Inputs of a LUT.
const LUT_INPUTS: u32 = 6;

/// What was met so far.
#[derive(Clone, Copy, Debug)]
struct Paths {
    delays: DelayModel,
    carries: u64,
    levels: u32,
    slowest_ps: u32,
}

impl Paths {
    /// A path between registers through so many LUTs, and a carry chain of so many bits where there are any.
    fn path(&mut self, luts: u32, chain: u32) {
        self.levels = self.levels.max(luts + chain.div_ceil(CELL_BITS));
        let ps = self.delays.levels_ps(luts) + chain * self.delays.carry_ps;
        self.slowest_ps = self.slowest_ps.max(ps);
    }

    fn chain(&mut self, bits: u32) {
        self.carries += u64::from(bits.div_ceil(CELL_BITS));
    }

    /// A sum into a register: a LUT in front of each bit of a chain.
    fn sum(&mut self, bits: u32) {
        self.chain(bits);
        self.path(1, bits);
    }

    fn stage(&mut self, stage: &Stage) {
        let core = &stage.core;
        self.carries += core.carry_estimate();
        self.levels = self.levels.max(core.levels_estimate());
        let within = core
            .critical_path_ps()
            .saturating_sub(self.delays.register_ps);
        self.slowest_ps = self.slowest_ps.max(within);
        match &stage.front {
            Front::Pointwise => {}
            Front::Window(window) => self.window(window),
            Front::Shared(shared) => self.shared(shared),
        }
    }

    fn window(&mut self, window: &Window) {
        let (rows, columns) = (&window.geometry.rows, &window.geometry.columns);
        let pushes = counter_bits((window.positions() + window.flush() + 1) as u64);
        // Beats pushed, the next one due, and whether empty ones are pushed: a comparison, by which all others go.
        for _ in 0..3 {
            self.chain(pushes);
        }
        for outputs in [rows.output, columns.output] {
            self.chain(counter_bits(outputs as u64));
        }
        self.path(2 + equal_levels(pushes), pushes);
    }

    fn shared(&mut self, shared: &Shared) {
        let address = counter_bits(shared.cycles() as u64);
        self.sum(address);
        // The table of weights, or which word of the beat.
        self.path(1 + address.saturating_sub(LUT_INPUTS).div_ceil(2), 0);
        for output in 0..shared.outputs {
            let tree = shared.tree(output);
            for (lane, range) in tree[0].iter().enumerate() {
                if (range.lo, range.hi) != (0, 0) {
                    self.product(shared, lane, output, signed_bits(*range));
                }
            }
            for pair in tree.windows(2) {
                for (at, range) in pair[1].iter().enumerate() {
                    let is_sum = pair[0]
                        .get(2 * at..2 * at + 2)
                        .is_some_and(|terms| terms.iter().all(|term| (term.lo, term.hi) != (0, 0)));
                    if is_sum {
                        self.sum(signed_bits(*range));
                    }
                }
            }
            self.sum(signed_bits(shared.partial[output]));
        }
    }

    fn product(&mut self, shared: &Shared, lane: usize, output: usize, bits: u32) {
        if shared.made(lane, output) == Made::Block {
            self.levels = self.levels.max(1);
            self.slowest_ps = self.slowest_ps.max(self.delays.multiplier_ps());
            return;
        }
        // Rows of the weight's bits, three to two in each level of full adders, then a chain.
        let word = signed_bits(shared.word(lane));
        let weight = shared.weight_bits(lane, output) - shared.zeros(lane, output);
        let mut rows = weight.min(word);
        if rows < 2 {
            self.path(1, 0);
            return;
        }
        let mut levels = 1;
        while rows > 2 {
            rows = rows - rows / 3;
            levels += 1;
        }
        self.chain(bits);
        self.path(levels, bits);
    }
}

/// Levels of LUTs that compare two numbers of so many bits.
fn equal_levels(bits: u32) -> u32 {
    if 2 * bits <= LUT_INPUTS { 1 } else { 2 }
}

impl StreamedCircuit {
    fn paths(&self) -> Paths {
        let mut paths = Paths {
            delays: self.options.circuit.delays,
            carries: 0,
            levels: 0,
            slowest_ps: 0,
        };
        for stage in &self.stages {
            paths.stage(stage);
        }
        if self.gap > 0 {
            paths.chain(counter_bits(self.beats as u64));
            paths.chain(counter_bits(self.gap + 1));
        }
        paths
    }

    /// Carry cells of four bits.
    pub fn carry_estimate(&self) -> u64 {
        self.paths().carries
    }

    /// Cells on the longest path between registers, a carry cell counted like a LUT.
    pub fn levels_estimate(&self) -> u32 {
        self.paths().levels
    }

    /// The fastest clock that the modelled delays allow, in MHz.
    pub fn fmax_estimate_mhz(&self) -> f64 {
        let paths = self.paths();
        1e6 / f64::from((paths.slowest_ps + paths.delays.register_ps).max(1))
    }
}
