//! Logs on stderr: `BITFRONT_LOG` filters them (`info`, `bitfront_coordinator=debug`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{Arguments, Command};

/// Starts the log. Services say what they do; commands for people only warn, `up` too: its terminal
/// belongs to the progress.
pub(crate) fn start(arguments: &Arguments) {
    let default = match arguments.command {
        _ if arguments.global.quiet => "error",
        Command::Coordinator(_) | Command::Worker(_) => "info",
        // A statement slower than a second on a busy laptop is no news to somebody watching a search.
        _ => "warn,sqlx::query=error",
    };
    let filter =
        EnvFilter::try_from_env("BITFRONT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if std::env::var("BITFRONT_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
}
