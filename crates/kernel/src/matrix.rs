//! Matrix products: the forward pass, the gradient of a kernel, transposes and column sums.
//!
//! One tile body serves both products: `acc[i][j] += a[i, k] * b[k, j]` for `k` ascending, with the
//! strides of `a` exchanged between `x * w` and `x^T * dy`.

use crate::buffer::{LANES, stride};
use crate::finish::{Activate, Activated, Finish, Keep, Quantize, Store};
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Shape of a product: `rows x inner` times `inner x columns`. Matrices are padded by row
/// ([`stride`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Samples.
    pub rows: usize,
    /// Inputs of the layer.
    pub inner: usize,
    /// Outputs of the layer.
    pub columns: usize,
}

/// Where a chain starts.
#[derive(Clone, Copy)]
enum Start {
    Zero,
    Row(*const f32),
    /// Each element's own value.
    Matrix(*const f32),
}

/// `out[i, j] = start + sum_k a[i, k] * b[k, j]`, `i < m`, `k < depth`, `j < n` (a multiple of
/// [`LANES`], also the stride of `b` and `out`); what becomes of `out` is the [`Finish`].
#[derive(Clone, Copy)]
struct Product {
    m: usize,
    depth: usize,
    n: usize,
    a: *const f32,
    a_row: usize,
    a_depth: usize,
    b: *const f32,
    start: Start,
}

#[inline(always)]
unsafe fn tile<V: Lanes, F: Finish, const R: usize, const C: usize>(
    p: Product,
    end: F,
    i: usize,
    j: usize,
) {
    let mut acc = [[V::splat(0.0); C]; R];
    match p.start {
        Start::Zero => {}
        Start::Row(row) => {
            for c in 0..C {
                let value = V::load(row.add(j + c * LANES));
                for line in &mut acc {
                    line[c] = value;
                }
            }
        }
        Start::Matrix(start) => {
            for (r, line) in acc.iter_mut().enumerate() {
                for (c, value) in line.iter_mut().enumerate() {
                    *value = V::load(start.add((i + r) * p.n + j + c * LANES));
                }
            }
        }
    }
    let mut a = p.a.add(i * p.a_row);
    let mut b = p.b.add(j);
    for _ in 0..p.depth {
        let mut block = [V::splat(0.0); C];
        for (c, value) in block.iter_mut().enumerate() {
            *value = V::load(b.add(c * LANES));
        }
        for (r, line) in acc.iter_mut().enumerate() {
            let x = V::splat(*a.add(r * p.a_row));
            for (value, w) in line.iter_mut().zip(block) {
                *value = x.mul_add(w, *value);
            }
        }
        a = a.add(p.a_depth);
        b = b.add(p.n);
    }
    for (r, line) in acc.iter().enumerate() {
        for (c, value) in line.iter().enumerate() {
            end.take(*value, (i + r) * p.n + j + c * LANES);
        }
    }
}

#[inline(always)]
unsafe fn column_of_tiles<V: Lanes, F: Finish, const C: usize>(p: Product, end: F, j: usize) {
    let mut i = 0;
    if V::WIDE {
        while i + 8 <= p.m {
            tile::<V, F, 8, C>(p, end, i, j);
            i += 8;
        }
    }
    while i + 4 <= p.m {
        tile::<V, F, 4, C>(p, end, i, j);
        i += 4;
    }
    while i < p.m {
        tile::<V, F, 1, C>(p, end, i, j);
        i += 1;
    }
}

#[inline(always)]
unsafe fn product<V: Lanes>(p: Product, end: impl Finish) {
    let mut j = 0;
    if V::WIDE {
        while j + 2 * LANES <= p.n {
            column_of_tiles::<V, _, 2>(p, end, j);
            j += 2 * LANES;
        }
    }
    while j < p.n {
        column_of_tiles::<V, _, 1>(p, end, j);
        j += LANES;
    }
}

