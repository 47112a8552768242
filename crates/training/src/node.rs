//! The nodes of a network in training: a candidate's layers, each with what it reads and its buffers.
//!
//! The rule this module keeps: nodes stand in graph order; layers that change nothing (a flatten of one
//! row, a dropout of nothing) have no node; a separable convolution is two.

use bitfront_kernel::{Buffer, CodeValues, LANES, Uniform};
use bitfront_network::{Candidate, Fold, LayerWeights, Operation, Part, Source, Weights};
use bitfront_quantizer::Quantizer;

use crate::activation::Activation;
use crate::channelwise::Channelwise;
use crate::dropout::Dropout;
use crate::extent::{Extent, Out};
use crate::fold::Folded;
use crate::normalise::Normalise;
use crate::parameter::Parameter;
use crate::pooling::{AveragePool, MaxPool, Pad};
use crate::weighted::{Map, Weighted};
use crate::window::{Patches, Table};

/// Where a node's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The network's input.
    Input,
    /// An earlier node.
    Node(usize),
}

/// What becomes of a node's gradient by one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nobody needs it.
    None,
    /// It is the first to be written (nodes run backwards, so: of the last reader).
    Write,
    /// Another reader has written before.
    Add,
}

/// One input of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    pub(crate) origin: Origin,
    pub(crate) flow: Flow,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Work {
    Weighted(Box<Weighted>),
    Normalise(Box<Normalise>),
    Activation(Activation),
    Dropout(Box<Dropout>),
    MaxPool(MaxPool),
    AveragePool(AveragePool),
    Pad(Pad),
    Flatten,
    Add,
    Concatenate,
}

/// A node with its values.
#[derive(Debug)]
pub(crate) struct Node {
    /// Name of its layer.
    pub(crate) name: String,
    /// Index of its layer.
    pub(crate) layer: usize,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) extent: Extent,
    pub(crate) work: Work,
    /// Empty where the activation behind it is fused.
    pub(crate) values: Buffer,
    /// Which gradient buffer is its own; `None` where nothing before it is trained.
    pub(crate) slot: Option<usize>,
}

impl Node {
    /// Calls `f` for every trained tensor.
    pub(crate) fn each_parameter(&mut self, mut f: impl FnMut(Part, &mut Parameter)) {
        match &mut self.work {
            Work::Weighted(w) => {
                f(w.part, &mut w.kernel);
                if let Some(bias) = &mut w.bias {
                    f(Part::Bias, bias);
                }
                if let Some(folded) = &mut w.folded {
                    f(Part::Gamma, &mut folded.gamma);
                    f(Part::Beta, &mut folded.beta);
                }
            }
            Work::Normalise(n) => {
                f(Part::Gamma, &mut n.gamma);
                f(Part::Beta, &mut n.beta);
            }
            _ => {}
        }
    }

    /// The activation's codes, where it gives some.
    pub(crate) fn codes(&self) -> Option<&[u8]> {
        match &self.work {
            Work::Activation(activation) => activation.codes(),
            _ => None,
        }
    }

    /// Which of the gradients by its values its one reader is to give; absent where all.
    pub(crate) fn inside(&self) -> Option<&[u16]> {
        match &self.work {
            Work::Activation(activation) => activation.inside(),
            _ => None,
        }
    }

    /// Where the gradient by the layer before it is not zero, where that is known.
    pub(crate) fn cut_bits(&self) -> Option<&[u16]> {
        match &self.work {
            Work::Activation(activation) => activation.cut_bits(),
            _ => None,
        }
    }

