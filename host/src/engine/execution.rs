//! The walk of one execution through its playbook.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::activity::{self, Activity, Ended, Partial, Update, Work};
use super::asserts;
use super::context::Context;
use super::event::{Journal, milliseconds};
use super::given::{Given, error_value};
use super::history::{Finally, History, Past};
use super::limits::{FINALLY_TIME, MAX_STEPS, too_many_steps};
use super::replay::{self, Difference, Replay};
use super::step::{located, prepare, render, template_error};
use super::tokens::Tokens;
use super::{Engine, Event, Execution, ExecutionLimits, Listener, Plan, StepRecord, merge};
use crate::capabilities::log::Entry;
use crate::playbook::{Action, Condition, Next, Step};
use crate::sandbox::{ErrorCategory, StepError, Usage};
use crate::store::{EventRecord, Finished, RecordError};
use crate::template::Scope;

/// What became of an execution.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the playbook gives: its `output`, or the last tool step's result.
    pub result: Option<Value>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The tool steps that ran, in the order in which they ended.
    pub steps: Vec<StepRecord>,
}

/// The step that failed an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The step's name.
    pub step: String,
    /// Its tool, if it has one.
    pub tool: Option<String>,
    /// Why.
    pub error: StepError,
}

/// Runs `execution` from `start`, or from where its history ends, until no step is
/// left or one has failed, and then the steps of `finally`.
pub(super) async fn run(engine: &Engine, mut execution: Execution) -> Result<Outcome, RecordError> {
    let history = execution.history.take();
    let version = execution.version;
    let mut walk = Walk::new(engine, execution);
    walk.tokens.start(walk.context.plan.start);
    let mut again = Vec::new();
    let mut finally = None;
    match history {
        None => {
            walk.journal.push(
                "execution_started",
                None,
                json!({"path": walk.context.plan.playbook.path, "version": version}),
            );
            walk.check_workload();
        }
        Some(history) => (again, finally) = walk.resume(history).await,
    }
    if finally.is_none() {
        walk.workflow(again).await?;
    }
    walk.give();
    walk.finally(finally).await?;
    walk.finish().await
}

/// Walks an execution that has ended once more, as its record says.
pub(super) async fn replay(
    engine: &Engine,
    mut execution: Execution,
    events: &[EventRecord],
    result: Option<Value>,
) -> Replay {
    let history = execution.history.take();
    let mut walk = Walk::new(engine, execution);
    walk.replaying = true;
    walk.tokens.start(walk.context.plan.start);
    if let Some(history) = history {
        walk.replay(history).await;
    }
    let steps = replay::compare(events, &walk.journal.take());
    let differences: Vec<_> = match &walk.outcome.failure {
        None => {
            let now = walk.outcome.result.unwrap_or_default();
            Difference::between("result", &result.unwrap_or_default(), &now)
        }
        Some(failure) if result.is_some() => {
            Difference::between("error", &Value::Null, &json!(failure.error))
        }
        Some(_) => None,
    }
    .into_iter()
    .collect();
    Replay {
        same: differences.is_empty() && steps.iter().all(|step| step.differences.is_empty()),
        steps,
        differences,
    }
}

struct Walk {
    context: Arc<Context>,
    cancel: CancellationToken,
    listener: Option<Listener>,
    /// What templates see.
    scope: Scope,
    tokens: Tokens,
    begun: HashMap<usize, DateTime<Utc>>,
    /// How often each step has started.
    visits: HashMap<usize, u32>,
    tasks: JoinSet<(usize, Ended)>,
    updates: UnboundedSender<Update>,
    heard: UnboundedReceiver<Update>,
    journal: Journal,
    untold: Vec<Event>,
    outcome: Outcome,
    /// What was done before its server was gone of steps that had not ended.
    partial: HashMap<String, Partial>,
    /// Steps that were reached, with a tool or without.
    passed: usize,
    deadline: Instant,
    /// What it may take.
    time: Duration,
    in_finally: bool,
    /// Nothing is run: what steps are given is kept.
    replaying: bool,
}

