//! The run: one ramp of the penalty, a point an epoch, the front of all points.

use bitfront_hardware::costs::program_ebops;
use bitfront_kernel::{AdamStep, Buffer, Kernels, cos_pi};
use bitfront_network::{
    Candidate, ForwardPrecision, Head, IntegerProgram, Link, Operation, Weights, forward_precision,
};
use bitfront_quantizer::{Quantizer, Role};
use bitfront_training::{Control, Samples, SoftTargets, Targets, micro_batch, row_order};

use crate::candidate::candidate;
use crate::engine::{Engine, Rows, Step};
use crate::error::LearnError;
use crate::formats::Format;
use crate::layer::Beginning;
use crate::settings::Settings;

/// Rows whose values the first ranges hold.
const RANGE_ROWS: usize = 4096;

/// What is learned from.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// A chain ([`Candidate::chain`]) of convolutions and dense layers, rectified in between, with a softmax head. Of its
    /// quantizers only the input's counts: channels have at most its range and its fraction.
    pub candidate: &'a Candidate,
    /// Starting weights, of the candidate's shape.
    pub start: &'a Weights,
    /// Standardised train rows with classes.
    pub train: Samples<'a>,
    /// Rows that points are compared by.
    pub validation: Samples<'a>,
    /// What a teacher says of the train rows.
    pub teacher: Option<&'a SoftTargets>,
}

/// What an epoch gave.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochPoint {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Nats an EBOP at the epoch's end.
    pub beta: f64,
    /// Mean cross-entropy of the train rows by their classes alone, each before the step it belongs to.
    pub train_loss: f64,
    /// Share of the validation rows that the candidate's integer program classifies rightly.
    pub validation_accuracy: f64,
    /// EBOPs of the candidate's integer program: effective bits of each constant by the width of what it
    /// multiplies.
    pub ebops: f64,
    /// The same by the learned widths of weights, signs left out, and the widths of the biases: HGQ2's
    /// count, never below the effective bits of its products.
    pub ebops_by_widths: f64,
    /// Whether it is on the front of the epochs so far.
    pub kept: bool,
}

/// A candidate on the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The epoch it was made after, with its figures.
    pub epoch: EpochPoint,
    /// The candidate: formats channel by channel, grids of kernels and biases.
    pub candidate: Candidate,
    /// Its weights, all on their grids.
    pub weights: Weights,
}

