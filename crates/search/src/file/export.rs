//! The search file's JSON schema, made from its types.

use super::types::SearchFile;
use serde_json::Value;

/// The schema (JSON Schema 2020-12) that editors complete from and that [`super::read`] checks
/// against.
pub fn json_schema() -> Value {
    schemars::schema_for!(SearchFile).to_value()
}

/// The schema as it is checked in and served: keys sorted, indented, with a newline at the end.
pub fn json_schema_text() -> String {
    let schema = sorted(json_schema());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema serialises");
    text.push('\n');
    text
}

/// With sorted keys, whether or not some other crate of the build has maps keep insertion order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let members = members
                .into_iter()
                .map(|(key, member)| (key, sorted(member)));
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
