//! Whose step computes next in a worker: the tenants by turns.
//!
//! A guest that computes gives way every tick. The runtime would then run what is
//! ready in the order in which it got ready, so that a tenant with sixty busy steps
//! has sixty turns for one of its neighbour's.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The steps of one thread that are ready to go on.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    next_id: u64,
    /// Who may go on, and will be polled for it.
    turn: Option<u64>,
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

impl Turns {
    /// The future `step`, which goes on when it is its tenant's turn.
    pub fn fair<F: Future>(self: &Arc<Self>, tenant: &str, step: F) -> Fair<F> {
        let mut state = self.lock();
        state.next_id += 1;
        Fair {
            turns: Arc::clone(self),
            tenant: tenant.into(),
            id: state.next_id,
            step: Box::pin(step),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is held")
    }
}

impl State {
    fn enter(&mut self, tenant: &Arc<str>, id: u64, waker: &Waker) {
        let round = self.round;
        let tenant = self.tenants.entry(Arc::clone(tenant)).or_default();
        match tenant.ready.iter_mut().find(|(other, _)| *other == id) {
            Some((_, known)) => known.clone_from(waker),
            None => tenant.ready.push_back((id, waker.clone())),
        }
        // Turns that it did not want are not kept for it.
        tenant.round = tenant.round.max(round);
    }

    /// Gives the turn on, if nobody has it.
    fn pass(&mut self) {
        if self.turn.is_some() {
            return;
        }
        let ready = |tenant: &&mut Tenant| !tenant.ready.is_empty();
        let tenants = self.tenants.values_mut().filter(ready);
        match tenants.min_by_key(|tenant| tenant.round) {
            Some(tenant) => {
                self.round = tenant.round;
                tenant.round += 1;
                if let Some((id, waker)) = tenant.ready.pop_front() {
                    self.turn = Some(id);
                    waker.wake();
                }
            }
            // Nobody is behind another.
            None => self.tenants.clear(),
        }
    }

    fn leave(&mut self, tenant: &Arc<str>, id: u64) {
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.ready.retain(|(other, _)| *other != id);
        }
        if self.turn == Some(id) {
            self.turn = None;
        }
        self.pass();
    }
}

/// A step among others.
pub(super) struct Fair<F> {
    turns: Arc<Turns>,
    tenant: Arc<str>,
    id: u64,
    step: Pin<Box<F>>,
}

impl<F: Future> Future for Fair<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let fair = &mut *self;
        {
            let mut state = fair.turns.lock();
            if state.turn != Some(fair.id) {
                // All that are ready come here before the one that is woken now:
                // the runtime has it at the end of its queue.
                state.enter(&fair.tenant, fair.id, cx.waker());
                state.pass();
                return Poll::Pending;
            }
        }
        let polled = fair.step.as_mut().poll(cx);
        let mut state = fair.turns.lock();
        state.turn = None;
        state.pass();
        polled
    }
}

impl<F> Drop for Fair<F> {
    fn drop(&mut self) {
        self.turns.lock().leave(&self.tenant, self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::task::{JoinHandle, yield_now};

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
    fn busy(turns: &Arc<Turns>, log: &Log, tenant: &'static str, ticks: usize) -> JoinHandle<()> {
        let log = Arc::clone(log);
        tokio::spawn(turns.fair(tenant, async move {
            for _ in 0..ticks {
                log.lock().unwrap().push(tenant);
                tick().await;
            }
        }))
    }

    #[tokio::test]
    async fn a_tenant_with_many_busy_steps_has_one_turn_for_each_of_its_neighbours() {
        let (turns, log) = (Arc::new(Turns::default()), Log::default());
        let mut steps: Vec<_> = (0..64).map(|_| busy(&turns, &log, "many", 50)).collect();
        while log.lock().unwrap().len() < 10 {
            yield_now().await;
        }
        let before = log.lock().unwrap().len();
        let few = busy(&turns, &log, "few", 5);
        few.await.unwrap();
        let since = log.lock().unwrap()[before..].to_vec();
        assert_eq!(since.iter().filter(|tenant| **tenant == "few").count(), 5);
        // What gets ready while another has the turn gets the one after the next.
        let last = since.iter().rposition(|tenant| *tenant == "few");
        assert!(last.is_some_and(|last| last < 16), "{since:?}");

        for step in steps.drain(..32) {
            step.abort();
        }
        for step in steps {
            step.await.unwrap();
        }
        let state = turns.lock();
        assert!(state.turn.is_none() && state.tenants.is_empty());
    }

    #[tokio::test]
    async fn a_step_that_is_dropped_in_its_turn_gives_it_on() {
        let (turns, log) = (Arc::new(Turns::default()), Log::default());
        let first = busy(&turns, &log, "a", 1000);
        let second = busy(&turns, &log, "b", 3);
        yield_now().await;
        first.abort();
        second.await.unwrap();
        yield_now().await;
        assert!(turns.lock().turn.is_none());
    }
}
