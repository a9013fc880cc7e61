//! What a step or a task of the workbook runs.

use std::sync::Arc;

use super::call;
use super::model::{Action, ActionKind};
use super::read::Reader;
use super::schema;
use crate::limits::{self, Setting};
use crate::template::{SqlTemplate, ValueTemplate, nearest};
use crate::tool::{Missing, Reference, Tool, Toolset};
use crate::yaml::{Entry, Kind, Node, Position, Style, find};

type Args = Vec<(String, ValueTemplate)>;

/// A tool with its fields.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A reference to a task.
    Workbook {
        task: String,
        position: Position,
        over: Over,
    },
    /// The tool itself.
    Inline(Box<Action>),
}

/// What a step sets over what its task has.
#[derive(Debug, Clone, Default)]
pub(super) struct Over {
    pub args: Args,
    pub limits: Vec<Setting>,
}

impl Body {
    pub(super) fn takes_args(&self) -> bool {
        match self {
            Body::Inline(action) => !matches!(action.kind, ActionKind::Postgres { .. }),
            Body::Workbook { .. } => true,
        }
    }

    /// The action, with `over` over its own arguments.
    pub(super) fn into_action(self, task: Option<String>, over: Over) -> Option<Action> {
        let Body::Inline(action) = self else {
            return None;
        };
        let mut action = *action;
        action.task = task;
        for (name, value) in over.args {
            match action.args.iter_mut().find(|(known, _)| *known == name) {
                Some((_, slot)) => *slot = value,
                None => action.args.push((name, value)),
            }
        }
        for setting in over.limits {
            action.limits.retain(|known| known.limit != setting.limit);
            action.limits.push(setting);
        }
        Some(action)
    }
}

const STEP: [&str; 13] = [
    "step",
    "desc",
    "description",
    "tool",
    "vars",
    "next",
    "on_error",
    "join",
    "loop",
    "retry",
    "timeout",
    "assert",
    "sink",
];
const TASK: [&str; 4] = ["name", "desc", "description", "tool"];

/// Reads the tool of a step or task; `None` if there is none, or if it is wrong.
pub(super) fn body(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    is_task: bool,
    position: Position,
    locals: &[&str],
) -> Option<Body> {
    let own: &[&str] = if is_task { &TASK } else { &STEP };
    let Some(tool) = find(fields, "tool") else {
        missing(reader, fields, own, prefix, is_task, position);
        return None;
    };
    let Kind::Text(name) = &tool.value.kind else {
        reader
            .report
            .wrong_kind(&tool.value, &format!("{prefix}tool"), "a text");
        return None;
    };
    let before = reader.report.count();
    let allow = |reader: &mut Reader<'_>, extra: &[&str]| {
        let known: Vec<&str> = own
            .iter()
            .chain(extra)
            .chain(&["limits"])
            .copied()
            .collect();
        reader.report.unknown_fields(fields, &known, prefix);
    };
    let limits = match find(fields, "limits") {
        Some(entry) => limits::read(reader.report, &entry.value, &format!("{prefix}limits")),
        None => Vec::new(),
    };
    let reference = match name.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => {
            let known = known_tools(reader.tools, is_task);
            reader
                .report
                .add(tool.value.position, error.to_string())
                .field(format!("{prefix}tool"))
                .suggest(name, known.iter().map(String::as_str));
            return None;
        }
    };
    let inline = |kind, args| {
        Body::Inline(Box::new(Action {
            tool: name.clone(),
            reference: reference.clone(),
            position: tool.value.position,
            task: None,
            kind,
            args,
            limits: limits.clone(),
        }))
    };
    if reference.pin.is_some() && LANGUAGE.contains(&reference.name.as_str()) {
        reader
            .report
            .add(
                tool.value.position,
                format!("`{}` has no versions: it is the server's", reference.name),
            )
            .field(format!("{prefix}tool"))
            .hint(format!("write `tool: {}`", reference.name));
        return None;
    }
    let body = match name.as_str() {
        "workbook" if is_task => {
            reader
                .report
                .add(tool.value.position, "a task can't refer to another task")
                .field(format!("{prefix}tool"))
                .hint("name the task in the step");
            None
        }
        "workbook" => {
            allow(reader, &["name", "args"]);
            let args = args(reader, fields, prefix, locals);
            let task = reader.required_text(fields, "name", "name", tool.position);
            let position = find(fields, "name").map_or(position, |name| name.value.position);
            Some(Body::Workbook {
                task: task?,
                position,
                over: Over {
                    args: args?,
                    limits,
                },
            })
        }
        "python" => {
            allow(reader, &["code", "args"]);
            let args = args(reader, fields, prefix, locals);
            let kind = python(reader, fields, prefix, tool.position);
            Some(inline(kind?, args?))
        }
        "postgres" => {
            allow(reader, &["auth", "query"]);
            let kind = postgres(reader, fields, prefix, tool.position, locals);
            Some(inline(kind?, Vec::new()))
        }
        "playbook" => {
            allow(reader, &["path", "version", "args"]);
            let args = args(reader, fields, prefix, locals);
            let kind = call::call(reader, fields, prefix, tool.position, locals);
            Some(inline(kind?, args?))
        }
        _ => match reader.tools.find(&reference) {
            Ok(found) => {
                let found = Arc::clone(found);
                let kind = plugin(
                    reader,
                    fields,
                    prefix,
                    own,
                    &found,
                    tool.value.position,
                    locals,
                );
                let args = args(reader, fields, prefix, locals);
                if !is_task {
                    let (given, at) = match find(fields, "args") {
                        Some(entry) => (entry.value.entries(), entry.position),
                        None => (&[][..], tool.value.position),
                    };
                    let prefix = format!("{prefix}args.");
                    schema::check(reader, name, found.args(), given.iter(), &prefix, at);
                }
                Some(inline(kind?, args?))
            }
            Err(missing) => {
                let known = known_tools(reader.tools, is_task);
                let added = reader
                    .report
                    .add(tool.value.position, missing.to_string())
                    .field(format!("{prefix}tool"));
                let known = known.iter().map(String::as_str);
                let found_none = reader.tools.names().next().is_none();
                if found_none && nearest(name, known.clone()).is_none() {
                    added.hint(NO_COMPONENTS);
                } else if matches!(missing, Missing::Tool(_)) {
                    added.suggest(name, known);
                }
                None
            }
        },
    };
    body.filter(|_| reader.report.count() == before)
}

