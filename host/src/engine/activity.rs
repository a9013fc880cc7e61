//! A step that runs: its attempts, its items, and what is done with what they give.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use super::asserts;
use super::context::{Context, PlaybookCall};
use super::given::{Given, add, without};
use super::lineage;
use super::retry::{Decision, decide};
use super::step::{Call, Prepared, kind_of, located, prepare, prepare_sink};
use crate::capabilities::log::Entry;
use crate::playbook::{Action, Loop, Playbook, Step};
use crate::sandbox::{ErrorCategory, StepError, StepOutcome, Usage};
use crate::template::{self, Scope};

/// A step to be run.
pub(super) struct Activity {
    pub context: Arc<Context>,
    /// The step's index.
    pub index: usize,
    /// How often the execution has come to the step, from 1.
    pub visit: u32,
    pub scope: Scope,
    pub work: Work,
    /// What was done of it before its server was gone.
    pub past: Partial,
    pub updates: UnboundedSender<Update>,
}

/// What a step has to do.
pub(super) enum Work {
    /// Its action, once.
    Once(Box<Prepared>),
    /// Its action for each of these.
    Each(Vec<Value>),
}

/// What was done of a step that has not ended.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Attempts that failed; of a loop's items by index.
    pub attempts: BTreeMap<Option<usize>, u32>,
    /// Items that have ended.
    pub items: BTreeMap<usize, Result<Value, StepError>>,
}

/// Something that happened in a step that goes on.
pub(super) enum Update {
    /// An attempt is to be made again.
    Attempt {
        index: usize,
        item: Option<usize>,
        attempt: u32,
        result: Result<Value, StepError>,
        wait: Duration,
    },
    /// An item of a loop has ended.
    Item {
        index: usize,
        item: usize,
        args: Value,
        done: Done,
    },
}

/// An action that has ended, with all of its attempts.
#[derive(Clone)]
pub(super) struct Done {
    pub result: Result<Value, StepError>,
    pub log: Vec<Entry>,
    pub usage: Usage,
    pub attempts: u32,
}

/// A step that has ended.
pub(super) struct Ended {
    pub result: Result<Given, StepError>,
    pub log: Vec<Entry>,
    pub usage: Usage,
    /// Attempts of its action; items of a loop count each.
    pub attempts: u32,
    /// Items of a loop.
    pub items: Option<usize>,
}

impl Ended {
    /// A step that failed before it ran.
    pub fn failed(error: StepError, usage: Usage) -> Self {
        Self {
            result: Err(error),
            log: Vec::new(),
            usage,
            attempts: 0,
            items: None,
        }
    }
}

/// Items that one loop may have.
const MAX_ITEMS: usize = 10_000;

/// Refuses a loop over too many items, or over what is no list.
pub(super) fn items(
    playbook: &Playbook,
    step: &Step,
    each: &Loop,
    value: Value,
) -> Result<Vec<Value>, StepError> {
    let (category, what) = match value {
        Value::Array(items) if items.len() <= MAX_ITEMS => return Ok(items),
        Value::Array(items) => (
            ErrorCategory::Limit,
            format!(
                "the list has {} items, more than the {MAX_ITEMS} that a loop may have",
                items.len()
            ),
        ),
        other => (
            ErrorCategory::InvalidInput,
            format!("a loop needs a list, this is {}", kind_of(&other)),
        ),
    };
    let message = located(playbook, step, each.line, Some("loop.collection"), what);
    Err(StepError::new(category, message))
}

impl Activity {
    /// Runs it to its end.
    pub async fn run(mut self) -> Ended {
        let context = Arc::clone(&self.context);
        let step = context.step(self.index);
        let began = Instant::now();
        let Some(limit) = step.timeout else {
            return self.work(step).await;
        };
        match timeout(limit, self.work(step)).await {
            Ok(ended) => ended,
            Err(_) => {
                let usage = Usage {
                    duration: began.elapsed(),
                    ..Usage::default()
                };
                let message = format!(
                    "{}:{}: step `{}` was stopped after its `timeout` of {}",
                    context.plan.playbook.file,
                    step.line,
                    step.name,
                    humantime::format_duration(limit)
                );
                Ended::failed(StepError::new(ErrorCategory::Timeout, message), usage)
            }
        }
    }

