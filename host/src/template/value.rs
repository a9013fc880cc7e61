use serde_json::{Map, Value as Json};

use super::compiled::{Compiled, Reference, Undefined};
use super::environment::MARKER;
use super::inspect::Dialect;
use super::{Scope, TemplateError, convert};

/// A text of a playbook that may hold `{{ }}`.
#[derive(Debug, Clone)]
pub struct Template {
    compiled: Compiled,
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// Bad syntax, and filters, tests, functions or blocks that don't exist.
    pub fn compile(source: &str) -> Result<Template, TemplateError> {
        Ok(Template {
            compiled: Compiled::new(source, Dialect::Text)?.0,
        })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        self.compiled.source()
    }

    /// The names that it reads.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.compiled.facts().references
    }

    /// Whether there is anything in it that is not plain text.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.compiled.facts().dynamic
    }

    /// The value. One whole `{{ expression }}` keeps its type; anything else is
    /// text, in which null is nothing and a list or an object is its JSON.
    ///
    /// # Errors
    /// A value that is undefined (an unset variable reads as null), and
    /// whatever fails in an expression.
    pub fn render(&self, scope: &Scope) -> Result<Json, TemplateError> {
        self.value(scope, Undefined::Strict)
    }

    /// The value for a variable: `None`, if it is undefined or null.
    ///
    /// # Errors
    /// Whatever fails in an expression, except that something is undefined.
    pub fn render_var(&self, scope: &Scope) -> Result<Option<Json>, TemplateError> {
        Ok(Some(self.value(scope, Undefined::Lenient)?).filter(|value| !value.is_null()))
    }

    /// Whether a condition holds: Python's truth of the value, and the texts
    /// `False`, `false`, `0`, `none`, `None` and blanks are false too.
    ///
    /// # Errors
    /// Whatever fails in an expression, except that something is undefined.
    pub fn is_true(&self, scope: &Scope) -> Result<bool, TemplateError> {
        Ok(match self.value(scope, Undefined::Lenient)? {
            Json::Null => false,
            Json::Bool(value) => value,
            Json::Number(number) => number.as_f64() != Some(0.0),
            Json::String(text) => {
                !matches!(text.trim(), "" | "0" | "False" | "false" | "None" | "none")
            }
            Json::Array(items) => !items.is_empty(),
            Json::Object(map) => !map.is_empty(),
        })
    }

    fn value(&self, scope: &Scope, undefined: Undefined) -> Result<Json, TemplateError> {
        let facts = self.compiled.facts();
        if !facts.dynamic {
            return Ok(Json::String(self.source().to_owned()));
        }
        let (text, values) = self.compiled.run(scope, undefined)?;
        let failed = |message: String| match facts.emits.as_slice() {
            [only] => self.compiled.error_at(only, message),
            _ => TemplateError::new(message),
        };
        if facts.whole
            && let [value] = values.as_slice()
        {
            return convert::to_json(value).map_err(failed);
        }
        let mut values = values.iter();
        let mut full = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                MARKER => {
                    let value = values
                        .next()
                        .ok_or_else(|| failed("a value is missing".into()))?;
                    full.push_str(&convert::to_text(value).map_err(failed)?);
                }
                other => full.push(other),
            }
        }
        Ok(Json::String(full))
    }
}

/// A YAML value whose texts may hold `{{ }}`.
#[derive(Debug, Clone)]
pub enum ValueTemplate {
    /// Anything without an expression.
    Literal(Json),
    /// A text with expressions.
    Text(Template),
    /// A list.
    List(Vec<ValueTemplate>),
    /// An object, keys in the order of the playbook; keys are never templates.
    Map(Vec<(String, ValueTemplate)>),
}

impl ValueTemplate {
    /// The value, see [`Template::render`].
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &Scope) -> Result<Json, TemplateError> {
        self.tree(&|template| template.render(scope))
    }

    /// The value for a variable, see [`Template::render_var`]; inside of a list
    /// or an object, what is undefined reads as null.
    ///
    /// # Errors
    /// As [`Template::render_var`].
    pub fn render_var(&self, scope: &Scope) -> Result<Option<Json>, TemplateError> {
        let value = self.tree(&|template| Ok(template.render_var(scope)?.unwrap_or_default()))?;
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    fn tree(
        &self,
        render: &dyn Fn(&Template) -> Result<Json, TemplateError>,
    ) -> Result<Json, TemplateError> {
        Ok(match self {
            ValueTemplate::Literal(value) => value.clone(),
            ValueTemplate::Text(template) => render(template)?,
            ValueTemplate::List(items) => Json::Array(
                items
                    .iter()
                    .map(|item| item.tree(render))
                    .collect::<Result<_, _>>()?,
            ),
            ValueTemplate::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.tree(render)?)))
                    .collect::<Result<Map<_, _>, TemplateError>>()?,
            ),
        })
    }
}
