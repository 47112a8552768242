//! Commands about searches, trials and data sets.

use std::path::PathBuf;
use std::time::Duration;

use bitfront_hardware::engine::{Engine, UnknownEngine};
use clap::{Args, Subcommand};

use super::service::duration;
use crate::document::Override;

/// A search, by id or by name.
#[derive(Debug, Args)]
pub(crate) struct SearchName {
    /// Id, or name (the newest of that name).
    pub(crate) search: String,
}

/// How a search goes on.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) search: SearchName,
    /// Give its trials to workers of this engine version from now on (`bitfront workers` lists them); a search that began with
    /// another one is then marked as not reproducible.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) engine_version: Option<u32>,
}

/// A search file.
#[derive(Debug, Args)]
pub(crate) struct SearchFileArgs {
    /// YAML or JSON file, `-` for standard input.
    pub(crate) file: PathBuf,
    /// Change one value of the file: `--set budget.trials=200`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<Override>,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) source: SearchFileArgs,
    /// Let the coordinator check the file and show the resolved search; store nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Follow the search until it ends.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// YAML or JSON file, `-` for standard input.
    #[arg(required_unless_present = "schema")]
    pub(crate) file: Option<PathBuf>,
    /// Change one value of the file: `--set budget.trials=200`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<Override>,
    /// Print the resolved search, every default written out, as JSON.
    #[arg(long)]
    pub(crate) full: bool,
    /// Print the JSON schema of search files and read none.
    #[arg(long, conflicts_with = "file")]
    pub(crate) schema: bool,
    /// Take inputs and classes from this data set instead of from the file's own network.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// More devices that the file may name: the table that the coordinator is given.
    #[arg(long, value_name = "FILE", env = "BITFRONT_DEVICES")]
    pub(crate) devices: Option<PathBuf>,
    /// Take this file for the model that the search file imports: nothing is asked of a coordinator.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only searches in this state.
    #[arg(long, value_parser = ["running", "paused", "finished", "cancelled", "archived"])]
    pub(crate) state: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) search: SearchName,
    /// Give up after this long (`30s`, `10m`, `2h`); the search goes on.
    #[arg(long, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Front {
    #[command(flatten)]
    pub(crate) search: SearchName,
    /// Find the front by this cost instead of the search's own: `lut_measured`, `energy_pj`, ...
    #[arg(long, value_name = "COST")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Device {
    #[command(subcommand)]
    pub(crate) action: DeviceAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceAction {
    /// List them, the coordinator's own table included.
    Ls,
}

#[derive(Debug, Args)]
pub(crate) struct Estimator {
    #[command(subcommand)]
    pub(crate) action: EstimatorAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EstimatorAction {
    /// List the fits, those with the latest job first.
    Ls,
}

#[derive(Debug, Args)]
pub(crate) struct Trials {
    #[command(flatten)]
    pub(crate) search: SearchName,
    /// Only trials in this state.
    #[arg(long, value_parser = ["queued", "leased", "paused", "completed", "failed", "pruned", "cancelled"])]
    pub(crate) state: Option<String>,
    /// Sort by `number` or a score; `-accuracy` puts the largest first.
    #[arg(long, default_value = "number", allow_hyphen_values = true)]
    pub(crate) sort: String,
    /// Trials at most.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Trial {
    #[command(subcommand)]
    pub(crate) action: TrialAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrialAction {
    /// Its layers, scores and attempts.
    Show(TrialName),
    /// What its attempts wrote.
    Logs(TrialLogs),
}

/// A trial.
#[derive(Debug, Args)]
pub(crate) struct TrialName {
    /// Id, or search and number: `jets#17`.
    pub(crate) trial: String,
}

#[derive(Debug, Args)]
pub(crate) struct TrialLogs {
    #[command(flatten)]
    pub(crate) trial: TrialName,
    /// This attempt; the last by default.
    #[arg(long)]
    pub(crate) attempt: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Dataset {
    #[command(subcommand)]
    pub(crate) action: DatasetAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetAction {
    /// Register a file (npz, csv, ARFF, HDF5, Parquet) or a folder of idx or jet files; harmless when it is already there.
    Add {
        /// The file.
        file: PathBuf,
        /// Name to register it by, the file's own by default.
        #[arg(long)]
        name: Option<String>,
    },
    /// List what is registered.
    Ls,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Register a file (Keras, QKeras, ONNX, QONNX); harmless when it is already there.
    Add {
        /// The file.
        file: PathBuf,
        /// Name to register it by, the file's own by default.
        #[arg(long)]
        name: Option<String>,
    },
    /// List what is registered.
    Ls,
    /// Show a model's layers and what its import noted.
    Show {
        /// Id, name (the newest of that name) or digest.
        model: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Synth {
    #[command(flatten)]
    pub(crate) trial: TrialName,
    /// Engine in place of the search's own; what it measures stands in the job alone.
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub(crate) engine: Option<Engine>,
    /// Part that the engine places for, in place of its usual one.
    #[arg(long, value_name = "PART", requires = "engine")]
    pub(crate) part: Option<String>,
    /// Folder that the files of a job that has ended are written to, made if it is not there: RTL, test bench, vectors,
    /// constraints, script, report, netlist, log. A file that is there already is left alone, and nothing is written.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Write over files that are there already.
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,
    /// Wait until the job has ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Give up waiting after this long; the job goes on.
    #[arg(long, value_parser = duration, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

fn engine(text: &str) -> Result<Engine, String> {
    text.parse()
        .map_err(|error: UnknownEngine| error.to_string())
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["candidate", "uniform", "float"])))]
pub(crate) struct Train {
    /// Candidate, JSON.
    pub(crate) candidate: Option<PathBuf>,
    /// The demo's network (16-16-16-5 on the jets) with this many bits everywhere.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) uniform: Option<u32>,
    /// The same network in float.
    #[arg(long)]
    pub(crate) float: bool,
    /// Data set (npz, csv, ARFF, HDF5, Parquet, a folder of idx or jet files); the bundled generated jets by default.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Training recipe, JSON, in the form of `recipe` in the output; what it leaves out has its default.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Passes over the training split; 10 or the recipe's by default.
    #[arg(long)]
    pub(crate) epochs: Option<u32>,
    /// Seed of the weights and the shuffling.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}
