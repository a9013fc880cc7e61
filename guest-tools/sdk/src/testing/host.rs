use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;

use super::{Answer, Sent, script};
use crate::bindings::Invocation;
use crate::bindings::noetl::tool::log::Level;
use crate::call::Call;
use crate::postgres::{self, ParameterValue, RowSet};
use crate::{Error, Tool};

/// The host of one test, on the test's own thread.
#[derive(Debug)]
pub struct Host {
    // The script is that of this thread.
    here: PhantomData<*const ()>,
}

impl Host {
    /// A host that has no answers yet.
    #[expect(clippy::new_without_default, reason = "it replaces that of the thread")]
    #[must_use]
    pub fn new() -> Self {
        script::with(|script| *script = script::Script::default());
        Self { here: PhantomData }
    }

    /// What answers the next HTTP request, which has to be this one: `GET https://…`.
    pub fn http(&self, request: impl Into<String>, answer: Answer) {
        script::with(|script| script.http.push_back((request.into(), answer)));
    }

    /// What answers the next statement, which has to be this one.
    pub fn postgres(&self, statement: impl Into<String>, answer: Result<RowSet, postgres::Error>) {
        script::with(|script| script.postgres.push_back((statement.into(), answer)));
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// Why the tool has no result.
    pub fn run<T: Tool>(&self, tool: T, config: Value, args: Value) -> Result<Value, Error> {
        super::run(tool, config, args)
    }

    /// The entries of the log: `info: three rows`.
    #[must_use]
    pub fn logged(&self) -> Vec<String> {
        let entry = |(level, message): &(Level, String)| {
            let level = match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            };
            format!("{level}: {message}")
        };
        script::with(|script| script.log.iter().map(entry).collect())
    }

    /// The HTTP requests that were sent.
    #[must_use]
    pub fn requests(&self) -> Vec<Sent> {
        script::with(|script| script.requests.clone())
    }

    /// The statements that were run, with `BEGIN`, `COMMIT` and `ROLLBACK`.
    #[must_use]
    pub fn statements(&self) -> Vec<(String, Vec<ParameterValue>)> {
        script::with(|script| script.statements.clone())
    }

    /// The aliases of the credentials that connections were opened with.
    #[must_use]
    pub fn opened(&self) -> Vec<String> {
        script::with(|script| script.opened.clone())
    }

    /// How long the tool waited, each time.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        script::with(|script| script.slept.clone())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let script = script::with(std::mem::take);
        if let Some(left) = script.left()
            && !std::thread::panicking()
        {
            panic!("the tool never asked for the answer to `{left}`");
        }
    }
}

pub fn call<T: Tool>(config: &str, args: &str, prepared: Option<Vec<u8>>) -> Result<String, Error> {
    T::run(Call(Invocation {
        execution_id: "01993d0c-0000-7000-8000-000000000000".into(),
        step: "test".into(),
        tenant: "test".into(),
        config: config.into(),
        prepared,
        args: args.into(),
    }))
}
