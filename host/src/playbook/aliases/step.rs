//! The fields of steps and tasks.

use super::{Pass, Place, entries_of, take, unsupported, value_of};
use crate::playbook::tool::LANGUAGE;
use crate::tool::Reference;
use crate::yaml::{Entry, Kind, Node, find, find_text};

/// Values of `tool` and `type` that say where a step stands in the flow.
const FLOW: [&str; 4] = ["start", "end", "router", "noop"];

impl Pass<'_> {
    pub(super) fn step(&mut self, fields: &mut Vec<Entry>) {
        self.body(fields, false);
        for key in ["next", "on_error"] {
            if let Some(value) = value_of(fields, key) {
                self.next(value, key);
            }
        }
    }

    /// The tool and its fields.
    pub(super) fn body(&mut self, fields: &mut Vec<Entry>, is_task: bool) {
        self.tool_of_an_object(fields);
        self.tool_of_type(fields);
        self.no_tool(fields);
        let Some(entry) = find(fields, "tool") else {
            self.refuse_all(fields, Place::Step, "");
            self.control(fields);
            return;
        };
        let position = entry.value.position;
        let tool = find_text(fields, "tool").unwrap_or_default().to_owned();
        self.refuse(position, Place::Tool, &tool, "");
        match tool.as_str() {
            "python" => self.python(fields),
            "postgres" => self.postgres(fields),
            "workbook" => {
                self.rename(fields, "task", "name");
                self.args(fields);
            }
            "playbook" => {
                self.args(fields);
                self.refuse_all(fields, Place::Call, "");
            }
            _ if unsupported(Place::Tool, &tool).is_some() => {}
            _ => self.plugin(fields, &tool),
        }
        let of_language = LANGUAGE.contains(&tool.as_str());
        if of_language {
            self.refuse_all(fields, Place::Step, "");
        }
        if is_task && of_language {
            self.refuse_all(fields, Place::Task, "");
        }
        if !is_task {
            self.control(fields);
        }
        if let Some(auth) = value_of(fields, "auth") {
            self.auth(auth, "auth");
        }
    }

    /// Fields that every step can have.
    fn control(&mut self, fields: &mut Vec<Entry>) {
        self.rename(fields, "save", "sink");
        if let Some(entries) = entries_of(fields, "loop") {
            self.each(entries);
        }
        if let Some(entries) = entries_of(fields, "retry") {
            self.retry(entries);
        }
        if let Some(entries) = entries_of(fields, "assert") {
            self.refuse_all(entries, Place::Assert, "assert.");
            if entries.is_empty() {
                take(fields, "assert");
            }
        }
        if let Some(entries) = entries_of(fields, "sink") {
            self.sink(entries);
        }
    }

    /// `tool: {kind: python, code: …}`.
    pub(super) fn tool_of_an_object(&mut self, fields: &mut Vec<Entry>) {
        if self.lift(fields, "tool", |inner| find(inner, "kind").is_some()) {
            self.rename(fields, "kind", "tool");
        }
    }

    fn tool_of_type(&mut self, fields: &mut [Entry]) {
        let tool = find_text(fields, "tool");
        if tool.is_none_or(|tool| LANGUAGE.contains(&tool)) {
            self.rename(fields, "type", "tool");
        }
    }

    /// A router runs nothing.
    fn no_tool(&mut self, fields: &mut Vec<Entry>) {
        let flow = find_text(fields, "tool").filter(|tool| FLOW.contains(tool));
        let Some(flow) = flow.map(str::to_owned) else {
            return;
        };
        if let Some(entry) = take(fields, "tool") {
            self.note(
                entry.position,
                format!("`tool: {flow}` is left out: the step runs nothing"),
            );
        }
    }

    fn args(&mut self, fields: &mut [Entry]) {
        self.rename(fields, "with", "args");
        self.rename(fields, "data", "args");
    }

    fn python(&mut self, fields: &mut Vec<Entry>) {
        self.args(fields);
        self.external(fields, "code");
        self.refuse_all(fields, Place::Python, "");
        if find_text(fields, "script").is_some() {
            self.rename(fields, "script", "code");
        }
        if let Some(code) = find(fields, "code")
            && let Kind::Text(text) = &code.value.kind
            && ["{{ workload.", "{{ vars.", "{{workload.", "{{vars."]
                .iter()
                .any(|mark| text.contains(mark))
        {
            let position = code.position;
            let message = "braces in `code` are Python's; values come in through `args`";
            self.note(position, message.to_owned());
        }
    }

    fn postgres(&mut self, fields: &mut Vec<Entry>) {
        self.external(fields, "query");
        self.refuse_all(fields, Place::Postgres, "");
        for alias in [
            "script",
            "command",
            "commands",
            "queries",
            "sql",
            "statement",
            "cmd",
            "cmds",
        ] {
            if find(fields, alias).is_some() && self.one_text(fields, alias) {
                self.rename(fields, alias, "query");
            }
        }
        if find(fields, "query").is_some() {
            self.one_text(fields, "query");
        }
    }

    /// A list of one statement is that statement. The texts of a longer one stand in
    /// several places, and messages must name the right one.
    fn one_text(&mut self, fields: &mut [Entry], key: &str) -> bool {
        let Some(entry) = fields.iter_mut().find(|entry| entry.key == key) else {
            return false;
        };
        // Where the reader finds fault with it, too: with an unknown field, or with its value.
        let position = match key {
            "query" => entry.value.position,
            _ => entry.position,
        };
        let value = &mut entry.value;
        let Kind::List(items) = &mut value.kind else {
            return true;
        };
        if let [only] = items.as_mut_slice()
            && matches!(only.kind, Kind::Text(_))
        {
            let Node { position, kind } = std::mem::replace(
                only,
                Node {
                    position: only.position,
                    kind: Kind::Null,
                },
            );
            *value = Node { position, kind };
            return true;
        }
        self.stand_ins.push((self.report.subject(), "query"));
        self.report
            .add(position, "a query is one text, this is a list")
            .field(key)
            .hint("write `query: |` and the statements below it, each ended by `;`");
        false
    }

    /// Code that lies elsewhere.
    fn external(&mut self, fields: &mut Vec<Entry>, canonical: &'static str) {
        let is_external =
            |entry: &Entry| entry.key == "script" && matches!(entry.value.kind, Kind::Map(_));
        let Some(at) = fields.iter().position(is_external) else {
            return;
        };
        let entry = fields.remove(at);
        self.stand_ins.push((self.report.subject(), canonical));
        self.report
            .add(
                entry.position,
                "`script` is not supported: no step loads code from elsewhere",
            )
            .field("script")
            .hint(format!(
                "write it into the playbook: `{canonical}: |` and the text below it, indented"
            ));
    }

    /// The fields of other tools are their own, as far as their schemas say nothing.
    fn plugin(&mut self, fields: &mut Vec<Entry>, tool: &str) {
        let reference = tool.parse::<Reference>();
        let found = reference.ok().and_then(|tool| self.tools.find(&tool).ok());
        let schema = found.and_then(|found| found.config());
        let is_own = |word: &str| schema.is_some_and(|schema| schema.names(word));
        if tool == "http" {
            let aliases = [("endpoint", "url"), ("payload", "json")];
            for (alias, canonical) in aliases.into_iter().filter(|(alias, _)| !is_own(alias)) {
                self.rename(fields, alias, canonical);
            }
            self.refuse_all(fields, Place::Http, "");
        } else if schema.is_some() {
            for alias in ["with", "data"].into_iter().filter(|alias| !is_own(alias)) {
                self.rename(fields, alias, "args");
            }
        }
        if tool == "http" || schema.is_some() {
            let words = ["case", "when", "bind", "set", "call"];
            for word in words.into_iter().filter(|word| !is_own(word)) {
                if let Some(entry) = take(fields, word) {
                    self.refuse(entry.position, Place::Step, word, "");
                }
            }
        }
    }
}
