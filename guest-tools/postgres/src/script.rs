//! Runs a step's statements: one alone, several in one transaction.

use crate::bindings::noetl::tool::postgres::{Connection, Error, ParameterValue, RowSet};
use crate::bindings::{Invocation, Output, ToolError};
use crate::config::{Config, Statement};
use crate::failure::{self, Place};
use crate::result;

pub fn run(invocation: &Invocation) -> Result<Output, ToolError> {
    let config: Config = serde_json::from_str(&invocation.config).map_err(|error| {
        ToolError::InvalidInput(format!(
            "postgres: the configuration is not what the tool needs: {error}"
        ))
    })?;
    let total = config.statements.len();
    if total == 0 {
        return Ok(result::output(&[]));
    }
    let connection =
        Connection::open(&config.credential).map_err(|error| failure::of(error, None))?;
    let at = |index: usize| {
        move |error: Error| {
            failure::of(
                error,
                Some(Place {
                    number: index + 1,
                    total,
                }),
            )
        }
    };
    let mut answers = Vec::with_capacity(total);
    if total == 1 {
        let (text, params) = parts(config.statements.into_iter().next().expect("there is one"));
        answers.push(connection.query(&text, &params).map_err(at(0))?);
    } else {
        let framed = is_framed(&config.statements);
        let transaction = connection
            .begin()
            .map_err(|error| failure::of(error, None))?;
        for (index, statement) in config.statements.into_iter().enumerate() {
            if framed && (index == 0 || index == total - 1) {
                answers.push(RowSet {
                    columns: Vec::new(),
                    rows: Vec::new(),
                    affected: 0,
                });
                continue;
            }
            let (text, params) = parts(statement);
            // Leaving here drops the transaction, which rolls it back.
            answers.push(transaction.query(&text, &params).map_err(at(index))?);
        }
        transaction
            .commit()
            .map_err(|error| failure::of(error, None))?;
    }
    Ok(result::output(&answers))
}

fn parts(statement: Statement) -> (String, Vec<ParameterValue>) {
    let params = statement.params.into_iter().map(Into::into).collect();
    (statement.text, params)
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
}
