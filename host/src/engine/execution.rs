//! The walk of one execution through its playbook.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::event::Journal;
use super::history::History;
use super::limits::{MAX_STEPS, too_many_steps};
use super::step::{Prepared, prepare, template_error};
use super::{Engine, Event, Execution, Plan, StepRecord, merge};
use crate::capabilities::log::Entry;
use crate::playbook::{Action, Next, Step};
use crate::sandbox::{ErrorCategory, StepError, StepOutcome, StepRequest, Usage};
use crate::store::{Finished, RecordError};
use crate::template::Scope;

/// What became of an execution.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The last tool step's result.
    pub result: Option<Value>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The tool steps that ran, in the order in which they ended.
    pub steps: Vec<StepRecord>,
}

/// The step that failed an execution.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The step's name.
    pub step: String,
    /// Its tool, if it has one.
    pub tool: Option<String>,
    /// Why.
    pub error: StepError,
}

/// Runs `execution` from `start`, or from where its history ends, until no step is
/// left or one has failed.
pub(super) async fn run(engine: &Engine, mut execution: Execution) -> Result<Outcome, RecordError> {
    let history = execution.history.take();
    let mut walk = Walk::new(engine, execution);
    walk.waiting.push(walk.execution.plan.start);
    let mut again = Vec::new();
    match history {
        None => {
            walk.journal.push(
                "execution_started",
                None,
                json!({"path": walk.execution.plan.playbook.path, "version": walk.execution.version}),
            );
            walk.check_workload();
        }
        Some(history) => again = walk.resume(history).await,
    }
    loop {
        let mut requests = walk.prepare_all(std::mem::take(&mut again));
        requests.extend(walk.start_steps().await);
        if walk.running.is_empty() {
            break;
        }
        // What has happened is stored before anything follows from it.
        walk.store(None).await?;
        for start in requests {
            walk.spawn(start);
        }
        walk.wait().await;
    }
    walk.finish().await
}

struct Walk<'a> {
    engine: &'a Engine,
    execution: Execution,
    /// What templates see.
    scope: Scope,
    /// Steps that were reached and have not started, in order.
    waiting: Vec<usize>,
    /// Steps in the sandbox.
    running: Vec<usize>,
    begun: HashMap<usize, DateTime<Utc>>,
    tasks: JoinSet<(usize, StepOutcome)>,
    journal: Journal,
    untold: Vec<Event>,
    outcome: Outcome,
    /// Steps that were reached, with a tool or without.
    passed: usize,
    deadline: Instant,
}

struct Start {
    step: usize,
    request: StepRequest,
}

impl<'a> Walk<'a> {
    fn new(engine: &'a Engine, mut execution: Execution) -> Self {
        let payload = std::mem::take(&mut execution.payload);
        let workload = merge(&execution.plan.playbook.workload, payload);
        let mut scope = Scope::default();
        scope.set("workload", &Value::Object(workload));
        scope.set("execution_id", &json!(execution.id));
        Self {
            engine,
            scope,
            execution,
            waiting: Vec::new(),
            running: Vec::new(),
            begun: HashMap::new(),
            tasks: JoinSet::new(),
            journal: Journal::default(),
            untold: Vec::new(),
            outcome: Outcome {
                result: None,
                failure: None,
                steps: Vec::new(),
            },
            passed: 0,
            deadline: Instant::now() + engine.limits.time,
        }
    }

    /// Passes through routers and prepares the tool steps that can start, until
    /// every step left has to wait for one that runs.
    async fn start_steps(&mut self) -> Vec<Start> {
        let mut starts = Vec::new();
        while let Some(index) = self.next_step().await {
            starts.extend(self.prepare(index));
        }
        starts
    }

    /// The next tool step that can start; passes through routers on the way.
    async fn next_step(&mut self) -> Option<usize> {
        let plan = Arc::clone(&self.execution.plan);
        while self.outcome.failure.is_none() {
            let Some(index) = plan.next_startable(&self.waiting, &self.running) else {
                break;
            };
            self.waiting.retain(|&w| w != index);
            let step = &plan.playbook.steps[index];
            self.passed += 1;
            if self.passed > MAX_STEPS {
                self.fail(step, step.action.as_ref(), too_many_steps());
                break;
            }
            match &step.action {
                None => {
                    match self.choose(step, None) {
                        Ok(next) => self.wait_for(&next),
                        Err(error) => self.fail_with(step, None, error),
                    }
                    // Conditions may be long work: others get their turn.
                    yield_now().await;
                    if Instant::now() >= self.deadline {
                        self.fail(step, None, self.engine.limits.out_of_time());
                    }
                }
                Some(_) => return Some(index),
            }
        }
        None
    }

    fn prepare_all(&mut self, steps: Vec<usize>) -> Vec<Start> {
        steps
            .into_iter()
            .filter_map(|step| self.prepare(step))
            .collect()
    }

