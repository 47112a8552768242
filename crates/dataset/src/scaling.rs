//! How raw values become a network's inputs: one mean and one deviation for each feature, always.
//!
//! Features of a table are standardised one by one. Images are not: a pixel that is nearly always black would
//! become a very large number where it is not.

use crate::table::Table;

/// Which values share a mean and a deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Each feature has its own, from the train rows.
    #[default]
    Features,
    /// The features of a channel share theirs, from the train rows; so many channels, the last axis.
    Channels(usize),
    /// Unsigned bytes: mean 0, deviation 256, so that eight fraction bits hold every value exactly.
    Pixels,
}

impl Scaling {
    /// Mean and deviation of each feature. Sums run in f64 in row order; 1 stands for a deviation of 0.
    pub(crate) fn fit(self, table: &Table) -> (Vec<f32>, Vec<f32>) {
        let columns = table.columns;
        let groups = match self {
            Self::Pixels => return (vec![0.0; columns], vec![256.0; columns]),
            Self::Features => columns,
            Self::Channels(channels) => channels.clamp(1, columns),
        };
        let values = (table.rows * columns / groups) as f64;
        let mut mean = vec![0.0_f64; groups];
        // Groups follow one another in a row.
        let parts = || {
            table
                .x
                .chunks_exact(columns)
                .flat_map(|row| row.chunks(groups))
        };
        for part in parts() {
            for (mean, value) in mean.iter_mut().zip(part) {
                *mean += f64::from(*value);
            }
        }
        for sum in &mut mean {
            *sum /= values;
        }
        let mut squares = vec![0.0_f64; groups];
        let mut constant = vec![true; groups];
        let first = &table.x[..groups];
        for part in parts() {
            let sums = squares.iter_mut().zip(&mut constant);
            let of = mean.iter().zip(first);
            for ((value, (square, constant)), (mean, first)) in part.iter().zip(sums).zip(of) {
                let distance = f64::from(*value) - mean;
                *square += distance * distance;
                *constant &= value == first;
            }
        }
        let std: Vec<f32> = (squares.iter().zip(constant))
            .map(|(sum, constant)| {
                let std = (sum / values).sqrt() as f32;
                if constant || std == 0.0 { 1.0 } else { std }
            })
            .collect();
        let each = |of: &dyn Fn(usize) -> f32| (0..columns).map(|c| of(c % groups)).collect();
        (each(&|group| mean[group] as f32), each(&|group| std[group]))
    }
}
