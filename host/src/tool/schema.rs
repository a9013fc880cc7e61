//! JSON Schema, as tools' manifests use it. Nothing outside a schema is ever looked up.

use jsonschema::Validator;
use serde_json::Value;

/// A schema that values can be held against.
///
/// # Errors
/// Why it is none, for people.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Where a value is not what the schema says; empty if it is. For people.
///
/// # Errors
/// If the schema is none.
pub fn faults(schema: &Value, value: &Value) -> Result<Vec<String>, String> {
    let faults = compile(schema)?;
    let faults = faults.iter_errors(value).map(|fault| {
        let at = fault.instance_path().to_string();
        match at.is_empty() {
            true => fault.to_string(),
            false => format!("`{at}`: {fault}"),
        }
    });
    Ok(faults.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_says_where_it_is() {
        let schema = json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        });
        assert_eq!(faults(&schema, &json!({"city": "Berlin"})), Ok(vec![]));
        let found = faults(&schema, &json!({"city": 7})).unwrap();
        assert_eq!(found, [r#"`/city`: 7 is not of type "string""#]);
        let found = faults(&schema, &json!({})).unwrap();
        assert_eq!(found, [r#""city" is a required property"#]);
    }
}
