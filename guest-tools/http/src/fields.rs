//! What a step says of its request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use noetl_tool::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use noetl_tool::serde::Deserialize;
use noetl_tool::serde_json::Value;
use noetl_tool::serde_json::value::RawValue;
use noetl_tool::{Error, http};

/// Of the request, and of what is done with its answer. A field of `args` counts
/// more than the same one of the step.
#[noetl_tool::shape]
pub struct Fields {
    /// An absolute URL with `http:` or `https:`.
    pub url: String,
    /// `GET`, or `POST` if there is a body.
    pub method: Option<String>,
    /// Headers, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    /// Parameters that are added to the URL, encoded. A list gives one for each of
    /// its values, null gives none.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// A JSON body.
    pub json: Option<Box<RawValue>>,
    /// A text as a body.
    pub body: Option<String>,
    /// A form as a body, like `params`.
    pub form: Option<BTreeMap<String, Value>>,
    /// The alias of the credential that the request is sent with.
    pub auth: Option<String>,
    /// How long the answer's head may take: `5s`, `500ms`, `1m`, or seconds.
    #[serde(default)]
    pub timeout: Timeout,
    /// How often the request is sent again after no answer, or after the statuses
    /// 429, 502, 503 and 504.
    #[serde(default)]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// Sends also those methods again that may do their work twice: POST, PATCH.
    #[serde(default)]
    pub retry_all: bool,
    /// Redirects that are followed.
    #[serde(default = "redirects")]
    pub redirects: u32,
    /// The longest body that is read, in bytes.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
    /// The statuses that are no failure, as numbers or ranges: `[200-299, 404]`.
    #[serde(default = "success")]
    pub expect: Vec<Statuses>,
    /// Reads the body line by line into a list.
    pub stream: Option<Lines>,
    /// The most lines that are read. What comes after them is left.
    #[serde(default = "max_lines")]
    pub max_lines: usize,
}

/// What the lines of a body are.
#[noetl_tool::shape]
#[serde(rename_all = "lowercase")]
#[derive(Clone, Copy, PartialEq)]
pub enum Lines {
    /// Texts.
    Lines,
    /// JSON, one value in each.
    Ndjson,
}

fn redirects() -> u32 {
    5
}

fn max_bytes() -> usize {
    http::BODY_LIMIT
}

fn max_lines() -> usize {
    1000
}

fn success() -> Vec<Statuses> {
    vec![Statuses { from: 200, to: 299 }]
}

/// Requests that are sent again do no more than one.
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];
const MAX_RETRIES: u32 = 10;

impl Fields {
    /// Whether this status is no failure.
    pub fn expects(&self, status: u16) -> bool {
        let mut ranges = self.expect.iter();
        ranges.any(|range| (range.from..=range.to).contains(&status))
    }

    /// Whether the request may be sent more than once.
    pub fn is_repeatable(&self) -> bool {
        self.retry_all || IDEMPOTENT.contains(&&*self.method())
    }

    /// In capital letters.
    pub fn method(&self) -> String {
        match &self.method {
            Some(method) => method.to_ascii_uppercase(),
            None if self.has_body() => "POST".into(),
            None => "GET".into(),
        }
    }

    fn has_body(&self) -> bool {
        self.json.is_some() || self.body.is_some() || self.form.is_some()
    }

    /// The request.
    pub fn request(&self) -> Result<http::Request, Error> {
        if self.retries > MAX_RETRIES {
            return Err(Error::invalid_input(format!(
                "retries: {} is too many, {MAX_RETRIES} are the most",
                self.retries
            )));
        }
        let mut request = http::Request::new(self.method(), &self.url)
            .timeout(self.timeout.0)
            .redirects(self.redirects);
        for (name, value) in pairs("headers", &self.headers)? {
            request = request.header(name, value);
        }
        for (name, value) in pairs("params", &self.params)? {
            request = request.query(name, value);
        }
        if let Some(alias) = &self.auth {
            request = request.credential(alias);
        }
        match (&self.json, &self.body, &self.form) {
            (None, None, None) => Ok(request),
            (Some(json), None, None) => Ok(request.json(json)),
            (None, Some(body), None) => Ok(request.body(body.as_str())),
            (None, None, Some(form)) => Ok(request.form(&pairs("form", form)?)),
            _ => Err(Error::invalid_input(
                "a request has one body: give `json`, `body` or `form`",
            )),
        }
    }
}

/// Names and texts, one for each value of a list and none for null.
fn pairs<'a>(
    field: &str,
    values: &'a BTreeMap<String, Value>,
) -> Result<Vec<(&'a str, String)>, Error> {
    let mut pairs = Vec::new();
    for (name, value) in values {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((&**name, text.clone())),
                Value::Bool(_) | Value::Number(_) => pairs.push((&**name, value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Error::invalid_input(format!(
                        "{field}.{name}: {value} is no text, number or list of those"
                    )));
                }
            }
        }
    }
    Ok(pairs)
}

/// How long the answer's head may take.
#[derive(noetl_tool::serde::Serialize, Deserialize)]
#[serde(crate = "noetl_tool::serde", try_from = "Value", into = "f64")]
#[derive(Clone)]
pub struct Timeout(pub Duration);

impl Default for Timeout {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

impl From<Timeout> for f64 {
    fn from(timeout: Timeout) -> Self {
        timeout.0.as_secs_f64()
    }
}

impl TryFrom<Value> for Timeout {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let seconds = match &value {
            Value::Number(seconds) => seconds.as_f64(),
            Value::String(text) => seconds(text.trim()),
            _ => None,
        };
        match seconds.map(Duration::try_from_secs_f64) {
            Some(Ok(timeout)) if !timeout.is_zero() => Ok(Self(timeout)),
            _ => Err(format!(
                "{value} is no time; write `5s`, `500ms`, `1m` or seconds"
            )),
        }
    }
}

fn seconds(text: &str) -> Option<f64> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Some(number.trim().parse::<f64>().ok()? * unit)
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string"]})
    }
}

/// A status, or a range of them.
#[derive(noetl_tool::serde::Serialize, Deserialize)]
#[serde(crate = "noetl_tool::serde", try_from = "Value", into = "String")]
#[derive(Clone)]
pub struct Statuses {
    from: u16,
    to: u16,
}

impl From<Statuses> for String {
    fn from(statuses: Statuses) -> Self {
        format!("{}-{}", statuses.from, statuses.to)
    }
}

impl TryFrom<Value> for Statuses {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = match &value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let (from, to) = text.split_once('-').unwrap_or((&text, &text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) if from <= to => Ok(Self { from, to }),
            _ => Err(format!(
                "{value} is no status; write one such as 404, or a range such as `200-299`"
            )),
        }
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "string"]})
    }
}
