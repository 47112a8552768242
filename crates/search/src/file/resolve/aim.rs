//! What a search predicts, by which loss: the head its networks end in, and the scores it has.

use super::DatasetInfo;
use crate::Metric;
use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{ActivationKind, DatasetSpec, SearchFile};
use crate::search::{Loss, Sampler};
use bitfront_hardware::circuit::Ranges;

/// Most values that can be predicted of a row, as data sets have it.
const MAX_TARGETS: usize = 256;

/// What the rows of a search are labelled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// One of so many classes.
    Classes(usize),
    /// So many values.
    Values(usize),
}

/// What a search predicts, and from how much.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    /// Features that are predicted and not read.
    pub(super) targets: Vec<String>,
    /// Features that are read.
    pub(super) inputs: usize,
    pub(super) labels: Labels,
    pub(super) loss: Loss,
}

impl Aim {
    /// Outputs that a network must have.
    pub(super) fn outputs(&self) -> usize {
        match self.labels {
            Labels::Classes(2) if self.loss == Loss::BinaryCrossEntropy => 1,
            Labels::Classes(count) | Labels::Values(count) => count,
        }
    }

    /// What the outputs stand for, as in "the data set has ...".
    pub(super) fn described(&self) -> String {
        match self.labels {
            Labels::Classes(2) if self.loss == Loss::BinaryCrossEntropy => {
                "2 classes, which `binary_cross_entropy` tells apart by 1 output".to_owned()
            }
            Labels::Classes(count) => format!("{count} classes"),
            Labels::Values(count) if self.targets.is_empty() => format!("{count} values a row"),
            Labels::Values(count) => format!("{count} targets"),
        }
    }

    /// Number of classes; 0 of values.
    pub(super) fn classes(&self) -> usize {
        match self.labels {
            Labels::Classes(count) => count,
            Labels::Values(_) => 0,
        }
    }
}

/// What `file` predicts of `dataset`.
pub(super) fn aim(file: &SearchFile, dataset: &DatasetInfo, faults: &mut Vec<Fault>) -> Aim {
    let targets = targets(file, dataset, faults);
    let inputs = dataset.inputs.saturating_sub(targets.len()).max(1);
    let labels = if !targets.is_empty() {
        Labels::Values(targets.len())
    } else if dataset.targets > 0 {
        Labels::Values(dataset.targets)
    } else {
        Labels::Classes(dataset.classes)
    };
    let own = match labels {
        Labels::Classes(_) => Loss::SoftmaxCrossEntropy,
        Labels::Values(_) => Loss::MeanSquaredError,
    };
    let aim = Aim {
        targets,
        inputs,
        labels,
        loss: file.training.loss.unwrap_or(own),
    };
    loss(file, &aim, faults);
    aim
}

fn targets(file: &SearchFile, dataset: &DatasetInfo, faults: &mut Vec<Fault>) -> Vec<String> {
    let DatasetSpec::Full(full) = &file.dataset else {
        return Vec::new();
    };
    let at = Pointer::root().at("dataset").at("targets");
    for (index, name) in full.targets.iter().enumerate() {
        let at = at.at(index);
        if full.targets[..index].contains(name) {
            faults.push(Fault::new(&at, format!("`{name}` is a target already")));
        }
        let features = || dataset.features.iter().map(String::as_str);
        // Without the data set nobody knows its features.
        if !dataset.features.is_empty() && !features().any(|feature| feature == name) {
            let detail = format!(
                "`{name}` is no feature of the data set; accepted: {}",
                list(features())
            );
            faults.push(Fault::new(&at, detail).did_you_mean(name, features()));
        }
    }
    let most = MAX_TARGETS.min(dataset.inputs.saturating_sub(1));
    if full.targets.len() > most {
        let detail = format!(
            "{} of {} features leave too few to read; accepted: at most {most}",
            full.targets.len(),
            dataset.inputs
        );
        faults.push(Fault::new(&at, detail));
    }
    full.targets.clone()
}

