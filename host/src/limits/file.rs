//! `limits:` in a playbook or a grants file.

use super::Limit;
use crate::yaml::{Kind, Node, Position, Report};

/// A limit that a file sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub limit: Limit,
    /// Its value, in milliseconds, bytes or pieces.
    pub value: u64,
    /// Where it stands.
    pub position: Position,
}

/// Reads a mapping of limits; what is wrong goes into the report.
pub(crate) fn read(report: &mut Report, node: &Node, field: &str) -> Vec<Setting> {
    if matches!(node.kind, Kind::Null) {
        return Vec::new();
    }
    let Some(entries) = report.mapping(node, field) else {
        return Vec::new();
    };
    let mut settings = Vec::new();
    for entry in entries {
        let field = format!("{field}.{}", entry.key);
        let Some(limit) = Limit::named(&entry.key) else {
            report
                .add(entry.position, format!("there is no limit `{}`", entry.key))
                .field(field)
                .suggest(&entry.key, Limit::ALL.iter().map(|limit| limit.name()));
            continue;
        };
        let position = entry.value.position;
        match limit.unit().read(&entry.value.to_json()) {
            Ok(value) if value <= limit.most() => settings.push(Setting {
                limit,
                value,
                position,
            }),
            Ok(value) => {
                let unit = limit.unit();
                report
                    .add(
                        position,
                        format!("{} is more than any step can have", unit.show(value)),
                    )
                    .field(field)
                    .hint(format!("write at most {}", unit.show(limit.most())));
            }
            Err(fault) => {
                report.add(position, fault).field(field);
            }
        }
    }
    settings
}
