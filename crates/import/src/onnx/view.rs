//! How a tensor of an ONNX graph looks beside ours, which is channels-last.

use std::rc::Rc;

use crate::graph::{Graph, Tensor};

/// A tensor as the ONNX graph sees it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Ours.
    pub(crate) tensor: Tensor,
    /// Axes in the ONNX graph without the batch. More than ours after a mean over all positions,
    /// which keeps axes of one element there.
    pub(crate) rank: usize,
    /// Where its channels stand there, with two axes and more.
    pub(crate) layout: Layout,
    /// Of a flattened tensor: element `n` of ours is element `order[n]` there.
    pub(crate) order: Option<Rc<[usize]>>,
}

/// Where the channels stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Before the spatial axes, as ONNX operators have them.
    First,
    /// Behind the spatial axes.
    Last,
}

impl View {
    /// The same view of another tensor of the same shape.
    pub(crate) fn of(&self, tensor: Tensor) -> Self {
        Self {
            tensor,
            ..self.clone()
        }
    }

    /// A tensor of one axis in our order.
    pub(crate) fn flat(tensor: Tensor) -> Self {
        Self {
            tensor,
            rank: 1,
            layout: Layout::First,
            order: None,
        }
    }

    /// Whether all its spatial axes have one element, and ours has none.
    pub(crate) fn is_pooled(&self, graph: &Graph) -> bool {
        self.rank > 1 && graph.shape(self.tensor).len() == 1
    }

    /// Whether an axis, counted with the batch, is that of the channels.
    pub(crate) fn is_channels(&self, axis: i64) -> bool {
        let axes = self.rank as i64 + 1;
        let axis = if axis < 0 { axis + axes } else { axis };
        let channels = match self.layout {
            Layout::First => 1,
            Layout::Last => self.rank as i64,
        };
        axis == channels || (self.rank == 1 && axis == 1)
    }

    /// Whether the axes, counted with the batch, are all spatial ones.
    pub(crate) fn are_spatial(&self, axes: &[i64]) -> bool {
        let count = self.rank as i64 + 1;
        let mut axes: Vec<i64> = axes
            .iter()
            .map(|axis| if *axis < 0 { axis + count } else { *axis })
            .collect();
        axes.sort_unstable();
        let spatial: Vec<i64> = match self.layout {
            Layout::First => (2..count).collect(),
            Layout::Last => (1..count - 1).collect(),
        };
        axes == spatial
    }

    /// The view after the axes were put in another order; nothing if it is none that has a meaning
    /// here.
    pub(crate) fn transposed(&self, order: &[i64]) -> Option<Self> {
        let axes = self.rank as i64 + 1;
        if order.iter().copied().eq(0..axes) {
            return Some(self.clone());
        }
        let (wanted, layout): (Vec<i64>, Layout) = match self.layout {
            Layout::First => (
                [0].into_iter().chain(2..axes).chain([1]).collect(),
                Layout::Last,
            ),
            Layout::Last => {
                let spatial = 1..axes - 1;
                (
                    [0, axes - 1].into_iter().chain(spatial).collect(),
                    Layout::First,
                )
            }
        };
        (self.rank > 1 && order == wanted).then(|| Self {
            layout,
            ..self.clone()
        })
    }

    /// The order that flattening makes, for our `shape` before it.
    pub(crate) fn flattened_order(&self, shape: &[usize]) -> Option<Rc<[usize]>> {
        if self.layout == Layout::Last || shape.len() < 2 {
            return None;
        }
        let channels = shape[shape.len() - 1];
        let positions: usize = shape[..shape.len() - 1].iter().product();
        let order = (0..positions)
            .flat_map(|at| (0..channels).map(move |channel| channel * positions + at));
        Some(order.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(layout: Layout) -> View {
        View {
            layout,
            rank: 3,
            ..View::flat(Tensor::Input)
        }
    }

    #[test]
    fn transposing_moves_the_channels() {
        let first = view(Layout::First);
        let last = first.transposed(&[0, 2, 3, 1]).unwrap();
        assert_eq!(last.layout, Layout::Last);
        assert_eq!(
            last.transposed(&[0, 3, 1, 2]).unwrap().layout,
            Layout::First
        );
        assert!(first.transposed(&[0, 3, 1, 2]).is_none());
        assert!(first.transposed(&[0, 1, 3, 2]).is_none());
        assert!(first.is_channels(1) && first.is_channels(-3) && !first.is_channels(3));
        assert!(last.is_channels(3) && last.is_channels(-1) && !last.is_channels(1));
        assert!(first.are_spatial(&[-1, 2]) && last.are_spatial(&[1, 2]));
        assert!(!first.are_spatial(&[2]));
    }

    #[test]
    fn flattening_channels_first_is_another_order() {
        // 2 positions, 3 channels: ours p0c0 p0c1 p0c2 p1c0 .., theirs c0p0 c0p1 c1p0 ..
        let order = view(Layout::First).flattened_order(&[1, 2, 3]).unwrap();
        assert_eq!(&*order, [0, 2, 4, 1, 3, 5]);
        assert!(view(Layout::Last).flattened_order(&[1, 2, 3]).is_none());
    }
}
