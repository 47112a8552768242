//! Fits of estimates to what synthesis measured, and what they predict of a trial.

use std::fmt::Write as _;

use serde_json::Value;

use super::{grouped, percent, table, text};

/// Counts that are estimated and measured.
const RESOURCES: [&str; 3] = ["lut", "ff", "carry"];

/// `yosys 0.23, part, options`.
fn key(item: &Value) -> String {
    let words = ["engine", "tool_version"].map(|name| item[name].as_str().unwrap_or_default());
    let more = ["part", "options"].map(|name| item[name].as_str().unwrap_or_default());
    let mut shown = words.join(" ").trim_end().to_owned();
    for word in more.into_iter().filter(|word| !word.is_empty()) {
        shown.push_str(", ");
        shown.push_str(word);
    }
    shown
}

/// `12 circuits`.
fn circuits(item: &Value) -> String {
    match item["circuits"].as_u64().unwrap_or_default() {
        1 => "1 circuit".to_owned(),
        count => format!("{} circuits", grouped(count)),
    }
}

/// `0.950 to 1.100`.
fn interval(value: &Value) -> String {
    let end = |index: usize| value[index].as_f64().unwrap_or_default();
    format!("{:.3} to {:.3}", end(0), end(1))
}

/// `4.20 %`.
fn error(value: &Value) -> String {
    format!("{} %", percent(value.as_f64().unwrap_or_default()))
}

/// `80 %`.
fn level(value: &Value) -> String {
    format!("{:.0} %", 100.0 * value.as_f64().unwrap_or_default())
}

/// The API's list of fits, a table each.
pub(crate) fn estimators(list: &Value) -> String {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return "no synthesis job has ended yet: estimates are compared with what jobs measure\n"
            .to_owned();
    }
    let mut shown = String::new();
    for item in items {
        if !shown.is_empty() {
            shown.push('\n');
        }
        let _ = writeln!(
            shown,
            "{}\n{}, estimates of Bitfront {}",
            key(item),
            circuits(item),
            item["estimator_version"].as_str().unwrap_or_default()
        );
        let mut fits = table(&[
            "",
            ">circuits",
            ">measured / estimate",
            "median within",
            "next within",
            ">error of estimate",
            ">error of fit",
        ]);
        for resource in RESOURCES {
            let fit = &item[resource];
            let name = resource.to_uppercase();
            if fit.is_null() {
                fits.add_row([name, format!("fewer than {}", list["fewest"])]);
                continue;
            }
            fits.add_row([
                name,
                grouped(fit["jobs"].as_u64().unwrap_or_default()),
                format!("{:.3}", fit["ratio"].as_f64().unwrap_or_default()),
                format!(
                    "{} ({})",
                    interval(&fit["ratio_interval"]),
                    level(&fit["ratio_level"])
                ),
                format!(
                    "{} ({})",
                    interval(&fit["next_interval"]),
                    level(&fit["next_level"])
                ),
                error(&fit["median_error_of_estimate"]),
                error(&fit["median_error"]),
            ]);
        }
        shown.push_str(&text(&fits));
    }
    shown.push_str("\nerrors: median of |predicted - measured| / measured; the fit's, each circuit predicted from all others\n");
    shown
}

/// What the fits predict of a trial, beside its estimates.
pub(super) fn predictions(trial: &Value) -> String {
    let mut shown = String::new();
    for item in trial["predictions"].as_array().into_iter().flatten() {
        let _ = writeln!(
            shown,
            "\npredicted from {} of {}",
            circuits(item),
            key(item)
        );
        let mut rows = table(&["", ">estimate", ">predicted", "within", ">error"]);
        let mut is_empty = true;
        for resource in RESOURCES {
            let predicted = &item[format!("{resource}_predicted")];
            if predicted.is_null() {
                continue;
            }
            is_empty = false;
            let count = |value: &Value| grouped(value.as_u64().unwrap_or_default());
            rows.add_row([
                resource.to_uppercase(),
                count(&trial["scores"]["costs"][format!("{resource}_estimate")]),
                count(&predicted["value"]),
                format!(
                    "{} to {} ({})",
                    count(&predicted["low"]),
                    count(&predicted["high"]),
                    level(&predicted["level"])
                ),
                error(&predicted["median_error"]),
            ]);
        }
        if is_empty {
            shown.push_str("  nothing: too few to fit\n");
        } else {
            shown.push_str(&text(&rows));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fit() -> Value {
        json!({"jobs": 1200, "ratio": 1.05, "ratio_interval": [1.04, 1.0625], "ratio_level": 0.912, "next_interval": [0.9, 1.2],
            "next_level": 0.9, "median_error": 0.0312, "median_error_of_estimate": 0.056})
    }

    #[test]
    fn fits_are_shown_with_levels_and_errors_and_what_has_none_says_so() {
        let list = json!({"fewest": 9, "items": [
            {"engine": "yosys", "tool_version": "0.23", "part": null, "options": "synth_xilinx -family xcup", "estimator_version": "0.1.0",
             "circuits": 1200, "lut": fit(), "ff": null, "carry": null},
            {"engine": "yosys-nextpnr-ice40", "tool_version": "0.4", "part": "hx8k", "options": "", "estimator_version": "0.1.0",
             "circuits": 1, "lut": null, "ff": null, "carry": null},
        ]});
        insta::assert_snapshot!(estimators(&list));
        let none = json!({"fewest": 9, "items": []});
        assert!(estimators(&none).contains("no synthesis job has ended yet"));
    }

    #[test]
    fn a_prediction_stands_beside_its_estimate() {
        let key = json!({"engine": "yosys", "tool_version": "0.23", "part": null, "options": "", "circuits": 20});
        let mut predicted = key.clone();
        predicted["lut_predicted"] = json!({"value": 1050, "low": 900, "high": 1200, "level": 0.9, "jobs": 20, "median_error": 0.0312});
        let trial =
            json!({"scores": {"costs": {"lut_estimate": 1000}}, "predictions": [predicted, key]});
        insta::assert_snapshot!(predictions(&trial));
        assert_eq!(predictions(&json!({"predictions": []})), "");
    }
}
