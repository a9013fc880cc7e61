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
        // The parser does not count a byte order mark as a column.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        match self.header(position) {
            Some((header, '|')) => Position {
                line: header + 1 + before.matches('\n').count(),
                column: position.column + before.chars().rev().take_while(|c| *c != '\n').count(),
            },
            Some(_) => position,
            None => self.inline(position, before).unwrap_or(position),
        }
    }

    /// Where a quoted or plain scalar goes on after the part `before` of its content,
    /// if that is in the line in which it begins.
    fn inline(&self, position: Position, before: &str) -> Option<Position> {
        let rest = self.rest(position);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let mut written = rest.chars();
        let mut column = position.column;
        if quote.is_some() {
            written.next();
            column += 1;
        }
        for _ in before.chars() {
            let length = length(quote, written.as_str());
            written.nth(length - 1)?;
            column += length;
        }
        Some(Position {
            line: position.line,
            column,
        })
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

/// In how many characters the next character of a scalar's content is written.
fn length(quote: Option<char>, written: &str) -> usize {
    let mut chars = written.chars();
    match (quote, chars.next(), chars.next()) {
        (Some('\''), Some('\''), Some('\'')) => 2,
        (Some('"'), Some('\\'), Some('x')) => 4,
        (Some('"'), Some('\\'), Some('u')) => 6,
        (Some('"'), Some('\\'), Some('U')) => 10,
        (Some('"'), Some('\\'), Some(_)) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the file at the place of `part` of the content of the scalar that
    /// begins in line 1, column 4.
    fn found(text: &str, content: &str, part: &str) -> String {
        let source = Source::new(text);
        let position = Position { line: 1, column: 4 };
        let at = source.locate(position, content, content.find(part).expect("it is in it"));
        source.rest(at).to_owned()
    }

    #[test]
    fn what_is_written_in_several_characters_is_one_of_the_content() {
        for (text, content) in [
            ("a: é x!", "é x!"),
            ("a: \"é x!\"", "é x!"),
            (r#"a: "\t\\\" x!""#, "\t\\\" x!"),
            (r#"a: "\x41\u00e9\U0001f600 x!""#, "Aé😀 x!"),
            (r#"a: "one\ntwo x!""#, "one\ntwo x!"),
            ("a: 'it''s ''x!'", "it's 'x!"),
            ("\u{feff}a: 'x!'", "x!"),
        ] {
            let found = found(text, content, "x!");
            assert!(found.starts_with("x!"), "{text}: {found}");
        }
    }

    #[test]
    fn what_is_not_in_the_first_line_is_where_the_scalar_begins() {
        assert_eq!(found("a: \"one\n  x!\"", "one x!", "x!"), "\"one");
        assert_eq!(found("a: one\n  x!", "one x!", "x!"), "one");
    }
}
