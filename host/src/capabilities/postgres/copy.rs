//! Rows on their way into a table: COPY's text format.
//!
//! A row is one line, since line ends in values are written `\n`. So the line that
//! PostgreSQL names in an error is the row's number.

use super::parameter::{array, storable};
use super::plan::Target;
use super::size;
use super::types::quote;
use crate::wit::copy::noetl::tool::postgres_copy::CopyError;
use crate::wit::noetl::tool::postgres::{Error, ParameterValue};

/// What a call of `copy-in` brings.
pub(super) struct Rows {
    /// The table's name in parts.
    pub table: Vec<String>,
    pub columns: Vec<String>,
    /// With a value for each of the columns.
    pub rows: Vec<Vec<ParameterValue>>,
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        Self {
            error,
            row: None,
            column: None,
        }
    }
}

impl Rows {
    /// Bytes, about as many as go to PostgreSQL.
    pub fn size(&self) -> u64 {
        let names = self.table.iter().chain(&self.columns);
        let names: usize = names.map(String::len).sum();
        // A value is followed by one more character.
        let values = self.rows.iter().flatten().map(|value| size(value) + 1);
        names as u64 + values.sum::<u64>()
    }

    /// The statement that takes the rows.
    pub fn statement(&self) -> Result<String, Error> {
        Ok(format!(
            "COPY {} ({}) FROM STDIN (FORMAT text, ENCODING 'UTF8')",
            self.name()?,
            names(&self.columns, "column")?.join(", ")
        ))
    }

    /// The table's name, as SQL has it.
    pub fn name(&self) -> Result<String, Error> {
        Ok(names(&self.table, "table")?.join("."))
    }

    /// Whether what becomes of a value depends on its column's type.
    pub fn has_documents(&self) -> bool {
        let mut values = self.rows.iter().flatten();
        values.any(|value| matches!(value, ParameterValue::Document(_)))
    }

    /// The rows in COPY's text format. `target` tells what documents become in each
    /// column; those that it does not have are [`Target::Single`].
    pub fn text(&self, targets: &[Target]) -> Result<Vec<u8>, CopyError> {
        let mut out = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let failed = |error, column: Option<&String>| CopyError {
                error,
                row: Some(index as u64 + 1),
                column: column.cloned(),
            };
            if row.len() != self.columns.len() {
                let (has, needs) = (row.len(), self.columns.len());
                let error = format!("a row has {has} values for {needs} columns");
                return Err(failed(Error::BadParameter(error), None));
            }
            for (at, (value, column)) in row.iter().zip(&self.columns).enumerate() {
                if at > 0 {
                    out.push(b'\t');
                }
                let target = targets.get(at).copied().unwrap_or(Target::Single);
                write(value, target, &mut out).map_err(|reason| {
                    failed(
                        Error::BadParameter(format!("a value {reason}")),
                        Some(column),
                    )
                })?;
            }
            out.push(b'\n');
        }
        Ok(out)
    }

    /// An error of PostgreSQL with the row and the column that its context names:
    /// `COPY users, line 3, column age: "x"`, in PostgreSQL's own language.
    pub fn located(&self, error: Error, context: Option<&str>) -> CopyError {
        let (row, column) = context.map_or((None, None), |context| self.place(context));
        CopyError { error, row, column }
    }

    fn place(&self, context: &str) -> (Option<u64>, Option<String>) {
        let table = self.table.last().map_or("", String::as_str);
        let start = format!("COPY {table}, ");
        let Some(rest) = context.lines().find_map(|line| line.strip_prefix(&*start)) else {
            return (None, None);
        };
        let rest = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let (number, rest) = rest.split_at(end.unwrap_or(rest.len()));
        // `, column age: "x"`
        let named = rest
            .strip_prefix(", ")
            .and_then(|rest| rest.split_once(' '));
        let columns = self.columns.iter();
        let column = named.and_then(|(_, rest)| {
            columns
                .filter(|column| {
                    let rest = rest.strip_prefix(column.as_str());
                    rest.is_some_and(|rest| rest.starts_with(':'))
                })
                .max_by_key(|column| column.len())
        });
        (number.parse().ok(), column.cloned())
    }
}

