//! `bitfront synth`: asks for a trial's circuit to be simulated and synthesised.

use std::time::Duration;

use serde_json::{Value, json};

use super::Signals;
use crate::args::{Global, Synth};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

pub(super) async fn run(global: &Global, options: &Synth) -> Outcome {
    let client = Client::new(global)?;
    let trial = client.trial_id(&options.trial.trial).await?;
    let engine = options.engine.map(|engine| ("engine", engine.name()));
    let part = options.part.as_deref().map(|part| ("part", part));
    let query: Vec<(&str, &str)> = engine.into_iter().chain(part).collect();
    let mut job: Value = client
        .post(
            &format!("/api/v1/trials/{trial}/synthesis-jobs"),
            &query,
            &json!({}),
        )
        .await?;
    let id = job["id"].as_str().unwrap_or_default().to_owned();
    if options.wait {
        let deadline = async {
            match options.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let mut signals = Signals::catch()?;
        job = tokio::select! {
            job = until_end(&client, &id) => job?,
            () = signals.next() => {
                return Err(Failure::new(Exit::Interrupted, format!("interrupted; job {id} goes on")));
            }
            () = deadline => {
                return Err(Failure::new(Exit::Timeout, format!("job {id} has not ended in time; it goes on")));
            }
        };
    }
    if global.json {
        view::json(&job);
    } else {
        view::line(&format!("{id} {}", job["state"].as_str().unwrap_or("-")));
        if let Some(worker) = job["waits_for"].as_str() {
            view::line(&format!("  waits for {worker}"));
        }
        if let Some(source) = job["shared_from"].as_str() {
            view::line(&format!(
                "  an equal circuit was synthesised before, by job {source}"
            ));
        }
        if let Some(result) = job["result"].as_object() {
            for name in [
                "tool",
                "part",
                "lut_measured",
                "ff_measured",
                "carry_measured",
                "dsp_measured",
                "levels",
                "fmax_mhz",
                "lut_estimate",
                "vectors_checked",
            ] {
                // An engine that does not place has no clock, one that places no levels.
                if let Some(value) = result.get(name) {
                    let shown = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    view::line(&format!("  {name:<16}{shown}"));
                }
            }
        }
        if let Some(message) = job["error_message"].as_str() {
            view::line(&format!("  error           {message}"));
        }
    }
    let failed = matches!(job["state"].as_str(), Some("failed" | "cancelled"));
    Ok(if options.wait && failed {
        Exit::SearchFailed
    } else {
        Exit::Ok
    })
}

async fn until_end(client: &Client, id: &str) -> Outcome<Value> {
    loop {
        let job: Value = client
            .get(&format!("/api/v1/synthesis-jobs/{id}"), &[])
            .await?;
        if matches!(
            job["state"].as_str(),
            Some("completed" | "failed" | "cancelled")
        ) {
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
