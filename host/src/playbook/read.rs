//! The tree as a playbook.

use std::collections::{HashMap, HashSet};

use serde_json::Map;

use super::model::{Action, Join, Next, OnRestart, Output, Playbook, Step, Var};
use super::names::{self, Use};
use super::tool::{self, Body, Over};
use super::{check, control, sink};
use crate::template::{Template, TemplateError, ValueTemplate};
use crate::tool::Toolset;
use crate::visible::brief;
use crate::yaml::{Added, Entry, Kind, Node, Position, Report, Source, entries_to_json, find};

const TOP: [&str; 10] = [
    "apiVersion",
    "kind",
    "metadata",
    "on_restart",
    "workload",
    "workbook",
    "workflow",
    "timeout",
    "output",
    "finally",
];
const METADATA: [&str; 3] = ["name", "path", "description"];
const API_VERSION: &str = "noetl.io/v1";
const MAX_STEPS: usize = 1000;
pub(super) const RESERVED: [&str; 9] = [
    "workload",
    "vars",
    "result",
    "execution_id",
    "error",
    "attempt",
    "loop",
    "true",
    "false",
];

/// What is known while reading.
pub(super) struct Reader<'a> {
    pub source: &'a Source<'a>,
    pub tools: &'a Toolset,
    pub report: &'a mut Report,
    /// Every template, to check its names at the end.
    pub uses: Vec<Use>,
    /// Names of the steps, in order.
    pub steps: Vec<String>,
    /// How many of them are the workflow's; those of `finally` come after.
    pub workflow_steps: usize,
    /// `metadata.path`, as far as it is known.
    pub path: String,
    /// Whether a step may have failed where another is run.
    pub handles_errors: bool,
    /// Something is wrong with where steps lead.
    pub broken_flow: bool,
    /// What the steps with a `loop` call an item.
    elements: HashMap<String, String>,
    tasks: Vec<(String, Option<Body>)>,
}

pub(super) fn playbook(
    tree: &Node,
    source: &Source<'_>,
    tools: &Toolset,
    report: &mut Report,
) -> Option<Playbook> {
    let mut reader = Reader {
        source,
        tools,
        report,
        uses: Vec::new(),
        steps: Vec::new(),
        workflow_steps: 0,
        path: String::new(),
        handles_errors: false,
        broken_flow: false,
        elements: HashMap::new(),
        tasks: Vec::new(),
    };
    reader.playbook(tree)
}

