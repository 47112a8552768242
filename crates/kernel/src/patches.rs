//! Patches of sliding windows: what each output position reads, copied side by side into a row.
//!
//! The rule this module keeps: a table is made once, of runs of neighbouring values that are copied whole, so
//! that a patch costs a few short copies whatever its taps and channels; a run never reads outside of the
//! values that were given.

use std::ops::Range;

use crate::buffer::stride;
use crate::depthwise::TapTable;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Most values of a run.
const LONGEST: usize = 16;

/// Values that stand side by side in the input and in the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// First one of the sample; [`TapTable::BORDER`]: there are none, the patch has the border's value.
    from: u32,
    /// First one of the patch.
    to: u32,
}

/// The runs of every patch of a sample.
#[derive(Clone, Debug)]
pub struct PatchTable {
    runs: Vec<Run>,
    /// Where the runs of each output position start, and where the last ones end.
    starts: Vec<u32>,
    /// Values of a padded patch.
    row: usize,
    /// Values between samples.
    sample: usize,
    /// Values that are copied for a run: 4, 8 or 16.
    width: usize,
    /// Where the last run of a sample starts.
    last: usize,
}

impl PatchTable {
    /// Of a table of taps over positions that lie `position` values apart, `channels` of which count, in samples
    /// that lie `sample` values apart. A tap outside of the table's inputs reads the border.
    ///
    /// # Panics
    /// When a sample has not room for its positions, or 2^32 values or more.
    #[must_use]
    pub fn new(table: TapTable<'_>, channels: usize, position: usize, sample: usize) -> Self {
        assert!(
            channels <= position
                && table.inputs * position <= sample
                && u32::try_from(sample).is_ok(),
            "{} positions of {channels} channels, {position} values apart, in samples of {sample}",
            table.inputs
        );
        let mut made = Self {
            runs: Vec::new(),
            starts: vec![0],
            row: stride(table.taps * channels),
            sample,
            width: LONGEST,
            last: 0,
        };
        let longest = made.fill(table, channels, position, LONGEST);
        made.width = longest.next_power_of_two().clamp(4, LONGEST);
        if longest < LONGEST {
            // The border's runs are no longer than the others, for them to be copied at once.
            (made.runs, made.starts) = (Vec::new(), vec![0]);
            made.fill(table, channels, position, made.width);
        }
        let inside = made.runs.iter().filter(|run| run.from != TapTable::BORDER);
        made.last = inside.map(|run| run.from as usize).max().unwrap_or(0);
        made
    }

    /// Makes the runs, of at most `most` values; the longest one outside of the border.
    fn fill(
        &mut self,
        table: TapTable<'_>,
        channels: usize,
        position: usize,
        most: usize,
    ) -> usize {
        let mut longest = 0;
        for taps in table.rows.chunks_exact(table.taps) {
            // The last run's first value in the sample and its length.
            let mut open: Option<(Option<usize>, usize)> = None;
            for (to, at) in (0..table.taps * channels).enumerate() {
                let source = taps[at / channels] as usize;
                let from = (source < table.inputs).then(|| source * position + at % channels);
                match &mut open {
                    Some((first, length))
                        if *length < most && first.map(|first| first + *length) == from =>
                    {
                        *length += 1;
                    }
                    _ => {
                        self.runs.push(Run {
                            from: from.map_or(TapTable::BORDER, |from| from as u32),
                            to: to as u32,
                        });
                        open = Some((from, 1));
                    }
                }
                if let Some((Some(_), length)) = open {
                    longest = longest.max(length);
                }
            }
            self.starts.push(self.runs.len() as u32);
        }
        longest
    }

    /// Output positions of a sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Bytes of a table of so many taps in all, at most.
    #[must_use]
    pub fn bytes(outputs: usize, taps: usize, channels: usize) -> usize {
        // Vectors grow by doubling.
        let runs = outputs * taps * channels.div_ceil(LONGEST);
        2 * (runs * size_of::<Run>() + (outputs + 1) * size_of::<u32>()) + 64
    }

    /// Writes the patches of output `rows` (counted over all samples), a padded row each; the border reads
    /// zeros. What stands in the padding afterwards is unspecified, and up to 16 values behind the last row
    /// are written over.
    ///
    /// # Panics
    /// When `x` or `out` is too short.
    pub fn copy(&self, kernels: Kernels, rows: Range<usize>, x: &[f32], out: &mut [f32]) {
        self.check(&rows, x.len(), out.len());
        let table = self;
        dispatch!(
            kernels.level(),
            copy_values(table: &PatchTable, rows: Range<usize>, x: &[f32], out: &mut [f32])
        );
    }

    fn check(&self, rows: &Range<usize>, values: usize, room: usize) {
        let samples = rows.end.div_ceil(self.outputs().max(1));
        assert!(
            samples * self.sample <= values && rows.len() * self.row + LONGEST <= room,
            "{values} values of {samples} samples and {room} for {} patches",
            rows.len()
        );
    }
}

/// The type of lanes only says which registers copies go through.
#[inline(always)]
unsafe fn copy_values<V: Lanes>(
    table: &PatchTable,
    rows: Range<usize>,
    x: &[f32],
    out: &mut [f32],
) {
    match table.width {
        4 => copy_of::<4>(table, rows, x, out),
        8 => copy_of::<8>(table, rows, x, out),
        _ => copy_of::<LONGEST>(table, rows, x, out),
    }
}

/// Runs lie within the sample and the row they were made for.
#[inline(always)]
unsafe fn copy_of<const W: usize>(
    table: &PatchTable,
    rows: Range<usize>,
    x: &[f32],
    out: &mut [f32],
) {
    let outputs = table.outputs();
    let (mut sample, mut position) = (rows.start / outputs, rows.start % outputs);
    let mut to = out.as_mut_ptr();
    for _ in rows {
        let first = sample * table.sample;
        // A whole copy of the last sample's last run may read behind the values.
        let whole = first + table.last + W <= x.len();
        let runs = *table.starts.get_unchecked(position) as usize
            ..*table.starts.get_unchecked(position + 1) as usize;
        for run in table.runs.get_unchecked(runs) {
            let from = first + run.from as usize;
            let values = if run.from == TapTable::BORDER {
                [0.0; W]
            } else if whole {
                x.as_ptr().add(from).cast::<[f32; W]>().read_unaligned()
            } else {
                std::array::from_fn(|at| x.get(from + at).copied().unwrap_or(0.0))
            };
            to.add(run.to as usize)
                .cast::<[f32; W]>()
                .write_unaligned(values);
        }
        to = to.add(table.row);
        position += 1;
        if position == outputs {
            (sample, position) = (sample + 1, 0);
        }
    }
}
