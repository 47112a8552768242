//! Trains 16-64-32-32-5 with 6-bit weights, biases and activations on rows made by
//! `bench/training/rows.py`: `epochs FOLDER best|avx2|scalar [SLOTS EPOCHS]`.
//!
//! Without `SLOTS` it trains as many epochs as each line of standard input says and answers with their
//! CPU seconds; with it, that many networks at once. Pin the process to compare one core.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS};
use bitfront_training::{Control, EpochReport, Recipe, Samples, Targets, Trainer};
use rustix::time::{ClockId, clock_gettime};

const FEATURES: usize = 16;
const USAGE: &str = "usage: epochs FOLDER best|avx2|scalar [SLOTS EPOCHS]";

fn candidate() -> Result<Candidate, Box<dyn Error + Send + Sync>> {
    let weights = "quantized_bits(6,0,alpha=1.0)";
    let mut layers = Vec::new();
    for (index, units) in [64, 32, 32, 5].into_iter().enumerate() {
        let number = index + 1;
        let dense = Operation::Dense {
            units,
            kernel: weights.parse()?,
            bias: Some(weights.parse()?),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{number}"), dense));
        if number < 4 {
            let quantizer = "quantized_relu(6)".parse()?;
            let name = format!("relu{number}");
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
    }
    Ok(Candidate {
        input_shape: vec![FEATURES],
        input_quantizer: "float".parse()?,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    })
}

fn floats(path: &Path) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let words = bytes.chunks_exact(4);
    Ok(words
        .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect())
}

/// CPU time of this thread in seconds.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

struct Rows {
    x: Vec<f32>,
    y: Vec<u8>,
}

impl Rows {
    fn read(folder: &Path, name: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let x = floats(&folder.join(format!("x{name}.f32")))?;
        let y = fs::read(folder.join(format!("y{name}.u8")))?;
        if x.len() != y.len() * FEATURES {
            return Err(format!("{name}: {} values for {} rows", x.len(), y.len()).into());
        }
        Ok(Self { x, y })
    }

    fn samples(&self) -> Samples<'_> {
        Samples {
            x: &self.x,
            y: Targets::Classes(&self.y),
            rows: self.y.len(),
            columns: FEATURES,
        }
    }
}

/// What a run on one thread hears after an epoch: its CPU seconds and the accuracy on the check rows.
type OnEpoch<'a> = dyn FnMut(f64, f64) -> Control + 'a;

fn run(
    [train, check]: [&Rows; 2],
    epochs: u32,
    seed: u64,
    kernels: Kernels,
    on_epoch: &mut OnEpoch<'_>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let candidate = candidate()?;
    let recipe = Recipe {
        epochs,
        batch_size: 1024,
        ..Recipe::default()
    };
    let mut before = cpu_seconds();
    let trainer = Trainer::new(
        &candidate,
        &train.samples(),
        &check.samples(),
        &recipe,
        seed,
    )?;
    let mut report = |report: &EpochReport| {
        let control = on_epoch(cpu_seconds() - before, report.validation_accuracy);
        before = cpu_seconds();
        control
    };
    trainer.on(kernels).run(&mut report, &|| false)?;
    Ok(())
}

/// Best of several short loops of register-only multiply-adds, in GFLOP a CPU second.
fn peak(kernels: Kernels) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let before = cpu_seconds();
        let (multiply_adds, _) = kernels.float_peak(1_000_000);
        best = best.max(2e-9 * multiply_adds as f64 / (cpu_seconds() - before));
    }
    best
}

/// Driven by lines of standard input, as `bench/training/peers/turns.py` says; with the measured peak in
/// each answer.
fn serve(rows: [&Rows; 2], kernels: Kernels) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut lines = std::io::stdin().lines();
    let (mut turns, mut seconds, mut last) = (0_usize, Vec::new(), 0.0);
    let mut on_epoch = |taken: f64, accuracy: f64| {
        last = accuracy;
        seconds.push(taken);
        if turns == 0 {
            let level = kernels.level().name();
            println!("{{\"first_epoch_s\": {taken}, \"versions\": {{\"level\": \"{level}\"}}}}");
        } else if seconds.len() < turns {
            return Control::Continue;
        } else {
            let peak = peak(kernels);
            println!("{{\"seconds\": {seconds:?}, \"peak_gflops\": {peak}}}");
        }
        seconds.clear();
        turns = match lines.next() {
            Some(Ok(line)) => line.trim().parse().unwrap_or(1),
            _ => return Control::Stop,
        };
        Control::Continue
    };
    run(rows, 10_000, 1, kernels, &mut on_epoch)?;
    println!("{{\"accuracy\": {last}}}");
    Ok(())
}

/// The same number of epochs in each of several threads at once: rows a second by the clock on the wall, of
/// all slots together, the first epoch left out.
fn slots(
    rows: [&Rows; 2],
    count: u64,
    epochs: u32,
    kernels: Kernels,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let slot = |seed| {
        let mut ends = Vec::new();
        let mut on_epoch = |_: f64, _: f64| {
            ends.push(Instant::now());
            Control::Continue
        };
        run(rows, epochs, seed, kernels, &mut on_epoch).map(|()| ends)
    };
    let ends: Vec<Vec<Instant>> = std::thread::scope(|scope| {
        let slot = &slot;
        let running: Vec<_> = (1..=count)
            .map(|seed| scope.spawn(move || slot(seed)))
            .collect();
        let ended = running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a slot panicked")?);
        ended.collect::<Result<_, Box<dyn Error + Send + Sync>>>()
    })?;
    let first = ends.iter().filter_map(|ends| ends.first()).max();
    let last = ends.iter().filter_map(|ends| ends.last()).min();
    let (Some(first), Some(last)) = (first, last) else {
        return Err("two epochs or more are needed".into());
    };
    // Epochs that ended while all slots were at work.
    let within = |end: &&Instant| *end > first && *end <= last;
    let done: usize = ends
        .iter()
        .map(|ends| ends.iter().filter(within).count())
        .sum();
    let rate = (done * rows[0].y.len()) as f64 / (*last - *first).as_secs_f64();
    println!("{{\"slots\": {count}, \"samples_per_s\": {rate}}}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, rest) = arguments.split_first().ok_or(USAGE)?;
    let (level, rest) = rest.split_first().ok_or(USAGE)?;
    let kernels = match level.as_str() {
        "best" => Some(Kernels::detect()),
        "avx2" => Kernels::at(Level::Avx2),
        "scalar" => Kernels::at(Level::Scalar),
        _ => return Err(USAGE.into()),
    };
    let kernels = kernels.ok_or("this CPU does not have that level")?;
    let folder = Path::new(folder);
    let (train, check) = (Rows::read(folder, "tr")?, Rows::read(folder, "te")?);
    match rest {
        [] => serve([&train, &check], kernels),
        [count, epochs] => slots([&train, &check], count.parse()?, epochs.parse()?, kernels),
        _ => Err(USAGE.into()),
    }
}
