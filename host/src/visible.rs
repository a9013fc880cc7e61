//! Text that others wrote, made safe to look at.

/// The text with what could drive a terminal or turn the direction of writing
/// escaped. Line ends and tabs stay.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => visible.extend(c.escape_unicode()),
            false => visible.push(c),
        }
    }
    visible
}

/// The same inside of JSON text, which stays JSON.
pub fn visible_json(json: &str) -> String {
    let mut visible = String::with_capacity(json.len());
    for c in json.chars() {
        match is_hidden(c) {
            // All of them lie in the basic plane.
            true => visible.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => visible.push(c),
        }
    }
    visible
}

/// The beginning of a text, if it is longer than `length` characters.
pub fn brief(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Cuts a text off after `most` bytes at most, and says so with a `…`.
pub fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

/// Whether a character could drive a terminal or turn the direction of writing.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Unicode's Bidi_Control, and its line and paragraph separators.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        assert_eq!(
            visible("a\u{1b}[2J\u{9b}\r\u{202e}b\u{2066}\u{2028}\0\u{7f}\n\té𝄞"),
            "a\\u{1b}[2J\\u{9b}\\u{d}\\u{202e}b\\u{2066}\\u{2028}\\u{0}\\u{7f}\n\té𝄞"
        );
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({"\u{202e}": "\u{1b}\u{9b}\u{2028}\\"});
        let text = visible_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!text.chars().any(is_hidden), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).ok(),
            Some(value)
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(brief("éé", 2), "éé");
        assert_eq!(brief("ééé", 2), "éé …");
    }
}