fn names(names: &[String], what: &str) -> Result<Vec<String>, Error> {
    let bad = |why: &str| Error::BadParameter(format!("the name of a {what} {why}"));
    match names {
        [] => Err(bad("is missing")),
        names if names.iter().any(|name| name.contains('\0')) => {
            Err(bad("has the NUL character (U+0000)"))
        }
        names => Ok(names.iter().map(|name| quote(name)).collect()),
    }
}

/// Writes a value; the error is the end of a sentence.
fn write(value: &ParameterValue, target: Target, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        ParameterValue::Null => out.extend_from_slice(b"\\N"),
        ParameterValue::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
        ParameterValue::Int64(value) => out.extend_from_slice(value.to_string().as_bytes()),
        ParameterValue::Float64(value) => out.extend_from_slice(format!("{value:?}").as_bytes()),
        ParameterValue::Binary(bytes) => escape(&format!("\\x{}", hex::encode(bytes)), out),
        ParameterValue::Document(json) => match target {
            Target::Array { of_json } => escape(storable(&array(json, of_json)?)?, out),
            Target::Single => escape(storable(json)?, out),
        },
        ParameterValue::Numeric(text)
        | ParameterValue::Text(text)
        | ParameterValue::Jsonb(text)
        | ParameterValue::Literal(text) => escape(storable(text)?, out),
    }
    Ok(())
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: &[&str], rows: Vec<Vec<ParameterValue>>) -> Rows {
        Rows {
            table: vec!["my schema".into(), "a\"b".into()],
            columns: columns.iter().map(|&column| column.into()).collect(),
            rows,
        }
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(
            rows(&["id", "A,b"], Vec::new()).statement().unwrap(),
            r#"COPY "my schema"."a""b" ("id", "A,b") FROM STDIN (FORMAT text, ENCODING 'UTF8')"#
        );
        for columns in [&[][..], &["a\0b"]] {
            let refused = rows(columns, Vec::new()).statement();
            assert!(
                matches!(refused, Err(Error::BadParameter(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_row_is_one_line() {
        use ParameterValue as P;
        let row = vec![
            P::Null,
            P::Literal("\\N\t\r\n\\.".into()),
            P::Boolean(true),
            P::Binary(vec![0, 255]),
            P::Document(r#"["a\\b", 1]"#.into()),
        ];
        let rows = rows(&["a", "b", "c", "d", "e"], vec![row]);
        let mut targets = vec![Target::Single; 4];
        targets.push(Target::Array { of_json: false });
        let text = String::from_utf8(rows.text(&targets).unwrap()).unwrap();
        assert_eq!(
            text,
            "\\N\t\\\\N\\t\\r\\n\\\\.\ttrue\t\\\\x00ff\t{\"a\\\\\\\\b\",\"1\"}\n"
        );
    }

    #[test]
    fn what_can_t_be_sent_is_named() {
        let value = |text: &str| vec![ParameterValue::Literal(text.into())];
        let failed = rows(&["a"], vec![value("x"), value("y\0")]).text(&[]);
        let failed = failed.unwrap_err();
        assert_eq!((failed.row, failed.column.as_deref()), (Some(2), Some("a")));
        let failed = rows(&["a", "b"], vec![value("x")]).text(&[]).unwrap_err();
        assert_eq!((failed.row, failed.column), (Some(1), None));
    }

    #[test]
    fn a_place_is_found_in_any_language() {
        let rows = rows(&["a", "a: b"], Vec::new());
        let place = |context: &str| {
            let (row, column) = rows.place(context);
            (row, column.unwrap_or_default())
        };
        assert_eq!(
            place("COPY a\"b, line 3, column a: \"x\nCOPY a\"b, line 9\""),
            (Some(3), "a".into())
        );
        assert_eq!(
            place("PL/pgSQL-Funktion f() Zeile 2 bei RAISE\nCOPY a\"b, Zeile 12"),
            (Some(12), String::new())
        );
        assert_eq!(
            place("COPY a\"b, Zeile 4, Spalte a: b: »x«"),
            (Some(4), "a: b".into())
        );
        assert_eq!(place("SQL statement \"SELECT 1\""), (None, String::new()));
    }
}
