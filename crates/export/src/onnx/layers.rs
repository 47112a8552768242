//! One layer as nodes.

use bitfront_network::{
    Geometry, IntegerOperation, Interval, Linear, Operation, Taps, TensorFormat,
};
use bitfront_quantizer::{FixedRounding, Overflow, Quantizer};

use super::builder::Dialect;
use super::{Writer, channels_first, plain};
use crate::constants::constants;
use crate::scaled::{Scaled, too_wide};
use bitfront_onnx::Attribute;

impl Writer<'_> {
    /// Adds a layer's nodes; answers with the tensor of its values.
    pub(super) fn layer(&mut self, index: usize) -> String {
        let program = self.program;
        let layer = &program.layers[index];
        let place = layer.name.as_str();
        let name = plain(place);
        let sources: Vec<String> = layer.sources.iter().map(|s| self.tensor(*s)).collect();
        let input = self.format(layer.sources[0]).clone();
        let x = sources[0].clone();
        let twice = (1..sources.len()).any(|at| sources[..at].contains(&sources[at]));
        if twice && self.builder.dialect == Dialect::Qonnx {
            let reason = "reads one tensor twice, which `qonnx` loses when it cleans a graph up; \
                          accepted are tensors that differ";
            self.builder.refusals.add(place, reason);
        }
        let output = &layer.output;
        match &layer.operation {
            IntegerOperation::Linear(linear) => {
                self.linear(place, &name, linear, &input, output, x)
            }
            IntegerOperation::Separable {
                depthwise,
                between,
                pointwise,
            } => {
                let first = format!("{name}_depthwise");
                let middle = self.linear(place, &first, depthwise, &input, between, x);
                self.linear(place, &name, pointwise, between, output, middle)
            }
            IntegerOperation::MaxPool(window) => {
                let attributes = window_attributes(window, input.shape.len());
                self.builder.node(&name, "MaxPool", vec![x], attributes)
            }
            IntegerOperation::Mean {
                geometry,
                reciprocal,
            } => self.mean(place, &name, geometry, reciprocal, &input, output, x),
            IntegerOperation::Reshape if input.shape == output.shape => x,
            IntegerOperation::Reshape => {
                let rank = input.shape.len() as i64;
                let order = std::iter::once(0).chain(2..=rank).chain([1]).collect();
                let order = vec![Attribute::numbers("perm", order)];
                let last = self
                    .builder
                    .node(&format!("{name}_last"), "Transpose", vec![x], order);
                let batch = if self.builder.dialect == Dialect::Plain {
                    -1
                } else {
                    1
                };
                let shape = [batch, output.size() as i64];
                let shape = self.builder.integers(&format!("{name}_shape"), &shape);
                self.builder
                    .node(&name, "Reshape", vec![last, shape], Vec::new())
            }
            IntegerOperation::ZeroPadding { border } => {
                let ends = |end: usize| border.iter().map(move |axis| axis[end] as i64);
                let pads = [0, 0]
                    .into_iter()
                    .chain(ends(0))
                    .chain([0, 0])
                    .chain(ends(1));
                let pads = self
                    .builder
                    .integers(&format!("{name}_pads"), &pads.collect::<Vec<_>>());
                self.builder.node(&name, "Pad", vec![x, pads], Vec::new())
            }
            IntegerOperation::Affine {
                multiplier,
                product_shift,
                offset,
            } => {
                let spread = |c: usize| output.fraction[c] - input.fraction[c];
                // The program's product is `x * multiplier << shift` in units of the output.
                let exponent = |c: usize| product_shift[c] as i32 - spread(c);
                let factors = self.scaled(place, multiplier, exponent);
                let offsets = self.scaled(place, offset, |c| -output.fraction[c]);
                self.check(place, "values", &output.range);
                let products = products(output, offset);
                self.check(place, "products", &products);
                let shape = spread_shape(input.shape.len(), multiplier.len());
                let by = self
                    .builder
                    .constant(place, &format!("{name}_scale"), &shape, &factors);
                let scaled =
                    self.builder
                        .node(&format!("{name}_product"), "Mul", vec![x, by], Vec::new());
                let by = self
                    .builder
                    .constant(place, &format!("{name}_offset"), &shape, &offsets);
                self.builder
                    .node(&name, "Add", vec![scaled, by], Vec::new())
            }
            IntegerOperation::Add { .. } => {
                self.check(
                    place,
                    "sums",
                    &sum_ranges(layer.sources.iter().map(|s| self.format(*s)), output),
                );
                let mut sum = x;
                for (n, source) in sources.iter().enumerate().skip(1) {
                    let own = if n + 1 == sources.len() {
                        name.clone()
                    } else {
                        format!("{name}_{n}")
                    };
                    sum = self
                        .builder
                        .node(&own, "Add", vec![sum, source.clone()], Vec::new());
                }
                sum
            }
            IntegerOperation::Concatenate => {
                let axis = vec![Attribute::number("axis", 1)];
                self.builder.node(&name, "Concat", sources, axis)
            }
            IntegerOperation::Activation(_) => {
                let quantizer = match &program.candidate.layers[index].operation {
                    Operation::Activation { quantizer } => *quantizer,
                    Operation::ChannelActivation { .. } => {
                        let reason = "has a quantizer for each channel; accepted is one for all";
                        self.builder.refusals.add(place, reason.to_owned());
                        return x;
                    }
                    _ => return x,
                };
                let Ok(grid) = quantizer.grid(bitfront_quantizer::Role::Activation) else {
                    return x;
                };
                let range = Interval {
                    lo: grid.lo,
                    hi: grid.hi,
                };
                self.check(place, "sums", &input.range);
                self.put_on_grid(place, &name, x, quantizer, (grid.fraction, range))
            }
        }
    }

    /// Codes with their exponents on a common grid.
    fn scaled(&mut self, place: &str, codes: &[i64], exponents: impl Fn(usize) -> i32) -> Scaled {
        Scaled::of(codes, exponents).unwrap_or_else(|bits| {
            self.builder.refusals.add(place, too_wide(bits));
            Scaled {
                codes: vec![0; codes.len()],
                exponent: 0,
            }
        })
    }

    /// Values rounded to a grid and clipped to it.
    pub(super) fn put_on_grid(
        &mut self,
        place: &str,
        name: &str,
        x: String,
        quantizer: Quantizer,
        (fraction, range): (i32, Interval),
    ) -> String {
        let floor = match quantizer {
            Quantizer::Fixed(fixed) => {
                fixed.rounding == FixedRounding::Trn
                    && matches!(fixed.overflow, Overflow::Sat | Overflow::SatSym)
            }
            _ => false,
        };
        if !(quantizer.is_uniform() || floor) {
            let reason = format!(
                "has `{quantizer}`; accepted are grids that round to the nearest, ties to even, or \
                 down, and clip"
            );
            self.builder.refusals.add(place, reason);
            return x;
        }
        if fraction.abs() > 100 {
            let reason = format!("has steps of 2^{}; accepted are 2^-100 to 2^100", -fraction);
            self.builder.refusals.add(place, reason);
        }
        let Interval { lo, hi } = range;
        if self.builder.dialect == Dialect::Plain {
            let builder = &mut self.builder;
            let up = builder.floats(&format!("{name}_up"), &[], &[2f32.powi(fraction)]);
            let steps = builder.node(&format!("{name}_steps"), "Mul", vec![x, up], Vec::new());
            let kind = if floor { "Floor" } else { "Round" };
            let whole = builder.node(&format!("{name}_whole"), kind, vec![steps], Vec::new());
            let low = builder.floats(&format!("{name}_low"), &[], &[lo as f32]);
            let high = builder.floats(&format!("{name}_high"), &[], &[hi as f32]);
            let codes = builder.node(
                &format!("{name}_codes"),
                "Clip",
                vec![whole, low, high],
                Vec::new(),
            );
            let down = builder.floats(&format!("{name}_down"), &[], &[2f32.powi(-fraction)]);
            return builder.node(name, "Mul", vec![codes, down], Vec::new());
        }
        let bits = 65 - hi.unsigned_abs().max((-lo).unsigned_abs()).leading_zeros();
        let power = |bits: u32| 1i64 << bits;
        let grid = if lo == 0 && hi == power(bits - 1) - 1 && hi > 0 {
            Some((bits - 1, false, false))
        } else if bits >= 2 && hi == power(bits - 1) - 1 && lo == -hi {
            Some((bits, true, true))
        } else if bits >= 3 && hi == power(bits - 2) - 1 && lo == -hi - 1 {
            Some((bits - 1, true, false))
        } else {
            None
        };
        let Some(grid) = grid else {
            let reason = format!(
                "has `{quantizer}` with the codes {lo} to {hi}; accepted are whole widths: 0 to \
                 2^n - 1, -2^n to 2^n - 1, or one less below"
            );
            self.builder.refusals.add(place, reason);
            return x;
        };
        let mode = if floor { "FLOOR" } else { "ROUND" };
        let mut x = x;
        if matches!(quantizer, Quantizer::QuantizedRelu(_)) {
            x = self
                .builder
                .node(&format!("{name}_relu"), "Relu", vec![x], Vec::new());
        }
        self.builder.quant(name, x, -fraction, grid, mode)
    }

    /// Sums of products and their bias.
    fn linear(
        &mut self,
        place: &str,
        name: &str,
        linear: &Linear,
        input: &TensorFormat,
        output: &TensorFormat,
        x: String,
    ) -> String {
        self.check(place, "sums", &linear.accumulator_range);
        self.check(place, "sums", &output.range);
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let (kernel, bias) = constants(linear, input, output, None).unwrap_or_else(|bits| {
            self.builder.refusals.add(place, too_wide(bits));
            let zero = |count: usize| Scaled {
                codes: vec![0; count],
                exponent: 0,
            };
            (zero(linear.kernel.len()), zero(outputs))
        });
        let (kernel_name, bias_name) = (format!("{name}_kernel"), format!("{name}_bias"));
        let sums = match linear.taps {
            Taps::Dense => {
                let rank = input.shape.len() as i64;
                let kernel =
                    self.builder
                        .constant(place, &kernel_name, &[inputs, outputs], &kernel);
                let to_last = std::iter::once(0).chain(2..=rank).chain([1]).collect();
                let to_first = [0, rank].into_iter().chain(1..rank).collect();
                let x = self.turned(rank, &format!("{name}_last"), x, to_last);
                let product = format!("{name}_sums");
                let sums = self
                    .builder
                    .node(&product, "MatMul", vec![x, kernel], Vec::new());
                self.turned(rank, &format!("{name}_first"), sums, to_first)
            }
            Taps::Window(window) | Taps::Depthwise(window) => {
                let depthwise = matches!(linear.taps, Taps::Depthwise(_));
                let (shape, kernel) = conv_kernel(&window, depthwise, linear, input, &kernel);
                let kernel = self.builder.constant(place, &kernel_name, &shape, &kernel);
                let mut attributes = conv_attributes(&window, input.shape.len());
                let group = if depthwise { inputs as i64 } else { 1 };
                attributes.push(Attribute::number("group", group));
                self.builder
                    .node(&format!("{name}_sums"), "Conv", vec![x, kernel], attributes)
            }
        };
        if bias.codes.iter().all(|code| *code == 0) {
            return sums;
        }
        let shape = spread_shape(output.shape.len(), outputs);
        let bias = self.builder.constant(place, &bias_name, &shape, &bias);
        self.builder.node(name, "Add", vec![sums, bias], Vec::new())
    }

    /// Axes in another order, where there are several.
    fn turned(&mut self, rank: i64, name: &str, x: String, order: Vec<i64>) -> String {
        if rank == 1 {
            return x;
        }
        let order = vec![Attribute::numbers("perm", order)];
        self.builder.node(name, "Transpose", vec![x], order)
    }

    #[expect(clippy::too_many_arguments, reason = "a mean has that many parts")]
    fn mean(
        &mut self,
        place: &str,
        name: &str,
        window: &Geometry,
        reciprocal: &[i64],
        input: &TensorFormat,
        output: &TensorFormat,
        x: String,
    ) -> String {
        let taps = window.taps();
        if window.reads_border() {
            let reason = "takes means of windows with a border; accepted are windows inside";
            self.builder.refusals.add(place, reason);
            return x;
        }
        let factor = reciprocal.get(taps).copied().unwrap_or(0);
        let magnitude = |range: &Interval| range.hi.max(-range.lo) * taps as i64;
        let most = input.range.iter().map(magnitude).max().unwrap_or(0);
        self.check(place, "sums", &[Interval { lo: 0, hi: most }]);
        self.check(place, "means", &output.range);
        let channels = input.channels();
        let kernel = self.scaled(place, &vec![factor; taps * channels], |at| {
            let c = at / taps;
            input.fraction[c] - output.fraction[c]
        });
        let mut shape = vec![channels, 1];
        shape.extend(kernel_axes(window, input.shape.len()));
        let kernel = self
            .builder
            .constant(place, &format!("{name}_kernel"), &shape, &kernel);
        let mut attributes = conv_attributes(window, input.shape.len());
        attributes.push(Attribute::number("group", channels as i64));
        let means = self.builder.node(
            &format!("{name}_means"),
            "Conv",
            vec![x, kernel],
            attributes,
        );
        if output.shape.len() == input.shape.len() {
            return means;
        }
        let batch = if self.builder.dialect == Dialect::Plain {
            -1
        } else {
            1
        };
        let shape = [batch, channels as i64];
        let shape = self.builder.integers(&format!("{name}_shape"), &shape);
        self.builder
            .node(name, "Reshape", vec![means, shape], Vec::new())
    }
}

