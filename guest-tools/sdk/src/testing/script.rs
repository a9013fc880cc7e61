//! What a test has written down, and what the tool did.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use super::answer::{Answer, Head};
use crate::bindings::noetl::tool::http::{self, Request};
use crate::bindings::noetl::tool::log::Level;
use crate::bindings::noetl::tool::postgres::{Error, ParameterValue, RowSet};

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

#[derive(Default)]
pub struct Script {
    pub http: VecDeque<(String, Answer)>,
    pub postgres: VecDeque<(String, Result<RowSet, Error>)>,
    pub requests: Vec<Request>,
    pub opened: Vec<String>,
    pub statements: Vec<(String, Vec<ParameterValue>)>,
    pub log: Vec<(Level, String)>,
    pub slept: Vec<Duration>,
}

/// Does something with the script of this thread.
pub fn with<T>(act: impl FnOnce(&mut Script) -> T) -> T {
    SCRIPT.with_borrow_mut(act)
}

impl Script {
    pub fn answer(&mut self, request: &Request) -> Result<Head, http::Error> {
        let asked = format!("{} {}", request.method, request.url);
        self.requests.push(request.clone());
        match self.http.pop_front() {
            Some((due, answer)) if due == asked => answer.answer,
            Some((due, _)) => {
                panic!("the tool sent `{asked}`, and the answer that is due is that to `{due}`")
            }
            None => panic!(
                "the test has no answer to `{asked}`; write `host.http({asked:?}, Answer::…)`"
            ),
        }
    }

    pub fn rows(&mut self, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
        self.statements.push((statement.to_owned(), params.into()));
        let asked = statement.trim();
        match self.postgres.pop_front() {
            Some((due, answer)) if due.trim() == asked => answer,
            Some((due, _)) => {
                panic!("the tool ran `{asked}`, and the answer that is due is that to `{due}`")
            }
            None => panic!(
                "the test has no answer to `{asked}`; write `host.postgres({asked:?}, Ok(rows(…)))`"
            ),
        }
    }

    pub fn note(&mut self, statement: &str) {
        self.statements.push((statement.to_owned(), Vec::new()));
    }

    /// The first answer that nobody asked for.
    pub fn left(&self) -> Option<&str> {
        let http = self.http.front().map(|(request, _)| &**request);
        http.or_else(|| self.postgres.front().map(|(statement, _)| &**statement))
    }
}
