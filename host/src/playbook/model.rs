use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::aliases::Note;
use crate::limits::Setting;
use crate::template::{SqlTemplate, Template, ValueTemplate};
use crate::tool::Reference;
use crate::yaml::Position;

/// A checked playbook: every reference in it leads somewhere.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The file's name, for messages.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.path`, under which it is registered and executed.
    pub path: String,
    /// `metadata.description`.
    pub description: Option<String>,
    /// Defaults of the input, as written: data, never rendered.
    pub workload: Map<String, Json>,
    /// `on_restart`.
    pub on_restart: OnRestart,
    /// `timeout`, of the whole execution.
    pub timeout: Option<Duration>,
    /// `output`, what an execution gives; without it the last tool step's result.
    pub output: Option<Output>,
    /// The steps, in the order of the text; those of `finally` come last.
    pub steps: Vec<Step>,
    /// How many of the steps are those of `finally`.
    pub finally: usize,
    /// What was written in other words than the language's own.
    pub notes: Vec<Note>,
}

/// What an execution gives.
#[derive(Debug, Clone)]
pub struct Output {
    /// The line of its first line.
    pub line: usize,
    /// The value.
    pub template: ValueTemplate,
}

/// What becomes of an execution whose server has stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnRestart {
    /// It goes on after its last finished step; a step that was running runs again.
    #[default]
    Resume,
    /// It is marked as interrupted.
    Fail,
}

impl Playbook {
    /// The index of the step of this name.
    #[must_use]
    pub fn step_index(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }

    /// The index of the first step of `finally`, which is where the workflow ends.
    #[must_use]
    pub fn finally_at(&self) -> usize {
        self.steps.len() - self.finally
    }
}

/// A step of the workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, unique in the playbook.
    pub name: String,
    /// The line of its name.
    pub line: usize,
    /// `desc`.
    pub description: Option<String>,
    /// What it runs; a step without one only leads on.
    pub action: Option<Action>,
    /// What it runs its action for, if for more than once.
    pub each: Option<Loop>,
    /// Whether a failed attempt is made again.
    pub retry: Option<Retry>,
    /// How long it may take, with all of its attempts and items.
    pub timeout: Option<Duration>,
    /// What must hold after it.
    pub asserts: Vec<Assert>,
    /// The table that its result's rows go into.
    pub sink: Option<Sink>,
    /// Variables to set after it.
    pub vars: Vec<Var>,
    /// Where it leads.
    pub next: Next,
    /// Where it leads if it has failed.
    pub on_error: Next,
    /// What it waits for, if several steps lead to it.
    pub join: Join,
}

/// `loop`: the step's action is run once for each item of a list.
#[derive(Debug, Clone)]
pub struct Loop {
    /// The list.
    pub collection: ValueTemplate,
    /// The line of the list's first line.
    pub line: usize,
    /// The name under which templates see the item.
    pub element: String,
    /// How many items run at once; one, if they run one after the other.
    pub concurrency: usize,
    /// Whether it goes on when an item has failed.
    pub continues: bool,
}

/// `retry`.
#[derive(Debug, Clone)]
pub struct Retry {
    /// How often the action is run at most, the first time included.
    pub attempts: u32,
    /// The wait before the second attempt.
    pub delay: Duration,
    /// What the wait is multiplied with after each attempt.
    pub backoff: f64,
    /// The longest wait.
    pub max_delay: Duration,
    /// Whether each wait is a random part of it, half of it at least.
    pub jitter: bool,
    /// Makes it again if this holds; without it, if the attempt has failed.
    pub retry_when: Option<Condition>,
    /// Stops if this holds.
    pub stop_when: Option<Condition>,
}

/// A condition and its line.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The condition.
    pub template: Template,
    /// The line of its first line.
    pub line: usize,
}

/// What must hold after a step.
#[derive(Debug, Clone)]
pub struct Assert {
    /// The condition.
    pub condition: Condition,
    /// What is wrong if it does not hold, in the playbook's words.
    pub message: Option<Template>,
}

