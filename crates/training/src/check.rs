//! What can be trained, and on what.

use bitfront_network::{Candidate, Head, Layer, Operation, Part, Weights};
use bitfront_quantizer::Role;

use crate::class_weights::ClassWeights;
use crate::distillation::Distillation;
use crate::engine::buffer_bytes;
use crate::error::TrainError;
use crate::loss::LossFunction;
use crate::recipe::{Recipe, RecipeFault};
use crate::schedule::Schedule;
use crate::train::{Samples, Targets, classes_of};

/// Most memory that the buffers of one network may take, in bytes.
const MOST_BUFFER_BYTES: usize = 1 << 33;

/// Checks a candidate that is to be trained in batches of `batch` rows.
pub(crate) fn check_candidate(candidate: &Candidate, batch: usize) -> Result<(), TrainError> {
    candidate.check_shapes().map_err(TrainError::Graph)?;
    let fault = |place: &str, problem: String, accepted: &str| {
        Err(TrainError::Candidate {
            place: place.to_owned(),
            problem,
            accepted: accepted.to_owned(),
        })
    };
    if candidate
        .tensors()
        .iter()
        .all(|spec| !spec.part.is_trained())
    {
        let problem = "no layer has weights, so there is nothing to train".to_owned();
        return fault("network", problem, "at least one layer with weights");
    }
    let channelwise =
        |layer: &&Layer| matches!(layer.operation, Operation::ChannelActivation { .. });
    if let Some(layer) = candidate.layers.iter().find(channelwise) {
        let problem = "has a quantizer for each channel, which comes from learning bit widths";
        let accepted = "one quantizer for all channels of an activation";
        return fault(&layer.name, problem.to_owned(), accepted);
    }
    let activations = candidate
        .layers
        .iter()
        .filter_map(|layer| match &layer.operation {
            Operation::Activation { quantizer } => Some((layer.name.as_str(), quantizer)),
            _ => None,
        });
    for (place, quantizer) in
        std::iter::once(("input", &candidate.input_quantizer)).chain(activations)
    {
        // A scale of values that change with every batch would not be the one at inference.
        if quantizer.has_automatic_scale() {
            let problem = format!("{quantizer} has an automatic scale");
            return fault(place, problem, "a fixed alpha on inputs and activations");
        }
    }
    let bytes = buffer_bytes(candidate, batch);
    if bytes > MOST_BUFFER_BYTES {
        let problem = format!("training needs buffers of {} MiB", bytes >> 20);
        let accepted = format!(
            "at most {} MiB; layers that normalise keep a whole batch, so a smaller batch_size helps \
             them",
            MOST_BUFFER_BYTES >> 20
        );
        return fault("network", problem, &accepted);
    }
    Ok(())
}

/// Checks that a recipe's loss reads what the candidate's head gives.
pub(crate) fn check_loss(recipe: &Recipe, candidate: &Candidate) -> Result<(), TrainError> {
    match recipe.loss {
        Some(loss) if !loss.suits(candidate.head) => Err(TrainError::Recipe(vec![RecipeFault {
            pointer: "/loss",
            value: loss.name().to_owned(),
            accepted: LossFunction::accepted(candidate.head).into(),
        }])),
        _ => Ok(()),
    }
}

/// Checks starting weights.
pub(crate) fn check_weights(candidate: &Candidate, weights: &Weights) -> Result<(), TrainError> {
    let fault = |place, problem, accepted: &str| {
        Err(TrainError::Weights {
            place,
            problem,
            accepted: accepted.to_owned(),
        })
    };
    if let Some((place, problem)) = weights.shape_fault(candidate) {
        return fault(place, problem, "weights of the candidate's shape");
    }
    for spec in candidate.tensors() {
        let values = weights.part(spec.layer, spec.part);
        let low = if spec.part == Part::Variance {
            0.0
        } else {
            f32::MIN
        };
        let bad = values.iter().position(|v| !(v.is_finite() && *v >= low));
        if let Some(at) = bad {
            let place = format!("{}.{}", candidate.layers[spec.layer].name, spec.part);
            let problem = format!("value {at} is {}", values[at]);
            let accepted = if spec.part == Part::Variance {
                "numbers of at least 0"
            } else {
                "finite numbers"
            };
            return fault(place, problem, accepted);
        }
    }
    Ok(())
}