struct Start {
    step: usize,
    activity: Activity,
}

type Joined = Option<Result<(usize, Ended), JoinError>>;

impl Walk {
    fn new(engine: &Engine, execution: Execution) -> Self {
        let Execution {
            tenant,
            id,
            plan,
            payload,
            events,
            cancel,
            calls,
            lineage,
            ..
        } = execution;
        let workload = merge(&plan.playbook.workload, payload);
        let mut scope = Scope::default();
        scope.set("workload", &Value::Object(workload));
        scope.set("execution_id", &json!(id));
        let most = engine.limits.time;
        let time = plan.playbook.timeout.map_or(most, |time| time.min(most));
        let (updates, heard) = unbounded_channel();
        Self {
            context: Arc::new(Context {
                engine: engine.clone(),
                tenant,
                id,
                plan,
                calls,
                lineage,
            }),
            cancel,
            listener: events,
            scope,
            tokens: Tokens::default(),
            begun: HashMap::new(),
            visits: HashMap::new(),
            tasks: JoinSet::new(),
            updates,
            heard,
            journal: Journal::default(),
            untold: Vec::new(),
            outcome: Outcome {
                result: None,
                failure: None,
                steps: Vec::new(),
            },
            partial: HashMap::new(),
            passed: 0,
            deadline: Instant::now() + time,
            time,
            in_finally: false,
            replaying: false,
        }
    }

    /// Runs steps until none is left, or one has failed. `again` have started before.
    async fn workflow(&mut self, again: Vec<usize>) -> Result<(), RecordError> {
        let again = again.into_iter();
        let mut starts: Vec<Start> = again.filter_map(|step| self.prepare(step)).collect();
        loop {
            while let Some(index) = self.next_step().await {
                starts.extend(self.prepare(index));
            }
            if self.tokens.running().is_empty() {
                self.check_joins();
                return Ok(());
            }
            self.go(std::mem::take(&mut starts)).await?;
        }
    }

    /// Starts these steps, and waits for something to happen in those that run.
    async fn go(&mut self, starts: Vec<Start>) -> Result<(), RecordError> {
        // What has happened is stored before anything follows from it.
        self.store(None).await?;
        for start in starts {
            self.spawn(start);
        }
        self.wait().await;
        Ok(())
    }

    /// The next tool step that can start; passes through routers on the way.
    async fn next_step(&mut self) -> Option<usize> {
        let plan = Arc::clone(&self.context.plan);
        while self.outcome.failure.is_none() {
            let Some(index) = self.tokens.next(&plan) else {
                break;
            };
            let step = &plan.playbook.steps[index];
            self.passed += 1;
            if self.passed > MAX_STEPS {
                self.fail_with(step, step.action.as_ref(), too_many_steps());
                break;
            }
            if step.action.is_some() {
                *self.visits.entry(index).or_default() += 1;
                return Some(index);
            }
            let scope = self.scope.for_step();
            let checked = asserts::check(&plan.playbook, step, &scope);
            match checked.and_then(|()| self.choose(step, &step.next, &scope)) {
                Ok(next) => self.tokens.lead(&plan, index, &next),
                Err(error) => {
                    self.failed(index, None, error);
                }
            }
            // Conditions may be long work: others get their turn.
            yield_now().await;
            if Instant::now() >= self.deadline {
                self.fail_with(step, None, self.out_of_time());
            }
        }
        None
    }

    /// A step with `join: all` that not all have led to can't start any more.
    fn check_joins(&mut self) {
        let plan = Arc::clone(&self.context.plan);
        if self.outcome.failure.is_some() {
            return;
        }
        let Some((index, missing)) = self.tokens.incomplete(&plan) else {
            return;
        };
        let step = &plan.playbook.steps[index];
        let missing = names(&plan, &missing).join("`, `");
        let what = format!("it waits for all that lead to it, and `{missing}` did not");
        let message = located(&plan.playbook, step, step.line, Some("join"), what);
        let error = StepError {
            kind: "join".into(),
            ..StepError::new(ErrorCategory::Failed, message)
        };
        self.fail_with(step, step.action.as_ref(), error);
    }

