//! Gradients of a layer whose own gradient is zero in many places, known by bits: behind a rectified quantizer
//! about half of them.
//!
//! The rule this module keeps: a multiplication by zero changes no chain, so leaving it out gives the bits of
//! [`crate::matrix`] (but for the sign of a sum that underflowed to zero). It pays only for wide rows, where
//! several vectors go with each number; for others, and where few bits are zero, the whole product is made.

use crate::buffer::{LANES, stride};
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};
use crate::matrix::Shape;

/// Fewest vectors that must go with each number for it to pay.
const FEWEST: usize = 4;

/// Most vectors that are summed at once: as many as there are registers for.
const fn most<V: Lanes>() -> usize {
    if V::WIDE { 9 } else { 5 }
}

/// Rows and columns of a square of bits.
pub(crate) const SIDE: usize = 64;

/// Whether so few of the gradients are not zero that leaving out the others pays: three of five at most.
pub(crate) fn is_sparse(kernels: Kernels, shape: Shape, bits: &[u16]) -> bool {
    let bits = &bits[..shape.rows * stride(shape.columns) / LANES];
    let set = dispatch!(kernels.level(), count(bits: &[u16]) -> u64);
    set * 5 <= (shape.rows * shape.columns) as u64 * 3
}

/// How many bits are set.
#[inline(always)]
unsafe fn count<V: Lanes>(bits: &[u16]) -> u64 {
    let (fours, rest) = bits.as_chunks::<4>();
    let four = |four: &[u16; 4]| {
        let [a, b, c, d] = four.map(u64::from);
        u64::from((a | b << 16 | c << 32 | d << 48).count_ones())
    };
    let rest = rest.iter().map(|word| u64::from(word.count_ones()));
    fours.iter().map(four).sum::<u64>() + rest.sum::<u64>()
}

/// The bits of up to 64 columns of a row, the first of which is at `at`.
#[inline(always)]
pub(crate) unsafe fn row_bits(bits: &[u16], at: usize, columns: usize) -> u64 {
    let (words, columns) = (columns.div_ceil(LANES).min(SIDE / LANES), columns.min(SIDE));
    let from = bits.as_ptr().add(at / LANES);
    let all = (0..words).fold(0, |all, word| {
        all | u64::from(*from.add(word)) << (word * LANES)
    });
    // Padding has no vectors.
    all & u64::MAX >> (SIDE - columns)
}

/// A product with vectors of the numbers with a bit, in their order.
#[inline(always)]
unsafe fn chains<V: Lanes, const B: usize>(
    mut bits: u64,
    numbers: *const f32,
    step: usize,
    vectors: *const f32,
    width: usize,
    acc: &mut [V; B],
) {
    while bits != 0 {
        let at = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let number = V::splat(*numbers.add(at * step));
        let vector = vectors.add(at * width);
        for (c, acc) in acc.iter_mut().enumerate() {
            *acc = number.mul_add(V::load(vector.add(c * LANES)), *acc);
        }
    }
}

/// Calls `$body::<V, B>` for as many vectors `B` from column `$k` on as can be summed at once; their columns.
macro_rules! by_width {
    ($v:ident, $shape:expr, $k:expr, $body:ident($($arg:expr),*)) => {{
        let left = (stride($shape.inner) - $k) / LANES;
        // Two like parts rather than a full and a small one.
        let parts = left.div_ceil(most::<$v>());
        let blocks = left.div_ceil(parts);
        match blocks {
            1 => $body::<$v, 1>($($arg),*),
            2 => $body::<$v, 2>($($arg),*),
            3 => $body::<$v, 3>($($arg),*),
            4 => $body::<$v, 4>($($arg),*),
            5 => $body::<$v, 5>($($arg),*),
            6 => $body::<$v, 6>($($arg),*),
            7 => $body::<$v, 7>($($arg),*),
            8 => $body::<$v, 8>($($arg),*),
            _ => $body::<$v, 9>($($arg),*),
        }
        blocks * LANES
    }};
}

/// Rows of bits, those with few set ones first: where one row's product ends is then where the last one's did, which the
/// CPU foresees.
struct ByCount {
    bits: [u64; SIDE],
    order: [u8; SIDE],
}

