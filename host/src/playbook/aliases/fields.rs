//! What stands under the fields of a step: `auth`, `loop`, `retry`, `sink`.

use super::{Pass, Place, value_of};
use crate::yaml::{Entry, Kind, Node, Position, find, find_text};

impl Pass<'_> {
    pub(super) fn auth(&mut self, auth: &mut Node, field: &str) {
        let position = auth.position;
        match &mut auth.kind {
            Kind::Text(text) if text.contains("{{") => self.named_late(position, field),
            Kind::Map(entries) => self.auth_entries(entries, field),
            _ => {}
        }
    }

    fn auth_entries(&mut self, entries: &mut Vec<Entry>, field: &str) {
        let several = entries
            .iter()
            .find(|entry| matches!(entry.value.kind, Kind::Map(_)));
        if let Some(entry) = several {
            let position = entry.position;
            self.stand_ins.push((self.report.subject(), "credential"));
            self.report
                .add(position, "a step uses one credential")
                .field(field)
                .hint("write `auth: its_name`; another one belongs to another step");
            return;
        }
        if let Some(source) = find(entries, "source") {
            if find_text(entries, "source") == Some("credential") {
                let position = source.position;
                entries.retain(|entry| entry.key != "source");
                let message = format!("`{field}.source` is left out: every credential is stored");
                self.note(position, message);
            } else {
                let position = source.position;
                self.stand_ins.push((self.report.subject(), "credential"));
                self.report
                    .add(position, "a credential comes from the server's store alone")
                    .field(format!("{field}.source"))
                    .hint("store it with `noetl credential add`, and write `auth: its_name`");
            }
        }
        self.rename(entries, "key", "credential");
        self.refuse_all(entries, Place::Auth, &format!("{field}."));
        if let Some(name) = find(entries, "credential")
            && let Kind::Text(text) = &name.value.kind
            && text.contains("{{")
        {
            self.named_late(name.value.position, &format!("{field}.credential"));
        }
    }

    fn named_late(&mut self, position: Position, field: &str) {
        self.report
            .add(
                position,
                "the credential's name can't be a template: whether it is granted is checked when the playbook is registered",
            )
            .field(field)
            .hint("write the name itself, and a playbook or a branch for each that may be used");
    }

    pub(super) fn each(&mut self, entries: &mut Vec<Entry>) {
        self.rename(entries, "in", "collection");
        self.rename(entries, "iterator", "element");
        if let Some(mode) = value_of(entries, "mode")
            && matches!(&mode.kind, Kind::Text(text) if text == "async")
        {
            let position = mode.position;
            mode.kind = Kind::Text("parallel".into());
            self.note(position, "`mode: async` is read as `mode: parallel`".into());
        }
        self.refuse_all(entries, Place::Loop, "loop.");
    }

    pub(super) fn retry(&mut self, entries: &mut Vec<Entry>) {
        self.lift(entries, "on_error", |inner| !inner.is_empty());
        for (alias, canonical) in [
            ("max_attempts", "attempts"),
            ("initial_delay", "delay"),
            ("backoff_multiplier", "backoff"),
            ("when", "retry_when"),
        ] {
            self.rename(entries, alias, canonical);
        }
        self.refuse_all(entries, Place::Retry, "retry.");
        for entry in entries.iter() {
            self.compared(entry);
        }
    }

    /// `error != None`: without a failure there is no `error`, and what is undefined is
    /// not `None`.
    fn compared(&mut self, entry: &Entry) {
        let Kind::Text(content) = &entry.value.kind else {
            return;
        };
        for (operator, instead) in [("!=", "error is defined"), ("==", "error is not defined")] {
            let written = ["None", "none", "null"].map(|none| format!("error {operator} {none}"));
            let Some(written) = written.iter().find(|text| content.contains(text.as_str())) else {
                continue;
            };
            let offset = content.find(written.as_str()).unwrap_or(0);
            let at = self.source.locate(entry.value.position, content, offset);
            self.report
                .add(
                    at,
                    "an attempt that did not fail has no `error`, not one that is `None`",
                )
                .field(format!("retry.{}", entry.key))
                .hint(format!("write `{instead}`"));
        }
    }

    pub(super) fn sink(&mut self, entries: &mut Vec<Entry>) {
        self.tool_of_an_object(entries);
        self.rename(entries, "type", "tool");
        let to_table = find(entries, "table").is_some();
        if to_table {
            self.rename(entries, "data", "rows");
            self.rename(entries, "args", "rows");
        }
        self.refuse_all(entries, Place::Sink, "sink.");
        if let Some(auth) = value_of(entries, "auth") {
            self.auth(auth, "sink.auth");
        }
    }
}
