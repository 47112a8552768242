//! The sections that are settings: objectives, constraints, sampler, budget, training, device,
//! synthesis.

use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{
    DeviceSpec, ObjectiveSpec, OptimizerKind, OptimizerSpec, SamplerFull, SamplerName, SamplerSpec,
    SearchFile, SynthesisPolicyName, default_clock_mhz,
};
use crate::search::{
    Budget, Device, Objective, Optimizer, OptimizerName, Sampler, SynthesisPolicy, Training,
};
use crate::{Goal, Metric};

/// Trials that may become parents, unless the file says otherwise.
const DEFAULT_POPULATION: u32 = 32;

pub(super) fn objectives(file: &SearchFile, faults: &mut Vec<Fault>) -> Vec<Objective> {
    let at = Pointer::root().at("objectives");
    let mut objectives: Vec<Objective> = Vec::new();
    for (index, spec) in file.objectives.iter().enumerate() {
        let at = at.at(index);
        let (metric, goal) = match spec {
            ObjectiveSpec::Name(metric) => (*metric, None),
            ObjectiveSpec::Full(full) => (full.metric, full.goal),
        };
        if goal.is_some_and(|goal| goal != metric.goal()) {
            let own = match metric.goal() {
                Goal::Maximize => "maximize",
                Goal::Minimize => "minimize",
            };
            let detail = format!("`{metric}` is better the other way; accepted: `{own}`");
            faults.push(Fault::new(at.at("goal"), detail));
        }
        if objectives
            .iter()
            .any(|objective| objective.metric == metric)
        {
            faults.push(Fault::new(
                &at,
                format!("`{metric}` is an objective already"),
            ));
        }
        objectives.push(Objective {
            metric,
            goal: metric.goal(),
        });
    }
    let costs = objectives
        .iter()
        .filter(|objective| objective.metric.is_cost())
        .count();
    if objectives.len() != 2 || costs != 1 {
        let of_cost = |cost: bool| {
            let metrics = Metric::ALL
                .into_iter()
                .filter(move |metric| metric.is_cost() == cost);
            list(metrics)
        };
        let detail = format!(
            "needs two objectives for now: one of {} and one of {}",
            of_cost(false),
            of_cost(true)
        );
        faults.push(Fault::new(&at, detail));
    }
    objectives
}

pub(super) fn reference_point(
    file: &SearchFile,
    objectives: &[Objective],
    faults: &mut Vec<Fault>,
) -> Option<Vec<f64>> {
    let given = file.reference_point.as_ref()?;
    let at = Pointer::root().at("reference_point");
    let names = || objectives.iter().map(|objective| objective.metric.name());
    for name in given
        .keys()
        .filter(|name| !names().any(|other| other == *name))
    {
        let detail = format!(
            "`{name}` is no objective of this search; accepted: {}",
            list(names())
        );
        faults.push(Fault::new(at.at(name), detail).did_you_mean(name, names()));
    }
    let mut point = Vec::with_capacity(objectives.len());
    for name in names() {
        match given.get(name) {
            Some(value) => point.push(*value),
            None => faults.push(Fault::new(&at, format!("`{name}` is missing"))),
        }
    }
    Some(point)
}

pub(super) fn constraints(file: &SearchFile, faults: &mut Vec<Fault>) {
    let at = Pointer::root().at("constraints");
    for (index, constraint) in file.constraints.iter().enumerate() {
        let at = at.at(index);
        match (constraint.min, constraint.max) {
            (None, None) => faults.push(Fault::new(&at, "needs `min`, `max` or both")),
            (Some(min), Some(max)) if min > max => {
                let detail = format!("no value is at least {min} and at most {max}");
                faults.push(Fault::new(&at, detail));
            }
            _ => {}
        }
    }
}

pub(super) fn sampler(file: &SearchFile, faults: &mut Vec<Fault>) -> Sampler {
    let full = match &file.sampler {
        SamplerSpec::Name(name) => SamplerFull {
            name: *name,
            population: None,
            warmup: None,
            crossover: None,
        },
        SamplerSpec::Full(full) => full.clone(),
    };
    match full.name {
        SamplerName::Random => {
            let at = Pointer::root().at("sampler");
            for (key, given) in [
                ("population", full.population.is_some()),
                ("warmup", full.warmup.is_some()),
                ("crossover", full.crossover.is_some()),
            ] {
                if given {
                    let detail = format!("sampler `random` has no `{key}`; `evolution` has");
                    faults.push(Fault::new(at.at(key), detail));
                }
            }
            Sampler::Random
        }
        SamplerName::Evolution => {
            let population = full.population.unwrap_or(DEFAULT_POPULATION);
            Sampler::Evolution {
                population,
                warmup: full.warmup.unwrap_or(population / 2),
                crossover: full.crossover.unwrap_or(0.9),
            }
        }
    }
}

