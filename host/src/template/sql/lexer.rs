//! PostgreSQL's lexical rules, as far as they decide what is text, what is a
//! comment and where a statement ends.

use super::super::environment::MARKER;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// `'…'`; the standard form, in which only `''` is special.
    Literal,
    /// `E'…'`, with backslash escapes.
    EscapeLiteral,
    /// `B'…'`, `X'…'`, `N'…'`, `U&'…'`.
    PrefixedLiteral,
    /// `"…"` or `U&"…"`.
    QuotedName,
    /// `$tag$…$tag$`.
    DollarQuoted,
    /// A keyword or a name.
    Word,
    Number,
    /// `$1`.
    Parameter,
    /// The place of an expression.
    Marker,
    Semicolon,
    Open,
    Close,
    Other,
    /// A literal, quoted name, comment or dollar quote that isn't closed.
    Unclosed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Cuts a text into tokens that cover it without gaps.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let (kind, length) = match continues_escapes(text, &tokens, first) {
            true => quoted(&text[start..], 0, '\'', true, Kind::PrefixedLiteral),
            false => token(&text[start..], first),
        };
        let end = start + length;
        tokens.push(Token { kind, start, end });
        start = end;
    }
    tokens
}

/// A literal after an `E'…'` and a line break is more of the same, backslashes
/// included.
fn continues_escapes(text: &str, tokens: &[Token], first: char) -> bool {
    if first != '\'' {
        return false;
    }
    let Some(last) = tokens
        .iter()
        .rposition(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
    else {
        return false;
    };
    let end = tokens[last].end;
    let gap = tokens.last().map_or(end, |token| token.end);
    text[tokens[last].start..].starts_with(['e', 'E', '\''])
        && matches!(
            tokens[last].kind,
            Kind::EscapeLiteral | Kind::PrefixedLiteral
        )
        && text[end..gap].contains(['\n', '\r'])
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    match first {
        MARKER => (Kind::Marker, 1),
        ';' => (Kind::Semicolon, 1),
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        '\'' => quoted(rest, 0, '\'', false, Kind::Literal),
        '"' => quoted(rest, 0, '"', false, Kind::QuotedName),
        '$' => dollar(rest),
        _ if rest.starts_with("--") => {
            (Kind::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len()))
        }
        _ if rest.starts_with("/*") => block_comment(rest),
        _ if is_space(first) => (Kind::Space, length_while(rest, is_space)),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number(rest)),
        _ if first.is_ascii_digit() => (Kind::Number, number(rest)),
        _ if starts_word(first) => word(rest),
        _ => (Kind::Other, first.len_utf8()),
    }
}

// PostgreSQL's `space` is these six and no Unicode blank.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

pub(super) fn starts_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

pub(super) fn continues_word(c: char) -> bool {
    starts_word(c) || c.is_ascii_digit() || c == '$'
}

fn length_while(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !holds(c)).unwrap_or(text.len())
}

fn number(rest: &str) -> usize {
    let continues_word = |c: char| continues_word(c) && c != '$';
    // Junk after digits belongs to the number, as PostgreSQL sees it too; the
    // dot doesn't, if a second one follows (`1..10`).
    let mut end = length_while(rest, continues_word);
    if rest[end..].starts_with('.') && !rest[end..].starts_with("..") {
        end += 1;
        end += length_while(&rest[end..], continues_word);
    }
    let exponent = rest[..end].ends_with(['e', 'E']) && !rest[..end].starts_with("0x");
    let signed = rest[end..].starts_with(['+', '-']);
    if exponent && signed && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end += 1;
        end += length_while(&rest[end..], continues_word);
    }
    end
}

fn word(rest: &str) -> (Kind, usize) {
    let end = length_while(rest, continues_word);
    let after = &rest[end..];
    match &rest[..end] {
        "e" | "E" if after.starts_with('\'') => quoted(rest, 1, '\'', true, Kind::EscapeLiteral),
        "b" | "B" | "x" | "X" | "n" | "N" if after.starts_with('\'') => {
            quoted(rest, 1, '\'', false, Kind::PrefixedLiteral)
        }
        "u" | "U" if after.starts_with("&'") => quoted(rest, 2, '\'', false, Kind::PrefixedLiteral),
        "u" | "U" if after.starts_with("&\"") => quoted(rest, 2, '"', false, Kind::QuotedName),
        _ => (Kind::Word, end),
    }
}

/// From `rest[prefix]`, which is the opening quote, to after the closing one.
fn quoted(rest: &str, prefix: usize, quote: char, escapes: bool, kind: Kind) -> (Kind, usize) {
    let mut chars = rest[prefix + 1..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && escapes {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return (kind, prefix + 1 + at + 1),
            }
        }
    }
    (Kind::Unclosed, rest.len())
}

fn dollar(rest: &str) -> (Kind, usize) {
    let after = &rest[1..];
    let digits = length_while(after, |c| c.is_ascii_digit());
    if digits > 0 {
        return (Kind::Parameter, 1 + digits);
    }
    let tag = length_while(after, |c| starts_word(c) || c.is_ascii_digit());
    if !after[tag..].starts_with('$') {
        return (Kind::Other, 1);
    }
    let tag = &rest[..tag + 2];
    match rest[tag.len()..].find(tag) {
        Some(at) => (Kind::DollarQuoted, at + 2 * tag.len()),
        None => (Kind::Unclosed, rest.len()),
    }
}

fn block_comment(rest: &str) -> (Kind, usize) {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return (Kind::Comment, at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (Kind::Unclosed, rest.len())
}
