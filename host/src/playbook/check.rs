//! What is wrong with the workflow as a whole.

use super::model::{Next, Step};
use crate::yaml::{Position, Report};

/// Reports every step that no way from `start` leads to.
pub(super) fn reachable(steps: &[Step], report: &mut Report) {
    let mut reached = vec![false; steps.len()];
    let mut open: Vec<usize> = steps
        .iter()
        .position(|step| step.name == "start")
        .into_iter()
        .collect();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            open.extend(targets(&steps[index].next));
        }
    }
    for (step, _) in steps.iter().zip(&reached).filter(|(_, reached)| !**reached) {
        report.about(Some(&step.name));
        report
            .add(
                Position {
                    line: step.line,
                    column: 1,
                },
                "no step leads here",
            )
            .field("step")
            .hint(format!(
                "add `- step: {}` to the `next` of another step",
                step.name
            ));
    }
    report.about(None);
}

fn targets(next: &Next) -> Vec<usize> {
    match next {
        Next::None => Vec::new(),
        Next::All(steps) => steps.clone(),
        Next::Branches { branches, default } => {
            let then = branches.iter().flat_map(|branch| branch.then.iter());
            then.chain(default).copied().collect()
        }
    }
}
