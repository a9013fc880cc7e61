//! Results of SQL that templates read as NoETL gives them: its server counts statements
//! from 0, and keeps their rows one level deeper, so that such a template would silently
//! find nothing.

use std::collections::HashSet;

use super::Pass;
use crate::playbook::read::step_nodes;
use crate::yaml::{Entry, Kind, Node, find_text};

impl Pass<'_> {
    /// Refuses `command_0` and `command_1.rows` of steps that are SQL. `tasks` are those of
    /// the workbook that are.
    pub(super) fn counts(&mut self, top: &[Entry], tasks: &[String]) {
        let steps: Vec<&[Entry]> = step_nodes(top).map(Node::entries).collect();
        let is_sql = |step: &&[Entry]| match find_text(step, "tool") {
            Some("postgres") => true,
            Some("workbook") => {
                find_text(step, "name").is_some_and(|name| tasks.iter().any(|task| task == name))
            }
            _ => false,
        };
        let sql: HashSet<&str> = steps
            .iter()
            .filter(|step| is_sql(step))
            .filter_map(|step| find_text(step, "step"))
            .collect();
        if sql.is_empty() {
            return;
        }
        let mut with_own = sql.clone();
        with_own.insert("result");
        for step in &steps {
            let roots = if is_sql(step) { &with_own } else { &sql };
            self.report.about(find_text(step, "step"));
            for entry in step.iter().filter(|entry| entry.key != "code") {
                self.text(&entry.value, &entry.key, roots);
            }
        }
    }

    fn text(&mut self, node: &Node, field: &str, roots: &HashSet<&str>) {
        match &node.kind {
            Kind::Text(content) => {
                if let Some((at, message, hint)) = fault(content, roots) {
                    let at = self.source.locate(node.position, content, at);
                    self.report.add(at, message).field(field).hint(hint);
                }
            }
            Kind::List(items) => {
                for item in items {
                    self.text(item, field, roots);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    self.text(&entry.value, &format!("{field}.{}", entry.key), roots);
                }
            }
            _ => {}
        }
    }
}

/// The first place in a text where such a result is read.
fn fault(content: &str, roots: &HashSet<&str>) -> Option<(usize, String, String)> {
    for (at, _) in content.match_indices("command_") {
        let Some(before) = content[..at].strip_suffix('.') else {
            continue;
        };
        let before = before.strip_suffix(".data").unwrap_or(before);
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let root = before.rsplit(|c| !is_part(c)).next();
        if !root.is_some_and(|root| roots.contains(root)) {
            continue;
        }
        let rest = &content[at + "command_".len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        match number {
            "" => {}
            "0" => {
                return Some((
                    at,
                    "statements are counted from 1, and their rows are lists".to_owned(),
                    "write `command_1[0].column` for the first row of the first statement"
                        .to_owned(),
                ));
            }
            _ if after.starts_with(".rows") => {
                return Some((
                    at,
                    format!("`command_{number}` is the list of the statement's rows"),
                    format!("write `command_{number}[0].column` for its first row"),
                ));
            }
            _ => {}
        }
    }
    None
}