/// One chain a column, several blocks of columns at a time so that no addition waits for another.
#[inline(always)]
unsafe fn sums<V: Lanes>(rows: usize, n: usize, dy: &[f32], out: &mut [f32]) {
    let (dy, out) = (dy.as_ptr(), out.as_mut_ptr());
    let mut j = 0;
    while j + 4 * LANES <= n {
        block_sums::<V, 4>(rows, n, dy.add(j), out.add(j));
        j += 4 * LANES;
    }
    while j + 2 * LANES <= n {
        block_sums::<V, 2>(rows, n, dy.add(j), out.add(j));
        j += 2 * LANES;
    }
    while j < n {
        block_sums::<V, 1>(rows, n, dy.add(j), out.add(j));
        j += LANES;
    }
}

#[inline(always)]
unsafe fn block_sums<V: Lanes, const C: usize>(
    rows: usize,
    n: usize,
    dy: *const f32,
    out: *mut f32,
) {
    let mut acc = [V::splat(0.0); C];
    for (c, acc) in acc.iter_mut().enumerate() {
        *acc = V::load(out.add(c * LANES));
    }
    for i in 0..rows {
        for (c, acc) in acc.iter_mut().enumerate() {
            *acc = acc.add(V::load(dy.add(i * n + c * LANES)));
        }
    }
    for (c, acc) in acc.iter().enumerate() {
        acc.store(out.add(c * LANES));
    }
}

/// Rows and columns that are turned together.
const SQUARE: usize = 8;

/// Most columns for which [`narrow_gradient`] is the better order.
const NARROW: usize = 8;

/// `dw += x^T * dy` for few columns: inputs stand in the lanes, where columns would leave most of them
/// empty. The chains are those of [`product`].
#[inline(always)]
unsafe fn narrow_gradient<V: Lanes>(shape: Shape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    match shape.columns {
        1 => narrow_of::<V, 1>(shape, x, dy, dw),
        2 => narrow_of::<V, 2>(shape, x, dy, dw),
        3 => narrow_of::<V, 3>(shape, x, dy, dw),
        4 => narrow_of::<V, 4>(shape, x, dy, dw),
        5 => narrow_of::<V, 5>(shape, x, dy, dw),
        6 => narrow_of::<V, 6>(shape, x, dy, dw),
        7 => narrow_of::<V, 7>(shape, x, dy, dw),
        _ => narrow_of::<V, NARROW>(shape, x, dy, dw),
    }
}

#[inline(always)]
unsafe fn narrow_of<V: Lanes, const R: usize>(shape: Shape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (x, dy, dw) = (x.as_ptr(), dy.as_ptr(), dw.as_mut_ptr());
    let (m, mut k) = (stride(shape.inner), 0);
    while k + 2 * LANES <= m {
        narrow_tile::<V, R, 2>(shape, k, x, dy, dw);
        k += 2 * LANES;
    }
    if k < m {
        narrow_tile::<V, R, 1>(shape, k, x, dy, dw);
    }
}

#[inline(always)]
unsafe fn narrow_tile<V: Lanes, const R: usize, const C: usize>(
    shape: Shape,
    k: usize,
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
) {
    let m = stride(shape.inner);
    let inputs = (shape.inner - k).min(C * LANES);
    let mut turned = [[[0.0_f32; LANES]; C]; R];
    for input in 0..inputs {
        for (r, line) in turned.iter_mut().enumerate() {
            line[input / LANES][input % LANES] = *dw.add((k + input) * LANES + r);
        }
    }
    let mut acc = turned.map(|line| line.map(|block| V::load(block.as_ptr())));
    for i in 0..shape.rows {
        let mut block = [V::splat(0.0); C];
        for (c, value) in block.iter_mut().enumerate() {
            *value = V::load(x.add(i * m + k + c * LANES));
        }
        for (r, line) in acc.iter_mut().enumerate() {
            let dy = V::splat(*dy.add(i * LANES + r));
            for (value, x) in line.iter_mut().zip(block) {
                *value = dy.mul_add(x, *value);
            }
        }
    }
    for (line, to) in acc.iter().zip(&mut turned) {
        for (value, to) in line.iter().zip(to) {
            value.store(to.as_mut_ptr());
        }
    }
    for input in 0..inputs {
        for (r, line) in turned.iter().enumerate() {
            *dw.add((k + input) * LANES + r) = line[input / LANES][input % LANES];
        }
    }
}

