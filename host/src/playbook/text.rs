//! From a place in a YAML text to the place in the file.

use super::tree::Position;

/// How a scalar is written, as far as its lines are those of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `|`: line by line, from the line after the indicator.
    Literal,
    /// `>`: lines are joined.
    Folded,
    /// Quoted or plain.
    Inline,
}

pub(super) fn style(text: &str, position: Position) -> Style {
    match header(text, position) {
        Some((_, '|')) => Style::Literal,
        Some(_) => Style::Folded,
        None => Style::Inline,
    }
}

/// The line on which the scalar's content begins.
pub(super) fn first_line(text: &str, position: Position) -> usize {
    header(text, position).map_or(position.line, |(line, _)| line + 1)
}

/// The position in the file of a byte offset in a scalar's content.
pub(super) fn locate(text: &str, position: Position, content: &str, offset: usize) -> Position {
    let before = &content[..offset.min(content.len())];
    let line_offset = before.matches('\n').count();
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count();
    match header(text, position) {
        Some((header, '|')) => Position {
            line: header + 1 + line_offset,
            column: position.column + column,
        },
        None if line_offset == 0 => {
            let first = line(text, position.line).chars().nth(position.column - 1);
            let quoted = matches!(first, Some('"' | '\''));
            Position {
                line: position.line,
                column: position.column + usize::from(quoted) + column,
            }
        }
        _ => position,
    }
}

/// For a block scalar the line of its indicator, and that indicator. The parser
/// tells where the content begins: the first line of it that isn't blank.
fn header(text: &str, position: Position) -> Option<(usize, char)> {
    let before: String = line(text, position.line)
        .chars()
        .take(position.column - 1)
        .collect();
    if !before.trim().is_empty() {
        return None;
    }
    let number = (1..position.line)
        .rev()
        .find(|number| !line(text, *number).trim().is_empty())?;
    let above = line(text, number);
    let above = above.split(" #").next().unwrap_or_default().trim_end();
    let indicator = above.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    match indicator.chars().next_back() {
        Some(c @ ('|' | '>')) => Some((number, c)),
        _ => None,
    }
}

fn line(text: &str, number: usize) -> &str {
    text.lines()
        .nth(number.saturating_sub(1))
        .unwrap_or_default()
}
