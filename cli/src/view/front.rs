//! The table of a front: estimates beside what synthesis measured, baselines below.

use std::fmt::Write as _;

use super::{grouped, quality, short, table, text, with_share};
use crate::client::{Front, SearchDevice, Trial};

const HEADINGS: [&str; 15] = [
    "trial",
    ">val %",
    ">test %",
    ">bits",
    ">energy pJ",
    ">EBOPs",
    ">LUT est.",
    ">LUT",
    ">FF",
    ">carry",
    ">DSP",
    ">levels",
    ">LUT/est.",
    ">vectors",
    "synthesis",
];

/// The whole table with its legend: one table, so that the baselines stand below their columns.
pub(crate) fn front(front: &Front) -> String {
    let mut table = table(&HEADINGS);
    for trial in front.members.iter().chain(&front.baselines) {
        table.add_row(row(trial));
    }
    let text = text(&table);
    let lines: Vec<&str> = text.lines().collect();
    let (heading, rows) = lines.split_at(1);
    let (members, baselines) = rows.split_at(front.members.len());

    let mut shown = format!("front ({} members)", front.members.len());
    if let Some(device) = &front.device {
        let _ = write!(shown, " for {}", holds(device));
    }
    shown.push('\n');
    if front.unmeasured > 0 {
        let trials = if front.unmeasured == 1 {
            "trial"
        } else {
            "trials"
        };
        let _ = writeln!(
            shown,
            "unmeasured, and so not on it: {} completed {trials}",
            grouped(front.unmeasured)
        );
    }
    for line in heading.iter().chain(members) {
        let _ = writeln!(shown, "{line}");
    }
    if !baselines.is_empty() {
        shown.push_str("\nbaselines\n");
        for line in baselines {
            let _ = writeln!(shown, "{line}");
        }
    }
    shown.push_str(
        "\nval and test: accuracy on the validation and the test split; only validation chooses.\n\
         MSE: where values are predicted, the mean squared error in variances of the targets in their place.\n\
         (%): share of what the device has.\n\
         energy: 45 nm model, corrected mode. LUT est.: from the trained weights' adder graphs.\n",
    );
    let _ = writeln!(
        shown,
        "LUT to levels: measured by {}; vectors: simulated bit for bit, all equal.",
        engine(front)
    );
    shown
}

/// What measured the trials: one engine, that of the search.
fn engine(front: &Front) -> &str {
    let trials = front.members.iter().chain(&front.baselines);
    let mut tools = trials.filter_map(|trial| trial.measured()?.tool.as_deref());
    match tools.next() {
        None | Some("yosys") => "synthesis (not placed)",
        Some(tool) => tool,
    }
}

/// `xcvu9p: 1 182 240 LUT, 2 364 480 FF, ...`.
fn holds(device: &SearchDevice) -> String {
    let Some(resources) = &device.resources else {
        return device.part.clone();
    };
    let counts: Vec<String> = ["lut", "ff", "dsp", "bram", "uram"]
        .into_iter()
        .filter_map(|kind| {
            let count = resources.get(kind).copied().flatten()?;
            Some(format!("{} {}", grouped(count), kind.to_uppercase()))
        })
        .collect();
    format!("{}: {}", device.part, counts.join(", "))
}

