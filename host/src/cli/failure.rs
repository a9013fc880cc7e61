//! Errors that say what to do next.

use std::process::ExitCode;

use super::terminal;

/// What went wrong and what to do about it. Travels inside an
/// [`anyhow::Error`], which may add where it went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    hint: Option<String>,
    /// What is written before it, as it is.
    before: Option<String>,
    code: u8,
}

impl Failure {
    /// A command that did not succeed.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hint: None,
            before: None,
            code: 1,
        }
    }

    /// Arguments that can't be meant.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure {
            code: 2,
            ..Failure::new(message)
        }
    }

    /// What to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// What is written before it; it must not be able to drive the terminal.
    pub fn after(mut self, drawn: String) -> Failure {
        self.before = Some(drawn);
        self
    }
}

/// Prints the error and its hint on stderr; answers the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    if let Some(drawn) = failure.and_then(|failure| failure.before.as_ref()) {
        terminal::drawing(drawn);
    }
    terminal::note(&text(error));
    ExitCode::from(failure.map_or(1, |failure| failure.code))
}

fn text(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}");
    if let Some(hint) = error
        .downcast_ref::<Failure>()
        .and_then(|failure| failure.hint.as_ref())
    {
        text.push_str("\n  hint: ");
        text.push_str(hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_survives_added_context() {
        let error = anyhow::Error::new(Failure::new("no").hint("try yes")).context("asking");
        assert_eq!(text(&error), "error: asking: no\n  hint: try yes");
    }

    #[test]
    fn an_error_without_hint_is_one_line() {
        assert_eq!(text(&anyhow::anyhow!("no")), "error: no");
    }
}
