//! Which weights of a kernel are pruned.
//!
//! The rule this module keeps: what is pruned once stays pruned, and which weights go depends on their
//! values and indices alone. After it is made, nothing allocates.

use bitfront_kernel::{Buffer, stride};

use crate::pruning::PruneBy;

/// How a kernel's elements, `rows x columns`, belong to channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Input channels; row `r` reads channel `r % inputs`.
    pub(crate) inputs: usize,
    /// Whether each input channel has `columns` output channels of its own.
    pub(crate) depthwise: bool,
}

impl Channels {
    /// How many groups are pruned or kept as a whole.
    fn groups(self, by: PruneBy) -> usize {
        match by {
            PruneBy::Weight => self.rows * self.columns,
            PruneBy::InputChannel => self.inputs,
            PruneBy::OutputChannel if self.depthwise => self.inputs * self.columns,
            PruneBy::OutputChannel => self.columns,
        }
    }

    /// The group of an element.
    fn group(self, by: PruneBy, row: usize, column: usize) -> usize {
        match by {
            PruneBy::Weight => row * self.columns + column,
            PruneBy::InputChannel => row % self.inputs,
            PruneBy::OutputChannel if self.depthwise => row % self.inputs * self.columns + column,
            PruneBy::OutputChannel => column,
        }
    }
}

/// A kernel's mask, and what it takes to find the next one.
#[derive(Debug)]
pub(crate) struct Mask {
    channels: Channels,
    by: PruneBy,
    /// 1 where a weight is kept, 0 where it is pruned; padded.
    keep: Buffer,
    /// The groups, those that are kept first.
    order: Vec<u32>,
    kept: usize,
    /// Sum of squares of each group.
    scores: Vec<f64>,
}

impl Mask {
    /// Nothing pruned yet.
    pub(crate) fn new(channels: Channels, by: PruneBy) -> Self {
        let groups = channels.groups(by);
        let mut keep = Buffer::zeroed(channels.rows * stride(channels.columns));
        keep.fill(1.0);
        Self {
            channels,
            by,
            keep,
            order: (0..groups as u32).collect(),
            kept: groups,
            scores: vec![0.0; groups],
        }
    }

    /// Prunes this share of the groups, if fewer are pruned so far: those with the smallest sums of
    /// squares, the highest index first among equals. One group at least is kept.
    pub(crate) fn prune(&mut self, sparsity: f64, values: &[f32]) {
        let kept = kept(self.order.len(), sparsity);
        if kept >= self.kept {
            return;
        }
        let (channels, by) = (self.channels, self.by);
        self.scores.fill(0.0);
        let step = stride(channels.columns);
        for (row, values) in values.chunks_exact(step).enumerate() {
            for (column, value) in values[..channels.columns].iter().enumerate() {
                let square = f64::from(*value) * f64::from(*value);
                self.scores[channels.group(by, row, column)] += square;
            }
        }
        let (scores, order) = (&mut self.scores, &mut self.order[..self.kept]);
        order.select_nth_unstable_by(kept, |a, b| {
            let [x, y] = [a, b].map(|group| scores[*group as usize]);
            y.total_cmp(&x).then(a.cmp(b))
        });
        for group in &order[kept..] {
            scores[*group as usize] = -1.0;
        }
        for (row, keep) in self.keep.chunks_exact_mut(step).enumerate() {
            for (column, keep) in keep[..channels.columns].iter_mut().enumerate() {
                if self.scores[channels.group(by, row, column)] < 0.0 {
                    *keep = 0.0;
                }
            }
        }
        self.kept = kept;
    }

    /// Sets what is pruned to zero. What is not finite stays so, to be found.
    pub(crate) fn apply(&self, values: &mut [f32]) {
        for (value, keep) in values.iter_mut().zip(&*self.keep) {
            *value *= keep;
        }
    }
}

