//! Gradients by windows back to what the windows read: for each input position, the sum of what its readers give.
//!
//! The rule this module keeps: a position's sum starts at zero, or at what is there, and runs over its readers in
//! their order (windows, then taps), whatever the level and however many windows come at a time.

use std::ops::Range;

use crate::buffer::{LANES, stride};
use crate::depthwise::TapTable;
use crate::lanes::{Lanes, Part};
use crate::level::{Kernels, dispatch};

/// Input positions with equally many readers among some windows, so that no sum ends unforeseen.
#[derive(Clone, Copy, Debug)]
struct Group {
    readers: usize,
    /// How many positions.
    sums: usize,
}

/// The readers of every input position, some windows at a time.
#[derive(Clone, Debug)]
pub struct WindowSums {
    /// First value of each position, padded.
    sums: Vec<u32>,
    /// Where the values of each reader lie among those of its windows.
    places: Vec<u32>,
    groups: Vec<Group>,
    /// Windows that come together, and where the groups, sums and places of each such part start.
    rows: usize,
    parts: Vec<[usize; 3]>,
    channels: usize,
    outputs: usize,
    /// Values of a sample, padded by position.
    inputs: usize,
    /// Values of a window, padded.
    width: usize,
}

impl WindowSums {
    /// Of a table over positions of `channels` channels, whose windows come `rows` at a time.
    ///
    /// # Panics
    /// When values of a sample or of so many windows are 2^32 or more, or `rows` is 0.
    #[must_use]
    pub fn new(table: TapTable<'_>, channels: usize, rows: usize) -> Self {
        let (step, width) = (stride(channels), stride(table.taps * channels));
        let (outputs, most) = (table.outputs(), u32::MAX as usize);
        assert!(
            rows > 0 && table.inputs * step < most && rows * width < most,
            "{rows} of {outputs} windows of {width} values over {} positions",
            table.inputs
        );
        let (mut sums, mut places) = (Vec::new(), Vec::new());
        let (mut groups, mut parts) = (Vec::<Group>::new(), Vec::new());
        for start in (0..outputs).step_by(rows) {
            parts.push([groups.len(), sums.len(), places.len()]);
            let taps = start * table.taps..outputs.min(start + rows) * table.taps;
            let mut readers: Vec<(u32, u32)> = table.rows[taps]
                .iter()
                .enumerate()
                .map(|(at, source)| {
                    let place = at / table.taps * width + at % table.taps * channels;
                    (*source, place as u32)
                })
                .filter(|(source, _)| (*source as usize) < table.inputs)
                .collect();
            // Stable: a position's readers stay in their order.
            readers.sort_by_key(|(source, _)| *source);
            let mut rest = &readers[..];
            let mut positions: Vec<(u32, &[(u32, u32)])> = (0..table.inputs as u32)
                .map(|source| {
                    let count = rest.iter().take_while(|(of, _)| *of == source).count();
                    let (own, others) = rest.split_at(count);
                    rest = others;
                    (source, own)
                })
                // Whoever reads all windows at once writes every position.
                .filter(|(_, own)| !own.is_empty() || outputs <= rows)
                .collect();
            positions.sort_by_key(|(_, own)| own.len());
            for own in positions.chunk_by(|(_, a), (_, b)| a.len() == b.len()) {
                groups.push(Group {
                    readers: own[0].1.len(),
                    sums: own.len(),
                });
                for (source, own) in own {
                    sums.push(source * step as u32);
                    places.extend(own.iter().map(|(_, place)| place));
                }
            }
        }
        parts.push([groups.len(), sums.len(), places.len()]);
        Self {
            sums,
            places,
            groups,
            rows,
            parts,
            channels,
            outputs,
            inputs: table.inputs * step,
            width,
        }
    }

    /// Bytes of the sums of so many taps in all over so many input positions, at most.
    #[must_use]
    pub fn bytes(inputs: usize, outputs: usize, taps: usize, rows: usize) -> usize {
        let parts = outputs.div_ceil(rows);
        let sums = (parts * inputs).min(inputs + outputs * taps);
        let groups = parts * (taps + 1).min(inputs) * size_of::<Group>();
        // Vectors grow by doubling.
        2 * ((sums + outputs * taps) * size_of::<u32>() + groups) + 64 * (parts + 4)
    }

