//! What is wrong with the workflow as a whole.

use super::model::{Join, Step};
use super::reach::{reaches, sources};
use crate::yaml::{Added, Position, Report};

/// Reports steps that no way leads to, circles with no way out, and joins that can't
/// be complete.
pub(super) fn flow(steps: &[Step], report: &mut Report) {
    let flow = Flow::new(steps);
    let start = steps.iter().position(|step| step.name == "start");
    let Some(start) = start else { return };
    let mut reached = flow.reaches[start].clone();
    reached[start] = true;
    for (step, _) in steps.iter().zip(&reached).filter(|(_, reached)| !**reached) {
        told(report, step, "no step leads here")
            .field("step")
            .hint(format!(
                "add `- step: {}` to the `next` of another step",
                step.name
            ));
    }
    flow.endless(report);
    flow.joins(report);
    report.about(None);
}

fn told<'r>(report: &'r mut Report, step: &Step, message: impl Into<String>) -> Added<'r> {
    report.about(Some(&step.name));
    let position = Position {
        line: step.line,
        column: 1,
    };
    report.add(position, message)
}

struct Flow<'a> {
    steps: &'a [Step],
    /// `reaches[a][b]`: there is a way of one or more transitions from a to b.
    reaches: Vec<Vec<bool>>,
    /// The steps that lead to each.
    sources: Vec<Vec<usize>>,
}

impl<'a> Flow<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let next: Vec<Vec<usize>> = steps.iter().map(|step| step.targets().collect()).collect();
        Self {
            steps,
            reaches: reaches(&next),
            sources: sources(&next),
        }
    }

    /// A step from which every way leads on for ever: whatever conditions hold, its
    /// execution can only fail.
    fn endless(&self, report: &mut Report) {
        let mut ends = vec![false; self.steps.len()];
        loop {
            let before = ends.clone();
            for (index, step) in self.steps.iter().enumerate() {
                ends[index] = groups(step).any(|group| group.iter().all(|&next| before[next]));
            }
            if ends == before {
                break;
            }
        }
        for (index, step) in self.steps.iter().enumerate() {
            // Those that only lead into the circle are no part of the mistake.
            if ends[index] || !self.reaches[index][index] {
                continue;
            }
            let first = (0..index).any(|other| !ends[other] && self.same_circle(other, index));
            if first {
                continue;
            }
            let circle = (0..self.steps.len()).filter(|&other| self.same_circle(index, other));
            let names: Vec<String> = circle
                .map(|other| format!("`{}`", self.steps[other].name))
                .collect();
            let message = format!("{} lead in a circle without a way out", names.join(", "));
            told(report, step, message).field("next").hint(
                "add `- when: \"{{ … }}\"` with a `then` that leads out of it, to `end` for one",
            );
        }
    }

    fn same_circle(&self, one: usize, other: usize) -> bool {
        self.reaches[one][other] && self.reaches[other][one]
    }

    fn joins(&self, report: &mut Report) {
        for (index, step) in self.steps.iter().enumerate() {
            let from = &self.sources[index];
            match step.join {
                Join::Open => {}
                Join::Any if self.reaches[index][index] => {
                    told(
                        report,
                        step,
                        "a step with `join: any` is run once, and so can't be in a circle",
                    )
                    .field("join")
                    .hint("take `join` away, or lead the circle to another step");
                }
                Join::Any | Join::All if from.len() < 2 => {
                    told(
                        report,
                        step,
                        "there is nothing to join: only one step leads here",
                    )
                    .field("join")
                    .hint("take `join` away, or lead another step here");
                }
                Join::Any => {}
                Join::All => self.complete(index, from, report),
            }
        }
    }

    /// `join: all` needs that all of them can lead to it in one execution.
    fn complete(&self, join: usize, from: &[usize], report: &mut Report) {
        let pairs = from.iter().enumerate();
        let pairs =
            pairs.flat_map(|(at, &one)| from[at + 1..].iter().map(move |&other| (one, other)));
        for (one, other) in pairs {
            if !self.both(join, one, other) {
                let message = format!(
                    "the join can't be reached: never do both `{}` and `{}` lead here",
                    self.steps[one].name, self.steps[other].name
                );
                told(report, &self.steps[join], message)
                    .field("join")
                    .hint("take `join: all` away: the step then runs for whichever comes");
                return;
            }
        }
    }

    /// Whether some step leads to two steps at once, from one of which the way goes to
    /// the join by `one`, and from the other by `other`.
    fn both(&self, join: usize, one: usize, other: usize) -> bool {
        let by = |from: usize, first: usize, last: usize| {
            (first == join && from == last)
                || first == last
                || (first != join && self.reaches[first][last])
        };
        self.steps.iter().enumerate().any(|(from, step)| {
            groups(step).any(|group| {
                group.iter().any(|&a| {
                    by(from, a, one) && group.iter().any(|&b| b != a && by(from, b, other))
                })
            })
        })
    }
}

fn groups(step: &Step) -> impl Iterator<Item = &[usize]> {
    // That it may fail is no way out, but where it then leads may be one.
    let on_error = step.on_error.groups().filter(|group| !group.is_empty());
    step.next.groups().chain(on_error)
}
