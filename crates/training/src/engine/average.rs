//! The average of an engine's weights, and evaluation by it.

use super::Engine;
use crate::averaging::{Average, Averaging};
use crate::node::Work;

impl Engine {
    /// Averages the weights from now on.
    #[must_use]
    pub(crate) fn averaging(mut self, averaging: Averaging) -> Self {
        let mut lengths = Vec::new();
        self.each_averaged(&mut |values| lengths.push(values.len()));
        self.average = Some(Average::new(averaging, &lengths));
        self
    }

    /// Takes the weights after a step into the average, where they belong to it.
    pub(crate) fn take_average(&mut self, epoch: u32, last_step: bool) {
        let Some(mut average) = self.average.take() else {
            return;
        };
        if average.takes(epoch, last_step) {
            let share = average.next_share();
            let mut index = 0;
            self.each_averaged(&mut |values| {
                average.take(index, share, values);
                index += 1;
            });
        }
        self.average = Some(average);
    }

    /// What `f` finds while the average, if there is one, stands in the weights' place.
    pub(crate) fn with_average<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let Some(mut average) = self.average.take_if(|average| !average.is_empty()) else {
            return f(self);
        };
        let mut index = 0;
        self.each_averaged(&mut |values| {
            average.show(index, values);
            index += 1;
        });
        // Values from before a weight was pruned are in its average.
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| parameter.mask_values());
        }
        let found = f(self);
        let mut index = 0;
        self.each_averaged(&mut |values| {
            average.hide(index, values);
            index += 1;
        });
        self.average = Some(average);
        found
    }

    /// Calls `f` for the values of every trained tensor and every running statistic.
    fn each_averaged(&mut self, f: &mut dyn FnMut(&mut [f32])) {
        for node in &mut self.nodes {
            node.each_parameter(|_, parameter| f(&mut parameter.values));
            let statistics = match &mut node.work {
                Work::Weighted(weighted) => weighted
                    .folded
                    .as_mut()
                    .map(|folded| &mut folded.statistics),
                Work::Normalise(normalise) => Some(&mut normalise.statistics),
                _ => None,
            };
            if let Some(statistics) = statistics {
                f(&mut statistics.mean);
                f(&mut statistics.variance);
            }
        }
    }
}
