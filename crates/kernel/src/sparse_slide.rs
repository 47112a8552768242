//! The kernel gradient of a convolution whose own gradient is zero in many places, straight from samples with their
//! border.
//!
//! The rule this module keeps: chains are those of [`crate::sparse`] over patches, in the order of the windows, so
//! that leaving the patches unmade changes no bit. It takes channels in whole vectors or halves of these.

use crate::buffer::{Buffer, LANES, stride};
use crate::code_values::CodeValues;
use crate::frame::{Frame, SlideAxis};
use crate::lanes::{Lanes, Part};
use crate::level::{Kernels, dispatch};
use crate::matrix::Shape;
use crate::sparse::{SIDE, is_sparse, row_bits, turn};

/// Half a vector.
const HALF: usize = LANES / 2;

/// Most half vectors that lie side by side in a window: as many as there are registers for.
const LONGEST_RUN: usize = 12;

/// A window over samples whose positions are padded, with room for some of these and their borders.
#[derive(Clone, Debug)]
pub struct SparseSlide {
    frame: Frame,
    /// Samples with their borders, the padding of positions left out.
    samples: Buffer,
    /// Values between samples.
    step: usize,
    /// Where each window of each sample starts.
    starts: Vec<u32>,
    /// Samples that there is room for.
    room: usize,
    channels: usize,
    /// Runs of neighbouring values in a window, and their length.
    runs: usize,
    run: usize,
}

/// Samples that have about as many windows as a square of bits has rows.
fn room(rows: SlideAxis, columns: SlideAxis) -> usize {
    (SIDE / (rows.output * columns.output).max(1)).max(1)
}

impl SparseSlide {
    /// Of a window over rows and columns of `channels` channels; `None` where these are no whole half vectors, or a row
    /// of its taps is no run of neighbouring values or a longer one than there are registers for.
    #[must_use]
    pub fn new(rows: SlideAxis, columns: SlideAxis, channels: usize) -> Option<Self> {
        let run = columns.size * channels;
        let neighbours = columns.dilation == 1 || columns.size == 1;
        if !neighbours || !channels.is_multiple_of(HALF) || run > LONGEST_RUN * HALF {
            return None;
        }
        let frame = Frame::new(rows, columns, channels)?;
        let (step, room) = (stride(frame.len()), room(rows, columns));
        u32::try_from(room * step).ok()?;
        let sample = |sample: usize| {
            let starts = frame.starts().iter();
            starts.map(move |start| (sample * step) as u32 + start)
        };
        Some(Self {
            samples: Buffer::zeroed(room * step),
            step,
            starts: (0..room).flat_map(sample).collect(),
            room,
            channels,
            runs: rows.size,
            run,
            frame,
        })
    }

    /// Bytes that a window of these axes takes, at most.
    #[must_use]
    pub fn bytes(rows: SlideAxis, columns: SlideAxis, channels: usize) -> usize {
        let sample = Frame::bytes(rows, columns, channels, size_of::<f32>());
        // Vectors grow by doubling.
        let starts = 2 * (rows.output * columns.output + 4) * size_of::<u32>();
        sample + room(rows, columns) * (sample + 64 + starts)
    }

