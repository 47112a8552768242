//! One layer of the program as layers of Keras.

use bitfront_network::{
    Geometry, IntegerOperation, Interval, Linear, Operation, Padding, Part, Source, TensorFormat,
    Window,
};
use bitfront_quantizer::Quantizer;
use serde_json::{Map, Value, json};

use super::quantizers::{grid, text};
use super::{KerasLayer, Writer, plain};
use crate::constants::{Affine, constants};
use crate::scaled::{F32_BITS, Scaled, too_wide};

/// A kernel or bias as QKeras has it.
struct Constant {
    quantizer: String,
    values: Vec<f32>,
}

impl Writer<'_> {
    /// Adds what a layer becomes; answers with the name of the Keras layer that has its values.
    pub(super) fn layer(&mut self, index: usize) -> String {
        let program = self.program;
        let layer = &program.layers[index];
        let place = layer.name.as_str();
        let name = plain(place);
        let reads: Vec<String> = layer.sources.iter().map(|s| self.end(*s)).collect();
        let input = self.format(layer.sources[0]).clone();
        let rank = input.shape.len();
        let (class, config) = match &layer.operation {
            IntegerOperation::Linear(linear) => {
                return self.linear_layer(index, linear, &input, reads);
            }
            IntegerOperation::Separable {
                depthwise,
                between,
                pointwise,
            } => return self.separable(index, [depthwise, pointwise], between, &input, reads),
            IntegerOperation::Activation(_) => {
                let Operation::Activation { quantizer } = program.candidate.layers[index].operation
                else {
                    return self.unknown(index);
                };
                self.check(place, "sums", &input.range);
                return self.activation(place, name, &quantizer, reads[0].clone());
            }
            IntegerOperation::Affine { .. } => {
                // What a linear layer before it has taken is done.
                if let Source::Layer(before) = layer.sources[0]
                    && self.affine_behind(before) == Some(index)
                {
                    return reads[0].clone();
                }
                let reason = "is a normalisation that float arithmetic would round; accepted is \
                              one right behind a dense, convolution or depthwise layer that \
                              nothing else reads";
                self.refusals.add(place, reason);
                return name;
            }
            IntegerOperation::MaxPool(_) => {
                let Operation::MaxPool { window } = &program.candidate.layers[index].operation
                else {
                    return self.unknown(index);
                };
                pooling(["MaxPooling1D", "MaxPooling2D"], rank, window)
            }
            IntegerOperation::Mean { geometry, .. } => {
                let Some(mean) = self.mean(index, geometry, &input) else {
                    return name;
                };
                mean
            }
            IntegerOperation::Reshape if input.shape == layer.output.shape => {
                return reads[0].clone();
            }
            IntegerOperation::Reshape => ("Flatten", json!({})),
            IntegerOperation::ZeroPadding { border } if border.len() == 1 => {
                ("ZeroPadding1D", json!({"padding": border[0]}))
            }
            IntegerOperation::ZeroPadding { border } => {
                ("ZeroPadding2D", json!({"padding": border}))
            }
            IntegerOperation::Add { .. } => {
                self.check(
                    place,
                    "sums",
                    &[Interval {
                        lo: 0,
                        hi: self.most(index),
                    }],
                );
                ("Add", json!({}))
            }
            IntegerOperation::Concatenate => ("Concatenate", json!({"axis": -1})),
        };
        self.push(class, name, config, reads, Vec::new())
    }

    /// Refuses a layer that is written nowhere above, so that none is left out without a word.
    fn unknown(&mut self, index: usize) -> String {
        let layer = &self.program.candidate.layers[index];
        let reason = match &layer.operation {
            Operation::ChannelActivation { .. } => {
                "has a quantizer for each channel; accepted is one for the layer".to_owned()
            }
            other => format!("is a layer of kind {}, which has no form yet", other.kind()),
        };
        self.refusals.add(&layer.name, reason);
        plain(&layer.name)
    }

    /// A quantizer as a layer of its own.
    pub(super) fn activation(
        &mut self,
        place: &str,
        name: String,
        quantizer: &Quantizer,
        reads: String,
    ) -> String {
        let Some(text) = text(quantizer) else {
            let reason = format!(
                "has `{quantizer}`; accepted are quantized_bits, quantized_relu, binary and \
                 ternary that round to the nearest, with bits left of the point and a power of two \
                 as their scale, and ap_fixed with AP_RND_CONV and saturation"
            );
            self.refusals.add(place, reason);
            return name;
        };
        let config = json!({"activation": text});
        self.push("QActivation", name, config, vec![reads], Vec::new())
    }

    fn linear_layer(
        &mut self,
        index: usize,
        linear: &Linear,
        input: &TensorFormat,
        reads: Vec<String>,
    ) -> String {
        let program = self.program;
        let layer = &program.layers[index];
        let affine = self.affine_behind(index);
        let operation = &program.candidate.layers[index].operation;
        let affine = affine.and_then(|at| match &program.layers[at].operation {
            IntegerOperation::Affine {
                multiplier,
                product_shift,
                offset,
            } => Some(Affine {
                multiplier,
                product_shift,
                offset,
                output: &program.layers[at].output,
            }),
            _ => None,
        });
        let name = plain(&layer.name);
        let step = Step {
            place: &layer.name,
            linear,
            input,
            output: &layer.output,
            affine,
        };
        let Some([kernel, bias]) = self.constants(&step, (index, Part::Kernel)) else {
            return name;
        };
        match operation {
            Operation::Dense { units, .. } => {
                let config = json!({
                    "units": units, "activation": "linear",
                    "kernel_quantizer": kernel.quantizer, "bias_quantizer": bias.quantizer,
                });
                let weights = vec![
                    ("kernel", vec![linear.inputs, linear.outputs], kernel.values),
                    ("bias", vec![linear.outputs], bias.values),
                ];
                self.push("QDense", name, config, reads, weights)
            }
            Operation::Conv { window, .. } => {
                self.convolution(&layer.name, name, window, linear, [kernel, bias], reads)
            }
            Operation::DepthwiseConv {
                window, multiplier, ..
            } => self.depthwise(
                &layer.name,
                name,
                window,
                (*multiplier, linear),
                [kernel, bias],
                reads,
            ),
            _ => self.unknown(index),
        }
    }

    /// A separable layer as its two steps.
    fn separable(
        &mut self,
        index: usize,
        steps: [&Linear; 2],
        between: &TensorFormat,
        input: &TensorFormat,
        reads: Vec<String>,
    ) -> String {
        let program = self.program;
        let layer = &program.layers[index];
        let place = layer.name.as_str();
        let name = plain(place);
        let Operation::SeparableConv {
            multiplier, window, ..
        } = &program.candidate.layers[index].operation
        else {
            return self.unknown(index);
        };
        let step = |linear, input, output| Step {
            place,
            linear,
            input,
            output,
            affine: None,
        };
        let first = step(steps[0], input, between);
        let second = step(steps[1], between, &layer.output);
        let first = self.constants(&first, (index, Part::DepthwiseKernel));
        let second = self.constants(&second, (index, Part::PointwiseKernel));
        let (Some(first), Some(second)) = (first, second) else {
            return name;
        };
        let inner = format!("{name}_depthwise");
        let middle = self.depthwise(place, inner, window, (*multiplier, steps[0]), first, reads);
        let ones = vec![1; window.size.len()];
        let one = Window {
            size: ones.clone(),
            strides: ones.clone(),
            dilation: ones,
            padding: Padding::Valid,
        };
        self.convolution(place, name, &one, steps[1], second, vec![middle])
    }

    fn convolution(
        &mut self,
        place: &str,
        name: String,
        window: &Window,
        linear: &Linear,
        [kernel, bias]: [Constant; 2],
        reads: Vec<String>,
    ) -> String {
        self.check_window(place, window);
        let mut config = window_settings(window);
        config.extend(settings(json!({
            "filters": linear.outputs, "use_bias": true, "activation": "linear",
            "kernel_quantizer": kernel.quantizer, "bias_quantizer": bias.quantizer,
        })));
        let shape = [&window.size[..], &[linear.inputs, linear.outputs]].concat();
        let weights = vec![
            ("kernel", shape, kernel.values),
            ("bias", vec![linear.outputs], bias.values),
        ];
        let class = ["QConv1D", "QConv2D"][window.size.len() - 1];
        self.push(class, name, config.into(), reads, weights)
    }

    fn depthwise(
        &mut self,
        place: &str,
        name: String,
        window: &Window,
        (multiplier, linear): (usize, &Linear),
        [kernel, bias]: [Constant; 2],
        reads: Vec<String>,
    ) -> String {
        self.check_window(place, window);
        if window.size.len() != 2 || window.strides.windows(2).any(|pair| pair[0] != pair[1]) {
            let reason = "is a depthwise convolution that QKeras has not; accepted are those of \
                          images with equal strides";
            self.refusals.add(place, reason);
            return name;
        }
        let mut config = window_settings(window);
        config.extend(settings(json!({
            "depth_multiplier": multiplier, "use_bias": true, "activation": "linear",
            "depthwise_quantizer": kernel.quantizer, "bias_quantizer": bias.quantizer,
        })));
        let shape = [&window.size[..], &[linear.inputs, multiplier]].concat();
        let weights = vec![
            ("depthwise_kernel", shape, kernel.values),
            ("bias", vec![linear.outputs], bias.values),
        ];
        self.push("QDepthwiseConv2D", name, config.into(), reads, weights)
    }

    /// Kernel and bias of a step, whose trained kernel is part `part` of layer `index`; nothing if they are refused.
    fn constants(
        &mut self,
        step: &Step<'_>,
        (index, part): (usize, Part),
    ) -> Option<[Constant; 2]> {
        self.check(step.place, "sums", &step.sums());
        let found = constants(step.linear, step.input, step.output, step.affine);
        let (kernel, bias) = match found {
            Ok(found) => found,
            Err(bits) => {
                self.refusals.add(step.place, too_wide(bits));
                return None;
            }
        };
        // The first step of a separable layer has no bias of its own.
        let bias_part = (part != Part::DepthwiseKernel).then_some(Part::Bias);
        let kernel = self.constant(step, &kernel, (index, Some(part)))?;
        let bias = self.constant(step, &bias, (index, bias_part))?;
        Some([kernel, bias])
    }

    fn constant(
        &mut self,
        step: &Step<'_>,
        numbers: &Scaled,
        (index, part): (usize, Option<Part>),
    ) -> Option<Constant> {
        if let Some(reason) = numbers.refusal() {
            self.refusals.add(step.place, reason);
            return None;
        }
        let values = numbers.values();
        let kept = part.and_then(|part| self.kept(index, part, &values));
        Some(kept.unwrap_or_else(|| Constant {
            quantizer: grid(numbers.width(), numbers.exponent),
            values,
        }))
    }

    /// The trained weights with their own quantizer, where QKeras makes `values` of them.
    fn kept(&self, index: usize, part: Part, values: &[f32]) -> Option<Constant> {
        let quantizers = self.program.candidate.layers[index].operation.quantizers();
        let own = quantizers
            .iter()
            .find(|(place, _)| place.part == Some(part));
        let (_, quantizer) = own?;
        let text = text(quantizer)?;
        let trained = self.trained.weights.part(index, part);
        let mut quantized = vec![0.0; trained.len()];
        // With a fixed scale the number of columns is no matter.
        quantizer.quantize(trained, trained.len().max(1), &mut quantized);
        (quantized == values).then(|| Constant {
            quantizer: text,
            values: trained.to_vec(),
        })
    }

    fn mean(
        &mut self,
        index: usize,
        geometry: &Geometry,
        input: &TensorFormat,
    ) -> Option<(&'static str, Value)> {
        let layer = &self.program.layers[index];
        let taps = geometry.taps();
        if geometry.reads_border() || !taps.is_power_of_two() {
            let reason = format!(
                "takes means of {taps} values{}, which float arithmetic rounds; accepted are \
                 powers of two inside of the input",
                if geometry.reads_border() {
                    " over a border"
                } else {
                    ""
                }
            );
            self.refusals.add(&layer.name, reason);
            return None;
        }
        let magnitude = |range: &Interval| range.hi.max(-range.lo) * taps as i64;
        let most = input.range.iter().map(magnitude).max().unwrap_or(0);
        self.check(&layer.name, "sums", &[Interval { lo: 0, hi: most }]);
        let rank = input.shape.len();
        let operation = &self.program.candidate.layers[index].operation;
        if let Operation::AveragePool { window, .. } = operation {
            let classes = ["AveragePooling1D", "AveragePooling2D"];
            return Some(pooling(classes, rank, window));
        }
        let classes = ["GlobalAveragePooling1D", "GlobalAveragePooling2D"];
        Some((classes[rank - 2], json!({})))
    }

    /// Largest magnitude of a sum of tensors, in steps of the sum.
    fn most(&self, index: usize) -> i64 {
        let layer = &self.program.layers[index];
        let channel = |c: usize| {
            let sources = layer.sources.iter().map(|source| {
                let format = self.format(*source);
                let wide = i128::from(format.range[c].hi.max(-format.range[c].lo));
                wide << (layer.output.fraction[c] - format.fraction[c]).clamp(0, 60)
            });
            i64::try_from(sources.sum::<i128>()).unwrap_or(i64::MAX)
        };
        (0..layer.output.channels()).map(channel).max().unwrap_or(0)
    }

    /// Refuses sums that f32 does not hold.
    fn check(&mut self, place: &str, what: &str, ranges: &[Interval]) {
        let hull = ranges.iter().copied().reduce(Interval::hull);
        let magnitude = hull.map_or(0, |range| range.hi.max(-range.lo));
        if magnitude > 1 << F32_BITS {
            let reason = format!(
                "has {what} of up to {magnitude} steps; accepted are 2^{F32_BITS}, which f32 holds"
            );
            self.refusals.add(place, reason);
        }
    }

    fn check_window(&mut self, place: &str, window: &Window) {
        let more = |list: &[usize]| list.iter().any(|entry| *entry > 1);
        if more(&window.strides) && more(&window.dilation) {
            let reason = "has strides and dilation; Keras accepts one of them above 1";
            self.refusals.add(place, reason);
        }
    }

    fn push(
        &mut self,
        class: &'static str,
        name: String,
        config: Value,
        reads: Vec<String>,
        weights: Vec<(&'static str, Vec<usize>, Vec<f32>)>,
    ) -> String {
        let mut config = settings(config);
        config.insert("name".into(), json!(name));
        self.layers.push(KerasLayer {
            class,
            name: name.clone(),
            config: config.into(),
            reads,
            weights,
        });
        name
    }
}

