//! The walk of one execution through its playbook.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::event::Journal;
use super::limits::{MAX_STEPS, too_many_steps};
use super::step::{request, template_error};
use super::{Engine, Event, Execution, StepRecord, merge};
use crate::capabilities::log::Entry;
use crate::playbook::{Action, Next, Step};
use crate::sandbox::{StepError, StepOutcome, StepRequest, Usage};
use crate::store::Finished;
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

/// Runs `execution` from `start` until no step is left or one has failed.
pub(super) async fn run(engine: &Engine, execution: Execution) -> sqlx::Result<Outcome> {
    let mut walk = Walk::new(engine, execution);
    walk.waiting.push(walk.execution.plan.start);
    walk.journal.push(
        "execution_started",
        None,
        json!({"path": walk.execution.plan.playbook.path, "version": walk.execution.version}),
    );
    walk.check_workload();
    loop {
        let requests = walk.start_steps().await;
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
        let plan = Arc::clone(&self.execution.plan);
        let mut starts = Vec::new();
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
                    self.follow(step, None);
                    // Conditions may be long work: others get their turn.
                    yield_now().await;
                    if Instant::now() >= self.deadline {
                        self.fail(step, None, self.engine.limits.out_of_time());
                    }
                }
                Some(action) => match self.prepare(step, action) {
                    Ok(request) => {
                        self.running.push(index);
                        starts.push(Start {
                            step: index,
                            request,
                        });
                    }
                    Err(error) => self.fail(step, Some(action), error),
                },
            }
        }
        starts
    }

    fn prepare(&mut self, step: &Step, action: &Action) -> Result<StepRequest, StepError> {
        let request = request(
            &self.engine.grants,
            &self.execution,
            step,
            action,
            &self.scope.for_step(),
        )?;
        self.journal.push(
            "step_started",
            Some(&step.name),
            json!({"tool": action.tool, "task": action.task, "args": request.args}),
        );
        self.untold.push(Event::StepStarted {
            step: step.name.clone(),
            tool: action.tool.clone(),
        });
        Ok(request)
    }

    fn spawn(&mut self, start: Start) {
        let runner = Arc::clone(&self.engine.runner);
        self.begun.insert(start.step, Utc::now());
        let run = async move { (start.step, runner.run(start.request).await) };
        self.tasks.spawn(run.in_current_span());
    }

    /// Waits for one running step, and takes in what it gave.
    async fn wait(&mut self) {
        let Ok(joined) = timeout_at(self.deadline, self.tasks.join_next()).await else {
            return self.stop().await;
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

    /// The execution's time is over: the steps that run are ended.
    async fn stop(&mut self) {
        self.tasks.shutdown().await;
        let plan = Arc::clone(&self.execution.plan);
        let error = self.engine.limits.out_of_time();
        for index in std::mem::take(&mut self.running) {
            let step = &plan.playbook.steps[index];
            let action = step.action.as_ref().expect("only tool steps run");
            let started_at = self.begun.remove(&index).unwrap_or_default();
            self.finish_step(
                step,
                action,
                started_at,
                Usage {
                    duration: (Utc::now() - started_at).to_std().unwrap_or_default(),
                    ..Usage::default()
                },
                Some(error.clone()),
                None,
                Vec::new(),
            );
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
        let scopes = match &result {
            Ok(result) => self.scopes(step, result),
            Err(error) => Err(error.clone()),
        };
        let error = scopes.as_ref().err().cloned();
        self.finish_step(
            step,
            action,
            started_at,
            usage,
            error.clone(),
            result.as_ref().ok(),
            log,
        );
        match (result, scopes) {
            (Ok(mut result), Ok((with_vars, with_result))) => {
                self.scope = with_vars;
                self.follow(step, Some(&result));
                self.scope = with_result;
                self.outcome.result = Some(result["data"].take());
            }
            _ => self.fail_with(step, Some(action), error.expect("one of them failed")),
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "it is what a finished step consists of"
    )]
    fn finish_step(
        &mut self,
        step: &Step,
        action: &Action,
        started_at: DateTime<Utc>,
        usage: Usage,
        error: Option<StepError>,
        result: Option<&Value>,
        log: Vec<Entry>,
    ) {
        let record = StepRecord::new(&step.name, &action.tool, started_at, usage, error);
        self.journal
            .step_finished(&record, result.map(|r| &r["data"]), &log);
        self.outcome.steps.push(record.clone());
        self.untold.push(Event::StepFinished { record, log });
    }

    /// The scope with the step's variables set, in which its `next` is decided,
    /// and the one with its result too, which later steps see.
    fn scopes(&self, step: &Step, result: &Value) -> Result<(Scope, Scope), StepError> {
        let mut with_vars = self.scope.clone();
        for (name, value) in self.vars(step, result)? {
            with_vars.set_var(&name, &value.unwrap_or_default());
        }
        let mut with_result = with_vars.clone();
        with_result.set(&step.name, result);
        self.engine.limits.check_bytes(with_result.bytes())?;
        Ok((with_vars, with_result))
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

    /// Adds the steps that come after `step`.
    fn follow(&mut self, step: &Step, result: Option<&Value>) {
        let next = match &step.next {
            Next::None => return,
            Next::All(steps) => steps,
            Next::Branches { branches, default } => {
                let scope = match result {
                    Some(result) => self.scope.with_result(result),
                    None => self.scope.for_step(),
                };
                let mut taken = default;
                for branch in branches {
                    match branch.condition.is_true(&scope) {
                        Ok(false) => continue,
                        Ok(true) => taken = &branch.then,
                        Err(e) => {
                            let error = template_error(
                                &self.execution.plan.playbook,
                                step,
                                branch.line,
                                "next.when",
                                e,
                            );
                            return self.fail_with(step, step.action.as_ref(), error);
                        }
                    }
                    break;
                }
                taken
            }
        };
        for &step in next {
            if !self.waiting.contains(&step) {
                self.waiting.push(step);
            }
        }
    }

    /// A tool step that could not even be given to the sandbox.
    fn fail(&mut self, step: &Step, action: Option<&Action>, error: StepError) {
        if let Some(action) = action {
            let now = Utc::now();
            self.finish_step(
                step,
                action,
                now,
                Usage::default(),
                Some(error.clone()),
                None,
                Vec::new(),
            );
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

    async fn finish(mut self) -> sqlx::Result<Outcome> {
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
                    status: "failed",
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
    async fn store(&mut self, finished: Option<&Finished>) -> sqlx::Result<()> {
        let events = self.journal.take();
        if !events.is_empty() {
            self.engine
                .store
                .record(self.execution.id, &events, finished)
                .await?;
        }
        for event in self.untold.drain(..) {
            if let Some(listener) = &mut self.execution.events {
                listener.tell(&event);
            }
        }
        Ok(())
    }
}
