//! The mean loss of a float graph, layer by layer in f64 as the definitions read: what gradients are
//! differences of.

use bitfront_network::{Candidate, Operation, Part, Source};
use bitfront_quantizer::Quantizer;
use rand_chacha::rand_core::Rng;

use crate::distillation::Distillation;
use crate::extent::Extent;
use crate::loss::LossFunction;
use crate::random::{Purpose, stream_of};

/// Values of a tensor, a row a sample, channels last.
type Rows = Vec<Vec<f64>>;

/// Targets of all samples.
pub(crate) enum Wanted<'a> {
    Classes(&'a [u8]),
    Values(&'a [f32]),
}

/// What a recipe adds to the loss of a head.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    pub(crate) smoothing: f32,
    /// One a class; empty: all count alike.
    pub(crate) class_weights: Vec<f32>,
    /// A teacher's logits.
    pub(crate) teacher: Option<(Vec<f32>, Distillation)>,
}

/// A float graph with its data.
pub(crate) struct Reference<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) x: &'a [f32],
    pub(crate) y: Wanted<'a>,
    pub(crate) loss: LossFunction,
    /// Seed of the dropout layers.
    pub(crate) seed: u64,
    /// Whether folded layers use running statistics.
    pub(crate) frozen: bool,
    pub(crate) extras: Extras,
}

/// Weights by tensor, in the candidate's order.
pub(crate) type Tensors = Vec<Vec<f64>>;