/// A kernel in the order `[outputs, inputs, taps]`.
fn conv_kernel(
    window: &Geometry,
    depthwise: bool,
    linear: &Linear,
    input: &TensorFormat,
    kernel: &Scaled,
) -> (Vec<usize>, Scaled) {
    let (inputs, outputs, taps) = (linear.inputs, linear.outputs, window.taps());
    let each = if depthwise { 1 } else { inputs };
    let mut codes = Vec::with_capacity(kernel.codes.len());
    for j in 0..outputs {
        for i in 0..each {
            for tap in 0..taps {
                codes.push(kernel.codes[(tap * each + i) * outputs + j]);
            }
        }
    }
    let mut shape = vec![outputs, each];
    shape.extend(kernel_axes(window, input.shape.len()));
    let exponent = kernel.exponent;
    (shape, Scaled { codes, exponent })
}

/// The window's axes for tensors of so many axes, channels counted.
fn axes(window: &Geometry, rank: usize) -> Vec<bitfront_network::Axis> {
    if rank > 2 {
        vec![window.rows, window.columns]
    } else {
        vec![window.columns]
    }
}

fn kernel_axes(window: &Geometry, rank: usize) -> Vec<usize> {
    axes(window, rank).iter().map(|axis| axis.size).collect()
}

fn window_attributes(window: &Geometry, rank: usize) -> Vec<Attribute> {
    let axes = axes(window, rank);
    let list = |of: &dyn Fn(&bitfront_network::Axis) -> i64| axes.iter().map(of).collect();
    let behind = |axis: &bitfront_network::Axis| {
        let reach = (axis.output - 1) * axis.stride + (axis.size - 1) * axis.dilation + 1;
        reach.saturating_sub(axis.before + axis.input) as i64
    };
    let mut pads: Vec<i64> = list(&|axis| axis.before as i64);
    pads.extend(axes.iter().map(behind));
    vec![
        Attribute::numbers("kernel_shape", list(&|axis| axis.size as i64)),
        Attribute::numbers("strides", list(&|axis| axis.stride as i64)),
        Attribute::numbers("pads", pads),
    ]
}

