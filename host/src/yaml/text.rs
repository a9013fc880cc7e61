//! From a place in a YAML text to the place in the file.

use super::tree::Position;

/// Further to the right nothing is looked up: a file of one huge line must not
/// cost its length for each value in it.
const MAX_COLUMN: usize = 2000;

/// The lines of a file.
pub(crate) struct Source<'a> {
    lines: Vec<&'a str>,
}

/// How a scalar is written, as far as its lines are those of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `|`: line by line, from the line after the indicator.
    Literal,
    /// `>`: lines are joined.
    Folded,
    /// Quoted or plain.
    Inline,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Source {
            lines: text.lines().collect(),
        }
    }

    /// A line by its number, from 1.
    pub(crate) fn line(&self, number: usize) -> &'a str {
        let index = number.saturating_sub(1);
        self.lines.get(index).copied().unwrap_or_default()
    }

    /// What stands from a position on, unless that is too far to the right.
    pub(crate) fn rest(&self, position: Position) -> &'a str {
        let line = self.line(position.line);
        let skipped = position.column.saturating_sub(1);
        if skipped > MAX_COLUMN {
            return "";
        }
        line.char_indices()
            .nth(skipped)
            .map_or("", |(at, _)| &line[at..])
    }

    pub(crate) fn style(&self, position: Position) -> Style {
        match self.header(position) {
            Some((_, '|')) => Style::Literal,
            Some(_) => Style::Folded,
            None => Style::Inline,
        }
    }

    /// The line on which the scalar's content begins.
    pub(crate) fn first_line(&self, position: Position) -> usize {
        self.header(position)
            .map_or(position.line, |(line, _)| line + 1)
    }

    /// The position in the file of a byte offset in a scalar's content.
    pub(crate) fn locate(&self, position: Position, content: &str, offset: usize) -> Position {
        let before = content.get(..offset).unwrap_or(content);
        let line_offset = before.matches('\n').count();
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        match self.header(position) {
            Some((header, '|')) => Position {
                line: header + 1 + line_offset,
                column: position.column + column,
            },
            None if line_offset == 0 => Position {
                line: position.line,
                column: position.column
                    + usize::from(self.rest(position).starts_with(['"', '\'']))
                    + column,
            },
            _ => position,
        }
    }

    /// For a block scalar the line of its indicator, and that indicator. The
    /// parser tells where the content begins: its first line that isn't blank.
    fn header(&self, position: Position) -> Option<(usize, char)> {
        let line = self.line(position.line);
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent + 1 != position.column {
            return None;
        }
        let number = (1..position.line)
            .rev()
            .take(MAX_COLUMN)
            .find(|number| !self.line(*number).trim().is_empty())?;
        let above = self.line(number);
        let above = above.split(" #").next().unwrap_or_default().trim_end();
        let indicator =
            above.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
        match indicator.chars().next_back() {
            Some(c @ ('|' | '>')) => Some((number, c)),
            _ => None,
        }
    }
}
