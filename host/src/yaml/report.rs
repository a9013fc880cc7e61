use super::diagnostic::{Diagnostic, Diagnostics, missing};
use super::tree::{Entry, Kind, Node, Position};
use crate::visible::cut;

/// Nobody reads more, and each costs looking for a suggestion.
pub(crate) const MAX_FAULTS: usize = 100;

/// Collects diagnostics while a file is read.
pub(crate) struct Report {
    file: String,
    found: Vec<Diagnostic>,
    left_out: usize,
    step: Option<String>,
}

/// The diagnostic that was just added, to complete it.
pub(crate) struct Added<'a> {
    diagnostic: &'a mut Diagnostic,
    full: bool,
}

impl Added<'_> {
    pub(crate) fn field(self, field: impl Into<String>) -> Self {
        self.diagnostic.field = Some(field.into());
        self
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.diagnostic.hint = Some(hint).filter(|hint| !hint.is_empty());
        self
    }

    /// `did you mean …?`, or else what there is.
    pub(crate) fn suggest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        if self.full {
            return self;
        }
        let known: Vec<&str> = known.into_iter().collect();
        match crate::template::nearest(name, known.iter().copied()) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None if known.is_empty() || known.len() > 30 => self,
            None => self.hint(format!("there are: {}", known.join(", "))),
        }
    }
}

/// The file may hold names and numbers of any length.
const MAX_TEXT: usize = 1000;

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Report {
            file: file.to_owned(),
            found: Vec::new(),
            left_out: 0,
            step: None,
        }
    }

    /// Says which step (or task) the following is about.
    pub(crate) fn about(&mut self, step: Option<&str>) {
        self.step = step.map(str::to_owned);
    }

    /// The step that the following is about.
    pub(crate) fn subject(&self) -> Option<String> {
        self.step.clone()
    }

    /// How much was found so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len() + self.left_out
    }

    /// Whether there are so many that no more are worth looking for.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }

    pub(crate) fn add(&mut self, position: Position, message: impl Into<String>) -> Added<'_> {
        let full = self.is_full();
        if full {
            // Counted, so that nobody takes it for correct, but not kept.
            self.left_out += 1;
            self.found.pop();
        }
        let index = self.found.len();
        self.found.push(Diagnostic {
            file: self.file.clone(),
            line: position.line,
            column: position.column,
            step: self.step.clone(),
            field: None,
            message: message.into(),
            hint: None,
        });
        Added {
            diagnostic: &mut self.found[index],
            full,
        }
    }

    /// Says that a key is missing.
    pub(crate) fn missing(
        &mut self,
        position: Position,
        key: &str,
        field: impl Into<String>,
    ) -> Added<'_> {
        self.add(position, missing(key)).field(field)
    }

    /// The entries of what must be a mapping.
    pub(crate) fn mapping<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.wrong_kind(node, field, "a mapping (`key: value`)");
                None
            }
        }
    }

    /// The items of what must be a list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.wrong_kind(node, field, "a list (lines that begin with `- `)");
                None
            }
        }
    }

    /// Says what a value must be, and what it is.
    pub(crate) fn wrong_kind(&mut self, node: &Node, field: &str, expected: &str) {
        let added = self
            .add(
                node.position,
                format!("this must be {expected}, it is {}", node.what()),
            )
            .field(field);
        if expected == "a text" && matches!(node.kind, Kind::Number(_) | Kind::Bool(_)) {
            added.hint("put it in quotes");
        }
    }

    /// Reports every field that is not among those that are known.
    pub(crate) fn unknown_fields(&mut self, entries: &[Entry], known: &[&str], prefix: &str) {
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                self.add(entry.position, format!("unknown field `{}`", entry.key))
                    .field(format!("{prefix}{}", entry.key))
                    .suggest(&entry.key, known.iter().copied());
            }
        }
    }

    /// What was read, if nothing is wrong with it.
    pub(crate) fn finish<T>(mut self, read: Option<T>) -> Result<T, Diagnostics> {
        // An alias or a task used twice must not tell the same thing twice.
        let mut seen: Vec<Diagnostic> = Vec::new();
        self.found.sort_by_key(|found| (found.line, found.column));
        for mut found in self.found {
            let texts = [&mut found.field, &mut found.hint].into_iter().flatten();
            for text in texts.chain([&mut found.message]) {
                cut(text, MAX_TEXT);
            }
            if !seen.contains(&found) {
                seen.push(found);
            }
        }
        match read {
            Some(read) if seen.is_empty() => Ok(read),
            _ => Err(Diagnostics(seen)),
        }
    }
}
