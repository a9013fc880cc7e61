//! Stores a step's rows in a table by COPY: all of them, or none.
//!
//! A column that a row does not have gets its default. COPY takes rows that have the
//! same columns, so each group of such rows goes by itself.

use noetl_tool::Error;
use noetl_tool::postgres::{self, Connection, CopyError, ParameterValue, Transaction};
use noetl_tool::serde_json::{self, json, value::RawValue};

use crate::config::Target;
use crate::failure::{self, Place};
use crate::rows::Rows;
use crate::upsert;

/// Bytes that one call to the host brings, about. A call costs a round trip or two to
/// PostgreSQL, and what it brings is held by the host.
const CALL_BYTES: usize = 256 << 10;

/// What stopped it.
pub struct Failed {
    error: postgres::Error,
    place: Option<Place>,
}

impl From<postgres::Error> for Failed {
    fn from(error: postgres::Error) -> Self {
        Self { error, place: None }
    }
}

pub fn run(credential: &str, target: &Target, args: &RawValue) -> Result<Box<RawValue>, Error> {
    let rows = Rows::read(args)?;
    let stored = match rows.is_empty() {
        true => 0,
        false => store(credential, target, &rows)?,
    };
    let result = json!({"table": target.table.join("."), "rows": stored});
    Ok(serde_json::value::to_raw_value(&result)?)
}

fn store(credential: &str, target: &Target, rows: &Rows<'_>) -> Result<u64, Error> {
    for key in &target.key {
        if let Some(row) = rows.lacking(key) {
            return Err(Error::invalid_input(format!(
                "row {} has no `{key}`, which is in the key",
                row + 1
            )));
        }
    }
    let connection = Connection::open(credential).map_err(|error| failure::of(error, None))?;
    let mut stored = match target.key.is_empty() {
        true => in_transaction(&connection, |transaction| insert(transaction, target, rows)),
        false => in_transaction(&connection, |transaction| {
            upsert::store(transaction, target, rows)
        }),
    };
    if let Err(failed) = &stored
        && target.key.is_empty()
        && failed.needs_insert()
    {
        stored = in_transaction(&connection, |transaction| {
            upsert::store(transaction, target, rows)
        });
    }
    stored.map_err(|failed| failed.told(target))
}

fn in_transaction(
    connection: &Connection,
    act: impl FnOnce(&Transaction) -> Result<u64, Failed>,
) -> Result<u64, Failed> {
    let transaction = connection.begin()?;
    // Leaving here drops the transaction, which rolls it back.
    let stored = act(&transaction)?;
    transaction.commit()?;
    Ok(stored)
}

fn insert(transaction: &Transaction, target: &Target, rows: &Rows<'_>) -> Result<u64, Failed> {
    let mut stored = 0;
    for group in rows.groups() {
        let values = group
            .rows
            .iter()
            .map(|&row| (row, rows.values(row).collect()));
        stored += send(transaction, &target.table, &group.columns, values)?;
    }
    Ok(stored)
}

/// Copies rows, each with its number from 0, as much with each call as it may bring.
pub fn send(
    transaction: &Transaction,
    table: &[String],
    columns: &[String],
    rows: impl Iterator<Item = (usize, Vec<ParameterValue>)>,
) -> Result<u64, Failed> {
    let mut stored = 0;
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let (mut numbers, mut call, mut bytes) = (Vec::new(), Vec::new(), 0);
        while bytes < CALL_BYTES
            && let Some((number, row)) = rows.next()
        {
            bytes += row.iter().map(size).sum::<usize>();
            numbers.push(number);
            call.push(row);
        }
        let copied = transaction.copy_in(table, columns, &call);
        stored += copied.map_err(|error| located(error, &numbers))?;
    }
    Ok(stored)
}

/// The error with the number that its row has among all.
fn located(CopyError { error, row, column }: CopyError, numbers: &[usize]) -> Failed {
    let index = row.and_then(|row| usize::try_from(row).ok()?.checked_sub(1));
    let number = index.and_then(|index| numbers.get(index));
    let place = number.map(|number| Place::Row {
        number: number + 1,
        column,
    });
    Failed { error, place }
}

fn size(value: &ParameterValue) -> usize {
    let text = match value {
        ParameterValue::Numeric(text)
        | ParameterValue::Literal(text)
        | ParameterValue::Document(text) => text.len(),
        _ => 0,
    };
    size_of::<ParameterValue>() + text
}