    /// What a tool step needs to start. If it can't be had, the step has failed.
    fn prepare(&mut self, index: usize) -> Option<Start> {
        let plan = Arc::clone(&self.execution.plan);
        let step = &plan.playbook.steps[index];
        let action = step.action.as_ref().expect("only tool steps start");
        if self.outcome.failure.is_some() {
            return None;
        }
        match self.request(step, action) {
            Ok(request) => {
                self.running.push(index);
                Some(Start {
                    step: index,
                    request,
                })
            }
            Err(error) => {
                self.fail(step, Some(action), error);
                None
            }
        }
    }

    fn request(&mut self, step: &Step, action: &Action) -> Result<StepRequest, StepError> {
        let Prepared { request, tool } = prepare(
            self.engine,
            &self.execution,
            step,
            action,
            &self.scope.for_step(),
        )?;
        let mut started = json!({"tool": action.tool, "task": action.task, "args": request.args});
        if tool.pushed {
            started["component"] = json!({"version": tool.version, "digest": tool.digest});
        }
        self.journal.push("step_started", Some(&step.name), started);
        self.untold.push(Event::StepStarted {
            step: step.name.clone(),
            tool: action.tool.clone(),
        });
        Ok(request)
    }

    /// Goes the way that the execution went before its server was gone, without
    /// running anything. Returns the steps that had started and not finished, or
    /// were about to start.
    async fn resume(&mut self, history: History) -> Vec<usize> {
        let plan = Arc::clone(&self.execution.plan);
        self.check_workload();
        for past in history.finished {
            self.pass_on().await;
            let steps = &plan.playbook.steps;
            let Some(at) = self
                .running
                .iter()
                .position(|&i| steps[i].name == past.step)
            else {
                self.fail_with(&steps[plan.start], None, unlikely(&past.step));
                break;
            };
            let step = &steps[self.running.remove(at)];
            let action = step.action.as_ref().expect("only tool steps start");
            self.take_in(step, action, past.started_at, past.outcome);
        }
        self.pass_on().await;
        let mut started = std::mem::take(&mut self.running);
        // All of this is stored.
        self.journal = Journal::from(history.next);
        self.untold.clear();
        if self.outcome.failure.is_some() {
            started.clear();
        }
        let steps = json!({"steps": names(&plan, &started)});
        self.journal.push("execution_resumed", None, steps);
        started
    }

    /// Counts every step that can start as one that runs.
    async fn pass_on(&mut self) {
        while let Some(index) = self.next_step().await {
            self.running.push(index);
        }
    }

    fn spawn(&mut self, start: Start) {
        let runner = Arc::clone(&self.engine.runner);
        self.begun.insert(start.step, Utc::now());
        let run = async move { (start.step, runner.run(start.request).await) };
        self.tasks.spawn(run.in_current_span());
    }

