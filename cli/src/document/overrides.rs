//! `--set budget.trials=200`: one value of a search file, changed on the command line.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::exit::{Failure, Outcome};

/// A path of keys and indexes, and the value to put there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    path: Vec<String>,
    value: Value,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or_else(|| {
            format!("`{text}` has no `=`; write key=value, such as budget.trials=200")
        })?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(format!(
                "`{text}` has an empty key; write key=value, such as budget.trials=200"
            ));
        }
        // The value is YAML, as in the file: numbers are numbers, `[a, b]` is a list.
        let value = super::located::read(value, &mut std::collections::BTreeMap::new())
            .unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { path, value })
    }
}

impl Override {
    /// The place as a JSON pointer.
    pub(super) fn pointer(&self) -> String {
        self.path.iter().fold(String::new(), |pointer, key| {
            pointer + "/" + &key.replace('~', "~0").replace('/', "~1")
        })
    }

    /// Puts the value in its place; missing mappings on the way are made.
    pub(super) fn apply(&self, root: &mut Value) -> Outcome<()> {
        let mut place = root;
        for key in &self.path {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            place = match place {
                Value::Object(map) => map.entry(key.as_str()).or_insert(Value::Null),
                Value::Array(items) => {
                    let length = items.len();
                    key.parse::<usize>()
                        .ok()
                        .and_then(|index| items.get_mut(index))
                        .ok_or_else(|| {
                            Failure::usage(format!(
                                "--set {}: `{key}` is no index of a list of {length}",
                                self.path.join(".")
                            ))
                        })?
                }
                other => {
                    return Err(Failure::usage(format!(
                        "--set {}: `{key}` stands below {other}, which holds no keys",
                        self.path.join(".")
                    )));
                }
            };
        }
        *place = self.value.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(root: Value, text: &str) -> Result<Value, String> {
        let mut root = root;
        text.parse::<Override>()?
            .apply(&mut root)
            .map_err(|failure| failure.message)?;
        Ok(root)
    }

    #[test]
    fn values_keep_their_types_and_missing_mappings_are_made() {
        let start = json!({"budget": {"trials": 1}, "list": [{"a": 1}]});
        assert_eq!(
            set(start.clone(), "budget.trials=200").unwrap()["budget"]["trials"],
            200
        );
        assert_eq!(
            set(start.clone(), "list.0.a=x").unwrap()["list"][0]["a"],
            "x"
        );
        assert_eq!(
            set(start.clone(), "sampler.name=random").unwrap()["sampler"]["name"],
            "random"
        );
        assert_eq!(
            set(start, "objectives=[accuracy, bits]").unwrap()["objectives"],
            json!(["accuracy", "bits"])
        );
    }

    #[test]
    fn what_has_no_place_is_an_error() {
        assert!(
            set(json!({"a": 1}), "a.b=2")
                .unwrap_err()
                .contains("holds no keys")
        );
        assert!(
            set(json!({"a": []}), "a.0=2")
                .unwrap_err()
                .contains("no index of a list of 0")
        );
        assert!(set(json!({}), "a").unwrap_err().contains("has no `=`"));
        assert!(set(json!({}), "a..b=1").unwrap_err().contains("empty key"));
    }
}
