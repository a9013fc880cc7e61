//! Which steps others lead to, and are led to by.

/// `reaches[a][b]`: there is a way of one or more transitions from a to b. `next[a]` are
/// the steps that a leads to.
#[must_use]
pub fn reaches(next: &[Vec<usize>]) -> Vec<Vec<bool>> {
    let from = |step: usize| {
        let mut seen = vec![false; next.len()];
        let mut open = next[step].clone();
        while let Some(step) = open.pop() {
            if !std::mem::replace(&mut seen[step], true) {
                open.extend(&next[step]);
            }
        }
        seen
    };
    (0..next.len()).map(from).collect()
}

/// The steps that lead to each. `next[a]` are the steps that a leads to.
#[must_use]
pub fn sources(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut sources = vec![Vec::new(); next.len()];
    for (from, steps) in next.iter().enumerate() {
        for &step in steps {
            let sources: &mut Vec<usize> = &mut sources[step];
            // One may lead there in several ways.
            if sources.last() != Some(&from) {
                sources.push(from);
            }
        }
    }
    sources
}
