//! The sampler section, and what learned bit widths ask of the rest of the file.

use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{SamplerFull, SamplerName, SamplerSpec, SearchFile};
use crate::learned::LearnedBits;
use crate::search::{Network, Sampler};
use bitfront_network::{Layer, Operation};
use bitfront_quantizer::{Quantizer, Role};

/// Trials that may become parents, unless the file says otherwise.
const DEFAULT_POPULATION: u32 = 32;

/// Trials of a search at most, those that runs leave behind included.
const MOST_TRIALS: u64 = 1_000_000;

/// Whether `file` says that bit widths are learned.
pub(super) fn learns_bits(file: &SearchFile) -> bool {
    full(file).name == SamplerName::LearnedBits
}

fn full(file: &SearchFile) -> SamplerFull {
    match &file.sampler {
        SamplerSpec::Name(name) => SamplerFull {
            name: *name,
            population: None,
            warmup: None,
            crossover: None,
            epochs: None,
            batch_size: None,
            learning_rate: None,
            bits_rate: None,
            final_rate: None,
            first_beta: None,
            last_beta: None,
            flat: None,
            fraction_bits: None,
            averaging: None,
            granularity: None,
        },
        SamplerSpec::Full(full) => full.clone(),
    }
}

pub(super) fn sampler(file: &SearchFile, faults: &mut Vec<Fault>) -> Sampler {
    use SamplerName::{Evolution, LearnedBits, Random};
    let spec = full(file);
    let at = Pointer::root().at("sampler");
    // Each key that only one sampler has, and whether it is there.
    for (key, given, owner) in [
        ("population", spec.population.is_some(), Evolution),
        ("warmup", spec.warmup.is_some(), Evolution),
        ("crossover", spec.crossover.is_some(), Evolution),
        ("epochs", spec.epochs.is_some(), LearnedBits),
        ("batch_size", spec.batch_size.is_some(), LearnedBits),
        ("learning_rate", spec.learning_rate.is_some(), LearnedBits),
        ("bits_rate", spec.bits_rate.is_some(), LearnedBits),
        ("final_rate", spec.final_rate.is_some(), LearnedBits),
        ("first_beta", spec.first_beta.is_some(), LearnedBits),
        ("last_beta", spec.last_beta.is_some(), LearnedBits),
        ("flat", spec.flat.is_some(), LearnedBits),
        ("fraction_bits", spec.fraction_bits.is_some(), LearnedBits),
        ("averaging", spec.averaging.is_some(), LearnedBits),
        ("granularity", spec.granularity.is_some(), LearnedBits),
    ] {
        if given && spec.name != owner {
            let (name, owner) = (name(spec.name), name(owner));
            let detail = format!("sampler `{name}` has no `{key}`; `{owner}` has");
            faults.push(Fault::new(at.at(key), detail));
        }
    }
    match spec.name {
        Random => Sampler::Random,
        Evolution => {
            let population = spec.population.unwrap_or(DEFAULT_POPULATION);
            Sampler::Evolution {
                population,
                warmup: spec.warmup.unwrap_or(population / 2),
                crossover: spec.crossover.unwrap_or(0.9),
            }
        }
        LearnedBits => Sampler::LearnedBits(learned_bits(file, &spec, &at, faults)),
    }
}

fn name(sampler: SamplerName) -> &'static str {
    match sampler {
        SamplerName::Random => "random",
        SamplerName::Evolution => "evolution",
        SamplerName::LearnedBits => "learned_bits",
    }
}

