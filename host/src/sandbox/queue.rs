//! Which step runs next: so many at once, and the tenants by turns.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::oneshot;

use tracing::Instrument;

use super::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
use crate::metrics::{Labels, Metrics, StepUse};
use crate::visible::visible;

/// How many steps run and wait at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Steps that run at once.
    pub steps: usize,
    /// Steps of one tenant that run at once.
    pub tenant_steps: usize,
    /// Steps that wait for their turn.
    pub queued_steps: usize,
    /// Steps of one tenant that wait for their turn.
    pub tenant_queued_steps: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            steps: 512,
            // All of them computing, another tenant's step still gets the
            // processor after a fraction of a second.
            tenant_steps: 64,
            queued_steps: 40_000,
            tenant_queued_steps: 10_000,
        }
    }
}

/// A runner whose steps wait for their turn. A slot that gets free is given to
/// the tenants by turns, whatever the length of their queues.
pub struct Queued<R> {
    runner: R,
    turns: Arc<Turns>,
    metrics: Metrics,
}

impl<R: StepRunner> Queued<R> {
    /// `runner` behind a queue.
    pub fn new(runner: R, limits: QueueLimits, metrics: Metrics) -> Self {
        let turns = Arc::new(Turns {
            limits,
            state: Mutex::default(),
        });
        watch(&turns, &metrics);
        Self {
            runner,
            turns,
            metrics,
        }
    }

    async fn run_in_turn(&self, request: StepRequest) -> StepOutcome {
        let asked = Instant::now();
        let slot = match self.turns.slot(&request.tenant).await {
            Ok(slot) => slot,
            Err(error) => {
                return StepOutcome {
                    result: Err(error),
                    log: Vec::new(),
                    usage: Usage::default(),
                };
            }
        };
        let queued = asked.elapsed();
        let mut outcome = self.runner.run(request).await;
        drop(slot);
        outcome.usage.queued = queued;
        outcome
    }
}

/// How many steps run and wait, by tenant.
fn watch(turns: &Arc<Turns>, metrics: &Metrics) {
    let of = |turns: &Arc<Turns>, count: fn(&Tenant) -> usize| {
        let turns = Arc::clone(turns);
        move || turns.lock().by_tenant(count)
    };
    metrics.watch(
        "steps_running",
        "Steps that run now",
        of(turns, |tenant| tenant.running),
    );
    metrics.watch(
        "steps_queued",
        "Steps that wait for their turn now",
        of(turns, |tenant| tenant.waiting.len()),
    );
}

fn span(request: &StepRequest) -> tracing::Span {
    let step = visible(&request.step);
    tracing::error_span!(
        "step",
        otel.name = format!("step {step}"),
        step,
        tool = visible(&request.tool),
        otel.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
    )
}

#[async_trait]
impl<R: StepRunner> StepRunner for Queued<R> {
    fn ready(&self) -> Result<(), String> {
        self.runner.ready()
    }

    async fn run(&self, request: StepRequest) -> StepOutcome {
        let span = span(&request);
        let mut counted = Counted {
            metrics: &self.metrics,
            tenant: request.tenant.clone(),
            tool: request.tool.clone(),
            outcome: "cancelled",
            used: StepUse::default(),
        };
        let outcome = self.run_in_turn(request).instrument(span.clone()).await;
        counted.outcome = match &outcome.result {
            Ok(_) => "success",
            Err(error) => {
                let category = error.category.as_str();
                span.record("otel.status_code", "ERROR");
                span.record("error.type", category);
                category
            }
        };
        counted.used = StepUse {
            duration: outcome.usage.duration,
            queued: outcome.usage.queued,
            cpu: outcome.usage.cpu,
            memory_bytes: outcome.usage.memory_bytes,
            host_calls: outcome.usage.host_calls,
        };
        outcome
    }
}

/// A step that counts however it ends: nobody may wait for it any more.
struct Counted<'a> {
    metrics: &'a Metrics,
    tenant: String,
    tool: String,
    outcome: &'static str,
    used: StepUse,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics
            .step(&self.tenant, &self.tool, self.outcome, self.used);
    }
}