/// Groups of `groups` that are kept: the rest rounded, ties to even, and one at least, as in the
/// original.
fn kept(groups: usize, sparsity: f64) -> usize {
    let rest = (groups as f64 * (1.0 - sparsity)).round_ties_even();
    (rest as usize).clamp(1, groups.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel after these prunings.
    fn pruned(channels: Channels, by: PruneBy, values: &[f32], shares: &[f64]) -> Vec<f32> {
        let mut padded = Buffer::padded(values, channels.columns);
        let mut mask = Mask::new(channels, by);
        for share in shares {
            mask.prune(*share, &padded);
            mask.apply(&mut padded);
        }
        padded.dense(channels.columns)
    }

    fn dense(rows: usize, columns: usize) -> Channels {
        Channels {
            rows,
            columns,
            inputs: rows,
            depthwise: false,
        }
    }

    #[test]
    fn the_smallest_go_and_of_equals_the_lowest_index_stays() {
        let weights = [0.5, -0.25, 0.25, -1.0, 0.25, 2.0];
        let by = PruneBy::Weight;
        let half = pruned(dense(2, 3), by, &weights, &[0.5]);
        assert_eq!(half, [0.5, 0.0, 0.0, -1.0, 0.0, 2.0]);
        let third = pruned(dense(2, 3), by, &weights, &[1.0 / 3.0]);
        assert_eq!(third, [0.5, -0.25, 0.0, -1.0, 0.0, 2.0]);
        // 6 * 0.25 = 1.5 goes to 2, the even one; nothing goes entirely.
        let most = pruned(dense(2, 3), by, &weights, &[0.75]);
        assert_eq!(most, [0.0, 0.0, 0.0, -1.0, 0.0, 2.0]);
        let all = pruned(dense(2, 3), by, &weights, &[0.999]);
        assert_eq!(all, [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn what_is_pruned_stays_pruned_beside_weights_that_became_zero() {
        let mut mask = Mask::new(dense(1, 4), PruneBy::Weight);
        let mut weights = Buffer::padded(&[1.0, 0.1, 2.0, 3.0], 4);
        mask.prune(0.25, &weights);
        mask.apply(&mut weights);
        // The last one falls to zero by itself: it is as small as the pruned one and comes after it.
        weights[3] = 0.0;
        mask.prune(0.25, &weights);
        mask.prune(0.5, &weights);
        let mut ones = Buffer::padded(&[1.0; 4], 4);
        mask.apply(&mut ones);
        assert_eq!(ones.dense(4), [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn channels_go_as_a_whole_by_their_sum_of_squares() {
        // Two taps of two input channels, three output channels.
        let conv = Channels {
            rows: 4,
            columns: 3,
            inputs: 2,
            depthwise: false,
        };
        let weights = [
            1.0, 0.1, 1.0, //
            0.1, 0.1, 2.0, //
            1.0, 0.1, 1.0, //
            0.1, 0.1, 0.1,
        ];
        let rows = pruned(conv, PruneBy::InputChannel, &weights, &[0.5]);
        assert_eq!(rows[..3], [0.0; 3], "{rows:?}");
        assert_eq!(rows[3..6], weights[3..6]);
        assert_eq!(rows[6..9], [0.0; 3]);
        let columns = pruned(conv, PruneBy::OutputChannel, &weights, &[0.3]);
        let expected = [1.0, 0.0, 1.0, 0.1, 0.0, 2.0, 1.0, 0.0, 1.0, 0.1, 0.0, 0.1];
        assert_eq!(columns, expected);
    }

    #[test]
    fn a_depthwise_kernel_has_output_channels_of_each_input() {
        let depthwise = Channels {
            rows: 4,
            columns: 2,
            inputs: 2,
            depthwise: true,
        };
        let weights = [1.0, 4.0, 3.0, 0.5, 1.0, 4.0, 3.0, 0.5];
        let by = PruneBy::OutputChannel;
        let half = pruned(depthwise, by, &weights, &[0.5]);
        assert_eq!(half, [0.0, 4.0, 3.0, 0.0, 0.0, 4.0, 3.0, 0.0]);
        let by = PruneBy::InputChannel;
        let half = pruned(depthwise, by, &weights, &[0.5]);
        assert_eq!(half, [1.0, 4.0, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0]);
    }
}
