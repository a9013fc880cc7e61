use serde_json::{Map, Value as Json};

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
    /// The steps, in the order of the text.
    pub steps: Vec<Step>,
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
    /// Variables to set after it.
    pub vars: Vec<Var>,
    /// Where it leads.
    pub next: Next,
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

/// A `when` with its `then`.
#[derive(Debug, Clone)]
pub struct Branch {
    /// The condition.
    pub condition: Template,
    /// The condition's line.
    pub line: usize,
    /// The steps taken if it holds, side by side.
    pub then: Vec<usize>,
}
