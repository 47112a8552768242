//! Lists and single objects, other than fronts.

use std::fmt::Write as _;

use serde_json::Value;

use super::{front_summary, grouped, quality, share, short, table, text, with_share};
use crate::client::{Search, Trial};

fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// A JSON value as a cell: text without quotes, a dash for null.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| format!("{key} {}", cell(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// Searches, newest first.
pub(crate) fn searches(searches: &[Search]) -> String {
    let headings = [
        "name",
        "state",
        ">trials",
        ">running",
        ">failed",
        ">front",
        ">best %",
        ">LUT est.",
        ">synthesised",
        "created",
        "id",
    ];
    let mut table = table(&headings);
    for search in searches {
        table.add_row([
            search.name.clone(),
            search.state.clone(),
            format!("{}/{}", search.trials_ended(), search.budget),
            search.trials.leased.to_string(),
            search.trials.failed.to_string(),
            search.front_size.to_string(),
            or_dash(quality(
                search.best_accuracy_validation,
                search.least_mean_squared_error_validation,
            )),
            or_dash(
                search
                    .smallest_lut_estimate
                    .map(|luts| grouped(luts as u64)),
            ),
            search.synthesis.completed.to_string(),
            search.created_at.chars().take(19).collect(),
            search.id.clone(),
        ]);
    }
    text(&table)
}

/// One search in a few lines.
pub(crate) fn search(search: &Search) -> String {
    let trials = &search.trials;
    let jobs = &search.synthesis;
    format!(
        "{} ({})\n  id            {}\n  created       {}\n  trials        {} of {} ended: {} completed, {} failed, {} \
         pruned, {} cancelled; {} running{}\n  synthesis     {} completed, {} failed, {} open{}\n  front         {}\n  \
         reproducible  {}\n  engine        {}\n",
        search.name,
        search.state,
        search.id,
        search.created_at,
        search.trials_ended(),
        search.budget,
        trials.completed,
        trials.failed,
        trials.pruned,
        trials.cancelled,
        trials.leased,
        search
            .waits_for
            .as_ref()
            .map_or_else(String::new, |worker| format!(
                "; waiting for {worker} (`bitfront resume --help` says how to go on without it)"
            )),
        jobs.completed,
        jobs.failed,
        jobs.open,
        jobs.waits_for
            .as_ref()
            .map_or_else(String::new, |worker| format!(
                "; {} waiting for {worker}",
                jobs.waiting
            )),
        front_summary(
            search.front_size,
            search.best(),
            search.smallest_lut_estimate
        )
        .trim_start_matches("front "),
        match (search.reproducible, search.engine_changed) {
            (true, _) => "yes",
            (false, true) => "no: its trials are of more than one engine version",
            (false, false) => "no: it takes outcomes in order of arrival",
        },
        or_dash(
            search
                .engine_version
                .map(|version| format!("version {version}"))
        ),
    )
}

/// Trials as a table.
pub(crate) fn trials(trials: &[Trial]) -> String {
    let headings = [
        ">#",
        "label",
        "state",
        "front",
        ">val %",
        ">bits",
        ">energy pJ",
        ">LUT est.",
        ">attempt",
        "worker",
        "id",
        "error",
    ];
    let mut table = table(&headings);
    for trial in trials {
        let scores = trial.scores.as_ref();
        let costs = scores.and_then(|scores| scores.costs.as_ref());
        table.add_row([
            trial.number.to_string(),
            or_dash(trial.label.as_ref()),
            trial.state.clone(),
            if trial.on_front { "yes" } else { "" }.to_owned(),
            or_dash(scores.and_then(|scores| {
                quality(
                    scores.accuracy_validation,
                    scores.mean_squared_error_validation,
                )
            })),
            or_dash(costs.map(|costs| grouped(costs.bits))),
            or_dash(costs.map(|costs| short(costs.energy_pj))),
            or_dash(
                costs.map(|costs| with_share(costs.lut_estimate, trial.estimate_percent("lut"))),
            ),
            trial.attempt.to_string(),
            or_dash(trial.worker.as_ref()),
            trial.id.clone(),
            trial.error_message.clone().unwrap_or_default(),
        ]);
    }
    text(&table)
}

