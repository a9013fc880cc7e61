//! Which steps were reached, and which of them can start.

use std::collections::{HashMap, HashSet};

use super::Plan;
use crate::playbook::Join;

/// The steps that were reached and have not started, and those that run.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// In the order in which they were reached.
    waiting: Vec<usize>,
    running: Vec<usize>,
    /// For each step with `join: all` that is not complete: who has led to it.
    arrived: HashMap<usize, HashSet<usize>>,
    /// Steps with `join: any` that were reached.
    joined: HashSet<usize>,
}

impl Tokens {
    /// The execution begins.
    pub fn start(&mut self, step: usize) {
        self.waiting.push(step);
    }

    /// The step `from` has led to these.
    pub fn lead(&mut self, plan: &Plan, from: usize, steps: &[usize]) {
        for &step in steps {
            let comes = match plan.playbook.steps[step].join {
                Join::Open => true,
                Join::Any => self.joined.insert(step),
                Join::All => {
                    let arrived = self.arrived.entry(step).or_default();
                    arrived.insert(from);
                    let complete = arrived.len() == plan.sources(step).len();
                    if complete {
                        self.arrived.remove(&step);
                    }
                    complete
                }
            };
            if comes && !self.waiting.contains(&step) {
                self.waiting.push(step);
            }
        }
    }

    /// Takes the first of the waiting steps that can start.
    pub fn next(&mut self, plan: &Plan) -> Option<usize> {
        let step = plan.startable(&self.waiting, &self.running).next()?;
        self.waiting.retain(|&waiting| waiting != step);
        Some(step)
    }

    pub fn run(&mut self, step: usize) {
        self.running.push(step);
    }

    pub fn ended(&mut self, step: usize) {
        self.running.retain(|&running| running != step);
    }

    pub fn running(&self) -> &[usize] {
        &self.running
    }

    /// Nothing runs any more.
    pub fn stop(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.running)
    }

    /// No further step starts.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.arrived.clear();
    }

    /// A step with `join: all` that was reached and is not complete, with those that
    /// have not led to it.
    pub fn incomplete(&self, plan: &Plan) -> Option<(usize, Vec<usize>)> {
        let (&step, arrived) = self.arrived.iter().min_by_key(|(step, _)| **step)?;
        let missing = plan.sources(step).iter().copied();
        Some((
            step,
            missing.filter(|from| !arrived.contains(from)).collect(),
        ))
    }
}
