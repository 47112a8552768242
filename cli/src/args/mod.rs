//! The command line: one file a group of commands.

mod export;
mod quantizer;
mod search;
mod service;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use export::*;
pub(crate) use quantizer::*;
pub(crate) use search::*;
pub(crate) use service::*;

use crate::exit::EXIT_CODES;

/// Finds, for a small neural network on an FPGA, the best number format for every layer.
#[derive(Debug, Parser)]
#[command(name = "bitfront", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command. A flag wins over its variable, a variable over the default.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Print JSON, the API's own objects, on stdout.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Address of the coordinator.
    #[arg(
        long,
        global = true,
        env = "BITFRONT_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8470",
        help_heading = "Connection"
    )]
    pub(crate) url: String,
    /// File with the bearer token; `BITFRONT_TOKEN` holds the token itself.
    #[arg(
        long,
        global = true,
        env = "BITFRONT_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// PEM file of the authority that signed the coordinator's certificate.
    #[arg(
        long,
        global = true,
        env = "BITFRONT_CA",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) ca: Option<PathBuf>,
}

/// The commands, those of a first day first.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: private Postgres, coordinator, workers.
    Up(Up),
    /// Submit a search file.
    Submit(Submit),
    /// Check a search file without a coordinator; shows every fault and the size of the space.
    Validate(Validate),
    /// List searches.
    Ls(Ls),
    /// Show a search.
    Show(SearchName),
    /// Follow a search until it ends; the search goes on when this is interrupted.
    Watch(Watch),
    /// Show a search's front with its baselines.
    Front(Front),
    /// List a search's trials.
    Trials(Trials),
    /// Show one trial.
    Trial(Trial),
    /// Write a trial in a form that other tools take.
    Export(Export),
    /// Register and list data sets.
    Dataset(Dataset),
    /// Register, list and show trained models that searches start from.
    Model(Model),
    /// List the devices that searches may name, and what they hold.
    Device(Device),
    /// Show how far estimates are from what synthesis jobs measured, and the factors fitted to that.
    Estimator(Estimator),
    /// Request a synthesis job for a trial.
    Synth(Synth),
    /// Stop leasing a search's work; what runs may end.
    Pause(SearchName),
    /// Go on with a paused search, or one whose engine version no worker has.
    Resume(Resume),
    /// End a search; what runs is stopped.
    Cancel(SearchName),
    /// List workers.
    Workers,
    /// Run a worker process.
    Worker(Worker),
    /// Run a coordinator process.
    Coordinator(Coordinator),
    /// Make, list and revoke tokens, directly in the database.
    Token(Token),
    /// Make a certificate for coordinators, and the authority that workers and clients are given.
    Certificate(Certificate),
    /// Ask a coordinator whether it takes work.
    Ready,
    /// Check this machine: database binaries, tools, coordinator.
    Doctor(Doctor),
    /// Show a quantizer, and map numbers with it.
    Quantizer(QuantizerOptions),
    /// Train and score one candidate here, without any service.
    Train(Train),
    /// Show the version.
    Version,
}
