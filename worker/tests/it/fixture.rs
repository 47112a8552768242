//! A small data set, a small search over it, and a worker to run it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bitfront_hardware::circuit::{Multipliers, OutputForm, Ranges};
use bitfront_network::{Candidate, DenseStack, StackLayer};
use bitfront_proto::v1::lease::Work;
use bitfront_proto::v1::{SynthesisWork, TrialWork, UnitRef, WorkKind};
use bitfront_search::Search;
use bitfront_search::metric::{Goal, Metric};
use bitfront_search::search::{
    Budget, CircuitGoal, DatasetUse, Device, Loss, Network, Objective, Optimizer, OptimizerName,
    Order, Sampler, Schedule, Split, SynthesisPolicy, TestRows, Training,
};
use bitfront_search::space::Space;
use bitfront_worker::{Config, WorkerError, run};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake::Fake;

/// A worker under test.
pub(crate) struct Running {
    pub(crate) drain: CancellationToken,
    pub(crate) immediate: CancellationToken,
    pub(crate) cache: TempDir,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    /// Starts a worker with one slot.
    pub(crate) fn start(fake: &Fake, change: impl FnOnce(&mut Config)) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut config = Config::new(fake.url(), cache.path());
        config.grace = Duration::from_mins(1);
        change(&mut config);
        let drain = CancellationToken::new();
        let immediate = config.immediate.clone();
        let task = tokio::spawn(run(config, drain.clone()));
        Self {
            drain,
            immediate,
            cache,
            task,
        }
    }

    /// Waits for the worker to end by itself.
    pub(crate) async fn ended(self) -> Result<(), WorkerError> {
        tokio::time::timeout(Duration::from_mins(1), self.task)
            .await
            .expect("the worker ends")
            .expect("the worker does not panic")
    }

    /// Drains it and waits.
    pub(crate) async fn drained(self) {
        self.drain.cancel();
        self.ended().await.unwrap();
    }
}

/// Two classes, three features, well apart: 400 rows of csv.
pub(crate) fn dataset() -> Vec<u8> {
    let mut text = String::from("a,b,c,label\n");
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    for row in 0..400 {
        let class = row % 2;
        let centre = f64::from(class) - 0.5;
        let _ = writeln!(
            text,
            "{:.4},{:.4},{:.4},{class}",
            centre + noise(),
            noise() - centre,
            noise()
        );
    }
    text.into_bytes()
}

/// A network of one hidden layer with the given kernel quantizer.
pub(crate) fn candidate(kernel: &str) -> Candidate {
    let q = |text: &str| text.parse().unwrap();
    let layer = |name: &str, inputs, units, activation: Option<&str>| StackLayer {
        name: name.into(),
        inputs,
        units,
        kernel: q(kernel),
        bias: q("quantized_bits(6,1,alpha=1.0)"),
        activation: activation.map(|name| (name.into(), q("quantized_relu(4,2)"))),
    };
    DenseStack {
        inputs: 3,
        input_quantizer: q("quantized_bits(6,2,alpha=1.0)"),
        layers: vec![layer("fc1", 3, 4, Some("relu1")), layer("fc2", 4, 2, None)],
        positions: Vec::new(),
    }
    .candidate()
}

/// The same network as its float reference.
pub(crate) fn float_candidate() -> Candidate {
    let mut float = candidate("float");
    float.input_quantizer = "float".parse().unwrap();
    for layer in &mut float.layers {
        for (place, quantizer) in layer.operation.quantizers_mut() {
            let text = if place.part.is_none() {
                "relu"
            } else {
                "float"
            };
            *quantizer = text.parse().unwrap();
        }
    }
    float
}

pub(crate) const SIX_BITS: &str = "quantized_bits(6,1,alpha=1.0)";

