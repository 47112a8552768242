//! A trial of a search that prunes, from its lease to what its circuit costs.

use bitfront_network::{Candidate, IntegerOperation, IntegerProgram, Weights};
use bitfront_search::TrialScores;
use bitfront_search::search::{PolynomialSparsity, PruneBy, Pruning, PruningSchedule};

use crate::fake::Fake;
use crate::fixture::{Running, SIX_BITS, candidate, dataset, queue_of_search, search};

/// Scores and weights of a trial with this pruning.
async fn trained(fake: &Fake, pruning: Option<Pruning>) -> (TrialScores, Weights) {
    let mut search = search(&fake.store(dataset()), 20, 0.02);
    search.training.pruning = pruning;
    let candidate = candidate(SIX_BITS);
    let unit = queue_of_search(fake, &search, &candidate);
    let done = fake.completed(&unit).await;
    let weights = done.artifacts.iter().find(|a| a.kind == "weights").unwrap();
    let bytes = fake.with(|state| state.artifacts[&weights.digest].clone());
    let scores = serde_json::from_str(&done.result_json).unwrap();
    (scores, Weights::from_bytes(&candidate, &bytes).unwrap())
}

fn pruning(by: PruneBy) -> Pruning {
    let schedule = PruningSchedule::Polynomial(PolynomialSparsity {
        initial_sparsity: 0.0,
        final_sparsity: 0.5,
        begin_epoch: 3,
        end_epoch: 12,
        power: 3.0,
        frequency: 4,
    });
    Pruning { schedule, by }
}

/// Integer weights of every kernel that are zero, and all of them.
fn zeros(candidate: &Candidate, weights: &Weights) -> Vec<(usize, usize)> {
    let program = IntegerProgram::freeze(candidate, weights).unwrap();
    let kernels = program
        .layers
        .iter()
        .filter_map(|layer| match &layer.operation {
            IntegerOperation::Linear(linear) => Some(&linear.kernel),
            _ => None,
        });
    kernels
        .map(|codes| {
            let zeros = codes.iter().filter(|code| **code == 0);
            (zeros.count(), codes.len())
        })
        .collect()
}

#[tokio::test]
async fn pruned_weights_are_zero_in_the_circuit_and_cost_nothing() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let candidate = candidate(SIX_BITS);
    let (plain, _) = trained(&fake, None).await;
    let plain = plain.costs.unwrap();
    for by in [PruneBy::Weight, PruneBy::OutputChannel] {
        let (scores, weights) = trained(&fake, Some(pruning(by))).await;
        let zeros = zeros(&candidate, &weights);
        assert!(2 * zeros[0].0 >= zeros[0].1, "{by:?}: {zeros:?}");
        if by == PruneBy::Weight {
            assert!(2 * zeros[1].0 >= zeros[1].1, "{by:?}: {zeros:?}");
        }
        assert!(scores.accuracy_validation.unwrap() > 0.9, "{scores:?}");
        let costs = scores.costs.unwrap();
        assert!(
            costs.lut_estimate < plain.lut_estimate && costs.ebops < plain.ebops,
            "{by:?}: {costs:?} {plain:?}"
        );
        // The same bits once more.
        let again = trained(&fake, Some(pruning(by))).await;
        assert_eq!(
            (again.0.costs.unwrap(), again.1),
            (costs, weights),
            "{by:?}"
        );
    }
    worker.drained().await;
}