impl Reference<'_> {
    /// Mean loss.
    pub(crate) fn loss(&self, weights: &Tensors) -> f64 {
        let inputs = self.x.chunks(self.candidate.inputs());
        let inputs: Rows = inputs
            .map(|row| row.iter().map(|v| f64::from(*v)).collect())
            .collect();
        let shapes = self.candidate.shapes();
        let mut values: Vec<Rows> = Vec::new();
        for index in 0..self.candidate.layers.len() {
            let sources = self.candidate.sources(index).unwrap();
            let read: Vec<(&Rows, &[usize])> = sources
                .iter()
                .map(|source| match source {
                    Source::Input => (&inputs, self.candidate.input_shape.as_slice()),
                    Source::Layer(at) => (&values[*at], shapes[*at].as_slice()),
                })
                .collect();
            let out = self.layer(index, &read, weights);
            values.push(out);
        }
        self.head(values.last().unwrap())
    }

    fn part<'w>(&self, weights: &'w Tensors, layer: usize, part: Part) -> Option<&'w [f64]> {
        let specs = self.candidate.tensors();
        let at = specs
            .iter()
            .position(|spec| (spec.layer, spec.part) == (layer, part))?;
        Some(&weights[at])
    }

    fn layer(&self, index: usize, read: &[(&Rows, &[usize])], weights: &Tensors) -> Rows {
        let operation = &self.candidate.layers[index].operation;
        let (x, shape) = read[0];
        let channels = *shape.last().unwrap();
        let part = |part| self.part(weights, index, part);
        match operation {
            Operation::Dense { fold, .. }
            | Operation::Conv { fold, .. }
            | Operation::DepthwiseConv { fold, .. } => {
                let (kernel, bias) = (part(Part::Kernel).unwrap(), part(Part::Bias));
                let y = sums(operation, x, shape, kernel, bias);
                let Some(fold) = fold else { return y };
                let running = [Part::Mean, Part::Variance].map(|p| part(p).unwrap());
                let [gamma, beta] = [Part::Gamma, Part::Beta].map(|p| part(p).unwrap());
                let running = self.frozen.then_some(running);
                normalised(&y, gamma, beta, f64::from(fold.epsilon), running)
            }
            Operation::SeparableConv { .. } => {
                let depthwise = sums(
                    operation,
                    x,
                    shape,
                    part(Part::DepthwiseKernel).unwrap(),
                    None,
                );
                let kernel = part(Part::PointwiseKernel).unwrap();
                let bias = part(Part::Bias);
                let columns = bias.map_or(1, <[f64]>::len);
                let inner = kernel.len() / columns;
                depthwise
                    .iter()
                    .map(|row| dense(row, inner, kernel, columns, bias))
                    .collect()
            }
            Operation::MaxPool { .. } => windows(operation, x, shape, |values| {
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }),
            Operation::AveragePool { .. } | Operation::GlobalAveragePool { .. } => {
                windows(operation, x, shape, |values| {
                    values.iter().sum::<f64>() / values.len() as f64
                })
            }
            Operation::Flatten => x.clone(),
            Operation::ZeroPadding { border } => {
                let (height, width, border) = match shape {
                    [length, _] => (1, *length, [[0, 0], border[0]]),
                    _ => (shape[0], shape[1], [border[0], border[1]]),
                };
                let columns = border[1][0] + width + border[1][1];
                let rows = border[0][0] + height + border[0][1];
                let pad = |row: &Vec<f64>| {
                    let mut out = vec![0.0; rows * columns * channels];
                    for y in 0..height {
                        for x in 0..width {
                            let to = (y + border[0][0]) * columns + x + border[1][0];
                            let from = &row[(y * width + x) * channels..][..channels];
                            out[to * channels..][..channels].copy_from_slice(from);
                        }
                    }
                    out
                };
                x.iter().map(pad).collect()
            }
            Operation::BatchNorm { epsilon, .. } => {
                let [gamma, beta] = [Part::Gamma, Part::Beta].map(|p| part(p).unwrap());
                normalised(x, gamma, beta, f64::from(*epsilon), None)
            }
            Operation::Add => (0..x.len())
                .map(|row| {
                    let size = x[row].len();
                    let sum = |i| read.iter().map(|(x, _): &(&Rows, _)| x[row][i]).sum();
                    (0..size).map(sum).collect()
                })
                .collect(),
            Operation::Concatenate => (0..x.len())
                .map(|row| {
                    let positions = x[row].len() / channels;
                    let at = |position: usize| {
                        read.iter().flat_map(move |(x, shape)| {
                            let channels = *shape.last().unwrap();
                            x[row][position * channels..][..channels].iter().copied()
                        })
                    };
                    (0..positions).flat_map(at).collect()
                })
                .collect(),
            Operation::Activation { quantizer } => {
                let rectify = matches!(quantizer, Quantizer::Relu);
                let value = |v: &f64| if rectify { v.max(0.0) } else { *v };
                x.iter()
                    .map(|row| row.iter().map(value).collect())
                    .collect()
            }
            Operation::ChannelActivation { .. } => unreachable!("it is not trained"),
            Operation::Dropout { rate } => {
                let mut words = stream_of(self.seed, Purpose::Dropout, 0, index as u64);
                let rate = f64::from(*rate);
                let mut value = |v: &f64| {
                    let zeroed = f64::from(words.next_u32()) < rate * 2.0_f64.powi(32);
                    if zeroed { 0.0 } else { v / (1.0 - rate) }
                };
                x.iter()
                    .map(|row| row.iter().map(&mut value).collect())
                    .collect()
            }
        }
    }

    fn head(&self, outputs: &Rows) -> f64 {
        let count = outputs.len() as f64;
        let of = |(row, z): (usize, &Vec<f64>)| {
            let size = z.len() as f64;
            let target = |i: usize| match self.y {
                Wanted::Classes(y) if z.len() == 1 => f64::from(y[row]),
                Wanted::Classes(y) => f64::from(u8::from(usize::from(y[row]) == i)),
                Wanted::Values(y) => f64::from(y[row * z.len() + i]),
            };
            let Extras {
                smoothing,
                class_weights,
                teacher,
            } = &self.extras;
            let weight = match self.y {
                Wanted::Classes(y) if !class_weights.is_empty() => {
                    f64::from(class_weights[usize::from(y[row])])
                }
                _ => 1.0,
            };
            let loss: f64 = match self.loss {
                LossFunction::SoftmaxCrossEntropy => {
                    let smoothing = f64::from(*smoothing);
                    let smooth = |i| (1.0 - smoothing) * target(i) + smoothing / size;
                    let norm: f64 = z.iter().map(|z| z.exp()).sum();
                    let labels: f64 = (0..z.len()).map(|i| smooth(i) * (norm.ln() - z[i])).sum();
                    match teacher {
                        Some((logits, distillation)) => {
                            let logits = &logits[row * z.len()..][..z.len()];
                            let logits: Vec<f64> = logits.iter().map(|v| f64::from(*v)).collect();
                            let (t, a) = (distillation.temperature, distillation.weight);
                            let (t, a) = (f64::from(t), f64::from(a));
                            let shares = |z: &[f64]| -> Vec<f64> {
                                let exps: Vec<f64> = z.iter().map(|z| (z / t).exp()).collect();
                                let sum: f64 = exps.iter().sum();
                                exps.into_iter().map(|e| e / sum).collect()
                            };
                            let pairs = shares(&logits).into_iter().zip(shares(z));
                            let divergence: f64 = pairs.map(|(p, q)| p * (p / q).ln()).sum();
                            (1.0 - a) * labels + a * t * t * divergence
                        }
                        None => labels,
                    }
                }
                LossFunction::BinaryCrossEntropy => {
                    let one = |i: usize| {
                        let yes = 1.0 / (1.0 + f64::exp(-z[i]));
                        -target(i) * yes.ln() - (1.0 - target(i)) * (1.0 - yes).ln()
                    };
                    (0..z.len()).map(one).sum::<f64>() / size
                }
                LossFunction::MeanSquaredError => {
                    let one = |i: usize| (z[i] - target(i)).powi(2);
                    (0..z.len()).map(one).sum::<f64>() / size
                }
                LossFunction::MeanAbsoluteError => {
                    let one = |i: usize| (z[i] - target(i)).abs();
                    (0..z.len()).map(one).sum::<f64>() / size
                }
            };
            weight * loss
        };
        outputs.iter().enumerate().map(of).sum::<f64>() / count
    }
}