struct Turns {
    limits: QueueLimits,
    state: Mutex<State>,
}

/// Whenever it is unlocked, no step waits that could run.
#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    tenants: HashMap<String, Tenant>,
    /// The tenants with waiting steps; the first has the next turn.
    order: VecDeque<String>,
    next_place: u64,
}

#[derive(Default)]
struct Tenant {
    running: usize,
    /// By place, which only counts up.
    waiting: BTreeMap<u64, oneshot::Sender<Slot>>,
}

/// The right to run one step, until it is dropped.
struct Slot {
    turns: Arc<Turns>,
    tenant: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.turns.give_back(&self.tenant);
    }
}

/// A place in the queue, left when it is dropped.
struct Place<'a> {
    turns: &'a Turns,
    tenant: &'a str,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.lock().leave(self.tenant, self.number);
    }
}

impl Turns {
    async fn slot(self: &Arc<Self>, tenant: &str) -> Result<Slot, StepError> {
        let (place, turn) = {
            let mut state = self.lock();
            if state.can_run(tenant, &self.limits) {
                return Ok(self.take(&mut state, tenant));
            }
            state.room(tenant, &self.limits)?;
            let (place, turn) = state.enter(tenant);
            (
                Place {
                    turns: self,
                    tenant,
                    number: place,
                },
                turn,
            )
        };
        let slot = turn.await.expect("a place is only taken away with a slot");
        drop(place);
        Ok(slot)
    }

    fn take(self: &Arc<Self>, state: &mut State, tenant: &str) -> Slot {
        state.running += 1;
        state.tenant(tenant).running += 1;
        Slot {
            turns: Arc::clone(self),
            tenant: tenant.into(),
        }
    }

    fn give_back(self: &Arc<Self>, tenant: &str) {
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            state.running -= 1;
            state.tenant(tenant).running -= 1;
            state.forget_if_idle(tenant);
            while let Some((tenant, waiter)) = state.next(&self.limits) {
                given.push((self.take(&mut state, &tenant), waiter));
            }
        }
        // Not under the lock: a slot that finds its waiter gone comes back here.
        for (slot, waiter) in given {
            drop(waiter.send(slot));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }
}

impl State {
    fn tenant(&mut self, name: &str) -> &mut Tenant {
        // Without an allocation for the name that is known, the usual case.
        if !self.tenants.contains_key(name) {
            self.tenants.insert(name.into(), Tenant::default());
        }
        self.tenants.get_mut(name).expect("it is there now")
    }

    fn by_tenant(&self, count: fn(&Tenant) -> usize) -> Vec<(Labels, f64)> {
        let counted = self.tenants.iter();
        counted
            .map(|(name, tenant)| (vec![("tenant", name.clone())], count(tenant) as f64))
            .collect()
    }

    fn running_of(&self, tenant: &str) -> usize {
        self.tenants.get(tenant).map_or(0, |tenant| tenant.running)
    }

    fn can_run(&self, tenant: &str, limits: &QueueLimits) -> bool {
        self.running < limits.steps && self.running_of(tenant) < limits.tenant_steps
    }

    fn room(&self, tenant: &str, limits: &QueueLimits) -> Result<(), StepError> {
        let of_tenant = self.tenants.get(tenant).map_or(0, |t| t.waiting.len());
        let message = if of_tenant >= limits.tenant_queued_steps {
            format!(
                "{of_tenant} steps of tenant `{tenant}` wait for their turn already, its limit tenant-queued-steps = {}; start fewer executions at once",
                limits.tenant_queued_steps
            )
        } else if self.waiting >= limits.queued_steps {
            format!(
                "{} steps wait for their turn already, the server's limit queued-steps = {}; try again later",
                self.waiting, limits.queued_steps
            )
        } else {
            return Ok(());
        };
        Err(StepError::new(ErrorCategory::Overloaded, message))
    }