    /// Where the layer before it puts its values, where that quantizes them at once.
    pub(crate) fn at_once(&mut self) -> Option<Out<'_>> {
        match &mut self.work {
            Work::Activation(activation) => activation.at_once(&mut self.values),
            _ => None,
        }
    }

    /// Starts the random draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64) {
        let layer = self.layer;
        // A layer's tensors draw apart from each other and from an activation of the same index.
        let place = |part: Part| layer as u64 | (1 + part as u64) << 32;
        self.each_parameter(|part, parameter| parameter.begin(seed, step, place(part)));
        match &mut self.work {
            Work::Activation(activation) => activation.begin(seed, step, layer),
            Work::Dropout(dropout) => dropout.begin(seed, step, layer),
            _ => {}
        }
    }

    /// Writes the float weights.
    pub(crate) fn save(&self, to: &mut LayerWeights) {
        let mut put = |part, values: Vec<f32>| {
            to.parts.insert(part, values);
        };
        match &self.work {
            Work::Weighted(w) => {
                put(w.part, w.kernel.dense());
                if let Some(bias) = &w.bias {
                    put(Part::Bias, bias.dense());
                }
                if let Some(folded) = &w.folded {
                    put(Part::Gamma, folded.gamma.dense());
                    put(Part::Beta, folded.beta.dense());
                    let (statistics, channels) = (&folded.statistics, self.extent.channels);
                    put(Part::Mean, statistics.mean[..channels].to_vec());
                    put(Part::Variance, statistics.variance[..channels].to_vec());
                }
            }
            Work::Normalise(n) => {
                put(Part::Gamma, n.gamma.dense());
                put(Part::Beta, n.beta.dense());
                let (statistics, channels) = (&n.statistics, self.extent.channels);
                put(Part::Mean, statistics.mean[..channels].to_vec());
                put(Part::Variance, statistics.variance[..channels].to_vec());
            }
            _ => {}
        }
    }

    /// Whether it changes a gradient value by value, so that it can do so in place.
    fn is_elementwise(&self) -> bool {
        matches!(
            self.work,
            Work::Activation(_) | Work::Dropout(_) | Work::Normalise(_)
        )
    }
}

/// Whether a layer's statistics need the whole batch at once.
pub(crate) fn needs_whole_batch(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::BatchNorm { .. }
            | Operation::Dense { fold: Some(_), .. }
            | Operation::Conv { fold: Some(_), .. }
            | Operation::DepthwiseConv { fold: Some(_), .. }
    )
}

/// A network's nodes and the sizes of its gradient buffers, for one sample each.
pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    pub(crate) output: Origin,
    pub(crate) slots: Vec<usize>,
}

/// Makes the nodes of a candidate whose graph has no faults, with room for `capacity` samples.
pub(crate) fn nodes(candidate: &Candidate, weights: &Weights, capacity: usize) -> Nodes {
    let mut builder = Builder {
        input: Extent::of(&candidate.input_shape),
        nodes: Vec::new(),
        capacity,
    };
    let shapes = candidate.shapes();
    let inputs = candidate.first_input_shapes();
    // Where each layer's values are to be found.
    let mut found: Vec<Origin> = Vec::with_capacity(candidate.layers.len());
    for (index, layer) in candidate.layers.iter().enumerate() {
        let sources = candidate.sources(index).unwrap_or_default();
        let origins = sources.into_iter().map(|source| match source {
            Source::Input => Origin::Input,
            Source::Layer(at) => found[at],
        });
        let place = Place {
            name: &layer.name,
            layer: index,
            input: &inputs[index],
            output: Extent::of(&shapes[index]),
            weights: &weights.layers[index],
            as_it_lies: inputs[index]
                .last()
                .is_some_and(|c| c.is_multiple_of(LANES))
                && is_read_by_dense(candidate, index),
        };
        let origin = builder.layer(&place, &layer.operation, &origins.collect::<Vec<_>>());
        found.push(origin);
    }
    let mut nodes = builder.nodes;
    let slots = connect(&mut nodes);
    Nodes {
        output: found.last().copied().unwrap_or(Origin::Input),
        all: nodes,
        slots,
    }
}

