//! The payload of an execution, from `--payload` and `--set`.

use std::io::Read;

use clap::Args;
use serde_json::{Map, Value};

use super::failure::Failure;
use crate::integers::too_long;
use crate::visible::brief;

/// Where the payload comes from.
#[derive(Debug, Args)]
pub struct PayloadOptions {
    /// The payload: a JSON object, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-")]
    payload: Option<String>,
    /// Sets one field: a.b=1. The value is JSON, or else a string
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl PayloadOptions {
    /// The payload: a JSON object.
    ///
    /// # Errors
    /// It can't be read, is not a JSON object, or `--set` contradicts it.
    pub fn read(&self) -> anyhow::Result<Value> {
        let mut payload = match &self.payload {
            None => Map::new(),
            Some(source) => parse(&text(source)?)?,
        };
        for assignment in &self.set {
            assign(&mut payload, assignment)?;
        }
        Ok(Value::Object(payload))
    }
}

fn text(source: &str) -> anyhow::Result<String> {
    let unreadable = |what: &str, error: std::io::Error| {
        Failure::usage(format!("cannot read the payload from {what}: {error}"))
    };
    if source == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| unreadable("stdin", error))?;
        return Ok(text);
    }
    match source.strip_prefix('@') {
        Some(file) => Ok(std::fs::read_to_string(file).map_err(|error| unreadable(file, error))?),
        None => Ok(source.to_string()),
    }
}

fn parse(text: &str) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(payload)) => {
            exact(text, "the payload")?;
            Ok(payload)
        }
        Ok(other) => Err(
            Failure::usage(format!("the payload is {other}, not a JSON object"))
                .hint("write it as '{\"name\": \"value\"}'")
                .into(),
        ),
        Err(error) => Err(Failure::usage(format!("the payload is not JSON: {error}"))
            .hint("write it as '{\"name\": \"value\"}', or use --set name=value")
            .into()),
    }
}

/// Refuses JSON whose numbers would be read as others.
fn exact(json: &str, what: &str) -> anyhow::Result<()> {
    let refused = |integer| {
        let integer = brief(integer, 40);
        let why = format!("{what} has the integer {integer}, which is more than 64 bits");
        Failure::usage(why)
            .hint("write it as a string: \"…\"")
            .into()
    };
    too_long(json).map_or(Ok(()), |integer| Err(refused(integer)))
}

/// Carries out `a.b=value`.
fn assign(payload: &mut Map<String, Value>, assignment: &str) -> anyhow::Result<()> {
    let malformed = || {
        Failure::usage(format!("--set {assignment} is not KEY=VALUE"))
            .hint("write it as --set name=value, or --set outer.inner=value")
    };
    let (key, text) = assignment.split_once('=').ok_or_else(malformed)?;
    let value = match serde_json::from_str(text) {
        Ok(value) => {
            exact(text, &format!("--set {}", brief(assignment, 80)))?;
            value
        }
        Err(_) => Value::String(text.to_string()),
    };
    let mut names: Vec<&str> = key.split('.').collect();
    if names.iter().any(|name| name.is_empty()) {
        return Err(malformed().into());
    }
    let last = names.pop().ok_or_else(malformed)?;
    let mut object = payload;
    for name in names {
        let inner = object
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
        object = inner.as_object_mut().ok_or_else(|| {
            Failure::usage(format!("--set {assignment}: '{name}' is not an object"))
        })?;
    }
    object.insert(last.to_string(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(payload: Option<&str>, set: &[&str]) -> anyhow::Result<Value> {
        PayloadOptions {
            payload: payload.map(str::to_string),
            set: set.iter().map(|text| text.to_string()).collect(),
        }
        .read()
    }

    #[test]
    fn values_are_json_or_else_strings() {
        let payload = read(
            None,
            &[
                "a=1",
                "b=true",
                "c=one two",
                "d=\"1\"",
                "e=[1]",
                "f=",
                "g=a=b",
            ],
        );
        assert_eq!(
            payload.unwrap(),
            json!({"a": 1, "b": true, "c": "one two", "d": "1", "e": [1], "f": "", "g": "a=b"})
        );
    }

    #[test]
    fn dots_nest_and_set_wins_over_the_payload() {
        let payload = read(Some(r#"{"a": {"x": 1, "y": 2}}"#), &["a.x=3", "b.c.d=null"]);
        assert_eq!(
            payload.unwrap(),
            json!({"a": {"x": 3, "y": 2}, "b": {"c": {"d": null}}})
        );
    }

    #[test]
    fn integers_stay_whole() {
        let payload = read(
            Some(r#"{"n": 9007199254740993}"#),
            &["m=18446744073709551615"],
        );
        assert_eq!(
            payload.unwrap().to_string(),
            r#"{"n":9007199254740993,"m":18446744073709551615}"#
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (payload, set) in [
            (Some("[1]"), ""),
            (Some("{"), ""),
            (Some("@/does/not/exist"), ""),
            (None, "novalue"),
            (None, "=1"),
            (None, "a..b=1"),
            (Some(r#"{"n": 18446744073709551616}"#), ""),
            (None, "n=18446744073709551616"),
        ] {
            let set: Vec<&str> = [set].into_iter().filter(|set| !set.is_empty()).collect();
            assert!(read(payload, &set).is_err(), "{payload:?} {set:?}");
        }
        let message = read(Some(r#"{"a": 1}"#), &["a.b=2"])
            .unwrap_err()
            .to_string();
        assert!(message.contains("'a' is not an object"), "{message}");
    }

    #[test]
    fn a_payload_file_is_read() {
        let file = std::env::temp_dir().join(format!("noetl-payload-{}", std::process::id()));
        std::fs::write(&file, r#"{"from": "file"}"#).unwrap();
        let payload = read(Some(&format!("@{}", file.display())), &[]);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(payload.unwrap(), json!({"from": "file"}));
    }
}