/// `28 x 28 x 1`.
fn shape(value: &Value) -> String {
    let axes: Vec<String> = value.as_array().into_iter().flatten().map(cell).collect();
    axes.join(" x ")
}

/// A table of layers.
fn layers(value: &Value) -> String {
    let mut layers = table(&[
        "layer",
        "kind",
        "shape",
        "kernel",
        "bias",
        "activation",
        ">parameter bits",
    ]);
    for layer in value.as_array().into_iter().flatten() {
        layers.add_row([
            cell(&layer["name"]),
            cell(&layer["kind"]),
            shape(&layer["output_shape"]),
            cell(&layer["kernel"]["quantizer"]),
            cell(&layer["bias"]["quantizer"]),
            cell(&layer["activation"]["quantizer"]),
            cell(&layer["parameter_bits"]),
        ]);
    }
    text(&layers)
}

/// What a circuit takes of its device, resource by resource.
fn used(rows: &[Value]) -> String {
    let mut used = table(&[
        "resource",
        ">estimate",
        ">measured",
        ">available",
        ">estimate %",
        ">measured %",
    ]);
    let count = |value: &Value| or_dash(value.as_u64().map(grouped));
    let percent = |value: &Value| or_dash(value.as_f64().map(share));
    for row in rows {
        used.add_row([
            cell(&row["resource"]).to_uppercase(),
            count(&row["estimate"]),
            count(&row["measured"]),
            count(&row["available"]),
            percent(&row["estimate_percent"]),
            percent(&row["measured_percent"]),
        ]);
    }
    text(&used)
}

/// Where a trial of a search with learned bit widths came from; nothing for others.
fn origin(origin: &Value) -> String {
    match origin["origin"].as_str() {
        Some("learning_run") => "  from     a run that learns bit widths\n".to_owned(),
        Some("learned_bits") => format!(
            "  from     run {}, epoch {}, beta {}\n",
            cell(&origin["run"]),
            cell(&origin["epoch"]),
            origin["beta"]
                .as_f64()
                .map_or_else(String::new, |beta| format!("{beta:.2e}"))
        ),
        _ => String::new(),
    }
}

/// One trial with its layers and attempts.
pub(crate) fn trial(value: &Value) -> String {
    let mut shown = String::new();
    let _ = writeln!(
        shown,
        "trial {} of {} ({})\n  id       {}\n  digest   {}",
        value["number"],
        cell(&value["search_name"]),
        cell(&value["state"]),
        cell(&value["id"]),
        cell(&value["candidate_digest"])
    );
    shown.push_str(&origin(&value["origin"]));
    if let Some(version) = value["engine_version"].as_u64() {
        let _ = writeln!(
            shown,
            "  seed     {}, engine version {version}",
            cell(&value["seed"])
        );
    }
    let _ = writeln!(
        shown,
        "  input    {}\n",
        cell(&value["input_quantizer"]["quantizer"])
    );
    shown.push_str(&layers(&value["layers"]));
    for (title, scores) in [
        ("scores", &value["scores"]),
        ("synthesis", &value["synthesis"]["result"]),
    ] {
        let Some(scores) = scores.as_object() else {
            continue;
        };
        let _ = writeln!(shown, "\n{title}");
        for (name, score) in scores {
            if super::classes::is_of_classes(name) || name == "unseen" {
                continue;
            }
            match score.as_object().filter(|_| name == "costs") {
                Some(costs) => {
                    for (name, cost) in costs {
                        let _ = writeln!(shown, "  {name:<27}{}", cell(cost));
                    }
                }
                None => {
                    let _ = writeln!(shown, "  {name:<27}{}", cell(score));
                }
            }
        }
    }
    shown.push_str(&super::unseen(&value["scores"]));
    shown.push_str(&super::classes::classes(value));
    shown.push_str(&super::estimators::predictions(value));
    if let Some(usage) = value["usage"].as_array().filter(|rows| !rows.is_empty()) {
        let _ = writeln!(shown, "\ndevice {}", cell(&value["device"]["part"]));
        shown.push_str(&used(usage));
    }
    shown.push('\n');
    let mut attempts = table(&[">attempt", "worker", "started", "ended", "end", "error"]);
    for attempt in value["attempts"].as_array().into_iter().flatten() {
        attempts.add_row([
            cell(&attempt["attempt"]),
            cell(&attempt["worker"]),
            cell(&attempt["started_at"]),
            cell(&attempt["ended_at"]),
            cell(&attempt["end_reason"]),
            cell(&attempt["error_message"]),
        ]);
    }
    shown.push_str(&text(&attempts));
    shown
}

