//! `bitfront export`: a trial's network in a form that other tools take.

use std::path::{Path, PathBuf};

use bitfront_coordinator::artifacts::Digest;
use bitfront_dataset::Dataset;
use bitfront_export::{ExportError, Format, Options, Trained, export_with};
use bitfront_hardware::circuit::{OutputForm, Ranges};
use bitfront_hardware::design::{DesignOptions, Layout};
use bitfront_hardware::device::Devices;
use bitfront_hardware::engine::{Engine, Target};
use bitfront_network::{Candidate, Weights};
use bitfront_search::Search;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{Export, Global};
use crate::client::Client;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::view;

pub(super) async fn run(global: &Global, options: &Export) -> Outcome {
    let circuit_options = [
        ("--axi-stream", options.axi_stream),
        ("--valid", options.valid),
        ("--streamed", options.streamed.is_some()),
    ];
    for (name, given) in circuit_options {
        if given && options.to != Format::Verilog {
            return Err(Failure::usage(format!(
                "{name} with --to {}: accepted with --to verilog",
                options.to
            )));
        }
    }
    let Source {
        candidate,
        weights: bytes,
        design,
        part,
        train_rows,
    } = match (&options.candidate, &options.weights) {
        (Some(candidate), Some(weights)) => {
            let candidate = candidate_of(candidate)?;
            let mut design = DesignOptions::default();
            design.circuit.output = OutputForm::of(candidate.head);
            Source {
                candidate,
                weights: read(weights)?,
                design,
                part: None,
                train_rows: None,
            }
        }
        _ => of_trial(global, options).await?,
    };
    if let Err(faults) = candidate.check() {
        let failure = Failure::usage("the candidate has faults");
        return Err(faults.iter().fold(failure, Failure::detail));
    }
    let weights = Weights::from_bytes(&candidate, &bytes)
        .map_err(|error| Failure::usage(format!("failed to read the weights: {error}")))?;
    let trained = Trained {
        candidate: &candidate,
        weights: &weights,
        circuit: design.circuit,
    };
    // A trial's circuit is written as its search lays it out, unless another is asked for.
    let reuse = match design.layout {
        Layout::Streamed { reuse } if options.to == Format::Verilog => Some(reuse),
        _ => None,
    };
    if reuse.is_some() && (options.axi_stream || options.valid) {
        return Err(Failure::usage(
            "--axi-stream and --valid with a trial of a streamed search: accepted are trials of unrolled ones, a streamed circuit has valid bits of its own",
        ));
    }
    let extras = Options {
        axi_stream: options.axi_stream,
        valid: options.valid,
        reuse: options.streamed.or(reuse),
        part: part.as_deref(),
        train_rows: train_rows.as_deref(),
    };
    let files = export_with(options.to, &trained, extras).map_err(|error| refused(&error))?;

    let folder = match &options.out {
        Some(folder) => folder.clone(),
        None => PathBuf::from(format!("export-{}", options.to)),
    };
    std::fs::create_dir_all(&folder).failed_to(format!("make {}", folder.display()))?;
    let mut paths = Vec::with_capacity(files.len());
    for file in files {
        let path = folder.join(file.name);
        std::fs::write(&path, file.bytes).failed_to(format!("write {}", path.display()))?;
        paths.push(path.display().to_string());
    }
    if global.json {
        view::json(&json!({
            "format": options.to.name(),
            "candidate_digest": candidate.digest(),
            "files": paths,
        }));
    } else {
        for path in paths {
            view::line(&path);
        }
    }
    Ok(Exit::Ok)
}

/// One line a layer that the format has no form for.
fn refused(error: &ExportError) -> Failure {
    match error {
        ExportError::Freeze(_) => Failure::usage(format!("failed to export: {error}")),
        ExportError::Refused { format, refusals } => refusals.iter().fold(
            Failure::usage(format!("{format} cannot say this network exactly")),
            Failure::detail,
        ),
    }
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Failure::usage(format!("failed to read {}: {error}", path.display())))
}

fn candidate_of(path: &Path) -> Outcome<Candidate> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Failure::usage(format!("{} is not a candidate: {error}", path.display())))
}

/// What is exported.
struct Source {
    candidate: Candidate,
    /// The bytes of the last weights.
    weights: Vec<u8>,
    /// How its search builds circuits.
    design: DesignOptions,
    /// The full name of the search's part, where one is known.
    part: Option<String>,
    /// Standardised train rows, where its circuit's ranges are theirs.
    train_rows: Option<Vec<f32>>,
}

async fn of_trial(global: &Global, options: &Export) -> Outcome<Source> {
    let name = options.trial.as_deref().unwrap_or_default();
    let client = Client::new(global)?;
    let id = client.trial_id(name).await?;
    let trial: Value = client.get(&format!("/api/v1/trials/{id}"), &[]).await?;
    let candidate =
        Candidate::deserialize(&trial["candidate"]).failed_to("read the trial's candidate")?;
    let artifacts = trial["artifacts"].as_array().map_or(&[][..], Vec::as_slice);
    let weights = artifacts
        .iter()
        .filter(|artifact| artifact["kind"] == "weights")
        .max_by_key(|artifact| artifact["attempt"].as_i64());
    let Some(digest) = weights.and_then(|artifact| artifact["digest"].as_str()) else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("trial {name} has no weights: it is {}", trial["state"]),
        ));
    };
    let bytes = client.bytes(&format!("/api/v1/artifacts/{digest}")).await?;
    if Digest::of(&bytes).as_str() != digest {
        return Err(Failure::general(
            "the weights that came are not those of the trial: another digest",
        ));
    }
    let search = trial["search_id"].as_str().unwrap_or_default();
    let search: Value = client
        .get(&format!("/api/v1/searches/{search}"), &[])
        .await?;
    let search = Search::deserialize(&search["resolved"]).failed_to("read the trial's search")?;
    let device = &search.device.part;
    let target = Target::new(Engine::Vivado, None, device, Devices::known());
    let part = target.ok().and_then(|target| target.part);
    let of_data = search.ranges == Ranges::Data && options.to == Format::Verilog;
    Ok(Source {
        candidate,
        weights: bytes,
        design: search.design_options(),
        part,
        train_rows: if of_data {
            Some(train_rows(&client, &search).await?)
        } else {
            None
        },
    })
}

/// The train rows of a search as its workers have them: the registered data set, split by the same seed.
async fn train_rows(client: &Client, search: &Search) -> Outcome<Vec<f32>> {
    let (name, digest) = (&search.dataset.name, &search.dataset.digest);
    let bytes = client.bytes(&format!("/api/v1/artifacts/{digest}")).await?;
    if Digest::of(&bytes).as_str() != digest {
        return Err(Failure::general(format!(
            "the bytes that came are not those of data set {name}: another digest"
        )));
    }
    let (aim, split) = bitfront_worker::splits(search);
    let data = Dataset::parse(&bytes, name).failed_to(format!("read data set {name}"))?;
    let data = data
        .prepare_for(&aim, &split)
        .failed_to(format!("split data set {name}"))?;
    Ok(data.train.x.to_vec())
}
