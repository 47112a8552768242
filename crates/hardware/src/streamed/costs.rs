//! What a streamed circuit takes: flip-flops counted, LUTs as parts times factors.
//!
//! `LUT = estimates of the positions' circuits + MASK * masked bits + COUNTER * counter bits`
//! `+ table cells + word cells + product LUTs + sum bits`
//!
//! Two factors are a least-squares fit of relative errors on 24 runs of Yosys; the other parts are counted as they are.
//! `docs/estimates.md` has the errors on others.

use std::collections::{HashMap, HashSet};

use bitfront_network::Interval;
use serde::{Deserialize, Serialize};

use super::product_luts::{WeightBit, product_luts};
use super::products::Made;
use super::shared::{Shared, signed_bits};
use super::verilog::{bus_bits, counter_bits, inside};
use super::window::Window;
use super::{Front, Stage, StreamedCircuit};
use crate::Inventory;

/// LUTs that a masked bit takes.
const MASK: f64 = 0.34;
/// LUTs that a bit of a counter takes, its comparisons included.
const COUNTER: f64 = 0.93;

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
    /// LUTs of different products that stand in no DSP block.
    pub product_luts: u64,
    /// Bits that trees of lanes add, and two for each bit of an accumulator.
    pub sum_bits: u64,
    /// DSP blocks, of the positions' circuits and of shared products.
    pub dsp_blocks: u64,
}

impl StreamInventory {
    /// The LUT estimate.
    pub fn lut_estimate(&self) -> u64 {
        let lut = self.core_luts as f64
            + MASK * self.masked_bits as f64
            + COUNTER * self.counter_bits as f64
            + (self.table_cells + self.word_cells + self.product_luts + self.sum_bits) as f64;
        lut.round() as u64
    }

    fn count(&mut self, stage: &Stage) {
        let core = &stage.core;
        let inventory = Inventory::of(core);
        self.core_luts += inventory.lut_estimate();
        self.dsp_blocks += inventory.dsp_blocks;
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
        for lane in 0..shared.lanes {
            let bits = u64::from(word_bits(shared.word(lane)));
            self.flip_flops += bits;
            if shared.parts > 1 {
                self.word_cells += bits * shared.parts.div_ceil(4) as u64;
            }
        }
        self.dsp_blocks += shared.blocks();
        let products = self.count_products(shared);
        let mut made = HashMap::new();
        for (j, partial) in shared.partial.iter().enumerate() {
            let mut level: Vec<Option<Word>> =
                products.iter().map(|of_lane| of_lane[j].clone()).collect();
            for sums in &shared.tree(j)[1..] {
                let pairs = level.chunks(2).zip(sums);
                level = pairs
                    .map(|(pair, range)| self.count_sum(pair, *range, &mut made))
                    .collect();
            }
            let zeros = level
                .first()
                .and_then(Option::as_ref)
                .map_or(0, |sum| sum.zeros);
            let accumulator = u64::from(signed_bits(*partial) - zeros);
            self.flip_flops += accumulator;
            // What is masked at a row's first word goes into the carry chain by itself and into the sum with the other operand.
            self.sum_bits += 2 * accumulator;
        }
        // Valid, first and last beside the multipliers, and the start of what finishes.
        self.flip_flops += 3 * (shared.levels() as u64 + 2) + 1;
    }

    /// A node of a tree of lanes; equal sums of equal words are one.
    fn count_sum(
        &mut self,
        pair: &[Option<Word>],
        range: Interval,
        made: &mut HashMap<[Option<(usize, u32)>; 2], usize>,
    ) -> Option<Word> {
        let (left, right) = match pair {
            [Some(left), Some(right)] => (left, Some(right)),
            [Some(one)] | [Some(one), None] | [None, Some(one)] => (one, None),
            _ => return None,
        };
        let bits = signed_bits(range);
        let zeros = right.map_or(left.zeros, |right| right.zeros.min(left.zeros));
        let next = made.len();
        let place = |word: &Word| (word.number, word.zeros - zeros);
        let number = *made
            .entry([Some(place(left)), right.map(place)])
            .or_insert(next);
        if number == next {
            self.flip_flops += u64::from(bits - zeros);
            if let Some(right) = right {
                // Equal signs of both are one pair, and a constant is in none.
                let pairs = left.bits.max(right.bits).min(bits);
                self.sum_bits += u64::from(pairs.saturating_sub(left.zeros.max(right.zeros)));
            }
        }
        Some(Word {
            number,
            bits,
            zeros,
        })
    }

    /// Weights by different bit over the cycles, and products by different weight and lane: these, by lane and output.
    fn count_products(&mut self, shared: &Shared) -> Vec<Vec<Option<Word>>> {
        let (mut registers, mut cells) = (HashMap::new(), HashSet::new());
        let mut products = HashMap::new();
        let mut of_lane = |lane: usize| {
            let word = shared.word(lane);
            let of_output = |j: usize| {
                let weight = weight_bits(shared, lane, j, &mut registers, &mut cells);
                let zeros = weight.iter().position(|bit| *bit != WeightBit::Zero)? as u32;
                let range = shared.product(lane, j);
                if (range.lo, range.hi) == (0, 0) {
                    return None;
                }
                let bits = signed_bits(range);
                let next = products.len();
                let held = weight[zeros as usize..].to_vec();
                let number = *products.entry((lane, held)).or_insert(next);
                if number == next {
                    self.flip_flops += u64::from(bits - zeros);
                    if shared.made(lane, j) != Made::Block {
                        self.product_luts +=
                            product_luts(&weight, word_bits(word), word.lo < 0, bits);
                    }
                }
                Some(Word {
                    number,
                    bits,
                    zeros,
                })
            };
            (0..shared.outputs).map(of_output).collect()
        };
        let words = (0..shared.lanes).map(&mut of_lane).collect();
        self.flip_flops += registers.len() as u64;
        self.table_cells += cells.len() as u64;
        words
    }
}

/// A product or a sum of products: which of the different ones on its level, its bits, and the zeros below.
#[derive(Clone, Debug)]
struct Word {
    number: usize,
    bits: u32,
    zeros: u32,
}

/// The bits of a lane's weight for an output; `registers` numbers their contents over the cycles, `cells` takes those of
/// each 64 of them.
pub(super) fn weight_bits(
    shared: &Shared,
    lane: usize,
    output: usize,
    registers: &mut HashMap<Vec<u64>, usize>,
    cells: &mut HashSet<u64>,
) -> Vec<WeightBit> {
    let cycles = shared.cycles();
    let mut of_bit = |bit: u32| {
        let ones = |cycle: usize| (shared.weight(cycle, lane, output) >> bit & 1) as u64;
        let all: u64 = (0..cycles).map(ones).sum();
        if all == 0 {
            return WeightBit::Zero;
        }
        if all == cycles as u64 {
            return WeightBit::One;
        }
        let table: Vec<u64> = (0..cycles.div_ceil(64))
            .map(|part| {
                let rows = part * 64..cycles.min(part * 64 + 64);
                rows.fold(0, |word, cycle| word | ones(cycle) << (cycle % 64))
            })
            .collect();
        let varies = |word: &u64| ![0, u64::MAX].contains(word);
        cells.extend(table.iter().copied().filter(varies));
        let next = registers.len();
        WeightBit::Register(*registers.entry(table).or_insert(next))
    };
    let bits = shared.weight_bits(lane, output);
    (0..bits).map(&mut of_bit).collect()
}

/// Bits of a word's register: the sign of what is never negative is a constant.
pub(super) fn word_bits(range: Interval) -> u32 {
    signed_bits(range) - u32::from(range.lo >= 0)
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
