//! Holds a document against the search file's JSON schema and tells every fault.
//!
//! A deserializer stops at its first error; this walk does not. It knows the schema keywords that
//! the file's types produce, and a test fails when they come to produce another.

use super::export::json_schema;
use super::fault::{Fault, list};
use super::pointer::Pointer;
use super::words::{describe, expected, type_matches};
use bitfront_quantizer::Quantizer;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// How an unknown key's fault begins.
const UNKNOWN_KEY: &str = "unknown key";

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);

/// Every structural fault of `document`.
pub(super) fn check(document: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(&SCHEMA, document, &Pointer::root(), &mut faults);
    faults
}

/// `document` without the unknown keys among `faults`; `None` if there are other faults.
pub(super) fn without_unknown_keys(document: &Value, faults: &[Fault]) -> Option<Value> {
    let mut document = document.clone();
    for fault in faults {
        if !fault.detail.starts_with(UNKNOWN_KEY) {
            return None;
        }
        let (parent, key) = fault.pointer.rsplit_once('/')?;
        let key = key.replace("~1", "/").replace("~0", "~");
        document.pointer_mut(parent)?.as_object_mut()?.remove(&key);
    }
    Some(document)
}

fn walk(schema: &Value, value: &Value, at: &Pointer, faults: &mut Vec<Fault>) {
    let schema = follow(schema);
    for keyword in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
            walk_branches(branches, value, at, faults);
            return;
        }
    }
    if let Some(types) = schema.get("type")
        && !type_matches(types, value)
    {
        let detail = format!("{} is not {}", describe(value), expected(schema));
        faults.push(Fault::new(at, detail));
        return;
    }
    if let Some(accepted) = constants(schema) {
        if !accepted.contains(&value) {
            faults.push(not_accepted(value, &accepted, at));
        }
        return;
    }
    match value {
        Value::Object(members) => walk_object(schema, members, at, faults),
        Value::Array(items) => walk_array(schema, items, at, faults),
        Value::String(text) => walk_text(schema, text, at, faults),
        Value::Number(number) => walk_number(schema, number, at, faults),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Resolves `$ref`s.
fn follow(schema: &Value) -> &Value {
    let mut schema = schema;
    while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.trim_start_matches('#');
        schema = SCHEMA
            .pointer(target)
            .expect("the schema's references resolve");
    }
    schema
}

fn walk_object(
    schema: &Value,
    members: &Map<String, Value>,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, member) in members {
        let known = properties.and_then(|properties| properties.get(key));
        match (known, schema.get("additionalProperties")) {
            (Some(known), _) => walk(known, member, &at.at(key), faults),
            (None, Some(Value::Bool(false))) => {
                let accepted = || {
                    properties
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str)
                };
                let detail = format!("{UNKNOWN_KEY} `{key}`; accepted: {}", list(accepted()));
                faults.push(Fault::new(at.at(key), detail).did_you_mean(key, accepted()));
            }
            (None, Some(other)) => walk(other, member, &at.at(key), faults),
            (None, None) => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(key) {
            faults.push(Fault::new(at, format!("`{key}` is missing")));
        }
    }
}

fn walk_array(schema: &Value, items: &[Value], at: &Pointer, faults: &mut Vec<Fault>) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let count = items.len() as u64;
    if let Some(least) = bound("minItems").filter(|least| count < *least) {
        faults.push(Fault::new(
            at,
            format!("has {count} items; at least {least}"),
        ));
    }
    if let Some(most) = bound("maxItems").filter(|most| count > *most) {
        faults.push(Fault::new(at, format!("has {count} items; at most {most}")));
    }
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            walk(schema, item, &at.at(index), faults);
        }
    }
}

fn walk_text(schema: &Value, text: &str, at: &Pointer, faults: &mut Vec<Fault>) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let length = text.chars().count() as u64;
    if let Some(least) = bound("minLength").filter(|least| length < *least) {
        faults.push(Fault::new(
            at,
            format!("has {length} characters; at least {least}"),
        ));
    }
    if let Some(most) = bound("maxLength").filter(|most| length > *most) {
        faults.push(Fault::new(
            at,
            format!("has {length} characters; at most {most}"),
        ));
    }
    if schema.get("pattern").is_some() && !is_name(text) {
        let detail = format!("`{text}` is not a name: 1 to 63 small letters, digits and hyphens");
        faults.push(Fault::new(at, detail));
    }
    if schema.get("format").and_then(Value::as_str) == Some("quantizer")
        && let Err(error) = text.parse::<Quantizer>()
    {
        faults.push(Fault::new(at, error.to_string()));
    }
}