/// Learns weights and bit widths together, the penalty growing from epoch to epoch, and returns the front
/// of the epochs by validation accuracy and EBOPs, EBOPs ascending.
///
/// The result is a pure function of task, settings and seed, on every CPU level. `cancelled` is asked
/// between steps; [`Control::Stop`] ends the run after an epoch.
///
/// # Errors
/// [`LearnError`]: a setting, network or data out of range, a number that is not finite, cancelled.
pub fn learn(
    task: &Task<'_>,
    settings: &Settings,
    seed: u64,
    on_epoch: &mut dyn FnMut(&EpochPoint) -> Control,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Point>, LearnError> {
    learn_at(Kernels::detect(), task, settings, seed, on_epoch, cancelled)
}

/// [`learn`] at a CPU level.
///
/// # Errors
/// As [`learn`].
pub fn learn_at(
    kernels: Kernels,
    task: &Task<'_>,
    settings: &Settings,
    seed: u64,
    on_epoch: &mut dyn FnMut(&EpochPoint) -> Control,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Point>, LearnError> {
    settings.check().map_err(LearnError::Settings)?;
    let (chain, beginning) = checked(task, settings)?;
    let train = rows(task, &task.train, task.teacher)?;
    let validation = rows(task, &task.validation, None)?;
    let few = Rows {
        x: &train.x[..train.x.len() / task.train.rows * task.train.rows.min(RANGE_ROWS)],
        count: task.train.rows.min(RANGE_ROWS),
        ..train.rows()
    };
    let micro = micro_batch(task.candidate);
    let mut engine = Engine::new(kernels, &chain, beginning, micro, few);
    let batch = settings.batch_size.min(task.train.rows);
    let per_epoch = task.train.rows.div_ceil(batch) as u64;
    let steps = per_epoch * u64::from(settings.epochs);
    let mut decay = [1.0f64; 2];
    let mut done = 0;
    let mut points: Vec<Point> = Vec::new();
    for epoch in 1..=settings.epochs {
        let order = row_order(seed, epoch, task.train.rows);
        let mut loss = 0.0;
        for batch in order.chunks(batch) {
            if cancelled() {
                return Err(LearnError::Cancelled);
            }
            engine.quantize();
            let total = engine.gradients(train.rows(), batch);
            loss += total.loss;
            let step = step(settings, done as f64 / steps as f64, done, &mut decay);
            let wrong = engine.step(step);
            if wrong.is_some() || !loss.is_finite() {
                let layer = chain[wrong.unwrap_or(chain.len() - 1)].layer;
                return Err(LearnError::Diverged {
                    epoch,
                    step: done % per_epoch + 1,
                    layer: task.candidate.layers[layer].name.clone(),
                });
            }
            done += 1;
        }
        engine.exchange();
        engine.quantize();
        let (candidate, weights) = candidate(&mut engine, task.candidate);
        let program = IntegerProgram::freeze(&candidate, &weights)?;
        let right = match forward_precision(&candidate, &weights) {
            // By promise P1 the floats are the integers.
            ForwardPrecision::F32 => engine.evaluate(validation.rows()).correct,
            ForwardPrecision::F64 => right(&program, &task.validation),
        };
        let mut point = EpochPoint {
            epoch,
            beta: settings.beta(done as f64 / steps as f64),
            train_loss: loss / task.train.rows as f64,
            validation_accuracy: right as f64 / task.validation.rows as f64,
            ebops: program_ebops(&program),
            ebops_by_widths: engine.ebops_by_widths(),
            kept: false,
        };
        let beaten = |other: &Point| {
            other.epoch.ebops <= point.ebops
                && other.epoch.validation_accuracy >= point.validation_accuracy
        };
        engine.exchange();
        point.kept = !points.iter().any(beaten);
        if point.kept {
            points.retain(|other| {
                other.epoch.ebops < point.ebops
                    || other.epoch.validation_accuracy > point.validation_accuracy
            });
            points.push(Point {
                epoch: point.clone(),
                candidate,
                weights,
            });
        }
        if on_epoch(&point) == Control::Stop {
            break;
        }
    }
    points.sort_by(|a, b| a.epoch.ebops.total_cmp(&b.epoch.ebops));
    Ok(points)
}

/// Rates, averaging and penalty of step `count` at a share of the run; `decay` holds powers of Adam's
/// decays.
fn step(settings: &Settings, done: f64, count: u64, decay: &mut [f64; 2]) -> Step {
    const BETAS: [f64; 2] = [0.9, 0.999];
    for (power, beta) in decay.iter_mut().zip(BETAS) {
        *power *= beta;
    }
    let correction = (1.0 - decay[1]).sqrt() / (1.0 - decay[0]);
    let floor = f64::from(settings.final_rate);
    let share = floor + (1.0 - floor) * 0.5 * (1.0 + cos_pi(done));
    let adam = |rate: f32| AdamStep {
        rate: (f64::from(rate) * share * correction) as f32,
        beta1: BETAS[0],
        beta2: BETAS[1],
        epsilon: 1e-8,
        limit: f32::INFINITY,
    };
    // Early averages are of few steps.
    let settled = (1.0 + count as f32) / (10.0 + count as f32);
    Step {
        weights: adam(settings.learning_rate),
        bits: adam(settings.bits_rate),
        keep: settings.averaging.min(settled),
        beta: settings.beta(done) as f32,
    }
}

/// Rows that a program classifies rightly.
fn right(program: &IntegerProgram, samples: &Samples<'_>) -> usize {
    let Targets::Classes(classes) = samples.y else {
        return 0;
    };
    let found = program.classify(&program.input_codes(samples.x));
    let pairs = found.iter().flatten().zip(classes);
    pairs.filter(|(found, class)| found == class).count()
}

/// Rows quantized to the input's grid, padded.
struct Data<'a> {
    x: Buffer,
    y: &'a [u8],
    teacher: Option<&'a SoftTargets>,
}

impl Data<'_> {
    fn rows(&self) -> Rows<'_> {
        Rows {
            x: &self.x,
            y: self.y,
            teacher: self.teacher,
            count: self.y.len(),
        }
    }
}

