//! Gradients by windows back to what the windows read: for each input position, the sum of what its readers give.
//!
//! The rule this module keeps: a position's sum starts at zero, or at what is there, and runs over its readers in
//! their order (windows, then taps), whatever the level and however many windows come at a time.

use std::ops::Range;

use crate::buffer::{LANES, stride};
use crate::depthwise::TapTable;
use crate::lanes::{Lanes, Part};
use crate::level::{Kernels, dispatch};

/// An input position of a sample and its readers among some windows.
#[derive(Clone, Copy, Debug)]
struct Sum {
    /// First value of the position, padded.
    to: u32,
    /// Where its places end; they start where those before end.
    end: u32,
}

/// The readers of every input position, some windows at a time.
#[derive(Clone, Debug)]
pub struct WindowSums {
    sums: Vec<Sum>,
    /// Where the values of each reader lie among those of its windows.
    places: Vec<u32>,
    /// Windows that come together, and where the sums and the places of each such part end.
    rows: usize,
    parts: Vec<(usize, usize)>,
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
        let (mut sums, mut places, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..outputs).step_by(rows) {
            let taps = start * table.taps..outputs.min(start + rows) * table.taps;
            // Stable: a position's readers stay in their order.
            let mut readers: Vec<(u32, u32)> = table.rows[taps]
                .iter()
                .enumerate()
                .map(|(at, source)| {
                    let place = at / table.taps * width + at % table.taps * channels;
                    (*source, place as u32)
                })
                .filter(|(source, _)| (*source as usize) < table.inputs)
                .collect();
            readers.sort_by_key(|(source, _)| *source);
            let mut readers = readers.into_iter().peekable();
            for source in 0..table.inputs as u32 {
                let before = places.len();
                while let Some((_, place)) = readers.next_if(|(of, _)| *of == source) {
                    places.push(place);
                }
                // Whoever reads all windows at once writes every position.
                if places.len() > before || outputs <= rows {
                    sums.push(Sum {
                        to: source * step as u32,
                        end: places.len() as u32,
                    });
                }
            }
            parts.push((sums.len(), places.len()));
        }
        Self {
            sums,
            places,
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
        // Vectors grow by doubling.
        2 * (sums * size_of::<Sum>() + outputs * taps * size_of::<u32>()) + 64 * (parts + 2)
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
            part < self.parts.len() && (add || self.is_whole()),
            "part {part} of {}, added: {add}",
            self.parts.len()
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
    let (first, mut place) = match job.part.checked_sub(1) {
        Some(before) => *table.parts.get_unchecked(before),
        None => (0, 0),
    };
    let blocks = stride(table.channels) / LANES;
    // Of the last block, lanes that are channels.
    let last = u16::MAX >> (blocks * LANES - table.channels);
    for sum in table
        .sums
        .get_unchecked(first..table.parts.get_unchecked(job.part).0)
    {
        let places = table.places.get_unchecked(place..sum.end as usize);
        place = sum.end as usize;
        for block in 0..blocks {
            let to = sum.to as usize + block * LANES;
            let mut acc = if job.add {
                P::load(dx.as_ptr().add(to))
            } else {
                P::splat(0.0)
            };
            for place in places {
                let from = windows.as_ptr().add(*place as usize + block * LANES);
                acc = acc.add(P::load(from));
            }
            let own = if block + 1 == blocks { last } else { u16::MAX };
            let kept = inside.map_or(own, |inside| own & *inside.get_unchecked(to / LANES));
            Lanes::store(acc.whole().keep_bits(kept), dx.as_mut_ptr().add(to));
        }
    }
}
