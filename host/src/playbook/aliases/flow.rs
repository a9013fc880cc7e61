//! Where a step leads: one step may be written without its list, and by its name alone.

use super::{Pass, Place, take, value_of};
use crate::yaml::{Entry, Kind, Node, Position, find};

impl Pass<'_> {
    /// The value of `next` or `on_error`, which is `key`.
    pub(super) fn next(&mut self, value: &mut Node, key: &str) {
        self.listed(value, key);
        let Kind::List(items) = &mut value.kind else {
            return;
        };
        for item in items {
            self.named(item, key);
            let Kind::Map(entry) = &mut item.kind else {
                continue;
            };
            if find(entry, "when").is_some() && find(entry, "then").is_none() {
                self.then_of_step(entry);
            }
            self.refuse_all(entry, Place::Next, &format!("{key}."));
            for group in ["then", "else"] {
                if let Some(steps) = value_of(entry, group) {
                    self.steps(steps, group);
                }
            }
        }
    }

    fn steps(&mut self, value: &mut Node, key: &str) {
        self.listed(value, key);
        if let Kind::List(items) = &mut value.kind {
            for item in items {
                self.named(item, key);
                if let Kind::Map(entry) = &mut item.kind {
                    self.refuse_all(entry, Place::Next, &format!("{key}."));
                }
            }
        }
    }

    /// `next: name` and `next: {step: name}`.
    fn listed(&mut self, value: &mut Node, key: &str) {
        if !matches!(value.kind, Kind::Text(_) | Kind::Map(_)) {
            return;
        }
        let position = value.position;
        let kind = std::mem::replace(&mut value.kind, Kind::Null);
        value.kind = Kind::List(vec![Node { position, kind }]);
        self.note(position, format!("`{key}` is read as a list of one entry"));
    }

    /// `- name`.
    fn named(&mut self, item: &mut Node, key: &str) {
        let position = item.position;
        let Kind::Text(name) = &mut item.kind else {
            return;
        };
        let name = std::mem::take(name);
        self.note(
            position,
            format!("`{name}` in `{key}` is read as `step: {name}`"),
        );
        let value = Node {
            position,
            kind: Kind::Text(name),
        };
        item.kind = Kind::Map(vec![entry("step", position, value)]);
    }

    /// `- when: …` and `step: name` beside it.
    fn then_of_step(&mut self, fields: &mut Vec<Entry>) {
        let Some(step) = take(fields, "step") else {
            return;
        };
        let position = step.position;
        self.note(
            position,
            "`step` beside `when` is read as its `then`".into(),
        );
        let item = Node {
            position,
            kind: Kind::Map(vec![step]),
        };
        let list = Node {
            position,
            kind: Kind::List(vec![item]),
        };
        fields.push(entry("then", position, list));
    }
}

fn entry(key: &str, position: Position, value: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        position,
        value,
    }
}