/// Sums of products with what surrounds them.
struct Step<'a> {
    place: &'a str,
    linear: &'a Linear,
    input: &'a TensorFormat,
    output: &'a TensorFormat,
    affine: Option<Affine<'a>>,
}

impl Step<'_> {
    /// Ranges that hold every partial sum, in steps of the result.
    fn sums(&self) -> Vec<Interval> {
        let own = self.linear.accumulator_range.iter().zip(&self.output.range);
        let own = own.map(|(partial, sum)| partial.hull(*sum));
        let Some(affine) = self.affine else {
            return own.collect();
        };
        let scaled = own.enumerate().map(|(j, range)| {
            let wide = i128::from(range.hi.max(-range.lo)) * i128::from(affine.multiplier[j].abs());
            let wide = wide << affine.product_shift[j].min(40);
            let wide = wide + i128::from(affine.offset[j].abs());
            Interval {
                lo: 0,
                hi: i64::try_from(wide).unwrap_or(i64::MAX),
            }
        });
        scaled.collect()
    }
}

fn settings(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn padding(window: &Window) -> &'static str {
    match window.padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
    }
}

fn window_settings(window: &Window) -> Map<String, Value> {
    settings(json!({
        "kernel_size": window.size, "strides": window.strides,
        "dilation_rate": window.dilation, "padding": padding(window),
    }))
}

fn pooling(classes: [&'static str; 2], rank: usize, window: &Window) -> (&'static str, Value) {
    let config = json!({
        "pool_size": window.size, "strides": window.strides, "padding": padding(window),
    });
    (classes[rank - 2], config)
}