impl Reader<'_> {
    fn playbook(&mut self, tree: &Node) -> Option<Playbook> {
        let Kind::Map(top) = &tree.kind else {
            self.report
                .add(
                    tree.position,
                    format!("a playbook is a mapping, this is {}", tree.what()),
                )
                .hint("begin with `apiVersion: noetl.io/v1` and `kind: Playbook`");
            return None;
        };
        self.report.unknown_fields(top, &TOP, "");
        self.constant(top, "apiVersion", API_VERSION);
        self.constant(top, "kind", "Playbook");
        let (name, path, description) = self.metadata(top);
        self.path = path.clone().unwrap_or_default();
        let on_restart = self.on_restart(top);
        let timeout = control::timeout(self, top);
        let workload = self.workload(top);
        if let Some(workbook) = find(top, "workbook") {
            self.workbook(&workbook.value);
        }
        let steps = match find(top, "workflow") {
            Some(workflow) => self.workflow(&workflow.value, find(top, "finally")),
            None => {
                self.missing(top, "workflow", "")
                    .hint("list the steps, beginning with `- step: start`");
                None
            }
        };
        let output = find(top, "output").and_then(|entry| {
            let line = self.source.first_line(entry.value.position);
            let template = self.value(&entry.value, "output", &[])?;
            Some(Output { line, template })
        });
        let keys: Option<Vec<&str>> = workload
            .as_ref()
            .map(|workload| workload.keys().map(String::as_str).collect());
        let variables: HashSet<&str> = step_nodes(top).flat_map(declared).collect();
        names::check(
            &self.uses,
            keys.as_deref(),
            &variables,
            &self.steps,
            &self.elements,
            self.source,
            self.report,
        );
        let (steps, finally) = steps?;
        if !self.broken_flow {
            check::flow(&steps[..steps.len() - finally], self.report);
        }
        Some(Playbook {
            file: String::new(),
            name: name?,
            path: path?,
            description,
            workload: workload?,
            on_restart,
            timeout,
            output,
            steps,
            finally,
            notes: Vec::new(),
        })
    }

    fn on_restart(&mut self, top: &[Entry]) -> OnRestart {
        let Some(entry) = find(top, "on_restart") else {
            return OnRestart::default();
        };
        match &entry.value.kind {
            Kind::Text(text) if text == "resume" => OnRestart::Resume,
            Kind::Text(text) if text == "fail" => OnRestart::Fail,
            _ => {
                self.report
                    .add(entry.value.position, "this must be `resume` or `fail`")
                    .field("on_restart")
                    .hint("`resume` goes on after the last finished step, `fail` marks the execution as interrupted");
                OnRestart::default()
            }
        }
    }

    fn metadata(&mut self, top: &[Entry]) -> (Option<String>, Option<String>, Option<String>) {
        let Some(metadata) = find(top, "metadata") else {
            self.missing(top, "metadata", "")
                .hint("write `metadata:` with `name` and `path`");
            return (None, None, None);
        };
        let Some(entries) = self.report.mapping(&metadata.value, "metadata") else {
            return (None, None, None);
        };
        self.report.unknown_fields(entries, &METADATA, "metadata.");
        let name = self.required_text(entries, "name", "metadata.name", metadata.position);
        let name = name.filter(|name| match name.chars().any(char::is_control) {
            false => true,
            true => {
                self.report
                    .add(metadata.position, "the name holds control characters")
                    .field("metadata.name")
                    .hint("write it as people read it");
                false
            }
        });
        let path = self
            .required_text(entries, "path", "metadata.path", metadata.position)
            .filter(|path| match path_fault(path) {
                None => true,
                Some(fault) => {
                    let at =
                        find(entries, "path").map_or(metadata.position, |path| path.value.position);
                    self.report
                        .add(at, format!("the path `{path}` {fault}"))
                        .field("metadata.path")
                        .hint("write it like `api_integration/auth0/auth0_login`");
                    false
                }
            });
        let description = self.description(entries, "metadata.");
        (name, path, description)
    }

    fn workload(&mut self, top: &[Entry]) -> Option<Map<String, serde_json::Value>> {
        match find(top, "workload").map(|entry| &entry.value) {
            None
            | Some(Node {
                kind: Kind::Null, ..
            }) => Some(Map::new()),
            Some(node) => self.report.mapping(node, "workload").map(entries_to_json),
        }
    }

    fn workbook(&mut self, node: &Node) {
        let Some(items) = self.report.list(node, "workbook") else {
            return;
        };
        for item in items {
            let Some(entries) = self.report.mapping(item, "workbook") else {
                continue;
            };
            let Some(name) = self.required_text(entries, "name", "workbook.name", item.position)
            else {
                continue;
            };
            let position = find(entries, "name").map_or(item.position, |name| name.value.position);
            if self.tasks.iter().any(|(known, _)| *known == name) {
                self.report
                    .add(position, format!("there are two tasks `{name}`"))
                    .field("workbook.name")
                    .hint("give one of them another name");
                continue;
            }
            let prefix = format!("workbook.{name}.");
            self.description(entries, &prefix);
            let body = tool::body(self, entries, &prefix, true, item.position, &[]);
            self.tasks.push((name, body));
        }
    }

    /// The steps, and how many of them at the end are those of `finally`.
    fn workflow(&mut self, node: &Node, finally: Option<&Entry>) -> Option<(Vec<Step>, usize)> {
        let items = self.report.list(node, "workflow")?;
        let last = match finally.map(|entry| &entry.value) {
            Some(node) if !matches!(node.kind, Kind::Null) => self.report.list(node, "finally")?,
            _ => &[],
        };
        let count = items.len() + last.len();
        if count > MAX_STEPS {
            self.report
                .add(
                    node.position,
                    format!("{count} steps, more than the {MAX_STEPS} allowed"),
                )
                .field("workflow");
            return None;
        }
        let entries = self.named(items, "workflow");
        if !self.steps.iter().any(|name| name == "start") {
            self.broken_flow = true;
            let names = self.steps.clone();
            let added = self
                .report
                .add(node.position, "there is no step `start`")
                .field("workflow");
            match crate::template::nearest("start", names.iter().map(String::as_str)) {
                Some(near) => added.hint(format!("is `{near}` meant to be it?")),
                None => added.hint("a workflow begins with `- step: start`"),
            };
        }
        self.workflow_steps = self.steps.len();
        let last = self.named(last, "finally");
        self.handles_errors = !last.is_empty()
            || entries
                .iter()
                .any(|(fields, _)| find(fields, "on_error").is_some());
        let mut steps = Vec::new();
        for (index, (fields, position)) in entries.iter().chain(&last).enumerate() {
            let name = self.steps[index].clone();
            self.report.about(Some(&name));
            let is_last = index >= self.workflow_steps;
            if is_last {
                self.finally_step(fields);
            }
            steps.push(self.step(name, fields, *position, is_last));
            self.report.about(None);
        }
        let steps: Option<Vec<Step>> = steps.into_iter().collect();
        Some((steps?, last.len()))
    }

    /// The fields of the items that have a name; the names go into `steps`.
    fn named<'n>(&mut self, items: &'n [Node], field: &str) -> Vec<(&'n [Entry], Position)> {
        let mut named = Vec::new();
        for item in items {
            let Some(fields) = self.report.mapping(item, field) else {
                self.broken_flow = true;
                continue;
            };
            match self.step_name(fields, item.position) {
                Some(name) => {
                    self.steps.push(name);
                    named.push((fields, item.position));
                }
                None => self.broken_flow = true,
            }
        }
        named
    }

    /// Steps of `finally` run one after the other.
    fn finally_step(&mut self, fields: &[Entry]) {
        for key in ["next", "on_error", "join"] {
            if let Some(entry) = find(fields, key) {
                self.report
                    .add(
                        entry.position,
                        format!("a step of `finally` has no `{key}`"),
                    )
                    .field(key)
                    .hint("they run one after the other, in the order of the text");
            }
        }
    }

    fn step_name(&mut self, fields: &[Entry], position: Position) -> Option<String> {
        let name = self.required_text(fields, "step", "step", position)?;
        let at = find(fields, "step").map_or(position, |step| step.value.position);
        let fault = if self.steps.contains(&name) {
            Some("is there twice")
        } else if RESERVED.contains(&name.as_str()) {
            Some("is a word that templates use")
        } else if !is_name(&name) {
            Some("may hold letters, digits, `_` and `-` only, at most 100")
        } else {
            None
        };
        match fault {
            None => Some(name),
            Some(fault) => {
                self.report
                    .add(at, format!("the step name `{}` {fault}", brief(&name, 100)))
                    .field("step")
                    .hint("give the step another name");
                None
            }
        }
    }

    fn step(
        &mut self,
        name: String,
        fields: &[Entry],
        position: Position,
        is_last: bool,
    ) -> Option<Step> {
        let before = self.report.count();
        let line = find(fields, "step").map_or(position.line, |step| step.position.line);
        let description = self.description(fields, "");
        let each = control::each(self, fields);
        // Even if the loop is broken, its names elsewhere are no second mistake.
        let element = control::element(fields);
        if let Some(element) = element {
            self.elements.insert(name.clone(), element.to_owned());
        }
        let locals: Vec<&str> = match find(fields, "loop") {
            Some(_) => element.into_iter().chain(["loop"]).collect(),
            None => Vec::new(),
        };
        let body = tool::body(self, fields, "", false, position, &locals);
        let action = body.and_then(|body| self.action(body, fields));
        // Even if the action is broken, `result` in `next` is no second mistake.
        let has_tool = find(fields, "tool").is_some();
        let result: &[&str] = if has_tool { &["result"] } else { &[] };
        if !has_tool {
            self.needs_tool(fields);
        }
        let retry = control::retry(self, fields, &locals);
        let timeout = control::timeout(self, fields);
        let asserts = control::asserts(self, fields, result);
        let sink = sink::sink(self, fields);
        let vars = self.vars(fields, result);
        let (mut next, mut on_error, mut join) = (Next::None, Next::None, Join::Open);
        if !is_last {
            next = super::next::next(self, "next", &name, fields, result);
            on_error = super::next::next(self, "on_error", &name, fields, &["error"]);
            join = control::join(self, fields);
        }
        if name != "end" && !has_tool && !is_last && find(fields, "next").is_none() {
            self.report
                .add(position, "the step has neither a `tool` nor a `next`")
                .hint("say what it runs or where it leads; the last step is called `end`");
        }
        (self.report.count() == before).then_some(Step {
            name,
            line,
            description,
            action,
            each,
            retry,
            timeout,
            asserts,
            sink,
            vars,
            next,
            on_error,
            join,
        })
    }

    fn needs_tool(&mut self, fields: &[Entry]) {
        for key in ["loop", "retry", "timeout", "sink"] {
            if let Some(entry) = find(fields, key) {
                self.report
                    .add(
                        entry.position,
                        format!("`{key}` is for a step with a `tool`"),
                    )
                    .field(key)
                    .hint("add `tool:`, or take it away");
            }
        }
    }

    fn action(&mut self, body: Body, fields: &[Entry]) -> Option<Action> {
        let Body::Workbook {
            task,
            position,
            over,
        } = body
        else {
            return body.into_action(None, Over::default());
        };
        let Some((_, known)) = self.tasks.iter().find(|(name, _)| *name == task) else {
            let names: Vec<&str> = self.tasks.iter().map(|(name, _)| name.as_str()).collect();
            self.report
                .add(position, format!("the workbook has no task `{task}`"))
                .field("name")
                .suggest(&task, names);
            return None;
        };
        // A task that is broken was told of where it stands.
        let body = known.clone()?;
        if !over.args.is_empty() && !body.takes_args() {
            let at = find(fields, "args").map_or(position, |args| args.position);
            self.report
                .add(at, format!("the task `{task}` is SQL and takes no `args`"))
                .field("args")
                .hint("write `{{ … }}` in the query instead");
            return None;
        }
        body.into_action(Some(task), over)
    }

    fn vars(&mut self, fields: &[Entry], locals: &[&str]) -> Vec<Var> {
        let Some(entry) = find(fields, "vars") else {
            return Vec::new();
        };
        if matches!(entry.value.kind, Kind::Null) {
            return Vec::new();
        }
        let Some(entries) = self.report.mapping(&entry.value, "vars") else {
            return Vec::new();
        };
        let mut vars = Vec::new();
        for var in entries {
            let field = format!("vars.{}", var.key);
            if !is_identifier(&var.key) {
                self.report
                    .add(
                        var.position,
                        format!("`{}` can't be the name of a variable", var.key),
                    )
                    .field(&field)
                    .hint("use letters, digits and `_`, and no digit first");
            }
            if let Some(template) = self.value(&var.value, &field, locals) {
                vars.push(Var {
                    name: var.key.clone(),
                    line: self.source.first_line(var.value.position),
                    template,
                });
            }
        }
        vars
    }

    /// A value with templates in it.
    pub(super) fn value(
        &mut self,
        node: &Node,
        field: &str,
        locals: &[&str],
    ) -> Option<ValueTemplate> {
        match &node.kind {
            Kind::Text(content)
                if content.contains("{{") || content.contains("{%") || content.contains("{#") =>
            {
                self.template(node.position, content, field, locals)
                    .map(ValueTemplate::Text)
            }
            Kind::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.value(item, &format!("{field}[{index}]"), locals))
                    .collect();
                items
                    .into_iter()
                    .collect::<Option<_>>()
                    .map(ValueTemplate::List)
            }
            Kind::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        let field = format!("{field}.{}", entry.key);
                        Some((entry.key.clone(), self.value(&entry.value, &field, locals)?))
                    })
                    .collect();
                entries
                    .into_iter()
                    .collect::<Option<_>>()
                    .map(ValueTemplate::Map)
            }
            _ => Some(ValueTemplate::Literal(node.to_json())),
        }
    }

    pub(super) fn template(
        &mut self,
        position: Position,
        content: &str,
        field: &str,
        locals: &[&str],
    ) -> Option<Template> {
        match Template::compile(content) {
            Ok(template) => {
                self.remember(position, content, field, locals, template.references());
                Some(template)
            }
            Err(error) => {
                self.template_error(position, content, field, &error);
                None
            }
        }
    }

    pub(super) fn remember(
        &mut self,
        position: Position,
        content: &str,
        field: &str,
        locals: &[&str],
        references: &[crate::template::Reference],
    ) {
        if !references.is_empty() {
            let locals = locals.iter().copied();
            let locals = locals.chain(self.handles_errors.then_some("error"));
            self.uses.push(Use {
                step: self.report.subject(),
                field: field.to_owned(),
                position,
                content: content.to_owned(),
                locals: locals.map(str::to_owned).collect(),
                references: references.to_vec(),
            });
        }
    }

    pub(super) fn template_error(
        &mut self,
        position: Position,
        content: &str,
        field: &str,
        error: &TemplateError,
    ) {
        let position = match self.report.is_full() {
            true => position,
            false => self
                .source
                .locate(position, content, error.offset.unwrap_or(0)),
        };
        let message = match &error.expression {
            Some(expression) => format!("{}, in `{{{{ {expression} }}}}`", error.message),
            None => error.message.clone(),
        };
        self.report
            .add(position, message)
            .field(field)
            .hint(error.hint.clone().unwrap_or_default());
    }

    fn description(&mut self, fields: &[Entry], prefix: &str) -> Option<String> {
        let entry = find(fields, "desc").or_else(|| find(fields, "description"))?;
        match &entry.value.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Null => None,
            _ => {
                self.report
                    .wrong_kind(&entry.value, &format!("{prefix}{}", entry.key), "a text");
                None
            }
        }
    }

    fn constant(&mut self, top: &[Entry], key: &str, expected: &str) {
        match find(top, key) {
            None => {
                self.missing(top, key, "")
                    .hint(format!("write `{key}: {expected}`"));
            }
            Some(Entry {
                value:
                    Node {
                        kind: Kind::Text(text),
                        ..
                    },
                ..
            }) if text == expected => {}
            Some(entry) => {
                let got = entry.value.to_json();
                let got = got.as_str().map_or_else(|| got.to_string(), str::to_owned);
                self.report
                    .add(entry.value.position, format!("`{got}` is not supported"))
                    .field(key)
                    .hint(format!("write `{key}: {expected}`"));
            }
        }
    }

    fn missing(&mut self, fields: &[Entry], key: &str, prefix: &str) -> Added<'_> {
        let position = fields
            .first()
            .map_or(Position { line: 1, column: 1 }, |entry| entry.position);
        self.report.missing(position, key, format!("{prefix}{key}"))
    }

    /// A text that must be there and must not be empty or a template.
    pub(super) fn required_text(
        &mut self,
        fields: &[Entry],
        key: &str,
        field: &str,
        position: Position,
    ) -> Option<String> {
        match find(fields, key).map(|entry| &entry.value) {
            None => {
                self.report
                    .missing(position, key, field)
                    .hint(format!("write `{key}: …`"));
                None
            }
            Some(Node {
                kind: Kind::Text(text),
                position,
            }) => {
                let fault = if text.trim().is_empty() {
                    "is empty"
                } else if text.contains("{{") || text.contains("{%") {
                    "can't be a template"
                } else {
                    return Some(text.clone());
                };
                self.report
                    .add(*position, format!("`{key}` {fault}"))
                    .field(field);
                None
            }
            Some(node) => {
                self.report.wrong_kind(node, field, "a text");
                None
            }
        }
    }
}