    /// What a tool step needs to start. If it can't be had, the step has failed.
    fn prepare(&mut self, index: usize) -> Option<Start> {
        let plan = Arc::clone(&self.context.plan);
        let step = &plan.playbook.steps[index];
        let action = step.action.as_ref().expect("only tool steps start");
        if self.outcome.failure.is_some() {
            return None;
        }
        match self.work(step, action) {
            Ok(work) => {
                self.tokens.run(index);
                Some(Start {
                    step: index,
                    activity: Activity {
                        context: Arc::clone(&self.context),
                        index,
                        visit: self.visits.get(&index).copied().unwrap_or(1),
                        scope: self.scope.for_step(),
                        work,
                        past: self.partial.remove(&step.name).unwrap_or_default(),
                        updates: self.updates.clone(),
                    },
                })
            }
            Err(error) => {
                let ended = Ended::failed(error, Usage::default());
                self.take_in(index, Utc::now(), ended);
                None
            }
        }
    }

    fn work(&mut self, step: &Step, action: &Action) -> Result<Work, StepError> {
        let scope = self.scope.for_step();
        let mut started = json!({"tool": action.tool, "task": action.task});
        let work = match &step.each {
            None => {
                let mut prepared = prepare(&self.context, step, action, &scope)?;
                started["args"] = prepared.args.take();
                if let Some(component) = &prepared.component {
                    started["component"] = component.clone();
                }
                Work::Once(Box::new(prepared))
            }
            Some(each) => {
                let playbook = &self.context.plan.playbook;
                let field = "loop.collection";
                let collection = each.collection.render(&scope);
                let collection =
                    collection.map_err(|e| template_error(playbook, step, each.line, field, e))?;
                let items = activity::items(playbook, step, each, collection)?;
                started["items"] = json!(items.len());
                Work::Each(items)
            }
        };
        self.journal.push("step_started", Some(&step.name), started);
        self.untold.push(Event::StepStarted {
            step: step.name.clone(),
            tool: action.tool.clone(),
        });
        Ok(work)
    }

    /// Goes the way that the execution went before its server was gone, without
    /// running anything. Returns the steps that had started and not finished, or were
    /// about to start; or those of `finally` that have ended, if the workflow has.
    async fn resume(&mut self, history: History) -> (Vec<usize>, Option<VecDeque<Past>>) {
        let plan = Arc::clone(&self.context.plan);
        self.check_workload();
        self.walk_again(history.finished).await;
        let mut started = self.tokens.stop();
        // All of this is stored.
        self.journal = Journal::from(history.next);
        self.untold.clear();
        if self.outcome.failure.is_some() {
            started.clear();
        }
        self.partial = history.partial;
        let finally = history.finally.map(|Finally { failure, finished }| {
            self.tokens.clear();
            started.clear();
            self.outcome.failure = failure;
            finished.into()
        });
        let steps = json!({"steps": names(&plan, &started)});
        self.journal.push("execution_resumed", None, steps);
        (started, finally)
    }

    /// Takes in the steps that have ended before, up to where others run. Returns
    /// whether the playbook leads that way.
    async fn walk_again(&mut self, finished: Vec<Past>) -> bool {
        let plan = Arc::clone(&self.context.plan);
        for past in finished {
            self.pass_on().await;
            if !self.go_again(&plan, past) {
                return false;
            }
        }
        self.pass_on().await;
        true
    }

    /// Takes in a step that has ended before. Returns whether it could have.
    fn go_again(&mut self, plan: &Plan, past: Past) -> bool {
        let running = self.tokens.running().iter().copied();
        let mut named = running.filter(|&i| plan.playbook.steps[i].name == past.step);
        let Some(index) = named.next() else {
            let start = &plan.playbook.steps[plan.start];
            self.fail_with(start, None, unlikely(&past.step));
            return false;
        };
        self.tokens.ended(index);
        self.take_in(index, past.started_at, past.ended);
        true
    }

