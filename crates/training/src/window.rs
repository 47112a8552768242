//! Sliding windows in the training loop: the table of a window, patches of a micro-batch as rows, and
//! their gradients back to where they came from.
//!
//! The rule this module keeps: a convolution is a matrix product over positions, in the kernels' own
//! order, and patches are made a few rows at a time, so that they stay in cache however many
//! positions a sample has; windows on codes, and small ones of the network's input, are read in place,
//! in the same order.

use bitfront_kernel::{
    Buffer, CodeAffine, CodeSlide, CodeValues, Kernels, LANES, PatchTable, Shape, Slide, SlideAxis,
    SparseSlide, TapTable, WindowSums, stride, suits_sparse,
};
use bitfront_network::{Axis, Geometry};

use crate::extent::{Extent, Out, Pass, Read, Target};
use crate::weighted::affine;

/// Patches that are multiplied together.
const PATCHES: usize = 128;

/// Which input position each output position reads under each tap.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// `outputs x taps`.
    rows: Vec<u32>,
    taps: usize,
    inputs: usize,
}

impl Table {
    /// Of a window over a sample.
    pub(crate) fn of(geometry: &Geometry) -> Self {
        let taps = geometry.taps();
        let row = |(position, tap)| {
            let source = geometry.source(position, tap);
            source.map_or(TapTable::BORDER, |source| source as u32)
        };
        let all = (0..geometry.positions()).flat_map(|o| (0..taps).map(move |t| (o, t)));
        Self {
            rows: all.map(row).collect(),
            taps,
            inputs: geometry.rows.input * geometry.columns.input,
        }
    }

    /// Of zeros around an image (`[height, width]`, or `[length]`).
    pub(crate) fn of_border(spatial: &[usize], border: &[[usize; 2]]) -> Self {
        let (height, width) = match spatial {
            [length] => (1, *length),
            [height, width] => (*height, *width),
            _ => (1, 1),
        };
        let [above, below] = if border.len() == 2 { border[0] } else { [0, 0] };
        let [before, after] = border.last().copied().unwrap_or([0, 0]);
        let row = |y: usize, x: usize| {
            let y = y.checked_sub(above).filter(|y| *y < height)?;
            let x = x.checked_sub(before).filter(|x| *x < width)?;
            Some((y * width + x) as u32)
        };
        let columns = before + width + after;
        let all = (0..above + height + below).flat_map(|y| (0..columns).map(move |x| (y, x)));
        Self {
            rows: all
                .map(|(y, x)| row(y, x).unwrap_or(TapTable::BORDER))
                .collect(),
            taps: 1,
            inputs: height * width,
        }
    }

    /// Taps.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// Input positions of a sample.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output positions of a sample.
    pub(crate) fn outputs(&self) -> usize {
        self.rows.len() / self.taps
    }

    /// Input positions that output `position` reads.
    pub(crate) fn inside(&self, position: usize) -> impl Iterator<Item = usize> + '_ {
        let rows = &self.rows[position * self.taps..(position + 1) * self.taps];
        let inside = rows.iter().filter(|row| **row != TapTable::BORDER);
        inside.map(|row| *row as usize)
    }

    /// For the kernels.
    pub(crate) fn taps_of(&self) -> TapTable<'_> {
        TapTable {
            rows: &self.rows,
            taps: self.taps,
            inputs: self.inputs,
        }
    }
}

/// Values of the patches that are multiplied together; the last tap's copy may run over by a block.
pub(crate) fn patch_values(taps: usize, channels: usize) -> usize {
    PATCHES * stride(taps * channels) + stride(channels)
}

/// An axis for the kernels.
fn axis(axis: Axis) -> SlideAxis {
    SlideAxis {
        input: axis.input,
        output: axis.output,
        size: axis.size,
        stride: axis.stride,
        dilation: axis.dilation,
        before: axis.before,
    }
}

/// A window over samples as they are stored, where it is small enough to be read without patches.
fn slide_of(geometry: &Geometry, channels: usize) -> Option<Slide> {
    let (rows, columns) = (axis(geometry.rows), axis(geometry.columns));
    Slide::new(rows, columns, channels).filter(|slide| !suits_sparse(slide.inner()))
}

/// Whether a window over samples as they are stored is read without patches.
pub(crate) fn reads_in_place(geometry: &Geometry, channels: usize) -> bool {
    slide_of(geometry, channels).is_some()
}

