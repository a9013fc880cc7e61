//! Templates: typed values, conditions, and SQL with bind parameters.
//!
//! Only text of a playbook is ever a template. Data (payloads, results, rows)
//! reaches a template through a [`Scope`] and is never parsed as one.

mod compiled;
mod convert;
mod environment;
mod error;
mod inspect;
mod methods;
mod scope;
pub mod sql;
mod value;

pub use compiled::Reference;
pub use error::TemplateError;
pub use scope::Scope;
pub use sql::{Parameter, SqlTemplate, Statement};
pub use value::{Template, ValueTemplate};

/// The name in `known` that is most likely meant by `name`, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| {
            let distance =
                strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
