//! `bitfront`, the one binary: start order is crypto provider, arguments, log, command, exit code.

mod args;
mod client;
mod command;
mod demo;
mod document;
mod exit;
mod log;
mod progress;
mod view;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::exit::Exit;

fn main() -> ExitCode {
    // Before anything can open a connection: two providers may be linked, one must be chosen.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: failed to choose the TLS provider");
        return Exit::General.into();
    }
    let arguments = Arguments::parse();
    log::start(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: failed to start the async runtime: {error}");
            return Exit::General.into();
        }
    };
    let outcome = runtime.block_on(command::run(arguments));
    // Blocking work that was abandoned (a cancelled read of standard input) must not hold the process.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report();
            failure.exit.into()
        }
    }
}
