//! Numbers as tables show them.

/// `0.74321` as `74.32`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three_from_the_right() {
        let shown: Vec<String> = [0, 12, 123, 1234, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "12", "123", "1 234", "1 234 567"]);
    }

    #[test]
    fn measures_keep_three_or_four_digits() {
        let shown: Vec<String> = [0.5, 31.41, 314.1, 3141.5].map(short).into();
        assert_eq!(shown, ["0.50", "31.4", "314", "3 142"]);
        assert_eq!(percent(0.743_21), "74.32");
    }
}