    /// Waits for one running step, and takes in what it gave.
    async fn wait(&mut self) {
        let joined = tokio::select! {
            biased;
            () = self.execution.cancel.cancelled() => return self.stop(cancelled()).await,
            joined = timeout_at(self.deadline, self.tasks.join_next()) => joined,
        };
        let Ok(joined) = joined else {
            return self.stop(self.engine.limits.out_of_time()).await;
        };
        let (index, outcome) = match joined.expect("a step is running") {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.running.retain(|&r| r != index);
        let started_at = self.begun.remove(&index).unwrap_or_default();
        let plan = Arc::clone(&self.execution.plan);
        let step = &plan.playbook.steps[index];
        let action = step.action.as_ref().expect("only tool steps run");
        self.take_in(step, action, started_at, outcome);
    }

    /// The execution can't go on: the steps that run are ended.
    async fn stop(&mut self, error: StepError) {
        self.tasks.shutdown().await;
        let plan = Arc::clone(&self.execution.plan);
        for index in std::mem::take(&mut self.running) {
            let step = &plan.playbook.steps[index];
            let action = step.action.as_ref().expect("only tool steps run");
            let started_at = self.begun.remove(&index).unwrap_or_default();
            let usage = Usage {
                duration: (Utc::now() - started_at).to_std().unwrap_or_default(),
                ..Usage::default()
            };
            self.finish_without(step, action, started_at, usage, error.clone());
            self.fail_with(step, Some(action), error.clone());
        }
    }

    /// Refuses a payload that is too large to begin with.
    fn check_workload(&mut self) {
        if let Err(error) = self.engine.limits.check_bytes(self.scope.bytes()) {
            let plan = Arc::clone(&self.execution.plan);
            self.fail_with(&plan.playbook.steps[plan.start], None, error);
        }
    }

    fn take_in(
        &mut self,
        step: &Step,
        action: &Action,
        started_at: DateTime<Utc>,
        outcome: StepOutcome,
    ) {
        let StepOutcome { result, log, usage } = outcome;
        let result = result.map(|data| json!({"status": "success", "data": data}));
        // The variables are part of the step: if one can't be had, it failed.
        let after = match &result {
            Ok(result) => self.after(step, result),
            Err(error) => Err(error.clone()),
        };
        let record = |error| StepRecord::new(&step.name, &action.tool, started_at, usage, error);
        match (result, after) {
            (Ok(mut result), Ok(after)) => {
                self.scope = after.with_vars;
                let next = self.choose(step, Some(&result));
                let chosen = next.as_ref().map_or(&[][..], Vec::as_slice);
                let plan = Arc::clone(&self.execution.plan);
                self.journal.step_finished(
                    &record(None),
                    Some(&result["data"]),
                    &log,
                    &after.vars,
                    &names(&plan, chosen),
                );
                self.told(record(None), log);
                self.scope = after.with_result;
                match next {
                    Ok(next) => self.wait_for(&next),
                    Err(error) => self.fail_with(step, Some(action), error),
                }
                self.outcome.result = Some(result["data"].take());
            }
            (result, after) => {
                let error = after.err().expect("one of them failed");
                let record = record(Some(error.clone()));
                let data = result.as_ref().ok().map(|result| &result["data"]);
                self.journal.step_finished(&record, data, &log, &[], &[]);
                self.told(record, log);
                self.fail_with(step, Some(action), error);
            }
        }
    }

    /// A tool step that has no result.
    fn finish_without(
        &mut self,
        step: &Step,
        action: &Action,
        started_at: DateTime<Utc>,
        usage: Usage,
        error: StepError,
    ) {
        let record = StepRecord::new(&step.name, &action.tool, started_at, usage, Some(error));
        self.journal.step_finished(&record, None, &[], &[], &[]);
        self.told(record, Vec::new());
    }

    fn told(&mut self, record: StepRecord, log: Vec<Entry>) {
        self.outcome.steps.push(record.clone());
        self.untold.push(Event::StepFinished { record, log });
    }

    /// What a step that has `result` changes.
    fn after(&self, step: &Step, result: &Value) -> Result<After, StepError> {
        let vars = self.vars(step, result)?;
        let mut with_vars = self.scope.clone();
        for (name, value) in &vars {
            with_vars.set_var(name, value.as_ref().unwrap_or(&Value::Null));
        }
        let mut with_result = with_vars.clone();
        with_result.set(&step.name, result);
        self.engine.limits.check_bytes(with_result.bytes())?;
        Ok(After {
            vars,
            with_vars,
            with_result,
        })
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
                    template_error(&self.execution.plan.playbook, step, var.line, &field, e)
                })?;
                Ok((var.name.clone(), value))
            })
            .collect()
    }

    /// The steps that come after `step`.
    fn choose(&self, step: &Step, result: Option<&Value>) -> Result<Vec<usize>, StepError> {
        let (branches, default) = match &step.next {
            Next::None => return Ok(Vec::new()),
            Next::All(steps) => return Ok(steps.clone()),
            Next::Branches { branches, default } => (branches, default),
        };
        let scope = match result {
            Some(result) => self.scope.with_result(result),
            None => self.scope.for_step(),
        };
        for branch in branches {
            let playbook = &self.execution.plan.playbook;
            let holds = branch
                .condition
                .is_true(&scope)
                .map_err(|e| template_error(playbook, step, branch.line, "next.when", e))?;
            if holds {
                return Ok(branch.then.clone());
            }
        }
        Ok(default.clone())
    }

    fn wait_for(&mut self, steps: &[usize]) {
        for &step in steps {
            if !self.waiting.contains(&step) {
                self.waiting.push(step);
            }
        }
    }

    /// A tool step that could not even be given to the sandbox.
    fn fail(&mut self, step: &Step, action: Option<&Action>, error: StepError) {
        if let Some(action) = action {
            self.finish_without(step, action, Utc::now(), Usage::default(), error.clone());
        }
        self.fail_with(step, action, error);
    }

    /// Fails the execution: no further step starts; those that run may end.
    fn fail_with(&mut self, step: &Step, action: Option<&Action>, error: StepError) {
        self.waiting.clear();
        self.outcome.failure.get_or_insert(Failure {
            step: step.name.clone(),
            tool: action.map(|a| a.tool.clone()),
            error,
        });
    }

    async fn finish(mut self) -> Result<Outcome, RecordError> {
        let finished = match &self.outcome.failure {
            None => Finished {
                status: "success",
                result: self.outcome.result.clone(),
                error: None,
            },
            Some(failure) => {
                let mut error = json!(failure.error);
                error["step"] = json!(failure.step);
                error["tool"] = json!(failure.tool);
                Finished {
                    status: failed(&failure.error),
                    result: None,
                    error: Some(error),
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
        let Execution { tenant, id, .. } = &self.execution;
        if !events.is_empty() {
            let store = &self.engine.store;
            if store.record(tenant, *id, &events, finished).await? {
                self.execution.cancel.cancel();
            }
            let started = events[0].seq == 0;
            self.engine
                .changes
                .tell(tenant, *id, started || finished.is_some());
        }
        for event in self.untold.drain(..) {
            if let Some(listener) = &mut self.execution.events {
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
    /// The scope in which its `next` is decided.
    with_vars: Scope,
    /// The scope that later steps see.
    with_result: Scope,
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
