//! From a well-formed file to a [`Search`]: names followed, defaults written out, quantizers checked.

mod aim;
mod layers;
mod network;
mod pools;
mod pruning;
mod sampler;
mod seeds;
mod settings;
mod space;
mod variables;

use super::fault::Fault;
use super::pointer::Pointer;
use super::types::{DatasetSpec, SearchFile};
use crate::search::{DatasetUse, Loss, Sampler, Search, Split, Start, TestRows};
use bitfront_hardware::circuit::{OutputForm, Ranges};
use bitfront_hardware::device::Devices;
use bitfront_hardware::engine::{DesignError, Engine};
use bitfront_network::{Candidate, CandidateError, Head};

/// What resolving needs to know of a data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Number of features.
    pub inputs: usize,
    /// Number of classes; 0 where rows have values.
    pub classes: usize,
    /// Digest of the registered file.
    pub digest: String,
    /// Names of the features; empty where they are not known.
    pub features: Vec<String>,
    /// Number of values that the file has to predict of a row; 0 where rows have classes.
    pub targets: usize,
    /// Whether it has test rows of its own.
    pub has_test_rows: bool,
}

/// What resolving needs to know of a registered model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// Name it is registered by.
    pub name: String,
    /// The network as it was imported, with whatever quantizers it has.
    pub candidate: Candidate,
    /// SHA-256 of the file that holds its weights under [`Network::of`] its candidate.
    pub weights_digest: String,
}

impl DatasetInfo {
    /// What the file's own model says of the data, to check a file without its data set.
    pub fn of_model(file: &SearchFile) -> Self {
        let mlp = file.model.mlp.as_deref().unwrap_or_default();
        let inputs = file.model.inputs.as_ref();
        let features = inputs.and_then(|inputs| match &inputs.shape {
            Some(shape) => Some(shape.iter().fold(1_u32, |n, axis| n.saturating_mul(*axis))),
            None => inputs.features,
        });
        let layers = file.model.layers.as_deref().unwrap_or_default();
        let last_dense = layers.iter().rev().find_map(|layer| layer.dense);
        let inputs = features.or(mlp.first().copied()).unwrap_or(1) as usize;
        let outputs = last_dense.or(mlp.last().copied()).unwrap_or(1) as usize;
        Self::of_shape(file, inputs, outputs)
    }

    /// What a network of so many inputs and outputs says of the data that `file` trains it on.
    pub fn of_shape(file: &SearchFile, inputs: usize, outputs: usize) -> Self {
        let named = match &file.dataset {
            DatasetSpec::Name(_) => 0,
            DatasetSpec::Full(full) => full.targets.len(),
        };
        let (classes, targets) = match file.training.loss {
            None | Some(Loss::SoftmaxCrossEntropy) => (outputs, 0),
            // One output may tell two classes apart, or be one value.
            Some(Loss::BinaryCrossEntropy) if outputs == 1 => (2, 0),
            Some(_) => (0, outputs),
        };
        Self {
            inputs: inputs + named,
            classes,
            targets,
            ..Self::default()
        }
    }
}