    /// Samples that there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room
    }

    /// Output positions of a sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.frame.starts().len()
    }

    /// Whether so few bits of this many windows are set that leaving out the others pays.
    #[must_use]
    pub fn pays(&self, kernels: Kernels, rows: usize, columns: usize, bits: &[u16]) -> bool {
        let shape = Shape {
            rows,
            inner: self.runs * self.run,
            columns,
        };
        is_sparse(kernels, shape, bits)
    }

    /// Puts a sample, padded by position, at place `at`.
    ///
    /// # Panics
    /// When `x` is shorter than a sample, or there is no such place.
    pub fn take(&mut self, kernels: Kernels, at: usize, x: &[f32]) {
        let padded = self.frame.inputs() / self.channels * stride(self.channels);
        assert!(
            at < self.room && x.len() >= padded,
            "{} values of a sample of {padded}, at {at} of {}",
            x.len(),
            self.room
        );
        let to = &mut self.samples[at * self.step..];
        if self.channels.is_multiple_of(LANES) {
            self.frame.take(x, to);
            return;
        }
        let (frame, channels) = (&self.frame, self.channels);
        dispatch!(
            kernels.level(),
            take(frame: &Frame, channels: usize, x: &[f32], to: &mut [f32])
        );
    }

    /// The same of codes of `values`, padded by position.
    ///
    /// # Panics
    /// As [`SparseSlide::take`].
    pub fn take_codes(&mut self, kernels: Kernels, at: usize, codes: &[u8], values: CodeValues) {
        let padded = self.frame.inputs() / self.channels * stride(self.channels);
        assert!(
            at < self.room && codes.len() >= padded,
            "{} codes of a sample of {padded}, at {at} of {}",
            codes.len(),
            self.room
        );
        let to = &mut self.samples[at * self.step..];
        let (frame, channels) = (&self.frame, self.channels);
        dispatch!(
            kernels.level(),
            take_codes(
                frame: &Frame, channels: usize, values: CodeValues, codes: &[u8], to: &mut [f32]
            )
        );
    }

    /// `dw += dy^T * windows` for the windows of the first `samples` samples (see
    /// [`Kernels::sparse_kernel_gradient`]), for a `dy` that is zero wherever `bits` has no bit.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn kernel_gradient(
        &self,
        kernels: Kernels,
        samples: usize,
        columns: usize,
        dy: &[f32],
        bits: &[u16],
        dw: &mut [f32],
    ) {
        let (rows, m) = (samples * self.outputs(), stride(self.runs * self.run));
        let values = rows * stride(columns);
        assert!(
            samples <= self.room
                && dy.len() >= values
                && bits.len() * LANES >= values
                && dw.len() >= columns * m,
            "{samples} samples with {} values, {} words of bits and {} weights",
            dy.len(),
            bits.len(),
            dw.len()
        );
        let slide = self;
        dispatch!(
            kernels.level(),
            turned(
                slide: &SparseSlide, rows: usize, columns: usize, dy: &[f32], bits: &[u16], dw: &mut [f32]
            )
        );
    }
}

/// Positions without their padding.
#[inline(always)]
unsafe fn take<V: Lanes>(frame: &Frame, channels: usize, x: &[f32], to: &mut [f32]) {
    let mut from = x.as_ptr();
    for line in frame.lines() {
        for at in line.step_by(channels) {
            let to = to.as_mut_ptr().add(at);
            for part in (0..channels).step_by(HALF) {
                V::Half::load(from.add(part)).store(to.add(part));
            }
            from = from.add(stride(channels));
        }
    }
}

/// The values of codes, without the padding of their positions.
#[inline(always)]
unsafe fn take_codes<V: Lanes>(
    frame: &Frame,
    channels: usize,
    values: CodeValues,
    codes: &[u8],
    to: &mut [f32],
) {
    let mut from = codes.as_ptr();
    for line in frame.lines() {
        for at in line.step_by(channels) {
            let to = to.as_mut_ptr().add(at);
            for part in (0..channels).step_by(HALF) {
                let value: V::Half = values.load(from.add(part));
                value.store(to.add(part));
            }
            from = from.add(stride(channels));
        }
    }
}

#[inline(always)]
unsafe fn turned<V: Lanes>(
    slide: &SparseSlide,
    rows: usize,
    columns: usize,
    dy: &[f32],
    bits: &[u16],
    dw: &mut [f32],
) {
    if V::WIDE && slide.channels.is_multiple_of(LANES) {
        turned_of::<V>(slide, rows, columns, dy, bits, dw, slide.run / LANES);
    } else {
        turned_of::<V::Half>(slide, rows, columns, dy, bits, dw, slide.run / HALF);
    }
}