    async fn work(&mut self, step: &Step) -> Ended {
        let action = step.action.as_ref().expect("only tool steps run");
        let work = std::mem::replace(&mut self.work, Work::Each(Vec::new()));
        let mut ended = match (work, &step.each) {
            (Work::Each(items), Some(each)) => self.each(step, action, each, items).await,
            (Work::Once(prepared), _) => {
                let before = self.past.attempts.get(&None).copied().unwrap_or_default();
                let once = self.attempts(step, action, &self.scope, Some(*prepared), None, before);
                let (done, _) = once.await;
                Ended {
                    result: done.result.map(|data| Given {
                        data,
                        ..Given::default()
                    }),
                    log: done.log,
                    usage: done.usage,
                    attempts: done.attempts,
                    items: None,
                }
            }
            (Work::Each(_), None) => unreachable!("only loops have items"),
        };
        if let Ok(given) = &mut ended.result
            && let Err(error) = self.complete(step, given, &mut ended.usage).await
        {
            ended.result = Err(error);
        }
        ended
    }

    /// What comes after the action, and belongs to the step.
    async fn complete(
        &self,
        step: &Step,
        given: &mut Given,
        usage: &mut Usage,
    ) -> Result<(), StepError> {
        if step.asserts.is_empty() && step.sink.is_none() {
            return Ok(());
        }
        let scope = self.scope.with_result(&given.result());
        asserts::check(&self.context.plan.playbook, step, &scope)?;
        let Some(sink) = &step.sink else {
            return Ok(());
        };
        let request = prepare_sink(&self.context, step, sink, &scope, &given.data)?;
        let outcome = self.context.engine.runner.run(request).await;
        add(usage, outcome.usage);
        let playbook = &self.context.plan.playbook;
        given.sink = Some(outcome.result.map_err(|error| StepError {
            message: located(playbook, step, sink.line, Some("sink"), &error.message),
            ..error
        })?);
        Ok(())
    }

    /// Runs the action, again if it is to be retried. Returns its last arguments too.
    async fn attempts(
        &self,
        step: &Step,
        action: &Action,
        scope: &Scope,
        mut first: Option<Prepared>,
        item: Option<usize>,
        before: u32,
    ) -> (Done, Value) {
        let mut done = Done {
            result: Ok(Value::Null),
            log: Vec::new(),
            usage: Usage::default(),
            attempts: before,
        };
        let mut args = Value::Null;
        loop {
            done.attempts += 1;
            let prepared = match first.take() {
                Some(prepared) => Ok(prepared),
                None => prepare(&self.context, step, action, &scope.for_step()),
            };
            let outcome = match prepared {
                Ok(prepared) => {
                    args = prepared.args;
                    self.call(step, prepared.call, item, done.attempts).await
                }
                Err(error) => without(error),
            };
            add(&mut done.usage, outcome.usage);
            done.log.extend(outcome.log);
            done.result = outcome.result;
            let Some(retry) = &step.retry else { break };
            let playbook = &self.context.plan.playbook;
            match decide(playbook, step, retry, done.attempts, &done.result, scope) {
                Ok(Decision::Take) => break,
                Ok(Decision::Again(wait)) => {
                    self.tell(Update::Attempt {
                        index: self.index,
                        item,
                        attempt: done.attempts,
                        result: std::mem::replace(&mut done.result, Ok(Value::Null)),
                        wait,
                    });
                    sleep(wait).await;
                }
                Err(error) => {
                    done.result = Err(error);
                    break;
                }
            }
        }
        (done, args)
    }

    async fn call(
        &self,
        step: &Step,
        call: Call,
        item: Option<usize>,
        attempt: u32,
    ) -> StepOutcome {
        let context = &self.context;
        let (path, version, payload) = match call {
            Call::Tool(request) => return context.engine.runner.run(*request).await,
            Call::Playbook {
                path,
                version,
                payload,
            } => (path, version, payload),
        };
        let began = Instant::now();
        let below = lineage::below(&context.lineage, &context.plan.playbook.path, &path);
        let result = match below {
            Err(error) => Err(error),
            Ok(lineage) => {
                let item = item.map_or_else(String::new, |item| item.to_string());
                let call = PlaybookCall {
                    tenant: context.tenant.clone(),
                    parent: context.id,
                    step: step.name.clone(),
                    key: format!("{}/{}/{item}/{attempt}", step.name, self.visit),
                    path,
                    version,
                    payload,
                    lineage,
                };
                context.calls.call(call).await
            }
        };
        StepOutcome {
            result,
            log: Vec::new(),
            usage: Usage {
                duration: began.elapsed(),
                ..Usage::default()
            },
        }
    }

