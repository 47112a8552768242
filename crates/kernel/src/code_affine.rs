//! The forward product on codes: bytes times bytes in integers, with the bits of the f32 product.
//!
//! The rule this module keeps: a [`CodeAffine`] exists only where no partial sum of the f32 chain can pass
//! 2^24 units of the finest grid. Then that chain is exact, so it is the sum of the integers times a power of
//! two, in any order.

use crate::buffer::{LANES, stride};
use crate::elementwise::Uniform;
use crate::finish::{Activate, Activated, FinishPair, Quantize, Store};
use crate::integer_lanes::{IntegerLanes, Path, integer_dispatch};
use crate::integer_pack::Line;
use crate::lanes::Lanes;
use crate::level::Kernels;

/// Every integer up to this is an f32.
const EXACT: f64 = 16_777_216.0;

/// `y = x * w + bias` for codes of `x` on one grid, and weights and biases on theirs.
#[derive(Clone, Debug)]
pub struct CodeAffine {
    inner: usize,
    columns: usize,
    /// Inputs of a tap; all of them where a row of codes has no taps.
    tap: usize,
    /// Groups of four codes of a row.
    groups: usize,
    /// `groups` a block of 16 columns: the weights of four codes in each lane.
    weights: Vec<Line>,
    /// What the sums start from, one a block.
    start: Vec<Line>,
    /// Whether two neighbouring products always sum to an i16.
    small: bool,
    /// Lowest code of `x`: stored codes are smaller by it.
    lowest: i32,
    /// Weights times this are their codes.
    inverse_weight: f32,
    /// Biases times this are in units of the sums.
    inverse_sum: f32,
    /// Unit of the sums.
    unit: f32,
}

/// Largest magnitude of a grid's codes.
fn largest(grid: Uniform) -> f64 {
    f64::from(grid.high.abs().max(grid.low.abs()))
}

impl CodeAffine {
    /// Of `inner x columns` weights; `None` where the f32 product is not proven to be exact, or codes do not
    /// fit bytes.
    #[must_use]
    pub fn new(
        inner: usize,
        columns: usize,
        x: Uniform,
        w: Uniform,
        bias: Option<Uniform>,
    ) -> Option<Self> {
        let (x_fraction, w_fraction) = (x.fraction()?, w.fraction()?);
        let fraction = x_fraction + w_fraction;
        let span = x.high - x.low;
        let bytes = span <= 255.0 && w.low >= -128.0 && w.high <= 127.0;
        let mut most = inner as f64 * largest(x) * largest(w);
        if let Some(bias) = bias {
            let finer = fraction - bias.fraction()?;
            if !(0..=24).contains(&finer) {
                return None;
            }
            most += largest(bias) * f64::from(1_u32 << finer);
        }
        if !bytes || most > EXACT || !(-100..=100).contains(&fraction) {
            return None;
        }
        let power = |exponent: i32| f32::from_bits(((exponent + 127) as u32) << 23);
        let (groups, blocks) = (inner.div_ceil(4), columns.div_ceil(LANES));
        let zero = Line([0; LANES]);
        Some(Self {
            inner,
            columns,
            tap: inner,
            groups,
            weights: vec![zero; groups * blocks],
            start: vec![zero; blocks],
            small: 2.0 * f64::from(span) * largest(w) <= 32_767.0,
            lowest: x.low as i32,
            inverse_weight: w.inverse_step,
            inverse_sum: power(fraction),
            unit: power(-fraction),
        })
    }

    /// The same of windows of `taps` taps that are read where they lie ([`crate::CodeSlide`]): groups of four begin
    /// anew with every tap.
    ///
    /// # Panics
    /// When the inputs are not of so many taps.
    #[must_use]
    pub fn of_taps(mut self, taps: usize) -> Self {
        assert!(
            taps > 0 && self.inner.is_multiple_of(taps),
            "{} inputs of {taps} taps",
            self.inner
        );
        self.tap = self.inner / taps;
        self.groups = taps * self.tap.div_ceil(4);
        self.weights = vec![Line([0; LANES]); self.groups * self.start.len()];
        self
    }

