//! Activation layers in the training loop: quantizers of values, by themselves or at the end of the product
//! before them.

use bitfront_kernel::{Activate, Activated, CodeValues, Kernels, LANES, Uniform};
use bitfront_quantizer::Quantizer;

use crate::drawn::Drawn;
use crate::extent::{Extent, Out, Pass};
use crate::plan::Plan;

/// A quantizer of values.
#[derive(Debug)]
pub(crate) struct Activation {
    extent: Extent,
    plan: Plan,
    drawn: Option<Box<Drawn>>,
    fused: Option<Fused>,
}

/// What an activation keeps whose values the layer before it quantizes at once.
#[derive(Debug)]
struct Fused {
    activate: Activate,
    /// Codes less the lowest one; empty where nobody reads them.
    codes: Vec<u8>,
    /// What they stand for where values are made of them only when they are wanted.
    values: Option<CodeValues>,
    /// A bit a value: whether its gradient passes a rectified grid.
    inside: Vec<u16>,
    /// Whether the one reader gives a gradient that is zero without a bit.
    kept: bool,
}

impl Activation {
    pub(crate) fn new(extent: Extent, quantizer: &Quantizer) -> Self {
        Self {
            extent,
            plan: Plan::of(quantizer),
            drawn: Drawn::of(quantizer),
            fused: None,
        }
    }

    /// Lets the layer before it do its work, for `capacity` samples; whether it can.
    pub(crate) fn fuse(&mut self, capacity: usize) -> bool {
        let grid = self.plan.uniform().filter(|_| self.drawn.is_none());
        self.fused = grid.and_then(Activate::new).map(|activate| Fused {
            activate,
            codes: Vec::new(),
            values: None,
            inside: vec![0; capacity * self.extent.padded() / LANES],
            kept: false,
        });
        self.fused.is_some()
    }

    /// The grid of its codes, where it gives any.
    pub(crate) fn code_grid(&self) -> Option<Uniform> {
        self.plan.uniform().filter(|_| self.fused.is_some())
    }

    /// Makes room for codes of `capacity` samples.
    pub(crate) fn give_codes(&mut self, capacity: usize) {
        if let Some(fused) = &mut self.fused {
            fused.codes = vec![0; capacity * self.extent.padded()];
        }
    }

    /// Leaves out values from now on, which all readers can do without.
    pub(crate) fn leave_out_values(&mut self, values: CodeValues) {
        if let Some(fused) = &mut self.fused {
            fused.values = Some(values);
        }
    }

    /// Makes the values that were left out.
    pub(crate) fn make_values(&self, kernels: Kernels, to: &mut [f32]) {
        if let Some(Fused {
            codes,
            values: Some(values),
            ..
        }) = &self.fused
        {
            kernels.values_of_codes(*values, &codes[..to.len()], to);
        }
    }

    /// Whether values are left out.
    pub(crate) fn leaves_out_values(&self) -> bool {
        self.fused
            .as_ref()
            .is_some_and(|fused| fused.values.is_some())
    }

    /// Leaves it to the one reader to pass only what [`Activation::inside`] lets through.
    pub(crate) fn leave_to_reader(&mut self) {
        if let Some(fused) = &mut self.fused {
            fused.kept = matches!(self.plan, Plan::RectifiedGrid(..));
        }
    }

    /// Codes of the samples that went forward, where a reader asked for them.
    pub(crate) fn codes(&self) -> Option<&[u8]> {
        let codes = &self.fused.as_ref()?.codes;
        (!codes.is_empty()).then_some(codes)
    }

    /// What the one reader's gradient is to be kept by.
    pub(crate) fn inside(&self) -> Option<&[u16]> {
        let fused = self.fused.as_ref().filter(|fused| fused.kept)?;
        Some(&fused.inside)
    }

    /// The bits without which the gradient by what it reads is zero, of the layer before it that does its work.
    pub(crate) fn cut_bits(&self) -> Option<&[u16]> {
        let fused = self.fused.as_ref()?;
        matches!(self.plan, Plan::RectifiedGrid(..)).then_some(&fused.inside)
    }

    /// Where the layer before is to put what it quantizes at once, `values` among it.
    pub(crate) fn at_once<'a>(&'a mut self, values: &'a mut [f32]) -> Option<Out<'a>> {
        let fused = self.fused.as_mut()?;
        let codes = (!fused.codes.is_empty()).then_some(&mut fused.codes[..]);
        let to = Activated {
            values: Some(values).filter(|_| fused.values.is_none()),
            codes,
            inside: &mut fused.inside,
        };
        Some(Out::Activated(fused.activate, to))
    }

    /// Starts the draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64, layer: usize) {
        if let Some(drawn) = &mut self.drawn {
            drawn.begin(seed, step, layer as u64);
        }
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: &[f32], y: &mut [f32]) {
        match &mut self.drawn {
            Some(drawn) if pass.mode.is_training() => drawn.tensor(self.extent.channels, x, y),
            _ => self.plan.forward(pass.kernels, self.extent.stride(), x, y),
        }
    }

    /// Whether the layer before it does its work.
    pub(crate) fn is_fused(&self) -> bool {
        self.fused.is_some()
    }

    /// Turns the gradient by the outputs into the one by the inputs `x`, which a fused one does not read.
    pub(crate) fn backward(&mut self, kernels: Kernels, x: &[f32], gradient: &mut [f32]) {
        match &self.fused {
            Some(fused) if fused.kept => {}
            Some(fused) => {
                if matches!(self.plan, Plan::RectifiedGrid(..)) {
                    kernels.keep_inside(&fused.inside, gradient);
                }
            }
            None => self
                .plan
                .backward(kernels, self.extent.stride(), x, gradient),
        }
    }
}
