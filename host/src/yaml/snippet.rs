//! What is wrong with a file, drawn below its lines for people.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::text::Source;
use crate::visible::{is_hidden, visible};

impl Diagnostics {
    /// Each with its line of the file, the place marked, and what to write instead.
    /// `text` is the file's text. The file can't drive the terminal; the escape
    /// sequences in it are those of `coloured` alone.
    #[must_use]
    pub fn drawn(&self, text: &str, coloured: bool) -> String {
        let source = Source::new(text);
        let renderer = match coloured {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        let drawn = self.0.iter().map(|diagnostic| {
            let line = shown(&source, diagnostic);
            renderer.render(&[group(diagnostic, &line)])
        });
        drawn.collect::<Vec<_>>().join("\n\n")
    }
}

fn group<'a>(diagnostic: &Diagnostic, line: &'a Line) -> Group<'a> {
    let mark = AnnotationKind::Primary
        .span(line.start..line.end)
        .label(about(diagnostic));
    let snippet = Snippet::source(&line.text)
        .line_start(diagnostic.line)
        .path(visible(&diagnostic.file))
        .annotation(mark);
    let group = Level::ERROR
        .primary_title(visible(&diagnostic.message))
        .element(snippet);
    match &diagnostic.hint {
        Some(hint) => group.element(Level::HELP.message(visible(hint))),
        None => group,
    }
}

/// The step and the field that it is about.
fn about(diagnostic: &Diagnostic) -> Option<String> {
    let (step, field) = (diagnostic.step.as_ref(), diagnostic.field.as_ref());
    let about = match (step, field) {
        (Some(step), Some(field)) => format!("{field} of step `{step}`"),
        (Some(step), None) => format!("step `{step}`"),
        (None, Some(field)) => field.clone(),
        (None, None) => return None,
    };
    Some(visible(&about))
}

/// A line, and in bytes what is marked in it.
struct Line {
    text: String,
    start: usize,
    end: usize,
}

/// Behind what is marked a line that goes on for ever is of no use.
const MAX_BEHIND: usize = 200;

fn shown(source: &Source<'_>, diagnostic: &Diagnostic) -> Line {
    let line = source.line(diagnostic.line);
    let before = diagnostic.column.saturating_sub(1);
    let start = line.char_indices().nth(before);
    let start = start.map_or(line.len(), |(start, _)| start);
    let length = extent(&line[start..], &diagnostic.message);
    let behind = &line[start + length..];
    let rest = behind.char_indices().nth(MAX_BEHIND);
    let rest = rest.map_or(behind.len(), |(at, _)| at);
    // One character for one, or else the mark would not stand below its place.
    let plain = |part: &str| -> String {
        let plain = |c| if is_hidden(c) { '\u{fffd}' } else { c };
        part.chars().map(plain).collect()
    };
    let mut text = plain(&line[..start]);
    let start_shown = text.len();
    text.push_str(&plain(&line[start..start + length]));
    let end = text.len();
    text.push_str(&plain(&behind[..rest]));
    Line {
        text,
        start: start_shown,
        end,
    }
}

/// How many bytes of a text are the thing that it begins with.
fn extent(rest: &str, message: &str) -> usize {
    let mut chars = rest.chars();
    let quote = chars.next().filter(|c| matches!(c, '"' | '\''));
    if let Some(end) = quote.and_then(|quote| closing(rest, quote)) {
        return end;
    }
    // What the message is about is often named in it.
    let named = message.split('`').skip(1).step_by(2);
    let named = named.filter(|name| rest.starts_with(name)).map(str::len);
    if let Some(length) = named.max().filter(|length| *length > 0) {
        return length;
    }
    if rest.starts_with("{{")
        && let Some(end) = rest.find("}}")
    {
        return end + 2;
    }
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@');
    let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
    match length {
        0 => rest.chars().next().map_or(0, char::len_utf8),
        length => length,
    }
}