fn rows<'a>(
    task: &Task<'_>,
    samples: &Samples<'a>,
    teacher: Option<&'a SoftTargets>,
) -> Result<Data<'a>, LearnError> {
    let Targets::Classes(y) = samples.y else {
        return Err(LearnError::Samples("values are no classes".to_owned()));
    };
    let classes = task.candidate.outputs();
    let inputs = task.candidate.inputs();
    let fault = |problem: String| Err(LearnError::Samples(problem));
    if samples.rows == 0 || y.len() != samples.rows || samples.columns != inputs {
        return fault(format!(
            "{} rows of {} features with {} labels; accepted are rows of {inputs} features, each with \
             a label",
            samples.rows,
            samples.columns,
            y.len()
        ));
    }
    if samples.x.len() != samples.rows * inputs || samples.x.iter().any(|v| !v.is_finite()) {
        return fault(format!(
            "features are {} finite numbers",
            samples.rows * inputs
        ));
    }
    if let Some(row) = y.iter().position(|label| usize::from(*label) >= classes) {
        return fault(format!(
            "row {row} has label {}; accepted are 0 to {}",
            y[row],
            classes - 1
        ));
    }
    if let Some(teacher) = teacher
        && (teacher.rows(), teacher.outputs()) != (y.len(), classes)
    {
        return fault(format!(
            "a teacher of {} rows and {} classes; accepted is one of {} rows and {classes} classes",
            teacher.rows(),
            teacher.outputs(),
            y.len()
        ));
    }
    let mut x = vec![0.0; samples.x.len()];
    task.candidate
        .input_quantizer
        .quantize(samples.x, inputs, &mut x);
    let x = Buffer::padded(&x, inputs);
    Ok(Data { x, y, teacher })
}

/// The network as a chain of layers, and what they begin with.
fn checked<'a>(
    task: &Task<'a>,
    settings: &Settings,
) -> Result<(Vec<Link>, Beginning<'a>), LearnError> {
    let fault = |problem: String| LearnError::Network(problem);
    let chain = task.candidate.chain().map_err(fault)?;
    for layer in &task.candidate.layers {
        if let Operation::Activation { quantizer } = &layer.operation
            && !matches!(quantizer, Quantizer::Relu | Quantizer::QuantizedRelu(_))
        {
            return Err(fault(format!(
                "`{}` is {quantizer}; accepted are `relu` and `quantized_relu`",
                layer.name
            )));
        }
    }
    if !matches!(task.candidate.head, Head::Softmax { .. }) {
        return Err(fault("it has no softmax head".to_owned()));
    }
    if let Some((place, problem)) = task.start.shape_fault(task.candidate) {
        return Err(fault(format!("starting weights: {place}: {problem}")));
    }
    let input = &task.candidate.input_quantizer;
    let grid = input.grid(Role::Input).ok().filter(|_| input.is_uniform());
    let Some(grid) = grid.filter(|grid| grid.lo <= 0 && grid.hi > 0) else {
        return Err(fault(format!(
            "its input has {input}; accepted is a signed uniform quantizer, such as \
             `quantized_bits(12,3,alpha=1.0)`, or an unsigned one"
        )));
    };
    let signed = grid.lo < 0;
    let end = if signed {
        grid.lo.unsigned_abs()
    } else {
        grid.hi.unsigned_abs() + 1
    };
    let codes = 63 - end.leading_zeros() as i32;
    let finest = Format {
        fraction: grid.fraction.min(Format::FREE.fraction),
        integer: (codes - grid.fraction).min(Format::FREE.integer),
    };
    let beginning = Beginning {
        weights: task.start,
        finest,
        signed,
        fraction_bits: settings.fraction_bits,
        granularity: settings.granularity,
    };
    Ok((chain, beginning))
}
