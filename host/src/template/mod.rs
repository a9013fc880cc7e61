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

pub use compiled::Reference;
pub use error::TemplateError;
pub use scope::Scope;
pub use sql::{Parameter, SqlTemplate, Statement};
pub use value::{Template, ValueTemplate};

/// The name in `known` that is most likely meant by `name`, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = |name: &str| name.chars().count();
    let (own, limit) = (length(name), (length(name) / 3).clamp(1, 3));
    // Comparing costs the product of both lengths: what is too long for a slip,
    // or too long or short to be meant, is not compared.
    known
        .into_iter()
        .filter(|candidate| own <= 100 && length(candidate).abs_diff(own) <= limit)
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