    fn enter(&mut self, tenant: &str) -> (u64, oneshot::Receiver<Slot>) {
        let (waiter, turn) = oneshot::channel();
        let place = self.next_place;
        self.next_place += 1;
        self.waiting += 1;
        let queue = &mut self.tenant(tenant).waiting;
        queue.insert(place, waiter);
        if queue.len() == 1 {
            self.order.push_back(tenant.into());
        }
        (place, turn)
    }

    /// The step whose turn it is, taken out of its queue.
    fn next(&mut self, limits: &QueueLimits) -> Option<(String, oneshot::Sender<Slot>)> {
        if self.running >= limits.steps {
            return None;
        }
        let turn = self
            .order
            .iter()
            .position(|tenant| self.running_of(tenant) < limits.tenant_steps)?;
        let name = self.order.remove(turn)?;
        let tenant = self.tenants.get_mut(&name)?;
        let (_, waiter) = tenant.waiting.pop_first()?;
        self.waiting -= 1;
        if !tenant.waiting.is_empty() {
            self.order.push_back(name.clone());
        }
        Some((name, waiter))
    }

    fn leave(&mut self, tenant: &str, place: u64) {
        let Some(known) = self.tenants.get_mut(tenant) else {
            return;
        };
        if known.waiting.remove(&place).is_none() {
            return; // It was its turn.
        }
        self.waiting -= 1;
        if known.waiting.is_empty() {
            self.order.retain(|waiting| waiting != tenant);
            self.forget_if_idle(tenant);
        }
    }

