//! The host of a test: see [`crate::testing`].

use std::collections::VecDeque;
use std::time::Duration;

use crate::bindings::copying::noetl::tool::postgres_copy::CopyError;
use crate::bindings::noetl::tool::http;
use crate::bindings::noetl::tool::log::Level;
use crate::bindings::noetl::tool::postgres::{Error, ParameterValue, RowSet};
use crate::testing::script;

pub fn log(level: Level, message: &str) {
    script::with(|script| script.log.push((level, message.to_owned())));
}

pub fn sleep(duration: Duration) {
    script::with(|script| script.slept.push(duration));
}

pub struct Response {
    pub status: u16,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Debug)]
pub struct Body {
    chunks: std::cell::RefCell<VecDeque<Result<Vec<u8>, http::Error>>>,
}

impl Body {
    pub fn read(&self, most: u32) -> Result<Vec<u8>, http::Error> {
        let mut chunks = self.chunks.borrow_mut();
        let mut chunk = match chunks.pop_front() {
            None => return Ok(Vec::new()),
            Some(chunk) => chunk?,
        };
        if chunk.len() > most as usize {
            chunks.push_front(Ok(chunk.split_off(most as usize)));
        }
        Ok(chunk)
    }
}

pub fn send(request: &http::Request) -> Result<Response, http::Error> {
    let answer = script::with(|script| script.answer(request))?;
    Ok(Response {
        status: answer.status,
        url: answer.url.unwrap_or_else(|| request.url.clone()),
        headers: answer.headers,
        body: Body {
            chunks: answer.chunks.into(),
        },
    })
}

#[derive(Debug)]
pub struct Connection(());

impl Connection {
    pub fn open(credential: &str) -> Result<Self, Error> {
        script::with(|script| script.opened.push(credential.to_owned()));
        Ok(Self(()))
    }

    pub fn query(&self, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
        script::with(|script| script.rows(statement, params))
    }

    pub fn begin(&self) -> Result<Transaction, Error> {
        script::with(|script| script.note("BEGIN"));
        Ok(Transaction { open: true })
    }
}

#[derive(Debug)]
pub struct Transaction {
    open: bool,
}

impl Transaction {
    pub fn query(&self, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
        script::with(|script| script.rows(statement, params))
    }

    pub fn commit(mut self) -> Result<(), Error> {
        self.open = false;
        script::with(|script| script.note("COMMIT"));
        Ok(())
    }

    /// Dropping it does.
    pub fn rollback(self) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            script::with(|script| script.note("ROLLBACK"));
        }
    }
}

/// Answered like a statement that says the same, with all values as its parameters.
pub fn copy_in(
    _: &Transaction,
    table: &[String],
    columns: &[String],
    rows: &[Vec<ParameterValue>],
) -> Result<u64, CopyError> {
    let statement = format!("COPY {} ({})", table.join("."), columns.join(", "));
    let answer = script::with(|script| script.rows(&statement, &rows.concat()));
    match answer {
        Ok(_) => Ok(rows.len() as u64),
        Err(error) => Err(CopyError {
            error,
            row: Some(1),
            column: columns.first().cloned(),
        }),
    }
}