/// Checks what a recipe asks of a candidate's head and of its targets.
pub(crate) fn check_head(
    recipe: &Recipe,
    train: &Samples<'_>,
    candidate: &Candidate,
) -> Result<(), TrainError> {
    let mut faults = Vec::new();
    let mut fault = |pointer, value: String, accepted: String| {
        faults.push(RecipeFault {
            pointer,
            value,
            accepted: accepted.into(),
        });
    };
    if let Some(weights) = &recipe.class_weights {
        let classes = classes_of(candidate);
        match (weights, train.y) {
            (_, Targets::Values(_)) => {
                let value = "given for rows without classes".to_owned();
                let accepted = "none, unless targets are classes".to_owned();
                fault("/class_weights", value, accepted);
            }
            (ClassWeights::Each(weights), Targets::Classes(_)) if weights.len() != classes => {
                let value = format!("{} numbers", weights.len());
                fault("/class_weights", value, format!("{classes}, one a class"));
            }
            _ => {}
        }
    }
    let softmax = matches!(candidate.head, Head::Softmax { .. });
    if recipe.label_smoothing > 0.0 && !softmax {
        let value = format!("{} for a head that is no softmax", recipe.label_smoothing);
        fault("/label_smoothing", value, "0, or a softmax head".to_owned());
    }
    if recipe.distillation.is_some() && !softmax {
        let value = "given for a head that is no softmax".to_owned();
        fault("/distillation", value, "none, or a softmax head".to_owned());
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(TrainError::Recipe(faults))
    }
}

/// Checks that the learning rate gets to its height within a run of `steps` steps.
pub(crate) fn check_warmup(recipe: &Recipe, steps: u64) -> Result<(), TrainError> {
    match recipe.schedule {
        Schedule::WarmCosine { warmup_steps, .. } if u64::from(warmup_steps) >= steps => {
            Err(TrainError::Recipe(vec![RecipeFault {
                pointer: "/schedule/warm_cosine/warmup_steps",
                value: warmup_steps.to_string(),
                accepted: format!("0 to {}, fewer than the steps of the run", steps - 1).into(),
            }]))
        }
        _ => Ok(()),
    }
}

/// Checks that pruning ends within a run of `steps` steps and that pruned weights can be 0.
pub(crate) fn check_pruning(
    recipe: &Recipe,
    candidate: &Candidate,
    steps: u64,
) -> Result<(), TrainError> {
    let Some(pruning) = recipe.pruning else {
        return Ok(());
    };
    let (pointer, last) = pruning.schedule.last_step();
    if last >= steps {
        return Err(TrainError::Recipe(vec![RecipeFault {
            pointer,
            value: last.to_string(),
            accepted: format!("0 to {}, a step of the run", steps - 1).into(),
        }]));
    }
    let mut kernels = candidate.quantizers().into_iter();
    match kernels.find(|(_, role, q)| *role == Role::Kernel && !q.maps_zero_to_zero()) {
        Some((place, _, quantizer)) => Err(TrainError::Candidate {
            place,
            problem: format!("{quantizer} has no 0 for pruned weights"),
            accepted:
                "with pruning, a quantizer that keeps 0, as quantized_bits of 2 bits and more \
                       or ternary do"
                    .to_owned(),
        }),
        None => Ok(()),
    }
}