/// Whether only dense layers read a layer's values, and any do.
fn is_read_by_dense(candidate: &Candidate, index: usize) -> bool {
    let reads = |reader: &usize| {
        let sources = candidate.sources(*reader).unwrap_or_default();
        sources.contains(&Source::Layer(index))
    };
    let mut readers = (index + 1..candidate.layers.len()).filter(reads).peekable();
    let dense =
        |reader: usize| matches!(candidate.layers[reader].operation, Operation::Dense { .. });
    readers.peek().is_some() && readers.all(dense)
}

/// A layer where it stands.
struct Place<'a> {
    name: &'a str,
    layer: usize,
    /// Shape of what it reads first.
    input: &'a [usize],
    output: Extent,
    weights: &'a LayerWeights,
    /// Whether it may leave its values where they lie: a flatten without padding that only dense layers read.
    as_it_lies: bool,
}

struct Builder {
    input: Extent,
    nodes: Vec<Node>,
    capacity: usize,
}

impl Builder {
    fn push(
        &mut self,
        place: &Place<'_>,
        extent: Extent,
        origins: &[Origin],
        work: Work,
    ) -> Origin {
        let feed = |origin: &Origin| Feed {
            origin: *origin,
            flow: Flow::None,
        };
        self.nodes.push(Node {
            name: place.name.to_owned(),
            layer: place.layer,
            feeds: origins.iter().map(feed).collect(),
            extent,
            work,
            values: Buffer::zeroed(self.capacity * extent.padded()),
            slot: None,
        });
        Origin::Node(self.nodes.len() - 1)
    }

    fn extent(&self, origin: Origin) -> Extent {
        match origin {
            Origin::Input => self.input,
            Origin::Node(at) => self.nodes[at].extent,
        }
    }

    /// Adds a layer's nodes; where its values are.
    fn layer(&mut self, place: &Place<'_>, operation: &Operation, origins: &[Origin]) -> Origin {
        let first = origins[0];
        let input = self.extent(first);
        let output = place.output;
        let geometry = || {
            let geometry = operation.geometry(place.input);
            geometry.expect("a checked graph's windows fit")
        };
        let table = || Table::of(&geometry());
        let work = match operation {
            Operation::Dense {
                kernel, bias, fold, ..
            } => {
                let map = Map::Pointwise {
                    inner: Extent::of(place.input).channels,
                    columns: output.channels,
                };
                self.weighted(
                    place,
                    output,
                    map,
                    (Part::Kernel, kernel),
                    bias.as_ref(),
                    *fold,
                )
            }
            Operation::Conv {
                kernel, bias, fold, ..
            } => {
                let patches = Patches::new(geometry(), input.channels, output.channels);
                let map = Map::Window(Box::new(patches));
                self.weighted(
                    place,
                    output,
                    map,
                    (Part::Kernel, kernel),
                    bias.as_ref(),
                    *fold,
                )
            }
            Operation::DepthwiseConv {
                kernel,
                bias,
                fold,
                multiplier,
                ..
            } => {
                let capacity = self.capacity;
                let map = Channelwise::new(table(), input.channels, *multiplier, capacity);
                let map = Map::Depthwise(map);
                self.weighted(
                    place,
                    output,
                    map,
                    (Part::Kernel, kernel),
                    bias.as_ref(),
                    *fold,
                )
            }
            Operation::SeparableConv {
                multiplier,
                depthwise_kernel,
                pointwise_kernel,
                bias,
                ..
            } => {
                let between = Extent {
                    positions: output.positions,
                    channels: input.channels * multiplier,
                };
                let capacity = self.capacity;
                let map = Channelwise::new(table(), input.channels, *multiplier, capacity);
                let kernel = (Part::DepthwiseKernel, depthwise_kernel);
                let work = self.weighted(place, between, Map::Depthwise(map), kernel, None, None);
                let middle = self.push(place, between, origins, work);
                let map = Map::Pointwise {
                    inner: between.channels,
                    columns: output.channels,
                };
                let kernel = (Part::PointwiseKernel, pointwise_kernel);
                let work = self.weighted(place, output, map, kernel, bias.as_ref(), None);
                return self.push(place, output, &[middle], work);
            }
            Operation::MaxPool { .. } => Work::MaxPool(MaxPool::new(table(), input, self.capacity)),
            Operation::AveragePool {
                reciprocal_bits, ..
            }
            | Operation::GlobalAveragePool { reciprocal_bits } => {
                Work::AveragePool(AveragePool::new(table(), input, *reciprocal_bits))
            }
            Operation::Flatten if input.positions == 1 || place.as_it_lies => return first,
            Operation::Flatten => Work::Flatten,
            Operation::ZeroPadding { border } => {
                let spatial = &place.input[..place.input.len() - 1];
                Work::Pad(Pad::new(Table::of_border(spatial, border), input))
            }
            Operation::BatchNorm {
                epsilon, momentum, ..
            } => {
                let normalise = Normalise::new(output, *epsilon, *momentum, place.weights);
                Work::Normalise(Box::new(normalise))
            }
            Operation::Add => Work::Add,
            Operation::Concatenate => Work::Concatenate,
            Operation::Activation { quantizer } => {
                Work::Activation(Activation::new(output, quantizer))
            }
            Operation::ChannelActivation { .. } => {
                unreachable!("refused before training begins")
            }
            Operation::Dropout { rate } if *rate == 0.0 => return first,
            Operation::Dropout { rate } => {
                Work::Dropout(Box::new(Dropout::new(output, *rate, self.capacity)))
            }
        };
        self.push(place, output, origins, work)
    }

