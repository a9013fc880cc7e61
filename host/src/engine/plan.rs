//! A playbook with what the scheduler derives from it once.

use crate::playbook::{Join, Playbook, reaches, sources};

/// A playbook and what the scheduler needs to know of its graph.
pub struct Plan {
    /// The playbook.
    pub playbook: Playbook,
    pub(super) start: usize,
    graph: Graph,
    sources: Vec<Vec<usize>>,
}

impl Plan {
    /// The plan of a playbook, to be kept as long as the playbook is.
    ///
    /// # Panics
    /// If it has no step `start`, which a checked playbook has.
    pub fn new(playbook: Playbook) -> Self {
        let steps = playbook.steps.iter();
        let next: Vec<Vec<usize>> = steps.map(|step| step.targets().collect()).collect();
        Self {
            start: playbook.step_index("start").expect("checked"),
            graph: Graph {
                reaches: reaches(&next),
                waits: playbook
                    .steps
                    .iter()
                    .map(|step| step.join == Join::Open)
                    .collect(),
            },
            sources: sources(&next),
            playbook,
        }
    }

    /// The waiting steps that can start.
    pub(super) fn startable(
        &self,
        waiting: &[usize],
        running: &[usize],
    ) -> impl Iterator<Item = usize> {
        self.graph.startable(waiting, running)
    }

    /// The steps that can lead to this one.
    pub(super) fn sources(&self, step: usize) -> &[usize] {
        &self.sources[step]
    }
}

/// `reaches[a][b]`: there is a way of one or more transitions from a to b.
/// `waits[a]`: a waits for whatever can still lead to it.
struct Graph {
    reaches: Vec<Vec<bool>>,
    waits: Vec<bool>,
}

impl Graph {
    /// A step that several branches lead to waits for all that can still reach
    /// it, and so runs once for them; in a cycle the one that came first goes
    /// first.
    fn startable(&self, waiting: &[usize], running: &[usize]) -> impl Iterator<Item = usize> {
        let blocked = move |&(at, step): &(usize, usize)| {
            self.waits[step]
                && (running.iter().any(|&r| self.reaches[r][step])
                    || waiting.iter().enumerate().any(|(other_at, &other)| {
                        other != step
                            && self.reaches[other][step]
                            && (!self.reaches[step][other] || other_at < at)
                    }))
        };
        waiting
            .iter()
            .copied()
            .enumerate()
            .filter(move |candidate| !blocked(candidate))
            .map(|(_, step)| step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(next: &[&[usize]]) -> Graph {
        let next: Vec<_> = next.iter().map(|n| n.to_vec()).collect();
        Graph {
            reaches: reaches(&next),
            waits: vec![true; next.len()],
        }
    }

    fn startable(graph: &Graph, waiting: &[usize], running: &[usize]) -> Vec<usize> {
        graph.startable(waiting, running).collect()
    }

    #[test]
    fn a_diamond_meets_once() {
        // 0 → 1, 2 → 3
        let graph = graph(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(startable(&graph, &[1, 2], &[]), [1, 2]);
        assert_eq!(startable(&graph, &[3], &[2]), [] as [usize; 0]);
        assert_eq!(startable(&graph, &[3], &[]), [3]);
    }

    #[test]
    fn a_cycle_does_not_wait_for_itself() {
        // 0 → 1 → 2 → 1, 2 → 3
        let graph = graph(&[&[1], &[2], &[1, 3], &[]]);
        assert_eq!(startable(&graph, &[1], &[]), [1]);
        assert_eq!(startable(&graph, &[1, 3], &[]), [1]);
        assert_eq!(startable(&graph, &[2, 1], &[]), [2]);
    }
}
