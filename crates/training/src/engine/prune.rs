//! Pruning of an engine's kernels.

use super::Engine;
use crate::mask::{Channels, Mask};
use crate::node::{Node, Origin, Work};
use crate::pruning::{PruneBy, Pruning};
use crate::weighted::Map;

impl Engine {
    /// Prunes kernels by this from now on.
    #[must_use]
    pub(crate) fn pruning(mut self, pruning: Pruning) -> Self {
        let gives_outputs = gives_outputs(&self.nodes, self.output);
        for (index, gives_outputs) in gives_outputs.into_iter().enumerate() {
            let inputs = match self.nodes[index].feeds[0].origin {
                Origin::Input => self.input.channels,
                Origin::Node(at) => self.nodes[at].extent.channels,
            };
            let Work::Weighted(weighted) = &mut self.nodes[index].work else {
                continue;
            };
            if gives_outputs && pruning.by == PruneBy::OutputChannel {
                continue;
            }
            let channels = Channels {
                rows: weighted.kernel.rows(),
                columns: weighted.kernel.columns(),
                inputs,
                depthwise: matches!(weighted.map, Map::Depthwise(_)),
            };
            weighted.kernel.masked_by(Mask::new(channels, pruning.by));
        }
        self.sparsity = Some(pruning.schedule);
        self
    }

    /// Prunes what step `step` (from 0) is to prune, before its passes.
    pub(crate) fn prune(&mut self, step: u64) {
        let Some(share) = self.sparsity.and_then(|schedule| schedule.due(step)) else {
            return;
        };
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| parameter.prune(share));
        }
    }
}

/// Of each node, whether it has weights whose channels are the network's outputs.
fn gives_outputs(nodes: &[Node], output: usize) -> Vec<bool> {
    let mut reached = vec![false; nodes.len()];
    reached[output] = true;
    for (index, node) in nodes.iter().enumerate().rev() {
        if !reached[index] || matches!(node.work, Work::Weighted(_)) {
            continue;
        }
        for feed in &node.feeds {
            if let Origin::Node(at) = feed.origin {
                reached[at] = true;
            }
        }
    }
    reached
}
