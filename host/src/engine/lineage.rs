//! How deep playbooks may call each other, and how often.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::context::Lineage;
use crate::sandbox::{ErrorCategory, StepError};

/// Playbooks above each other.
pub const MAX_DEPTH: usize = 10;
/// Executions that one may lead to, at every depth.
const MAX_FAMILY: usize = 10_000;

/// The lineage of an execution that one of the playbook `path` begins by calling
/// `called`.
///
/// # Errors
/// The playbook is above itself, there are too many above each other, or too many
/// altogether.
pub(super) fn below(lineage: &Lineage, path: &str, called: &str) -> Result<Lineage, StepError> {
    let mut paths = lineage.paths.clone();
    paths.push(path.to_owned());
    if paths.iter().any(|above| above == called) {
        let way = paths.join("` → `");
        return Err(StepError::new(
            ErrorCategory::InvalidInput,
            format!("the playbook `{called}` calls itself: `{way}` → `{called}`"),
        ));
    }
    if paths.len() > MAX_DEPTH {
        return Err(StepError::new(
            ErrorCategory::Limit,
            format!(
                "playbooks call each other more than {MAX_DEPTH} deep: `{}` → `{called}`",
                paths.join("` → `")
            ),
        ));
    }
    if lineage.family.fetch_add(1, Relaxed) >= MAX_FAMILY {
        return Err(StepError::new(
            ErrorCategory::Limit,
            format!("the execution has led to {MAX_FAMILY} others, its limit"),
        ));
    }
    Ok(Lineage {
        paths,
        family: Arc::clone(&lineage.family),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_end_at_a_circle_at_a_depth_and_at_a_number() {
        let first = below(&Lineage::default(), "a", "b").unwrap();
        let circle = below(&first, "b", "a").unwrap_err();
        assert!(circle.message.ends_with("`a` → `b` → `a`"), "{circle}");
        let mut deep = Lineage::default();
        for depth in 0..MAX_DEPTH {
            deep = below(&deep, &format!("p{depth}"), "x").unwrap();
        }
        assert_eq!(
            below(&deep, "q", "x").unwrap_err().category,
            ErrorCategory::Limit
        );
        for _ in 1..MAX_FAMILY {
            below(&first, "b", "c").unwrap();
        }
        assert_eq!(
            below(&first, "b", "c").unwrap_err().category,
            ErrorCategory::Limit
        );
    }
}