impl ByCount {
    /// Of `rows` rows, at most [`SIDE`], from value `at` on, `n` values apart.
    #[inline(always)]
    unsafe fn of(bits: &[u16], at: usize, n: usize, rows: usize, columns: usize) -> Self {
        let mut found = Self {
            bits: [0; SIDE],
            order: [0; SIDE],
        };
        // How many rows have fewer set bits.
        let mut places = [0_u8; SIDE + 2];
        for (i, own) in found.bits[..rows].iter_mut().enumerate() {
            *own = row_bits(bits, at + i * n, columns);
            *places.get_unchecked_mut(own.count_ones() as usize + 1) += 1;
        }
        for count in 0..columns.min(SIDE) {
            *places.get_unchecked_mut(count + 1) += *places.get_unchecked(count);
        }
        for (i, own) in found.bits[..rows].iter().enumerate() {
            let place = places.get_unchecked_mut(own.count_ones() as usize);
            *found.order.get_unchecked_mut(*place as usize) = i as u8;
            *place += 1;
        }
        found
    }
}

#[inline(always)]
unsafe fn inputs<V: Lanes>(
    shape: Shape,
    dy: &[f32],
    bits: &[u16],
    transposed: &[f32],
    inside: Option<&[u16]>,
    dx: &mut [f32],
) {
    let (m, n) = (stride(shape.inner), stride(shape.columns));
    if shape.columns > SIDE {
        let mut k = 0;
        while k < m {
            k += by_width!(
                V,
                shape,
                k,
                inputs_of(shape, k, dy, bits, transposed, inside, dx)
            );
        }
        return;
    }
    for first in (0..shape.rows).step_by(SIDE) {
        let rows = (shape.rows - first).min(SIDE);
        let ordered = ByCount::of(bits, first * n, n, rows, shape.columns);
        let mut k = 0;
        while k < m {
            let rows = &ordered.order[..rows];
            k += by_width!(
                V,
                shape,
                k,
                ordered_of(
                    shape,
                    k,
                    first,
                    rows,
                    &ordered.bits,
                    dy,
                    transposed,
                    inside,
                    dx
                )
            );
        }
    }
}

/// As [`inputs_of`], of rows of at most [`SIDE`] columns in this order from row `first` on.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a product and its operands")]
unsafe fn ordered_of<V: Lanes, const B: usize>(
    shape: Shape,
    k: usize,
    first: usize,
    rows: &[u8],
    bits: &[u64; SIDE],
    dy: &[f32],
    transposed: &[f32],
    inside: Option<&[u16]>,
    dx: &mut [f32],
) {
    let (m, n) = (stride(shape.inner), stride(shape.columns));
    let w = transposed.as_ptr().add(k);
    for row in rows {
        let i = first + *row as usize;
        let mut acc = [V::splat(0.0); B];
        let own = *bits.get_unchecked(*row as usize);
        chains(own, dy.as_ptr().add(i * n), 1, w, m, &mut acc);
        keep_row(acc, i * m + k, inside, dx);
    }
}

/// Stores a row's vectors from value `at` on where bits say so.
#[inline(always)]
unsafe fn keep_row<V: Lanes, const B: usize>(
    acc: [V; B],
    at: usize,
    inside: Option<&[u16]>,
    dx: &mut [f32],
) {
    for (c, acc) in acc.iter().enumerate() {
        let at = at + c * LANES;
        let kept = inside.map_or(u16::MAX, |inside| *inside.as_ptr().add(at / LANES));
        acc.keep_bits(kept).store(dx.as_mut_ptr().add(at));
    }
}

/// The input gradient of `B` vectors from column `k` on.
#[inline(always)]
unsafe fn inputs_of<V: Lanes, const B: usize>(
    shape: Shape,
    k: usize,
    dy: &[f32],
    bits: &[u16],
    transposed: &[f32],
    inside: Option<&[u16]>,
    dx: &mut [f32],
) {
    let (m, n) = (stride(shape.inner), stride(shape.columns));
    for i in 0..shape.rows {
        let mut acc = [V::splat(0.0); B];
        for j in (0..shape.columns).step_by(SIDE) {
            let own = row_bits(bits, i * n + j, shape.columns - j);
            let dy = dy.as_ptr().add(i * n + j);
            let w = transposed.as_ptr().add(j * m + k);
            chains(own, dy, 1, w, m, &mut acc);
        }
        keep_row(acc, i * m + k, inside, dx);
    }
}

