//! The grants file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::model::{Allowed, Grant};
use crate::limits;
use crate::tool::Name;
use crate::yaml::{self, Diagnostics, Entry, Kind, Node, Position, Report, Source, find};

const TENANT: [&str; 5] = ["tools", "credentials", "hosts", "tool_keys", "limits"];

/// The grants of a file's text. `file` is its name for messages.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn parse(file: &str, text: &str) -> Result<BTreeMap<String, Arc<Grant>>, Diagnostics> {
    let mut report = Report::new(file);
    let tree = yaml::read(text, &Source::new(text), &mut report);
    let grants = tree.and_then(|tree| tenants(&tree, &mut report));
    report.finish(grants)
}

fn tenants(tree: &Node, report: &mut Report) -> Option<BTreeMap<String, Arc<Grant>>> {
    let top = report.mapping(tree, "")?;
    report.unknown_fields(top, &["tenants"], "");
    let Some(tenants) = find(top, "tenants") else {
        report
            .missing(tree.position, "tenants", "tenants")
            .hint("write `tenants:` and below it, indented, `default:`");
        return None;
    };
    if matches!(tenants.value.kind, Kind::Null) {
        return Some(BTreeMap::new());
    }
    let entries = report.mapping(&tenants.value, "tenants")?;
    let grants = entries.iter().map(|entry| {
        let field = format!("tenants.{}", entry.key);
        named(report, &entry.key, entry.position, &field, "a tenant");
        (
            entry.key.clone(),
            Arc::new(grant(&entry.value, &field, report)),
        )
    });
    Some(grants.collect())
}

fn grant(node: &Node, field: &str, report: &mut Report) -> Grant {
    let mut grant = Grant::nothing();
    if matches!(node.kind, Kind::Null) {
        return grant;
    }
    let Some(fields) = report.mapping(node, field) else {
        return grant;
    };
    report.unknown_fields(fields, &TENANT, &format!("{field}."));
    grant.tools = allowed(fields, "tools", TOOL, field, report);
    grant.credentials = allowed(fields, "credentials", "a credential", field, report);
    grant.hosts = parsed(fields, "hosts", field, report);
    grant.tool_keys = parsed(fields, "tool_keys", field, report);
    if let Some(entry) = find(fields, "limits") {
        for setting in limits::read(report, &entry.value, &format!("{field}.limits")) {
            grant.limits.set(setting.limit, setting.value);
        }
    }
    grant
}

/// A list of names, or `all`.
fn allowed(fields: &[Entry], key: &str, what: &str, field: &str, report: &mut Report) -> Allowed {
    let Some(entry) = find(fields, key) else {
        return Allowed::none();
    };
    if matches!(&entry.value.kind, Kind::Text(text) if text == "all") {
        return Allowed::All;
    }
    let mut names = BTreeSet::new();
    let field = format!("{field}.{key}");
    for (index, (text, position)) in texts(&entry.value, &field, report).into_iter().enumerate() {
        let field = format!("{field}[{index}]");
        if text == "all" {
            report
                .add(position, "`all` stands alone")
                .field(&field)
                .hint(format!("write `{key}: all`"));
        } else if named(report, text, position, &field, what) && !names.insert(text.to_owned()) {
            report
                .add(position, format!("`{text}` is there twice"))
                .field(&field);
        }
    }
    Allowed::Only(names)
}

/// A list of texts that mean something.
fn parsed<T: FromStr<Err: Display>>(
    fields: &[Entry],
    key: &str,
    field: &str,
    report: &mut Report,
) -> Vec<T> {
    let Some(entry) = find(fields, key) else {
        return Vec::new();
    };
    let field = format!("{field}.{key}");
    let mut found = Vec::new();
    for (index, (text, position)) in texts(&entry.value, &field, report).into_iter().enumerate() {
        match text.parse::<T>() {
            Ok(value) => found.push(value),
            Err(fault) => {
                report
                    .add(position, fault.to_string())
                    .field(format!("{field}[{index}]"));
            }
        }
    }
    found
}

fn texts<'n>(node: &'n Node, field: &str, report: &mut Report) -> Vec<(&'n str, Position)> {
    if matches!(node.kind, Kind::Null) {
        return Vec::new();
    }
    let items = report.list(node, field).unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| match &item.kind {
            Kind::Text(text) => Some((text.as_str(), item.position)),
            _ => {
                report.wrong_kind(item, &format!("{field}[{index}]"), "a text");
                None
            }
        })
        .collect()
}

const TOOL: &str = "a tool";

/// A tool's name, or `namespace/*`, or `*/*` for every tool that the tenant pushes.
fn tool(report: &mut Report, name: &str, position: Position, field: &str) -> bool {
    let namespace = name.strip_suffix("/*").unwrap_or(name);
    let Err(error) = namespace.parse::<Name>() else {
        return true;
    };
    if name == "*/*" {
        return true;
    }
    report
        .add(position, error.to_string())
        .field(field)
        .hint("`acme/*` stands for all tools of a namespace");
    false
}

