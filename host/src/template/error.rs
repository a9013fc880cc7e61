use std::fmt;

/// Why a template can't be compiled or rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong, without position.
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
    /// Byte offset in the template's source, if the place is known.
    pub offset: Option<usize>,
    /// Lines between the template's first line and the place (0 = first line).
    pub line_offset: usize,
    /// The expression at fault, as written between its braces.
    pub expression: Option<String>,
}

impl TemplateError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        TemplateError {
            message: message.into(),
            hint: None,
            offset: None,
            line_offset: 0,
            expression: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, source: &str, offset: usize) -> Self {
        let offset = offset.min(source.len());
        self.offset = Some(offset);
        self.line_offset = source.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self
    }

    pub(crate) fn expression(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(expression) = &self.expression {
            write!(f, ", in `{{{{ {expression} }}}}`")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateError {}