/// Bytes of a sample with its border and of the places of its windows, at most.
pub(crate) fn slide_bytes(geometry: &Geometry, channels: usize) -> usize {
    let (rows, columns) = (axis(geometry.rows), axis(geometry.columns));
    let values = Slide::bytes(rows, columns, channels);
    let codes = CodeSlide::bytes(rows, columns, channels);
    let inputs = geometry.rows.input * geometry.columns.input;
    let sums = WindowSums::bytes(inputs, geometry.positions(), geometry.taps(), PATCHES);
    values + codes + sums + SparseSlide::bytes(rows, columns, channels)
}

/// A convolution as a product of patches (`positions x taps * channels`) and a kernel.
#[derive(Debug)]
pub(crate) struct Patches {
    geometry: Geometry,
    /// Where its windows are read without patches.
    slide: Option<Slide>,
    /// What the codes of such samples stand for, where these are kept as codes.
    stored: Option<CodeValues>,
    table: Table,
    copies: PatchTable,
    channels: usize,
    columns: usize,
    gathered: Buffer,
    gradients: Buffer,
    /// Whose gradients an input position's is the sum of, where that is wanted.
    back: Option<WindowSums>,
    /// Where zeros of its own gradient are left out.
    sparse: Option<SparseSlide>,
    /// Where the product is made of codes.
    codes: Option<CodeSlide>,
    /// What those stand for where only they are kept, not their values, if zeros are left out.
    back_codes: Option<CodeValues>,
}

impl Patches {
    /// Of a window over `channels` channels, with `columns` filters.
    pub(crate) fn new(geometry: Geometry, channels: usize, columns: usize) -> Self {
        let table = Table::of(&geometry);
        let buffer = Buffer::zeroed(patch_values(table.taps, channels));
        let (position, sample) = (stride(channels), table.inputs * stride(channels));
        Self {
            gradients: buffer.clone(),
            gathered: buffer,
            copies: PatchTable::new(table.taps_of(), channels, position, sample),
            geometry,
            slide: None,
            stored: None,
            table,
            channels,
            columns,
            back: None,
            sparse: None,
            codes: None,
            back_codes: None,
        }
    }

    /// Inputs of the product: a patch.
    pub(crate) fn inner(&self) -> usize {
        self.table.taps * self.channels
    }

    /// Gives gradients by its input from now on.
    pub(crate) fn feed_back(&mut self) {
        let table = self.table.taps_of();
        self.back = Some(WindowSums::new(table, self.channels, PATCHES));
    }

    /// Leaves out zeros of its own gradient from now on.
    pub(crate) fn leave_out_zeros(&mut self) {
        let (rows, columns) = (axis(self.geometry.rows), axis(self.geometry.columns));
        self.sparse = SparseSlide::new(rows, columns, self.channels);
    }

    /// Multiplies codes from now on, in which zero has the code `zero`, less the lowest one; the product of these.
    pub(crate) fn take_codes(&mut self, product: CodeAffine, zero: u8) -> Option<CodeAffine> {
        let (rows, columns) = (axis(self.geometry.rows), axis(self.geometry.columns));
        self.codes = CodeSlide::new(rows, columns, self.channels, zero);
        self.codes.as_ref()?;
        Some(product.of_taps(self.table.taps))
    }

    /// Reads codes of `values` on the way back too from now on, where it leaves out zeros; whether it does.
    pub(crate) fn read_codes_back(&mut self, values: CodeValues) -> bool {
        let reads = self.codes.is_some() && self.sparse.is_some();
        self.back_codes = Some(values).filter(|_| reads);
        reads
    }

    /// Whether the way back of a gradient with these bits reads codes alone.
    pub(crate) fn reads_codes_back(&self, pass: Pass, bits: Option<&[u16]>) -> bool {
        let rows = pass.samples * self.table.outputs();
        match (&self.sparse, bits) {
            (Some(slide), Some(bits)) => {
                self.back_codes.is_some() && slide.pays(pass.kernels, rows, self.columns, bits)
            }
            _ => false,
        }
    }

    /// Reads samples as they are stored from now on: positions one behind the other, padded once; without patches
    /// where windows are small.
    pub(crate) fn read_stored(&mut self) {
        self.sparse = None;
        self.slide = slide_of(&self.geometry, self.channels);
        let sample = self.stored_step();
        self.copies = PatchTable::new(self.table.taps_of(), self.channels, self.channels, sample);
    }