    fn weighted(
        &self,
        place: &Place<'_>,
        extent: Extent,
        map: Map,
        (part, quantizer): (Part, &Quantizer),
        bias: Option<&Quantizer>,
        fold: Option<Fold>,
    ) -> Work {
        let columns = match &map {
            Map::Depthwise(channelwise) => channelwise.multiplier(),
            _ => extent.channels,
        };
        let mut kernel = Parameter::new(quantizer, place.weights.part(part), columns);
        let values = place.weights.part(Part::Bias);
        let mut bias = bias.map(|quantizer| Parameter::new(quantizer, values, extent.channels));
        let prepared = map.prepared_len(&kernel);
        let folded = fold.map(|fold| {
            let rows = self.capacity * extent.positions;
            Folded::new(
                fold,
                place.weights,
                extent.channels,
                &kernel,
                prepared,
                rows,
            )
        });
        if folded.is_some() {
            kernel = kernel.unlimited();
            bias = bias.map(Parameter::unlimited);
        }
        Work::Weighted(Box::new(Weighted {
            map,
            extent,
            kernel,
            part,
            bias,
            folded,
            prepared: Buffer::zeroed(prepared),
            feeds_back: false,
            turned: None,
            codes: None,
        }))
    }
}

/// Lets layers quantize their values at once where only the activation behind them reads these, and multiply
/// codes where the activation before them gives some.
pub(crate) fn fuse(nodes: &mut [Node], output: usize, capacity: usize) {
    let readers = readers(nodes);
    for index in 1..nodes.len() {
        let (before, rest) = nodes.split_at_mut(index);
        let (layer, node) = (&mut before[index - 1], &mut rest[0]);
        if let (Work::Weighted(weighted), Work::Activation(activation)) =
            (&mut layer.work, &mut node.work)
            && readers[index - 1] == 1
            && node.feeds[0].origin == Origin::Node(index - 1)
            && weighted.can_activate()
            && activation.fuse(capacity)
        {
            // Gradients that are added to others go by the whole products.
            let adds = layer.feeds.iter().any(|feed| feed.flow == Flow::Add);
            if activation.cut_bits().is_some() && !adds {
                weighted.leave_out_zeros();
            }
            layer.values = Buffer::zeroed(0);
        }
    }
    for index in 1..nodes.len() {
        let (before, rest) = nodes.split_at_mut(index);
        let node = &mut rest[0];
        if let (Work::Weighted(weighted), Origin::Node(at)) = (&mut node.work, node.feeds[0].origin)
            && let Work::Activation(activation) = &mut before[at].work
        {
            if let Some(grid) = activation.code_grid()
                && weighted.read_codes(grid)
            {
                activation.give_codes(capacity);
            }
            if readers[at] == 1 && weighted.can_keep_inside() {
                activation.leave_to_reader();
            }
            let values = activation.code_grid().and_then(CodeValues::new);
            if let Some(values) = values
                && readers[at] == 1
                && at != output
                && weighted.read_codes_back(values)
            {
                activation.leave_out_values(values);
            }
        }
    }
}