    fn forget_if_idle(&mut self, tenant: &str) {
        let idle = |tenant: &Tenant| tenant.running == 0 && tenant.waiting.is_empty();
        if self.tenants.get(tenant).is_some_and(idle) {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use serde_json::Value;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    use super::*;
    use crate::sandbox::Limits;

    /// Notes which step began, and lets it end when the test says so.
    #[derive(Clone)]
    struct Gate {
        began: Arc<Mutex<Vec<String>>>,
        may_end: Arc<Semaphore>,
    }

    #[async_trait]
    impl StepRunner for Gate {
        async fn run(&self, request: StepRequest) -> StepOutcome {
            self.began.lock().unwrap().push(request.step);
            self.may_end.acquire().await.unwrap().forget();
            StepOutcome {
                result: Ok(Value::Null),
                log: Vec::new(),
                usage: Usage::default(),
            }
        }
    }

    struct Bench {
        gate: Gate,
        queued: Arc<Queued<Gate>>,
    }

    impl Bench {
        fn new(limits: QueueLimits) -> Self {
            let gate = Gate {
                began: Arc::default(),
                may_end: Arc::new(Semaphore::new(0)),
            };
            Self {
                queued: Arc::new(Queued::new(gate.clone(), limits, Metrics::new())),
                gate,
            }
        }

        fn start(&self, tenant: &str) -> tokio::task::JoinHandle<StepOutcome> {
            let queued = Arc::clone(&self.queued);
            let request = StepRequest {
                tool: "probe".into(),
                tenant: tenant.into(),
                execution_id: uuid::Uuid::nil(),
                playbook: "tests/queue".into(),
                grant: Arc::new(crate::grants::Grant::nothing()),
                step: tenant.into(),
                config: Value::Null,
                args: Value::Null,
                capabilities: None,
                credentials: None,
                limits: Limits::default(),
            };
            tokio::spawn(async move { queued.run(request).await })
        }

        fn began(&self) -> Vec<String> {
            self.gate.began.lock().unwrap().clone()
        }

        fn began_of(&self, tenant: &str) -> usize {
            self.began().iter().filter(|step| *step == tenant).count()
        }

        fn waiting(&self) -> usize {
            self.queued.turns.lock().waiting
        }

        async fn settle(&self) {
            // The runtime polls 61 tasks at most for each.
            for _ in 0..400 {
                yield_now().await;
            }
        }

        async fn end(&self, steps: usize) {
            for _ in 0..steps {
                self.gate.may_end.add_permits(1);
                self.settle().await;
            }
        }
    }

    fn limits(steps: usize, tenant_steps: usize) -> QueueLimits {
        QueueLimits {
            steps,
            tenant_steps,
            ..QueueLimits::default()
        }
    }

    #[tokio::test]
    async fn ten_thousand_queued_steps_do_not_delay_another_tenants_first() {
        let bench = Bench::new(limits(4, 4));
        let many: Vec<_> = (0..10_000).map(|_| bench.start("many")).collect();
        bench.settle().await;
        assert_eq!((bench.began_of("many"), bench.waiting()), (4, 9_996));
        let few: Vec<_> = (0..3).map(|_| bench.start("few")).collect();
        bench.settle().await;
        assert_eq!(bench.began_of("few"), 0, "all slots are taken");

        bench.end(6).await;
        let order = bench.began()[4..].to_vec();
        assert_eq!(order, ["many", "few", "many", "few", "many", "few"]);

        bench.gate.may_end.add_permits(10_003);
        let outcomes = join_all(many.into_iter().chain(few)).await;
        assert!(outcomes.into_iter().all(|o| o.unwrap().result.is_ok()));
        let state = bench.queued.turns.lock();
        assert_eq!((state.running, state.waiting), (0, 0));
        assert!(state.tenants.is_empty() && state.order.is_empty());
    }

    #[tokio::test]
    async fn a_tenant_leaves_slots_to_the_others() {
        let bench = Bench::new(limits(4, 3));
        let _many: Vec<_> = (0..10).map(|_| bench.start("many")).collect();
        bench.settle().await;
        assert_eq!(bench.began_of("many"), 3);
        let _few = bench.start("few");
        bench.settle().await;
        assert_eq!(bench.began_of("few"), 1, "it does not even wait");
        bench.end(1).await;
        assert_eq!(bench.began_of("many"), 4);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_says_which_limit() {
        let bench = Bench::new(QueueLimits {
            steps: 1,
            tenant_steps: 1,
            queued_steps: 3,
            tenant_queued_steps: 2,
        });
        let kept: Vec<_> = ["a", "a", "a", "b"].map(|t| bench.start(t)).into();
        bench.settle().await;
        for (tenant, part) in [
            (
                "a",
                "`a` wait for their turn already, its limit tenant-queued-steps = 2",
            ),
            ("c", "the server's limit queued-steps = 3"),
        ] {
            let error = bench.start(tenant).await.unwrap().result.unwrap_err();
            assert_eq!(error.category, ErrorCategory::Overloaded);
            assert!(error.message.contains(part), "{error}");
        }
        bench.gate.may_end.add_permits(4);
        for outcome in join_all(kept).await {
            assert!(outcome.unwrap().result.is_ok(), "what was taken in runs");
        }
    }

    #[tokio::test]
    async fn a_cancelled_step_leaves_its_place_and_its_slot() {
        let bench = Bench::new(limits(1, 1));
        let running = bench.start("a");
        let places: Vec<_> = ["a", "a", "b"].map(|t| bench.start(t)).into();
        bench.settle().await;
        assert_eq!(bench.waiting(), 3);
        places[0].abort();
        places[2].abort();
        bench.settle().await;
        assert_eq!(bench.waiting(), 1);
        assert_eq!(bench.queued.turns.lock().order, ["a"]);
        running.abort();
        bench.settle().await;
        assert_eq!((bench.began(), bench.waiting()), (vec!["a".into(); 2], 0));

        // Cancelled at the very moment of its turn: the slot is not lost.
        let next = bench.start("b");
        bench.settle().await;
        bench.gate.may_end.add_permits(1);
        while bench.waiting() > 0 {
            yield_now().await;
        }
        next.abort();
        let last = bench.start("c");
        bench.settle().await;
        bench.gate.may_end.add_permits(1);
        assert!(last.await.unwrap().result.is_ok());
    }

    #[tokio::test]
    async fn the_wait_is_told_apart_from_the_run() {
        let bench = Bench::new(limits(1, 1));
        let (first, second) = (bench.start("a"), bench.start("a"));
        bench.settle().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.gate.may_end.add_permits(2);
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert!(first.usage.queued < second.usage.queued);
    }
}