    /// Values between samples as they are stored.
    fn stored_step(&self) -> usize {
        stride(self.table.inputs * self.channels)
    }

    /// Reads samples as they are stored as codes of `values`, in which zero has the code `zero`, from now on; the product
    /// of these, where there is one of values.
    pub(crate) fn read_stored_codes(
        &mut self,
        product: Option<CodeAffine>,
        values: CodeValues,
        zero: u8,
    ) -> Option<CodeAffine> {
        self.stored = Some(values);
        let (rows, columns) = (axis(self.geometry.rows), axis(self.geometry.columns));
        self.codes = CodeSlide::of_stored(rows, columns, self.channels, zero);
        self.codes.as_ref()?;
        Some(product?.of_taps(rows.size))
    }

    /// Whether its own gradient is summed together with its kernel's.
    pub(crate) fn sums_gradients(&self) -> bool {
        self.slide.is_some()
    }

    fn shape(&self, rows: usize) -> Shape {
        Shape {
            rows,
            inner: self.inner(),
            columns: self.columns,
        }
    }

    fn input(&self) -> Extent {
        Extent {
            positions: self.table.inputs,
            channels: self.channels,
        }
    }

    /// Output rows of so many samples, in chunks.
    fn chunks(&self, samples: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = samples * self.table.outputs();
        (0..rows)
            .step_by(PATCHES)
            .map(move |start| (start, PATCHES.min(rows - start)))
    }

    /// Writes the patches of `count` output rows from `start`.
    fn gather(&mut self, kernels: Kernels, x: &[f32], start: usize, count: usize) {
        let rows = start..start + count;
        self.copies.copy(kernels, rows, x, &mut self.gathered);
    }

    /// `y = patches(x) * kernel + bias`.
    pub(crate) fn forward(
        &mut self,
        pass: Pass,
        x: Read<'_>,
        kernel: &[f32],
        bias: Option<&[f32]>,
        mut y: Out<'_>,
    ) {
        let (n, step) = (stride(self.columns), self.stored_step());
        if let Some(slide) = &mut self.slide {
            for sample in 0..pass.samples {
                take(slide, pass.kernels, x, self.stored, sample * step);
                let start = sample * slide.outputs() * n;
                match y.from(start) {
                    Out::Values(y) => slide.affine(pass.kernels, self.columns, kernel, bias, y),
                    Out::Activated(activate, to) => slide.affine_activated(
                        pass.kernels,
                        self.columns,
                        kernel,
                        bias,
                        activate,
                        to,
                    ),
                }
            }
            return;
        }
        for (start, count) in self.chunks(pass.samples) {
            self.gather(pass.kernels, x.values, start, count);
            let (shape, patches) = (self.shape(count), &self.gathered);
            affine(
                pass.kernels,
                shape,
                patches,
                kernel,
                bias,
                y.from(start * n),
            );
        }
    }

    /// The same of codes, each less the lowest one.
    pub(crate) fn forward_codes(
        &mut self,
        pass: Pass,
        x: &[u8],
        affine: &CodeAffine,
        mut y: Out<'_>,
    ) {
        let stored = self.stored.map(|_| self.stored_step());
        let Some(codes) = &mut self.codes else { return };
        let n = stride(self.columns);
        let step = stored.unwrap_or_else(|| codes.inputs());
        let samples = x.chunks_exact(step).take(pass.samples);
        for (sample, x) in samples.enumerate() {
            codes.take(x);
            match y.from(sample * codes.outputs() * n) {
                Out::Values(y) => codes.run(pass.kernels, affine, y),
                Out::Activated(activate, to) => {
                    codes.run_activated(pass.kernels, affine, activate, to);
                }
            }
        }
    }

