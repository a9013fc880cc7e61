//! Figures, and how they are printed.

use std::time::{Duration, Instant};

pub fn times(
    runs: usize,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    (0..runs)
        .map(|_| {
            let started = Instant::now();
            run()?;
            Ok(started.elapsed())
        })
        .collect()
}

pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}

pub fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

pub fn row(what: &str, times: &[Duration], beside: &str) {
    println!(
        "| {what} | {} | {} | {beside} |",
        ms(median(times)),
        ms(percentile(times, 99))
    );
}
