use super::diagnostic::{Diagnostic, Diagnostics};
use super::model::Playbook;
use super::tree::Position;

/// Nobody reads more, and each costs looking for a suggestion.
const MAX: usize = 100;

/// Collects diagnostics while a playbook is read.
pub(super) struct Report {
    file: String,
    found: Vec<Diagnostic>,
    left_out: usize,
    step: Option<String>,
}

/// The diagnostic that was just added, to complete it.
pub(super) struct Added<'a> {
    diagnostic: &'a mut Diagnostic,
    full: bool,
}

impl Added<'_> {
    pub(super) fn field(self, field: impl Into<String>) -> Self {
        self.diagnostic.field = Some(field.into());
        self
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.diagnostic.hint = Some(hint).filter(|hint| !hint.is_empty());
        self
    }

    /// `did you mean …?`, or else what there is.
    pub(super) fn suggest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
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

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Report {
            file: file.to_owned(),
            found: Vec::new(),
            left_out: 0,
            step: None,
        }
    }

    /// Says which step (or task) the following is about.
    pub(super) fn about(&mut self, step: Option<&str>) {
        self.step = step.map(str::to_owned);
    }

    /// The step that the following is about.
    pub(super) fn subject(&self) -> Option<String> {
        self.step.clone()
    }

    /// How much was found so far.
    pub(super) fn count(&self) -> usize {
        self.found.len() + self.left_out
    }

    /// Whether there are so many that no more are worth looking for.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX
    }

    pub(super) fn add(&mut self, position: Position, message: impl Into<String>) -> Added<'_> {
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

    pub(super) fn finish(mut self, playbook: Option<Playbook>) -> Result<Playbook, Diagnostics> {
        // An alias or a task used twice must not tell the same thing twice.
        let mut seen: Vec<Diagnostic> = Vec::new();
        self.found.sort_by_key(|found| (found.line, found.column));
        for found in self.found {
            if !seen.contains(&found) {
                seen.push(found);
            }
        }
        match playbook {
            Some(mut playbook) if seen.is_empty() => {
                playbook.file = self.file;
                Ok(playbook)
            }
            _ => Err(Diagnostics(seen)),
        }
    }
}
