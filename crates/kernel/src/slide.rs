//! Convolutions of windows with few values, straight from a sample with its border: the forward product and the
//! kernel's gradient.
//!
//! The rule this module keeps: chains run over the values of a window as those of [`crate::matrix`] run over a patch,
//! the border's zeros among them, so that leaving the patches unmade changes no bit.

use crate::buffer::{Buffer, LANES, stride};
use crate::code_values::CodeValues;
use crate::finish::{Activate, Activated, Finish, Quantize, Store};
use crate::frame::{Frame, SlideAxis};
use crate::lanes::{Lanes, Part};
use crate::level::{Kernels, dispatch};

/// Most values that lie side by side in a window: their gradients stay in registers.
const LONGEST_RUN: usize = 12;

/// A window over samples whose values lie one behind the other, with room for one of them and its border.
#[derive(Clone, Debug)]
pub struct Slide {
    frame: Frame,
    /// The current sample with its border of zeros.
    sample: Buffer,
    /// Runs of neighbouring values in a window, and their length.
    runs: usize,
    run: usize,
}

impl Slide {
    /// Of a window over rows and columns of `channels` channels; `None` where a row of its taps is no run of
    /// neighbouring values, or a longer one than pays.
    #[must_use]
    pub fn new(rows: SlideAxis, columns: SlideAxis, channels: usize) -> Option<Self> {
        let run = columns.size * channels;
        let neighbours = columns.dilation == 1 || columns.size == 1;
        if !neighbours || run == 0 || run > LONGEST_RUN || rows.size == 0 {
            return None;
        }
        let frame = Frame::new(rows, columns, channels)?;
        Some(Self {
            sample: Buffer::zeroed(frame.len()),
            frame,
            runs: rows.size,
            run,
        })
    }

    /// Bytes that a window of these axes takes, at most.
    #[must_use]
    pub fn bytes(rows: SlideAxis, columns: SlideAxis, channels: usize) -> usize {
        Frame::bytes(rows, columns, channels, size_of::<f32>())
    }

    /// Output positions of a sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.frame.starts().len()
    }

    /// Values of a window.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.runs * self.run
    }

    /// Takes the sample that the products go over next.
    ///
    /// # Panics
    /// When `x` is shorter than a sample.
    pub fn take(&mut self, x: &[f32]) {
        self.frame.take(x, &mut self.sample);
    }

    /// The same of codes of `values`.
    ///
    /// # Panics
    /// When `codes` are fewer than a sample's.
    pub fn take_codes(&mut self, kernels: Kernels, codes: &[u8], values: CodeValues) {
        let (frame, to) = (&self.frame, &mut self.sample);
        assert!(
            codes.len() >= frame.inputs(),
            "{} codes of a sample of {}",
            codes.len(),
            frame.inputs()
        );
        dispatch!(
            kernels.level(),
            take_codes(frame: &Frame, values: CodeValues, codes: &[u8], to: &mut Buffer)
        );
    }

    /// `y = windows * w + bias` for the windows of the sample (see [`Kernels::affine`]): `w` is `inner x columns`, `y`
    /// `outputs x columns`, both padded.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn affine(
        &self,
        kernels: Kernels,
        columns: usize,
        w: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        self.check(columns, w, y.len());
        let (p, end) = (self.product(columns, w, bias), Store(y.as_mut_ptr()));
        dispatch!(kernels.level(), products(p: Windows<'_>, end: Store));
    }

    /// As [`Slide::affine`], quantized at once.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn affine_activated(
        &self,
        kernels: Kernels,
        columns: usize,
        w: &[f32],
        bias: Option<&[f32]>,
        activate: Activate,
        mut out: Activated<'_>,
    ) {
        let values = self.outputs() * stride(columns);
        out.check(values);
        self.check(columns, w, values);
        let (p, end) = (
            self.product(columns, w, bias),
            Quantize::new(activate, &mut out),
        );
        dispatch!(kernels.level(), products(p: Windows<'_>, end: Quantize));
    }

    /// `dw += windows^T * dy` for the windows of the sample (see [`Kernels::kernel_gradient`]): `dy` is
    /// `outputs x columns`, `dw` `inner x columns`, both padded. Adds the sums of `dy` to `sums`, one padded row, in the
    /// same order (see [`Kernels::column_sums`]).
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn kernel_gradient(
        &self,
        kernels: Kernels,
        columns: usize,
        dy: &[f32],
        dw: &mut [f32],
        sums: Option<&mut [f32]>,
    ) {
        self.check(columns, dw, dy.len());
        let p = self.product(columns, &[], None);
        let sums = sums.map(|sums| {
            assert!(
                sums.len() >= stride(columns),
                "sums of {columns} columns have {} values",
                sums.len()
            );
            sums.as_mut_ptr()
        });
        dispatch!(
            kernels.level(),
            gradients(p: Windows<'_>, dy: &[f32], dw: &mut [f32], sums: Option<*mut f32>)
        );
    }

    fn check(&self, columns: usize, w: &[f32], y: usize) {
        assert!(
            w.len() >= self.inner() * stride(columns) && y >= self.outputs() * stride(columns),
            "{} weights and {y} values for {} windows of {} x {columns}",
            w.len(),
            self.outputs(),
            self.inner()
        );
    }

    fn product<'a>(&'a self, columns: usize, w: &'a [f32], bias: Option<&'a [f32]>) -> Windows<'a> {
        let bias = bias.inspect(|bias| {
            assert!(
                bias.len() >= stride(columns),
                "bias has {} values",
                bias.len()
            );
        });
        Windows {
            slide: self,
            x: self.sample.as_ptr(),
            between: self.frame.taps()[0],
            columns,
            n: stride(columns),
            w: w.as_ptr(),
            bias: bias.map(<[f32]>::as_ptr),
        }
    }
}