fn dense(
    row: &[f64],
    inner: usize,
    kernel: &[f64],
    columns: usize,
    bias: Option<&[f64]>,
) -> Vec<f64> {
    let at = |x: &[f64], j: usize| {
        let products = x
            .iter()
            .enumerate()
            .map(|(i, x)| x * kernel[i * columns + j]);
        bias.map_or(0.0, |bias| bias[j]) + products.sum::<f64>()
    };
    let positions = row.chunks(inner);
    positions
        .flat_map(|x| (0..columns).map(move |j| at(x, j)))
        .collect()
}

/// Dense, convolution, or the depthwise step of a layer.
fn sums(
    operation: &Operation,
    x: &Rows,
    shape: &[usize],
    kernel: &[f64],
    bias: Option<&[f64]>,
) -> Rows {
    let channels = *shape.last().unwrap();
    let depthwise = match operation {
        Operation::Dense { units, .. } => {
            let dense = |row: &Vec<f64>| dense(row, channels, kernel, *units, bias);
            return x.iter().map(dense).collect();
        }
        Operation::DepthwiseConv { multiplier, .. }
        | Operation::SeparableConv { multiplier, .. } => Some(*multiplier),
        _ => None,
    };
    let geometry = operation.geometry(shape).unwrap();
    let columns = match operation {
        Operation::Conv { filters, .. } => *filters,
        _ => channels * depthwise.unwrap(),
    };
    let one = |row: &Vec<f64>| {
        let mut out = Vec::new();
        for position in 0..geometry.positions() {
            for j in 0..columns {
                let mut sum = bias.map_or(0.0, |bias| bias[j]);
                for tap in 0..geometry.taps() {
                    let Some(source) = geometry.source(position, tap) else {
                        continue;
                    };
                    let x = &row[source * channels..][..channels];
                    sum += match depthwise {
                        Some(m) => x[j / m] * kernel[(tap * channels + j / m) * m + j % m],
                        None => (0..channels)
                            .map(|c| x[c] * kernel[(tap * channels + c) * columns + j])
                            .sum(),
                    };
                }
                out.push(sum);
            }
        }
        out
    };
    x.iter().map(one).collect()
}

/// A function of the values of each channel under each window.
fn windows(operation: &Operation, x: &Rows, shape: &[usize], of: impl Fn(&[f64]) -> f64) -> Rows {
    let channels = Extent::of(shape).channels;
    let geometry = operation.geometry(shape).unwrap();
    let one = |row: &Vec<f64>| {
        let mut out = Vec::new();
        for position in 0..geometry.positions() {
            for c in 0..channels {
                let taps = (0..geometry.taps()).filter_map(|tap| geometry.source(position, tap));
                let values: Vec<f64> = taps.map(|source| row[source * channels + c]).collect();
                out.push(of(&values));
            }
        }
        out
    };
    x.iter().map(one).collect()
}

/// Batch normalisation by the batch's own statistics, or by running ones.
fn normalised(
    x: &Rows,
    gamma: &[f64],
    beta: &[f64],
    epsilon: f64,
    running: Option<[&[f64]; 2]>,
) -> Rows {
    let channels = gamma.len();
    let count = (x.len() * x[0].len() / channels) as f64;
    let mut out = x.clone();
    for c in 0..channels {
        let of_channel = || {
            x.iter()
                .flat_map(|row| row.iter().skip(c).step_by(channels))
        };
        let (mean, variance) = if let Some([mean, variance]) = running {
            (mean[c], variance[c])
        } else {
            let mean = of_channel().sum::<f64>() / count;
            let off = of_channel().map(|v| (v - mean).powi(2));
            (mean, off.sum::<f64>() / count)
        };
        let factor = gamma[c] / (variance + epsilon).sqrt();
        for row in &mut out {
            for v in row.iter_mut().skip(c).step_by(channels) {
                *v = (*v - mean) * factor + beta[c];
            }
        }
    }
    out
}
