//! The answer as a step's result.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use noetl_tool::Error;
use noetl_tool::http::Response;
use noetl_tool::serde_json::value::{RawValue, to_raw_value};
use noetl_tool::serde_json::{self, json};

use crate::fields::Fields;
use crate::lines;

/// What the step gives back.
#[noetl_tool::shape]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in small letters. Headers of one name are joined by commas.
    pub headers: BTreeMap<String, String>,
    /// Where the answer is from, after redirects.
    pub url: String,
    /// JSON as it is, text as text, other bytes as `{"base64": …}`, nothing as null;
    /// with `stream` a list of the lines.
    pub body: Box<RawValue>,
    /// With `stream`: whether these are all the lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
}

/// The beginning of a body that a failure tells, in bytes.
const BEGINNING: usize = 1024;

pub fn read(mut response: Response, fields: &Fields) -> Result<Answer, Error> {
    if !fields.expects(response.status) {
        return Err(unexpected(response, fields));
    }
    let (body, complete) = match fields.stream {
        Some(kind) => {
            let (lines, complete) = lines::read(&mut response, kind, fields)?;
            (to_raw_value(&lines)?, Some(complete))
        }
        None => {
            let json = response.header("content-type").is_some_and(is_json);
            (value(response.read_all(fields.max_bytes)?, json)?, None)
        }
    };
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in response.headers {
        headers
            .entry(name)
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert(value);
    }
    Ok(Answer {
        status: response.status,
        headers,
        url: response.url,
        body,
        complete,
    })
}

/// `application/json` and its like, whatever its parameters.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// The body as a JSON value. What says that it is JSON and is not is text.
fn value(body: Vec<u8>, json: bool) -> serde_json::Result<Box<RawValue>> {
    if body.is_empty() {
        return to_raw_value(&());
    }
    match String::from_utf8(body) {
        Ok(text) if json => RawValue::from_string(text.clone()).or_else(|_| to_raw_value(&text)),
        Ok(text) => to_raw_value(&text),
        Err(bytes) => to_raw_value(&json!({"base64": STANDARD.encode(bytes.as_bytes())})),
    }
}

fn unexpected(mut response: Response, fields: &Fields) -> Error {
    let mut beginning = Vec::new();
    // A body that breaks off is as good as its beginning.
    while let Ok(chunk) = response.chunk()
        && !chunk.is_empty()
        && beginning.len() < BEGINNING
    {
        beginning.extend(chunk);
    }
    beginning.truncate(BEGINNING);
    // What stands after the path may be secret.
    let url = response.url.split(['?', '#']).next().unwrap_or_default();
    let status = response.status;
    Error::failed(
        "http_status",
        format!("{} {url} answered with status {status}", fields.method()),
    )
    .code(status.to_string())
    .details(json!({
        "status": status,
        "url": url,
        "body": String::from_utf8_lossy(&beginning),
    }))
}
