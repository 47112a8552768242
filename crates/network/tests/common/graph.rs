//! Random layer graphs: every operation, odd shapes, any wiring.

use bitfront_network::{Candidate, Fold, Head, Layer, Operation, Padding, SoftmaxTables, Window};
use bitfront_quantizer::{Quantizer, Role};

use super::Random;
use super::quantizers::quantizer;

/// Most values of a tensor.
const LARGEST: usize = 120;

/// A graph on its way; tensor 0 is the input, tensor `i + 1` the values of layer `i`.
struct Growing<'a> {
    random: &'a mut Random,
    layers: Vec<Layer>,
    shapes: Vec<Vec<usize>>,
    read: Vec<bool>,
}

/// A random candidate: one input of one to three axes, 1 to 8 layers and what joins loose ends.
pub(crate) fn candidate(random: &mut Random) -> Candidate {
    let input_shape = match random.below(10) {
        0..=2 => vec![random.up_to(12)],
        3..=5 => vec![random.up_to(7), random.up_to(4)],
        _ => vec![random.up_to(5), random.up_to(5), random.up_to(3)],
    };
    let input_quantizer = quantizer(random, Role::Input);
    let scale_bits = random.up_to(24) as u32;
    let mut graph = Growing {
        random,
        layers: Vec::new(),
        shapes: vec![input_shape.clone()],
        read: vec![false],
    };
    for _ in 0..graph.random.up_to(8) {
        graph.grow();
    }
    graph.join();
    let head = graph.head();
    Candidate {
        input_shape,
        input_quantizer,
        layers: graph.layers,
        head,
        scale_bits,
    }
}

