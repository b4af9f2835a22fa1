//! Compares a record with its earlier one. Pure.

use serde_json::{Map, Value as Json};

use crate::record::Value;
use crate::record::change::{Change, What};

/// Which of the `compared` fields differ, and their earlier values.
pub fn differences<'a>(old: &'a Map<String, Json>, new: &Map<String, Json>, compared: &[&'static str]) -> Change<'a> {
    let fields: Vec<_> = compared.iter().copied().filter(|name| old.get(*name) != new.get(*name)).collect();
    let previous = fields.iter().filter_map(|name| Some((*name, value_of(old.get(*name)?)))).collect();
    Change { what: What::Modified, fields, previous }
}

/// A value that was read from JSON.
pub fn value_of(value: &Json) -> Value<'_> {
    match value {
        Json::Null => Value::Absent,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Float(number),
            (None, None) => Value::Absent,
        },
        Json::String(text) => Value::Str(text.as_str().into()),
        Json::Array(texts) => Value::List(texts.iter().filter_map(Json::as_str).map(str::as_bytes).collect()),
        Json::Object(entries) => {
            Value::Object(entries.iter().map(|(name, value)| (name.as_str().into(), value_of(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Json) -> Map<String, Json> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn compared_fields_that_differ_and_what_they_were() {
        let old = map(json!({"name": "a", "size": 1, "tags": ["x"], "gone": true, "moves": 1}));
        let new = map(json!({"name": "a", "size": 2, "tags": ["x", "y"], "new": 0.5, "moves": 2}));
        let change = differences(&old, &new, &["name", "size", "tags", "gone", "new"]);
        assert_eq!(change.fields, ["size", "tags", "gone", "new"]);
        let previous = vec![("size", Value::Int(1)), ("tags", Value::List(vec![b"x"])), ("gone", Value::Bool(true))];
        assert_eq!(change.previous, previous);
        assert!(differences(&old, &old, &["name", "size", "tags"]).fields.is_empty());
    }
}
