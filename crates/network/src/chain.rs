//! A view of the networks that are chains: convolutions, then dense layers, each with a bias and each but the last
//! followed by an activation layer; maximum pooling behind activations, and a flatten before the first dense layer.

use crate::{Candidate, Geometry, Operation};

/// A layer of weights, and what lies between it and the activation (or the network's input) that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Index of the layer of weights.
    pub layer: usize,
    /// Positions and channels of the activation, or of the network's input.
    pub read: [usize; 2],
    /// A maximum pooling of it.
    pub pool: Option<Geometry>,
    /// Whether it is flattened, behind the pooling.
    pub flattened: bool,
    /// Window of a convolution; a dense layer has none.
    pub window: Option<Geometry>,
    /// Units or filters.
    pub outputs: usize,
    /// Index of the activation layer behind it; the last layer has none.
    pub activation: Option<usize>,
}

impl Link {
    /// Positions and channels that its product reads: the activation's, pooled and flattened.
    pub fn product(&self) -> [usize; 2] {
        let [positions, channels] = self.read;
        let positions = self.pool.map_or(positions, |pool| pool.positions());
        if self.flattened {
            [1, positions * channels]
        } else {
            [positions, channels]
        }
    }

    /// Rows of its kernel, whose columns are its outputs: taps, then channels.
    pub fn rows(&self) -> usize {
        self.product()[1] * self.window.map_or(1, |window| window.taps())
    }

    /// Positions of its sums.
    pub fn positions(&self) -> usize {
        self.window.map_or(1, |window| window.positions())
    }

    /// How many products an input makes with each weight of its kernel, by groups of as many rows as [`Link::read`] has
    /// channels: a tap's uses; 1 of a dense layer.
    pub fn uses(&self) -> Vec<usize> {
        match self.window {
            Some(window) => (0..window.taps()).map(|tap| window.uses(tap)).collect(),
            None => vec![1; self.rows() / self.read[1]],
        }
    }
}

impl Candidate {
    /// This candidate as a chain of layers of weights, first to last.
    ///
    /// # Errors
    /// The first layer that does not fit, and why, as a sentence.
    pub fn chain(&self) -> Result<Vec<Link>, String> {
        if let Err(faults) = self.check_shapes() {
            return Err(faults.first().map_or_else(String::new, ToString::to_string));
        }
        let shapes = self.first_input_shapes();
        let mut links: Vec<Link> = Vec::new();
        let mut next = Link::of(&self.input_shape);
        for (index, layer) in self.layers.iter().enumerate() {
            let fault = |problem: &str| Err(format!("`{}` {problem}", layer.name));
            if !layer.inputs.is_empty() {
                return fault("names what it reads");
            }
            let reads_input = links.is_empty();
            // Between a layer of weights and its activation stands nothing.
            let above = links.last_mut().filter(|above| above.activation.is_none());
            match (&layer.operation, above) {
                (Operation::Activation { .. }, Some(above)) => {
                    above.activation = Some(index);
                    let [positions, channels] = [above.positions(), above.outputs];
                    next.read = [positions, channels];
                }
                (Operation::Dense { .. } | Operation::Conv { .. }, Some(above)) => {
                    let above = &self.layers[above.layer];
                    let kind = above.operation.kind();
                    return fault(&format!(
                        "follows a {kind} layer, with no activation between"
                    ));
                }
                (operation, Some(_)) => {
                    return fault(&format!("is {} before an activation", operation.kind()));
                }
                (
                    Operation::Dense { bias, fold, .. } | Operation::Conv { bias, fold, .. },
                    None,
                ) => {
                    if bias.is_none() {
                        return fault("has no bias");
                    }
                    if fold.is_some() {
                        return fault("folds a batch normalisation");
                    }
                    let shape = &shapes[index];
                    match layer.operation {
                        Operation::Conv { filters, .. } => {
                            next.window = layer.operation.geometry(shape).ok();
                            next.outputs = filters;
                        }
                        Operation::Dense { units, .. } if shape.len() == 1 => next.outputs = units,
                        _ => return fault("reads positions; a dense layer reads a flatten here"),
                    }
                    next.layer = index;
                    links.push(std::mem::replace(&mut next, Link::of(&[1])));
                }
                (Operation::MaxPool { .. }, None)
                    if !reads_input && next.pool.is_none() && !next.flattened =>
                {
                    next.pool = layer.operation.geometry(&shapes[index]).ok();
                }
                (Operation::Flatten, None) if !next.flattened => next.flattened = true,
                (operation, None) => return fault(&format!("is {} here", operation.kind())),
            }
        }
        let Some(last) = links.last() else {
            return Err("it has no layers of weights".into());
        };
        let end = &self.layers[self.layers.len() - 1];
        if last.window.is_some() || last.layer + 1 < self.layers.len() {
            let kind = end.operation.kind();
            return Err(format!(
                "`{}` is the last layer and {kind}, not dense",
                end.name
            ));
        }
        Ok(links)
    }
}

impl Link {
    /// Of what reads values of this shape, before anything else is known.
    fn of(shape: &[usize]) -> Self {
        let (channels, spatial) = shape.split_last().unwrap_or((&1, &[]));
        Self {
            layer: 0,
            read: [spatial.iter().product(), *channels],
            pool: None,
            flattened: false,
            window: None,
            outputs: 0,
            activation: None,
        }
    }
}