    /// Counts every step that can start as one that runs.
    async fn pass_on(&mut self) {
        while let Some(index) = self.next_step().await {
            self.tokens.run(index);
            if self.replaying {
                self.give_again(index);
            }
        }
    }

    async fn replay(&mut self, history: History) {
        let plan = Arc::clone(&self.context.plan);
        if !self.walk_again(history.finished).await {
            return;
        }
        self.tokens.stop();
        self.give();
        let Some(Finally { failure, finished }) = history.finally else {
            return;
        };
        let (failure, result) = (failure, self.outcome.result.take());
        self.enter_finally(failure.as_ref());
        for past in finished {
            let Some(index) = plan.playbook.step_index(&past.step) else {
                continue;
            };
            self.give_again(index);
            self.take_in(index, past.started_at, past.ended);
            self.outcome.failure = None;
        }
        (self.outcome.failure, self.outcome.result) = (failure, result);
    }

    /// Keeps what a step would be given.
    fn give_again(&mut self, index: usize) {
        let plan = Arc::clone(&self.context.plan);
        let step = &plan.playbook.steps[index];
        let action = step.action.as_ref().expect("only tool steps start");
        let scope = self.scope.for_step();
        let Some(each) = &step.each else {
            if let Ok(rendered) = render(&plan.playbook, step, action, &scope) {
                let data = json!({"args": rendered.args});
                self.journal.push("step_started", Some(&step.name), data);
            }
            return;
        };
        self.journal
            .push("step_started", Some(&step.name), json!({}));
        let Ok(Value::Array(items)) = each.collection.render(&scope) else {
            return;
        };
        for (at, value) in items.iter().enumerate() {
            let scope = activity::item_scope(&scope, each, at, items.len(), value);
            if let Ok(rendered) = render(&plan.playbook, step, action, &scope) {
                let data = replay::item_event(at, &rendered.args);
                self.journal.push("item_finished", Some(&step.name), data);
            }
        }
    }

