//! Runs a step's statements: one alone, several in one transaction.

use noetl_tool::Error;
use noetl_tool::postgres::{self, Connection, ParameterValue, RowSet};
use noetl_tool::serde_json::value::RawValue;

use crate::config::Statement;
use crate::failure::{self, Place};
use crate::result;

pub fn run(credential: &str, statements: Vec<Statement>) -> Result<Box<RawValue>, Error> {
    let framed = is_framed(&statements);
    let statements: Vec<(String, Vec<ParameterValue>)> = statements
        .into_iter()
        .map(|statement| {
            (
                statement.text,
                statement.params.into_iter().map(Into::into).collect(),
            )
        })
        .collect();
    if statements.is_empty() {
        return Ok(result::output(&[])?);
    }
    let connection = Connection::open(credential).map_err(|error| failure::of(error, None))?;
    if let [(text, params)] = &statements[..] {
        let place = Place::Statement {
            number: 1,
            total: 1,
        };
        let answer = connection.query(text, params);
        return match answer {
            Ok(answer) => Ok(result::output(&[answer])?),
            Err(error) => Err(failure::of(error, Some(place))),
        };
    }
    let mut answers = in_transaction(&connection, &statements, framed);
    // A table was changed by others since a statement was prepared. PostgreSQL
    // tells it once; everything is undone and can be done again.
    if let Err((postgres::Error::QueryFailed(error), _)) = &answers
        && error.code == "0A000"
    {
        answers = in_transaction(&connection, &statements, framed);
    }
    let answers = answers.map_err(|(error, place)| failure::of(error, place))?;
    Ok(result::output(&answers)?)
}

fn in_transaction(
    connection: &Connection,
    statements: &[(String, Vec<ParameterValue>)],
    framed: bool,
) -> Result<Vec<RowSet>, (postgres::Error, Option<Place>)> {
    let total = statements.len();
    let transaction = connection.begin().map_err(|error| (error, None))?;
    let mut answers = Vec::with_capacity(total);
    for (index, (text, params)) in statements.iter().enumerate() {
        if framed && (index == 0 || index == total - 1) {
            answers.push(RowSet {
                columns: Vec::new(),
                rows: Vec::new(),
                affected: 0,
            });
            continue;
        }
        let place = Place::Statement {
            number: index + 1,
            total,
        };
        // Leaving here drops the transaction, which rolls it back.
        answers.push(
            transaction
                .query(text, params)
                .map_err(|error| (error, Some(place)))?,
        );
    }
    transaction.commit().map_err(|error| (error, None))?;
    Ok(answers)
}

/// Whether the script is a transaction by its own words, from `BEGIN` to
/// `COMMIT`. It runs in one anyway.
fn is_framed(statements: &[Statement]) -> bool {
    let [first, .., last] = statements else {
        return false;
    };
    let is = |text: &str, allowed: &[&str]| {
        let words = words(text);
        allowed
            .iter()
            .any(|allowed| words.eq_ignore_ascii_case(allowed))
    };
    is(
        &first.text,
        &[
            "BEGIN",
            "BEGIN WORK",
            "BEGIN TRANSACTION",
            "START TRANSACTION",
        ],
    ) && is(
        &last.text,
        &[
            "COMMIT",
            "COMMIT WORK",
            "COMMIT TRANSACTION",
            "END",
            "END WORK",
            "END TRANSACTION",
        ],
    )
}

/// The statement without comments, semicolons and needless space.
fn words(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("--") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
            plain.push(' ');
        } else {
            plain.push(if c == ';' { ' ' } else { c });
            rest = &rest[c.len_utf8()..];
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tool;
    use noetl_tool::Failure;
    use noetl_tool::postgres::DbError;
    use noetl_tool::serde_json::{Value, json};
    use noetl_tool::testing::{Host, rows};

    fn framed(texts: &[&str]) -> bool {
        let statement = |text: &&str| Statement {
            text: (*text).into(),
            params: Vec::new(),
        };
        is_framed(&texts.iter().map(statement).collect::<Vec<_>>())
    }

    #[test]
    fn a_script_may_frame_itself() {
        assert!(framed(&["-- x\nbegin;", "SELECT 1", "COMMIT /* y */ ;"]));
        assert!(framed(&["START  TRANSACTION", "END"]));
        assert!(!framed(&["BEGIN"]));
        assert!(!framed(&["BEGIN", "ROLLBACK"]));
        assert!(!framed(&["BEGIN ISOLATION LEVEL SERIALIZABLE", "COMMIT"]));
        assert!(!framed(&["SELECT 'BEGIN'", "COMMIT"]));
    }

    fn config(statements: &[&str]) -> Value {
        let statements: Vec<Value> = statements
            .iter()
            .map(|text| json!({"text": text, "params": [{"literal": "a"}]}))
            .collect();
        json!({"credential": "pg", "statements": statements})
    }

    fn refused(code: &str) -> postgres::Error {
        postgres::Error::QueryFailed(DbError {
            code: code.into(),
            severity: "ERROR".into(),
            message: "no".into(),
            detail: None,
            hint: Some("none".into()),
            constraint: None,
            table: None,
            column: None,
            position: Some(3),
        })
    }

    fn ran(host: &Host) -> Vec<String> {
        host.statements()
            .into_iter()
            .map(|(text, _)| text)
            .collect()
    }

    #[test]
    fn one_statement_runs_alone() {
        let host = Host::new();
        host.postgres("SELECT $1", Ok(rows(json!([{"a": "a"}]))));
        let data = host.run(Tool, config(&["SELECT $1"]), json!({})).unwrap();
        assert_eq!(
            data,
            json!({
                "command_1": [{"a": "a"}],
                "statements": [{
                    "rows": [{"a": "a"}],
                    "row_count": 1,
                    "columns": [{"name": "a", "type": "text"}],
                }],
            })
        );
        assert_eq!(host.opened(), ["pg"]);
        let params = vec![ParameterValue::Literal("a".into())];
        assert_eq!(host.statements(), [("SELECT $1".into(), params)]);
    }

    #[test]
    fn several_run_in_a_transaction_and_name_the_one_that_failed() {
        let host = Host::new();
        host.postgres("A", Ok(rows(json!([]))));
        host.postgres("B", Err(refused("23505")));
        let failed = host.run(Tool, config(&["A", "B", "C"]), json!({}));
        assert_eq!(
            failed,
            Err(Error::Failed(Failure {
                kind: "postgres".into(),
                message: "ERROR: no (in statement 2 of 3; all are undone)".into(),
                code: Some("23505".into()),
                details: Some(json!({"hint": "none", "position": 3, "statement": 2})),
            }))
        );
        assert_eq!(ran(&host), ["BEGIN", "A", "B", "ROLLBACK"]);
    }

    #[test]
    fn a_stale_statement_is_run_once_more() {
        let host = Host::new();
        host.postgres("A", Err(refused("0A000")));
        host.postgres("A", Ok(rows(json!([]))));
        let framed = config(&["BEGIN", "A", "COMMIT"]);
        let data = host.run(Tool, framed, json!({})).unwrap();
        assert_eq!(data["statements"].as_array().map(Vec::len), Some(3));
        assert_eq!(
            ran(&host),
            ["BEGIN", "A", "ROLLBACK", "BEGIN", "A", "COMMIT"]
        );
    }
}
