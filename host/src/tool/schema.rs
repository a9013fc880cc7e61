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
