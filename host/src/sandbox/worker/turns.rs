//! Whose step computes next in a worker: the tenants by turns.
//!
//! A guest that computes gives way every tick. The runtime's own queue would then
//! give sixty busy steps of one tenant sixty turns for one of its neighbour's. And it
//! is asked as late as can be: what has arrived while the last one computed counts.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tokio::task::yield_now;

type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The steps of one thread.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    next_id: u64,
    steps: HashMap<u64, Step>,
    /// The number of the round; a tenant has a turn in each, if it is ready.
    round: u64,
    tenants: HashMap<Arc<str>, Tenant>,
}

#[derive(Default)]
struct Tenant {
    /// The round of its next turn.
    round: u64,
    ready: VecDeque<(u64, Waker)>,
}

/// A step that was started. It ends when this is dropped.
pub(super) struct Started {
    turns: Arc<Turns>,
    id: u64,
}

/// Makes a step ready for its next turn.
struct Ready {
    turns: Arc<Turns>,
    tenant: Arc<str>,
    id: u64,
}

impl Turns {
    /// Starts a step.
    pub fn start(
        self: &Arc<Self>,
        tenant: &str,
        step: impl Future<Output = ()> + Send + 'static,
    ) -> Started {
        let id = {
            let mut state = self.lock();
            state.next_id += 1;
            let id = state.next_id;
            state.steps.insert(id, Box::pin(step));
            id
        };
        Arc::new(Ready {
            turns: Arc::clone(self),
            tenant: tenant.into(),
            id,
        })
        .wake();
        Started {
            turns: Arc::clone(self),
            id,
        }
    }

    /// Gives the steps their turns, for ever.
    pub async fn run(&self) {
        loop {
            let ready = self.ready.notified();
            let Some((id, waker)) = self.next() else {
                ready.await;
                continue;
            };
            // It is not there if it has ended meanwhile, or was ended.
            let step = self.lock().steps.remove(&id);
            if let Some(mut step) = step
                && step.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending
            {
                self.lock().steps.insert(id, step);
            }
            // Messages are read before the next turn.
            yield_now().await;
        }
    }

    fn next(&self) -> Option<(u64, Waker)> {
        let mut state = self.lock();
        let ready = |tenant: &&mut Tenant| !tenant.ready.is_empty();
        let tenants = state.tenants.values_mut().filter(ready);
        let Some(tenant) = tenants.min_by_key(|tenant| tenant.round) else {
            // Nobody is behind another.
            state.tenants.clear();
            return None;
        };
        let round = tenant.round;
        tenant.round += 1;
        let next = tenant.ready.pop_front();
        state.round = round;
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        let mut state = self.turns.lock();
        let round = state.round;
        let tenant = state.tenants.entry(Arc::clone(&self.tenant)).or_default();
        if tenant.ready.iter().all(|(other, _)| *other != self.id) {
            // Turns that it did not want are not kept for it.
            tenant.round = tenant.round.max(round);
            let again = Waker::from(Arc::clone(&self));
            tenant.ready.push_back((self.id, again));
        }
        drop(state);
        self.turns.ready.notify_one();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Dropped after the lock: what ends with it may wake others.
        let step = self.turns.lock().steps.remove(&self.id);
        drop(step);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Gives way as a guest does at a tick.
    async fn tick() {
        let mut waited = false;
        std::future::poll_fn(|cx| match std::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    type Log = Arc<Mutex<Vec<&'static str>>>;

    /// A step that computes for so many ticks, and notes each.
    fn busy(
        turns: &Arc<Turns>,
        log: &Log,
        tenant: &'static str,
        ticks: usize,
    ) -> (Started, oneshot::Receiver<()>) {
        let log = Arc::clone(log);
        let (done, end) = oneshot::channel();
        let started = turns.start(tenant, async move {
            for _ in 0..ticks {
                log.lock().unwrap().push(tenant);
                tick().await;
            }
            let _ = done.send(());
        });
        (started, end)
    }

    fn turns() -> (Arc<Turns>, Log) {
        let turns = Arc::new(Turns::default());
        let runs = Arc::clone(&turns);
        tokio::spawn(async move { runs.run().await });
        (turns, Log::default())
    }

    #[tokio::test]
    async fn a_tenant_with_many_busy_steps_has_one_turn_for_each_of_its_neighbours() {
        let (turns, log) = turns();
        let many: Vec<_> = (0..64).map(|_| busy(&turns, &log, "many", 50)).collect();
        while log.lock().unwrap().len() < 10 {
            yield_now().await;
        }
        let before = log.lock().unwrap().len();
        let (_few, end) = busy(&turns, &log, "few", 5);
        end.await.unwrap();
        let since = log.lock().unwrap()[before..].to_vec();
        assert_eq!(since.iter().filter(|tenant| **tenant == "few").count(), 5);
        let last = since.iter().rposition(|tenant| *tenant == "few");
        assert!(last.is_some_and(|last| last <= 10), "{since:?}");
        for (_many, end) in many {
            end.await.unwrap();
        }
        let state = turns.lock();
        assert!(state.steps.is_empty(), "all have ended");
    }

    #[tokio::test]
    async fn a_step_that_is_dropped_ends_and_the_others_go_on() {
        let (turns, log) = turns();
        let (first, mut end) = busy(&turns, &log, "a", 1000);
        let (_second, second) = busy(&turns, &log, "b", 3);
        yield_now().await;
        drop(first);
        second.await.unwrap();
        assert!(end.try_recv().is_err());
        assert!(log.lock().unwrap().len() < 20);
        assert!(turns.lock().steps.is_empty());
    }

    #[tokio::test]
    async fn a_step_that_waits_takes_no_turn() {
        let (turns, log) = turns();
        let (go, wait) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel();
        let _waits = turns.start("a", async move {
            wait.await.unwrap();
            done.send(()).unwrap();
        });
        let (_busy, other) = busy(&turns, &log, "b", 10);
        other.await.unwrap();
        go.send(()).unwrap();
        end.await.unwrap();
    }
}
