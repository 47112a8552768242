//! What a schema accepts and what a document holds, in the words of messages.

use super::fault::list;
use super::structure::constants;
use serde_json::Value;

/// Whether `value` has the type, or one of the types, that a schema names.
pub(super) fn type_matches(types: &Value, value: &Value) -> bool {
    let one = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    match types {
        Value::Array(types) => types.iter().any(one),
        single => one(single),
    }
}

/// What a schema accepts, in words.
pub(super) fn expected(schema: &Value) -> String {
    let word = |name: &Value| match name.as_str() {
        Some("object") => "a mapping",
        Some("array") => "a list",
        Some("string") => "a text",
        Some("number") => "a number",
        Some("integer") => "a whole number",
        Some("boolean") => "true or false",
        _ => "nothing",
    };
    match (schema.get("type"), constants(schema)) {
        (_, Some(accepted)) => list(accepted.iter().filter_map(|value| value.as_str())),
        (Some(Value::Array(types)), None) => {
            let words: Vec<_> = types
                .iter()
                .map(word)
                .filter(|word| *word != "nothing")
                .collect();
            words.join(" or ")
        }
        (Some(single), None) => word(single).to_owned(),
        (None, None) => "accepted here".to_owned(),
    }
}

/// A value, in words.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