fn conv_attributes(window: &Geometry, rank: usize) -> Vec<Attribute> {
    let mut attributes = window_attributes(window, rank);
    let dilations = axes(window, rank)
        .into_iter()
        .map(|axis| axis.dilation as i64);
    attributes.push(Attribute::numbers("dilations", dilations.collect()));
    attributes
}

/// The shape of a number a channel beside tensors of so many axes, channels counted. Beside images it has the axis of
/// rows too: tools that turn these channels-last would put it there by nodes that not all readers know.
fn spread_shape(rank: usize, channels: usize) -> Vec<usize> {
    let mut shape = vec![1; rank];
    shape[rank - 1] = channels;
    let mut shape = channels_first(&shape);
    if rank > 1 {
        shape.insert(0, 1);
    }
    shape
}

/// Ranges of values before their offset.
fn products(output: &TensorFormat, offset: &[i64]) -> Vec<Interval> {
    let channels = output.range.iter().zip(offset);
    channels
        .map(|(range, offset)| Interval {
            lo: range.lo.saturating_sub(*offset),
            hi: range.hi.saturating_sub(*offset),
        })
        .collect()
}

/// Ranges that hold every partial sum of tensors, in steps of the sum.
fn sum_ranges<'a>(
    sources: impl Iterator<Item = &'a TensorFormat>,
    output: &TensorFormat,
) -> Vec<Interval> {
    let mut total = vec![0i64; output.channels()];
    for source in sources {
        let channels = source
            .range
            .iter()
            .zip(&source.fraction)
            .zip(&output.fraction);
        for (sum, ((range, own), common)) in total.iter_mut().zip(channels) {
            let magnitude = i128::from(range.hi.max(-range.lo));
            let wide = magnitude << (common - own).clamp(0, 60);
            *sum = sum.saturating_add(i64::try_from(wide).unwrap_or(i64::MAX));
        }
    }
    total.into_iter().map(|hi| Interval { lo: 0, hi }).collect()
}
