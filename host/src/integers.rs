//! The integers of JSON, of which the values of playbooks hold 64 bits.

/// The first integer of a valid JSON text that has more than 64 bits. Read into a value, it
/// would silently be the nearest float.
#[must_use]
pub fn too_long(json: &str) -> Option<&str> {
    let mut rest = json;
    loop {
        let at = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit())?;
        rest = &rest[at..];
        let (token, after) = rest.split_at(match rest.starts_with('"') {
            true => string(rest),
            false => number(rest),
        });
        let is_integer = token.bytes().all(|c| c == b'-' || c.is_ascii_digit());
        if is_integer && token.parse::<i64>().is_err() && token.parse::<u64>().is_err() {
            return Some(token);
        }
        rest = after;
    }
}

/// The length in bytes of the string that a text begins with.
fn string(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    text.len()
}

/// The length in bytes of the number that a text begins with.
fn number(text: &str) -> usize {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_more_than_64_bits_are_found_where_they_are_numbers() {
        for (json, found) in [
            (
                r#"{"a": [1, 18446744073709551616]}"#,
                "18446744073709551616",
            ),
            ("-9223372036854775809", "-9223372036854775809"),
            (r#"["\\",18446744073709551616]"#, "18446744073709551616"),
            (r#"{"é\"": 100000000000000000000}"#, "100000000000000000000"),
        ] {
            assert_eq!(too_long(json), Some(found), "{json}");
        }
        for json in [
            "[18446744073709551615, -9223372036854775808, -0, 0]",
            "[1e30, 100000000000000000000.0, 1E+400, -1.5e-30]",
            r#"{"100000000000000000000": "100000000000000000000"}"#,
            r#""\\\" 100000000000000000000""#,
            "null",
            "",
        ] {
            assert_eq!(too_long(json), None, "{json}");
        }
    }
}
