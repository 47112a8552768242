//! Convolutions and pooling against references written out by hand: padded images, plain loops.
//!
//! All numbers are small integers, so every sum is exact and the order does not matter.

#[expect(dead_code, reason = "each test binary uses its part of the generators")]
mod common;

use bitfront_network::{
    Candidate, ForwardPrecision, Head, Layer, LayerWeights, Operation, Padding, Part, Weights,
    Window, forward,
};
use bitfront_quantizer::Quantizer;
use common::Random;

fn quantizer(text: &str) -> Quantizer {
    text.parse().expect("accepted")
}

fn network(input_shape: Vec<usize>, input: &str, operations: Vec<Operation>) -> Candidate {
    let layer = |(index, operation)| Layer::new(format!("layer{index}"), operation);
    let candidate = Candidate {
        input_shape,
        input_quantizer: quantizer(input),
        layers: operations.into_iter().enumerate().map(layer).collect(),
        head: Head::Linear,
        scale_bits: 12,
    };
    assert_eq!(candidate.check(), Ok(()));
    candidate
}

/// An image with a border of `fill` as Keras pads it for a window.
struct Padded {
    height: usize,
    width: usize,
    channels: usize,
    values: Vec<Option<f64>>,
}

impl Padded {
    fn at(&self, y: usize, x: usize, c: usize) -> Option<f64> {
        self.values[(y * self.width + x) * self.channels + c]
    }
}

/// Keras' rule: outputs are `ceil(input / stride)`, the smaller half of the border comes first.
fn padded(image: &[f32], [height, width, channels]: [usize; 3], window: &Window) -> Padded {
    let border = |at: usize, input: usize| {
        if window.padding == Padding::Valid {
            return (0, 0);
        }
        let (stride, reach) = (
            window.strides[at],
            (window.size[at] - 1) * window.dilation[at] + 1,
        );
        let output = input.div_ceil(stride);
        let total = ((output - 1) * stride + reach).saturating_sub(input);
        (total / 2, total - total / 2)
    };
    let (top, bottom) = border(0, height);
    let (left, right) = border(1, width);
    let (tall, wide) = (top + height + bottom, left + width + right);
    let mut values = vec![None; tall * wide * channels];
    for y in 0..height {
        for x in 0..width {
            for c in 0..channels {
                let to = ((y + top) * wide + x + left) * channels + c;
                values[to] = Some(f64::from(image[(y * width + x) * channels + c]));
            }
        }
    }
    Padded {
        height: tall,
        width: wide,
        channels,
        values,
    }
}

/// Slides a window over an image; `reduce` sees each channel's values in it, row by row.
fn slide(
    image: &Padded,
    window: &Window,
    mut reduce: impl FnMut(&dyn Fn(usize) -> Vec<Option<f64>>),
) {
    let reach = |at: usize| (window.size[at] - 1) * window.dilation[at];
    let mut y = 0;
    while y + reach(0) < image.height {
        let mut x = 0;
        while x + reach(1) < image.width {
            reduce(&|channel| {
                let mut under = Vec::new();
                for i in 0..window.size[0] {
                    for j in 0..window.size[1] {
                        let (y, x) = (y + i * window.dilation[0], x + j * window.dilation[1]);
                        under.push(image.at(y, x, channel));
                    }
                }
                under
            });
            x += window.strides[1];
        }
        y += window.strides[0];
    }
}

fn whole(random: &mut Random) -> f32 {
    random.below(17) as f32 - 8.0
}