/// Where a quoted text has ended, if it ends in its line.
fn closing(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => {
                chars.next();
            }
            c if c == quote && quote == '\'' && chars.peek().is_some_and(|(_, c)| *c == '\'') => {
                chars.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, line: usize, column: usize, message: &str) -> String {
        let diagnostic = Diagnostic {
            file: "a.yaml".into(),
            line,
            column,
            step: Some("greet".into()),
            field: Some("next".into()),
            message: message.into(),
            hint: Some("do that".into()),
        };
        Diagnostics(vec![diagnostic]).drawn(text, false)
    }

    /// What stands above the marks.
    fn marked(text: &str, column: usize, message: &str) -> String {
        let line = shown(
            &Source::new(text),
            &Diagnostic {
                file: String::new(),
                line: 1,
                column,
                step: None,
                field: None,
                message: message.into(),
                hint: None,
            },
        );
        line.text[line.start..line.end].to_owned()
    }

    #[test]
    fn a_diagnostic_is_drawn_below_its_line() {
        let text = "a: 1\n    nexts:\n";
        let expected = "\
error: unknown field `nexts`
 --> a.yaml:2:5
  |
2 |     nexts:
  |     ^^^^^ next of step `greet`
  |
  = help: do that";
        assert_eq!(drawn(text, 2, 5, "unknown field `nexts`"), expected);
    }

    #[test]
    fn wide_characters_and_tabs_do_not_move_the_mark() {
        let mark = |text: &str, column| {
            let drawn = drawn(text, 1, column, "no");
            let lines: Vec<&str> = drawn.lines().collect();
            let at = lines[4].find('^').expect("a mark");
            (lines[3].to_owned(), at, lines[4].matches('^').count())
        };
        // Two columns each.
        let (line, at, length) = mark("名前: nexts", 5);
        assert_eq!((line.as_str(), at, length), ("1 | 名前: nexts", 10, 5));
        let (line, at, length) = mark("\tb: 名前", 5);
        assert_eq!((line.as_str(), at, length), ("1 |     b: 名前", 11, 4));
    }

    #[test]
    fn a_file_does_not_drive_the_terminal() {
        let text = "a\u{1b}[2J\u{202e}\u{9b}\u{2028}: nexts";
        let drawn = drawn(text, 1, 10, "no \u{1b}]0;");
        assert!(
            drawn.lines().all(|line| !line.chars().any(is_hidden)),
            "{drawn}"
        );
        assert!(
            drawn.contains("a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}: nexts"),
            "{drawn}"
        );
    }

    #[test]
    fn a_place_outside_of_the_text_is_still_told() {
        for (text, line, column) in [("", 1, 1), ("a", 7, 3), ("a: b", 1, 60)] {
            let drawn = drawn(text, line, column, "it is cut off");
            assert!(
                drawn.contains("it is cut off") && drawn.contains("a.yaml:"),
                "{drawn}"
            );
        }
        let huge = format!("a: {}", "b ".repeat(400_000));
        let drawn = drawn(&huge, 1, 4, "no");
        assert!(drawn.len() < 1000, "{}", drawn.len());
    }

    #[test]
    fn the_thing_at_the_place_is_marked() {
        for (text, column, message, expected) in [
            ("a: nexts: 1", 4, "", "nexts"),
            ("a: \"x \\\" y\" # c", 4, "", "\"x \\\" y\""),
            ("a: 'it''s' b", 4, "", "'it''s'"),
            ("a: \"{{ x y }} {{ z }}\"", 5, "", "{{ x y }}"),
            ("a: two words", 4, "`two words` is no number", "two words"),
            ("a: two words", 4, "`` is no number", "two"),
            ("a: 'open", 4, "", "'"),
            ("a: [1]", 4, "", "["),
            ("é: ñandú x", 4, "", "ñandú"),
            ("a: b", 5, "", ""),
        ] {
            assert_eq!(marked(text, column, message), expected, "{text}");
        }
    }
}