/// Copies rows of one block each: short copies by a call cost more than the copy.
#[inline(always)]
unsafe fn block_rows<V: Lanes>(x: &[f32], order: &[u32], out: &mut [f32]) {
    for (i, &row) in order.iter().enumerate() {
        let from = x.as_ptr().add(row as usize * LANES);
        V::load(from).store(out.as_mut_ptr().add(i * LANES));
    }
}

fn check(name: &str, len: usize, rows: usize, columns: usize) {
    assert!(
        len >= rows * stride(columns),
        "{name} has {len} values, {rows} rows of stride {} are needed",
        stride(columns)
    );
}

/// `x * w + bias`, with checked lengths.
fn affine_of(shape: Shape, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Product {
    check("x", x.len(), shape.rows, shape.inner);
    check("w", w.len(), shape.inner, shape.columns);
    if let Some(bias) = bias {
        check("bias", bias.len(), 1, shape.columns);
    }
    Product {
        m: shape.rows,
        depth: shape.inner,
        n: stride(shape.columns),
        a: x.as_ptr(),
        a_row: stride(shape.inner),
        a_depth: 1,
        b: w.as_ptr(),
        start: bias.map_or(Start::Zero, |bias| Start::Row(bias.as_ptr())),
    }
}

impl Kernels {
    /// `y = x * w + bias` (`bias` absent: zero); the chain of each output starts at the bias and
    /// runs over the inputs.
    ///
    /// `x` is `rows x inner`, `w` `inner x columns`, `bias` one padded row, `y` `rows x columns`.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn affine(self, shape: Shape, x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        check("y", y.len(), shape.rows, shape.columns);
        let p = affine_of(shape, x, w, bias);
        let end = Store(y.as_mut_ptr());
        dispatch!(self.level(), product(p: Product, end: Store));
    }

    /// As [`Kernels::affine`], quantized at once.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn affine_activated(
        self,
        shape: Shape,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        activate: Activate,
        mut out: Activated<'_>,
    ) {
        out.check(shape.rows * stride(shape.columns));
        let p = affine_of(shape, x, w, bias);
        let end = Quantize::new(activate, &mut out);
        dispatch!(self.level(), product(p: Product, end: Quantize));
    }

    /// `dw += x^T * dy`; the chain of each element goes on over the samples, so that micro-batches
    /// give the bits of the whole batch.
    ///
    /// `x` is `rows x inner`, `dy` `rows x columns`, `dw` `inner x columns`.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn kernel_gradient(self, shape: Shape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        check("x", x.len(), shape.rows, shape.inner);
        check("dy", dy.len(), shape.rows, shape.columns);
        check("dw", dw.len(), shape.inner, shape.columns);
        if shape.columns <= NARROW && shape.inner > shape.columns {
            dispatch!(
                self.level(),
                narrow_gradient(shape: Shape, x: &[f32], dy: &[f32], dw: &mut [f32])
            );
            return;
        }
        let p = Product {
            m: shape.inner,
            depth: shape.rows,
            n: stride(shape.columns),
            a: x.as_ptr(),
            a_row: 1,
            a_depth: stride(shape.inner),
            b: dy.as_ptr(),
            start: Start::Matrix(dw.as_ptr()),
        };
        let end = Store(dw.as_mut_ptr());
        dispatch!(self.level(), product(p: Product, end: Store));
    }

    /// `dx = dy * w^T`, given `transposed = w^T` (`columns x inner`, see [`Kernels::transpose`]);
    /// the chain of each element starts at zero and runs over the layer's outputs.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn input_gradient(self, shape: Shape, dy: &[f32], transposed: &[f32], dx: &mut [f32]) {
        let swapped = Shape {
            rows: shape.rows,
            inner: shape.columns,
            columns: shape.inner,
        };
        self.affine(swapped, dy, transposed, None, dx);
    }

    /// As [`Kernels::input_gradient`], zero where `inside` (a bit for each value of `dx`) has no bit.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn input_gradient_inside(
        self,
        shape: Shape,
        dy: &[f32],
        transposed: &[f32],
        inside: &[u16],
        dx: &mut [f32],
    ) {
        check("dx", dx.len(), shape.rows, shape.inner);
        check("inside", inside.len() * LANES, shape.rows, shape.inner);
        let swapped = Shape {
            rows: shape.rows,
            inner: shape.columns,
            columns: shape.inner,
        };
        let p = affine_of(swapped, dy, transposed, None);
        let end = Keep {
            out: dx.as_mut_ptr(),
            inside: inside.as_ptr(),
        };
        dispatch!(self.level(), product(p: Product, end: Keep));
    }

    /// `out[j] += sum_i dy[i, j]`, samples ascending.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn column_sums(self, rows: usize, columns: usize, dy: &[f32], out: &mut [f32]) {
        check("dy", dy.len(), rows, columns);
        check("out", out.len(), 1, columns);
        let n = stride(columns);
        dispatch!(self.level(), sums(rows: usize, n: usize, dy: &[f32], out: &mut [f32]));
    }

    /// `out = w^T`: `w` is `rows x columns`, `out` `columns x rows`, both padded; padding of `out`
    /// is left as it is.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn transpose(self, rows: usize, columns: usize, w: &[f32], out: &mut [f32]) {
        check("w", w.len(), rows, columns);
        check("out", out.len(), columns, rows);
        let (from, to) = (stride(columns), stride(rows));
        let whole = rows - rows % SQUARE;
        for j in (0..columns).step_by(SQUARE) {
            for i in (0..whole).step_by(SQUARE) {
                let square: [[f32; SQUARE]; SQUARE] = std::array::from_fn(|r| {
                    let row = &w[(i + r) * from + j..][..SQUARE];
                    std::array::from_fn(|c| row[c])
                });
                for c in 0..(columns - j).min(SQUARE) {
                    let column: [f32; SQUARE] = std::array::from_fn(|r| square[r][c]);
                    out[(j + c) * to + i..][..SQUARE].copy_from_slice(&column);
                }
            }
            for (i, c) in (whole..rows).flat_map(|i| (0..SQUARE).map(move |c| (i, c))) {
                if j + c < columns {
                    out[(j + c) * to + i] = w[i * from + j + c];
                }
            }
        }
    }

    /// Copies the rows `order` of `x` (padded, `columns` columns) to `out`, one after another.
    ///
    /// # Panics
    /// When a row lies outside of `x` or `out` is too short.
    pub fn gather(self, columns: usize, x: &[f32], order: &[u32], out: &mut [f32]) {
        let step = stride(columns);
        check("out", out.len(), order.len(), columns);
        if let Some(last) = order.iter().max() {
            check("x", x.len(), *last as usize + 1, columns);
        }
        if step == LANES {
            dispatch!(self.level(), block_rows(x: &[f32], order: &[u32], out: &mut [f32]));
            return;
        }
        for (to, &row) in out.chunks_exact_mut(step).zip(order) {
            to.copy_from_slice(&x[row as usize * step..][..step]);
        }
    }

    /// Copies the rows `order` of codes, as [`Kernels::gather`] does.
    ///
    /// # Panics
    /// When a row lies outside of `x` or `out` is too short.
    pub fn gather_codes(self, columns: usize, x: &[u8], order: &[u32], out: &mut [u8]) {
        let step = stride(columns);
        check("out", out.len(), order.len(), columns);
        for (to, &row) in out.chunks_exact_mut(step).zip(order) {
            to.copy_from_slice(&x[row as usize * step..][..step]);
        }
    }

    /// Asks the CPU to bring the rows `order` of `x`, `step` values (or codes) each, into its cache; changes nothing.
    pub fn prefetch<T>(self, step: usize, x: &[T], order: &[u32]) {
        #[cfg(target_arch = "x86_64")]
        for &row in order {
            if let Some(row) = x.get(row as usize * step..(row as usize + 1) * step) {
                for line in row.chunks(64 / size_of::<T>()) {
                    // SAFETY: a prefetch of any address is allowed; this one lies in `x`.
                    unsafe {
                        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (step, x, order);
    }
}