fn named(report: &mut Report, name: &str, position: Position, field: &str, what: &str) -> bool {
    if what == TOOL {
        return tool(report, name, position, field);
    }
    let fits = (1..=200).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !fits {
        report
            .add(
                position,
                format!("{what}'s name has letters, digits, `_`, `-` and `.` only, at most 200"),
            )
            .field(field);
    }
    fits
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(text: &str) -> BTreeMap<String, Arc<Grant>> {
        parse("grants.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn what_is_named_is_granted_and_nothing_else() {
        let grants = parsed(
            r#"
tenants:
  default:
    tools: [python, postgres]
    credentials: [pg_demo]
    hosts: [api.example.com, "*.Example.org", "localhost:8080", 10.0.0.7, "[::1]:443"]
    limits:
      time: 5s
      memory: 64MiB
      postgres_rows: 100
  shop:
    tools: all
    credentials: all
  guest:
"#,
        );
        let default = &grants["default"];
        assert!(default.tools.allows("python") && !default.tools.allows("probe"));
        assert!(default.credentials.allows("pg_demo") && !default.credentials.allows("pg"));
        assert_eq!(default.limits.time, Duration::from_secs(5));
        assert_eq!(default.limits.memory, 64 << 20);
        assert_eq!(default.limits.postgres_rows, 100);
        assert_eq!(
            default.limits.output,
            crate::limits::Limits::default().output
        );
        let hosts: Vec<_> = default
            .hosts
            .iter()
            .map(|h| (h.host.as_str(), h.subdomains, h.port))
            .collect();
        assert_eq!(
            hosts,
            [
                ("api.example.com", false, None),
                ("example.org", true, None),
                ("localhost", false, Some(8080)),
                ("10.0.0.7", false, None),
                ("[::1]", false, Some(443)),
            ]
        );
        assert!(grants["shop"].tools.allows("anything"));
        assert!(grants["shop"].credentials.allows("anything"));
        assert_eq!(*grants["guest"], Grant::nothing());
        assert!(!grants.contains_key("other"));
        assert!(parsed("tenants:").is_empty());
    }

    #[test]
    fn the_example_of_the_documentation_is_right() {
        let text = include_str!("../../../docs/limits-and-grants.md");
        let example = text.split("```").nth(1).unwrap().trim_start_matches("yaml");
        let grants = parsed(example);
        assert_eq!(grants["default"].hosts.len(), 3);
        assert_eq!(grants["default"].limits.postgres_rows, 50_000);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = r#"
tenants:
  default:
    tols: [python]
    tools: python
    credentials: [pg_demo, 5, all, pg_demo, "a\nb"]
    hosts: ["*", "a.*.com", "host:0", "host:http", "", "http://a", "*.10.0.0.1", "a/b", "u@h"]
    limits:
      time: 5
      memory: 8GiB
      cpus: 1s
      postgres_rows: many
  "a b": {}
tenant: {}
"#;
        let errors = parse("grants.yaml", text).unwrap_err();
        let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        let expected = [
            "grants.yaml:4:5: tenants.default.tols: unknown field `tols`; did you mean `tools`?",
            "grants.yaml:5:12: tenants.default.tools: this must be a list",
            "grants.yaml:6:28: tenants.default.credentials[1]: this must be a text, it is a number; put it in quotes",
            "grants.yaml:6:31: tenants.default.credentials",
            "grants.yaml:6:36: tenants.default.credentials",
            "grants.yaml:6:45: tenants.default.credentials",
            "grants.yaml:7:13: tenants.default.hosts[0]: `*` has a `*` that is not",
            "grants.yaml:7:18: tenants.default.hosts[1]: `a.*.com` has a `*` that is not",
            "grants.yaml:7:29: tenants.default.hosts[2]: `host:0` has no port from 1 to 65535",
            "grants.yaml:7:39: tenants.default.hosts[3]: `host:http` has no port",
            "grants.yaml:7:52: tenants.default.hosts[4]: `` is not a host",
            "grants.yaml:7:56: tenants.default.hosts[5]: `http://a` ",
            "grants.yaml:7:68: tenants.default.hosts[6]: `*.10.0.0.1` is not a host",
            "grants.yaml:7:82: tenants.default.hosts[7]: `a/b` is not a host",
            "grants.yaml:7:89: tenants.default.hosts[8]: `u@h` is not a host",
            "grants.yaml:9:13: tenants.default.limits.time: `5` is not a time such as `250ms`",
            "grants.yaml:10:15: tenants.default.limits.memory: 8GiB is more than any step can have; write at most 4GiB",
            "grants.yaml:11:7: tenants.default.limits.cpus: there is no limit `cpus`; did you mean `cpu`?",
            "grants.yaml:12:22: tenants.default.limits.postgres_rows: `many` is not a whole number",
            "grants.yaml:13:3: tenants.a b: a tenant's name has letters",
            "grants.yaml:14:1: tenant: unknown field `tenant`; did you mean `tenants`?",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}\n{expected}");
        }
        assert_eq!(told.len(), expected.len(), "{told:#?}");
    }

    #[test]
    fn a_file_without_tenants_is_told() {
        for text in [
            "",
            "[]",
            "{}",
            "tenants: []",
            "tenants: {a: 1}",
            "tenants: {a: {}, a: {}}",
            "a: &x [*x]",
        ] {
            assert!(parse("grants.yaml", text).is_err(), "{text}");
        }
    }
}
