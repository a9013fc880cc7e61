//! The headers of requests and answers.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// What the host sets, and what belongs to the connection.
const OF_THE_HOST: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The longest head of an answer, in bytes.
const ANSWER_BYTES: usize = 64 << 10;

/// A header's name that a request may have.
///
/// # Errors
/// Why it may not.
pub(super) fn name(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        "a header's name is empty, too long, or has characters that none can have".to_owned()
    })?;
    if OF_THE_HOST.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        return Err(format!("the header `{name}` is set by the host"));
    }
    Ok(name)
}

/// The headers of a request.
///
/// # Errors
/// The first that can't be sent; its value is not quoted.
pub(super) fn of_request(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (text, value) in headers {
        let name = name(text)?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("the header `{name}` has control characters in its value"))?;
        map.try_append(name, value)
            .map_err(|_| "there are too many headers".to_owned())?;
    }
    Ok(map)
}

/// The headers of an answer: bytes that are not UTF-8 are replaced.
///
/// # Errors
/// If they are too long.
pub(super) fn of_answer(map: &HeaderMap) -> Result<Vec<(String, String)>, String> {
    let bytes: usize = map
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > ANSWER_BYTES {
        return Err(format!(
            "the answer's headers have more than {ANSWER_BYTES} bytes"
        ));
    }
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    Ok(map.iter().map(header).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<HeaderMap, String> {
        of_request(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_request_says_what_it_likes_but_not_where_it_ends() {
        for (name, value) in [
            ("Accept", "application/json"),
            ("X-Name", "Zoë"),
            ("x-empty", ""),
            ("Authorization", "Bearer x"),
            ("x-tab", "a\tb"),
        ] {
            let map = read(name, value).unwrap();
            assert_eq!(map[name].as_bytes(), value.as_bytes());
        }
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "connection",
            "keep-alive",
            "Proxy-Authorization",
            "proxy-connection",
            "TE",
            "upgrade",
            "trailer",
            "Expect",
        ] {
            let error = read(name, "x").unwrap_err();
            assert!(error.contains("is set by the host"), "{error}");
        }
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("a\r\nb", "x"),
            ("é", "x"),
            ("a", "x\r\nhost: evil"),
            ("a", "x\n"),
            ("a", "x\0"),
            ("a", "\x7f"),
        ] {
            assert!(read(name, value).is_err(), "{name:?} {value:?}");
        }
        let error = read("a", "secret\n").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