    /// The workflow has ended: the steps of `finally` see how.
    fn enter_finally(&mut self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            let value = error_value(&failure.step, failure.tool.as_deref(), &failure.error);
            self.scope.set("error", &value);
        }
        self.outcome.failure = None;
        self.in_finally = true;
    }

    fn spawn(&mut self, start: Start) {
        self.begun.insert(start.step, Utc::now());
        let run = async move { (start.step, start.activity.run().await) };
        self.tasks.spawn(run.in_current_span());
    }

    /// Waits for a step that runs to end, or for something to happen in it.
    async fn wait(&mut self) {
        if self.tokens.running().is_empty() {
            return;
        }
        let joined = tokio::select! {
            biased;
            () = self.cancel.cancelled(), if !self.in_finally => return self.stop(cancelled()).await,
            Some(update) = self.heard.recv() => {
                self.note(update);
                return self.note_all();
            }
            joined = timeout_at(self.deadline, self.tasks.join_next()) => joined,
        };
        match joined {
            Ok(joined) => self.join(joined),
            Err(_) => self.stop(self.out_of_time()).await,
        }
    }

    fn join(&mut self, joined: Joined) {
        let (index, ended) = match joined.expect("a step is running") {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.note_all();
        self.tokens.ended(index);
        let started_at = self.begun.remove(&index).unwrap_or_default();
        self.take_in(index, started_at, ended);
    }

    /// Everything that has happened in steps that run.
    fn note_all(&mut self) {
        while let Ok(update) = self.heard.try_recv() {
            self.note(update);
        }
    }

    fn note(&mut self, update: Update) {
        let (Update::Attempt { index, .. } | Update::Item { index, .. }) = &update;
        let step = self.context.step(*index).name.clone();
        self.journal.update(&step, &update);
        self.untold.push(match update {
            Update::Attempt {
                item,
                attempt,
                result,
                wait,
                ..
            } => Event::AttemptFailed {
                step,
                index: item,
                attempt,
                error: result.err(),
                wait_ms: milliseconds(wait),
            },
            Update::Item { item, done, .. } => Event::ItemFinished {
                step,
                index: item,
                status: done.result.as_ref().err().map_or("success", failed),
            },
        });
    }

    /// The execution can't go on: the steps that run are ended.
    async fn stop(&mut self, error: StepError) {
        self.tasks.shutdown().await;
        self.note_all();
        let plan = Arc::clone(&self.context.plan);
        for index in self.tokens.stop() {
            let step = &plan.playbook.steps[index];
            let action = step.action.as_ref().expect("only tool steps run");
            let started_at = self.begun.remove(&index).unwrap_or_default();
            let usage = Usage {
                duration: (Utc::now() - started_at).to_std().unwrap_or_default(),
                ..Usage::default()
            };
            let record = StepRecord::new(
                &step.name,
                &action.tool,
                started_at,
                usage,
                Some(error.clone()),
            );
            self.journal.step_finished(&record, None, &[], &[], &[]);
            self.told(record, Vec::new());
            self.fail_with(step, Some(action), error.clone());
        }
    }

    fn out_of_time(&self) -> StepError {
        match self.in_finally {
            true => ExecutionLimits::out_of_time_in_finally(),
            false => self.context.engine.limits.out_of_time(self.time),
        }
    }

    /// Refuses a payload that is too large to begin with.
    fn check_workload(&mut self) {
        if let Err(error) = self.context.engine.limits.check_bytes(self.scope.bytes()) {
            let plan = Arc::clone(&self.context.plan);
            self.fail_with(&plan.playbook.steps[plan.start], None, error);
        }
    }

    /// A tool step has ended.
    fn take_in(&mut self, index: usize, started_at: DateTime<Utc>, ended: Ended) {
        let plan = Arc::clone(&self.context.plan);
        let step = &plan.playbook.steps[index];
        let action = step.action.as_ref().expect("only tool steps end");
        let record = |error| {
            StepRecord::new(&step.name, &action.tool, started_at, ended.usage, error)
                .counted(ended.attempts, ended.items)
        };
        // The variables and where it leads are part of the step: if they can't be had,
        // it failed.
        let after = match &ended.result {
            Ok(given) => self.after(step, given),
            Err(error) => Err(error.clone()),
        };
        match after {
            Ok(after) => {
                let given = ended.result.ok();
                self.journal.step_finished(
                    &record(None),
                    given.as_ref(),
                    &ended.log,
                    &after.vars,
                    &names(&plan, &after.next),
                );
                self.told(record(None), ended.log);
                self.scope = after.scope;
                self.tokens.lead(&plan, index, &after.next);
                self.outcome.result = given.map(|given| given.data);
            }
            Err(error) => {
                let record = record(Some(error.clone()));
                let next = self.failed(index, Some(action), error);
                let given = ended.result.ok();
                let next = names(&plan, &next);
                self.journal
                    .step_finished(&record, given.as_ref(), &ended.log, &[], &next);
                self.told(record, ended.log);
            }
        }
    }

    fn told(&mut self, record: StepRecord, log: Vec<Entry>) {
        self.outcome.steps.push(record.clone());
        self.untold.push(Event::StepFinished { record, log });
    }

    /// What a step that has a result changes.
    fn after(&self, step: &Step, given: &Given) -> Result<After, StepError> {
        let result = given.result();
        let vars = self.vars(step, &result)?;
        let mut scope = self.scope.clone();
        for (name, value) in &vars {
            scope.set_var(name, value.as_ref().unwrap_or(&Value::Null));
        }
        let next = match &step.next {
            // Most lead on under no condition.
            Next::Branches { .. } => self.choose(step, &step.next, &scope.with_result(&result))?,
            next => next.targets().collect(),
        };
        scope.set(&step.name, &result);
        self.context.engine.limits.check_bytes(scope.bytes())?;
        Ok(After { vars, scope, next })
    }

    fn vars(&self, step: &Step, result: &Value) -> Result<Vec<(String, Option<Value>)>, StepError> {
        if step.vars.is_empty() {
            return Ok(Vec::new());
        }
        let scope = self.scope.with_result(result);
        step.vars
            .iter()
            .map(|var| {
                let value = var.template.render_var(&scope).map_err(|e| {
                    let field = format!("vars.{}", var.name);
                    template_error(&self.context.plan.playbook, step, var.line, &field, e)
                })?;
                Ok((var.name.clone(), value))
            })
            .collect()
    }

    /// The steps that `next`, which is the step's `next` or `on_error`, leads to.
    fn choose(&self, step: &Step, next: &Next, scope: &Scope) -> Result<Vec<usize>, StepError> {
        let (branches, default) = match next {
            Next::None => return Ok(Vec::new()),
            Next::All(steps) => return Ok(steps.clone()),
            Next::Branches { branches, default } => (branches, default),
        };
        for branch in branches {
            let playbook = &self.context.plan.playbook;
            let Condition { template, line } = &branch.condition;
            let holds = template
                .is_true(scope)
                .map_err(|e| template_error(playbook, step, *line, "next.when", e))?;
            if holds {
                return Ok(branch.then.clone());
            }
        }
        Ok(default.clone())
    }

    /// A step has failed: goes on where its `on_error` leads, or fails the execution.
    /// Returns where it leads.
    fn failed(&mut self, index: usize, action: Option<&Action>, error: StepError) -> Vec<usize> {
        let plan = Arc::clone(&self.context.plan);
        let step = &plan.playbook.steps[index];
        let tool = action.map(|action| action.tool.as_str());
        if error.category == ErrorCategory::Cancelled || matches!(step.on_error, Next::None) {
            self.fail_with(step, action, error);
            return Vec::new();
        }
        let mut scope = self.scope.clone();
        let value = error_value(&step.name, tool, &error);
        scope.set("error", &value);
        let next = match self.choose(step, &step.on_error, &scope.for_step()) {
            Ok(next) => next,
            Err(error) => {
                self.fail_with(step, action, error);
                return Vec::new();
            }
        };
        if next.is_empty() {
            self.fail_with(step, action, error);
            return next;
        }
        scope.set(
            &step.name,
            &json!({"status": "failed", "data": null, "error": value}),
        );
        self.scope = scope;
        self.tokens.lead(&plan, index, &next);
        next
    }

    /// Fails the execution: no further step starts; those that run may end.
    fn fail_with(&mut self, step: &Step, action: Option<&Action>, error: StepError) {
        self.tokens.clear();
        self.outcome.failure.get_or_insert(Failure {
            step: step.name.clone(),
            tool: action.map(|a| a.tool.clone()),
            error,
        });
    }

    /// What the playbook gives, if it says so itself.
    fn give(&mut self) {
        let plan = Arc::clone(&self.context.plan);
        let Some(output) = &plan.playbook.output else {
            return;
        };
        if self.outcome.failure.is_some() {
            return;
        }
        match output.template.render(&self.scope.for_step()) {
            Ok(value) => self.outcome.result = Some(value),
            Err(error) => {
                let message = format!(
                    "{}:{}: field `output`: {error}",
                    plan.playbook.file, output.line
                );
                let error = StepError {
                    kind: "template".into(),
                    ..StepError::new(ErrorCategory::InvalidInput, message)
                };
                self.outcome.failure = Some(Failure {
                    step: "output".into(),
                    tool: None,
                    error,
                });
            }
        }
    }

    /// Runs the steps of `finally` one after the other, whatever has happened; those in
    /// `past` have ended before. One that fails keeps none from running.
    async fn finally(&mut self, past: Option<VecDeque<Past>>) -> Result<(), RecordError> {
        let plan = Arc::clone(&self.context.plan);
        let steps = plan.playbook.finally_at()..plan.playbook.steps.len();
        if steps.is_empty() {
            return Ok(());
        }
        let failure = self.outcome.failure.take();
        let result = self.outcome.result.take();
        self.enter_finally(failure.as_ref());
        if past.is_none() {
            let data = json!({"failure": failure});
            self.journal.push("finally_started", None, data);
        }
        let mut past = past.unwrap_or_default();
        let mut late = None;
        self.deadline = Instant::now() + FINALLY_TIME;
        for index in steps {
            let is_past = past
                .front()
                .is_some_and(|past| past.step == plan.playbook.steps[index].name);
            match past.pop_front().filter(|_| is_past) {
                Some(past) => self.take_in_again(index, past),
                None => self.last_step(index).await?,
            }
            late = late.or(self.outcome.failure.take());
        }
        self.outcome.failure = failure.or(late);
        self.outcome.result = result;
        Ok(())
    }

    /// Takes in a step that ended before the server was gone: that is stored.
    fn take_in_again(&mut self, index: usize, past: Past) {
        let journal = std::mem::take(&mut self.journal);
        self.take_in(index, past.started_at, past.ended);
        self.journal = journal;
        self.untold.clear();
    }

    async fn last_step(&mut self, index: usize) -> Result<(), RecordError> {
        *self.visits.entry(index).or_default() += 1;
        let plan = Arc::clone(&self.context.plan);
        let step = &plan.playbook.steps[index];
        if step.action.is_none() {
            if let Err(error) = asserts::check(&plan.playbook, step, &self.scope.for_step()) {
                self.fail_with(step, None, error);
            }
            return Ok(());
        }
        let mut starts: Vec<Start> = self.prepare(index).into_iter().collect();
        while !self.tokens.running().is_empty() {
            self.go(std::mem::take(&mut starts)).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Outcome, RecordError> {
        let finished = match &self.outcome.failure {
            None => Finished {
                status: "success",
                result: self.outcome.result.clone(),
                error: None,
            },
            Some(failure) => {
                let tool = failure.tool.as_deref();
                Finished {
                    status: failed(&failure.error),
                    result: None,
                    error: Some(error_value(&failure.step, tool, &failure.error)),
                }
            }
        };
        self.journal.push(
            "execution_finished",
            None,
            json!({"status": finished.status}),
        );
        self.store(Some(&finished)).await?;
        Ok(self.outcome)
    }

    /// Stores what has happened, and then tells it: what a listener has heard of
    /// is not lost with the server.
    async fn store(&mut self, finished: Option<&Finished>) -> Result<(), RecordError> {
        let events = self.journal.take();
        let Context {
            engine, tenant, id, ..
        } = &*self.context;
        if !events.is_empty() {
            let recorder = &engine.recorder;
            if recorder.record(tenant, *id, &events, finished).await? {
                self.cancel.cancel();
            }
            let started = events[0].seq == 0;
            engine
                .changes
                .tell(tenant, *id, started || finished.is_some());
        }
        for event in self.untold.drain(..) {
            if let Some(listener) = &mut self.listener {
                listener.tell(&event);
            }
        }
        Ok(())
    }
}

/// What a step that has ended changes.
struct After {
    /// Its variables; those without a value are unset.
    vars: Vec<(String, Option<Value>)>,
    /// The scope that later steps see.
    scope: Scope,
    /// The steps that it leads to.
    next: Vec<usize>,
}

fn names<'a>(plan: &'a Plan, steps: &[usize]) -> Vec<&'a str> {
    let name = |&step: &usize| plan.playbook.steps[step].name.as_str();
    steps.iter().map(name).collect()
}

/// The state of what ended with this error.
pub(super) fn failed(error: &StepError) -> &'static str {
    match error.category {
        ErrorCategory::Cancelled => "cancelled",
        _ => "failed",
    }
}

fn cancelled() -> StepError {
    StepError::new(ErrorCategory::Cancelled, "the execution was cancelled")
}

fn unlikely(step: &str) -> StepError {
    StepError::new(
        ErrorCategory::Internal,
        format!(
            "the execution can't be resumed: its record says that step `{step}` has run, where the playbook does not lead to it"
        ),
    )
}