    /// Takes fake-quantized weights (padded) and biases (one padded row) for the products that follow.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn take(&mut self, kernels: Kernels, w: &[f32], bias: Option<&[f32]>) {
        let n = stride(self.columns);
        assert!(
            w.len() >= self.inner * n && bias.is_none_or(|bias| bias.len() >= n),
            "{} weights for {} x {}",
            w.len(),
            self.inner,
            self.columns
        );
        let to = self;
        integer_dispatch!(
            Path::of(kernels),
            pack(to: &mut CodeAffine, w: &[f32], bias: Option<&[f32]>)
        );
    }

    /// `y` for `rows` padded rows of codes, each less the lowest one.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn run(&self, kernels: Kernels, rows: usize, codes: &[u8], y: &mut [f32]) {
        self.check(rows, codes, y.len());
        let (job, x) = (self.job(rows), self.rows(codes));
        let end = Store(y.as_mut_ptr());
        integer_dispatch!(Path::of(kernels), product(job: Job<'_>, x: Rows, end: Store));
    }

    /// As [`CodeAffine::run`], quantized at once.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn run_activated(
        &self,
        kernels: Kernels,
        rows: usize,
        codes: &[u8],
        activate: Activate,
        mut out: Activated<'_>,
    ) {
        let values = rows * stride(self.columns);
        out.check(values);
        self.check(rows, codes, values);
        let (job, x) = (self.job(rows), self.rows(codes));
        let end = Quantize::new(activate, &mut out);
        integer_dispatch!(Path::of(kernels), product(job: Job<'_>, x: Rows, end: Quantize));
    }

    /// As [`CodeAffine::run`], of `rows` windows that lie where `x` says.
    ///
    /// # Panics
    /// When `y` is shorter than its padded shape.
    ///
    /// # Safety
    /// `x` has `rows` windows of this product's groups.
    pub(crate) unsafe fn run_windows(
        &self,
        kernels: Kernels,
        rows: usize,
        x: CodeWindows,
        y: &mut [f32],
    ) {
        self.check_values(rows, y.len());
        let (job, end) = (self.job(rows), Store(y.as_mut_ptr()));
        integer_dispatch!(Path::of(kernels), product(job: Job<'_>, x: CodeWindows, end: Store));
    }

    /// As [`CodeAffine::run_windows`], quantized at once.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn run_windows_activated(
        &self,
        kernels: Kernels,
        rows: usize,
        x: CodeWindows,
        activate: Activate,
        mut out: Activated<'_>,
    ) {
        out.check(rows * stride(self.columns));
        let (job, end) = (self.job(rows), Quantize::new(activate, &mut out));
        integer_dispatch!(Path::of(kernels), product(job: Job<'_>, x: CodeWindows, end: Quantize));
    }

    /// Inputs of a tap and groups of a row.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.tap, self.groups)
    }

    fn check(&self, rows: usize, codes: &[u8], values: usize) {
        self.check_values(rows, values);
        assert!(
            codes.len() >= rows * stride(self.inner) && self.tap == self.inner,
            "{rows} rows of {} in taps of {} with {} codes",
            self.inner,
            self.tap,
            codes.len()
        );
    }

    fn check_values(&self, rows: usize, values: usize) {
        assert!(
            values >= rows * stride(self.columns),
            "{rows} rows of {} with {values} values",
            self.columns
        );
    }

    fn rows(&self, codes: &[u8]) -> Rows {
        Rows {
            codes: codes.as_ptr(),
            step: stride(self.inner),
        }
    }

    fn job(&self, rows: usize) -> Job<'_> {
        Job {
            affine: self,
            rows,
            n: stride(self.columns),
        }
    }
}

/// Where the codes of a product's rows are.
///
/// # Safety
/// Called only for rows and groups of the product.
pub(crate) trait Reads: Copy {
    /// Where a row starts.
    unsafe fn row(self, row: usize) -> *const u8;
    /// How far from there four codes lie.
    unsafe fn group(self, group: usize) -> usize;
}

/// Rows one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    codes: *const u8,
    step: usize,
}

impl Reads for Rows {
    #[inline(always)]
    unsafe fn row(self, row: usize) -> *const u8 {
        self.codes.add(row * self.step)
    }
    #[inline(always)]
    unsafe fn group(self, group: usize) -> usize {
        4 * group
    }
}

/// Windows of a sample.
#[derive(Clone, Copy)]
pub(crate) struct CodeWindows {
    pub(crate) codes: *const u8,
    /// Where each window starts.
    pub(crate) starts: *const u32,
    /// How far from there its groups lie.
    pub(crate) groups: *const u32,
}

impl Reads for CodeWindows {
    #[inline(always)]
    unsafe fn row(self, row: usize) -> *const u8 {
        self.codes.add(*self.starts.add(row) as usize)
    }
    #[inline(always)]
    unsafe fn group(self, group: usize) -> usize {
        *self.groups.add(group) as usize
    }
}

#[inline(always)]
unsafe fn pack<V: IntegerLanes>(to: &mut CodeAffine, w: &[f32], bias: Option<&[f32]>) {
    let n = stride(to.columns);
    let inverse = V::Floats::splat(to.inverse_weight);
    for (block, start) in to.start.iter_mut().enumerate() {
        let column = block * LANES;
        let mut total = V::splat(0);
        let by_tap = to.tap.div_ceil(4);
        for group in 0..to.groups {
            let mut four = [V::splat(0); 4];
            let (tap, at) = (group / by_tap, 4 * (group % by_tap));
            for (row, part) in (tap * to.tap + at..(tap + 1) * to.tap).zip(&mut four) {
                let w = V::Floats::load(w.as_ptr().add(row * n + column));
                *part = V::of_floats(w.mul(inverse));
                total = total.add(*part);
            }
            let line = &mut to.weights[block * to.groups + group];
            V::bytes_of(four).store(line.0.as_mut_ptr());
        }
        let bias = match bias {
            Some(bias) => V::Floats::load(bias.as_ptr().add(column)),
            None => V::Floats::splat(0.0),
        };
        let bias = V::of_floats(bias.mul(V::Floats::splat(to.inverse_sum)));
        let back = total.mul(V::splat(to.lowest));
        bias.add(back).store(start.0.as_mut_ptr());
    }
}

/// A product over some rows.
#[derive(Clone, Copy)]
struct Job<'a> {
    affine: &'a CodeAffine,
    rows: usize,
    /// Values between rows of results.
    n: usize,
}