/// The one pattern there is, `^[a-z0-9-]{1,63}$`.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}

fn walk_number(schema: &Value, number: &serde_json::Number, at: &Pointer, faults: &mut Vec<Fault>) {
    let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
    let value = number.as_f64().unwrap_or(f64::NAN);
    let below = |bound: &Value| bound.as_f64().is_some_and(|bound| value < bound);
    let above = |bound: &Value| bound.as_f64().is_some_and(|bound| value > bound);
    if let Some(least) = bound("minimum").filter(|least| below(least)) {
        faults.push(Fault::new(
            at,
            format!("{number} is too small; at least {least}"),
        ));
    }
    if let Some(most) = bound("maximum").filter(|most| above(most)) {
        faults.push(Fault::new(
            at,
            format!("{number} is too large; at most {most}"),
        ));
    }
}

/// Alternatives: silent if one fits, otherwise the faults of the one that was meant.
fn walk_branches(branches: &[Value], value: &Value, at: &Pointer, faults: &mut Vec<Fault>) {
    let branches: Vec<&Value> = branches.iter().map(follow).collect();
    if let Some(accepted) = branches
        .iter()
        .map(|branch| constants(branch))
        .collect::<Option<Vec<_>>>()
    {
        let accepted: Vec<&Value> = accepted.into_iter().flatten().collect();
        if !accepted.contains(&value) {
            faults.push(not_accepted(value, &accepted, at));
        }
        return;
    }
    if let Some(tags) = branches
        .iter()
        .map(|branch| tag(branch))
        .collect::<Option<Vec<_>>>()
    {
        walk_tagged(&branches, &tags, value, at, faults);
        return;
    }
    let mut meant = Vec::new();
    for branch in &branches {
        let mut own = Vec::new();
        walk(branch, value, at, &mut own);
        if own.is_empty() {
            return;
        }
        if could_be(branch, value) {
            meant.push(own);
        }
    }
    if let Some(own) = meant.into_iter().min_by_key(Vec::len) {
        faults.extend(own);
        return;
    }
    let mut accepted: Vec<_> = branches.iter().map(|branch| expected(branch)).collect();
    accepted.retain(|words| words != "nothing");
    let detail = format!("{} is not {}", describe(value), accepted.join(" or "));
    faults.push(Fault::new(at, detail));
}

/// Alternatives that are told apart by their only key.
fn walk_tagged(
    branches: &[&Value],
    tags: &[&str],
    value: &Value,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) {
    let members = value.as_object();
    let key = members.and_then(|members| (members.len() == 1).then(|| members.keys().next())?);
    let Some(key) = key else {
        let detail = format!("needs one key: {}", list(tags));
        faults.push(Fault::new(at, detail));
        return;
    };
    if let Some(branch) = tags.iter().position(|tag| tag == key) {
        walk(branches[branch], value, at, faults);
    } else {
        let detail = format!("`{key}` is not {}", list(tags));
        faults.push(Fault::new(at, detail).did_you_mean(key, tags.iter().copied()));
    }
}

/// The only key of an alternative that is told apart by it.
fn tag(schema: &Value) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    (properties.len() == 1 && required.len() == 1).then(|| required[0].as_str())?
}

/// The values a schema lists, if it lists any.
pub(super) fn constants(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(constant) = schema.get("const") {
        return Some(vec![constant]);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().collect());
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    let lists = branches.iter().map(|branch| constants(follow(branch)));
    let lists: Option<Vec<_>> = lists.collect();
    Some(lists?.into_iter().flatten().collect())
}

fn not_accepted(value: &Value, accepted: &[&Value], at: &Pointer) -> Fault {
    let words = || accepted.iter().filter_map(|value| value.as_str());
    let detail = format!("{} is not {}", describe(value), list(words()));
    let fault = Fault::new(at, detail);
    match value.as_str() {
        Some(word) => fault.did_you_mean(word, words()),
        None => fault,
    }
}

/// Whether `value` has the type of `schema`, whatever its content.
fn could_be(schema: &Value, value: &Value) -> bool {
    if let Some(types) = schema.get("type") {
        return type_matches(types, value);
    }
    let words = constants(schema)
        .is_some_and(|accepted| accepted.iter().any(|one| one.is_string()) && value.is_string());
    let branches = ["anyOf", "oneOf"].map(|keyword| schema.get(keyword));
    let branches = branches.into_iter().flatten().filter_map(Value::as_array);
    words
        || branches
            .flatten()
            .any(|branch| could_be(follow(branch), value))
}
