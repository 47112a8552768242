//! A search file as people write it (YAML or JSON), read once into the wire's JSON and a map from
//! every JSON pointer to its line, so that faults can be shown where they stand.

mod located;
mod overrides;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use bitfront_search::file::Fault;
use serde_json::Value;

use crate::exit::{Exit, Failure, Outcome};

pub(crate) use overrides::Override;

/// A read file.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it is called in messages: its path, or `<stdin>`.
    pub(crate) name: String,
    /// Its JSON form.
    pub(crate) value: Value,
    /// Line and column (from 1) by JSON pointer.
    places: BTreeMap<String, (u64, u64)>,
}

impl Document {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn open(path: &Path, overrides: &[Override]) -> Outcome<Self> {
        let (name, text) = if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| {
                    Failure::usage(format!("failed to read standard input: {error}"))
                })?;
            ("<stdin>".to_owned(), text)
        } else {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("failed to read {}: {error}", path.display()))
            })?;
            (path.display().to_string(), text)
        };
        let mut document = Self::parse(name, &text)?;
        for change in overrides {
            document.set(change)?;
        }
        Ok(document)
    }

    /// Reads text; JSON is read as the YAML it is.
    pub(crate) fn parse(name: impl Into<String>, text: &str) -> Outcome<Self> {
        let name = name.into();
        let mut places = BTreeMap::new();
        match located::read(text, &mut places) {
            Ok(value) => Ok(Self {
                name,
                value,
                places,
            }),
            Err(error) => Err(Failure::new(
                Exit::Usage,
                format!("{name} is not YAML or JSON: {error}"),
            )),
        }
    }

    fn set(&mut self, change: &Override) -> Outcome<()> {
        change.apply(&mut self.value)?;
        // What --set put there has no line in the file.
        let inside = format!("{}/", change.pointer());
        self.places
            .retain(|pointer, _| *pointer != change.pointer() && !pointer.starts_with(&inside));
        Ok(())
    }

    /// A fault as one line: `jets.yaml:31:15: /budget/trials: what is wrong; what to write`.
    pub(crate) fn locate(&self, fault: &Fault) -> String {
        let mut line = self.name.clone();
        if let Some((row, column)) = self.place(&fault.pointer) {
            let _ = write!(line, ":{row}:{column}");
        }
        let _ = write!(line, ": {fault}");
        line
    }

    /// Where a pointer stands; for a missing key the nearest thing around it.
    fn place(&self, pointer: &str) -> Option<(u64, u64)> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return Some(*place);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// The failure that shows all of `faults`.
    pub(crate) fn faults(&self, faults: &[Fault]) -> Failure {
        let count = faults.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        let mut failure = Failure::usage(format!("{} has {count} {noun}", self.name));
        // In the order of the file, which is the order of reading.
        let mut faults: Vec<&Fault> = faults.iter().collect();
        faults.sort_by_key(|fault| self.place(&fault.pointer));
        for fault in faults {
            failure = failure.detail(self.locate(fault));
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_at_its_line() {
        let document = Document::parse(
            "a.yaml",
            "name: x\nbudget:\n  trials: 5\nlist:\n- a\n- {b: 1}\n",
        )
        .unwrap();
        let at = |pointer: &str| document.locate(&Fault::new(pointer, "wrong"));
        assert_eq!(at("/budget/trials"), "a.yaml:3:11: /budget/trials: wrong");
        assert_eq!(at("/list/1/b"), "a.yaml:6:7: /list/1/b: wrong");
        assert_eq!(
            at("/budget/parallel"),
            "a.yaml:3:3: /budget/parallel: wrong"
        );
        assert_eq!(at("/nothing"), "a.yaml:1:1: /nothing: wrong");
    }

    #[test]
    fn what_set_changed_has_no_line() {
        let mut document = Document::parse("a.yaml", "budget:\n  trials: 5\n").unwrap();
        document.set(&"budget.trials=7".parse().unwrap()).unwrap();
        assert_eq!(document.value["budget"]["trials"], 7);
        assert_eq!(document.place("/budget/trials"), document.place("/budget"));
    }

    #[test]
    fn json_and_yaml_give_the_same_value() {
        let json =
            r#"{"a": [1, 2.5, "x", null, true], "b": {"c": "quantized_bits(4,0,alpha=1.0)"}}"#;
        let yaml = "a: [1, 2.5, x, null, true]\nb:\n  c: quantized_bits(4,0,alpha=1.0)\n";
        let read = |text| Document::parse("f", text).unwrap().value;
        assert_eq!(read(json), serde_json::from_str::<Value>(json).unwrap());
        assert_eq!(read(json), read(yaml));
    }

    #[test]
    fn a_syntax_error_names_the_file_and_the_line() {
        let failure = Document::parse("a.yaml", "a: [1, 2\nb: }\n").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure.message.starts_with("a.yaml is not YAML or JSON: "),
            "{}",
            failure.message
        );
        assert!(failure.message.contains("line"), "{}", failure.message);
    }
}