impl Growing<'_> {
    /// Adds a layer; behind sums that may have grown wide mostly an activation.
    fn grow(&mut self) {
        loop {
            let last = self.shapes.len() - 1;
            let from = if self.random.chance(75) {
                last
            } else {
                self.random.below(self.shapes.len())
            };
            let wide = from > 0
                && !matches!(
                    self.layers[from - 1].operation,
                    Operation::Activation { .. }
                        | Operation::ChannelActivation { .. }
                        | Operation::MaxPool { .. }
                        | Operation::Flatten
                        | Operation::Dropout { .. }
                );
            let operation = if wide && self.random.chance(45) {
                self.activation(from)
            } else {
                self.operation(from)
            };
            let mut inputs = vec![from];
            if matches!(operation, Operation::Add | Operation::Concatenate) {
                for _ in 0..self.random.up_to(2) {
                    inputs.push(self.random.below(self.shapes.len()));
                }
            }
            if self.push(operation, &inputs) {
                return;
            }
        }
    }

    /// Adds a layer if it fits what it reads.
    fn push(&mut self, operation: Operation, inputs: &[usize]) -> bool {
        let shapes: Vec<&[usize]> = inputs.iter().map(|i| self.shapes[*i].as_slice()).collect();
        let Ok(shape) = operation.output_shape(&shapes) else {
            return false;
        };
        let size: usize = shape.iter().product();
        if size == 0 || size > LARGEST {
            return false;
        }
        let behind = inputs == [self.layers.len()];
        let mut layer = Layer::new(format!("layer{}", self.layers.len()), operation);
        if !behind || self.random.chance(20) {
            let name = |i: &usize| match i.checked_sub(1) {
                None => "input".to_owned(),
                Some(index) => self.layers[index].name.clone(),
            };
            layer.inputs = inputs.iter().map(name).collect();
        }
        for input in inputs {
            self.read[*input] = true;
        }
        self.layers.push(layer);
        self.shapes.push(shape);
        self.read.push(false);
        true
    }

    /// Leads every tensor that no layer reads to one last layer.
    fn join(&mut self) {
        let loose: Vec<usize> = (1..self.shapes.len() - 1)
            .filter(|i| !self.read[*i])
            .collect();
        if !loose.is_empty() {
            let mut flat = Vec::new();
            for tensor in loose.into_iter().chain([self.shapes.len() - 1]) {
                let tall = self.shapes[tensor].len() > 1;
                if tall && self.random.chance(50) {
                    let reciprocal_bits = self.random.up_to(12) as u32;
                    let mean = Operation::GlobalAveragePool { reciprocal_bits };
                    assert!(self.push(mean, &[tensor]), "a mean fits");
                    flat.push(self.shapes.len() - 1);
                } else if tall {
                    assert!(self.push(Operation::Flatten, &[tensor]), "it fits");
                    flat.push(self.shapes.len() - 1);
                } else {
                    flat.push(tensor);
                }
            }
            let shapes: Vec<&[usize]> = flat.iter().map(|i| self.shapes[*i].as_slice()).collect();
            let same = shapes.iter().all(|shape| *shape == shapes[0]);
            let join = if same && self.random.chance(50) {
                Operation::Add
            } else {
                Operation::Concatenate
            };
            // Together they may be larger than one layer may be.
            let shape = join.output_shape(&shapes).expect("flat tensors join");
            self.layers.push(Layer {
                name: format!("layer{}", self.layers.len()),
                inputs: flat
                    .iter()
                    .map(|i| self.layers[i - 1].name.clone())
                    .collect(),
                operation: join,
            });
            self.shapes.push(shape);
            self.read.push(false);
        }
        let last = self.shapes.len() - 1;
        if matches!(self.layers[last - 1].operation, Operation::Dropout { .. }) {
            let operation = self.activation(last);
            assert!(self.push(operation, &[last]), "an activation fits");
        }
    }

    fn head(&mut self) -> Head {
        let last = self.shapes.last().expect("it has an input");
        if last.len() == 1 && (2..=256).contains(&last[0]) && self.random.chance(60) {
            let tables = self.random.chance(40).then(|| SoftmaxTables {
                address_bits: 4 + self.random.below(9) as u32,
                address_fraction: self.random.below(13) as u32,
                exp_fraction: 4 + self.random.below(21) as u32,
                inverse_fraction: 4 + self.random.below(21) as u32,
                output_fraction: self.random.up_to(24) as u32,
            });
            Head::Softmax { tables }
        } else if self.random.chance(30) {
            Head::Sigmoid
        } else {
            Head::Linear
        }
    }

    /// An activation of tensor `from`, of all channels or of each.
    fn activation(&mut self, from: usize) -> Operation {
        let mut one = || quantizer(self.random, Role::Activation);
        let quantizer = one();
        let channels = *self.shapes[from].last().expect("it has axes");
        let quantizers = (0..channels).map(|_| one()).collect();
        if self.random.chance(25) {
            Operation::ChannelActivation { quantizers }
        } else {
            Operation::Activation { quantizer }
        }
    }

    fn bias(&mut self) -> Option<Quantizer> {
        let some = self.random.chance(75);
        some.then(|| quantizer(self.random, Role::Bias))
    }

    /// A bias and what is folded, which needs a bias.
    fn bias_and_fold(&mut self) -> (Option<Quantizer>, Option<Fold>) {
        if self.random.chance(20) {
            let fold = Fold {
                epsilon: [1e-3, 1e-5, 1.0][self.random.below(3)],
                momentum: 0.99,
            };
            (Some(quantizer(self.random, Role::Bias)), Some(fold))
        } else {
            (self.bias(), None)
        }
    }

    fn window(&mut self, shape: &[usize], dilated: bool) -> Window {
        let axes = shape.len() - 1;
        let list =
            |random: &mut Random, most: usize| (0..axes).map(|_| random.up_to(most)).collect();
        Window {
            size: list(self.random, 4),
            strides: list(self.random, 3),
            dilation: list(self.random, if dilated { 2 } else { 1 }),
            padding: if self.random.chance(50) {
                Padding::Valid
            } else {
                Padding::Same
            },
        }
    }

    /// An operation for tensor `from`; it may turn out not to fit.
    fn operation(&mut self, from: usize) -> Operation {
        let shape = self.shapes[from].clone();
        let spatial = shape.len() > 1;
        let which = self.random.below(if spatial { 16 } else { 9 });
        let kernel = |random: &mut Random| quantizer(random, Role::Kernel);
        match which {
            0 | 1 => {
                let (bias, fold) = self.bias_and_fold();
                Operation::Dense {
                    units: self.random.up_to(9),
                    kernel: kernel(self.random),
                    bias,
                    fold,
                }
            }
            2 | 3 => {
                let power = self.random.chance(50);
                Operation::BatchNorm {
                    epsilon: [1e-3, 1e-5][self.random.below(2)],
                    momentum: 0.99,
                    scale_bits: if power {
                        1
                    } else {
                        1 + self.random.up_to(15) as u32
                    },
                    offset_bits: self.random.up_to(16) as u32,
                }
            }
            4 => Operation::Add,
            5 => Operation::Concatenate,
            6 => self.activation(from),
            7 => Operation::Dropout {
                rate: self.random.unit() * 0.9,
            },
            8 => Operation::Flatten,
            9 | 10 => {
                let (bias, fold) = self.bias_and_fold();
                Operation::Conv {
                    filters: self.random.up_to(4),
                    window: self.window(&shape, true),
                    kernel: kernel(self.random),
                    bias,
                    fold,
                }
            }
            11 => {
                let (bias, fold) = self.bias_and_fold();
                Operation::DepthwiseConv {
                    multiplier: self.random.up_to(3),
                    window: self.window(&shape, true),
                    kernel: kernel(self.random),
                    bias,
                    fold,
                }
            }
            12 => Operation::SeparableConv {
                filters: self.random.up_to(4),
                multiplier: self.random.up_to(2),
                window: self.window(&shape, true),
                depthwise_kernel: kernel(self.random),
                pointwise_kernel: kernel(self.random),
                bias: self.bias(),
            },
            13 => Operation::MaxPool {
                window: self.window(&shape, false),
            },
            14 => {
                let reciprocal_bits = self.random.up_to(16) as u32;
                if self.random.chance(30) {
                    Operation::GlobalAveragePool { reciprocal_bits }
                } else {
                    Operation::AveragePool {
                        window: self.window(&shape, false),
                        reciprocal_bits,
                    }
                }
            }
            _ => Operation::ZeroPadding {
                border: (1..shape.len())
                    .map(|_| [self.random.below(3), self.random.below(3)])
                    .collect(),
            },
        }
    }
}

