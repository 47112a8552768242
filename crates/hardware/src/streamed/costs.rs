//! What a streamed circuit takes: flip-flops counted, LUTs as parts times factors.
//!
//! `LUT = estimates of the positions' circuits + MASK * masked bits + COUNTER * counter bits`
//! `+ TABLE * table cells + WORD * word cells + PRODUCT * product cells + SUM * sum bits`
//!
//! Tables and words are counted as they are; the other factors are a least-squares fit of relative errors on 24 runs of Yosys.
//! `docs/estimates.md` has the errors on others.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::shared::{Shared, signed_bits};
use super::verilog::{bus_bits, counter_bits, inside};
use super::window::Window;
use super::{Front, Stage, StreamedCircuit};
use crate::Inventory;

/// LUTs that a masked bit takes.
const MASK: f64 = 0.34;
/// LUTs that a bit of a counter takes, its comparisons included.
const COUNTER: f64 = 0.93;
/// LUTs that a cell of a weight table takes.
const TABLE: f64 = 1.0;
/// LUTs that a cell of a choice among the words of a beat takes.
const WORD: f64 = 1.0;
/// LUTs that a cell of a product takes.
const PRODUCT: f64 = 1.04;
/// LUTs that a bit of a tree of lanes or an accumulator takes.
const SUM: f64 = 0.75;

/// The parts of a streamed circuit, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInventory {
    /// Flip-flops: those of the positions' circuits, entries of line buffers up to the last one that is read, weights by
    /// different bit over the cycles, words, products, sums, counters, valid bits.
    pub flip_flops: u64,
    /// LUT estimates of the positions' circuits.
    pub core_luts: u64,
    /// Bits of elements that may lie beyond a border.
    pub masked_bits: u64,
    /// Bits of all counters.
    pub counter_bits: u64,
    /// Different tables of at most 64 cycles that weight bits are made of.
    pub table_cells: u64,
    /// Four-to-one choices of bits among the parts of a beat.
    pub word_cells: u64,
    /// Cells of products: two for each full adder of rows beyond two, one for each bit of the last sum.
    pub product_cells: u64,
    /// Bits of trees of lanes and accumulators.
    pub sum_bits: u64,
}

impl StreamInventory {
    /// The LUT estimate.
    pub fn lut_estimate(&self) -> u64 {
        let lut = self.core_luts as f64
            + MASK * self.masked_bits as f64
            + COUNTER * self.counter_bits as f64
            + TABLE * self.table_cells as f64
            + WORD * self.word_cells as f64
            + PRODUCT * self.product_cells as f64
            + SUM * self.sum_bits as f64;
        lut.round() as u64
    }

    fn count(&mut self, stage: &Stage) {
        let core = &stage.core;
        self.core_luts += Inventory::of(core).lut_estimate();
        // A valid bit runs beside the circuit.
        self.flip_flops += core.flip_flops() + u64::from(core.cycles());
        match &stage.front {
            Front::Pointwise => {}
            Front::Window(window) => self.count_window(window, &core.live_inputs()),
            Front::Shared(shared) => self.count_shared(shared),
        }
    }

    fn count_window(&mut self, window: &Window, live: &[u64]) {
        let channels = window.ports.len();
        let (rows, columns) = (&window.geometry.rows, &window.geometry.columns);
        // An entry's bit is kept for as long as an element that reads it lies behind.
        for (channel, port) in window.ports.iter().enumerate() {
            for bit in 0..port.width {
                let read = |tap: &usize| live[tap * channels + channel] >> bit.min(63) & 1 == 1;
                let taps = (0..window.geometry.taps()).filter(read);
                let entries = taps.map(|tap| window.delay(tap) as u64 + 1);
                self.flip_flops += entries.max().unwrap_or(0);
            }
        }
        let widths = [rows.output, columns.output].map(|outputs| counter_bits(outputs as u64));
        let is_masked = |axis: usize, tap: usize| {
            let (axis, width) = ([rows, columns][axis], widths[axis]);
            inside("at", axis, tap, width).is_some()
        };
        for tap in 0..window.geometry.taps() {
            if is_masked(0, tap / columns.size) || is_masked(1, tap % columns.size) {
                let words = &live[tap * channels..][..channels];
                self.masked_bits += words
                    .iter()
                    .map(|word| u64::from(word.count_ones()))
                    .sum::<u64>();
            }
        }
        let masks =
            |axis: usize, taps: usize| (0..taps).filter(|tap| is_masked(axis, *tap)).count();
        let flags = masks(0, rows.size) + masks(1, columns.size);
        let pushes = (window.positions() + window.flush() + 1) as u64;
        let counters = u64::from(2 * counter_bits(pushes) + widths[0] + widths[1]);
        self.counter_bits += counters + flags as u64;
        self.flip_flops += counters + flags as u64 + 1;
    }