    /// Windows that come together, of those of a sample.
    pub fn parts(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, outputs) = (self.rows, self.outputs);
        let starts = (0..outputs).step_by(rows);
        starts.map(move |start| start..outputs.min(start + rows))
    }

    /// Whether one part has all windows of a sample: then it need not add, and keeps by bits itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.outputs <= self.rows
    }

    /// Sums gradients by the windows of part `part` (a padded row each, and a vector of room behind the last of a
    /// whole part): with `add` onto `dx` (a sample, padded by position), without it, which needs all windows in the
    /// part, in its place. Zero where `inside` has no bit.
    ///
    /// # Panics
    /// When a slice is too short, or a part of several is not to add.
    pub fn give(
        &self,
        kernels: Kernels,
        part: usize,
        windows: &[f32],
        add: bool,
        inside: Option<&[u16]>,
        dx: &mut [f32],
    ) {
        let rows = self.rows.min(self.outputs);
        assert!(
            part + 1 < self.parts.len() && (add || self.is_whole()),
            "part {part} of {}, added: {add}",
            self.parts.len() - 1
        );
        assert!(
            windows.len() >= rows * self.width + LANES
                && dx.len() >= self.inputs
                && inside.is_none_or(|inside| inside.len() * LANES >= self.inputs),
            "{} values of {rows} windows and {} of {}",
            windows.len(),
            dx.len(),
            self.inputs
        );
        let job = Job {
            table: self,
            part,
            add,
        };
        dispatch!(
            kernels.level(),
            give(job: Job<'_>, windows: &[f32], inside: Option<&[u16]>, dx: &mut [f32])
        );
    }
}

/// What is summed.
#[derive(Clone, Copy)]
struct Job<'a> {
    table: &'a WindowSums,
    part: usize,
    add: bool,
}

#[inline(always)]
unsafe fn give<V: Lanes>(job: Job<'_>, windows: &[f32], inside: Option<&[u16]>, dx: &mut [f32]) {
    if job.table.channels <= LANES / 2 {
        give_of::<V::Half>(job, windows, inside, dx);
    } else {
        give_of::<V>(job, windows, inside, dx);
    }
}

#[inline(always)]
unsafe fn give_of<P: Part>(job: Job<'_>, windows: &[f32], inside: Option<&[u16]>, dx: &mut [f32]) {
    let table = job.table;
    let [first, mut sum, mut place] = *table.parts.get_unchecked(job.part);
    let [end, ..] = *table.parts.get_unchecked(job.part + 1);
    for group in table.groups.get_unchecked(first..end) {
        let own = Positions {
            sums: table.sums.get_unchecked(sum..sum + group.sums),
            places: table.places.as_ptr().add(place),
            readers: group.readers,
        };
        match group.readers {
            1 => group_of::<P, 1>(job, own, windows, inside, dx),
            2 => group_of::<P, 2>(job, own, windows, inside, dx),
            4 => group_of::<P, 4>(job, own, windows, inside, dx),
            6 => group_of::<P, 6>(job, own, windows, inside, dx),
            9 => group_of::<P, 9>(job, own, windows, inside, dx),
            _ => group_of::<P, 0>(job, own, windows, inside, dx),
        }
        sum += group.sums;
        place += group.sums * group.readers;
    }
}

/// The positions of a group.
#[derive(Clone, Copy)]
struct Positions<'a> {
    sums: &'a [u32],
    places: *const u32,
    readers: usize,
}

/// The sums of a group whose positions have `N` readers each, or with 0 as many as it says.
#[inline(always)]
unsafe fn group_of<P: Part, const N: usize>(
    job: Job<'_>,
    group: Positions<'_>,
    windows: &[f32],
    inside: Option<&[u16]>,
    dx: &mut [f32],
) {
    let readers = if N == 0 { group.readers } else { N };
    let channels = job.table.channels;
    let blocks = stride(channels) / LANES;
    // Of the last block, lanes that are channels.
    let last = u16::MAX >> (blocks * LANES - channels);
    let mut places = group.places;
    for sum in group.sums {
        for block in 0..blocks {
            let to = *sum as usize + block * LANES;
            let mut acc = if job.add {
                P::load(dx.as_ptr().add(to))
            } else {
                P::splat(0.0)
            };
            for reader in 0..readers {
                let from = *places.add(reader) as usize + block * LANES;
                acc = acc.add(P::load(windows.as_ptr().add(from)));
            }
            let own = if block + 1 == blocks { last } else { u16::MAX };
            let kept = inside.map_or(own, |inside| own & *inside.get_unchecked(to / LANES));
            Lanes::store(acc.whole().keep_bits(kept), dx.as_mut_ptr().add(to));
        }
        places = places.add(readers);
    }
}
