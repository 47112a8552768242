//! Layers with a kernel in the training loop: dense, convolution, depthwise; a bias and a folded batch
//! normalisation where the layer has them.

use bitfront_kernel::{
    Buffer, CodeAffine, CodeValues, Kernels, Shape, Uniform, stride, suits_sparse,
};
use bitfront_network::Part;

use crate::channelwise::Channelwise;
use crate::extent::{Extent, Mode, Out, Pass, Read, Target};
use crate::fold::Folded;
use crate::parameter::Parameter;
use crate::window::Patches;

/// Which inputs meet which weights.
#[derive(Debug)]
pub(crate) enum Map {
    /// All channels of a position.
    Pointwise {
        /// Input channels.
        inner: usize,
        /// Output channels.
        columns: usize,
    },
    /// All channels under a window.
    Window(Box<Patches>),
    /// One channel under a window.
    Depthwise(Channelwise),
}

/// A layer with a kernel.
#[derive(Debug)]
pub(crate) struct Weighted {
    pub(crate) map: Map,
    /// Of the outputs.
    pub(crate) extent: Extent,
    pub(crate) kernel: Parameter,
    /// Its name among the layer's weights.
    pub(crate) part: Part,
    pub(crate) bias: Option<Parameter>,
    pub(crate) folded: Option<Folded>,
    /// The quantized kernel transposed (or packed, for a depthwise one).
    pub(crate) prepared: Buffer,
    /// Whether the gradient by the inputs is wanted.
    pub(crate) feeds_back: bool,
    /// The kernel's gradient transposed, for the batch, where zeros of a rectified grid behind the layer are left
    /// out of its products.
    pub(crate) turned: Option<Buffer>,
    /// The product on codes, where its input has them and the product of values is exact.
    pub(crate) codes: Option<CodeAffine>,
}

/// A product's values, stored or quantized at once.
pub(crate) fn affine(
    kernels: Kernels,
    shape: Shape,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    y: Out<'_>,
) {
    match y {
        Out::Values(y) => kernels.affine(shape, x, kernel, bias, y),
        Out::Activated(activate, to) => {
            kernels.affine_activated(shape, x, kernel, bias, activate, to);
        }
    }
}

/// A product of codes, stored or quantized at once.
pub(crate) fn affine_codes(
    kernels: Kernels,
    affine: &CodeAffine,
    rows: usize,
    codes: &[u8],
    y: Out<'_>,
) {
    match y {
        Out::Values(y) => affine.run(kernels, rows, codes, y),
        Out::Activated(activate, to) => affine.run_activated(kernels, rows, codes, activate, to),
    }
}

impl Map {
    /// Values of a prepared kernel.
    pub(crate) fn prepared_len(&self, kernel: &Parameter) -> usize {
        match self {
            Self::Depthwise(channelwise) => channelwise.packed_len(),
            _ => kernel.columns() * stride(kernel.rows()),
        }
    }

    /// Brings a kernel into the form that the passes read beside the kernel itself.
    fn prepare(
        &self,
        kernels: Kernels,
        feeds_back: bool,
        kernel: &Parameter,
        values: &[f32],
        to: &mut [f32],
    ) {
        match self {
            Self::Depthwise(channelwise) => channelwise.pack(values, to),
            _ if feeds_back => kernels.transpose(kernel.rows(), kernel.columns(), values, to),
            _ => {}
        }
    }

    /// Whether the gradient by the bias comes with that by the kernel.
    fn sums_gradients(&self) -> bool {
        matches!(self, Self::Window(patches) if patches.sums_gradients())
    }