/// The variables that a step of the tree declares, whatever else is wrong.
fn declared(step: &Node) -> Vec<&str> {
    let Kind::Map(fields) = &step.kind else {
        return Vec::new();
    };
    match find(fields, "vars").map(|vars| &vars.value.kind) {
        Some(Kind::Map(vars)) => vars.iter().map(|var| var.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The steps of the workflow and of `finally`, whatever is wrong with them.
pub(super) fn step_nodes(top: &[Entry]) -> impl Iterator<Item = &Node> {
    let lists = ["workflow", "finally"].into_iter();
    let lists = lists.filter_map(|key| match &find(top, key)?.value.kind {
        Kind::List(items) => Some(items),
        _ => None,
    });
    lists.flatten()
}

fn is_name(name: &str) -> bool {
    name.len() <= 100
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

pub(super) fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
}

pub(super) fn path_fault(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        Some("begins with `/`")
    } else if path.len() > 500 {
        Some("is longer than 500 characters")
    } else if path.split('/').any(str::is_empty) {
        Some("has an empty part")
    } else if path.split('/').any(|part| part == "." || part == "..") {
        Some("has a part `.` or `..`")
    } else if !path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-'))
    {
        Some("may hold letters, digits, `_`, `.`, `-` and `/` only")
    } else {
        None
    }
}
