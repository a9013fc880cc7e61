//! What a literal with expressions in it says.

use super::super::environment::MARKER;

/// A piece of a literal's content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Marker,
}

/// The content of `'…'`.
pub(super) fn standard(literal: &str) -> Vec<Part> {
    let content = &literal[1..literal.len() - 1];
    parts(content.replace("''", "'").chars().map(Ok::<char, String>)).unwrap_or_default()
}

/// The content of `E'…'`, or what is wrong with its escapes.
pub(super) fn escaped(literal: &str) -> Result<Vec<Part>, String> {
    let content = &literal[2..literal.len() - 1];
    let mut chars = content.chars().peekable();
    let decoded = std::iter::from_fn(move || {
        let c = chars.next()?;
        if c == '\'' {
            chars.next();
            return Some(Ok(c));
        }
        if c != '\\' {
            return Some(Ok(c));
        }
        let escape = chars.next()?;
        let mut digits = |radix: u32, least: usize, most: usize, first: Option<char>| {
            let mut text: String = first.into_iter().collect();
            while text.len() < most {
                match chars.next_if(|c| c.is_digit(radix)) {
                    Some(digit) => text.push(digit),
                    None => break,
                }
            }
            if text.len() < least {
                return None;
            }
            u32::from_str_radix(&text, radix).ok()
        };
        let code = match escape {
            'b' => return Some(Ok('\x08')),
            'f' => return Some(Ok('\x0c')),
            'n' => return Some(Ok('\n')),
            'r' => return Some(Ok('\r')),
            't' => return Some(Ok('\t')),
            '0'..='7' => digits(8, 1, 3, Some(escape)).filter(|code| *code < 0x80),
            'x' => digits(16, 1, 2, None).filter(|code| *code < 0x80),
            'u' => digits(16, 4, 4, None),
            'U' => digits(16, 8, 8, None),
            MARKER => return Some(Err("a backslash stands before the expression".to_owned())),
            other => return Some(Ok(other)),
        };
        // Bytes from 0x80 on could be any part of a character: left out here.
        Some(
            code.filter(|code| *code != 0)
                .and_then(char::from_u32)
                .ok_or_else(|| format!("the escape `\\{escape}` stands for no character")),
        )
    });
    parts(decoded)
}

fn parts(chars: impl Iterator<Item = Result<char, String>>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for c in chars {
        match (c?, parts.last_mut()) {
            (MARKER, _) => parts.push(Part::Marker),
            (c, Some(Part::Text(text))) => text.push(c),
            (c, _) => parts.push(Part::Text(c.to_string())),
        }
    }
    Ok(parts)
}
