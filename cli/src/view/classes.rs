//! How a trial tells the classes of its data set apart, as tables.

use std::fmt::Write as _;

use serde_json::Value;

use super::{grouped, table, text};

/// Figures of one class against the rest, each of the validation and of the test split.
const FIGURES: [(&str, &str); 3] = [
    ("AUC", "auc"),
    ("background at 50 %", "background_efficiency_50"),
    ("background at 80 %", "background_efficiency_80"),
];

/// The scores that [`classes`] shows.
pub(super) fn is_of_classes(score: &str) -> bool {
    let figure = score
        .strip_suffix("_validation")
        .or(score.strip_suffix("_test"));
    score == "confusion_test" || FIGURES.iter().any(|(_, name)| figure == Some(name))
}

/// AUC and background efficiencies of each class, and what the test rows of each class are taken for;
/// nothing of a trial that has none.
pub(super) fn classes(trial: &Value) -> String {
    let name = |class: usize| {
        let named = trial["classes"][class].as_str();
        named.map_or_else(|| class.to_string(), str::to_owned)
    };
    let scores = &trial["scores"];
    let mut shown = String::new();
    if let Some(of) = scores["auc_validation"].as_array() {
        let titles: Vec<String> = FIGURES
            .iter()
            .flat_map(|(title, _)| [format!(">{title}"), ">test".to_owned()])
            .collect();
        let mut headings = vec!["class"];
        headings.extend(titles.iter().map(String::as_str));
        let mut rows = table(&headings);
        for class in 0..of.len() {
            let mut row = vec![name(class)];
            for (_, figure) in FIGURES {
                for split in ["validation", "test"] {
                    let value = scores[format!("{figure}_{split}")][class].as_f64();
                    row.push(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}")));
                }
            }
            rows.add_row(row);
        }
        let _ = writeln!(
            shown,
            "\neach class against the rest; background at 50 %: share of the rest that a cut takes for the class where it keeps \
             half of it\n{}",
            text(&rows).trim_end()
        );
    }
    if let Some(confusion) = scores["confusion_test"].as_array() {
        let names: Vec<String> = (0..confusion.len())
            .map(|at| format!(">{}", name(at)))
            .collect();
        let mut headings = vec!["class"];
        headings.extend(names.iter().map(String::as_str));
        let mut rows = table(&headings);
        for (class, counts) in confusion.iter().enumerate() {
            let counts = counts.as_array().into_iter().flatten();
            let counts = counts.map(|count| count.as_u64().map_or_else(|| "-".to_owned(), grouped));
            rows.add_row([name(class)].into_iter().chain(counts));
        }
        let _ = writeln!(
            shown,
            "\ntest rows of each class by what they are taken for\n{}",
            text(&rows).trim_end()
        );
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn classes_stand_in_tables_with_their_names() {
        let trial = json!({"classes": ["g", "q"], "scores": {
            "accuracy_validation": 0.9, "auc_validation": [0.95, 0.96], "auc_test": [0.94, 0.955],
            "background_efficiency_50_validation": [0.012, 0.0], "background_efficiency_50_test": [0.013, 0.25],
            "background_efficiency_80_validation": [0.1, 0.2], "confusion_test": [[12_345, 1], [20, 9_000]]}});
        insta::assert_snapshot!(classes(&trial));
        assert_eq!(
            classes(&json!({"scores": {"accuracy_validation": 0.9}})),
            ""
        );
        let scores = trial["scores"].as_object().expect("scores");
        let elsewhere: Vec<_> = scores.keys().filter(|name| !is_of_classes(name)).collect();
        assert_eq!(elsewhere, ["accuracy_validation"]);
    }
}
