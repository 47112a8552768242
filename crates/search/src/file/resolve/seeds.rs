//! Seed trials: candidates that are trained before the sampler starts.

use super::ModelInfo;
use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::file::types::{AllSpec, QuantizerText, SearchFile, SeedTrialSpec};
use crate::search::{Network, SeedTrial};
use crate::space::Parameter;
use bitfront_network::{Candidate, CandidateError};
use bitfront_quantizer::Quantizer;

/// The seed trials of a file that names none, as many as the budget holds.
const DEFAULT: [SeedTrialSpec; 5] = [
    SeedTrialSpec::Float(true),
    SeedTrialSpec::UniformBits(8),
    SeedTrialSpec::UniformBits(6),
    SeedTrialSpec::UniformBits(4),
    SeedTrialSpec::UniformBits(2),
];

/// The seed trials of `file`; `input` is the input's quantizer where a seed trial names none.
pub(super) fn seed_trials(
    file: &SearchFile,
    network: &Network,
    model: Option<&ModelInfo>,
    input: Quantizer,
    faults: &mut Vec<Fault>,
) -> Vec<SeedTrial> {
    let at = Pointer::root().at("search_space").at("seed_trials");
    let budget = file.budget.trials as usize;
    let given = file
        .search_space
        .as_ref()
        .and_then(|space| space.seed_trials.as_deref());
    let specs = given.unwrap_or(&DEFAULT[..budget.min(DEFAULT.len())]);
    if specs.len() > budget {
        let detail = format!(
            "{} seed trials, but the budget is {budget} trials",
            specs.len()
        );
        faults.push(Fault::new(&at, detail));
    }
    let mut seed_trials: Vec<SeedTrial> = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let at = at.at(index);
        let (label, candidate) = match spec {
            SeedTrialSpec::Float(true) => ("float".to_owned(), Some(network.float.clone())),
            SeedTrialSpec::Float(false) => {
                let detail = "`false` asks for nothing; leave the entry out";
                faults.push(Fault::new(at.at("float"), detail));
                continue;
            }
            SeedTrialSpec::Imported(wanted) => {
                let at = at.at("imported");
                let found = model
                    .filter(|_| file.model.import.is_some())
                    .map(|model| &model.candidate);
                let Some(mut candidate) = found.filter(|_| *wanted).cloned() else {
                    let detail = "needs `true`, and a `model` that is imported";
                    faults.push(Fault::new(at, detail));
                    continue;
                };
                candidate.head = network.float.head;
                if let Err(errors) = candidate.check() {
                    let fault = |error: &CandidateError| Fault::new(&at, error.to_string());
                    faults.extend(errors.iter().map(fault));
                    continue;
                }
                ("imported".to_owned(), Some(candidate))
            }
            SeedTrialSpec::UniformBits(bits) => {
                let texts = uniform(*bits);
                let at = at.at("uniform_bits");
                let linear = Some(&texts.bias);
                let candidate = quantized(network, &texts, linear, input, |_| at.clone(), faults);
                (format!("uniform-{bits}"), candidate)
            }
            SeedTrialSpec::All(texts) => {
                let at = at.at("all");
                let place = |parameter: Parameter| at.at(parameter);
                let candidate = quantized(network, texts, None, input, place, faults);
                (format!("custom-{index}"), candidate)
            }
        };
        let Some(candidate) = candidate else { continue };
        if let Some(same) = seed_trials
            .iter()
            .find(|other| other.candidate == candidate)
        {
            faults.push(Fault::new(
                &at,
                format!("is the same candidate as `{}`", same.label),
            ));
        }
        seed_trials.push(SeedTrial { label, candidate });
    }
    seed_trials
}

/// The paper's uniform scan.
fn uniform(bits: u32) -> AllSpec {
    let weights = match bits {
        1 => "binary(alpha=1.0)".to_owned(),
        2 => "ternary(alpha=1.0)".to_owned(),
        bits => format!("quantized_bits({bits},0,alpha=1.0)"),
    };
    AllSpec {
        kernel: QuantizerText(weights.clone()),
        bias: QuantizerText(weights),
        activation: QuantizerText(format!("quantized_relu({bits})")),
        input: None,
    }
}

/// Every place has its parameter's quantizer; activation layers that do not rectify have `linear`
/// where it is given.
fn quantized(
    network: &Network,
    texts: &AllSpec,
    linear: Option<&QuantizerText>,
    input: Quantizer,
    at: impl Fn(Parameter) -> Pointer,
    faults: &mut Vec<Fault>,
) -> Option<Candidate> {
    let mut read = |text: &QuantizerText, parameter: Parameter| -> Option<Quantizer> {
        let quantizer = text.0.parse::<Quantizer>();
        let exact = quantizer
            .map_err(|error| error.to_string())
            .and_then(|quantizer| {
                let exact = quantizer.check_frozen(parameter.role());
                exact.map(|()| quantizer).map_err(|error| error.to_string())
            });
        exact
            .map_err(|detail| faults.push(Fault::new(at(parameter), detail)))
            .ok()
    };
    let kernel = read(&texts.kernel, Parameter::Kernel);
    let bias = read(&texts.bias, Parameter::Bias);
    let activation = read(&texts.activation, Parameter::Activation);
    let input = match &texts.input {
        Some(text) => read(text, Parameter::Input),
        None => Some(input),
    };
    let linear = match linear {
        Some(text) => read(text, Parameter::Activation),
        None => activation,
    };
    let (kernel, bias, activation, input) = (kernel?, bias?, activation?, input?);
    let linear = linear?;
    Some(network.candidate(|parameter, layer| match parameter {
        Parameter::Input => input,
        Parameter::Activation if !network.rectifies(layer) => linear,
        Parameter::Kernel | Parameter::PointwiseKernel => kernel,
        Parameter::Bias => bias,
        Parameter::Activation => activation,
    }))
}
