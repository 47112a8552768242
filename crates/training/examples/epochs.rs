//! Trains a network of `bench/training/networks` on rows made by `bench/training/rows.py`:
//! `epochs NETWORK.json FOLDER BATCH best|avx2|scalar [SLOTS EPOCHS]`.
//!
//! Without `SLOTS` it trains as many epochs as each line of standard input says and answers with their
//! CPU seconds; with it, that many networks at once. Pin the process to compare one core.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{Candidate, Weights};
use bitfront_training::{Control, EpochReport, Recipe, Samples, Targets, Trainer};
use rustix::time::{ClockId, clock_gettime};

const USAGE: &str = "usage: epochs NETWORK.json FOLDER BATCH best|avx2|scalar [SLOTS EPOCHS]";

type Failure = Box<dyn Error + Send + Sync>;

/// What is trained, on what.
struct Job {
    candidate: Candidate,
    batch_size: usize,
    train: Rows,
    check: Rows,
    kernels: Kernels,
}

impl Job {
    fn read(network: &str, folder: &str, batch: &str, level: &str) -> Result<Self, Failure> {
        let kernels = match level {
            "best" => Some(Kernels::detect()),
            "avx2" => Kernels::at(Level::Avx2),
            "scalar" => Kernels::at(Level::Scalar),
            _ => return Err(USAGE.into()),
        };
        let text = fs::read_to_string(network).map_err(|error| format!("{network}: {error}"))?;
        let candidate: Candidate = serde_json::from_str(&text)?;
        let features = candidate.input_shape.iter().product();
        let folder = Path::new(folder);
        Ok(Self {
            candidate,
            batch_size: batch.parse()?,
            train: Rows::read(folder, "tr", features)?,
            check: Rows::read(folder, "te", features)?,
            kernels: kernels.ok_or("this CPU does not have that level")?,
        })
    }

    /// Useful operations of training on one row: products and sums of the forward pass, of the weights' gradients,
    /// and of the inputs' gradients behind the first layer with weights.
    fn operations(&self) -> u64 {
        let layers = self.candidate.summary();
        let products: Vec<u64> = layers.iter().map(|layer| layer.multiplications).collect();
        let first = products.iter().find(|count| **count > 0).unwrap_or(&0);
        2 * (3 * products.iter().sum::<u64>() - first)
    }
}

fn floats(path: &Path) -> Result<Vec<f32>, Failure> {
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
    features: usize,
}

impl Rows {
    fn read(folder: &Path, name: &str, features: usize) -> Result<Self, Failure> {
        let x = floats(&folder.join(format!("x{name}.f32")))?;
        let y = fs::read(folder.join(format!("y{name}.u8")))?;
        if x.len() != y.len() * features {
            return Err(format!("{name}: {} values for {} rows", x.len(), y.len()).into());
        }
        Ok(Self { x, y, features })
    }

    fn samples(&self) -> Samples<'_> {
        Samples {
            x: &self.x,
            y: Targets::Classes(&self.y),
            rows: self.y.len(),
            columns: self.features,
        }
    }
}

/// What a run on one thread hears after an epoch: its CPU seconds and the accuracy on the check rows.
type OnEpoch<'a> = dyn FnMut(f64, f64) -> Control + 'a;

fn run(job: &Job, epochs: u32, seed: u64, on_epoch: &mut OnEpoch<'_>) -> Result<u64, Failure> {
    let recipe = Recipe {
        epochs,
        batch_size: job.batch_size,
        ..Recipe::default()
    };
    let mut before = cpu_seconds();
    let trainer = Trainer::new(
        &job.candidate,
        &job.train.samples(),
        &job.check.samples(),
        &recipe,
        seed,
    )?;
    let mut report = |report: &EpochReport| {
        let control = on_epoch(cpu_seconds() - before, report.validation_accuracy);
        before = cpu_seconds();
        control
    };
    let trained = trainer.on(job.kernels).run(&mut report, &|| false)?;
    Ok(digest(&trained.weights))
}

/// FNV-1a over the bits of all weights, for a look at whether two programs train the same.
fn digest(weights: &Weights) -> u64 {
    let parts = weights.layers.iter().flat_map(|layer| layer.parts.values());
    let bytes = parts.flatten().flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
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
fn serve(job: &Job) -> Result<(), Failure> {
    let mut lines = std::io::stdin().lines();
    let (mut turns, mut seconds, mut last) = (0_usize, Vec::new(), 0.0);
    let mut on_epoch = |taken: f64, accuracy: f64| {
        last = accuracy;
        seconds.push(taken);
        if turns == 0 {
            let (level, rows) = (job.kernels.level().name(), job.train.y.len());
            let operations = job.operations();
            println!(
                "{{\"first_epoch_s\": {taken}, \"versions\": {{\"level\": \"{level}\"}}, \
                \"rows\": {rows}, \"operations\": {operations}}}"
            );
        } else if seconds.len() < turns {
            return Control::Continue;
        } else {
            let peak = peak(job.kernels);
            println!("{{\"seconds\": {seconds:?}, \"peak_gflops\": {peak}}}");
        }
        seconds.clear();
        turns = match lines.next() {
            Some(Ok(line)) => line.trim().parse().unwrap_or(1),
            _ => return Control::Stop,
        };
        Control::Continue
    };
    let weights = run(job, 10_000, 1, &mut on_epoch)?;
    println!("{{\"accuracy\": {last}, \"weights\": \"{weights:016x}\"}}");
    Ok(())
}

/// The same number of epochs in each of several threads at once: rows a second by the clock on the wall, of
/// all slots together, the first epoch left out.
fn slots(job: &Job, count: u64, epochs: u32) -> Result<(), Failure> {
    let slot = |seed| {
        let mut ends = Vec::new();
        let mut on_epoch = |_: f64, _: f64| {
            ends.push(Instant::now());
            Control::Continue
        };
        run(job, epochs, seed, &mut on_epoch).map(|_| ends)
    };
    let ends: Vec<Vec<Instant>> = std::thread::scope(|scope| {
        let slot = &slot;
        let running: Vec<_> = (1..=count)
            .map(|seed| scope.spawn(move || slot(seed)))
            .collect();
        let ended = running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a slot panicked")?);
        ended.collect::<Result<_, Failure>>()
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
    let rate = (done * job.train.y.len()) as f64 / (*last - *first).as_secs_f64();
    println!("{{\"slots\": {count}, \"samples_per_s\": {rate}}}");
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, folder, batch, level, rest @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let job = Job::read(network, folder, batch, level)?;
    match rest {
        [] => serve(&job),
        [count, epochs] => slots(&job, count.parse()?, epochs.parse()?),
        _ => Err(USAGE.into()),
    }
}