    /// `dkernel += patches(x)^T * dy`, and the gradient by `x`, given the transposed kernel. With `bits`, without which
    /// `dy` is zero, `dkernel` is transposed. Where it sums gradients, those of `dy` are added to `sums`.
    #[allow(clippy::too_many_arguments, reason = "a product and its operands")]
    pub(crate) fn backward(
        &mut self,
        pass: Pass,
        x: Read<'_>,
        dy: &[f32],
        bits: Option<&[u16]>,
        dkernel: &mut [f32],
        mut sums: Option<&mut [f32]>,
        transposed: &[f32],
        target: Option<&mut Target<'_>>,
    ) {
        let (n, step) = (stride(self.columns), self.stored_step());
        if let Some(slide) = &mut self.slide {
            for sample in 0..pass.samples {
                take(slide, pass.kernels, x, self.stored, sample * step);
                let dy = &dy[sample * slide.outputs() * n..];
                let sums = sums.as_deref_mut();
                slide.kernel_gradient(pass.kernels, self.columns, dy, dkernel, sums);
            }
            return;
        }
        let reads_codes = self.reads_codes_back(pass, bits);
        let (x, codes) = (x.values, x.codes.zip(self.back_codes));
        let rows = pass.samples * self.table.outputs();
        match (&mut self.sparse, bits) {
            (Some(slide), Some(bits))
                if reads_codes || slide.pays(pass.kernels, rows, self.columns, bits) =>
            {
                let size = self.table.inputs * stride(self.channels);
                for first in (0..pass.samples).step_by(slide.room()) {
                    let samples = slide.room().min(pass.samples - first);
                    for at in 0..samples {
                        let from = (first + at) * size;
                        match codes {
                            Some((codes, values)) => {
                                slide.take_codes(pass.kernels, at, &codes[from..], values);
                            }
                            None => slide.take(pass.kernels, at, &x[from..]),
                        }
                    }
                    let start = first * slide.outputs() * n;
                    let (dy, bits) = (&dy[start..], &bits[start / LANES..]);
                    let columns = self.columns;
                    slide.kernel_gradient(pass.kernels, samples, columns, dy, bits, dkernel);
                }
            }
            _ => self.kernel_gradient(pass, x, dy, bits, dkernel),
        }
        if let Some(target) = target {
            self.input_gradient(pass, dy, bits, transposed, target);
        }
    }

    /// The gradient by the kernel, of patches.
    fn kernel_gradient(
        &mut self,
        pass: Pass,
        x: &[f32],
        dy: &[f32],
        bits: Option<&[u16]>,
        dkernel: &mut [f32],
    ) {
        let n = stride(self.columns);
        for (start, count) in self.chunks(pass.samples) {
            self.gather(pass.kernels, x, start, count);
            let (shape, dy) = (self.shape(count), &dy[start * n..]);
            let (kernels, patches) = (pass.kernels, &self.gathered);
            match bits {
                Some(bits) => {
                    let bits = &bits[start * n / LANES..];
                    kernels.sparse_kernel_gradient(shape, patches, dy, bits, dkernel);
                }
                None => kernels.kernel_gradient(shape, patches, dy, dkernel),
            }
        }
    }

    /// The gradient by the input, sample by sample.
    fn input_gradient(
        &mut self,
        pass: Pass,
        dy: &[f32],
        bits: Option<&[u16]>,
        transposed: &[f32],
        target: &mut Target<'_>,
    ) {
        let (kernels, n, outputs) = (pass.kernels, stride(self.columns), self.table.outputs());
        let (size, inner, columns) = (self.input().padded(), self.inner(), self.columns);
        let Some(back) = &self.back else { return };
        let gradients = &mut self.gradients;
        for sample in 0..pass.samples {
            let dx = &mut target.gradient[sample * size..][..size];
            let inside = target.inside.map(|inside| &inside[sample * size / LANES..]);
            let whole = back.is_whole();
            if !whole && !target.add {
                dx.fill(0.0);
            }
            for (part, rows) in back.parts().enumerate() {
                let first = (sample * outputs + rows.start) * n;
                let (dy, rows) = (&dy[first..], rows.len());
                let shape = Shape {
                    rows,
                    inner,
                    columns,
                };
                match bits.map(|bits| &bits[first / LANES..]) {
                    Some(bits) => {
                        kernels.sparse_input_gradient(shape, dy, bits, transposed, None, gradients);
                    }
                    None => kernels.input_gradient(shape, dy, transposed, gradients),
                }
                let (add, inside) = (target.add || !whole, inside.filter(|_| whole));
                back.give(kernels, part, gradients, add, inside, dx);
            }
            if let (false, Some(inside)) = (whole, inside) {
                kernels.keep_inside(inside, dx);
            }
        }
    }
}

/// Takes the stored sample that starts at `at`.
fn take(slide: &mut Slide, kernels: Kernels, x: Read<'_>, stored: Option<CodeValues>, at: usize) {
    match (x.codes, stored) {
        (Some(codes), Some(values)) => slide.take_codes(kernels, &codes[at..], values),
        _ => slide.take(&x.values[at..]),
    }
}
