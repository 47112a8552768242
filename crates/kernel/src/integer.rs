//! Exact batch inference of a chain of dense layers on integer codes.
//!
//! The rule this module keeps: nothing is assumed about ranges that is not proven when a chain is
//! built. [`IntegerChain::new`] takes the actual weights and the range of the input codes, derives
//! the interval of every sum, and refuses what does not fit i32; [`IntegerChain::run`] refuses input
//! codes out of range. In between all arithmetic is modulo 2^32 with an end result that fits, so it is
//! exact, and every level gives the same integers.
//!
//! A layer computes `sum[j] = bias[j] + sum_i x[i] * weights[i][j]` and, where it has a
//! [`Requantize`], the code `overflow(round(sum[j] / 2^shift[j]))` that the next layer reads. Codes
//! travel between layers as bytes where the input range spans at most 256 codes and the weights fit
//! i8, else as 16-bit words.
//!
//! ```
//! use bitfront_kernel::{DenseCodes, IntegerChain, Kernels, Overflow, Requantize, Rounding};
//! let hidden = DenseCodes {
//!     inputs: 2,
//!     outputs: 3,
//!     input_range: (-8, 7),
//!     weights: &[1, 2, -3, 4, -5, 6],
//!     bias: &[0, 1, 2],
//!     requantize: Some(Requantize {
//!         shifts: &[1, 1, 2],
//!         rounding: Rounding::HalfEven,
//!         overflow: Overflow::Saturate,
//!         low: 0,
//!         high: 15,
//!     }),
//! };
//! let last = DenseCodes {
//!     inputs: 3,
//!     outputs: 1,
//!     input_range: (0, 15),
//!     weights: &[1, 1, -1],
//!     bias: &[0],
//!     requantize: None,
//! };
//! let chain = IntegerChain::new(&[hidden, last])?;
//! let mut sums = [0; 2];
//! chain.run(Kernels::detect(), &[7, 1, -8, 7], &mut sums)?;
//! // Row 0: sums 11, 10, -13; halves round to even: codes 6, 5, 0 (-13/4 saturates at 0).
//! assert_eq!(sums, [11, -5]);
//! # Ok::<(), bitfront_kernel::IntegerFault>(())
//! ```

use crate::Kernels;
use crate::integer_pack::{Pack, check};
use crate::integer_tile::{BLOCK, Scratch, run_block};

/// How `sum / 2^shift` becomes an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity (`AP_TRN`).
    Floor,
    /// Towards zero (`AP_TRN_ZERO`).
    TowardZero,
    /// Nearest, halves to even (`AP_RND_CONV`, and the fake-quantized pass).
    HalfEven,
    /// Nearest, halves towards plus infinity (`AP_RND`).
    HalfUp,
    /// Nearest, halves towards minus infinity (`AP_RND_MIN_INF`).
    HalfDown,
    /// Nearest, halves towards zero (`AP_RND_ZERO`).
    HalfTowardZero,
    /// Nearest, halves away from zero (`AP_RND_INF`).
    HalfAwayFromZero,
}

impl Rounding {
    /// Every rounding.
    pub const ALL: [Self; 7] = [
        Self::Floor,
        Self::TowardZero,
        Self::HalfEven,
        Self::HalfUp,
        Self::HalfDown,
        Self::HalfTowardZero,
        Self::HalfAwayFromZero,
    ];
}

/// What becomes of a rounded value outside of `low..=high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The nearer bound (`AP_SAT`; `AP_SAT_SYM` with `low = -high`).
    Saturate,
    /// Zero (`AP_SAT_ZERO`); needs `low <= 0 <= high`.
    Zero,
    /// The code of the range that is equal modulo its size (`AP_WRAP`); needs a size that is a power
    /// of two.
    Wrap,
}

impl Overflow {
    /// Every overflow mode.
    pub const ALL: [Self; 3] = [Self::Saturate, Self::Zero, Self::Wrap];
}

/// From sums to the codes of the next layer.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<'a> {
    /// Right shift of each output, 0..=30. A left shift is written as larger weights and bias.
    pub shifts: &'a [u32],
    /// How the shifted value is rounded.
    pub rounding: Rounding,
    /// What happens outside of the range.
    pub overflow: Overflow,
    /// Smallest code.
    pub low: i32,
    /// Largest code.
    pub high: i32,
}