/// Resolves `file` for the data set `dataset`, the model that it imports, if it does, and the devices
/// that it may name.
///
/// # Errors
/// Every fault of meaning: names of no layer, pool or metric, quantizers that cannot be scored
/// exactly where they may stand, sizes that do not fit the data, settings that exclude each other.
pub fn resolve(
    file: &SearchFile,
    dataset: &DatasetInfo,
    model: Option<&ModelInfo>,
    devices: &Devices,
) -> Result<Search, Vec<Fault>> {
    let mut faults = Vec::new();
    let split = split(file, dataset.has_test_rows, &mut faults);
    let aim = aim::aim(file, dataset, &mut faults);
    let objectives = settings::objectives(file, aim.loss, &mut faults);
    let ranges = settings::ranges(file);
    aim::metrics(file, &aim, ranges, &mut faults);
    let reference_point = settings::reference_point(file, &objectives, &mut faults);
    let sampler = sampler::sampler(file, &mut faults);
    aim::sampler(&sampler, &aim, &mut faults);
    let device = settings::device(file, devices, &mut faults);
    let circuit = settings::circuit(file, &mut faults);
    let multipliers = settings::multipliers(file, &mut faults);
    let (output, tables) = settings::output(file, &mut faults);
    let valid = settings::valid(file);
    let layout = settings::layout(file, &mut faults);
    let constraints = settings::constraints(file, &device, &mut faults);
    let synthesis = settings::synthesis(file, &mut faults);
    let synthesis_target = settings::synthesis_target(file, &device, devices, &mut faults);
    let training = settings::training(file, &aim, &mut faults);
    let network = network::network(file, &aim, model, &mut faults);
    let network = network.map(|network| network.with_tables(tables));
    let pools = pools::Pools::new(file);
    let input = network::input_quantizer(file, &pools, &mut faults);
    let choices = network.zip(input).and_then(|(network, input)| {
        let space = space::space(file, &network, &pools, input, &mut faults)?;
        let seed_trials = if sampler::learns_bits(file) {
            sampler::check_learnable(file, &network, input, &mut faults);
            Vec::new()
        } else {
            seeds::seed_trials(file, &network, model, input, &mut faults)
        };
        Some((network, space, seed_trials))
    });
    let Some((network, space, seed_trials)) = choices.filter(|_| faults.is_empty()) else {
        return Err(faults);
    };
    let search = Search {
        name: file.name.clone(),
        description: file.description.clone(),
        labels: file.labels.clone(),
        dataset: DatasetUse {
            name: dataset_name(&file.dataset).to_owned(),
            digest: dataset.digest.clone(),
            split,
            targets: aim.targets,
        },
        network,
        start: model
            .filter(|_| file.model.import.is_some())
            .map(|model| Start {
                model: model.name.clone(),
                weights_digest: model.weights_digest.clone(),
            }),
        space,
        seed_trials,
        training,
        device,
        circuit,
        multipliers,
        output,
        valid,
        ranges,
        layout,
        objectives,
        constraints,
        reference_point,
        sampler,
        budget: settings::budget(file),
        order: file.order,
        synthesis,
        synthesis_target,
        seed: file.seed,
    };
    check_candidates(&search)?;
    check_output(&search)?;
    check_vendor(&search)?;
    check_engine(&search)?;
    check_teacher(&search)?;
    pruning::check_kernels(&search)?;
    Ok(search)
}

/// The network room's own rules: names it can put into circuits, sizes, quantizers. All points of a
/// space have the same shape and checked quantizers, so the first stands for all; where bit widths are
/// learned it has none yet.
fn check_candidates(search: &Search) -> Result<(), Vec<Fault>> {
    let first = search.candidate(&search.space.point(0));
    let first = first.map_err(|error| vec![Fault::new("/search_space", error.to_string())])?;
    let checked = match search.sampler {
        Sampler::LearnedBits(_) => first.check_shapes(),
        Sampler::Random | Sampler::Evolution { .. } => first.check(),
    };
    checked.map_err(|errors| -> Vec<Fault> {
        let fault = |error: &CandidateError| Fault::new("/model", error.to_string());
        errors.iter().map(fault).collect()
    })?;
    search.layout.check(&first).map_err(|error| {
        let detail = format!("no network of this search can be streamed: {error}");
        vec![Fault::new("/circuit/layout", detail)]
    })
}

/// Only of classes is there more than logits, and only circuits of this project's own have it.
fn check_output(search: &Search) -> Result<(), Vec<Fault>> {
    if search.output == OutputForm::Logits {
        return Ok(());
    }
    let name = search.output.name();
    let fault = |detail: String| Err(vec![Fault::new("/circuit/output", detail)]);
    if !matches!(search.network.float.head, Head::Softmax { .. }) {
        return fault(format!(
            "`{name}` is of classes, which the network's outputs are not; accepted: `logits`"
        ));
    }
    if search.synthesis_target.engine == Engine::Vitis {
        return fault(
            "`vitis-hls` makes a circuit of its own, which ends in logits; accepted with it: `logits`".to_owned(),
        );
    }
    search.output.check(&search.network.float).map_err(|error| {
        let at = "/circuit/softmax/address_bits";
        vec![Fault::new(at, error.reason)]
    })
}