    /// Runs the action for each item. What they give is in the items' order.
    async fn each(
        &mut self,
        step: &Step,
        action: &Action,
        each: &Loop,
        items: Vec<Value>,
    ) -> Ended {
        let began = Instant::now();
        let past = std::mem::take(&mut self.past.items);
        let total = items.len();
        let mut ended = Ended::failed(
            StepError::new(ErrorCategory::Internal, "the loop has not run"),
            Usage::default(),
        );
        ended.items = Some(total);
        let mut data = vec![Value::Null; total];
        let mut errors = BTreeMap::new();
        let mut bytes = 0;
        let this = &*self;
        let waiting: Vec<usize> = (0..total).filter(|at| !past.contains_key(at)).collect();
        let values = items.as_slice();
        let run = move |at: usize| this.item(step, action, each, at, total, &values[at]);
        let mut running = stream::iter(waiting)
            .map(run)
            .buffer_unordered(each.concurrency);
        let mut before: Vec<_> = past.iter().collect();
        loop {
            let before = before.pop();
            let (at, result) = match before.map(|(at, result)| (*at, result.clone())) {
                Some(past) => past,
                None => match running.next().await {
                    None => break,
                    Some((at, args, done)) => {
                        add(&mut ended.usage, done.usage);
                        ended.attempts += done.attempts;
                        let room = MAX_LOG.saturating_sub(ended.log.len());
                        ended.log.extend(done.log.iter().take(room).cloned());
                        let result = done.result.clone();
                        this.tell(Update::Item {
                            index: this.index,
                            item: at,
                            args,
                            done,
                        });
                        (at, result)
                    }
                },
            };
            match result {
                Ok(value) => {
                    bytes += template::bytes(&value);
                    data[at] = value;
                    if let Err(error) = this.context.engine.limits.check_bytes(bytes) {
                        ended.result = Err(error);
                        return ended;
                    }
                }
                Err(error) if each.continues && error.category != ErrorCategory::Cancelled => {
                    errors.insert(at, error);
                }
                Err(error) => {
                    ended.result = Err(StepError {
                        message: format!("item {} of {total}: {}", at + 1, error.message),
                        ..error
                    });
                    return ended;
                }
            }
        }
        drop(running);
        ended.usage.duration = began.elapsed();
        let errors = errors
            .into_iter()
            .map(|(at, error)| json!({"index": at, "error": error}));
        ended.result = Ok(Given {
            data: Value::Array(data),
            errors: each.continues.then(|| errors.collect()),
            sink: None,
        });
        ended
    }

    async fn item(
        &self,
        step: &Step,
        action: &Action,
        each: &Loop,
        at: usize,
        total: usize,
        value: &Value,
    ) -> (usize, Value, Done) {
        // A list of items that fail at once must not keep others waiting.
        tokio::task::yield_now().await;
        let scope = item_scope(&self.scope, each, at, total, value);
        let before = self
            .past
            .attempts
            .get(&Some(at))
            .copied()
            .unwrap_or_default();
        let (done, args) = self
            .attempts(step, action, &scope, None, Some(at), before)
            .await;
        (at, args, done)
    }

    fn tell(&self, update: Update) {
        // The walk hears as long as there are activities.
        let _ = self.updates.send(update);
    }
}

/// What the templates of one item of a loop see.
pub(super) fn item_scope(
    scope: &Scope,
    each: &Loop,
    at: usize,
    total: usize,
    value: &Value,
) -> Scope {
    let mut scope = scope.for_step();
    scope.set(&each.element, value);
    scope.set(
        "loop",
        &json!({
            "index": at + 1, "index0": at, "length": total,
            "first": at == 0, "last": at + 1 == total,
        }),
    );
    scope
}

/// Entries of items' logs that are kept with the step; each item's own has them all.
const MAX_LOG: usize = 1000;