#[inline(always)]
unsafe fn turned_of<P: Part>(
    slide: &SparseSlide,
    rows: usize,
    columns: usize,
    dy: &[f32],
    bits: &[u16],
    dw: &mut [f32],
    parts: usize,
) {
    let (m, n) = (stride(slide.runs * slide.run), stride(columns));
    for first in (0..rows).step_by(SIDE) {
        let within = (rows - first).min(SIDE);
        for j in (0..columns).step_by(SIDE) {
            let mut square = [0; SIDE];
            for (i, row) in square[..within].iter_mut().enumerate() {
                *row = row_bits(bits, (first + i) * n + j, columns - j);
            }
            turn(&mut square);
            for (column, own) in (j..columns).zip(square) {
                let windows = Windows {
                    slide,
                    own,
                    starts: slide.starts.as_ptr().add(first),
                    dy: dy.as_ptr().add(first * n + column),
                    n,
                };
                runs_of::<P>(windows, parts, dw.as_mut_ptr().add(column * m));
            }
        }
    }
}

/// The windows that meet a column's gradient where it has a bit.
#[derive(Clone, Copy)]
struct Windows<'a> {
    slide: &'a SparseSlide,
    own: u64,
    starts: *const u32,
    dy: *const f32,
    n: usize,
}

/// As many runs at a time as there are registers for.
#[inline(always)]
unsafe fn runs_of<P: Part>(p: Windows<'_>, parts: usize, dw: *mut f32) {
    match parts {
        1 => some_runs::<P, 1, 3>(p, dw),
        2 => some_runs::<P, 2, 3>(p, dw),
        3 => some_runs::<P, 3, 3>(p, dw),
        4 => some_runs::<P, 4, 3>(p, dw),
        5 => some_runs::<P, 5, 2>(p, dw),
        6 => some_runs::<P, 6, 2>(p, dw),
        7 => some_runs::<P, 7, 1>(p, dw),
        8 => some_runs::<P, 8, 1>(p, dw),
        9 => some_runs::<P, 9, 1>(p, dw),
        10 => some_runs::<P, 10, 1>(p, dw),
        11 => some_runs::<P, 11, 1>(p, dw),
        _ => some_runs::<P, LONGEST_RUN, 1>(p, dw),
    }
}

#[inline(always)]
unsafe fn some_runs<P: Part, const L: usize, const R: usize>(p: Windows<'_>, dw: *mut f32) {
    let mut run = 0;
    while run + R <= p.slide.runs {
        runs::<P, L, R>(p, run, dw);
        run += R;
    }
    while run < p.slide.runs {
        runs::<P, L, 1>(p, run, dw);
        run += 1;
    }
}

#[inline(always)]
unsafe fn runs<P: Part, const L: usize, const R: usize>(p: Windows<'_>, run: usize, dw: *mut f32) {
    let between = p.slide.frame.taps()[0];
    let x = p.slide.samples.as_ptr().add(run * between);
    let dw = dw.add(run * p.slide.run);
    let mut acc = [[P::splat(0.0); L]; R];
    for (r, line) in acc.iter_mut().enumerate() {
        for (l, acc) in line.iter_mut().enumerate() {
            *acc = P::load(dw.add(r * p.slide.run + l * P::LEN));
        }
    }
    let mut bits = p.own;
    while bits != 0 {
        let at = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let number = P::splat(*p.dy.add(at * p.n));
        let mut x = x.add(*p.starts.add(at) as usize);
        for line in &mut acc {
            for (l, acc) in line.iter_mut().enumerate() {
                *acc = number.mul_add(P::load(x.add(l * P::LEN)), *acc);
            }
            x = x.wrapping_add(between);
        }
    }
    for (r, line) in acc.iter().enumerate() {
        for (l, acc) in line.iter().enumerate() {
            acc.store(dw.add(r * p.slide.run + l * P::LEN));
        }
    }
}
