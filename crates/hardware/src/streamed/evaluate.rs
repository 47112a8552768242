//! A streamed circuit in 64-bit integers, stage by stage.

use super::{Front, StreamedCircuit};

impl StreamedCircuit {
    /// The output codes of one row of input codes, beats one behind the other.
    ///
    /// # Panics
    /// Unless there is one code for each word of each beat, within its port's range.
    pub fn evaluate(&self, row: &[i64]) -> Vec<i64> {
        assert_eq!(row.len(), self.beats * self.inputs.len(), "whole beats");
        let mut row = row.to_vec();
        for stage in &self.stages {
            let words = stage.core.inputs().len();
            let beats: Vec<i64> = match &stage.front {
                Front::Pointwise => row,
                Front::Window(window) => {
                    let channels = window.ports.len();
                    let mut beats = Vec::with_capacity(stage.beats * words);
                    for at in 0..stage.beats {
                        for from in window.taps(at) {
                            match from {
                                Some(from) => beats.extend(&row[from * channels..][..channels]),
                                None => beats.extend(std::iter::repeat_n(0, channels)),
                            }
                        }
                    }
                    beats
                }
                Front::Shared(shared) => shared.sums(&row),
            };
            let each = beats.chunks_exact(words);
            row = each.flat_map(|beat| stage.core.evaluate(beat)).collect();
        }
        row
    }
}
