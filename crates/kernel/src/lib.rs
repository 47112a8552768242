//! Small-matrix and elementwise f32 kernels, and integer inference, that give the same bits on every
//! CPU level.
//!
//! The rule this room keeps: every output element is one sequential chain of fused multiply-adds
//! over the inner index (no horizontal sums, no contraction that is not written down), and every
//! elementwise function uses only IEEE operations that are correctly rounded. So the value of an
//! element depends neither on the number of lanes nor on tile shapes, and AVX-512, AVX2 with FMA and
//! scalar [`f32::mul_add`] agree bit for bit.
//!
//! A matrix is a slice of rows, each padded to [`stride`] values so that rows start on 64-byte lines
//! of a [`Buffer`]. Padding columns are computed like any other: what is zero stays zero.
//!
//! Integer inference ([`IntegerChain`]) is exact, so it needs no rule but the proof that sums fit.
//!
//! This is the only room of the workspace with `unsafe`. It has three reasons: vector instructions that
//! are chosen at run time, aligned buffers, and read-only maps of files ([`Map`]). Slice lengths are asserted at every public entry.
//!
//! ```
//! use bitfront_kernel::{Buffer, Kernels, Shape, stride};
//! let shape = Shape { rows: 1, inner: 2, columns: 3 };
//! let mut x = Buffer::zeroed(stride(2));
//! x[..2].copy_from_slice(&[1.0, 2.0]);
//! let mut w = Buffer::zeroed(2 * stride(3));
//! w[..3].copy_from_slice(&[1.0, 0.0, 1.0]);
//! w[stride(3)..stride(3) + 3].copy_from_slice(&[0.0, 1.0, 1.0]);
//! let mut y = Buffer::zeroed(stride(3));
//! Kernels::detect().affine(shape, &x, &w, None, &mut y);
//! assert_eq!(&y[..3], &[1.0, 2.0, 3.0]);
//! ```
#![expect(
    unsafe_code,
    reason = "vector instructions chosen at run time, aligned buffers, read-only maps of files"
)]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every operation of a kernel body stands under the same contract"
)]
#![allow(
    clippy::inline_always,
    reason = "a body must be inlined into the function that enables its target features"
)]

mod buffer;
mod channel_quantize;
mod code_affine;
mod code_slide;
mod code_values;
mod depthwise;
mod elementwise;
mod fake_quantize;
mod finish;
mod float_peak;
mod frame;
mod integer;
mod integer_lanes;
mod integer_pack;
mod integer_peak;
mod integer_tile;
mod lanes;
mod level;
mod map;
mod math;
mod matrix;
mod patches;
mod slide;
mod soft_targets;
mod softmax;
mod sparse;
mod sparse_slide;
mod window_sums;
mod windows;

pub use buffer::{Buffer, LANES, stride};
pub use channel_quantize::ColumnGrids;
pub use code_affine::CodeAffine;
pub use code_slide::CodeSlide;
pub use code_values::CodeValues;
pub use depthwise::TapTable;
pub use elementwise::{AdamStep, Uniform};
pub use fake_quantize::Steps;
pub use finish::{Activate, Activated};
pub use frame::SlideAxis;
pub use integer::{DenseCodes, IntegerChain, IntegerFault, Overflow, Requantize, Rounding};
pub use level::{Kernels, Level, level};
pub use map::Map;
pub use math::{cos_pi, exp, ln};
pub use matrix::Shape;
pub use patches::PatchTable;
pub use slide::Slide;
pub use soft_targets::SoftScale;
pub use softmax::BatchLoss;
pub use sparse::suits_sparse;
pub use sparse_slide::SparseSlide;
pub use window_sums::WindowSums;
