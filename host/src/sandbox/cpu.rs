//! How long a processor really works for a step.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The processor time of one step. Clones share it.
///
/// The step's future runs on the thread that polls it, and on no other, so that
/// thread's clock tells what each poll took: the guest, and what the host did
/// for it meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct CpuMeter(Arc<Inner>);

/// In nanoseconds.
#[derive(Debug, Default)]
struct Inner {
    /// By all polls that have ended.
    spent: AtomicU64,
    /// The thread's clock when the current poll began.
    since: AtomicU64,
}

impl CpuMeter {
    /// Runs `future` and counts what it takes.
    pub(super) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.0.since.store(thread_clock(), Relaxed);
            let polled = future.as_mut().poll(context);
            self.0.spent.fetch_add(self.current(), Relaxed);
            polled
        })
        .await
    }

    /// What was counted while no poll runs.
    pub(super) fn spent(&self) -> Duration {
        Duration::from_nanos(self.0.spent.load(Relaxed))
    }

    /// The same within a poll.
    pub(super) fn spent_so_far(&self) -> Duration {
        Duration::from_nanos(self.0.spent.load(Relaxed) + self.current())
    }

    fn current(&self) -> u64 {
        thread_clock().saturating_sub(self.0.since.load(Relaxed))
    }
}

fn thread_clock() -> u64 {
    // Every Linux has this clock; a sandbox that forbids it must be noticed.
    let clock = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("the clock of the thread can be read");
    u64::try_from(Duration::from(clock).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_counts_and_waiting_does_not() {
        let meter = CpuMeter::default();
        meter
            .measure(tokio::time::sleep(Duration::from_millis(50)))
            .await;
        let waited = meter.spent();
        let worked = meter
            .measure(async {
                let before = meter.spent_so_far();
                while meter.spent_so_far() < before + Duration::from_millis(20) {
                    std::hint::black_box(0);
                }
                meter.spent_so_far()
            })
            .await;
        assert!(
            waited < worked && worked <= meter.spent(),
            "{waited:?} {worked:?}"
        );
        assert!(worked >= Duration::from_millis(20));
    }
}