#[inline(always)]
unsafe fn product<V: IntegerLanes>(job: Job<'_>, x: impl Reads, end: impl FinishPair) {
    if job.affine.small {
        columns_of_tiles::<V, _, _, true>(job, x, end);
    } else {
        columns_of_tiles::<V, _, _, false>(job, x, end);
    }
}

#[inline(always)]
unsafe fn columns_of_tiles<V: IntegerLanes, X: Reads, F: FinishPair, const SMALL: bool>(
    job: Job<'_>,
    x: X,
    end: F,
) {
    let blocks = job.affine.start.len();
    let mut block = 0;
    if job.affine.columns <= LANES / 2 {
        rows_of_pairs::<V, X, F, SMALL>(job, x, end);
        return;
    }
    if V::WIDE {
        while block + 2 <= blocks {
            column_of_tiles::<V, X, F, SMALL, 2>(job, x, end, block);
            block += 2;
        }
    }
    while block < blocks {
        column_of_tiles::<V, X, F, SMALL, 1>(job, x, end, block);
        block += 1;
    }
}

#[inline(always)]
unsafe fn column_of_tiles<
    V: IntegerLanes,
    X: Reads,
    F: FinishPair,
    const SMALL: bool,
    const C: usize,
>(
    job: Job<'_>,
    x: X,
    end: F,
    block: usize,
) {
    let mut row = 0;
    if V::WIDE {
        while row + 8 <= job.rows {
            tile::<V, X, F, SMALL, 8, C>(job, x, end, row, block);
            row += 8;
        }
    }
    while row + 4 <= job.rows {
        tile::<V, X, F, SMALL, 4, C>(job, x, end, row, block);
        row += 4;
    }
    while row < job.rows {
        tile::<V, X, F, SMALL, 1, C>(job, x, end, row, block);
        row += 1;
    }
}