/// The reference's values of one windowed operation.
fn reference(
    operation: &Operation,
    image: &[f32],
    shape: [usize; 3],
    weights: &LayerWeights,
) -> Vec<f64> {
    let channels = shape[2];
    let part =
        |part: Part| -> Vec<f64> { weights.part(part).iter().map(|v| f64::from(*v)).collect() };
    let bias = part(Part::Bias);
    let mut values = Vec::new();
    match operation {
        Operation::Conv {
            filters, window, ..
        } => {
            let kernel = part(Part::Kernel);
            slide(&padded(image, shape, window), window, |under| {
                for f in 0..*filters {
                    let mut sum = bias.get(f).copied().unwrap_or(0.0);
                    for c in 0..channels {
                        for (tap, x) in under(c).into_iter().enumerate() {
                            sum += x.unwrap_or(0.0) * kernel[(tap * channels + c) * filters + f];
                        }
                    }
                    values.push(sum);
                }
            });
        }
        Operation::DepthwiseConv {
            multiplier, window, ..
        } => {
            let kernel = part(Part::Kernel);
            slide(&padded(image, shape, window), window, |under| {
                for c in 0..channels {
                    for m in 0..*multiplier {
                        let mut sum = bias.get(c * multiplier + m).copied().unwrap_or(0.0);
                        for (tap, x) in under(c).into_iter().enumerate() {
                            sum += x.unwrap_or(0.0) * kernel[(tap * channels + c) * multiplier + m];
                        }
                        values.push(sum);
                    }
                }
            });
        }
        Operation::SeparableConv {
            filters,
            multiplier,
            window,
            ..
        } => {
            let (first, second) = (part(Part::DepthwiseKernel), part(Part::PointwiseKernel));
            slide(&padded(image, shape, window), window, |under| {
                let mut sums: Vec<f64> = (0..*filters)
                    .map(|f| bias.get(f).copied().unwrap_or(0.0))
                    .collect();
                for c in 0..channels {
                    for m in 0..*multiplier {
                        let mut between = 0.0;
                        for (tap, x) in under(c).into_iter().enumerate() {
                            between +=
                                x.unwrap_or(0.0) * first[(tap * channels + c) * multiplier + m];
                        }
                        for (f, sum) in sums.iter_mut().enumerate() {
                            *sum += between * second[(c * multiplier + m) * filters + f];
                        }
                    }
                }
                values.extend(sums);
            });
        }
        Operation::MaxPool { window } => {
            slide(&padded(image, shape, window), window, |under| {
                for c in 0..channels {
                    values.push(
                        under(c)
                            .into_iter()
                            .flatten()
                            .fold(f64::NEG_INFINITY, f64::max),
                    );
                }
            });
        }
        Operation::AveragePool { window, .. } => {
            slide(&padded(image, shape, window), window, |under| {
                for c in 0..channels {
                    let inside: Vec<f64> = under(c).into_iter().flatten().collect();
                    values.push(inside.iter().sum::<f64>() / inside.len() as f64);
                }
            });
        }
        _ => unreachable!("operations with a window"),
    }
    values
}

#[test]
fn windows_slide_as_written_out() {
    let mut random = Random(11);
    let float = || quantizer("float");
    let mut compared = [0usize; 5];
    for _ in 0..4000 {
        let shape = [random.up_to(7), random.up_to(7), random.up_to(3)];
        let pool = random.chance(40);
        let pair = |random: &mut Random, most: usize| vec![random.up_to(most), random.up_to(most)];
        let window = Window {
            size: pair(&mut random, 4),
            strides: pair(&mut random, 3),
            dilation: if pool {
                vec![1, 1]
            } else {
                pair(&mut random, 3)
            },
            padding: [Padding::Valid, Padding::Same][random.below(2)],
        };
        let bias = random.chance(50).then(float);
        let (filters, multiplier) = (random.up_to(3), random.up_to(3));
        let (kernel, fold) = (float(), None);
        let which = if pool {
            3 + random.below(2)
        } else {
            random.below(3)
        };
        let operation = match which {
            0 => Operation::Conv {
                filters,
                window,
                kernel,
                bias,
                fold,
            },
            1 => Operation::DepthwiseConv {
                multiplier,
                window,
                kernel,
                bias,
                fold,
            },
            2 => Operation::SeparableConv {
                filters,
                multiplier,
                window,
                depthwise_kernel: kernel,
                pointwise_kernel: kernel,
                bias,
            },
            3 => Operation::MaxPool { window },
            _ => Operation::AveragePool {
                window,
                reciprocal_bits: 3,
            },
        };
        if operation.output_shape(&[&shape]).is_err() {
            continue;
        }
        compared[which] += 1;
        let candidate = network(shape.to_vec(), "float", vec![operation.clone()]);
        let weights = Weights::build(&candidate, |spec| {
            (0..spec.shape.iter().product())
                .map(|_| whole(&mut random))
                .collect()
        });
        let rows: Vec<f32> = (0..2 * candidate.inputs())
            .map(|_| whole(&mut random))
            .collect();
        let expected: Vec<f64> = rows
            .chunks_exact(candidate.inputs())
            .flat_map(|row| reference(&operation, row, shape, &weights.layers[0]))
            .collect();
        let values = forward(&candidate, &weights, &rows, ForwardPrecision::F64);
        assert_eq!(values, expected, "{candidate:?}");
        let narrow: Vec<f64> = expected.iter().map(|v| f64::from(*v as f32)).collect();
        assert_eq!(
            forward(&candidate, &weights, &rows, ForwardPrecision::F32),
            narrow
        );
        // A sequence is an image of one row.
        if shape[0] == 1 && !pool {
            let mut line = candidate.clone();
            line.input_shape.remove(0);
            let flat = |window: &mut Window| {
                for list in [&mut window.size, &mut window.strides, &mut window.dilation] {
                    list.remove(0);
                }
            };
            match &mut line.layers[0].operation {
                Operation::Conv { window, .. }
                | Operation::DepthwiseConv { window, .. }
                | Operation::SeparableConv { window, .. } => {
                    if window.size[0] > 1 {
                        continue;
                    }
                    flat(window);
                }
                _ => unreachable!("a convolution"),
            }
            let values = forward(&line, &weights, &rows, ForwardPrecision::F64);
            assert_eq!(values, expected, "{line:?}");
        }
    }
    println!("conv, depthwise, separable, max, average: {compared:?}");
    assert!(compared.iter().all(|count| *count > 300), "{compared:?}");
}
