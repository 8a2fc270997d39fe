//! The JSON schema of the files, from the doc comments of `spec`; for editors and for `check`.

use super::spec::{File, Profile};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Schema of `plantroom.toml` and what it includes; register maps are its `$defs/Profile`.
/// `plantroom schema` prints it.
pub fn schema() -> Value {
    let mut schema = of::<File>();
    let profile = of::<Profile>();
    let shared = profile.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.extend(shared);
        let body = ["description", "type", "properties", "additionalProperties", "required"];
        let body: Map<_, _> =
            body.iter().filter_map(|key| Some(((*key).to_owned(), profile.get(key)?.clone()))).collect();
        definitions.insert("Profile".to_owned(), Value::Object(body));
    }
    schema
}

/// Schema of one type as a root.
pub fn of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null: an optional field is one that may be left out.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|word| word != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| *choice != json!({"type": "null"}));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}
