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

/// Vectors that go with each number.
const BLOCKS: usize = 4;

/// Rows and columns of a square of bits.
const SIDE: usize = 64;

/// Whether so few of the gradients are not zero that leaving out the others pays: three of five at most.
fn is_sparse(shape: Shape, bits: &[u16]) -> bool {
    let words = shape.rows * stride(shape.columns) / LANES;
    let set: u32 = bits[..words].iter().map(|word| word.count_ones()).sum();
    u64::from(set) * 5 <= (shape.rows * shape.columns) as u64 * 3
}

/// The bits of up to 64 columns of a row, the first of which is at `at`.
#[inline(always)]
unsafe fn row_bits(bits: &[u16], at: usize, columns: usize) -> u64 {
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
unsafe fn chains<V: Lanes>(
    mut bits: u64,
    numbers: *const f32,
    step: usize,
    vectors: *const f32,
    width: usize,
    acc: &mut [V; BLOCKS],
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
    for i in 0..shape.rows {
        for k in (0..m).step_by(BLOCKS * LANES) {
            let mut acc = [V::splat(0.0); BLOCKS];
            for j in (0..shape.columns).step_by(SIDE) {
                let own = row_bits(bits, i * n + j, shape.columns - j);
                let dy = dy.as_ptr().add(i * n + j);
                let w = transposed.as_ptr().add(j * m + k);
                chains(own, dy, 1, w, m, &mut acc);
            }
            for (c, acc) in acc.iter().enumerate() {
                let at = i * m + k + c * LANES;
                let kept = inside.map_or(u16::MAX, |inside| *inside.as_ptr().add(at / LANES));
                acc.keep_bits(kept).store(dx.as_mut_ptr().add(at));
            }
        }
    }
}

/// Exchanges rows and columns of a square of bits, halves of ever smaller squares at a time.
#[inline(always)]
fn turn(square: &mut [u64; SIDE]) {
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
                for k in (0..m).step_by(BLOCKS * LANES) {
                    let to = dw.as_mut_ptr().add(column * m + k);
                    let mut acc = [V::splat(0.0); BLOCKS];
                    for (c, acc) in acc.iter_mut().enumerate() {
                        *acc = V::load(to.add(c * LANES));
                    }
                    chains(own, dy, n, x.as_ptr().add(first * m + k), m, &mut acc);
                    for (c, acc) in acc.iter().enumerate() {
                        acc.store(to.add(c * LANES));
                    }
                }
            }
        }
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
    stride(inner).is_multiple_of(BLOCKS * LANES)
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
        if !suits_sparse(shape.inner) || !is_sparse(shape, bits) {
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
        if !suits_sparse(shape.inner) || !is_sparse(shape, bits) {
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