/// Only circuits of this project's own have ranges of data and flags of valid rows.
fn check_vendor(search: &Search) -> Result<(), Vec<Fault>> {
    if search.synthesis_target.engine != Engine::Vitis {
        return Ok(());
    }
    let mut faults = Vec::new();
    if search.ranges == Ranges::Data {
        let detail = "`vitis-hls` makes a circuit of its own, with ranges of its own; accepted with it: `proven`";
        faults.push(Fault::new("/circuit/ranges", detail));
    }
    if search.valid {
        let detail = "`vitis-hls` makes a circuit of its own, with an interface of its own; accepted with it: `false`";
        faults.push(Fault::new("/circuit/valid", detail));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// What the engine cannot build is refused before anything is trained. Streamed circuits were checked with the engine's name.
fn check_engine(search: &Search) -> Result<(), Vec<Fault>> {
    let checked = search.synthesis_target.check(&search.design_options());
    checked.map_err(|error| {
        let at = match error {
            DesignError::Streamed(_) => "/synthesis/engine",
            DesignError::Blocks(_) | DesignError::NoBlocks(_) => "/circuit/multipliers",
        };
        vec![Fault::new(at, error.to_string())]
    })
}

/// A wider teacher is another network than the parent, and one that fits together.
fn check_teacher(search: &Search) -> Result<(), Vec<Fault>> {
    let Some((distillation, teacher)) = search.training.distillation.zip(search.teacher()) else {
        return Ok(());
    };
    let widen = distillation.widen;
    let fault = |why: String| {
        let detail =
            format!("{widen} makes no wider teacher: {why}; accepted: 1, the float parent");
        Err(vec![Fault::new("/training/distillation/widen", detail)])
    };
    if widen > 1 && teacher == search.network.float {
        return fault(
            "the network has no hidden layer with units or filters of its own".to_owned(),
        );
    }
    match teacher.check_shapes() {
        Err(errors) if widen > 1 => {
            fault(errors.first().map_or_else(String::new, ToString::to_string))
        }
        _ => Ok(()),
    }
}

fn dataset_name(dataset: &DatasetSpec) -> &str {
    match dataset {
        DatasetSpec::Name(name) => name,
        DatasetSpec::Full(full) => &full.name,
    }
}

fn split(file: &SearchFile, has_test_rows: bool, faults: &mut Vec<Fault>) -> Split {
    let given = match &file.dataset {
        DatasetSpec::Name(_) => None,
        DatasetSpec::Full(full) => full.split,
    };
    let split = given.unwrap_or(Split {
        train: 0.64,
        validation: 0.16,
        test: 0.2,
        seed: 0,
        test_rows: TestRows::EachClass,
    });
    let at = Pointer::root().at("dataset").at("split");
    let sum = split.train + split.validation + split.test;
    if (sum - 1.0).abs() > 1e-9 {
        let detail = format!("train, validation and test sum to {sum}, not to 1");
        faults.push(Fault::new(&at, detail));
    }
    for (key, share) in [
        ("train", split.train),
        ("validation", split.validation),
        ("test", split.test),
    ] {
        if share <= 0.0 {
            faults.push(Fault::new(
                at.at(key),
                format!("{share} leaves no rows; above 0"),
            ));
        }
    }
    if split.test_rows == TestRows::ScikitLearn {
        if u32::try_from(split.seed).is_err() {
            let detail = format!(
                "{} is none of scikit-learn's; accepted: 0 to 4294967295",
                split.seed
            );
            faults.push(Fault::new(at.at("seed"), detail));
        }
        if has_test_rows {
            let detail =
                "the data set has test rows of its own; accepted: each_class, which keeps those";
            faults.push(Fault::new(at.at("test_rows"), detail));
        }
    }
    split
}
