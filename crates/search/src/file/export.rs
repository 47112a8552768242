//! The search file's JSON schema, made from its types.

use super::types::SearchFile;
use serde_json::Value;

/// The schema (JSON Schema 2020-12) that editors complete from and that [`super::read`] checks
/// against.
pub fn json_schema() -> Value {
    schemars::schema_for!(SearchFile).to_value()
}

/// The schema as it is checked in and served: indented, with a newline at the end.
pub fn json_schema_text() -> String {
    let mut text = serde_json::to_string_pretty(&json_schema()).expect("a schema serialises");
    text.push('\n');
    text
}
