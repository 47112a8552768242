//! When each beat is where, for a row whose beats come without a pause.
//!
//! Times are clock edges, the row's first beat being taken at edge 0. A stage takes a beat at an edge;
//! what it gives of it can be taken by the next stage from some later edge on, and after the edge before
//! that it is on the bus.

use super::{Front, Stage, StreamedCircuit};

pub(super) struct Timing {
    /// Cycles after a row's last beat in which none may come.
    pub(super) gap: u64,
    /// The edge that could take the row's last output beat.
    pub(super) latency: u64,
}

/// The timing of a circuit.
///
/// A row may follow once every window has pushed its empty beats before the row's first beat
/// reaches it, and every shared stage has used all parts of the beat that it holds. Pauses within a
/// row only move its later beats away from those of the row before.
pub(super) fn timing(circuit: &StreamedCircuit) -> Timing {
    let beats = circuit.beats as u64;
    let mut times: Vec<u64> = (0..beats).collect();
    let mut gap = 0;
    for stage in &circuit.stages {
        let (first, last) = (times[0], times[times.len() - 1]);
        let next = match &stage.front {
            Front::Window(window) => last + window.flush() as u64 + 1 - first,
            Front::Shared(shared) if shared.parts > 1 => shared.parts as u64,
            Front::Pointwise | Front::Shared(_) => 0,
        };
        gap = gap.max(next.saturating_sub(beats));
        times = given(stage, &times);
    }
    Timing {
        gap,
        latency: times.last().copied().unwrap_or(0),
    }
}

/// Edges that could take a stage's beats, from those that bring its own.
fn given(stage: &Stage, times: &[u64]) -> Vec<u64> {
    let core = u64::from(stage.core.cycles());
    let last = times[times.len() - 1];
    match &stage.front {
        Front::Pointwise => times.iter().map(|time| time + core).collect(),
        Front::Window(window) => {
            let push = |at: usize| {
                let due = window.due(at) as usize;
                // Empty pushes follow the last beat, one an edge.
                let late = (due + 1).saturating_sub(times.len()) as u64;
                times.get(due).copied().unwrap_or(last + late)
            };
            (0..stage.beats).map(|at| push(at) + 1 + core).collect()
        }
        Front::Shared(shared) => {
            let held = if shared.parts > 1 {
                shared.parts as u64
            } else {
                0
            };
            vec![last + held + shared.latency() as u64 + core]
        }
    }
}
