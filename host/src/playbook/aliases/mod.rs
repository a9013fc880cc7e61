//! The words of NoETL's playbooks that mean what others do, put into the language's own.
//!
//! The pass works on the tree before it is read. What it rewrites keeps its place in the
//! file and is noted; what the server has not is refused, with what to write instead.

mod fields;
mod flow;
mod step;
mod texts;

use std::fmt;

use super::unsupported::{Place, find as unsupported};
use super::{Diagnostic, Diagnostics};
use crate::tool::Toolset;
use crate::yaml::{Entry, Kind, MAX_FAULTS, Node, Position, Report, Source, find, find_text};

/// How something that could be written in another way was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line, from 1.
    pub line: usize,
    /// The step, or the workbook's task.
    pub step: Option<String>,
    /// What is read as what.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(step) = &self.step {
            write!(f, "step `{step}`: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What the pass has found.
pub(super) struct Found {
    /// What was rewritten, in the order of the lines.
    pub notes: Vec<Note>,
    faults: Vec<Diagnostic>,
    /// Fields that are missing only because what stands for them is refused.
    stand_ins: Vec<(Option<String>, &'static str)>,
}

/// Rewrites the tree.
pub(super) fn rewrite(tree: &mut Node, file: &str, tools: &Toolset, source: &Source<'_>) -> Found {
    let mut report = Report::new(file);
    let mut pass = Pass {
        tools,
        source,
        report: &mut report,
        notes: Vec::new(),
        stand_ins: Vec::new(),
    };
    pass.playbook(tree);
    let (mut notes, stand_ins) = (pass.notes, pass.stand_ins);
    notes.sort_by_key(|note| note.line);
    Found {
        notes,
        faults: report.finish(Some(())).err().map_or_else(Vec::new, |d| d.0),
        stand_ins,
    }
}

/// Nobody reads more.
const MAX_NOTES: usize = 1000;

impl Found {
    /// What was read, with what the pass found instead of what the reader says of the
    /// same.
    pub fn judge<T>(self, read: Result<T, Diagnostics>) -> Result<T, Diagnostics> {
        if self.faults.is_empty() {
            return read;
        }
        let Self {
            faults, stand_ins, ..
        } = self;
        let mut all = read.err().map_or_else(Vec::new, |found| found.0);
        all.retain(|told| {
            let same = |fault: &Diagnostic| (fault.line, fault.column) == (told.line, told.column);
            let missing = |(step, field): &(Option<String>, &str)| {
                *step == told.step && told.is_missing(field)
            };
            !faults.iter().any(same) && !stand_ins.iter().any(missing)
        });
        all.extend(faults);
        all.sort_by_key(|told| (told.line, told.column));
        all.truncate(MAX_FAULTS);
        Err(Diagnostics(all))
    }
}

struct Pass<'a> {
    tools: &'a Toolset,
    source: &'a Source<'a>,
    report: &'a mut Report,
    notes: Vec<Note>,
    stand_ins: Vec<(Option<String>, &'static str)>,
}

/// Fields of `metadata` that are for people and catalogs.
const LABELS: [&str; 4] = ["version", "labels", "tags", "author"];

impl Pass<'_> {
    fn playbook(&mut self, tree: &mut Node) {
        let Kind::Map(top) = &mut tree.kind else {
            return;
        };
        self.move_metadata(top);
        self.refuse_all(top, Place::Top, "");
        if let Some(metadata) = entries_of(top, "metadata") {
            for label in LABELS {
                if let Some(entry) = take(metadata, label) {
                    self.note(
                        entry.position,
                        format!("`metadata.{label}` is left out: nothing here depends on it"),
                    );
                }
            }
        }
        let mut sql = Vec::new();
        for task in items_of(top, "workbook") {
            self.about(task, "name");
            if let Kind::Map(fields) = &mut task.kind {
                self.body(fields, true);
                if let (Some("postgres"), Some(name)) =
                    (find_text(fields, "tool"), find_text(fields, "name"))
                {
                    sql.push(name.to_owned());
                }
            }
        }
        for list in ["workflow", "finally"] {
            for step in items_of(top, list) {
                self.about(step, "step");
                if let Kind::Map(fields) = &mut step.kind {
                    self.step(fields);
                }
            }
        }
        self.counts(top, &sql);
        self.report.about(None);
    }

    /// `name`, `path` and `description` belong into `metadata`.
    fn move_metadata(&mut self, top: &mut Vec<Entry>) {
        for key in ["name", "path", "description"] {
            let Some(entry) = take(top, key) else {
                continue;
            };
            if find(top, "metadata").is_none() {
                top.push(Entry {
                    key: "metadata".into(),
                    position: entry.position,
                    value: Node {
                        position: entry.position,
                        kind: Kind::Map(Vec::new()),
                    },
                });
            }
            let Some(metadata) = entries_of(top, "metadata") else {
                continue; // It is no mapping, which the reader tells.
            };
            let canonical = format!("metadata.{key}");
            if let Some(known) = find(metadata, key) {
                self.twice(&entry, key, &canonical, known.position);
                continue;
            }
            self.note(entry.position, format!("`{key}` is read as `{canonical}`"));
            metadata.push(entry);
        }
    }

    fn about(&mut self, item: &Node, key: &str) {
        self.report.about(find_text(item.entries(), key));
    }

    fn note(&mut self, position: Position, message: String) {
        if self.notes.len() >= MAX_NOTES {
            return;
        }
        let note = Note {
            line: position.line,
            step: self.report.subject(),
            message,
        };
        self.notes.push(note);
    }

    /// Gives a field its canonical name.
    fn rename(&mut self, entries: &mut [Entry], alias: &str, canonical: &str) {
        let known = find(entries, canonical).map(|entry| entry.position);
        let Some(entry) = entries.iter_mut().find(|entry| entry.key == alias) else {
            return;
        };
        if let Some(known) = known {
            self.twice(entry, alias, canonical, known);
            return;
        }
        entry.key = canonical.to_owned();
        let position = entry.position;
        self.note(position, format!("`{alias}` is read as `{canonical}`"));
    }

    fn twice(&mut self, entry: &Entry, alias: &str, canonical: &str, known: Position) {
        self.report
            .add(
                entry.position,
                format!(
                    "`{alias}` means `{canonical}`, which stands on line {} already",
                    known.line
                ),
            )
            .field(alias)
            .hint(format!("keep `{canonical}`, and take `{alias}` away"));
    }

    /// Moves the entries of the mapping under `key` up to the entries beside it. Whether
    /// there was such a mapping.
    fn lift(
        &mut self,
        entries: &mut Vec<Entry>,
        key: &str,
        is_meant: impl Fn(&[Entry]) -> bool,
    ) -> bool {
        let is_meant = |entry: &Entry| entry.key == key && is_meant(entry.value.entries());
        let Some(at) = entries.iter().position(is_meant) else {
            return false;
        };
        let outer = entries.remove(at);
        self.note(
            outer.position,
            format!("the fields of `{key}` are read as fields beside it"),
        );
        let Kind::Map(inner) = outer.value.kind else {
            return false;
        };
        for entry in inner {
            match find(entries, &entry.key) {
                Some(known) => {
                    let known = known.position;
                    let alias = format!("{key}.{}", entry.key);
                    self.twice(&entry, &alias, &entry.key, known);
                }
                None => entries.push(entry),
            }
        }
        true
    }

    /// Refuses every field that the server has not.
    fn refuse_all(&mut self, entries: &mut Vec<Entry>, place: Place, prefix: &str) {
        entries.retain(|entry| match unsupported(place, &entry.key) {
            None => true,
            Some(row) => {
                self.refuse(entry.position, place, &entry.key, prefix);
                // What stands for nothing is told of once, here.
                !row.stands_for.is_empty()
            }
        });
    }

    fn refuse(&mut self, position: Position, place: Place, word: &str, prefix: &str) {
        let Some(row) = unsupported(place, word) else {
            return;
        };
        for &field in row.stands_for {
            self.stand_ins.push((self.report.subject(), field));
        }
        let added = self
            .report
            .add(position, format!("`{word}` is not supported: {}", row.why));
        let field = match place {
            Place::Tool => "tool".to_owned(),
            _ => format!("{prefix}{word}"),
        };
        added.field(field).hint(row.instead);
    }
}

fn take(entries: &mut Vec<Entry>, key: &str) -> Option<Entry> {
    let at = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(at))
}

fn value_of<'n>(entries: &'n mut [Entry], key: &str) -> Option<&'n mut Node> {
    let entry = entries.iter_mut().find(|entry| entry.key == key)?;
    Some(&mut entry.value)
}

fn entries_of<'n>(entries: &'n mut [Entry], key: &str) -> Option<&'n mut Vec<Entry>> {
    match &mut value_of(entries, key)?.kind {
        Kind::Map(entries) => Some(entries),
        _ => None,
    }
}

fn items_of<'n>(entries: &'n mut [Entry], key: &str) -> &'n mut [Node] {
    match value_of(entries, key).map(|node| &mut node.kind) {
        Some(Kind::List(items)) => items,
        _ => &mut [],
    }
}

#[cfg(test)]
mod tests;
