//! Results as tables for people.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::visible::visible;

/// Makes text of a step's result: rows become a table, an object a table of
/// its fields, anything else is shown as it is.
pub fn render(result: &Value) -> String {
    match result {
        Value::Object(fields) => match commands(fields) {
            Some(text) => text,
            None if fields.is_empty() => "(an empty object)".to_string(),
            None => table_of_fields(fields),
        },
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            table_of_rows(items)
        }
        other => cell(other),
    }
}

/// A table of `rows` under `header`.
pub fn plain(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = empty();
    table.set_header(header.to_vec());
    table.add_rows(rows);
    table.to_string()
}

/// A table of names and values.
pub fn fields(rows: &[[String; 2]]) -> String {
    let mut table = empty();
    for row in rows {
        table.add_row(row.each_ref().map(|text| visible(text)));
    }
    table.to_string()
}

/// The result of a postgres step: each statement's rows.
fn commands(fields: &Map<String, Value>) -> Option<String> {
    let commands: Vec<&Vec<Value>> = (1..)
        .map_while(|number| fields.get(&format!("command_{number}"))?.as_array())
        .collect();
    if commands.is_empty() || fields.len() != commands.len() + 1 {
        return None;
    }
    let statements = fields.get("statements")?.as_array()?;
    let texts: Vec<String> = commands
        .iter()
        .zip(statements)
        .enumerate()
        .map(|(index, (rows, statement))| {
            let count = &statement["row_count"];
            let title = format!("statement {}: {count} row(s)", index + 1);
            if rows.is_empty() {
                title
            } else {
                format!("{title}\n{}", table_of_rows(rows))
            }
        })
        .collect();
    Some(texts.join("\n"))
}

fn table_of_fields(fields: &Map<String, Value>) -> String {
    let mut table = empty();
    for (name, value) in fields {
        table.add_row([visible(name), cell(value)]);
    }
    table.to_string()
}

fn table_of_rows(rows: &[Value]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        for name in row.keys() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut table = empty();
    table.set_header(names.iter().map(|name| visible(name)));
    for row in rows {
        table.add_row(
            names
                .iter()
                .map(|name| row.get(name).map_or(String::new(), cell)),
        );
    }
    table.to_string()
}

fn empty() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A value in one cell. Data may hold anything.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_a_table_of_its_fields() {
        let text = render(&json!({"status": "success", "user": {"id": 1}, "nothing": null}));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(
            lines[1].contains("status") && lines[1].contains("success"),
            "{text}"
        );
        assert!(lines[2].contains(r#"{"id":1}"#), "{text}");
        assert!(lines[3].contains("null"), "{text}");
    }

    #[test]
    fn rows_have_every_column() {
        let text = render(&json!([{"a": 1}, {"a": 2, "b": "two"}]));
        assert!(
            text.contains('a') && text.contains('b') && text.contains("two"),
            "{text}"
        );
    }

    #[test]
    fn a_postgres_result_shows_each_statement() {
        let text = render(&json!({
            "command_1": [], "command_2": [{"session_token": "abc"}],
            "statements": [{"row_count": 3, "rows": []}, {"row_count": 1, "rows": [{"session_token": "abc"}]}]
        }));
        assert!(
            text.contains("statement 1: 3 row(s)\nstatement 2: 1 row(s)\n"),
            "{text}"
        );
        assert!(text.contains("session_token"), "{text}");
    }

    #[test]
    fn data_cannot_drive_the_terminal() {
        let text = render(&json!({"name": "\u{1b}[2J\u{9b}x\n\u{7}"}));
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{9b}') && !text.contains('\u{7}'),
            "{text:?}"
        );
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn other_values_are_shown_as_they_are() {
        assert_eq!(render(&json!("text")), "text");
        assert_eq!(render(&json!([1, 2])), "[1,2]");
        assert_eq!(render(&json!(null)), "null");
    }
}
