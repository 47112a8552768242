//! `bitfront doctor`: what this machine has, what is missing, and what to do about it.

use bitfront_coordinator::private_postgres::{Installation, default_data_folder};
use bitfront_hardware::engine::Engine;
use serde::Serialize;

use crate::args::{Doctor, Global, cores};
use crate::client::{self, Client};
use crate::exit::{Exit, Outcome};
use crate::view;

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    /// `ok`, `missing` (something works less) or `failed`.
    state: &'static str,
    detail: String,
}

pub(super) async fn run(global: &Global, options: &Doctor) -> Outcome {
    let mut checks = vec![
        ok("version", env!("CARGO_PKG_VERSION")),
        ok("cores", cores().to_string()),
        postgres(),
        data(options),
    ];
    checks.extend(tools());
    checks.push(match client::token(global) {
        Ok(Some(_)) => ok("token", "set"),
        Ok(None) => ok("token", "none (a coordinator on loopback needs none)"),
        Err(failure) => Check {
            name: "token",
            state: "failed",
            detail: failure.message,
        },
    });
    checks.push(coordinator(global).await);

    if global.json {
        view::json(&checks);
    } else {
        for check in &checks {
            view::line(&format!(
                "{:<8} {:<12} {}",
                check.state, check.name, check.detail
            ));
        }
    }
    let failed = checks.iter().any(|check| check.state == "failed");
    Ok(if failed { Exit::General } else { Exit::Ok })
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check {
        name,
        state: "ok",
        detail: detail.into(),
    }
}

fn postgres() -> Check {
    match Installation::find_all().first() {
        Some(found) => ok("postgres", format!("{} in {}", found.version, found.bin.display())),
        None => Check {
            name: "postgres",
            state: "failed",
            detail: "no server binaries; install one (Debian, Ubuntu: apt-get install postgresql) or use --database-url"
                .to_owned(),
        },
    }
}

fn data(options: &Doctor) -> Check {
    let folder = options.data.clone().map_or_else(
        || default_data_folder().map_err(|error| error.to_string()),
        Ok,
    );
    match folder {
        Ok(folder) => ok(
            "data",
            format!(
                "{} ({})",
                folder.display(),
                if folder.exists() {
                    "there"
                } else {
                    "made by `up`"
                }
            ),
        ),
        Err(detail) => Check {
            name: "data",
            state: "failed",
            detail,
        },
    }
}

fn tools() -> Vec<Check> {
    let found = bitfront_worker::tools();
    let needed = bitfront_worker::SYNTHESIS_TOOLS.into_iter();
    let tools = needed.map(|name| match found.get(name) {
        Some(tool) => ok(name, format!("{} at {}", tool.version, tool.path.display())),
        None => Check {
            name,
            state: "missing",
            detail: format!(
                "workers here take no jobs of engine {}; Debian, Ubuntu: apt-get install {name}",
                Engine::Yosys
            ),
        },
    });
    tools.chain(engines(&found)).collect()
}

/// The synthesis engines, with the versions of their programs or what they lack.
fn engines(found: &bitfront_worker::Tools) -> Vec<Check> {
    let here = found.engines();
    let check = |engine: Engine| {
        let programs = engine.programs().iter();
        let detail = programs.map(|name| match found.get(name) {
            Some(tool) => format!("{name} {}", tool.version),
            None => format!("{name} not on PATH"),
        });
        let mut detail: String = detail.collect::<Vec<_>>().join(", ");
        if !engine.is_tested_on_the_tool() {
            detail += " (untested on the real tool)";
        }
        Check {
            name: "engine",
            state: if here.contains(&engine) {
                "ok"
            } else {
                "missing"
            },
            detail: format!("{engine}: {detail}"),
        }
    };
    Engine::ALL.into_iter().map(check).collect()
}

async fn coordinator(global: &Global) -> Check {
    let answer = match Client::new(global) {
        Ok(client) => client.text("/readyz").await,
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(_) => ok("coordinator", format!("ready at {}", global.url)),
        Err(failure) => Check {
            name: "coordinator",
            state: "missing",
            detail: failure.message,
        },
    }
}
