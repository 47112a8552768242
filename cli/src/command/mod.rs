//! What each command does, one file a command.

mod certificate;
mod coordinator;
mod dataset;
mod doctor;
mod export;
mod model;
mod quantizer;
mod read;
mod ready;
mod steer;
mod submit;
mod synth;
mod token;
mod train;
mod up;
mod validate;
mod watch;
mod worker;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Arguments, Command, DatasetAction, DeviceAction, EstimatorAction, TrialAction};
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { global, command } = arguments;
    match command {
        Command::Up(options) => up::run(&global, &options).await,
        Command::Submit(options) => submit::run(&global, &options).await,
        Command::Validate(options) => validate::run(&global, &options),
        Command::Ls(options) => read::searches(&global, options.state.as_deref()).await,
        Command::Show(options) => read::search(&global, &options.search).await,
        Command::Watch(options) => watch::run(&global, &options).await,
        Command::Front(options) => read::front(&global, &options).await,
        Command::Trials(options) => read::trials(&global, &options).await,
        Command::Trial(options) => match options.action {
            TrialAction::Show(name) => read::trial(&global, &name.trial).await,
            TrialAction::Logs(logs) => read::logs(&global, &logs).await,
        },
        Command::Export(options) => export::run(&global, &options).await,
        Command::Dataset(options) => match options.action {
            DatasetAction::Add { file, name } => {
                dataset::add(&global, &file, name.as_deref()).await
            }
            DatasetAction::Ls => dataset::list(&global).await,
        },
        Command::Model(options) => model::run(&global, &options.action).await,
        Command::Device(options) => match options.action {
            DeviceAction::Ls => read::devices(&global).await,
        },
        Command::Estimator(options) => match options.action {
            EstimatorAction::Ls => read::estimators(&global).await,
        },
        Command::Synth(options) => synth::run(&global, &options).await,
        Command::Pause(options) => steer::run(&global, &options.search, "pause", &[]).await,
        Command::Resume(options) => steer::resume(&global, &options).await,
        Command::Cancel(options) => steer::run(&global, &options.search, "cancel", &[]).await,
        Command::Workers => read::workers(&global).await,
        Command::Worker(options) => worker::run(&global, options).await,
        Command::Coordinator(options) => coordinator::run(&global, &options).await,
        Command::Token(options) => token::run(&global, &options).await,
        Command::Certificate(options) => certificate::run(&options),
        Command::Ready => ready::run(&global).await,
        Command::Doctor(options) => doctor::run(&global, &options).await,
        Command::Quantizer(options) => quantizer::run(&global, &options.action),
        Command::Train(options) => train::run(&options),
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            if global.json {
                view::json(&serde_json::json!({ "version": version }));
            } else {
                view::line(&format!("bitfront {version}"));
            }
            Ok(Exit::Ok)
        }
    }
}

/// SIGINT and SIGTERM, caught from when this is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches them from now on: they no longer end the process by themselves.
    pub(crate) fn catch() -> Outcome<Self> {
        let catch = |kind| {
            signal(kind)
                .map_err(|error| Failure::general(format!("failed to listen to signals: {error}")))
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