pub(super) fn budget(file: &SearchFile) -> Budget {
    Budget {
        trials: file.budget.trials,
        parallel: file.budget.parallel,
    }
}

pub(super) fn training(file: &SearchFile, faults: &mut Vec<Fault>) -> Training {
    let training = &file.training;
    let spec = &training.optimizer;
    Training {
        epochs: training.epochs,
        batch_size: training.batch_size,
        optimizer: Optimizer {
            name: optimizer(spec, faults),
            learning_rate: spec.learning_rate,
            schedule: spec.schedule,
        },
        repeats: training.repeats,
        clip_norm: training.clip_norm,
        l1: training.l1,
        l2: training.l2,
        early_stopping: training.early_stopping,
        best_epoch: training.best_epoch,
        label_smoothing: training.label_smoothing,
    }
}

fn optimizer(spec: &OptimizerSpec, faults: &mut Vec<Fault>) -> OptimizerName {
    let at = Pointer::root().at("training").at("optimizer");
    let (name, own) = match spec.name {
        OptimizerKind::Adam => ("adam", None),
        OptimizerKind::AdamW => ("adamw", Some("adamw")),
        OptimizerKind::Sgd => ("sgd", Some("sgd")),
    };
    for (key, given, of) in [
        ("momentum", spec.momentum.is_some(), "sgd"),
        ("nesterov", spec.nesterov.is_some(), "sgd"),
        ("weight_decay", spec.weight_decay.is_some(), "adamw"),
    ] {
        if given && own != Some(of) {
            let detail = format!("optimizer `{name}` has no `{key}`; `{of}` has");
            faults.push(Fault::new(at.at(key), detail));
        }
    }
    match spec.name {
        OptimizerKind::Adam => OptimizerName::Adam,
        OptimizerKind::AdamW => OptimizerName::AdamW {
            weight_decay: spec.weight_decay.unwrap_or(0.004),
        },
        OptimizerKind::Sgd => OptimizerName::Sgd {
            momentum: spec.momentum.unwrap_or(0.0),
            nesterov: spec.nesterov.unwrap_or(false),
        },
    }
}

pub(super) fn device(file: &SearchFile, faults: &mut Vec<Fault>) -> Device {
    let at = Pointer::root().at("device");
    let (part, clock_mhz) = match &file.device {
        DeviceSpec::Full(full) => (full.part.as_str(), full.clock_mhz),
        DeviceSpec::Short(short) => match short.split_once('@') {
            None => (short.as_str(), default_clock_mhz()),
            Some((part, clock)) => {
                let number = clock
                    .strip_suffix("MHz")
                    .and_then(|text| text.trim().parse().ok());
                let clock_mhz = number.filter(|mhz| (1.0..=2000.0).contains(mhz));
                if clock_mhz.is_none() {
                    let detail = format!("clock `{clock}` is not 1 to 2000 MHz, as in `@200MHz`");
                    faults.push(Fault::new(&at, detail));
                }
                (part, clock_mhz.unwrap_or_else(default_clock_mhz))
            }
        },
    };
    if clock_mhz != default_clock_mhz() {
        let only = default_clock_mhz();
        let detail = format!("{clock_mhz} MHz: circuits are cut for a clock of {only} MHz for now");
        let at = match &file.device {
            DeviceSpec::Full(_) => at.at("clock_mhz"),
            DeviceSpec::Short(_) => at.clone(),
        };
        faults.push(Fault::new(at, detail));
    }
    if part.trim().is_empty() {
        faults.push(Fault::new(&at, "has no part name").suggest("write `xcvu9p@200MHz`"));
    }
    Device {
        part: part.trim().to_owned(),
        clock_mhz,
    }
}

pub(super) fn synthesis(file: &SearchFile, faults: &mut Vec<Fault>) -> SynthesisPolicy {
    let spec = &file.synthesis;
    match spec.policy {
        SynthesisPolicyName::None => {
            let at = Pointer::root().at("synthesis");
            for (key, given) in [
                ("count", spec.count.is_some()),
                ("max_accuracy_drop", spec.max_accuracy_drop.is_some()),
                ("max_lut_estimate", spec.max_lut_estimate.is_some()),
            ] {
                if given {
                    let detail = format!("policy `none` has no `{key}`; `front` has");
                    faults.push(Fault::new(at.at(key), detail));
                }
            }
            SynthesisPolicy::None
        }
        SynthesisPolicyName::Front => SynthesisPolicy::Front {
            count: spec.count.unwrap_or(3),
            max_accuracy_drop: spec.max_accuracy_drop.unwrap_or(0.02),
            max_lut_estimate: spec.max_lut_estimate,
        },
    }
}
