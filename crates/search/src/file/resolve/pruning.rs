//! What the schema cannot say of pruning: epochs that come, shares that grow, kernels that have a zero.

use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::search::{Pruning, PruningSchedule, Search};
use bitfront_quantizer::{Quantizer, Role};

/// The pruning with every default written out; weights of an imported model are trained.
pub(super) fn resolved(mut pruning: Pruning, epochs: u32, is_trained: bool) -> Pruning {
    if let PruningSchedule::Constant(constant) = &mut pruning.schedule {
        *constant = constant.resolved(epochs, is_trained);
    }
    pruning
}

/// Checks a schedule against the training's epochs.
pub(super) fn check_schedule(
    pruning: &Pruning,
    epochs: u32,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) {
    let at = at.at("schedule");
    match &pruning.schedule {
        PruningSchedule::Constant(constant) => {
            if let Some(begin) = constant.begin_epoch
                && begin > epochs
            {
                let at = at.at("constant").at("begin_epoch");
                faults.push(never_comes(begin, epochs, 1, &at));
            }
        }
        PruningSchedule::Polynomial(polynomial) => {
            let at = at.at("polynomial");
            let (begin, end) = (polynomial.begin_epoch, polynomial.end_epoch);
            if begin > epochs {
                faults.push(never_comes(begin, epochs, 1, &at.at("begin_epoch")));
            } else if end > epochs {
                faults.push(never_comes(end, epochs, begin, &at.at("end_epoch")));
            } else if end < begin {
                let detail = format!("{end} is before begin_epoch; accepted: {begin} to {epochs}");
                faults.push(Fault::new(at.at("end_epoch"), detail));
            }
            let (initial, last) = (polynomial.initial_sparsity, polynomial.final_sparsity);
            if initial > last {
                let detail = format!(
                    "{initial} is above final_sparsity, and what is pruned stays pruned; accepted: 0 to {last}"
                );
                faults.push(Fault::new(at.at("initial_sparsity"), detail));
            }
        }
    }
}

fn never_comes(epoch: u32, epochs: u32, least: u32, at: &Pointer) -> Fault {
    let detail = format!("epoch {epoch} of {epochs} never comes; accepted: {least} to {epochs}");
    Fault::new(at, detail)
}

/// Checks that every kernel of a search that prunes can be 0.
pub(super) fn check_kernels(search: &Search) -> Result<(), Vec<Fault>> {
    if search.training.pruning.is_none() {
        return Ok(());
    }
    let in_space = search.space.variables.iter().flat_map(|variable| {
        let kernel = variable.parameter.role() == Role::Kernel;
        let choices = variable.choices.iter().filter(move |_| kernel);
        choices.map(|choice| (variable.name.clone(), *choice))
    });
    let seeds = search.seed_trials.iter().flat_map(|seed| {
        let kernels = seed.candidate.quantizers().into_iter();
        kernels
            .filter(|(_, role, _)| *role == Role::Kernel)
            .map(|(place, _, quantizer)| {
                (format!("{place} of seed trial {}", seed.label), quantizer)
            })
    });
    let mut told: Vec<Quantizer> = Vec::new();
    let mut faults = Vec::new();
    for (place, quantizer) in in_space.chain(seeds) {
        if quantizer.maps_zero_to_zero() || told.contains(&quantizer) {
            continue;
        }
        told.push(quantizer);
        let detail = format!(
            "`{place}` may be `{quantizer}`, which has no 0 for pruned weights; accepted: kernels that keep 0, as \
             `quantized_bits` of 2 bits and more or `ternary` do"
        );
        faults.push(Fault::new("/training/pruning", detail));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}