/// The windows of a sample, and what they meet.
#[derive(Clone, Copy)]
struct Windows<'a> {
    slide: &'a Slide,
    x: *const f32,
    /// Values between the starts of a window's runs.
    between: usize,
    columns: usize,
    /// Values between rows of `w` and of the results.
    n: usize,
    w: *const f32,
    bias: Option<*const f32>,
}

/// Eight columns go in half a vector: two of these a cycle, where a whole one would be half empty.
const HALF: usize = LANES / 2;

#[inline(always)]
unsafe fn products<V: Lanes>(p: Windows<'_>, end: impl Finish) {
    for j in (0..p.columns).step_by(LANES) {
        if p.columns - j <= HALF {
            rows_of::<V::Half, _, 8>(p, end, j);
        } else if V::WIDE {
            rows_of::<V, _, 8>(p, end, j);
        } else {
            rows_of::<V, _, 4>(p, end, j);
        }
    }
}

#[inline(always)]
unsafe fn rows_of<P: Part, F: Finish, const R: usize>(p: Windows<'_>, end: F, j: usize) {
    let outputs = p.slide.outputs();
    let mut row = 0;
    while row + R <= outputs {
        rows::<P, F, R>(p, end, j, row);
        row += R;
    }
    while row < outputs {
        rows::<P, F, 1>(p, end, j, row);
        row += 1;
    }
}

#[inline(always)]
unsafe fn rows<P: Part, F: Finish, const R: usize>(p: Windows<'_>, end: F, j: usize, row: usize) {
    let start = match p.bias {
        Some(bias) => P::load(bias.add(j)),
        None => P::splat(0.0),
    };
    let mut acc = [start; R];
    let starts = p.slide.frame.starts().as_ptr().add(row);
    let mut x: [*const f32; R] = std::array::from_fn(|r| p.x.add(*starts.add(r) as usize));
    let mut w = p.w.add(j);
    for _ in 0..p.slide.runs {
        for at in 0..p.slide.run {
            let own = P::load(w);
            for (acc, x) in acc.iter_mut().zip(x) {
                *acc = P::splat(*x.add(at)).mul_add(own, *acc);
            }
            w = w.add(p.n);
        }
        x = x.map(|x| x.wrapping_add(p.between));
    }
    for (r, acc) in acc.iter().enumerate() {
        end.take(acc.whole(), (row + r) * p.n + j);
    }
}