#[inline(always)]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "groups of four bytes are read unaligned"
)]
unsafe fn tile<
    V: IntegerLanes,
    X: Reads,
    F: FinishPair,
    const SMALL: bool,
    const R: usize,
    const C: usize,
>(
    job: Job<'_>,
    x: X,
    end: F,
    row: usize,
    block: usize,
) {
    let groups = job.affine.groups;
    let mut start = [V::splat(0); C];
    for (c, start) in start.iter_mut().enumerate() {
        *start = V::load(job.affine.start.as_ptr().add(block + c).cast());
    }
    let mut sums = [start; R];
    let codes: [*const u8; R] = std::array::from_fn(|r| x.row(row + r));
    let weights = job.affine.weights.as_ptr().add(block * groups);
    for group in 0..groups {
        let mut w = [V::splat(0); C];
        for (c, w) in w.iter_mut().enumerate() {
            *w = V::load(weights.add(c * groups + group).cast());
        }
        let at = x.group(group);
        for (line, codes) in sums.iter_mut().zip(codes) {
            let four = codes.add(at).cast::<i32>();
            let x = V::splat(four.read_unaligned());
            for (sum, w) in line.iter_mut().zip(w) {
                *sum = if SMALL {
                    sum.dot_small_bytes(x, w)
                } else {
                    sum.dot_bytes(x, w)
                };
            }
        }
    }
    let unit = V::Floats::splat(job.affine.unit);
    for (r, line) in sums.iter().enumerate() {
        for (c, sum) in line.iter().enumerate() {
            let at = (row + r) * job.n + (block + c) * LANES;
            end.take(sum.floats().mul(unit), at);
        }
    }
}

/// Few columns leave half of each vector empty: two rows stand in it.
#[inline(always)]
unsafe fn rows_of_pairs<V: IntegerLanes, X: Reads, F: FinishPair, const SMALL: bool>(
    job: Job<'_>,
    x: X,
    end: F,
) {
    let mut row = 0;
    while row + 8 <= job.rows {
        pairs::<V, X, F, SMALL, 4>(job, x, end, row);
        row += 8;
    }
    while row + 2 <= job.rows {
        pairs::<V, X, F, SMALL, 1>(job, x, end, row);
        row += 2;
    }
    if row < job.rows {
        tile::<V, X, F, SMALL, 1, 1>(job, x, end, row, 0);
    }
}

#[inline(always)]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "groups of four bytes are read unaligned"
)]
unsafe fn pairs<V: IntegerLanes, X: Reads, F: FinishPair, const SMALL: bool, const R: usize>(
    job: Job<'_>,
    x: X,
    end: F,
    row: usize,
) {
    let mut sums = [[V::half_load(job.affine.start.as_ptr().cast()); 2]; R];
    let codes: [[*const u8; 2]; R] =
        std::array::from_fn(|r| [x.row(row + 2 * r), x.row(row + 2 * r + 1)]);
    for group in 0..job.affine.groups {
        let w = V::half_load(job.affine.weights.as_ptr().add(group).cast());
        let at = x.group(group);
        for (sums, codes) in sums.iter_mut().zip(codes) {
            for (sum, codes) in sums.iter_mut().zip(codes) {
                let four = codes.add(at).cast::<i32>();
                *sum = V::half_dot::<SMALL>(*sum, V::half_splat(four.read_unaligned()), w);
            }
        }
    }
    let unit = V::Floats::splat(job.affine.unit);
    for (r, [first, second]) in sums.into_iter().enumerate() {
        let both = V::join(first, second).floats().mul(unit);
        end.take_pair(both, row + 2 * r);
    }
}
