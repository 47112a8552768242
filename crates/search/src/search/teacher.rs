//! The network that candidates learn from: the float parent, or one like it with wider hidden layers.

use bitfront_network::{Candidate, Operation, Source};

use super::Search;

impl Search {
    /// The float network whose logits candidates learn from, where the search distils.
    pub fn teacher(&self) -> Option<Candidate> {
        let distillation = self.training.distillation?;
        Some(widened(&self.network.float, distillation.widen as usize))
    }
}

/// `network` with `factor` times as many units and filters in every layer but those whose channels are its outputs.
fn widened(network: &Candidate, factor: usize) -> Candidate {
    let gives_outputs = gives_outputs(network);
    let mut wide = network.clone();
    for (layer, gives_outputs) in wide.layers.iter_mut().zip(gives_outputs) {
        if let (Some(channels), false) = (channels(&mut layer.operation), gives_outputs) {
            *channels = channels.saturating_mul(factor);
        }
    }
    wide
}

/// The number of channels that a layer chooses for itself.
fn channels(operation: &mut Operation) -> Option<&mut usize> {
    match operation {
        Operation::Dense { units, .. } => Some(units),
        Operation::Conv { filters, .. } | Operation::SeparableConv { filters, .. } => Some(filters),
        Operation::DepthwiseConv { .. }
        | Operation::MaxPool { .. }
        | Operation::AveragePool { .. }
        | Operation::GlobalAveragePool { .. }
        | Operation::Flatten
        | Operation::ZeroPadding { .. }
        | Operation::BatchNorm { .. }
        | Operation::Add
        | Operation::Concatenate
        | Operation::Activation { .. }
        | Operation::ChannelActivation { .. }
        | Operation::Dropout { .. } => None,
    }
}

/// Of each layer, whether its channels are the network's outputs.
fn gives_outputs(network: &Candidate) -> Vec<bool> {
    let mut reached = vec![false; network.layers.len()];
    if let Some(last) = reached.last_mut() {
        *last = true;
    }
    for index in (0..network.layers.len()).rev() {
        let mut operation = network.layers[index].operation.clone();
        if !reached[index] || channels(&mut operation).is_some() {
            continue;
        }
        for source in network.sources(index).unwrap_or_default() {
            if let Source::Layer(at) = source {
                reached[at] = true;
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use bitfront_network::Candidate;
    use serde_json::{Value, json};

    use super::widened;
    use crate::testing::search_with;

    fn float(model: &Value) -> Candidate {
        search_with(&json!({ "model": model })).network.float
    }

    #[test]
    fn hidden_layers_grow_and_outputs_stay() {
        let dense = float(&json!({"mlp": [4, 3, 5, 3]}));
        let wide = widened(&dense, 3);
        assert_eq!(wide.shapes(), [[9], [9], [15], [15], [3]]);
        assert_eq!(wide.check_shapes(), Ok(()));
        assert_eq!(widened(&dense, 1), dense);
        // The last convolution's channels are the outputs, through the mean of all positions.
        let filters = |filters: u32| json!({"filters": filters, "size": 1});
        let images = float(&json!({
            "inputs": {"shape": [2, 2, 1]},
            "layers": [
                {"name": "c1", "conv": filters(2)}, {"name": "r1", "activation": "relu"},
                {"name": "c2", "conv": filters(3)}, {"name": "mean", "global_average_pool": true},
                {"name": "softmax", "activation": "softmax"},
            ],
        }));
        let wide = widened(&images, 2);
        assert_eq!(
            wide.shapes(),
            [vec![2, 2, 4], vec![2, 2, 4], vec![2, 2, 3], vec![3]]
        );
        assert_eq!(wide.check_shapes(), Ok(()));
    }
}