#[inline(always)]
unsafe fn gradients<V: Lanes>(p: Windows<'_>, dy: &[f32], dw: &mut [f32], sums: Option<*mut f32>) {
    let mut j = 0;
    while j < p.columns {
        let ends = Gradients {
            dy: dy.as_ptr().add(j),
            dw: dw.as_mut_ptr().add(j),
            sums: sums.map(|sums| sums.add(j)),
        };
        if V::WIDE && p.columns - j > HALF {
            gradients_of::<V>(p, ends);
            j += LANES;
        } else {
            gradients_of::<V::Half>(p, ends);
            j += HALF;
        }
    }
}

/// Gradients of some columns.
#[derive(Clone, Copy)]
struct Gradients {
    dy: *const f32,
    dw: *mut f32,
    /// Where the sums of `dy` are added to.
    sums: Option<*mut f32>,
}

#[inline(always)]
unsafe fn take_codes<V: Lanes>(frame: &Frame, values: CodeValues, codes: &[u8], to: &mut Buffer) {
    let mut from = codes.as_ptr();
    for line in frame.lines() {
        let (to, len) = (to.as_mut_ptr().add(line.start), line.len());
        if len < LANES {
            for at in 0..len {
                *to.add(at) = values.value(*from.add(at));
            }
        } else {
            for at in (0..len).step_by(LANES) {
                // The last block overlaps the one before it.
                let at = at.min(len - LANES);
                Lanes::store(values.load::<V>(from.add(at)), to.add(at));
            }
        }
        from = from.add(len);
    }
}

/// As many runs at a time as there are registers for.
#[inline(always)]
unsafe fn gradients_of<P: Part>(p: Windows<'_>, ends: Gradients) {
    match p.slide.run {
        1 => runs_of::<P, 1, 12>(p, ends),
        2 => runs_of::<P, 2, 6>(p, ends),
        3 => runs_of::<P, 3, 3>(p, ends),
        4 => runs_of::<P, 4, 3>(p, ends),
        5 => runs_of::<P, 5, 2>(p, ends),
        6 => runs_of::<P, 6, 2>(p, ends),
        7 => runs_of::<P, 7, 1>(p, ends),
        8 => runs_of::<P, 8, 1>(p, ends),
        9 => runs_of::<P, 9, 1>(p, ends),
        10 => runs_of::<P, 10, 1>(p, ends),
        11 => runs_of::<P, 11, 1>(p, ends),
        _ => runs_of::<P, LONGEST_RUN, 1>(p, ends),
    }
}

#[inline(always)]
unsafe fn runs_of<P: Part, const L: usize, const R: usize>(p: Windows<'_>, mut ends: Gradients) {
    let mut run = 0;
    while run + R <= p.slide.runs {
        runs::<P, L, R>(p, run, ends);
        run += R;
        // Summed once.
        ends.sums = None;
    }
    while run < p.slide.runs {
        runs::<P, L, 1>(p, run, ends);
        run += 1;
        ends.sums = None;
    }
}

#[inline(always)]
unsafe fn runs<P: Part, const L: usize, const R: usize>(
    p: Windows<'_>,
    run: usize,
    ends: Gradients,
) {
    let Gradients { dy, dw, sums } = ends;
    let at = |i: usize, l: usize| ((run + i) * L + l) * p.n;
    let mut acc = [[P::splat(0.0); L]; R];
    for (i, line) in acc.iter_mut().enumerate() {
        for (l, acc) in line.iter_mut().enumerate() {
            *acc = P::load(dw.add(at(i, l)));
        }
    }
    let mut sum = sums.map_or(P::splat(0.0), |sums| P::load(sums));
    let x = p.x.add(run * p.between);
    for (row, start) in p.slide.frame.starts().iter().enumerate() {
        let dy = P::load(dy.add(row * p.n));
        sum = sum.add(dy);
        let mut x = x.add(*start as usize);
        for line in &mut acc {
            for (l, acc) in line.iter_mut().enumerate() {
                *acc = P::splat(*x.add(l)).mul_add(dy, *acc);
            }
            x = x.wrapping_add(p.between);
        }
    }
    for (i, line) in acc.iter().enumerate() {
        for (l, acc) in line.iter().enumerate() {
            acc.store(dw.add(at(i, l)));
        }
    }
    if let Some(sums) = sums {
        sum.store(sums);
    }
}