/// A resolved search over [`dataset`].
pub(crate) fn search(digest: &str, epochs: u32, learning_rate: f64) -> Search {
    Search {
        name: "tiny".into(),
        description: String::new(),
        labels: BTreeMap::new(),
        dataset: DatasetUse {
            name: "tiny".into(),
            digest: digest.into(),
            split: Split {
                train: 0.6,
                validation: 0.2,
                test: 0.2,
                seed: 1,
                test_rows: TestRows::EachClass,
            },
            targets: Vec::new(),
        },
        network: Network {
            float: float_candidate(),
        },
        start: None,
        space: Space {
            variables: Vec::new(),
        },
        seed_trials: Vec::new(),
        training: Training {
            epochs,
            batch_size: 32,
            optimizer: Optimizer {
                name: OptimizerName::Adam,
                learning_rate,
                schedule: Schedule::Cosine,
            },
            loss: Loss::SoftmaxCrossEntropy,
            repeats: 1,
            clip_norm: None,
            l1: 0.0,
            l2: 0.0,
            early_stopping: None,
            best_epoch: false,
            label_smoothing: 0.0,
            class_weights: None,
            averaging: None,
            pruning: None,
            distillation: None,
        },
        device: Device {
            part: "xcvu9p".into(),
            clock_mhz: 200.0,
            resources: None,
        },
        circuit: CircuitGoal::default(),
        multipliers: Multipliers::Luts,
        output: OutputForm::Logits,
        valid: false,
        ranges: Ranges::Proven,
        layout: bitfront_hardware::design::Layout::default(),
        objectives: vec![Objective {
            metric: Metric::Accuracy,
            goal: Goal::Maximize,
        }],
        constraints: Vec::new(),
        reference_point: None,
        sampler: Sampler::Random,
        budget: Budget {
            trials: 1,
            parallel: 1,
        },
        order: Order::Number,
        synthesis: SynthesisPolicy::None,
        synthesis_target: bitfront_hardware::engine::Target::default(),
        seed: 1,
    }
}

/// Epochs that no test waits for.
pub(crate) const ENDLESS: u32 = 100_000;

/// Queues a trial of `epochs` epochs.
pub(crate) fn queue_trial(fake: &Fake, epochs: u32) -> UnitRef {
    queue_candidate(fake, &candidate(SIX_BITS), epochs, 0.02)
}

/// Queues a trial of a candidate.
pub(crate) fn queue_candidate(
    fake: &Fake,
    candidate: &Candidate,
    epochs: u32,
    learning_rate: f64,
) -> UnitRef {
    let search = search(&fake.store(dataset()), epochs, learning_rate);
    queue_of_search(fake, &search, candidate)
}

/// Queues a trial of a candidate in a search over [`dataset`].
pub(crate) fn queue_of_search(fake: &Fake, search: &Search, candidate: &Candidate) -> UnitRef {
    queue_seeded(fake, search, candidate, 17)
}

/// The same with a seed of its own.
pub(crate) fn queue_seeded(
    fake: &Fake,
    search: &Search,
    candidate: &Candidate,
    seed: u64,
) -> UnitRef {
    fake.queue(
        WorkKind::Trial,
        Work::Trial(TrialWork {
            search_id: uuid::Uuid::now_v7().to_string(),
            number: 0,
            search_json: serde_json::to_string(search).unwrap(),
            candidate_json: serde_json::to_string(candidate).unwrap(),
            seed,
            dataset_digest: search.dataset.digest.clone(),
            dataset_file: "tiny.csv".into(),
        }),
    )
}

/// Queues the synthesis of a trial of [`candidate`] by its weights.
pub(crate) fn queue_synthesis(fake: &Fake, weights_digest: &str, tool: &str) -> UnitRef {
    let digest = fake.store(dataset());
    let search = search(&digest, 1, 0.01);
    fake.queue(
        WorkKind::Synthesis,
        Work::Synthesis(SynthesisWork {
            trial_id: uuid::Uuid::now_v7().to_string(),
            search_json: serde_json::to_string(&search).unwrap(),
            candidate_json: serde_json::to_string(&candidate(SIX_BITS)).unwrap(),
            weights_digest: weights_digest.into(),
            dataset_digest: digest,
            dataset_file: "tiny.csv".into(),
            tool: tool.into(),
            vectors: 2000,
            part: String::new(),
        }),
    )
}
