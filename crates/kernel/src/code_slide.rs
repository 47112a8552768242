//! Convolutions on codes, straight from a sample with its border.
//!
//! The rule this module keeps: a product on codes is exact ([`CodeAffine`]), so which codes are read side by side
//! changes no bit.

use crate::buffer::stride;
use crate::code_affine::{CodeAffine, CodeWindows};
use crate::finish::{Activate, Activated};
use crate::frame::{Frame, SlideAxis};
use crate::level::Kernels;

/// A window over samples of codes whose positions are padded, with room for one of them and its border.
#[derive(Clone, Debug)]
pub struct CodeSlide {
    frame: Frame,
    /// The current sample with its border.
    sample: Vec<u8>,
    /// Inputs of what the product takes for a tap, whose groups of four begin anew.
    tap: usize,
    /// How far from a window's start its groups of four codes lie.
    groups: Vec<u32>,
}

impl CodeSlide {
    /// Of a window over rows and columns of `channels` channels, around which codes are `border`; `None` for 2^32
    /// codes a sample or more.
    #[must_use]
    pub fn new(rows: SlideAxis, columns: SlideAxis, channels: usize, border: u8) -> Option<Self> {
        let frame = Frame::new(rows, columns, stride(channels))?;
        let [down, across] = frame.taps();
        let taps = (0..rows.size).flat_map(|y| (0..columns.size).map(move |x| (y, x)));
        let starts = taps.map(|(y, x)| y * down + x * across);
        Some(Self::of(frame, starts, channels, border))
    }

    /// The same over samples whose positions lie one behind the other: a row of taps is one tap to the product
    /// ([`CodeAffine::of_taps`] of as many as the window has rows). `None` too where a row of taps is no run of
    /// neighbouring codes.
    #[must_use]
    pub fn of_stored(
        rows: SlideAxis,
        columns: SlideAxis,
        channels: usize,
        border: u8,
    ) -> Option<Self> {
        if columns.dilation != 1 && columns.size != 1 {
            return None;
        }
        let frame = Frame::new(rows, columns, channels)?;
        let [down, _] = frame.taps();
        let starts = (0..rows.size).map(|y| y * down);
        Some(Self::of(frame, starts, columns.size * channels, border))
    }

    fn of(frame: Frame, starts: impl Iterator<Item = usize>, tap: usize, border: u8) -> Self {
        let of = |start| (0..tap.div_ceil(4)).map(move |group| (start + 4 * group) as u32);
        Self {
            groups: starts.flat_map(of).collect(),
            // The last group of four may run over.
            sample: vec![border; frame.len() + 3],
            frame,
            tap,
        }
    }

    /// Bytes that a window of these axes takes, at most.
    #[must_use]
    pub fn bytes(rows: SlideAxis, columns: SlideAxis, channels: usize) -> usize {
        // Vectors grow by doubling.
        let groups = 2 * rows.size * columns.size * channels.div_ceil(4) + 4;
        Frame::bytes(rows, columns, stride(channels), 1) + 3 + groups * size_of::<u32>()
    }

    /// Output positions of a sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.frame.starts().len()
    }

    /// Codes of a sample, the padding of its positions among them.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.frame.inputs()
    }

    /// Takes the sample that the products go over next, each code less the lowest one.
    ///
    /// # Panics
    /// When `codes` are fewer than a sample's.
    pub fn take(&mut self, codes: &[u8]) {
        self.frame.take(codes, &mut self.sample);
    }

    /// `y` for the windows of the sample (see [`CodeAffine::run`]).
    ///
    /// # Panics
    /// When `y` is shorter than its padded shape, or the product is not [`CodeAffine::of_taps`] of this window.
    pub fn run(&self, kernels: Kernels, affine: &CodeAffine, y: &mut [f32]) {
        let windows = self.windows(affine);
        // SAFETY: windows lie within the frame, whose groups are those of the product.
        unsafe { affine.run_windows(kernels, self.outputs(), windows, y) }
    }

    /// As [`CodeSlide::run`], quantized at once.
    ///
    /// # Panics
    /// As there.
    pub fn run_activated(
        &self,
        kernels: Kernels,
        affine: &CodeAffine,
        activate: Activate,
        out: Activated<'_>,
    ) {
        let windows = self.windows(affine);
        // SAFETY: as in `run`.
        unsafe { affine.run_windows_activated(kernels, self.outputs(), windows, activate, out) }
    }

    fn windows(&self, affine: &CodeAffine) -> CodeWindows {
        assert!(
            affine.shape() == (self.tap, self.groups.len()),
            "a product of taps and groups {:?} over windows of {:?}",
            affine.shape(),
            (self.tap, self.groups.len())
        );
        CodeWindows {
            codes: self.sample.as_ptr(),
            starts: self.frame.starts().as_ptr(),
            groups: self.groups.as_ptr(),
        }
    }
}
