//! Means and variances of channels: of a batch, and running.
//!
//! The rule this module keeps: sums run in f64 over rows in order, so that a mean of a million rows is
//! as good as one of ten; a variance is the population's, as Keras takes it.

/// Statistics of a normalisation, one entry a channel (padding included).
#[derive(Debug)]
pub(crate) struct Statistics {
    momentum: f64,
    /// Running mean.
    pub(crate) mean: Vec<f32>,
    /// Running variance.
    pub(crate) variance: Vec<f32>,
    /// Mean of the last batch.
    pub(crate) batch_mean: Vec<f64>,
    /// Variance of the last batch.
    pub(crate) batch_variance: Vec<f64>,
}

impl Statistics {
    /// With these running values, for rows of `step` values.
    pub(crate) fn new(momentum: f32, mean: &[f32], variance: &[f32], step: usize) -> Self {
        let padded = |values: &[f32], rest: f32| {
            let mut all = values.to_vec();
            all.resize(step, rest);
            all
        };
        Self {
            momentum: f64::from(momentum),
            mean: padded(mean, 0.0),
            variance: padded(variance, 1.0),
            batch_mean: vec![0.0; step],
            batch_variance: vec![0.0; step],
        }
    }

    /// Takes the statistics of a batch (whole padded rows) and moves the running ones by them.
    pub(crate) fn measure(&mut self, rows: &[f32]) {
        let step = self.mean.len();
        let count = (rows.len() / step).max(1) as f64;
        self.batch_mean.fill(0.0);
        for row in rows.chunks_exact(step) {
            for (sum, x) in self.batch_mean.iter_mut().zip(row) {
                *sum += f64::from(*x);
            }
        }
        for mean in &mut self.batch_mean {
            *mean /= count;
        }
        self.batch_variance.fill(0.0);
        for row in rows.chunks_exact(step) {
            let sums = self.batch_variance.iter_mut().zip(&self.batch_mean);
            for ((sum, mean), x) in sums.zip(row) {
                let off = f64::from(*x) - mean;
                *sum += off * off;
            }
        }
        for variance in &mut self.batch_variance {
            *variance /= count;
        }
        let kept = self.momentum;
        let moved = |running: &mut [f32], batch: &[f64]| {
            for (running, batch) in running.iter_mut().zip(batch) {
                *running = (f64::from(*running) * kept + batch * (1.0 - kept)) as f32;
            }
        };
        moved(&mut self.mean, &self.batch_mean);
        moved(&mut self.variance, &self.batch_variance);
    }

    /// Mean and variance of a channel: the batch's or the running ones.
    pub(crate) fn of(&self, channel: usize, batch: bool) -> (f64, f64) {
        if batch {
            (self.batch_mean[channel], self.batch_variance[channel])
        } else {
            let (mean, variance) = (self.mean[channel], self.variance[channel]);
            (f64::from(mean), f64::from(variance))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_by_hand() {
        let mut statistics = Statistics::new(0.75, &[1.0, 0.0], &[2.0, 4.0], 2);
        statistics.measure(&[1.0, 10.0, 3.0, 10.0, 5.0, 10.0]);
        assert_eq!(statistics.batch_mean, [3.0, 10.0]);
        assert_eq!(statistics.batch_variance, [8.0 / 3.0, 0.0]);
        assert_eq!(statistics.mean, [1.5, 2.5]);
        assert_eq!(statistics.variance, [(1.5 + 2.0 / 3.0) as f32, 3.0]);
    }
}
