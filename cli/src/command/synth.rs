//! `bitfront synth`: asks for a trial's circuit to be simulated and synthesised; writes the files of the job.
//!
//! The rule this module keeps: files are written when the bytes of all of them have come and are those of their digests, and
//! over none that is there, unless that is asked for.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitfront_coordinator::artifacts::Digest;
use bitfront_hardware::engine::Engine;

use serde_json::{Value, json};

use super::Signals;
use crate::args::{Global, Synth};
use crate::client::Client;
use crate::exit::{Context, Exit, Failure, Outcome};
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
    let written = match &options.out {
        Some(folder) => write_files(&client, &job, folder, options.overwrite).await?,
        None => Vec::new(),
    };
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
                "bram_measured",
                "uram_measured",
                "levels",
                "fmax_mhz",
                "lut_estimate",
                "vectors_checked",
            ] {
                // An engine that does not place has no clock, one that places no levels.
                if let Some(value) = result.get(name) {
                    let shown = view::of_device(&job["usage"], name).unwrap_or_else(|| {
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned)
                    });
                    view::line(&format!("  {name:<16}{shown}"));
                }
            }
        }
        view::print(&view::unseen(&job));
        if let Some(message) = job["error_message"].as_str() {
            view::line(&format!("  error           {message}"));
        }
        for path in written {
            view::line(&path.display().to_string());
        }
    }
    let failed = matches!(job["state"].as_str(), Some("failed" | "cancelled"));
    Ok(if options.wait && failed {
        Exit::SearchFailed
    } else {
        Exit::Ok
    })
}

/// Writes the files of a job that has ended, under their names in its folder.
async fn write_files(
    client: &Client,
    job: &Value,
    folder: &Path,
    overwrite: bool,
) -> Outcome<Vec<PathBuf>> {
    let (id, state) = (&job["id"], &job["state"]);
    let (id, state) = (id.as_str().unwrap_or_default(), state.as_str());
    if !state.is_some_and(has_ended) {
        let state = state.unwrap_or("-");
        let failure = Failure::new(
            Exit::Conflict,
            format!("job {id} has no files yet: it is {state}"),
        );
        return Err(failure.detail("--wait waits for its end"));
    }
    let engine: Engine = job["tool"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .failed_to(format!("read the engine of job {id}"))?;
    let job: Value = client
        .get(&format!("/api/v1/synthesis-jobs/{id}"), &[])
        .await?;
    let artifacts = job["artifacts"].as_array().map_or(&[][..], Vec::as_slice);
    let attempt = |artifact: &Value| artifact["attempt"].as_i64();
    let last = artifacts.iter().map(attempt).max().flatten();
    let mut files = Vec::new();
    for artifact in artifacts.iter().filter(|one| attempt(one) == last) {
        let [kind, digest] = ["kind", "digest"].map(|key| artifact[key].as_str());
        let (kind, digest) = (kind.unwrap_or_default(), digest.unwrap_or_default());
        // A newer coordinator may have others.
        if let Some(name) = bitfront_worker::file_name(engine, kind) {
            files.push((kind, digest, folder.join(name)));
        }
    }
    if files.is_empty() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("job {id} left no files"),
        ));
    }
    let there = files.iter().filter(|(_, _, path)| path.exists());
    let there: Vec<String> = there
        .map(|(_, _, path)| path.display().to_string())
        .collect();
    if !overwrite && !there.is_empty() {
        return Err(Failure::usage(format!(
            "there already: {}; --overwrite writes over them",
            there.join(", ")
        )));
    }
    let mut all = Vec::with_capacity(files.len());
    for (kind, digest, path) in files {
        let bytes = client.bytes(&format!("/api/v1/artifacts/{digest}")).await?;
        if Digest::of(&bytes).as_str() != digest {
            return Err(Failure::general(format!(
                "the {kind} that came is not that of job {id}: another digest"
            )));
        }
        all.push((path, bytes));
    }
    std::fs::create_dir_all(folder).failed_to(format!("make {}", folder.display()))?;
    let mut paths = Vec::with_capacity(all.len());
    for (path, bytes) in all {
        let mut options = OpenOptions::new();
        options.write(true).truncate(true);
        options.create(overwrite).create_new(!overwrite);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .failed_to(format!("write {}", path.display()))?;
        paths.push(path);
    }
    Ok(paths)
}

fn has_ended(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "cancelled")
}

async fn until_end(client: &Client, id: &str) -> Outcome<Value> {
    loop {
        let job: Value = client
            .get(&format!("/api/v1/synthesis-jobs/{id}"), &[])
            .await?;
        if job["state"].as_str().is_some_and(has_ended) {
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
