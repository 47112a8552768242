//! The sections that are settings: objectives, constraints, budget, training, device, synthesis.

use super::aim::Aim;
use super::pruning;
use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{
    BoundSpec, CircuitGoalName, DeviceFull, DeviceSpec, EngineName, LayoutName, MultipliersName,
    ObjectiveSpec, OptimizerKind, OptimizerSpec, OutputName, RangesName, SearchFile, SoftmaxSpec,
    SynthesisPolicyName, default_clock_mhz,
};
use crate::search::{
    Averaging, Budget, CircuitGoal, ClassWeights, Constraint, Device, Loss, Objective, Optimizer,
    OptimizerName, SynthesisPolicy, Training,
};
use crate::{Goal, Metric};
use bitfront_hardware::LUTS_PER_DSP;
use bitfront_hardware::circuit::{Multipliers, OutputForm, Ranges};
use bitfront_hardware::design::Layout;
use bitfront_hardware::device::{Devices, Resources};
use bitfront_hardware::engine::{Engine, Target};
use bitfront_network::SoftmaxTables;

pub(super) fn objectives(file: &SearchFile, loss: Loss, faults: &mut Vec<Fault>) -> Vec<Objective> {
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
    let ranges = self::ranges(file);
    if objectives.len() != 2 || costs != 1 {
        let of_cost = |cost: bool| {
            let metrics = Metric::ALL
                .into_iter()
                .filter(move |metric| metric.is_cost() == cost && metric.suits(loss))
                .filter(move |metric| metric.is_had_with(ranges));
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

pub(super) fn constraints(
    file: &SearchFile,
    device: &Device,
    faults: &mut Vec<Fault>,
) -> Vec<Constraint> {
    let at = Pointer::root().at("constraints");
    let mut constraints = Vec::with_capacity(file.constraints.len());
    for (index, spec) in file.constraints.iter().enumerate() {
        let at = at.at(index);
        let metric = spec.metric;
        let mut bound = |key: &str, spec: Option<&BoundSpec>| {
            spec.map_or((None, None), |spec| {
                self::bound(metric, spec, device, &at.at(key), faults)
            })
        };
        let (min, min_percent) = bound("min", spec.min.as_ref());
        let (max, max_percent) = bound("max", spec.max.as_ref());
        match (min, max) {
            (Some(least), Some(most)) if least > most => {
                let detail = format!("no value is at least {least} and at most {most}");
                faults.push(Fault::new(&at, detail));
            }
            _ if spec.min.is_none() && spec.max.is_none() => {
                faults.push(Fault::new(&at, "needs `min`, `max` or both"));
            }
            _ => {}
        }
        constraints.push(Constraint {
            metric: spec.metric,
            min,
            max,
            min_percent,
            max_percent,
        });
    }
    constraints
}

/// A bound's value and, where it was written as a share of the device, that share in percent.
fn bound(
    metric: Metric,
    spec: &BoundSpec,
    device: &Device,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> (Option<f64>, Option<f64>) {
    let text = match spec {
        BoundSpec::Number(value) => return (Some(*value), None),
        BoundSpec::Share(text) => text,
    };
    let share = text
        .strip_suffix('%')
        .and_then(|text| text.trim().parse().ok());
    let Some(percent) = share.filter(|share: &f64| share.is_finite() && *share >= 0.0) else {
        let detail = format!("`{text}` is neither a number nor a share of the device, as in `5 %`");
        faults.push(Fault::new(at, detail));
        return (None, None);
    };
    let Some(resource) = metric.resource() else {
        let counts = Metric::ALL
            .into_iter()
            .filter(|metric| metric.resource().is_some());
        let detail = format!(
            "`{metric}` is no count of the device's resources, so it has no share of it; {} have",
            list(counts)
        );
        faults.push(Fault::new(at, detail));
        return (None, None);
    };
    // A device that is not known is a fault of its own.
    let Some(resources) = &device.resources else {
        return (None, None);
    };
    let Some(available) = resources.get(resource) else {
        let detail = format!("device `{}` has no {}", device.part, resource.name());
        faults.push(Fault::new(at, detail).suggest("write a number"));
        return (None, None);
    };
    (Some(percent * available as f64 / 100.0), Some(percent))
}

pub(super) fn budget(file: &SearchFile) -> Budget {
    Budget {
        trials: file.budget.trials,
        parallel: file.budget.parallel,
    }
}

pub(super) fn training(file: &SearchFile, aim: &Aim, faults: &mut Vec<Fault>) -> Training {
    let training = &file.training;
    let spec = &training.optimizer;
    let at = Pointer::root().at("training");
    if let Some(ClassWeights::Each(weights)) = &training.class_weights
        && aim.classes() > 0
    {
        class_weights(weights, aim.classes(), &at.at("class_weights"), faults);
    }
    if let Some(Averaging::Swa(mean)) = training.averaging
        && mean.start_epoch > training.epochs
    {
        let (start, epochs) = (mean.start_epoch, training.epochs);
        let detail = format!("epoch {start} of {epochs} never comes; accepted: 1 to {epochs}");
        let at = at.at("averaging").at("swa").at("start_epoch");
        faults.push(Fault::new(at, detail));
    }
    if let Some(pruning) = &training.pruning {
        pruning::check_schedule(pruning, training.epochs, &at.at("pruning"), faults);
    }
    Training {
        epochs: training.epochs,
        batch_size: training.batch_size,
        optimizer: Optimizer {
            name: optimizer(spec, faults),
            learning_rate: spec.learning_rate,
            schedule: spec.schedule,
        },
        loss: aim.loss,
        repeats: training.repeats,
        clip_norm: training.clip_norm,
        l1: training.l1,
        l2: training.l2,
        early_stopping: training.early_stopping,
        best_epoch: training.best_epoch,
        label_smoothing: training.label_smoothing,
        class_weights: training.class_weights.clone(),
        averaging: training.averaging,
        pruning: training.pruning.map(|pruning| {
            pruning::resolved(pruning, training.epochs, file.model.import.is_some())
        }),
        distillation: training.distillation,
    }
}

/// Checks what the schema cannot: as many weights as the data set has classes, all above 0.
fn class_weights(weights: &[f64], classes: usize, at: &Pointer, faults: &mut Vec<Fault>) {
    if weights.len() != classes {
        let detail = format!(
            "has {} numbers; accepted: {classes}, one for each class of the data set",
            weights.len()
        );
        faults.push(Fault::new(at, detail));
    }
    for (class, weight) in weights.iter().enumerate() {
        if !(*weight >= 1e-6 && *weight <= 1e6) {
            let detail = format!("{weight} is no weight; accepted: 0.000001 to 1000000");
            faults.push(Fault::new(at.at(class), detail));
        }
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

pub(super) fn device(file: &SearchFile, devices: &Devices, faults: &mut Vec<Fault>) -> Device {
    let at = Pointer::root().at("device");
    let (part, clock_mhz, at_part) = match &file.device {
        DeviceSpec::Full(full) => (full.part.as_str(), full.clock_mhz, at.at("part")),
        DeviceSpec::Short(short) => match short.split_once('@') {
            None => (short.as_str(), default_clock_mhz(), at.clone()),
            Some((part, clock)) => {
                let number = clock
                    .strip_suffix("MHz")
                    .and_then(|text| text.trim().parse().ok());
                let clock_mhz = number.filter(|mhz| (1.0..=2000.0).contains(mhz));
                if clock_mhz.is_none() {
                    let detail = format!("clock `{clock}` is not 1 to 2000 MHz, as in `@200MHz`");
                    faults.push(Fault::new(&at, detail));
                }
                (
                    part,
                    clock_mhz.unwrap_or_else(default_clock_mhz),
                    at.clone(),
                )
            }
        },
    };
    if clock_mhz != default_clock_mhz() {
        let only = default_clock_mhz();
        let detail = format!(
            "{clock_mhz} MHz: a device's clock is {only} MHz; accepted for another one: `circuit: {{clock_mhz: {clock_mhz}}}`"
        );
        let at = match &file.device {
            DeviceSpec::Full(_) => at.at("clock_mhz"),
            DeviceSpec::Short(_) => at.clone(),
        };
        faults.push(Fault::new(at, detail));
    }
    let part = part.trim();
    let resources = if part.is_empty() {
        faults.push(Fault::new(&at_part, "has no part name").suggest("write `xcvu9p@200MHz`"));
        None
    } else {
        match &file.device {
            DeviceSpec::Full(full) if has_figures(full) => own_figures(full, &at, faults),
            _ => known_figures(part, devices, at_part, faults),
        }
    };
    let cut_for = file.circuit.and_then(|circuit| circuit.clock_mhz);
    Device {
        part: part.to_owned(),
        clock_mhz: cut_for.unwrap_or(clock_mhz),
        resources,
    }
}

pub(super) fn circuit(file: &SearchFile, faults: &mut Vec<Fault>) -> CircuitGoal {
    let Some(spec) = file.circuit else {
        return CircuitGoal::default();
    };
    match spec.goal.unwrap_or(CircuitGoalName::BoundedDepth) {
        CircuitGoalName::BoundedDepth => CircuitGoal::BoundedDepth {
            extra_depth: spec.extra_depth.unwrap_or(1),
        },
        CircuitGoalName::MinLut => {
            if spec.extra_depth.is_some() {
                let at = Pointer::root().at("circuit").at("extra_depth");
                faults.push(Fault::new(
                    at,
                    "goal `min_lut` has no `extra_depth`; `bounded_depth` has",
                ));
            }
            CircuitGoal::MinLut
        }
    }
}

pub(super) fn multipliers(file: &SearchFile, faults: &mut Vec<Fault>) -> Multipliers {
    let Some(spec) = file.circuit else {
        return Multipliers::default();
    };
    let name = spec.multipliers.unwrap_or(MultipliersName::Luts);
    if name != MultipliersName::Auto && spec.luts_per_dsp.is_some() {
        let at = Pointer::root().at("circuit").at("luts_per_dsp");
        let detail =
            "`luts_per_dsp` is the price that `multipliers: auto` chooses by; no other has one";
        faults.push(Fault::new(at, detail));
    }
    match name {
        MultipliersName::Luts => Multipliers::Luts,
        MultipliersName::Dsps => Multipliers::Dsps,
        MultipliersName::Auto => Multipliers::Auto {
            luts_per_dsp: spec.luts_per_dsp.unwrap_or(LUTS_PER_DSP),
        },
    }
}

/// What the output bus carries, and the tables of the head that a softmax takes.
pub(super) fn output(
    file: &SearchFile,
    faults: &mut Vec<Fault>,
) -> (OutputForm, Option<SoftmaxTables>) {
    let spec = file.circuit.and_then(|circuit| circuit.softmax);
    let at = Pointer::root().at("circuit").at("softmax");
    let output = match file.circuit.and_then(|circuit| circuit.output) {
        None | Some(OutputName::Logits) => OutputForm::Logits,
        Some(OutputName::Argmax) => OutputForm::ArgMax,
        Some(OutputName::Softmax) => {
            return (OutputForm::Softmax, Some(tables(spec.unwrap_or_default())));
        }
    };
    if spec.is_some() {
        let detail = format!("output `{}` has no tables; `softmax` has", output.name());
        faults.push(Fault::new(at, detail));
    }
    (output, None)
}

fn tables(spec: SoftmaxSpec) -> SoftmaxTables {
    let usual = SoftmaxTables::default();
    SoftmaxTables {
        address_bits: spec.address_bits.unwrap_or(usual.address_bits),
        address_fraction: spec.address_fraction.unwrap_or(usual.address_fraction),
        exp_fraction: spec.exp_fraction.unwrap_or(usual.exp_fraction),
        inverse_fraction: spec.inverse_fraction.unwrap_or(usual.inverse_fraction),
        output_fraction: spec.output_fraction.unwrap_or(usual.output_fraction),
    }
}

/// Whether circuits have flags of valid rows.
pub(super) fn valid(file: &SearchFile) -> bool {
    file.circuit.and_then(|circuit| circuit.valid) == Some(true)
}

pub(super) fn ranges(file: &SearchFile) -> Ranges {
    match file.circuit.and_then(|circuit| circuit.ranges) {
        None | Some(RangesName::Proven) => Ranges::Proven,
        Some(RangesName::Data) => Ranges::Data,
    }
}

/// How networks are laid out. What a streamed circuit does not have is a fault here, as is an engine that takes none.
pub(super) fn layout(file: &SearchFile, faults: &mut Vec<Fault>) -> Layout {
    let Some(spec) = file.circuit else {
        return Layout::default();
    };
    let at = Pointer::root().at("circuit");
    match spec.layout.unwrap_or(LayoutName::Unrolled) {
        LayoutName::Unrolled => {
            if spec.reuse.is_some() {
                let detail = "layout `unrolled` has no `reuse`, it has no multipliers to share; `streamed` has";
                faults.push(Fault::new(at.at("reuse"), detail));
            }
            Layout::Unrolled
        }
        LayoutName::Streamed => {
            if !matches!(spec.output, None | Some(OutputName::Logits)) {
                let detail = "a streamed circuit's bus carries logits; accepted: `logits`";
                faults.push(Fault::new(at.at("output"), detail));
            }
            if spec.valid == Some(true) {
                let detail = "a streamed circuit has valid bits of its own; accepted: `false`";
                faults.push(Fault::new(at.at("valid"), detail));
            }
            if spec.ranges == Some(RangesName::Data) {
                let detail =
                    "a streamed circuit has ranges of interval analysis; accepted: `proven`";
                faults.push(Fault::new(at.at("ranges"), detail));
            }
            Layout::Streamed {
                reuse: spec.reuse.unwrap_or(1),
            }
        }
    }
}

fn has_figures(device: &DeviceFull) -> bool {
    let DeviceFull {
        lut,
        ff,
        dsp,
        bram,
        uram,
        ..
    } = device;
    [lut, ff, dsp, bram, uram]
        .iter()
        .any(|count| count.is_some())
}

/// What the file itself says of its device; no table is asked then.
fn own_figures(device: &DeviceFull, at: &Pointer, faults: &mut Vec<Fault>) -> Option<Resources> {
    for (key, count) in [("lut", device.lut), ("ff", device.ff)] {
        if count.is_none() {
            let detail = format!(
                "`{key}` is missing: a device with figures of its own has both `lut` and `ff`"
            );
            faults.push(Fault::new(at, detail));
        }
    }
    Some(Resources {
        lut: device.lut?,
        ff: device.ff?,
        dsp: device.dsp,
        bram: device.bram,
        uram: device.uram,
    })
}

fn known_figures(
    part: &str,
    devices: &Devices,
    at: Pointer,
    faults: &mut Vec<Fault>,
) -> Option<Resources> {
    let found = devices.find(part).map(|device| device.resources);
    if found.is_none() {
        let names = || devices.all().iter().map(|device| device.part.as_str());
        let detail = format!(
            "`{part}` is no known device; accepted: {}, or a part with its `lut`, `ff` and what else it has",
            list(names())
        );
        faults.push(Fault::new(at, detail).did_you_mean(part, names()));
    }
    found
}

pub(super) fn synthesis(file: &SearchFile, faults: &mut Vec<Fault>) -> SynthesisPolicy {
    use SynthesisPolicyName::{EveryNth, Front, TopK};
    let spec = &file.synthesis;
    let at = &Pointer::root().at("synthesis");
    // Each key that only some policies have, whether it is there, and who has it.
    let keys: [(_, _, &[SynthesisPolicyName]); 5] = [
        ("count", spec.count.is_some(), &[Front, TopK]),
        (
            "max_accuracy_drop",
            spec.max_accuracy_drop.is_some(),
            &[Front],
        ),
        ("metric", spec.metric.is_some(), &[TopK]),
        ("every", spec.every.is_some(), &[EveryNth]),
        (
            "max_lut_estimate",
            spec.max_lut_estimate.is_some(),
            &[Front, TopK, EveryNth],
        ),
    ];
    for (key, given, owners) in keys {
        if given && !owners.contains(&spec.policy) {
            let owners: Vec<_> = owners.iter().map(|owner| policy_name(*owner)).collect();
            let detail = format!(
                "policy `{}` has no `{key}`; {} has",
                policy_name(spec.policy),
                list(owners)
            );
            faults.push(Fault::new(at.at(key), detail));
        }
    }
    let max_lut_estimate = spec.max_lut_estimate;
    let count = spec.count.unwrap_or(3);
    match spec.policy {
        SynthesisPolicyName::None => SynthesisPolicy::None,
        Front => SynthesisPolicy::Front {
            count,
            max_accuracy_drop: spec.max_accuracy_drop.unwrap_or(0.02),
            max_lut_estimate,
        },
        TopK => SynthesisPolicy::TopK {
            count,
            metric: ranking_metric(spec.metric, at, faults),
            max_lut_estimate,
        },
        EveryNth => {
            if spec.every.is_none() {
                let detail = "policy `every_nth` needs `every`; accepted is 1 to 1000000: 10 is every tenth completed trial";
                faults.push(Fault::new(at, detail));
            }
            SynthesisPolicy::EveryNth {
                every: spec.every.unwrap_or(1),
                max_lut_estimate,
            }
        }
    }
}

/// The engine and its part. A fault of the device leaves the default, and is told there.
pub(super) fn synthesis_target(
    file: &SearchFile,
    device: &Device,
    devices: &Devices,
    faults: &mut Vec<Fault>,
) -> Target {
    let spec = &file.synthesis;
    let is_streamed = file.circuit.and_then(|circuit| circuit.layout) == Some(LayoutName::Streamed);
    if is_streamed && spec.engine.unwrap_or_default() != EngineName::Yosys {
        let detail = "this engine takes no streamed circuits yet; accepted with `circuit: {layout: streamed}`: `yosys`";
        faults.push(Fault::new(
            Pointer::root().at("synthesis").at("engine"),
            detail,
        ));
    }
    let engine = match spec.engine.unwrap_or_default() {
        EngineName::Yosys => Engine::Yosys,
        EngineName::Ice40 => Engine::Ice40,
        EngineName::Ecp5 => Engine::Ecp5,
        EngineName::Vivado => Engine::Vivado,
        EngineName::Vitis => Engine::Vitis,
    };
    Target::new(engine, spec.part.as_deref(), &device.part, devices).unwrap_or_else(|error| {
        let at = Pointer::root().at("synthesis");
        let at = if spec.part.is_some() {
            at.at("part")
        } else {
            at
        };
        faults.push(Fault::new(at, error.to_string()));
        Target::default()
    })
}

fn policy_name(policy: SynthesisPolicyName) -> &'static str {
    match policy {
        SynthesisPolicyName::None => "none",
        SynthesisPolicyName::Front => "front",
        SynthesisPolicyName::TopK => "top_k",
        SynthesisPolicyName::EveryNth => "every_nth",
    }
}

/// The metric of `top_k`: any that a trial has before its circuit is built.
fn ranking_metric(given: Option<Metric>, at: &Pointer, faults: &mut Vec<Fault>) -> Metric {
    let accepted = || {
        let known = Metric::ALL.iter().filter(|metric| !metric.is_measured());
        list(known.map(|metric| metric.name()))
    };
    match given {
        Some(metric) if metric.is_measured() => {
            let detail = format!(
                "`{metric}` is known only after synthesis, so that it cannot choose what is synthesised; accepted: {}",
                accepted()
            );
            faults.push(Fault::new(at.at("metric"), detail));
        }
        Some(metric) => return metric,
        None => {
            let detail = format!("policy `top_k` needs `metric`; accepted: {}", accepted());
            faults.push(Fault::new(at, detail));
        }
    }
    Metric::Accuracy
}