fn row(trial: &Trial) -> Vec<String> {
    let none = || "-".to_owned();
    let name = match &trial.label {
        Some(label) => format!("#{} {label}", trial.number),
        None => format!("#{}", trial.number),
    };
    let Some(scores) = &trial.scores else {
        let mut row = vec![name, trial.state.clone()];
        row.resize_with(HEADINGS.len(), none);
        return row;
    };
    let mut row = vec![
        name,
        quality(
            scores.accuracy_validation,
            scores.mean_squared_error_validation,
        )
        .unwrap_or_else(none),
        quality(scores.accuracy_test, scores.mean_squared_error_test).unwrap_or_else(none),
    ];
    match &scores.costs {
        Some(costs) => row.extend([
            grouped(costs.bits),
            short(costs.energy_pj),
            grouped(costs.ebops.round() as u64),
            with_share(costs.lut_estimate, trial.estimate_percent("lut")),
        ]),
        None => row.extend(std::iter::repeat_n(none(), 4)),
    }
    match trial.measured() {
        Some(measured) => {
            let estimate = scores.costs.as_ref().map_or(0, |costs| costs.lut_estimate);
            let ratio = measured.lut_measured as f64 / estimate as f64;
            row.extend([
                with_share(measured.lut_measured, trial.measured_percent("lut")),
                with_share(measured.ff_measured, trial.measured_percent("ff")),
                grouped(measured.carry_measured),
                with_share(measured.dsp_measured, trial.measured_percent("dsp")),
                measured.levels.map_or_else(none, grouped),
                if estimate == 0 {
                    none()
                } else {
                    format!("{ratio:.2}")
                },
                grouped(measured.vectors_checked),
            ]);
        }
        None => row.extend(std::iter::repeat_n(none(), 7)),
    }
    row.push(
        trial
            .synthesis
            .as_ref()
            .map_or_else(none, |job| job.state.clone()),
    );
    row
}

/// A front in one line: `7 members, best 74.3 %, smallest 312 LUT`.
pub(crate) fn front_summary(size: u64, best: Option<String>, smallest: Option<f64>) -> String {
    let mut text = format!("front {size}");
    if let Some(best) = best {
        let _ = write!(text, ", best {best}");
    }
    if let Some(smallest) = smallest {
        let _ = write!(
            text,
            ", smallest {} LUT est.",
            grouped(smallest.round() as u64)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(
        number: u64,
        scores: &serde_json::Value,
        synthesis: &serde_json::Value,
    ) -> serde_json::Value {
        let share = |resource, kind: &str| {
            let count = match kind {
                "estimate" => scores.pointer(&format!("/costs/{resource}_estimate")),
                _ => synthesis.pointer(&format!("/result/{resource}_measured")),
            };
            count
                .and_then(serde_json::Value::as_f64)
                .map(|count| 100.0 * count / 20_800.0)
        };
        let usage = ["lut", "ff", "dsp"].map(|resource| json!({"resource": resource,
            "estimate_percent": share(resource, "estimate"), "measured_percent": share(resource, "measured")}));
        json!({"id": "x", "number": number, "label": null, "state": "completed", "on_front": true, "attempt": 1,
            "worker": "w", "scores": scores, "usage": usage, "synthesis": synthesis, "error_message": null})
    }

    #[test]
    fn the_front_table_shows_estimate_and_measurement_apart() {
        let costs = |bits, lut| json!({"bits": bits, "energy_pj": 123.4, "ebops": 4567.2, "lut_estimate": lut, "x": 1});
        let measured = json!({"state": "completed", "result": {"lut_measured": 1234, "ff_measured": 300,
            "carry_measured": 210, "dsp_measured": 0, "levels": 9, "vectors_checked": 2400}});
        let mut float = trial(
            0,
            &json!({"accuracy_validation": 0.76, "accuracy_test": 0.755}),
            &json!(null),
        );
        float["label"] = json!("float");
        let mut running = trial(4, &json!(null), &json!(null));
        running["label"] = json!("uniform-2");
        running["state"] = json!("leased");
        let shown = front(
            &serde_json::from_value(json!({
                "objectives": [],
                "device": {"part": "xc7a35t", "clock_mhz": 200.0, "resources": {"lut": 20800, "ff": 20800, "dsp": 20800, "uram": null}},
                "unmeasured": 1,
                "members": [
                    trial(12, &json!({"accuracy_validation": 0.71, "accuracy_test": 0.705, "costs": costs(900, 1100)}), &measured),
                    trial(7, &json!({"accuracy_validation": 0.75, "costs": costs(12900, 4100)}), &json!({"state": "queued", "result": null})),
                ],
                "baselines": [float, running],
            }))
            .unwrap(),
        );
        insta::assert_snapshot!(shown);
    }
}
