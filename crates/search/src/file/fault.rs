//! What is wrong with a search file, and where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One fault of a search file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole file.
    pub pointer: String,
    /// What is wrong and what is accepted.
    pub detail: String,
    /// What to write instead, where one can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
            suggestion: None,
        }
    }

    /// With a suggestion.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// With "did you mean" if one of `accepted` is close to `word`.
    #[must_use]
    pub(crate) fn did_you_mean<'a>(
        self,
        word: &str,
        accepted: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match closest(word, accepted) {
            Some(best) => self.suggest(format!("did you mean `{best}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.detail)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// The accepted word closest to `word`, if it is close: a typing error, another case, or a word that
/// begins with it.
fn closest<'a>(word: &str, accepted: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |candidate: &str| {
        let likeness = strsim::jaro_winkler(&word, &candidate.to_lowercase());
        let begins = word.len() >= 3 && candidate.starts_with(&word);
        if begins { likeness.max(0.9) } else { likeness }
    };
    accepted
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `a, b or c`, for messages.
pub(crate) fn list<T: fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    let mut words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.pop() {
        None => "nothing".to_owned(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, closest, list};

    #[test]
    fn finds_typing_errors_and_nothing_far_off() {
        let keys = ["kernel", "bias", "activation", "lut_estimate"];
        assert_eq!(closest("kernal", keys), Some("kernel"));
        assert_eq!(closest("Activation", keys), Some("activation"));
        assert_eq!(closest("lut", keys), Some("lut_estimate"));
        assert_eq!(closest("zebra", keys), None);
    }

    #[test]
    fn reads_as_a_sentence() {
        let fault = Fault::new("/a", "no").suggest("try b");
        assert_eq!(fault.to_string(), "/a: no; try b");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