/// A server has components. Where there are none, the tool may well exist.
const NO_COMPONENTS: &str = "no tool's component was found here: build them with 'make guests', or name their directory with --components";

/// Tools whose fields are the language's own.
pub(super) const LANGUAGE: [&str; 4] = ["python", "postgres", "playbook", "workbook"];

fn known_tools(tools: &Toolset, is_task: bool) -> Vec<String> {
    let of_language = LANGUAGE
        .into_iter()
        .filter(|known| !(is_task && *known == "workbook"));
    let others = tools.names().filter(|name| !LANGUAGE.contains(name));
    of_language.chain(others).map(Into::into).collect()
}

fn missing(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    own: &[&str],
    prefix: &str,
    is_task: bool,
    position: Position,
) {
    let tools = [
        ("code", "python"),
        ("query", "postgres"),
        ("auth", "postgres"),
        ("path", "playbook"),
        ("name", "workbook"),
        ("args", "python"),
    ];
    let sign = tools
        .iter()
        .find(|(field, _)| !own.contains(field) && find(fields, field).is_some());
    match sign {
        Some((field, tool)) => {
            reader
                .report
                .add(
                    position,
                    format!("`tool` is missing, but there is `{field}`"),
                )
                .field(format!("{prefix}tool"))
                .hint(format!("add `tool: {tool}`"));
        }
        None if is_task => {
            reader
                .report
                .missing(position, "tool", format!("{prefix}tool"))
                .hint("add `tool: python` or `tool: postgres`");
        }
        None => reader.report.unknown_fields(fields, own, prefix),
    }
}

fn args(reader: &mut Reader<'_>, fields: &[Entry], prefix: &str, locals: &[&str]) -> Option<Args> {
    let Some(entry) = find(fields, "args") else {
        return Some(Vec::new());
    };
    if matches!(entry.value.kind, Kind::Null) {
        return Some(Vec::new());
    }
    let entries = reader
        .report
        .mapping(&entry.value, &format!("{prefix}args"))?;
    let args: Vec<_> = entries
        .iter()
        .map(|arg| {
            let field = format!("{prefix}args.{}", arg.key);
            Some((arg.key.clone(), reader.value(&arg.value, &field, locals)?))
        })
        .collect();
    args.into_iter().collect()
}

fn python(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    tool: Position,
) -> Option<ActionKind> {
    let field = format!("{prefix}code");
    let (code, position) = block(reader, fields, "code", &field, tool)?;
    if reader.source.style(position) == Style::Folded {
        let at = find(fields, "code").map_or(position, |code| code.position);
        reader
            .report
            .add(at, "`>` joins lines, which breaks Python")
            .field(&field)
            .hint("write `code: |`");
        return None;
    }
    if !code.contains("main") {
        reader
            .report
            .add(position, "the code has no function `main`")
            .field(&field)
            .hint("its result is what `def main(…):` returns");
        return None;
    }
    Some(ActionKind::Python {
        code: code.clone(),
        line: reader.source.first_line(position),
    })
}