/// Holds the loss, and what only some losses know, against the labels.
fn loss(file: &SearchFile, aim: &Aim, faults: &mut Vec<Fault>) {
    let loss = aim.loss;
    let at = Pointer::root().at("training");
    match (aim.labels, loss) {
        (Labels::Values(_), Loss::SoftmaxCrossEntropy) => {
            let detail = "`softmax_cross_entropy` needs classes, and rows have values; accepted: `mean_squared_error`, \
                          `mean_absolute_error`, and `binary_cross_entropy` of values from 0 to 1";
            faults.push(Fault::new(at.at("loss"), detail));
        }
        (Labels::Classes(count), Loss::BinaryCrossEntropy) if count != 2 => {
            let detail = format!(
                "`binary_cross_entropy` tells 2 classes apart, and the data set has {count}; accepted: `softmax_cross_entropy`"
            );
            faults.push(Fault::new(at.at("loss"), detail));
        }
        (Labels::Classes(_), Loss::MeanSquaredError | Loss::MeanAbsoluteError) => {
            let detail = format!(
                "`{}` needs values, and rows have classes; accepted: `softmax_cross_entropy`, of 2 classes also \
                 `binary_cross_entropy`",
                loss.name()
            );
            let fault = Fault::new(at.at("loss"), detail);
            faults.push(fault.suggest("name features to predict under `dataset.targets`"));
        }
        _ => {}
    }
    let training = &file.training;
    let softmax = loss == Loss::SoftmaxCrossEntropy;
    let of_classes = matches!(aim.labels, Labels::Classes(_));
    for (key, given, right, of) in [
        (
            "label_smoothing",
            training.label_smoothing != 0.0,
            softmax,
            "`softmax_cross_entropy` has it",
        ),
        (
            "distillation",
            training.distillation.is_some(),
            softmax,
            "`softmax_cross_entropy` has it",
        ),
        (
            "class_weights",
            training.class_weights.is_some(),
            of_classes,
            "data sets with classes have them",
        ),
    ] {
        if given && !right {
            let detail = format!("the loss `{}` has no `{key}`; {of}", loss.name());
            faults.push(Fault::new(at.at(key), detail));
        }
    }
    let layers = file.model.layers.as_deref().unwrap_or_default();
    if let Some((last, spec)) = layers.iter().enumerate().next_back()
        && spec.activation == Some(ActivationKind::Softmax)
        && !softmax
    {
        let at = Pointer::root()
            .at("model")
            .at("layers")
            .at(last)
            .at("activation");
        let detail = format!(
            "the outputs of the loss `{}` are no softmax; accepted: `linear`, or no layer here",
            loss.name()
        );
        faults.push(Fault::new(at, detail));
    }
}

/// Refuses metrics that no trial of this search has, wherever the file names one.
pub(super) fn metrics(file: &SearchFile, aim: &Aim, ranges: Ranges, faults: &mut Vec<Fault>) {
    let root = Pointer::root();
    let objectives = file
        .objectives
        .iter()
        .enumerate()
        .map(|(index, spec)| (root.at("objectives").at(index), spec.metric()));
    let constraints = file
        .constraints
        .iter()
        .enumerate()
        .map(|(index, spec)| (root.at("constraints").at(index).at("metric"), spec.metric));
    let policy = file
        .synthesis
        .metric
        .map(|metric| (root.at("synthesis").at("metric"), metric));
    for (at, metric) in objectives.chain(constraints).chain(policy) {
        if !metric.suits(aim.loss) {
            let own = Metric::ALL
                .into_iter()
                .filter(|own| !own.is_cost() && own.suits(aim.loss) && own.is_had_with(ranges));
            let detail = format!(
                "`{metric}` is no score of the loss `{}`; accepted: {} and the costs",
                aim.loss.name(),
                list(own)
            );
            faults.push(Fault::new(at, detail));
        } else if !metric.is_had_with(ranges) {
            let detail = format!(
                "`{metric}` is of circuits within the ranges of the train rows, and this search's have proven ones, which no row \
                 leaves; accepted with it: `circuit: {{ranges: data}}`"
            );
            faults.push(Fault::new(at, detail));
        }
    }
}

/// Refuses what sampler `learned_bits` cannot train.
pub(super) fn sampler(sampler: &Sampler, aim: &Aim, faults: &mut Vec<Fault>) {
    if matches!(sampler, Sampler::LearnedBits(_)) && aim.loss != Loss::SoftmaxCrossEntropy {
        let detail = format!(
            "`learned_bits` learns by `softmax_cross_entropy` alone, and the loss is `{}`; accepted: `evolution`, `random`",
            aim.loss.name()
        );
        faults.push(Fault::new(Pointer::root().at("sampler"), detail));
    }
}