/// Objects as a table of some of their fields.
fn fields(items: &[Value], columns: &[(&str, &str)]) -> String {
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = table(&headings);
    for item in items {
        table.add_row(
            columns
                .iter()
                .map(|(_, pointer)| cell(item.pointer(pointer).unwrap_or(&Value::Null))),
        );
    }
    text(&table)
}

/// Workers.
pub(crate) fn workers(items: &[Value]) -> String {
    let columns = [
        ("name", "/name"),
        ("host", "/host"),
        (">engine version", "/engine_version"),
        (">slots", "/slots"),
        (">running", "/leased"),
        (">completed", "/completed"),
        (">failed", "/failed"),
        ("kinds", "/kinds"),
        ("draining", "/draining"),
        ("lost", "/lost"),
        ("cpu", "/cpu_level"),
        ("engines", "/engines"),
        ("tools", "/tools"),
        ("last seen", "/last_seen_at"),
    ];
    fields(items, &columns)
}

/// Devices.
pub(crate) fn devices(items: &[Value]) -> String {
    let columns = [
        "part",
        "family",
        ">LUT",
        ">FF",
        ">DSP",
        ">BRAM",
        ">URAM",
        "tool part",
        "speed",
        "source",
    ];
    let mut table = table(&columns);
    for item in items {
        let count = |key: &str| or_dash(item[key].as_u64().map(grouped));
        table.add_row([
            cell(&item["part"]),
            cell(&item["family"]),
            count("lut"),
            count("ff"),
            count("dsp"),
            count("bram"),
            count("uram"),
            cell(&item["tool_part"]),
            cell(&item["speed"]),
            cell(&item["source"]),
        ]);
    }
    text(&table)
}

/// Data sets.
pub(crate) fn datasets(items: &[Value]) -> String {
    let columns = [
        ("file", "/file"),
        (">bytes", "/bytes"),
        (">rows", "/content/rows"),
        (">features", "/content/inputs"),
        ("classes", "/content/classes"),
        ("digest", "/digest"),
        ("registered", "/created_at"),
    ];
    fields(items, &columns)
}

/// Models.
pub(crate) fn models(items: &[Value]) -> String {
    let columns = [
        ("name", "/name"),
        ("file", "/file"),
        ("source", "/source"),
        ("reads", "/input_shape"),
        (">outputs", "/outputs"),
        (">parameters", "/parameters"),
        ("digest", "/digest"),
        ("registered", "/created_at"),
    ];
    fields(items, &columns)
}

/// One model with its layers.
pub(crate) fn model(value: &Value) -> String {
    let mut shown = String::new();
    let _ = writeln!(
        shown,
        "model {}\n  id          {}\n  file        {} ({} bytes)\n  digest      {}\n  source      {}\n  \
         input       {} {}\n  parameters  {}",
        cell(&value["name"]),
        cell(&value["id"]),
        cell(&value["file"]),
        cell(&value["bytes"]),
        cell(&value["digest"]),
        cell(&value["source"]),
        shape(&value["input_shape"]),
        cell(&value["input_quantizer"]),
        cell(&value["parameters"]),
    );
    for note in value["notes"].as_array().into_iter().flatten() {
        let _ = writeln!(shown, "  note        {}", cell(note));
    }
    shown.push('\n');
    shown.push_str(&layers(&value["layers"]));
    shown
}

/// Tokens.
pub(crate) fn tokens(items: &[Value]) -> String {
    let columns = [
        ("id", "/id"),
        ("name", "/name"),
        ("scope", "/scope"),
        ("created", "/created_at"),
        ("expires", "/expires_at"),
        ("revoked", "/revoked_at"),
        ("last used", "/last_used_at"),
    ];
    fields(items, &columns)
}
