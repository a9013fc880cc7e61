//! Which steps others lead to.

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