    fn count_shared(&mut self, shared: &Shared) {
        let cycles = shared.cycles();
        let counter = u64::from(counter_bits(cycles as u64));
        self.counter_bits += counter;
        self.flip_flops += counter;
        if shared.parts > 1 {
            self.flip_flops += u64::from(bus_bits(&shared.ports)) + 1;
        }
        let word_bits = |lane: usize| {
            let range = shared.word(lane);
            // The sign of what is never negative is a constant.
            u64::from(signed_bits(range) - u32::from(range.lo >= 0))
        };
        for lane in 0..shared.lanes {
            self.flip_flops += word_bits(lane);
            if shared.parts > 1 {
                self.word_cells += word_bits(lane) * shared.parts.div_ceil(4) as u64;
            }
        }
        let (mut bits, mut cells) = (HashSet::new(), HashSet::new());
        for j in 0..shared.outputs {
            for lane in 0..shared.lanes {
                let width = shared.weight_bits(lane, j);
                self.product_cells += product_cells(width.into(), word_bits(lane));
                for bit in 0..width {
                    let ones = |cycle: usize| (shared.weight(cycle, lane, j) >> bit & 1) as u64;
                    let table: Vec<u64> = (0..cycles.div_ceil(64))
                        .map(|part| {
                            let rows = part * 64..cycles.min(part * 64 + 64);
                            rows.fold(0, |word, cycle| word | ones(cycle) << (cycle % 64))
                        })
                        .collect();
                    let all: u64 = (0..cycles).map(ones).sum();
                    if all > 0 && all < cycles as u64 {
                        cells.extend(
                            table
                                .iter()
                                .copied()
                                .filter(|word| ![0, u64::MAX].contains(word)),
                        );
                        bits.insert(table);
                    }
                }
            }
        }
        self.flip_flops += bits.len() as u64;
        self.table_cells += cells.len() as u64;
        for (j, partial) in shared.partial.iter().enumerate() {
            let tree = shared.tree(j);
            let of_level = |level: &Vec<bitfront_network::Interval>| {
                let nodes = level.iter().filter(|range| (range.lo, range.hi) != (0, 0));
                nodes
                    .map(|range| u64::from(signed_bits(*range)))
                    .sum::<u64>()
            };
            let widths: Vec<u64> = tree.iter().map(of_level).collect();
            let accumulator = u64::from(signed_bits(*partial));
            self.flip_flops += widths.iter().sum::<u64>() + accumulator;
            self.sum_bits += widths[1..].iter().sum::<u64>() + accumulator;
        }
        // Valid, first and last beside the multipliers, and the start of what finishes.
        self.flip_flops += 3 * (shared.levels() as u64 + 2) + 1;
    }
}

/// LUTs of a product of two variables: rows of one factor's bits beyond two go through full adders of two LUTs each, their signs
/// repeated; a chain adds what is left.
fn product_cells(a: u64, b: u64) -> u64 {
    let (short, long) = (a.min(b), a.max(b));
    match short {
        0 => 0,
        1 => long,
        _ => 2 * (short - 2) * (long + 2) + short + long,
    }
}

impl StreamedCircuit {
    /// The parts of the circuit, counted.
    pub fn inventory(&self) -> StreamInventory {
        let mut inventory = StreamInventory::default();
        for stage in &self.stages {
            inventory.count(stage);
        }
        if self.gap > 0 {
            let counters = counter_bits(self.beats as u64) + counter_bits(self.gap + 1);
            inventory.counter_bits += u64::from(counters);
            inventory.flip_flops += u64::from(counters);
        }
        inventory
    }
}
