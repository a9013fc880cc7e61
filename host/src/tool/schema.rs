//! JSON Schema, as tools' manifests use it. Nothing outside a schema is ever looked up.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::visible::brief;

/// The longest message: it may quote the value.
const MESSAGE: usize = 300;

/// A schema that values can be held against.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// The properties that it names at its top.
    properties: Vec<String>,
}

/// Where and why a value is not what a schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901); empty for the whole value.
    pub at: String,
    /// Why, for people.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "`{}`: {}", self.at, self.message),
        }
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// Why it is none, for people.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let validator = jsonschema::options()
            .build(schema)
            .map_err(|error| error.to_string())?;
        let properties = schema["properties"].as_object();
        Ok(Self {
            validator,
            properties: properties.map_or_else(Vec::new, |p| p.keys().cloned().collect()),
        })
    }

    /// Whether it names a property of an object.
    #[must_use]
    pub fn names(&self, property: &str) -> bool {
        self.properties.iter().any(|known| known == property)
    }

    /// All that is wrong with a value.
    #[must_use]
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        self.faults_of_part(value, &[])
    }

    /// What is wrong with a value of which some parts are not known yet, and null
    /// instead: what can only be told of them is left out. `open` holds their
    /// pointers.
    #[must_use]
    pub fn faults_of_part(&self, value: &Value, open: &[String]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for error in self.validator.iter_errors(value) {
            let at = error.instance_path().to_string();
            let unknown = open.iter().any(|open| within(&at, open));
            // Whether one of several schemas holds depends on all of the value.
            let depends =
                open.iter().any(|open| within(open, &at)) && !is_of_the_keys(error.kind());
            if !unknown && !depends {
                faults.push(Fault {
                    message: brief(&error.to_string(), MESSAGE),
                    at,
                });
            }
        }
        faults
    }
}

/// Whether a pointer is `outer`, or below it.
fn within(pointer: &str, outer: &str) -> bool {
    pointer
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_of_the_keys(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::Required { .. }
            | ValidationErrorKind::AdditionalProperties { .. }
            | ValidationErrorKind::Type { .. }
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_says_where_it_is() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        }))
        .unwrap();
        let told = |value| {
            let faults = schema.faults(&value);
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(json!({"city": "Berlin"})), [] as [&str; 0]);
        assert_eq!(
            told(json!({"city": 7})),
            [r#"`/city`: 7 is not of type "string""#]
        );
        assert_eq!(told(json!({})), [r#""city" is a required property"#]);
    }

    #[test]
    fn of_what_is_not_known_nothing_is_told() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["city", "n"],
            "additionalProperties": false,
            "anyOf": [{"properties": {"city": {"const": "Berlin"}}}, {"required": ["z"]}],
        }))
        .unwrap();
        let told = |value| {
            let faults = schema.faults_of_part(&value, &["/city".into()]);
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(json!({"city": null, "n": 1})), [] as [&str; 0]);
        assert_eq!(told(json!({"city": null, "n": "x"})).len(), 1);
        assert_eq!(
            told(json!({"city": null})),
            [r#""n" is a required property"#]
        );
        assert_eq!(told(json!({"city": null, "n": 1, "m": 1})).len(), 1);
    }
}