/// Exchanges rows and columns of a square of bits, halves of ever smaller squares at a time.
#[inline(always)]
pub(crate) fn turn(square: &mut [u64; SIDE]) {
    let (mut width, mut mask) = (SIDE / 2, u64::MAX >> (SIDE / 2));
    while width > 0 {
        for top in (0..SIDE).step_by(2 * width) {
            for row in top..top + width {
                let swap = (square[row] >> width ^ square[row + width]) & mask;
                square[row] ^= swap << width;
                square[row + width] ^= swap;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[inline(always)]
unsafe fn kernels_turned<V: Lanes>(
    shape: Shape,
    x: &[f32],
    dy: &[f32],
    bits: &[u16],
    dw: &mut [f32],
) {
    let (m, n) = (stride(shape.inner), stride(shape.columns));
    for first in (0..shape.rows).step_by(SIDE) {
        let rows = (shape.rows - first).min(SIDE);
        for j in (0..shape.columns).step_by(SIDE) {
            let mut square = [0; SIDE];
            for (i, row) in square[..rows].iter_mut().enumerate() {
                *row = row_bits(bits, (first + i) * n + j, shape.columns - j);
            }
            turn(&mut square);
            for (column, own) in (j..shape.columns).zip(square) {
                let dy = dy.as_ptr().add(first * n + column);
                let (mut k, x) = (0, x.as_ptr().add(first * m));
                let dw = dw.as_mut_ptr().add(column * m);
                while k < m {
                    let (x, to) = (x.add(k), dw.add(k));
                    k += by_width!(V, shape, k, kernels_of(own, dy, n, x, m, to));
                }
            }
        }
    }
}

/// The turned kernel gradient of `B` vectors, of the rows with a bit.
#[inline(always)]
unsafe fn kernels_of<V: Lanes, const B: usize>(
    own: u64,
    dy: *const f32,
    n: usize,
    x: *const f32,
    m: usize,
    to: *mut f32,
) {
    let mut acc = [V::splat(0.0); B];
    for (c, acc) in acc.iter_mut().enumerate() {
        *acc = V::load(to.add(c * LANES));
    }
    chains(own, dy, n, x, m, &mut acc);
    for (c, acc) in acc.iter().enumerate() {
        acc.store(to.add(c * LANES));
    }
}

fn check(name: &str, len: usize, needed: usize) {
    assert!(
        len >= needed,
        "{name} has {len} values, {needed} are needed"
    );
}

/// Whether inputs of this width are worth leaving out numbers for.
#[must_use]
pub fn suits_sparse(inner: usize) -> bool {
    stride(inner) >= FEWEST * LANES
}

impl Kernels {
    /// As [`Kernels::input_gradient_inside`] (`inside` absent: all), for a `dy` that is zero wherever `bits`
    /// has no bit.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn sparse_input_gradient(
        self,
        shape: Shape,
        dy: &[f32],
        bits: &[u16],
        transposed: &[f32],
        inside: Option<&[u16]>,
        dx: &mut [f32],
    ) {
        let (m, n) = (stride(shape.inner), stride(shape.columns));
        check("bits", bits.len() * LANES, shape.rows * n);
        if !suits_sparse(shape.inner) || !is_sparse(self, shape, bits) {
            return match inside {
                Some(inside) => self.input_gradient_inside(shape, dy, transposed, inside, dx),
                None => self.input_gradient(shape, dy, transposed, dx),
            };
        }
        check("dy", dy.len(), shape.rows * n);
        check("transposed", transposed.len(), shape.columns * m);
        if let Some(inside) = inside {
            check("inside", inside.len() * LANES, shape.rows * m);
        }
        check("dx", dx.len(), shape.rows * m);
        dispatch!(
            self.level(),
            inputs(
                shape: Shape, dy: &[f32], bits: &[u16], transposed: &[f32], inside: Option<&[u16]>,
                dx: &mut [f32]
            )
        );
    }

    /// `dw += dy^T * x`, the transpose (`columns x inner`) of what [`Kernels::kernel_gradient`] adds, for a
    /// `dy` that is zero wherever `bits` has no bit.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape.
    pub fn sparse_kernel_gradient(
        self,
        shape: Shape,
        x: &[f32],
        dy: &[f32],
        bits: &[u16],
        dw: &mut [f32],
    ) {
        let (m, n) = (stride(shape.inner), stride(shape.columns));
        check("bits", bits.len() * LANES, shape.rows * n);
        if !suits_sparse(shape.inner) || !is_sparse(self, shape, bits) {
            let swapped = Shape {
                rows: shape.rows,
                inner: shape.columns,
                columns: shape.inner,
            };
            return self.kernel_gradient(swapped, dy, x, dw);
        }
        check("x", x.len(), shape.rows * m);
        check("dy", dy.len(), shape.rows * n);
        check("dw", dw.len(), shape.columns * m);
        dispatch!(
            self.level(),
            kernels_turned(shape: Shape, x: &[f32], dy: &[f32], bits: &[u16], dw: &mut [f32])
        );
    }
}
