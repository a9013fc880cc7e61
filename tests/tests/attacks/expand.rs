//! Long and unprintable things, written briefly:
//!
//! - `⟪TEXT*1000⟫` is `TEXT` a thousand times; `TEXT` may hold others of these
//! - `⟪hex:00 ff⟫` is those bytes

const OPEN: char = '⟪';
const CLOSE: char = '⟫';

/// The bytes that a text of a case stands for.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let inner = &rest[at + OPEN.len_utf8()..];
        let end = closing(inner);
        out.extend(one(&inner[..end]));
        rest = &inner[end + CLOSE.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The text that a text of a case stands for.
pub fn text(text: &str) -> String {
    String::from_utf8(bytes(text)).expect("it stands for text")
}

/// A JSON value whose texts are expanded.
pub fn value(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(short) => Value::String(text(short)),
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, item)| (text(key), self::value(item)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn closing(inner: &str) -> usize {
    let mut depth = 0;
    for (at, c) in inner.char_indices() {
        match c {
            OPEN => depth += 1,
            CLOSE if depth == 0 => return at,
            CLOSE => depth -= 1,
            _ => {}
        }
    }
    panic!("⟪ without ⟫: {inner}");
}

fn one(inner: &str) -> Vec<u8> {
    if let Some(hex) = inner.strip_prefix("hex:") {
        return hex
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hex"))
            .collect();
    }
    let (unit, count) = inner.rsplit_once('*').expect("⟪TEXT*COUNT⟫");
    bytes(unit).repeat(count.parse().expect("a count"))
}
