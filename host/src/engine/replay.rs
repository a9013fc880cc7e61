//! An execution walked once more from its record, without running anything: whether
//! the same results lead the same way.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::store::{EventRecord, StoredEvent};

/// What a replay found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replay {
    /// Whether every step was given the same, set the same and led to the same, and
    /// the execution gave the same.
    pub same: bool,
    /// The runs of tool steps, in the order in which they ended.
    pub steps: Vec<ReplayedStep>,
    /// What is not the same of the execution as a whole: `result`, `error`.
    pub differences: Vec<Difference>,
}

/// A run of a tool step, once more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayedStep {
    /// The step's name.
    pub step: String,
    /// Which of its runs, from 1.
    pub visit: u32,
    /// `success`, `failed` or `cancelled`.
    pub status: String,
    /// What it was given; of a loop, a list of what each item was given.
    #[schema(value_type = Value)]
    pub args: Value,
    /// What it gave, as recorded.
    #[schema(value_type = Value)]
    pub result: Value,
    /// The variables that it set.
    #[schema(value_type = Object)]
    pub vars: Value,
    /// Where it led.
    pub next: Vec<String>,
    /// What is not as it was.
    pub differences: Vec<Difference>,
}

/// Something that came out differently.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// `args`, `status`, `vars`, `next`, `result` or `error`.
    pub field: &'static str,
    /// As it is recorded.
    #[schema(value_type = Value)]
    pub recorded: Value,
    /// As it came out now.
    #[schema(value_type = Value)]
    pub replayed: Value,
}

impl Difference {
    /// The difference between two values, if there is one.
    pub(super) fn between(field: &'static str, recorded: &Value, replayed: &Value) -> Option<Self> {
        (recorded != replayed).then(|| Self {
            field,
            recorded: recorded.clone(),
            replayed: replayed.clone(),
        })
    }
}

/// A run of a step in a list of events.
#[derive(Debug, Default, Clone)]
struct Run {
    args: Value,
    /// What the items of its loop were given, by index.
    items: BTreeMap<u64, Value>,
    finished: Value,
}

/// Holds what came out now against what is recorded.
pub(super) fn compare(recorded: &[EventRecord], replayed: &[StoredEvent]) -> Vec<ReplayedStep> {
    let recorded = recorded.iter().map(|event| {
        let data = serde_json::from_str(event.data.get()).unwrap_or_default();
        (event.event.as_str(), event.step.as_deref(), data)
    });
    let replayed = replayed
        .iter()
        .map(|event| (event.event, event.step.as_deref(), event.data.clone()));
    let recorded = runs(recorded);
    let mut replayed: HashMap<(String, u32), Run> = runs(replayed)
        .into_iter()
        .map(|(step, visit, run)| ((step, visit), run))
        .collect();
    let mut steps = Vec::new();
    for (step, visit, run) in recorded {
        let again = replayed.remove(&(step.clone(), visit)).unwrap_or_default();
        steps.push(of(step, visit, &run, &again));
    }
    steps
}

fn of(step: String, visit: u32, run: &Run, again: &Run) -> ReplayedStep {
    let (then, now) = (&run.finished, &again.finished);
    let args = match run.items.is_empty() {
        true => Difference::between("args", &run.args, &again.args),
        // Only items that ended are recorded.
        false => run.items.iter().find_map(|(index, args)| {
            let now = again.items.get(index).unwrap_or(&Value::Null);
            Difference::between("args", args, now)
        }),
    };
    let field = |field| Difference::between(field, &then[field], &now[field]);
    let differences = [args, field("status"), field("vars"), field("next")];
    let names = then["next"].as_array().into_iter().flatten();
    ReplayedStep {
        step,
        visit,
        status: then["status"].as_str().unwrap_or_default().to_owned(),
        args: match run.items.is_empty() {
            true => run.args.clone(),
            false => run.items.values().cloned().collect(),
        },
        result: then["result"].clone(),
        vars: then["vars"].clone(),
        next: names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        differences: differences.into_iter().flatten().collect(),
    }
}

/// The runs of steps that have ended, in that order.
fn runs<'e>(
    events: impl Iterator<Item = (&'e str, Option<&'e str>, Value)>,
) -> Vec<(String, u32, Run)> {
    let mut open: HashMap<String, Run> = HashMap::new();
    let mut visits: HashMap<String, u32> = HashMap::new();
    let mut runs = Vec::new();
    for (event, step, mut data) in events {
        let Some(step) = step else { continue };
        match event {
            // One that was interrupted starts again.
            "step_started" => open.entry(step.to_owned()).or_default().args = data["args"].take(),
            "item_finished" => {
                let index = data["index"].as_u64().unwrap_or_default();
                let items = &mut open.entry(step.to_owned()).or_default().items;
                items.insert(index, data["args"].take());
            }
            "step_finished" => {
                let mut run = open.remove(step).unwrap_or_default();
                run.finished = data;
                let visit = visits.entry(step.to_owned()).or_default();
                *visit += 1;
                runs.push((step.to_owned(), *visit, run));
            }
            _ => {}
        }
    }
    runs
}

/// What would be recorded of the items of a loop, as far as they were given something.
pub(super) fn item_event(index: usize, args: &Value) -> Value {
    json!({"index": index, "args": args})
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::value::RawValue;

    use super::*;

    fn recorded(event: &str, step: &str, data: &Value) -> EventRecord {
        EventRecord {
            seq: 0,
            at: Utc::now(),
            event: event.into(),
            step: Some(step.into()),
            data: RawValue::from_string(data.to_string()).unwrap(),
        }
    }

    fn replayed(event: &'static str, step: &str, data: Value) -> StoredEvent {
        StoredEvent {
            seq: 0,
            at: Utc::now(),
            event,
            step: Some(step.into()),
            data,
        }
    }

    #[test]
    fn what_differs_is_told_of_the_run_in_which_it_does() {
        let started = |n: i64| json!({"args": {"n": n}});
        let finished =
            |next: &str| json!({"status": "success", "vars": {}, "next": [next], "result": 1});
        let then = [
            recorded("step_started", "a", &started(1)),
            recorded("step_finished", "a", &finished("a")),
            recorded("step_started", "a", &started(9)),
            recorded("step_started", "a", &started(2)),
            recorded("step_finished", "a", &finished("b")),
        ];
        let now = [
            replayed("step_started", "a", started(1)),
            replayed("step_finished", "a", finished("a")),
            replayed("step_started", "a", started(2)),
            replayed("step_finished", "a", finished("c")),
        ];
        let steps = compare(&then, &now);
        assert_eq!(steps.len(), 2);
        assert!(steps[0].differences.is_empty(), "{steps:?}");
        let different: Vec<_> = steps[1].differences.iter().map(|d| d.field).collect();
        assert_eq!((steps[1].visit, different), (2, vec!["next"]));
    }
}