/// One dense layer on codes.
#[derive(Clone, Copy, Debug)]
pub struct DenseCodes<'a> {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Smallest and largest input code. For all layers but the first it must hold the range of the
    /// layer before.
    pub input_range: (i32, i32),
    /// `inputs x outputs`, row-major.
    pub weights: &'a [i32],
    /// `outputs`, in units of the sums.
    pub bias: &'a [i32],
    /// Absent: the layer gives its sums; allowed in the last layer alone.
    pub requantize: Option<Requantize<'a>>,
}

/// Why a chain cannot be built, or rows cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntegerFault {
    /// A shape, range or option that contradicts itself.
    Layer {
        /// Index of the layer.
        layer: usize,
        /// What is wrong and what is accepted.
        problem: String,
    },
    /// The layer is right, but needs numbers wider than these kernels have; a wider path can run it.
    TooWide {
        /// Index of the layer.
        layer: usize,
        /// What does not fit.
        problem: String,
    },
    /// An input code out of the first layer's range.
    Code {
        /// Its position in the slice.
        at: usize,
        /// The code.
        code: i32,
        /// The accepted range.
        range: (i32, i32),
    },
    /// Slices that are not whole rows, or not of the same number of rows.
    Rows {
        /// What is wrong.
        problem: String,
    },
}

impl std::fmt::Display for IntegerFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layer { layer, problem } => write!(f, "layer {layer}: {problem}"),
            Self::TooWide { layer, problem } => {
                write!(f, "layer {layer} is too wide for 32-bit sums: {problem}")
            }
            Self::Code { at, code, range } => write!(
                f,
                "input code {at} is {code}; accepted are {}..={}",
                range.0, range.1
            ),
            Self::Rows { problem } => f.write_str(problem),
        }
    }
}

impl std::error::Error for IntegerFault {}

/// Dense layers made ready for the kernels: weights packed in the order they are read.
#[derive(Clone, Debug)]
pub struct IntegerChain {
    packs: Vec<Pack>,
    inputs: usize,
    outputs: usize,
    input_range: (i32, i32),
}

impl IntegerChain {
    /// Packs layers, first to last.
    ///
    /// # Errors
    /// [`IntegerFault::Layer`] for shapes and ranges that do not agree, [`IntegerFault::TooWide`] when
    /// weights or input ranges need more than 16 bits or a sum (with its rounding) more than 32.
    pub fn new(layers: &[DenseCodes<'_>]) -> Result<Self, IntegerFault> {
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
            return Err(IntegerFault::Layer {
                layer: 0,
                problem: "a chain has at least one layer".into(),
            });
        };
        for (layer, dense) in layers.iter().enumerate() {
            check(layer, dense)?;
        }
        for (layer, pair) in layers.windows(2).enumerate() {
            joint(layer, &pair[0], &pair[1])?;
        }
        let mut packs = Vec::with_capacity(layers.len());
        for (layer, dense) in layers.iter().enumerate() {
            packs.push(Pack::new(layer, dense, layers.get(layer + 1))?);
        }
        Ok(Self {
            packs,
            inputs: first.inputs,
            outputs: last.outputs,
            input_range: first.input_range,
        })
    }

