//! Graphs found before: candidates of a search share layers, and positions of a convolution a kernel.
//!
//! The rule this module keeps: a graph is found by the whole matrix and the options, never by a part or a
//! digest of them, so it is the graph that a new search would find.

use super::graph::{AdderGraph, GraphError};
use super::matrix::Matrix;
use super::solve::{Options, solve};
use foldhash::fast::FixedState;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Most numbers (entries of matrices and adders) kept: some tens of megabytes.
const MOST: usize = 1 << 20;

#[derive(Default)]
struct Cache {
    graphs: HashMap<(Matrix, Options), Arc<AdderGraph>, FixedState>,
    /// Oldest first.
    order: VecDeque<(Matrix, Options)>,
    held: usize,
}

static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

/// [`solve`], from memory where the same was asked before in this process.
///
/// # Errors
/// As [`solve`].
pub fn solve_cached(matrix: &Matrix, options: &Options) -> Result<Arc<AdderGraph>, GraphError> {
    let key = (matrix.clone(), *options);
    let lock = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock()
        .as_ref()
        .and_then(|cache| cache.graphs.get(&key).cloned());
    if let Some(graph) = known {
        return Ok(graph);
    }
    // Not under the lock: others may search meanwhile, at worst for the same.
    let graph = Arc::new(solve(matrix, options)?);
    lock()
        .get_or_insert_with(Cache::default)
        .keep(key, Arc::clone(&graph));
    Ok(graph)
}

fn size(matrix: &Matrix, graph: &AdderGraph) -> usize {
    2 * matrix.entries.len() + graph.adders.len() + 16
}

impl Cache {
    fn keep(&mut self, key: (Matrix, Options), graph: Arc<AdderGraph>) {
        if self.graphs.contains_key(&key) {
            return; // Two threads searched for the same.
        }
        self.held += size(&key.0, &graph);
        self.order.push_back(key.clone());
        self.graphs.insert(key, graph);
        while self.held > MOST {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(graph) = self.graphs.remove(&oldest) {
                self.held -= size(&oldest.0, &graph);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::range::Range;
    use super::*;

    fn matrix(first: i64) -> Matrix {
        let entries = vec![first, 3, -7, 11];
        Matrix::new(2, 2, entries, vec![Range::new(-8, 7, 0); 2])
    }

    #[test]
    fn the_same_is_found_again_and_another_is_not_taken_for_it() {
        let options = Options::default();
        let one = solve_cached(&matrix(5), &options).unwrap();
        assert!(Arc::ptr_eq(
            &one,
            &solve_cached(&matrix(5), &options).unwrap()
        ));
        let mut wider = matrix(5);
        wider.inputs[1] = Range::new(-16, 15, 0);
        for other in [matrix(6), wider] {
            let graph = solve_cached(&other, &options).unwrap();
            graph.verify(&other).unwrap();
            assert_ne!(*graph, *one);
        }
    }

    #[test]
    fn the_oldest_leave_first_and_what_is_held_is_counted() {
        let mut cache = Cache::default();
        let graph = Arc::new(solve(&matrix(5), &Options::default()).unwrap());
        let big = |number: i64| Matrix {
            entries: vec![number; MOST / 5],
            ..matrix(5)
        };
        for number in [0, 1, 2, 3, 3] {
            cache.keep((big(number), Options::default()), Arc::clone(&graph));
        }
        assert!(cache.held <= MOST && cache.held > MOST / 2);
        assert_eq!((cache.graphs.len(), cache.order.len()), (2, 2));
        assert!(cache.graphs.contains_key(&(big(3), Options::default())));
    }
}