fn learned_bits(
    file: &SearchFile,
    spec: &SamplerFull,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> LearnedBits {
    let default = LearnedBits::default();
    let settings = LearnedBits {
        epochs: spec.epochs.unwrap_or(default.epochs),
        batch_size: spec.batch_size.unwrap_or(default.batch_size),
        learning_rate: spec.learning_rate.unwrap_or(default.learning_rate),
        bits_rate: spec.bits_rate.unwrap_or(default.bits_rate),
        final_rate: spec.final_rate.unwrap_or(default.final_rate),
        first_beta: spec.first_beta.unwrap_or(default.first_beta),
        last_beta: spec.last_beta.unwrap_or(default.last_beta),
        flat: spec.flat.unwrap_or(default.flat),
        fraction_bits: spec.fraction_bits.unwrap_or(default.fraction_bits),
        averaging: spec.averaging.unwrap_or(default.averaging),
        granularity: spec.granularity.unwrap_or(default.granularity),
    };
    let LearnedBits {
        first_beta,
        last_beta,
        epochs,
        ..
    } = settings;
    if last_beta < first_beta {
        let detail = format!(
            "{last_beta} is below `first_beta`, {first_beta}: the penalty grows during a run; accepted is {first_beta} or more"
        );
        faults.push(Fault::new(at.at("last_beta"), detail));
    }
    let runs = u64::from(file.budget.trials);
    let most = MOST_TRIALS / (u64::from(epochs) + 1);
    if runs > most {
        let detail = format!(
            "{runs} runs of {epochs} epochs may leave more than {MOST_TRIALS} trials behind; accepted is {most} at most"
        );
        faults.push(Fault::new(
            Pointer::root().at("budget").at("trials"),
            detail,
        ));
    }
    let pointer = |key: &str| Pointer::root().at(key);
    for (given, key) in [
        (file.space.is_some(), "space"),
        (file.search_space.is_some(), "search_space"),
    ] {
        if given {
            let detail = "stands beside sampler `learned_bits`, which learns every quantizer and chooses none; \
                          accepted are samplers `random` and `evolution`";
            faults.push(Fault::new(pointer(key), detail));
        }
    }
    let training = &file.training;
    for (given, key, why) in [
        (training.pruning.is_some(), "pruning", "know no pruning"),
        (
            training.class_weights.is_some(),
            "class_weights",
            "learn from all classes alike",
        ),
        (
            training.label_smoothing != 0.0,
            "label_smoothing",
            "learn from the classes as they are",
        ),
    ] {
        if given {
            let detail = format!(
                "stands beside sampler `learned_bits`, whose runs {why}; accepted are samplers `random` and `evolution`"
            );
            faults.push(Fault::new(pointer("training").at(key), detail));
        }
    }
    settings
}

/// Checks that bit widths of this network can be learned: a chain of convolutions and dense layers, rectified in between,
/// behind a uniform input.
pub(super) fn check_learnable(
    file: &SearchFile,
    network: &Network,
    input: Quantizer,
    faults: &mut Vec<Fault>,
) {
    let at = Pointer::root().at("model");
    let accepted = "sampler `learned_bits` takes convolutions, then dense layers, with biases and with `relu` between them; \
                    `max_pool` behind a `relu`, `flatten` before the first dense layer";
    let float = &network.float;
    if let Err(problem) = float.chain() {
        faults.push(Fault::new(&at, format!("{problem}; {accepted}")));
    } else {
        let other = |layer: &&Layer| match &layer.operation {
            Operation::Activation { quantizer } => *quantizer != Quantizer::Relu,
            _ => false,
        };
        let others = float.layers.iter().filter(other);
        let others: Vec<&str> = others.map(|layer| layer.name.as_str()).collect();
        if !others.is_empty() {
            let detail = format!("{} does not rectify; {accepted}", list(others));
            faults.push(Fault::new(&at, detail));
        }
    }
    let grid = input.grid(Role::Input).ok().filter(|_| input.is_uniform());
    if grid.is_none_or(|grid| grid.lo > 0 || grid.hi <= 0) {
        let detail = format!(
            "`{input}` is no uniform quantizer, from whose grid sampler `learned_bits` takes the channels of \
             the input; accepted is one such as `quantized_bits(12,3,alpha=1.0)`"
        );
        let at = match &file.model.inputs {
            Some(inputs) if inputs.quantizer.is_some() => at.at("inputs").at("quantizer"),
            _ => at,
        };
        faults.push(Fault::new(at, detail));
    }
}
