//! A sample with its border, so that every window of a convolution is read in the same way.
//!
//! The rule this module keeps: the border is written once and never again; a sample's own elements are all written
//! anew.

use std::ops::Range;

/// One axis of a window that slides over a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlideAxis {
    /// Elements of the input.
    pub input: usize,
    /// Elements of the output.
    pub output: usize,
    /// Taps.
    pub size: usize,
    /// Steps between outputs.
    pub stride: usize,
    /// Steps between taps.
    pub dilation: usize,
    /// Border elements before the first input.
    pub before: usize,
}

impl SlideAxis {
    /// Elements that windows reach over, the border's among them.
    const fn bordered(self) -> usize {
        let reached = self.output.saturating_sub(1) * self.stride + (self.size - 1) * self.dilation;
        let given = self.before + self.input;
        if reached + 1 > given {
            reached + 1
        } else {
            given
        }
    }
}

/// Where a sample lies in its border, and each window in that.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Input rows.
    lines: usize,
    /// Values of an input row.
    line: usize,
    /// Values between rows of the frame.
    step: usize,
    /// First input value.
    first: usize,
    /// Values in all.
    len: usize,
    /// Where each output's window starts.
    starts: Vec<u32>,
    /// Values between the taps of a window, down and across.
    taps: [usize; 2],
}

impl Frame {
    /// Around positions of `position` values; `None` for 2^32 values or more.
    pub(crate) fn new(rows: SlideAxis, columns: SlideAxis, position: usize) -> Option<Self> {
        let step = columns.bordered() * position;
        let len = rows.bordered() * step;
        u32::try_from(len).ok()?;
        let start = |row: usize, column: usize| {
            (row * rows.stride * step + column * columns.stride * position) as u32
        };
        let outputs = (0..rows.output).flat_map(|row| (0..columns.output).map(move |c| (row, c)));
        Some(Self {
            lines: rows.input,
            line: columns.input * position,
            step,
            first: rows.before * step + columns.before * position,
            len,
            starts: outputs.map(|(row, column)| start(row, column)).collect(),
            taps: [rows.dilation * step, columns.dilation * position],
        })
    }

    /// Bytes of a frame of values of `size` bytes, at most.
    pub(crate) fn bytes(
        rows: SlideAxis,
        columns: SlideAxis,
        position: usize,
        size: usize,
    ) -> usize {
        let values = rows.bordered() * columns.bordered() * position;
        values * size + 64 + rows.output * columns.output * size_of::<u32>()
    }

    /// Values of the frame.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Values of a sample without its border.
    pub(crate) fn inputs(&self) -> usize {
        self.lines * self.line
    }

    /// Where each output's window starts.
    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Values between the taps of a window, down and across.
    pub(crate) fn taps(&self) -> [usize; 2] {
        self.taps
    }

    /// Values of the frame that are an input row's.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (first, step, line) = (self.first, self.step, self.line);
        let starts = (0..self.lines).map(move |row| first + row * step);
        starts.map(move |start| start..start + line)
    }

    /// Puts a sample into a frame.
    ///
    /// # Panics
    /// When `x` or the frame is too short.
    pub(crate) fn take<T: Copy>(&self, x: &[T], frame: &mut [T]) {
        let to = frame[self.first..].chunks_mut(self.step);
        let lines = x[..self.inputs()].chunks_exact(self.line);
        for (to, x) in to.zip(lines) {
            copy_line(x, &mut to[..self.line]);
        }
    }
}

/// Copies values of a line in blocks of sixteen, the last of which overlaps the one before it: most lines are so short that
/// a call costs more than the copy.
#[inline]
fn copy_line<T: Copy>(x: &[T], to: &mut [T]) {
    const BLOCK: usize = 16;
    let (len, to) = (x.len(), &mut to[..x.len()]);
    if len < BLOCK {
        to.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
        return;
    }
    let mut at = 0;
    while at < len {
        let from = at.min(len - BLOCK);
        if let (Some(x), Some(to)) = (
            x[from..].first_chunk::<BLOCK>(),
            to[from..].first_chunk_mut::<BLOCK>(),
        ) {
            *to = *x;
        }
        at += BLOCK;
    }
}