/// What a candidate exercises, to be counted: kinds with dimensions, folds, biases, windows.
pub(crate) fn labels(candidate: &Candidate) -> Vec<String> {
    let shapes = candidate.first_input_shapes();
    let mut labels = Vec::new();
    for (layer, shape) in candidate.layers.iter().zip(&shapes) {
        let operation = &layer.operation;
        let kind = operation.kind();
        let mut label = |text: String| labels.push(text);
        match operation {
            Operation::BatchNorm { scale_bits: 1, .. } => {
                label(format!("{kind} by powers of two, rank {}", shape.len()));
            }
            Operation::BatchNorm { .. } => {
                label(format!("{kind} by multipliers, rank {}", shape.len()));
            }
            Operation::Add | Operation::Concatenate => {
                label(format!("{kind} of {}", layer.inputs.len().min(4)));
            }
            _ => label(format!("{kind} rank {}", shape.len())),
        }
        if let Operation::Dense { bias, fold, .. }
        | Operation::Conv { bias, fold, .. }
        | Operation::DepthwiseConv { bias, fold, .. } = operation
        {
            label(match (bias, fold) {
                (_, Some(_)) => format!("{kind}, folded normalisation"),
                (Some(_), None) => format!("{kind}, bias"),
                (None, None) => format!("{kind}, no bias"),
            });
        }
        if let Operation::Conv { window, .. }
        | Operation::DepthwiseConv { window, .. }
        | Operation::SeparableConv { window, .. }
        | Operation::MaxPool { window }
        | Operation::AveragePool { window, .. } = operation
        {
            label(format!("window, padding {:?}", window.padding));
            if window.strides.iter().any(|s| *s > 1) {
                label("window, strides".into());
            }
            if window.dilation.iter().any(|s| *s > 1) {
                label("window, dilation".into());
            }
        }
    }
    labels.push(match candidate.head {
        Head::Softmax { tables: None } => "head softmax".into(),
        Head::Softmax { tables: Some(_) } => "head softmax by tables".into(),
        Head::Sigmoid => "head sigmoid".into(),
        Head::Linear => "head linear".into(),
    });
    labels
}