fn postgres(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    tool: Position,
    locals: &[&str],
) -> Option<ActionKind> {
    let credential = credential(reader, fields, prefix, tool);
    let field = format!("{prefix}query");
    let (query, position) = block(reader, fields, "query", &field, tool)?;
    match SqlTemplate::compile(query) {
        Ok(sql) => {
            reader.remember(position, query, &field, locals, sql.references());
            let (credential, named_at) = credential?;
            Some(ActionKind::Postgres {
                credential,
                position: named_at,
                line: reader.source.first_line(position),
                sql,
            })
        }
        Err(error) => {
            reader.template_error(position, query, &field, &error);
            None
        }
    }
}

pub(super) fn credential(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    tool: Position,
) -> Option<(String, Position)> {
    let field = format!("{prefix}auth");
    let Some(auth) = find(fields, "auth") else {
        reader
            .report
            .missing(tool, "auth", &field)
            .hint("name the credential: `auth: my_alias`");
        return None;
    };
    if let Kind::Map(entries) = &auth.value.kind
        && let Some(kind) = find(entries, "type")
        && !matches!(&kind.value.kind, Kind::Text(kind) if kind == "postgres")
    {
        reader
            .report
            .add(
                kind.value.position,
                "the postgres tool needs a credential of type `postgres`",
            )
            .field(format!("{field}.type"))
            .hint("write `type: postgres`");
    }
    alias(reader, auth, &field)
}

/// The fields of a plugin are its own affair, as far as its schema says nothing, but
/// one that is nearly a field of the language is a slip.
fn plugin(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    own: &[&str],
    tool: &Tool,
    position: Position,
    locals: &[&str],
) -> Option<ActionKind> {
    let of_language: Vec<&str> = own.iter().copied().chain(["args", "limits"]).collect();
    let given = fields
        .iter()
        .filter(|entry| !of_language.contains(&entry.key.as_str()));
    let before = reader.report.count();
    let rest = given.clone().filter(|entry| entry.key != "auth");
    let mut config = Vec::new();
    for entry in rest.clone() {
        let field = format!("{prefix}{}", entry.key);
        if let Some(near) = nearest(&entry.key, of_language.iter().copied())
            && !tool.config().is_some_and(|schema| schema.names(&entry.key))
        {
            reader
                .report
                .add(entry.position, format!("unknown field `{}`", entry.key))
                .field(&field)
                .hint(format!("did you mean `{near}`?"));
        }
        let value = reader.value(&entry.value, &field, locals);
        config.push(value.map(|value| (entry.key.clone(), value)));
    }
    let credential = match find(fields, "auth") {
        Some(auth) => Some(alias(reader, auth, &format!("{prefix}auth"))?),
        None => None,
    };
    if reader.report.count() == before {
        // What `auth` becomes is a text.
        let auth = credential.as_ref().map(|(alias, at)| Entry {
            key: "auth".into(),
            position: *at,
            value: Node {
                position: *at,
                kind: Kind::Text(alias.clone()),
            },
        });
        let given: Vec<&Entry> = rest.chain(&auth).collect();
        let given = given.into_iter();
        let name = tool.name.as_str();
        schema::check(reader, name, tool.config(), given, prefix, position);
    }
    let config: Option<_> = config.into_iter().collect();
    Some(ActionKind::Plugin {
        config: ValueTemplate::Map(config?),
        credential,
    })
}

/// A credential's alias: `auth: alias`, or `auth: {credential: alias}` with a `type`
/// that says to the reader what it is.
fn alias(reader: &mut Reader<'_>, auth: &Entry, field: &str) -> Option<(String, Position)> {
    let Kind::Map(entries) = &auth.value.kind else {
        let alias =
            reader.required_text(std::slice::from_ref(auth), "auth", field, auth.position)?;
        return Some((alias, auth.value.position));
    };
    reader
        .report
        .unknown_fields(entries, &["type", "credential"], &format!("{field}."));
    let field = format!("{field}.credential");
    let alias = reader.required_text(entries, "credential", &field, auth.position)?;
    let named_at = find(entries, "credential").map_or(auth.position, |c| c.value.position);
    Some((alias, named_at))
}

/// A long text: not empty, and not checked for braces.
fn block<'n>(
    reader: &mut Reader<'_>,
    fields: &'n [Entry],
    key: &str,
    field: &str,
    tool: Position,
) -> Option<(&'n String, Position)> {
    match find(fields, key).map(|entry| &entry.value) {
        Some(Node {
            kind: Kind::Text(content),
            position,
        }) if !content.trim().is_empty() => Some((content, *position)),
        Some(
            node @ Node {
                kind: Kind::Text(_) | Kind::Null,
                ..
            },
        ) => {
            reader
                .report
                .add(node.position, format!("`{key}` is empty"))
                .field(field);
            None
        }
        Some(node) => {
            reader.report.wrong_kind(node, field, "a text");
            None
        }
        None => {
            reader
                .report
                .missing(tool, key, field)
                .hint(format!("write `{key}: |` and the text below it, indented"));
            None
        }
    }
}
