//! Numbers as tables show them.

use serde_json::Value;

/// `0.74321` as `74.32`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// How well something predicts: its accuracy in percent, else its mean squared error, as `0.1234 MSE`.
pub(crate) fn quality(accuracy: Option<f64>, mean_squared_error: Option<f64>) -> Option<String> {
    let error = mean_squared_error.map(|error| format!("{error:.4} MSE"));
    accuracy.map(percent).or(error)
}

/// A count with thin groups: `12 345`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A measure in at most four digits or whole: `3.142`, `31.4`, `3141`.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(value.round().abs() as u64),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A share in percent as tables show it: `0.10 %`, `12 %`, `<0.01 %`.
pub(crate) fn share(percent: f64) -> String {
    match percent {
        0.0 => "0 %".to_owned(),
        little if little < 0.01 => "<0.01 %".to_owned(),
        some if some < 10.0 => format!("{some:.2} %"),
        much => format!("{much:.0} %"),
    }
}

/// A count with its share of the device, where that is known: `1 234 (0.10 %)`.
pub(crate) fn with_share(count: u64, percent: Option<f64>) -> String {
    match percent {
        Some(percent) => format!("{} ({})", grouped(count), share(percent)),
        None => grouped(count),
    }
}

/// A score (`lut_measured`) with its share and what the device has, `480 (9.09 %) of 5 280`; `None` where `usage` of a job or a
/// trial says no share of it.
pub(crate) fn of_device(usage: &Value, score: &str) -> Option<String> {
    let resource = score.strip_suffix("_measured")?;
    let row = usage
        .as_array()?
        .iter()
        .find(|row| row["resource"] == resource)?;
    let percent = row["measured_percent"].as_f64()?;
    let counted = with_share(row["measured"].as_u64()?, Some(percent));
    Some(format!(
        "{counted} of {}",
        grouped(row["available"].as_u64()?)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_of_the_device_say_what_there_is() {
        let usage = json!([
            {"resource": "lut", "measured": 480, "available": 5280, "measured_percent": 9.0909},
            {"resource": "ff", "measured": 90, "available": 5280, "measured_percent": null},
        ]);
        let shown = |score| of_device(&usage, score);
        assert_eq!(
            shown("lut_measured").as_deref(),
            Some("480 (9.09 %) of 5 280")
        );
        for without in ["ff_measured", "dsp_measured", "lut_estimate", "levels"] {
            assert_eq!(shown(without), None);
        }
        assert_eq!(of_device(&Value::Null, "lut_measured"), None);
    }

    #[test]
    fn groups_of_three_from_the_right() {
        let shown: Vec<String> = [0, 12, 123, 1234, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "12", "123", "1 234", "1 234 567"]);
    }

    #[test]
    fn shares_are_never_rounded_to_nothing() {
        let shown: Vec<String> = [0.0, 0.0042, 0.0999, 9.9, 12.4, 150.0].map(share).into();
        assert_eq!(
            shown,
            ["0 %", "<0.01 %", "0.10 %", "9.90 %", "12 %", "150 %"]
        );
        assert_eq!(with_share(1234, Some(5.0)), "1 234 (5.00 %)");
        assert_eq!(with_share(1234, None), "1 234");
    }

    #[test]
    fn measures_keep_three_or_four_digits() {
        let shown: Vec<String> = [0.5, 31.41, 314.1, 3141.5].map(short).into();
        assert_eq!(shown, ["0.50", "31.4", "314", "3 142"]);
        assert_eq!(percent(0.743_21), "74.32");
        assert_eq!(quality(Some(0.5), None).as_deref(), Some("50.00"));
        assert_eq!(quality(None, Some(0.123_45)).as_deref(), Some("0.1235 MSE"));
        assert_eq!(quality(None, None), None);
    }
}