    fn shape(inner: usize, columns: usize, rows: usize) -> Shape {
        Shape {
            rows,
            inner,
            columns,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a product and its operands")]
    fn forward(
        &mut self,
        pass: Pass,
        positions: usize,
        x: Read<'_>,
        kernel: &[f32],
        prepared: &[f32],
        bias: Option<&[f32]>,
        y: Out<'_>,
    ) {
        match (self, y) {
            (Self::Pointwise { inner, columns }, y) => {
                let shape = Self::shape(*inner, *columns, pass.samples * positions);
                affine(pass.kernels, shape, x.values, kernel, bias, y);
            }
            (Self::Window(patches), y) => patches.forward(pass, x, kernel, bias, y),
            (Self::Depthwise(channelwise), Out::Values(y)) => {
                channelwise.forward(pass, x.values, prepared, bias, y);
            }
            (Self::Depthwise(_), Out::Activated(..)) => {
                unreachable!("a depthwise layer quantizes nothing at once")
            }
        }
    }

    /// Adds to the gradient by the kernel, and to that by the bias in `sums` where [`Map::sums_gradients`], and gives the
    /// one by the inputs.
    #[allow(clippy::too_many_arguments, reason = "a product and its operands")]
    fn backward(
        &mut self,
        pass: Pass,
        positions: usize,
        x: Read<'_>,
        dy: &[f32],
        bits: Option<&[u16]>,
        dkernel: &mut [f32],
        sums: Option<&mut [f32]>,
        prepared: &[f32],
        target: Option<&mut Target<'_>>,
    ) {
        match self {
            Self::Pointwise { inner, columns } => {
                let (kernels, x) = (pass.kernels, x.values);
                if let Some(bits) = bits {
                    let shape = Self::shape(*inner, *columns, pass.samples * positions);
                    kernels.sparse_kernel_gradient(shape, x, dy, bits, dkernel);
                    if let Some(to) = target {
                        let (inside, dx) = (to.inside, &mut *to.gradient);
                        kernels.sparse_input_gradient(shape, dy, bits, prepared, inside, dx);
                    }
                    return;
                }
                let shape = Self::shape(*inner, *columns, pass.samples * positions);
                kernels.kernel_gradient(shape, x, dy, dkernel);
                let Some(target) = target else { return };
                if target.add {
                    let used = ..shape.rows * stride(*inner);
                    kernels.input_gradient(shape, dy, prepared, target.scratch);
                    crate::extent::add(&target.scratch[used], &mut target.gradient[used]);
                } else if let Some(inside) = target.inside {
                    let dx = &mut *target.gradient;
                    kernels.input_gradient_inside(shape, dy, prepared, inside, dx);
                } else {
                    kernels.input_gradient(shape, dy, prepared, target.gradient);
                }
            }
            Self::Window(patches) => {
                patches.backward(pass, x, dy, bits, dkernel, sums, prepared, target);
            }
            Self::Depthwise(channelwise) => {
                channelwise.backward(pass, x.values, dy, dkernel, prepared, target);
            }
        }
    }
}

impl Weighted {
    /// Whether it gives gradients by its inputs.
    pub(crate) fn feed_back(&mut self, wanted: bool) {
        self.feeds_back = wanted;
        if let (Map::Window(patches), true) = (&mut self.map, wanted) {
            patches.feed_back();
        }
    }

    /// Whether it can quantize its values at once.
    pub(crate) fn can_activate(&self) -> bool {
        !matches!(self.map, Map::Depthwise(_))
    }

    /// Whether it can leave out gradients that a quantizer before it would cut.
    pub(crate) fn can_keep_inside(&self) -> bool {
        !matches!(self.map, Map::Depthwise(_)) && self.folded.is_none()
    }

    /// Leaves out zeros of a rectified grid behind it from now on, where that pays.
    pub(crate) fn leave_out_zeros(&mut self) {
        let inner = match &self.map {
            Map::Pointwise { inner, .. } => *inner,
            Map::Window(patches) => patches.inner(),
            Map::Depthwise(_) => return,
        };
        if self.folded.is_none() && suits_sparse(inner) {
            self.turned = Some(Buffer::zeroed(self.extent.channels * stride(inner)));
            if let Map::Window(patches) = &mut self.map {
                patches.leave_out_zeros();
            }
        }
    }

    /// The product of codes of this grid, where it is that of values.
    fn product_of(&self, grid: Uniform) -> Option<CodeAffine> {
        let (inner, columns) = match &self.map {
            Map::Pointwise { inner, columns } => (*inner, *columns),
            Map::Window(patches) => (patches.inner(), self.extent.channels),
            Map::Depthwise(_) => return None,
        };
        let kernel = self.kernel.grid().filter(|_| self.folded.is_none());
        let bias = self.bias.as_ref().map(Parameter::grid);
        match (kernel, bias) {
            (Some(kernel), None) => CodeAffine::new(inner, columns, grid, kernel, None),
            (Some(kernel), Some(Some(bias))) => {
                CodeAffine::new(inner, columns, grid, kernel, Some(bias))
            }
            _ => None,
        }
    }

    /// Reads the network's input as codes of this grid from now on, if that is read in place.
    pub(crate) fn read_stored_codes(&mut self, grid: Uniform, values: CodeValues) {
        let product = self.product_of(grid);
        if let Map::Window(patches) = &mut self.map {
            self.codes = patches.read_stored_codes(product, values, values.code(0.0));
        }
    }

    /// Multiplies codes of this grid from now on; whether it can.
    pub(crate) fn read_codes(&mut self, grid: Uniform) -> bool {
        self.codes = self.product_of(grid);
        if let Map::Window(patches) = &mut self.map {
            let product = self.codes.take();
            self.codes = product.and_then(|product| patches.take_codes(product, -grid.low as u8));
        }
        self.codes.is_some()
    }

    /// Reads codes of `values` on the way back too from now on, where it leaves out zeros; whether it does.
    pub(crate) fn read_codes_back(&mut self, values: CodeValues) -> bool {
        let leaves_out = self.codes.is_some() && self.turned.is_some();
        match &mut self.map {
            Map::Window(patches) if leaves_out => patches.read_codes_back(values),
            _ => false,
        }
    }

    /// Whether the way back of a gradient with these bits reads codes alone.
    pub(crate) fn reads_codes_back(&self, pass: Pass, bits: Option<&[u16]>) -> bool {
        matches!(&self.map, Map::Window(patches) if patches.reads_codes_back(pass, bits))
    }

    /// Whether this pass folds by the statistics of its own batch.
    fn measures(&self, mode: Mode) -> bool {
        self.folded.is_some() && mode == Mode::Train
    }

    /// Fake-quantizes kernel and bias for the passes that follow.
    pub(crate) fn quantize(&mut self, kernels: Kernels, mode: Mode) {
        if self.measures(mode) {
            // Known only when the batch is; the unfolded kernel is what the statistics need.
            if let Some(folded) = &mut self.folded {
                let (kernel, to) = (&self.kernel, &mut folded.prepared);
                self.map
                    .prepare(kernels, self.feeds_back, kernel, &kernel.values, to);
            }
            return;
        }
        if self.folded.is_some() {
            self.fold(kernels, mode, false);
            return;
        }
        self.kernel.quantize(kernels, mode);
        if let Some(bias) = &mut self.bias {
            bias.quantize(kernels, mode);
        }
        self.prepare(kernels);
        if let Some(codes) = &mut self.codes {
            let bias = self.bias.as_ref().map(|bias| &*bias.quantized);
            codes.take(kernels, &self.kernel.quantized, bias);
        }
    }

    fn prepare(&mut self, kernels: Kernels) {
        let (kernel, to) = (&self.kernel, &mut self.prepared);
        self.map
            .prepare(kernels, self.feeds_back, kernel, &kernel.quantized, to);
    }

    /// Folds and quantizes.
    fn fold(&mut self, kernels: Kernels, mode: Mode, batch: bool) {
        let (Some(folded), Some(bias)) = (&mut self.folded, &mut self.bias) else {
            return;
        };
        folded.fold(&self.kernel.values, &bias.values, batch);
        self.kernel.quantize_from(kernels, mode, &folded.kernel);
        bias.quantize_from(kernels, mode, &folded.bias);
        self.prepare(kernels);
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: Read<'_>, y: Out<'_>) {
        let positions = self.extent.positions;
        if let (Some(affine), Some(codes)) = (&self.codes, x.codes) {
            match &mut self.map {
                Map::Window(patches) => patches.forward_codes(pass, codes, affine, y),
                _ => affine_codes(pass.kernels, affine, pass.samples * positions, codes, y),
            }
            return;
        }
        if self.measures(pass.mode)
            && let (Some(folded), Some(bias)) = (&mut self.folded, &self.bias)
        {
            let used = ..pass.samples * self.extent.padded();
            let (kernel, u) = (&self.kernel.values, Out::Values(&mut folded.unfolded));
            let bias = Some(&*bias.values);
            self.map
                .forward(pass, positions, x, kernel, &folded.prepared, bias, u);
            folded.statistics.measure(&folded.unfolded[used]);
            self.fold(pass.kernels, pass.mode, true);
        }
        let bias = self.bias.as_ref().map(|bias| &*bias.quantized);
        let kernel = &self.kernel.quantized;
        self.map
            .forward(pass, positions, x, kernel, &self.prepared, bias, y);
    }

    pub(crate) fn backward(
        &mut self,
        pass: Pass,
        x: Read<'_>,
        dy: &[f32],
        bits: Option<&[u16]>,
        mut target: Option<Target<'_>>,
    ) {
        let Extent {
            positions,
            channels,
        } = self.extent;
        let (gradient, bits) = match (&mut self.turned, bits) {
            (Some(turned), Some(bits)) => (turned, Some(bits)),
            _ => (&mut self.kernel.gradient, None),
        };
        let together = self.map.sums_gradients();
        let mut sums = self.bias.as_mut().map(|bias| &mut *bias.gradient);
        self.map.backward(
            pass,
            positions,
            x,
            dy,
            bits,
            gradient,
            sums.as_deref_mut().filter(|_| together),
            &self.prepared,
            target.as_mut(),
        );
        let rows = pass.samples * positions;
        if let Some(sums) = sums.filter(|_| !together) {
            pass.kernels.column_sums(rows, channels, dy, sums);
        }
        if self.measures(pass.mode)
            && let (Some(folded), Some(bias)) = (&mut self.folded, &mut self.bias)
        {
            self.kernel
                .straight_through_at(pass.kernels, &folded.kernel);
            bias.straight_through_at(pass.kernels, &folded.bias);
            folded.unfold(&mut self.kernel, bias, Some(rows));
            if let Some(target) = &mut target {
                target.add = true;
            }
            let (u, gradient) = (&folded.unfolded, &mut self.kernel.gradient);
            let prepared = &folded.prepared;
            self.map.backward(
                pass,
                positions,
                x,
                u,
                None,
                gradient,
                None,
                prepared,
                target.as_mut(),
            );
        }
    }

    /// Turns gradients by the quantized weights into gradients by the float ones, at a batch's end.
    pub(crate) fn straight_through(&mut self, kernels: Kernels, mode: Mode) {
        if self.measures(mode) {
            return;
        }
        if let Some(turned) = &mut self.turned {
            let (rows, columns) = (self.kernel.columns(), self.kernel.rows());
            kernels.transpose(rows, columns, turned, &mut self.kernel.gradient);
            turned.fill(0.0);
        }
        if let (Some(folded), Some(bias)) = (&mut self.folded, &mut self.bias) {
            self.kernel.straight_through_at(kernels, &folded.kernel);
            bias.straight_through_at(kernels, &folded.bias);
            folded.unfold(&mut self.kernel, bias, None);
            return;
        }
        self.kernel.straight_through(kernels);
        if let Some(bias) = &mut self.bias {
            bias.straight_through(kernels);
        }
    }
}
