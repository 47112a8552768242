//! The shared stage: a dense layer whose products are spread over clock cycles.

use bitfront_network::{Interval, Linear, TensorFormat};

use super::with_zero;
use crate::circuit::{Multipliers, Port};

/// Sums of products, a part of them in each cycle.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// Words of the beats that are read.
    pub(super) ports: Vec<Port>,
    /// Beats of a row that are read.
    pub(super) beats: usize,
    /// Parts that each beat is cut into; above 1 only if there is one beat.
    pub(super) parts: usize,
    /// Words of a part.
    pub(super) lanes: usize,
    pub(super) outputs: usize,
    /// Codes by cycle, lane, output; zero where a part has fewer words.
    pub(super) weights: Vec<i64>,
    /// Range that holds every partial sum of each output.
    pub(super) partial: Vec<Interval>,
    /// What products were to be made of.
    pub(super) made_of: Multipliers,
}

impl Shared {
    /// The products of `linear` over beats of format `input`, `beats` of them, each cut into `reuse`
    /// parts; the ranges of the sums come with it.
    pub(super) fn new(
        linear: &Linear,
        input: &TensorFormat,
        beats: usize,
        reuse: usize,
        made_of: Multipliers,
    ) -> (Self, Vec<Interval>) {
        let channels = input.channels();
        let lanes = channels.div_ceil(reuse);
        // Fewer parts may do: 16 words in parts of 6 are 3.
        let parts = channels.div_ceil(lanes);
        let outputs = linear.outputs;
        let cycles = beats * parts;
        let mut weights = vec![0; cycles * lanes * outputs];
        let mut partial = vec![Interval::point(0); outputs];
        let mut sums = vec![Interval::point(0); outputs];
        for beat in 0..beats {
            for channel in 0..channels {
                let element = beat * channels + channel;
                let (part, lane) = (channel / lanes, channel % lanes);
                let range = input.range[channel];
                for j in 0..outputs {
                    let weight =
                        linear.kernel[element * outputs + j] << linear.input_shift[element];
                    let cycle = beat * parts + part;
                    weights[(cycle * lanes + lane) * outputs + j] = weight;
                    let product = scaled(range, weight);
                    sums[j] = sum(sums[j], product);
                    partial[j] = sum(partial[j], with_zero(product));
                }
            }
        }
        let ports = Port::pack(
            input
                .range
                .iter()
                .copied()
                .zip(input.fraction.iter().copied()),
        );
        let shared = Self {
            ports,
            beats,
            parts,
            lanes,
            outputs,
            weights,
            partial,
            made_of,
        };
        (shared, sums)
    }

    /// Cycles that a row takes.
    pub(super) fn cycles(&self) -> usize {
        self.beats * self.parts
    }

    /// Multipliers: one a lane and output.
    pub(super) fn multipliers(&self) -> usize {
        self.lanes * self.outputs
    }

    /// The weight that a lane is multiplied with for an output in a cycle of the row.
    pub(super) fn weight(&self, cycle: usize, lane: usize, output: usize) -> i64 {
        self.weights[(cycle * self.lanes + lane) * self.outputs + output]
    }

    /// Bits of the widest weight of a lane for an output, two's complement; 0 where all are zero.
    pub(super) fn weight_bits(&self, lane: usize, output: usize) -> u32 {
        match self.weight_range(lane, output) {
            Interval { lo: 0, hi: 0 } => 0,
            range => signed_bits(range),
        }
    }

    /// Range of the weights of a lane for an output.
    pub(super) fn weight_range(&self, lane: usize, output: usize) -> Interval {
        let all = (0..self.cycles()).map(|cycle| Interval::point(self.weight(cycle, lane, output)));
        all.reduce(Interval::hull).unwrap_or(Interval::point(0))
    }

    /// Low zeros that all weights of a lane for an output have: neither its register nor its products hold them. 0 where
    /// all are zero.
    pub(super) fn zeros(&self, lane: usize, output: usize) -> u32 {
        let weights = (0..self.cycles()).map(|cycle| self.weight(cycle, lane, output));
        match weights.fold(0, |all, weight| all | weight) {
            0 => 0,
            some => some.trailing_zeros(),
        }
    }

    /// Range of the words that a lane takes in its parts, and zero.
    pub(super) fn word(&self, lane: usize) -> Interval {
        let parts = (0..self.parts).filter_map(|part| self.ports.get(part * self.lanes + lane));
        parts
            .map(|port| port.range)
            .fold(Interval::point(0), Interval::hull)
    }

    /// Range of the products of a lane for an output, and zero.
    pub(super) fn product(&self, lane: usize, output: usize) -> Interval {
        let cycles = (0..self.cycles()).filter_map(|cycle| {
            let port = self.ports.get(cycle % self.parts * self.lanes + lane)?;
            Some(scaled(port.range, self.weight(cycle, lane, output)))
        });
        cycles.fold(Interval::point(0), Interval::hull)
    }

    /// Ranges of the tree of lanes of an output: of its products, then of each level of sums. All hold zero.
    pub(super) fn tree(&self, output: usize) -> Vec<Vec<Interval>> {
        let products = (0..self.lanes).map(|lane| self.product(lane, output));
        let mut tree: Vec<Vec<Interval>> = vec![products.collect()];
        while let Some(level) = tree.last().filter(|level| level.len() > 1) {
            let sums = level.chunks(2).map(|pair| {
                let zero = Interval::point(0);
                sum(pair[0], pair.get(1).copied().unwrap_or(zero))
            });
            let sums = sums.collect();
            tree.push(sums);
        }
        tree
    }

    /// Registers between a word that is taken and its product in the accumulator: word, product, one
    /// a level of the tree of lanes, accumulator.
    pub(super) fn latency(&self) -> usize {
        3 + self.levels()
    }

    /// Levels of the tree that adds the lanes.
    pub(super) fn levels(&self) -> usize {
        self.lanes.next_power_of_two().trailing_zeros() as usize
    }

    /// The sums of a row of codes, beat by beat.
    pub(super) fn sums(&self, row: &[i64]) -> Vec<i64> {
        let channels = self.ports.len();
        let mut sums = vec![0; self.outputs];
        for (beat, words) in row.chunks_exact(channels).enumerate() {
            for part in 0..self.parts {
                for lane in 0..self.lanes {
                    let word = words.get(part * self.lanes + lane).copied().unwrap_or(0);
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum += word * self.weight(beat * self.parts + part, lane, j);
                    }
                }
            }
        }
        sums
    }
}

fn sum(a: Interval, b: Interval) -> Interval {
    Interval {
        lo: a.lo + b.lo,
        hi: a.hi + b.hi,
    }
}

pub(super) fn scaled(range: Interval, weight: i64) -> Interval {
    let ends = [range.lo * weight, range.hi * weight];
    Interval {
        lo: ends[0].min(ends[1]),
        hi: ends[0].max(ends[1]),
    }
}

/// Bits in two's complement, with a sign whatever the range, at least 1.
pub(super) fn signed_bits(range: Interval) -> u32 {
    range.hull(Interval { lo: -1, hi: 0 }).width()
}
