//! How a playbook was understood, in plain words: `noetl validate --explain`.

use std::fmt::Write;
use std::time::Duration;

use super::model::{Action, ActionKind, Branch, Join, Loop, Next, Playbook, Retry, Sink, Step};
use crate::template::ValueTemplate;
use crate::visible::brief;

/// The longest value that is shown, in characters.
const VALUE: usize = 200;

impl Playbook {
    /// What it does, step by step, after the notes on what was written in other words than
    /// the language's own. Lines, each ended.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        let mut line = |indent: usize, content: &str| {
            writeln!(text, "{:indent$}{content}", "").expect("a text takes all");
        };
        line(0, &format!("{}: {}", self.path, self.name));
        for note in &self.notes {
            line(2, &note.to_string());
        }
        if let Some(timeout) = self.timeout {
            line(2, &format!("may take {}", time(timeout)));
        }
        for (index, step) in self.steps.iter().enumerate() {
            if index == self.finally_at() {
                line(0, "at the end, however it came:");
            }
            line(0, &format!("{} (line {})", step.name, step.line));
            for said in self.step(step) {
                line(2, &said);
            }
        }
        let gives = self.output.as_ref().map_or_else(
            || "gives the result of the last step with a tool".to_owned(),
            |output| format!("gives {}", value(&output.template)),
        );
        line(0, &gives);
        text
    }

    /// What is said of a step. A new field of steps gets its line here.
    fn step(&self, step: &Step) -> Vec<String> {
        let mut said = Vec::new();
        match step.join {
            Join::Open => {}
            Join::All => said.push("waits for all steps that lead here".to_owned()),
            Join::Any => said.push("begins with the first step that leads here".to_owned()),
        }
        match &step.action {
            Some(action) => said.extend(runs(action)),
            None => said.push("runs nothing".to_owned()),
        }
        said.extend(step.each.as_ref().map(each));
        said.extend(step.retry.as_ref().map(retry));
        let may_take = step
            .timeout
            .map(|at_most| format!("may take {}", time(at_most)));
        said.extend(may_take);
        let asserts = step.asserts.iter();
        said.extend(
            asserts.map(|assert| {
                format!("fails unless {}", assert.condition.template.source().trim())
            }),
        );
        said.extend(step.sink.as_ref().map(sink));
        let vars = step.vars.iter();
        said.extend(vars.map(|var| format!("sets vars.{} = {}", var.name, value(&var.template))));
        said.extend(self.leads(&step.next, "leads to"));
        said.extend(self.leads(&step.on_error, "if it failed, leads to"));
        said
    }

    fn leads(&self, next: &Next, verb: &str) -> Vec<String> {
        let names = |steps: &[usize]| match steps {
            [] => "nowhere".to_owned(),
            steps => {
                let names: Vec<&str> = steps
                    .iter()
                    .map(|&at| self.steps[at].name.as_str())
                    .collect();
                names.join(" and ")
            }
        };
        match next {
            Next::None => Vec::new(),
            Next::All(steps) => vec![format!("{verb} {}", names(steps))],
            Next::Branches { branches, default } => {
                let branches = branches.iter().enumerate().map(|(index, branch)| {
                    let Branch {
                        condition, then, ..
                    } = branch;
                    let or = if index == 0 { "" } else { "else " };
                    format!(
                        "{or}{verb} {} when {}",
                        names(then),
                        condition.template.source().trim()
                    )
                });
                let default = format!("else {verb} {}", names(default));
                branches.chain([default]).collect()
            }
        }
    }
}

/// The tool with what it is given.
fn runs(action: &Action) -> Vec<String> {
    let of_task = action.task.as_ref();
    let of_task = of_task.map_or_else(String::new, |task| {
        format!(", the workbook's task `{task}`")
    });
    let tool = &action.tool;
    let mut said = match &action.kind {
        ActionKind::Python { line, .. } => {
            vec![format!(
                "runs {tool}{of_task}: the code from line {line} on"
            )]
        }
        ActionKind::Postgres {
            credential, line, ..
        } => vec![format!(
            "runs {tool}{of_task}: the SQL from line {line} on, with the credential `{credential}`"
        )],
        ActionKind::Plugin { config, credential } => {
            let with = credential.as_ref();
            let with = with.map_or_else(String::new, |(alias, _)| {
                format!(", with the credential `{alias}`")
            });
            let mut said = vec![format!("runs {tool}{of_task}{with}")];
            if let ValueTemplate::Map(fields) = config {
                said.extend(
                    fields
                        .iter()
                        .map(|(name, field)| format!("{name} = {}", value(field))),
                );
            }
            said
        }
        ActionKind::Playbook { path, version, .. } => {
            let version = version.map_or_else(
                || "its latest version".to_owned(),
                |v| format!("version {v}"),
            );
            vec![format!("runs the playbook {}, {version}", path.source())]
        }
    };
    let args = action.args.iter();
    said.extend(args.map(|(name, arg)| format!("args.{name} = {}", value(arg))));
    said
}

fn each(each: &Loop) -> String {
    let Loop {
        collection,
        element,
        concurrency,
        continues,
        ..
    } = each;
    let order = match concurrency {
        1 => "one after the other".to_owned(),
        many => format!("{many} at once"),
    };
    let failed = match continues {
        true => "goes on when one has failed",
        false => "stops when one has failed",
    };
    let collection = value(collection);
    format!("for each `{element}` of {collection}, {order}; {failed}")
}

fn retry(retry: &Retry) -> String {
    let mut said = format!(
        "is tried {} times at most, waits {} and then {} times as long, {} at most",
        retry.attempts,
        time(retry.delay),
        retry.backoff,
        time(retry.max_delay)
    );
    if retry.jitter {
        said.push_str(", each wait shortened by chance");
    }
    let conditions = [
        ("again when", &retry.retry_when),
        ("no more when", &retry.stop_when),
    ];
    for (when, condition) in conditions {
        if let Some(condition) = condition {
            let condition = condition.template.source().trim();
            write!(said, "; {when} {condition}").expect("a text takes all");
        }
    }
    said
}

fn sink(sink: &Sink) -> String {
    let rows = sink
        .rows
        .as_ref()
        .map_or_else(|| "{{ result.data }}".to_owned(), value);
    let table = sink.table.join(".");
    let how = match sink.key.as_slice() {
        [] => format!("adds {rows} to the table {table}"),
        key => format!(
            "writes {rows} into the table {table}, over rows of the same {}",
            key.join(", ")
        ),
    };
    format!("{how}, with the credential `{}`", sink.credential)
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// A value as the playbook writes it, in one line.
fn value(template: &ValueTemplate) -> String {
    brief(&written(template), VALUE)
}

fn written(template: &ValueTemplate) -> String {
    match template {
        ValueTemplate::Literal(value) => value.to_string(),
        ValueTemplate::Text(template) => template
            .source()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        ValueTemplate::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        ValueTemplate::Map(entries) => {
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}: {}", written(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