/// Checks a teacher's logits; how to learn from them.
pub(crate) fn check_teacher(
    recipe: &Recipe,
    logits: &[f32],
    rows: usize,
    outputs: usize,
) -> Result<Distillation, TrainError> {
    let fault = |problem: String, accepted: String| Err(TrainError::Teacher { problem, accepted });
    let Some(distillation) = recipe.distillation else {
        let accepted = "no logits, or a recipe with distillation".to_owned();
        return fault("the recipe has no distillation".to_owned(), accepted);
    };
    if rows.checked_mul(outputs) != Some(logits.len()) {
        let accepted = format!("{rows} x {outputs}, an output of each train row");
        return fault(format!("{} logits", logits.len()), accepted);
    }
    if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
        let problem = format!("row {} has the logit {}", at / outputs, logits[at]);
        return fault(problem, "finite numbers".to_owned());
    }
    Ok(distillation)
}

/// Checks samples against a checked candidate.
pub(crate) fn check_samples(
    part: &str,
    samples: &Samples<'_>,
    candidate: &Candidate,
) -> Result<(), TrainError> {
    let fault = |field: &str, problem: String, accepted: String| {
        Err(TrainError::Samples {
            place: format!("{part}.{field}"),
            problem,
            accepted,
        })
    };
    if samples.rows == 0 || samples.rows > u32::MAX as usize {
        let accepted = "1 to 4294967295 rows".to_owned();
        return fault("rows", format!("{} rows", samples.rows), accepted);
    }
    let inputs = candidate.inputs();
    if samples.columns != inputs {
        let accepted = format!("{inputs}, the candidate's inputs");
        return fault("columns", format!("{} columns", samples.columns), accepted);
    }
    let values = samples.rows.checked_mul(samples.columns);
    if values != Some(samples.x.len()) {
        let accepted = format!("{} x {}", samples.rows, samples.columns);
        return fault("x", format!("{} values", samples.x.len()), accepted);
    }
    if let Some(at) = samples.x.iter().position(|value| !value.is_finite()) {
        let (row, column) = (at / samples.columns, at % samples.columns);
        let problem = format!("row {row}, column {column} is {}", samples.x[at]);
        return fault("x", problem, "finite numbers".to_owned());
    }
    let outputs = candidate.outputs();
    match (samples.y, candidate.head) {
        (Targets::Classes(_), Head::Linear) => {
            let accepted = format!("values, {outputs} a row, for a linear head");
            fault("y", "classes".to_owned(), accepted)
        }
        (Targets::Values(_), Head::Softmax { .. }) => {
            let accepted = "classes, one a row, for a softmax head".to_owned();
            fault("y", "values".to_owned(), accepted)
        }
        (Targets::Classes(classes), _) => {
            if classes.len() != samples.rows {
                let accepted = format!("{}, one a row", samples.rows);
                return fault("y", format!("{} labels", classes.len()), accepted);
            }
            // A single output of a sigmoid head tells two classes apart.
            let known = outputs.max(2);
            match classes
                .iter()
                .position(|label| usize::from(*label) >= known)
            {
                Some(row) => {
                    let problem = format!("row {row} has label {}", classes[row]);
                    let accepted = format!("0 to {}, one an output of the candidate", known - 1);
                    fault("y", problem, accepted)
                }
                None => Ok(()),
            }
        }
        (Targets::Values(values), head) => {
            if samples.rows.checked_mul(outputs) != Some(values.len()) {
                let accepted = format!("{} x {outputs}", samples.rows);
                return fault("y", format!("{} values", values.len()), accepted);
            }
            let share = head == Head::Sigmoid;
            let right = |v: &f32| v.is_finite() && (!share || (0.0..=1.0).contains(v));
            match values.iter().position(|v| !right(v)) {
                Some(at) => {
                    let problem = format!("row {} has the target {}", at / outputs, values[at]);
                    let accepted = if share { "0 to 1" } else { "finite numbers" };
                    fault("y", problem, accepted.to_owned())
                }
                None => Ok(()),
            }
        }
    }
}
