//! One form for YAML files, whoever wrote them.

use pretty_yaml::config::{FormatOptions, LineBreak};
use yaml_parser::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::diagnostic::Diagnostics;
use super::report::Report;
use super::text::Source;
use super::tree::{Kind, Node, Position};

/// Why a file is not formatted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is no YAML.
    #[error(transparent)]
    Mistakes(#[from] Diagnostics),
    /// A value would not be the same any more.
    #[error("formatting would change the value at line {}", .0.line)]
    Value(Position),
    /// Comments would not be the same any more.
    #[error("formatting would change the comments")]
    Comments,
    /// The formatter can't read it.
    #[error("the formatter does not understand it: {0}")]
    Unread(String),
}

/// Longer flow lists and mappings are broken into lines.
const WIDTH: usize = 140;

/// A character of Unicode's private use area. A text that has it is not marked with it.
const MARK: char = '\u{e000}';

/// Formats a YAML file. The values in it, their order, and the comments stay what they
/// are; `file` is its name, for messages.
///
/// # Errors
/// It is no YAML, or would not mean the same.
pub fn format(file: &str, text: &str) -> Result<String, FormatError> {
    let before = tree(file, text)?;
    let syntax = yaml_parser::parse(text).map_err(unread)?;
    let formatted = match text.contains(MARK) {
        true => print(text)?,
        false => print(&marked(text, &syntax))?.replace(MARK, ""),
    };
    // No formatter is trusted with what somebody else will run.
    let after = tree(file, &formatted)?;
    if let Some(position) = difference(&before, &after) {
        return Err(FormatError::Value(position));
    }
    let formatted_syntax = yaml_parser::parse(&formatted).map_err(unread)?;
    match comments(&syntax) == comments(&formatted_syntax) {
        true => Ok(formatted),
        false => Err(FormatError::Comments),
    }
}

fn print(text: &str) -> Result<String, FormatError> {
    pretty_yaml::format_text(text, &options(text)).map_err(unread)
}

/// The text with a mark in the lines of block scalars that hold nothing but blanks, as
/// editors leave them in code. The formatter would empty them, but they belong to the
/// value as far as they are longer than its indentation.
fn marked(text: &str, syntax: &SyntaxNode) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut done = 0;
    for token in tokens(syntax, SyntaxKind::BLOCK_SCALAR_TEXT) {
        let mut at = usize::from(token.text_range().start());
        let mut indentation = None;
        for line in token.text().split_inclusive('\n') {
            let content = line.trim_end_matches(['\r', '\n']);
            let blanks = content.len() - content.trim_start_matches(' ').len();
            if !content.trim().is_empty() {
                indentation.get_or_insert(blanks);
            } else if indentation
                .is_some_and(|indentation| blanks >= indentation && content.len() > indentation)
            {
                marked.push_str(&text[done..at + content.len()]);
                marked.push(MARK);
                done = at + content.len();
            }
            at += line.len();
        }
    }
    marked.push_str(&text[done..]);
    marked
}

fn options(text: &str) -> FormatOptions {
    let mut options = FormatOptions::default();
    options.layout.print_width = WIDTH;
    if text.contains("\r\n") {
        options.layout.line_break = LineBreak::Crlf;
    }
    options.language.brace_spacing = false;
    options.language.trailing_comma = false;
    options.language.prefer_single_line = true;
    // Blanks at the end of a line are part of a block scalar.
    options.language.trim_trailing_whitespaces = false;
    options
}

fn tree(file: &str, text: &str) -> Result<Node, Diagnostics> {
    let mut report = Report::new(file);
    let tree = super::read(text, &Source::new(text), &mut report);
    report.finish(tree)
}

/// Where two trees are not the same, as a place in the first of them.
fn difference(before: &Node, after: &Node) -> Option<Position> {
    let same = match (&before.kind, &after.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(before), Kind::Bool(after)) => before == after,
        (Kind::Number(before), Kind::Number(after)) => before == after,
        (Kind::Text(before), Kind::Text(after)) => before == after,
        (Kind::List(before), Kind::List(after)) if before.len() == after.len() => {
            let mut pairs = before.iter().zip(after);
            return pairs.find_map(|(before, after)| difference(before, after));
        }
        (Kind::Map(before), Kind::Map(after)) if before.len() == after.len() => {
            let mut pairs = before.iter().zip(after);
            return pairs.find_map(|(before, after)| match before.key == after.key {
                true => difference(&before.value, &after.value),
                false => Some(before.position),
            });
        }
        _ => false,
    };
    (!same).then_some(before.position)
}

/// The comments, in their order.
fn comments(syntax: &SyntaxNode) -> Vec<String> {
    tokens(syntax, SyntaxKind::COMMENT)
        .map(|token| token.text().trim_end().to_owned())
        .collect()
}

fn tokens(syntax: &SyntaxNode, kind: SyntaxKind) -> impl Iterator<Item = SyntaxToken> {
    let tokens = syntax.descendants_with_tokens();
    let tokens = tokens.filter_map(|element| element.into_token());
    tokens.filter(move |token| token.kind() == kind)
}

fn unread(error: impl std::fmt::Display) -> FormatError {
    let error = error.to_string();
    FormatError::Unread(error.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format("a.yaml", text).expect("it is formatted")
    }

    #[test]
    fn comments_texts_and_blanks_in_block_scalars_stay() {
        let text = "\
# first


a:   'x'    # beside
b:
  - 'it says \"no\"'
  -   c: \"{{ x }}\"
      d: {e: 1,
          f: [1,2]}
# last
code: |
      def main():

        return 'a'  \t
text: >-
  folded

  more
";
        let expected = "\
# first

a: \"x\" # beside
b:
  - 'it says \"no\"'
  - c: \"{{ x }}\"
    d: {e: 1, f: [1, 2]}
# last
code: |
  def main():

    return 'a'  \t
text: >-
  folded

  more
";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted(expected), expected);
    }

    #[test]
    fn blanks_in_lines_of_code_that_are_empty_otherwise_stay() {
        let text = "\
w:
- code: |
      def main():
          \n          return 1
      \t\n   \n  b: 1
";
        let expected = "\
w:
  - code: |
      def main():
          \n          return 1
      \t\n\n    b: 1
";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted(expected), expected);
    }

    #[test]
    fn line_ends_stay() {
        assert_eq!(formatted("a:   1\r\nb: 2\r\n"), "a: 1\r\nb: 2\r\n");
    }

    #[test]
    fn what_would_be_changed_is_left_alone() {
        // The indentation that is written out counts from the list, which moves.
        let error = format("a.yaml", "list:\n- |2\n    two\n").expect_err("it changes");
        assert!(
            matches!(error, FormatError::Value(at) if at.line == 3),
            "{error:?}"
        );
        assert!(matches!(
            format("a.yaml", "a: [1"),
            Err(FormatError::Mistakes(_))
        ));
    }

    #[test]
    fn differences_are_found_wherever_they_are() {
        let tree = |text| tree("a.yaml", text).expect("YAML");
        let before = tree("a: 1\nb: [x, {c: null}]\n");
        for (after, line) in [
            ("b: [x, {c: null}]\na: 1\n", Some(1)),
            ("a: 1\nb: [x, {c: ''}]\n", Some(2)),
            ("a: 1\nb: [x]\n", Some(2)),
            ("a: '1'\nb: [x, {c: null}]\n", Some(1)),
            ("# c\na:   1\nb: [\"x\", {c: }]\n", None),
        ] {
            let found = difference(&before, &tree(after));
            assert_eq!(found.map(|at| at.line), line, "{after}");
        }
    }
}
