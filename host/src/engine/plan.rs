//! A playbook with what the scheduler derives from it once.

use crate::playbook::{Next, Playbook};

/// A playbook and which of its steps can still be reached from which.
pub struct Plan {
    /// The playbook.
    pub playbook: Playbook,
    /// `reaches[a][b]`: there is a way of one or more transitions from a to b.
    reaches: Vec<Vec<bool>>,
}

impl Plan {
    /// The plan of a playbook, to be kept as long as the playbook is.
    pub fn new(playbook: Playbook) -> Self {
        let next: Vec<Vec<usize>> = playbook.steps.iter().map(|s| successors(&s.next)).collect();
        let reaches = (0..next.len()).map(|from| reachable(&next, from)).collect();
        Self { playbook, reaches }
    }

    /// Which of the waiting steps can start. A step that several branches lead
    /// to waits for all that can still reach it, and so runs once for them; in
    /// a cycle the one that came first goes first.
    pub(super) fn startable(&self, waiting: &[usize], running: &[usize]) -> Vec<usize> {
        let blocked = |&(at, step): &(usize, usize)| {
            running.iter().any(|&r| self.reaches[r][step])
                || waiting.iter().enumerate().any(|(other_at, &other)| {
                    other != step
                        && self.reaches[other][step]
                        && (!self.reaches[step][other] || other_at < at)
                })
        };
        waiting
            .iter()
            .copied()
            .enumerate()
            .filter(|candidate| !blocked(candidate))
            .map(|(_, step)| step)
            .collect()
    }
}

fn successors(next: &Next) -> Vec<usize> {
    match next {
        Next::None => Vec::new(),
        Next::All(steps) => steps.clone(),
        Next::Branches { branches, default } => branches
            .iter()
            .flat_map(|b| &b.then)
            .chain(default)
            .copied()
            .collect(),
    }
}

fn reachable(next: &[Vec<usize>], from: usize) -> Vec<bool> {
    let mut seen = vec![false; next.len()];
    let mut todo = next[from].clone();
    while let Some(step) = todo.pop() {
        if !std::mem::replace(&mut seen[step], true) {
            todo.extend(&next[step]);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(next: &[&[usize]]) -> Plan {
        let next: Vec<Vec<usize>> = next.iter().map(|n| n.to_vec()).collect();
        let reaches = (0..next.len()).map(|from| reachable(&next, from)).collect();
        Plan {
            playbook: Playbook::default(),
            reaches,
        }
    }

    #[test]
    fn a_diamond_meets_once() {
        // 0 → 1, 2 → 3
        let plan = plan(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(plan.startable(&[1, 2], &[]), [1, 2]);
        assert_eq!(plan.startable(&[3], &[2]), [] as [usize; 0]);
        assert_eq!(plan.startable(&[3], &[]), [3]);
    }

    #[test]
    fn a_cycle_does_not_wait_for_itself() {
        // 0 → 1 → 2 → 1, 2 → 3
        let plan = plan(&[&[1], &[2], &[1, 3], &[]]);
        assert_eq!(plan.startable(&[1], &[]), [1]);
        assert_eq!(plan.startable(&[1, 3], &[]), [1]);
        assert_eq!(plan.startable(&[2, 1], &[]), [2]);
    }
}
