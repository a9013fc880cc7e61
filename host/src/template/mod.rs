//! Templates: typed values, conditions, and SQL with bind parameters.
//!
//! Only text of a playbook is ever a template. Data (payloads, results, rows)
//! reaches a template through a [`Scope`] and is never parsed as one.

mod compiled;
mod convert;
mod environment;
mod error;
mod inspect;
mod measure;
mod metered;
mod methods;
mod scope;
pub mod sql;
mod value;
mod vocabulary;

pub use compiled::Reference;
pub(crate) use convert::bytes;
pub use error::TemplateError;
pub use scope::Scope;
pub use sql::{Parameter, SqlTemplate, Statement};
pub use value::{Template, ValueTemplate};

/// Longer names are not compared: that takes the product of their lengths, for
/// each name that is known.
const MAX_COMPARED: usize = 40;

/// The name in `known` that is most likely meant by `name`, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 3);
    if length > MAX_COMPARED {
        return None;
    }
    let name = name.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| {
            let distance = strsim::osa_distance(&name, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
