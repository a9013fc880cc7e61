use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::{eval, make_string_output};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};

use super::environment::{Captured, LENIENT, MARKER, STRICT};
use super::inspect::{self, Dialect, Path};
use super::{Scope, TemplateError, metered};

/// Templates are small texts of people; this bounds what parsing one may cost.
const MAX_SOURCE: usize = 256 * 1024;
const NAME: &str = "template";
const TOO_MUCH_WORK: &str = "the templates of this step do too much work together";

/// A name that a template reads: `workload.client_ip` has the root `workload`
/// and the attribute `client_ip`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The top-level name.
    pub root: String,
    /// The first attribute or constant key read from it.
    pub attribute: Option<String>,
    /// Byte offset in the template's source.
    pub offset: usize,
}

/// How a template treats names that lead nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undefined {
    /// An error, unless only asked for truth or `is defined`.
    Strict,
    /// Undefined, however deep the access goes.
    Lenient,
}

/// A parsed template and what is known about it.
#[derive(Clone)]
pub(crate) struct Compiled {
    inner: Arc<Inner>,
}

struct Inner {
    source: String,
    facts: inspect::Facts,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.inner.source).finish()
    }
}

impl Compiled {
    pub(crate) fn new(source: &str, dialect: Dialect) -> Result<(Self, Vec<Path>), TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::new(format!(
                "the template has {} bytes, more than the {MAX_SOURCE} allowed",
                source.len()
            ))
            .hint("hand long data over in `args` or the payload"));
        }
        if let Some(offset) = source.find(MARKER) {
            return Err(
                TemplateError::new("a template can't hold a NUL character").at(source, offset)
            );
        }
        inspect::bounded(source, &STRICT)?;
        let (facts, paths) = inspect::facts(source, &STRICT, dialect)?;
        let compiled = Compiled {
            inner: Arc::new(Inner {
                source: source.to_owned(),
                facts,
            }),
        };
        Ok((compiled, paths))
    }

    pub(crate) fn source(&self) -> &str {
        &self.inner.source
    }

    pub(crate) fn facts(&self) -> &inspect::Facts {
        &self.inner.facts
    }

    /// Renders to text with a [`MARKER`] for each expression, and their values.
    pub(crate) fn run(
        &self,
        scope: &Scope,
        undefined: Undefined,
    ) -> Result<(String, Vec<Value>), TemplateError> {
        let env: &Environment<'_> = match undefined {
            Undefined::Strict => &STRICT,
            Undefined::Lenient => &LENIENT,
        };
        let spent = || TemplateError::new(TOO_MUCH_WORK).hint("do more of it in python steps");
        scope.work().start().map_err(|()| spent())?;
        let mut text = String::new();
        let values = metered::compile(NAME, self.source(), env)
            .and_then(|instructions| {
                let blocks = BTreeMap::new();
                let mut output = make_string_output(&mut text);
                let (_, mut state) = eval(
                    env,
                    &instructions,
                    scope.root(),
                    &blocks,
                    &mut output,
                    AutoEscape::None,
                )?;
                let (used, _) = state.fuel_levels().unwrap_or_default();
                scope.work().used(used);
                let captured = state.get_extension_mut::<Captured>();
                Ok(captured.map_or_else(Vec::new, |captured| std::mem::take(&mut captured.0)))
            })
            .map_err(|error| explain(&error, self.source(), &self.facts().emits))?;
        let sized = values.iter().try_for_each(|value| scope.work().give(value));
        sized.map_err(|message| match self.facts().emits.as_slice() {
            [only] => self.error_at(only, message),
            _ => TemplateError::new(message),
        })?;
        Ok((text, values))
    }

    /// An error about the expression at `emit`.
    pub(crate) fn error_at(&self, emit: &Range<usize>, message: String) -> TemplateError {
        TemplateError::new(message)
            .at(self.source(), emit.start)
            .expression(self.source().get(emit.clone()).unwrap_or_default().trim())
    }
}

pub(super) fn explain(error: &Error, source: &str, emits: &[Range<usize>]) -> TemplateError {
    let detail = error.detail().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::OutOfFuel => {
            return locate(
                TemplateError::new("the template does too much work")
                    .hint("do it in a python step"),
                error,
                source,
                emits,
            );
        }
        ErrorKind::UndefinedError if detail.is_empty() => "a value is not defined".to_owned(),
        ErrorKind::UndefinedError => format!("a value is not defined: {detail}"),
        kind if detail.is_empty() => kind.to_string(),
        kind => format!("{kind}: {detail}"),
    };
    locate(TemplateError::new(message), error, source, emits)
}

fn locate(
    mut located: TemplateError,
    error: &Error,
    source: &str,
    emits: &[Range<usize>],
) -> TemplateError {
    if let Some(range) = error.range() {
        located = located.at(source, range.start);
        let around = emits
            .iter()
            .find(|emit| emit.start <= range.start && range.start < emit.end)
            .cloned()
            .unwrap_or(range);
        if let Some(text) = source.get(around) {
            let text = text.trim();
            if !text.is_empty() && text.len() <= 200 {
                located = located.expression(text);
            }
        }
    } else if let Some(line) = error.line() {
        let start = source
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        located = located.at(source, start);
    }
    located
}
