//! What a circuit within the ranges of the train rows does on the other splits.

use serde_json::Value;

use super::{grouped, quality, table, text};

/// A table under a title, of scores or of a synthesis job; nothing where ranges are proven.
pub(crate) fn unseen(of: &Value) -> String {
    let unseen = &of["unseen"];
    if !unseen.is_object() {
        return String::new();
    }
    let headings = [
        "split",
        ">rows",
        ">outside",
        ">other outputs",
        ">% or MSE as circuit",
    ];
    let mut rows = table(&headings);
    for split in ["validation", "test"] {
        let of = &unseen[split];
        let count = |name: &str| of[name].as_u64().map_or_else(|| "-".to_owned(), grouped);
        let right = quality(of["accuracy"].as_f64(), of["mean_squared_error"].as_f64());
        rows.add_row([
            split.to_owned(),
            count("rows"),
            count("outside"),
            count("different"),
            right.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    format!(
        "\nrows outside the ranges of the train rows, and how many of them the circuit gives other outputs than integer \
         inference\n{}",
        text(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::unseen;
    use serde_json::json;

    #[test]
    fn both_splits_stand_under_each_other() {
        let rows = |outside, different, accuracy: f64| json!({"rows": 1480, "outside": outside, "different": different, "accuracy": accuracy});
        let scores =
            json!({"unseen": {"validation": rows(12, 3, 0.9012), "test": rows(10, 0, 0.9)}});
        insta::assert_snapshot!(unseen(&scores));
        assert_eq!(unseen(&json!({"accuracy_validation": 0.9})), "");
    }
}
