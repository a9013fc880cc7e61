//! A body as lines, as they come.

use noetl_tool::Error;
use noetl_tool::http::Response;
use noetl_tool::serde_json::value::{RawValue, to_raw_value};

use crate::fields::{Fields, Lines};

/// The lines, and whether they are all.
pub fn read(
    response: &mut Response,
    kind: Lines,
    fields: &Fields,
) -> Result<(Vec<Box<RawValue>>, bool), Error> {
    let mut lines = Vec::new();
    // The line that has begun.
    let mut begun = Vec::new();
    let mut read = 0;
    loop {
        let chunk = response.chunk()?;
        read += chunk.len();
        if read > fields.max_bytes {
            return Err(Error::limit(format!(
                "the first {} lines have more than `max_bytes`, {} bytes",
                lines.len(),
                fields.max_bytes
            )));
        }
        let end = chunk.is_empty();
        begun.extend(chunk);
        let mut from = 0;
        while let Some(length) = begun[from..].iter().position(|byte| *byte == b'\n') {
            if lines.len() == fields.max_lines {
                return Ok((lines, false));
            }
            push(&begun[from..from + length], kind, &mut lines)?;
            from += length + 1;
        }
        begun.drain(..from);
        if lines.len() == fields.max_lines && !begun.is_empty() {
            return Ok((lines, false));
        }
        if end {
            if !begun.is_empty() {
                push(&begun, kind, &mut lines)?;
            }
            return Ok((lines, true));
        }
    }
}

fn push(line: &[u8], kind: Lines, lines: &mut Vec<Box<RawValue>>) -> Result<(), Error> {
    let number = lines.len() + 1;
    let failed = |what| Error::failed("http_body", format!("line {number} of the body is {what}"));
    let text = std::str::from_utf8(line).map_err(|_| failed("not UTF-8"))?;
    let text = text.strip_suffix('\r').unwrap_or(text);
    match kind {
        Lines::Lines => lines.push(to_raw_value(text)?),
        Lines::Ndjson if text.trim().is_empty() => {}
        Lines::Ndjson => {
            lines.push(RawValue::from_string(text.trim().into()).map_err(|_| failed("no JSON"))?)
        }
    }
    Ok(())
}
