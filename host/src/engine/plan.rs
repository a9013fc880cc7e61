//! A playbook with what the scheduler derives from it once.

use crate::playbook::{Next, Playbook};

/// A playbook and what the scheduler needs to know of its graph.
pub struct Plan {
    /// The playbook.
    pub playbook: Playbook,
    pub(super) start: usize,
    graph: Graph,
}

impl Plan {
    /// The plan of a playbook, to be kept as long as the playbook is.
    ///
    /// # Panics
    /// If it has no step `start`, which a checked playbook has.
    pub fn new(playbook: Playbook) -> Self {
        Self {
            start: playbook.step_index("start").expect("checked"),
            graph: Graph::new(
                &playbook
                    .steps
                    .iter()
                    .map(|s| successors(&s.next))
                    .collect::<Vec<_>>(),
            ),
            playbook,
        }
    }

    /// The first of the waiting steps that can start.
    pub(super) fn next_startable(&self, waiting: &[usize], running: &[usize]) -> Option<usize> {
        self.graph.startable(waiting, running).next()
    }
}

/// `reaches[a][b]`: there is a way of one or more transitions from a to b.
struct Graph {
    reaches: Vec<Vec<bool>>,
}

impl Graph {
    fn new(next: &[Vec<usize>]) -> Self {
        Self {
            reaches: (0..next.len()).map(|from| reachable(next, from)).collect(),
        }
    }

    /// A step that several branches lead to waits for all that can still reach
    /// it, and so runs once for them; in a cycle the one that came first goes
    /// first.
    fn startable(&self, waiting: &[usize], running: &[usize]) -> impl Iterator<Item = usize> {
        let blocked = move |&(at, step): &(usize, usize)| {
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
            .filter(move |candidate| !blocked(candidate))
            .map(|(_, step)| step)
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

    fn graph(next: &[&[usize]]) -> Graph {
        Graph::new(&next.iter().map(|n| n.to_vec()).collect::<Vec<_>>())
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