/// Lets convolutions read the network's input as it is stored, where only they read it; whether they do.
pub(crate) fn read_stored(nodes: &mut [Node]) -> bool {
    let reads = |node: &Node| node.feeds.iter().any(|feed| feed.origin == Origin::Input);
    let mut readers: Vec<&mut Node> = nodes.iter_mut().filter(|node| reads(node)).collect();
    let window = |node: &&mut Node| matches!(&node.work, Work::Weighted(w) if matches!(w.map, Map::Window(_)));
    if !readers.iter().all(window) {
        return false;
    }
    for node in &mut readers {
        if let Work::Weighted(weighted) = &mut node.work
            && let Map::Window(patches) = &mut weighted.map
        {
            patches.read_stored();
        }
    }
    true
}

/// Lets convolutions that read the network's input as it is stored read codes of it.
pub(crate) fn read_stored_codes(nodes: &mut [Node], grid: Uniform, values: CodeValues) {
    for node in nodes {
        if let (Work::Weighted(weighted), Origin::Input) = (&mut node.work, node.feeds[0].origin) {
            weighted.read_stored_codes(grid, values);
        }
    }
}

/// How many nodes read each node.
fn readers(nodes: &[Node]) -> Vec<usize> {
    let mut readers = vec![0; nodes.len()];
    for feed in nodes.iter().flat_map(|node| &node.feeds) {
        if let Origin::Node(at) = feed.origin {
            readers[at] += 1;
        }
    }
    readers
}

/// Finds who needs which gradient and where it is kept; sizes of the buffers for one sample.
fn connect(nodes: &mut [Node]) -> Vec<usize> {
    let readers = readers(nodes);
    let mut needed = vec![false; nodes.len()];
    for (index, node) in nodes.iter_mut().enumerate() {
        let mut trained = false;
        node.each_parameter(|_, _| trained = true);
        for feed in &node.feeds {
            if let Origin::Node(at) = feed.origin {
                trained |= needed[at];
            }
        }
        needed[index] = trained;
    }
    let mut slots = Vec::new();
    for index in 0..nodes.len() {
        if !needed[index] {
            continue;
        }
        let source = match nodes[index].feeds[..] {
            [feed] => match feed.origin {
                Origin::Node(at) if readers[at] == 1 => nodes[at].slot,
                _ => None,
            },
            _ => None,
        };
        // The gradient of a value that only this node reads is changed in place.
        let shared = source.filter(|_| nodes[index].is_elementwise());
        let slot = shared.unwrap_or_else(|| {
            slots.push(nodes[index].extent.padded());
            slots.len() - 1
        });
        nodes[index].slot = Some(slot);
    }
    let mut written = vec![false; nodes.len()];
    for index in (0..nodes.len()).rev() {
        let feeds = &mut nodes[index].feeds;
        for feed in feeds.iter_mut() {
            if let Origin::Node(at) = feed.origin
                && needed[at]
            {
                feed.flow = if written[at] { Flow::Add } else { Flow::Write };
                written[at] = true;
            }
        }
        let feeds_back = feeds.iter().any(|feed| feed.flow != Flow::None);
        if let Work::Weighted(weighted) = &mut nodes[index].work {
            weighted.feed_back(feeds_back);
        }
    }
    slots
}