/// `sink`: rows of the result go into a table.
#[derive(Debug, Clone)]
pub struct Sink {
    /// The line of `sink`.
    pub line: usize,
    /// The tool that writes them.
    pub tool: Reference,
    /// The credential's alias.
    pub credential: String,
    /// Where it is named.
    pub position: Position,
    /// The table's name, after that of its schema if there is one.
    pub table: Vec<String>,
    /// The rows; without it, the result's data.
    pub rows: Option<ValueTemplate>,
    /// The columns that tell which row to replace; none are replaced if it is empty.
    pub key: Vec<String>,
}

/// What a step waits for, if several steps lead to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Join {
    /// For every way that can still lead to it.
    #[default]
    Open,
    /// For each of the steps that lead to it.
    All,
    /// For the first of them.
    Any,
}

impl Step {
    /// Every step that it can lead to, after a failure too; some more than once.
    pub fn targets(&self) -> impl Iterator<Item = usize> {
        self.next.targets().chain(self.on_error.targets())
    }
}

/// A variable that a step sets.
#[derive(Debug, Clone)]
pub struct Var {
    /// Its name.
    pub name: String,
    /// The line of its value's first line.
    pub line: usize,
    /// Its value; undefined or null leaves it unset.
    pub template: ValueTemplate,
}

/// What a step runs.
#[derive(Debug, Clone)]
pub struct Action {
    /// The tool as it is named: `python`, `acme/geocode@1.2.0` (never `workbook`).
    pub tool: String,
    /// The same, taken apart.
    pub reference: Reference,
    /// Where the tool is named.
    pub position: Position,
    /// The workbook's task, if the step names one.
    pub task: Option<String>,
    /// What the tool needs.
    pub kind: ActionKind,
    /// Arguments, those of the step over those of the task.
    pub args: Vec<(String, ValueTemplate)>,
    /// Limits, those of the step over those of the task.
    pub limits: Vec<Setting>,
}

/// What a tool needs beside arguments.
#[derive(Debug, Clone)]
pub enum ActionKind {
    /// Python code with a `main`.
    Python {
        /// The code as written; no template.
        code: String,
        /// The playbook's line of the code's first line.
        line: usize,
    },
    /// An SQL script.
    Postgres {
        /// The credential's alias.
        credential: String,
        /// Where it is named.
        position: Position,
        /// The playbook's line of the script's first line.
        line: usize,
        /// The script.
        sql: SqlTemplate,
    },
    /// Any other tool.
    Plugin {
        /// The tool's own fields of the step or task, an object.
        config: ValueTemplate,
        /// The alias of the credential that it may use, and where it is named.
        credential: Option<(String, Position)>,
    },
    /// Another playbook; the arguments are its payload.
    Playbook {
        /// Its path.
        path: Template,
        /// Where it is named.
        position: Position,
        /// Its version; the latest, if there is none.
        version: Option<i32>,
    },
}

/// Where a step leads. Steps are indexes into [`Playbook::steps`].
#[derive(Debug, Clone)]
pub enum Next {
    /// Nowhere: this way ends here.
    None,
    /// All of these, side by side.
    All(Vec<usize>),
    /// The first branch that holds, or else the default (which may be empty).
    Branches {
        /// In the order in which they are tried.
        branches: Vec<Branch>,
        /// Taken if no branch holds.
        default: Vec<usize>,
    },
}

impl Next {
    /// The groups of steps of which it takes one; an empty group is the end of the way.
    pub fn groups(&self) -> impl Iterator<Item = &[usize]> {
        let (branches, last): (&[Branch], &[usize]) = match self {
            Self::None => (&[], &[]),
            Self::All(steps) => (&[], steps),
            Self::Branches { branches, default } => (branches, default),
        };
        let then = branches.iter().map(|branch| branch.then.as_slice());
        then.chain([last])
    }

    /// Every step that it can lead to; some more than once.
    pub fn targets(&self) -> impl Iterator<Item = usize> {
        self.groups().flatten().copied()
    }
}

/// A `when` with its `then`.
#[derive(Debug, Clone)]
pub struct Branch {
    /// The condition.
    pub condition: Condition,
    /// The steps taken if it holds, side by side.
    pub then: Vec<usize>,
}