    /// Codes of an input row.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Sums of an output row.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Multiply-adds of one row, as the layers' shapes tell.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.packs.iter().map(Pack::multiply_adds).sum()
    }

    /// Whether every layer reads bytes (else some read 16-bit words).
    #[must_use]
    pub fn is_bytes(&self) -> bool {
        self.packs.iter().all(Pack::is_bytes)
    }

    /// Runs every row: `codes` is `rows x inputs`, `out` `rows x outputs`, both dense and row-major.
    /// `out` takes the last layer's sums, or its codes where it has a [`Requantize`].
    ///
    /// # Errors
    /// [`IntegerFault::Rows`] and [`IntegerFault::Code`]; then `out` holds an unspecified mixture.
    pub fn run(
        &self,
        kernels: Kernels,
        codes: &[i32],
        out: &mut [i32],
    ) -> Result<(), IntegerFault> {
        self.check_rows(codes, out.len(), self.outputs)?;
        let outputs = self.outputs;
        let blocks = out.chunks_mut(BLOCK * outputs);
        self.each_block(kernels, codes, blocks, |sums, stride, out| {
            compact(sums, stride, outputs, out);
        })
    }

    /// The index of the largest output of each row, the lowest on a tie; `classes` is `rows`.
    ///
    /// # Errors
    /// As [`IntegerChain::run`], and [`IntegerFault::Rows`] for more than 256 outputs.
    pub fn classify(
        &self,
        kernels: Kernels,
        codes: &[i32],
        classes: &mut [u8],
    ) -> Result<(), IntegerFault> {
        self.check_rows(codes, classes.len(), 1)?;
        if self.outputs > 256 {
            return Err(IntegerFault::Rows {
                problem: format!("{} outputs; at most 256 are classes", self.outputs),
            });
        }
        let blocks = classes.chunks_mut(BLOCK);
        self.each_block(kernels, codes, blocks, |sums, stride, out| {
            largest(sums, stride, self.outputs, out);
        })
    }

    fn check_rows(&self, codes: &[i32], len: usize, width: usize) -> Result<(), IntegerFault> {
        let rows = codes.len() / self.inputs;
        if codes.len().is_multiple_of(self.inputs) && rows.checked_mul(width) == Some(len) {
            return Ok(());
        }
        Err(IntegerFault::Rows {
            problem: format!(
                "{} codes in rows of {} do not go with {len} outputs in rows of {width}",
                codes.len(),
                self.inputs
            ),
        })
    }

    fn each_block<T>(
        &self,
        kernels: Kernels,
        codes: &[i32],
        blocks: impl Iterator<Item = T>,
        mut take: impl FnMut(&[i32], usize, T),
    ) -> Result<(), IntegerFault> {
        let mut scratch = Scratch::new(&self.packs);
        for (index, (codes, out)) in codes.chunks(BLOCK * self.inputs).zip(blocks).enumerate() {
            let (within, stride) = run_block(kernels, &self.packs, codes, &mut scratch);
            if !within {
                return Err(self.first_outside(codes, index * BLOCK * self.inputs));
            }
            take(scratch.sums(), stride, out);
        }
        Ok(())
    }

    fn first_outside(&self, codes: &[i32], start: usize) -> IntegerFault {
        let range = self.input_range;
        let at = codes
            .iter()
            .position(|c| !(range.0..=range.1).contains(c))
            .unwrap_or(0);
        IntegerFault::Code {
            at: start + at,
            code: codes[at],
            range,
        }
    }
}

/// Faults between a layer and the next.
fn joint(layer: usize, dense: &DenseCodes<'_>, next: &DenseCodes<'_>) -> Result<(), IntegerFault> {
    let fault = |problem| Err(IntegerFault::Layer { layer, problem });
    let Some(requantize) = &dense.requantize else {
        return fault("only the last layer may give sums".into());
    };
    if dense.outputs != next.inputs {
        return fault(format!(
            "it has {} outputs, the next layer {} inputs",
            dense.outputs, next.inputs
        ));
    }
    if requantize.low < next.input_range.0 || requantize.high > next.input_range.1 {
        return fault(format!(
            "its codes {}..={} leave the next layer's input range {}..={}",
            requantize.low, requantize.high, next.input_range.0, next.input_range.1
        ));
    }
    Ok(())
}

/// Calls a function of a constant width for the usual numbers of outputs: short copies and searches
/// of a length known to the compiler are a few instructions.
macro_rules! by_width {
    ($width:expr, $function:ident($($arg:expr),*)) => {
        match $width {
            1 => $function::<1>($($arg),*),
            2 => $function::<2>($($arg),*),
            3 => $function::<3>($($arg),*),
            4 => $function::<4>($($arg),*),
            5 => $function::<5>($($arg),*),
            6 => $function::<6>($($arg),*),
            8 => $function::<8>($($arg),*),
            10 => $function::<10>($($arg),*),
            16 => $function::<16>($($arg),*),
            _ => $function::<0>($($arg),*),
        }
    };
}

/// Padded rows to dense rows.
fn compact(sums: &[i32], stride: usize, outputs: usize, out: &mut [i32]) {
    by_width!(outputs, compact_rows(sums, stride, outputs, out));
}

fn compact_rows<const N: usize>(sums: &[i32], stride: usize, outputs: usize, out: &mut [i32]) {
    let outputs = if N > 0 { N } else { outputs };
    for (row, out) in sums.chunks_exact(stride).zip(out.chunks_exact_mut(outputs)) {
        out.copy_from_slice(&row[..outputs]);
    }
}

fn largest(sums: &[i32], stride: usize, outputs: usize, out: &mut [u8]) {
    by_width!(outputs, largest_of_rows(sums, stride, outputs, out));
}

fn largest_of_rows<const N: usize>(sums: &[i32], stride: usize, outputs: usize, out: &mut [u8]) {
    let outputs = if N > 0 { N } else { outputs };
    for (row, class) in sums.chunks_exact(stride).zip(out) {
        let row = &row[..outputs];
        let (mut best, mut most) = (0, row[0]);
        for (j, value) in row.iter().enumerate().skip(1) {
            best = if *value > most { j } else { best };
            most = most.max(*value);
        }
        *class = best as u8;
    }
}