impl Failed {
    /// Whether the table takes rows from INSERT alone: it is a view, or has row-level
    /// security.
    fn needs_insert(&self) -> bool {
        matches!(&self.error, postgres::Error::QueryFailed(error)
            if ["42809", "0A000"].contains(&&*error.code))
    }

    fn told(mut self, target: &Target) -> Error {
        if let postgres::Error::QueryFailed(error) = &mut self.error {
            // In a text that nobody has written.
            error.position = None;
            if error.code == "42P10" && error.hint.is_none() {
                error.hint = Some(format!(
                    "the key ({}) has to be the primary key of {}, or the columns of a unique \
                     constraint",
                    target.key.join(", "),
                    target.table.join(".")
                ));
            }
        }
        failure::of(self.error, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tool;
    use noetl_tool::Failure;
    use noetl_tool::postgres::DbError;
    use noetl_tool::serde_json::Value;
    use noetl_tool::testing::{Host, rows};

    fn config(key: &[&str]) -> Value {
        json!({"credential": "pg", "copy": {"table": ["s", "t"], "key": key}})
    }

    fn refused(code: &str) -> Result<postgres::RowSet, postgres::Error> {
        Err(postgres::Error::QueryFailed(DbError {
            code: code.into(),
            severity: "ERROR".into(),
            message: "no".into(),
            detail: None,
            hint: None,
            constraint: None,
            table: None,
            column: None,
            position: Some(8),
        }))
    }

    fn ran(host: &Host) -> Vec<String> {
        let statements = host.statements().into_iter();
        statements.map(|(text, _)| text).collect()
    }

    #[test]
    fn each_group_goes_by_itself_and_all_in_one_transaction() {
        let host = Host::new();
        host.postgres("COPY s.t (a)", Ok(rows(json!([]))));
        host.postgres("COPY s.t (b)", Ok(rows(json!([]))));
        let args = json!({"rows": [{"a": 1}, {"b": 2}, {"a": 3}]});
        assert_eq!(
            host.run(Tool, config(&[]), args),
            Ok(json!({"table": "s.t", "rows": 3}))
        );
        assert_eq!(
            ran(&host),
            ["BEGIN", "COPY s.t (a)", "COPY s.t (b)", "COMMIT"]
        );
        let number = |text: &str| ParameterValue::Numeric(text.into());
        assert_eq!(host.statements()[1].1, [number("1"), number("3")]);
    }

    #[test]
    fn an_error_names_the_row_by_its_number_among_all() {
        let host = Host::new();
        host.postgres("COPY s.t (a)", Ok(rows(json!([]))));
        host.postgres("COPY s.t (b)", refused("22P02"));
        let args = json!({"rows": [{"a": 1}, {"a": 2}, {"b": "x"}]});
        assert_eq!(
            host.run(Tool, config(&[]), args),
            Err(Error::Failed(Failure {
                kind: "postgres".into(),
                message: "ERROR: no (in row 3, column `b`; no row was stored)".into(),
                code: Some("22P02".into()),
                details: Some(json!({"row": 3, "column": "b"})),
            }))
        );
        assert_eq!(ran(&host).last().unwrap(), "ROLLBACK");
    }

    #[test]
    fn without_rows_nothing_is_opened() {
        let host = Host::new();
        assert_eq!(
            host.run(Tool, config(&["id"]), json!({"rows": []})),
            Ok(json!({"table": "s.t", "rows": 0}))
        );
        assert!(host.opened().is_empty());
    }

    #[test]
    fn every_row_has_the_key() {
        let host = Host::new();
        let args = json!({"rows": [{"id": 1}, {"a": 2}]});
        let refused = host.run(Tool, config(&["id"]), args).unwrap_err();
        assert_eq!(
            refused,
            Error::invalid_input("row 2 has no `id`, which is in the key")
        );
        assert!(host.opened().is_empty());
    }

    #[test]
    fn many_rows_go_in_several_calls() {
        let host = Host::new();
        for _ in 0..4 {
            host.postgres("COPY s.t (a)", Ok(rows(json!([]))));
        }
        let text = "x".repeat(CALL_BYTES / 3);
        let all: Vec<Value> = (0..10).map(|_| json!({"a": text})).collect();
        let stored = host.run(Tool, config(&[]), json!({"rows": all}));
        assert_eq!(stored.unwrap()["rows"], 10);
        let sent: Vec<usize> = host.statements().iter().map(|(_, v)| v.len()).collect();
        assert_eq!(sent, [0, 3, 3, 3, 1, 0]);
    }
}
