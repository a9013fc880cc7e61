//! One connection in the hands of a step.
//!
//! A session gives its connection back only in the state of a new one. What can
//! be reset is reset after the step has gone on; what is in the middle of
//! something is ended on the server and closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor, Row, SqlSafeStr, Statement};
use tokio::time::error::Elapsed;
use uuid::Uuid;

use super::copy::Rows;
use super::decode::{self, Layout};
use super::lexer::{Scan, scan};
use super::parameter::{self, Kind};
use super::plan::{Plan, Request, Sharing, Target};
use super::pool::{Client, Lease, Pool};
use super::timeout::{self, Timeout, shorter};
use super::{arguments, error};
use crate::limits::{Limit, Limits};
use crate::trace;
use crate::wit::copy::noetl::tool::postgres_copy::CopyError;
use crate::wit::noetl::tool::postgres::{Error, ParameterValue, RowSet};

/// Brings a connection back to the state of a new one, but for the prepared
/// statements of sqlx: `DISCARD ALL` would drop them too. Its `statement_timeout`
/// is set for the next step, its random numbers start anew (`setseed` decides the
/// next ones). Tells how many prepared statements SQL made of its own, and how
/// many came by the protocol.
fn reset_sql(timeout: Timeout) -> String {
    let seed = (Uuid::new_v4().as_u64_pair().0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
    format!(
        "ROLLBACK; CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; \
         UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
         SELECT pg_catalog.setseed({seed}); {}; \
         SELECT pg_catalog.count(*) FILTER (WHERE from_sql), pg_catalog.count(*) FILTER (WHERE NOT from_sql) \
         FROM pg_catalog.pg_prepared_statements",
        timeout::set(timeout)
    )
}

/// `feature_not_supported`, as in "cached plan must not change result type".
const CACHED_PLAN_CHANGED: &str = "0A000";

/// How long a connection's reset may take before it is given up.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);

/// How much a result may still hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub rows: u64,
    pub bytes: u64,
    /// The limits that they were counted from, for messages.
    pub limits: Limits,
}

/// A result and what it took of the room.
pub(super) struct Answer {
    pub rows: RowSet,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// A statement failed: PostgreSQL takes nothing but the end.
    Aborted,
}

/// A leased connection. Dropping it gives the connection back.
pub(super) struct Session {
    pool: Arc<Pool>,
    lease: Option<Lease>,
    transaction: Transaction,
    /// Something was sent whose answer has not been read.
    busy: bool,
    /// Settings or a schema may differ from what other sessions see.
    private: bool,
    /// The schema may have been changed in the open transaction.
    schema_changed: bool,
    used: bool,
    /// PostgreSQL's timeout for a statement when the step began.
    timeout: Timeout,
    /// The same outside the open transaction, which a rollback brings back.
    timeout_outside: Option<Timeout>,
    /// Counts the step's connections.
    _held: Arc<()>,
}

impl Session {
    /// Takes a connection of the pool; waits for one until `deadline`.
    pub async fn open(pool: Arc<Pool>, deadline: Instant, held: Arc<()>) -> Result<Self, Error> {
        let lease = tokio::time::timeout_at(deadline.into(), pool.lease())
            .await
            .map_err(|_| {
                Error::Timeout(format!(
                    "the step's time was over before there was a connection of `{}`",
                    pool.alias
                ))
            })??;
        let timeout = shorter(lease.default_timeout, timeout::for_deadline(deadline));
        Ok(Self {
            pool,
            lease: Some(lease),
            transaction: Transaction::None,
            busy: false,
            private: false,
            schema_changed: false,
            used: false,
            timeout,
            timeout_outside: None,
            _held: held,
        })
    }

    /// Whether a transaction was begun and has not ended.
    pub fn in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// Starts a transaction.
    pub async fn begin(&mut self, deadline: Instant) -> Result<(), Error> {
        let known = self.known_timeout(deadline).await?;
        let mut sql = "BEGIN".to_owned();
        let wanted = self.wanted_timeout(known, deadline);
        if let Some(timeout) = wanted {
            sql = format!("{sql}; {}", timeout::set(timeout));
        }
        sql.push_str(&trace_sql());
        self.command(sql, deadline).await?;
        self.transaction = Transaction::Open;
        self.timeout_outside = Some(known);
        self.timeout_is(wanted.or(Some(known)));
        Ok(())
    }

    /// Ends the transaction and keeps what it did.
    pub async fn commit(&mut self, deadline: Instant) -> Result<(), Error> {
        if self.transaction == Transaction::Aborted {
            // PostgreSQL would answer COMMIT with a rollback, and call it success.
            self.rollback(deadline).await?;
            return Err(Error::InvalidState(
                "a statement of the transaction failed: it was rolled back".into(),
            ));
        }
        // A deferred constraint may fail now, which ends the transaction too.
        self.transaction = Transaction::None;
        let ended = self.command("COMMIT".into(), deadline).await;
        if ended.is_err() {
            self.timeout_is(self.timeout_outside);
        }
        self.forget_schema();
        ended
    }

    /// Ends the transaction and undoes what it did.
    pub async fn rollback(&mut self, deadline: Instant) -> Result<(), Error> {
        self.transaction = Transaction::None;
        let ended = self.command("ROLLBACK".into(), deadline).await;
        self.timeout_is(self.timeout_outside);
        self.forget_schema();
        ended
    }

    fn forget_schema(&mut self) {
        if std::mem::take(&mut self.schema_changed) {
            self.pool.plans.clear();
            self.pool.types.clear();
            self.pool.schema_epoch.fetch_add(1, Ordering::Release);
        }
    }

    /// PostgreSQL's timeout for a statement as it is now. It is asked for where the
    /// step may have changed it.
    async fn known_timeout(&mut self, deadline: Instant) -> Result<Timeout, Error> {
        let known = self
            .lease
            .as_ref()
            .and_then(|lease| lease.statement_timeout);
        if let Some(timeout) = known {
            return Ok(timeout);
        }
        let client = self.start()?;
        let shown = client.connection.fetch_one("SHOW statement_timeout");
        let shown = tokio::time::timeout_at(deadline.into(), shown).await;
        let row = self.ended(shown)?;
        let timeout = row.try_get(0).map_or(0, timeout::parse);
        self.timeout_is(Some(timeout));
        Ok(timeout)
    }

    /// What PostgreSQL's timeout has to be instead of `known`; `None` if it is
    /// right. What a step has set shorter for itself stays so.
    fn wanted_timeout(&self, known: Timeout, deadline: Instant) -> Option<Timeout> {
        let wanted = match self.used {
            false => self.timeout,
            true => shorter(known, timeout::for_deadline(deadline)),
        };
        (wanted != known).then_some(wanted)
    }

    fn timeout_is(&mut self, timeout: Option<Timeout>) {
        if let Some(lease) = &mut self.lease {
            lease.statement_timeout = timeout;
        }
    }

    async fn command(&mut self, sql: String, deadline: Instant) -> Result<(), Error> {
        let client = self.start()?;
        let sql = AssertSqlSafe(sql);
        let ran = tokio::time::timeout_at(deadline.into(), client.connection.execute(sql)).await;
        self.ended(ran).map(drop)
    }

    /// Notes how a statement of our own has ended.
    fn ended<T>(&mut self, ran: Result<sqlx::Result<T>, Elapsed>) -> Result<T, Error> {
        match ran {
            Ok(Ok(done)) => {
                self.busy = false;
                Ok(done)
            }
            Ok(Err(error)) => {
                self.failed(error::connection_lives(&error));
                Err(error::statement(&error, None))
            }
            Err(_) => {
                self.failed(false);
                Err(late())
            }
        }
    }

    /// Runs one statement.
    pub async fn query(
        &mut self,
        text: &str,
        parameters: &[ParameterValue],
        room: Room,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        self.refuse_aborted()?;
        if let Some(at) = text.chars().position(|c| c == '\0') {
            // The protocol ends a statement at NUL.
            return Err(Error::BadParameter(format!(
                "the statement has the NUL character (U+0000) at character {}",
                at + 1
            )));
        }
        let scan = scan(text);
        refuse_transaction_control(&scan, self.in_transaction())?;
        if scan.copies_with_client {
            return Err(Error::InvalidState(
                "COPY from STDIN or to STDOUT needs a client that sends or takes the rows, and a step \
                 is none: use INSERT or SELECT"
                    .into(),
            ));
        }
        parameter::check(&scan, parameters)?;
        let kinds: Vec<Kind> = parameters.iter().map(Kind::of).collect();
        let request = Request {
            text,
            scan: &scan,
            parameters,
            kinds: &kinds,
            in_transaction: self.in_transaction(),
        };
        let changes_schema = !keeps_schema(&scan);
        let changes_for_others = changes_schema && !makes_temporary_table(&scan);
        // A setting such as `search_path` decides what a name means.
        let lower_case = text.to_ascii_lowercase();
        self.private |= changes_schema || lower_case.contains("set_config");
        self.schema_changed |= changes_for_others;
        let ran = async {
            self.fit_timeout(deadline).await?;
            self.run(&request, room).await
        };
        let ran = tokio::time::timeout_at(deadline.into(), ran).await;
        if may_change_timeout(&scan, &lower_case) {
            self.timeout_is(None);
        }
        if self.transaction == Transaction::None {
            self.forget_schema();
        }
        ran.unwrap_or_else(|_| {
            self.failed(false);
            Err(late())
        })
    }

    /// Copies rows into a table. The session is in a transaction.
    pub async fn copy_in(&mut self, rows: &Rows, deadline: Instant) -> Result<u64, CopyError> {
        self.refuse_aborted()?;
        let statement = rows.statement()?;
        let ran = async {
            self.fit_timeout(deadline).await?;
            let targets = self.targets(rows).await?;
            self.send(rows, &statement, &rows.text(&targets)?).await
        };
        let ran = tokio::time::timeout_at(deadline.into(), ran).await;
        ran.unwrap_or_else(|_| {
            self.failed(false);
            Err(late().into())
        })
    }

    /// What documents become in each column. Asks for the columns' types only if
    /// there are documents.
    async fn targets(&mut self, rows: &Rows) -> Result<Vec<Target>, Error> {
        if !rows.has_documents() {
            return Ok(Vec::new());
        }
        let table = rows.name()?;
        let pool = self.pool.clone();
        let connection = &mut self.start()?.connection;
        let found = async {
            // A table that is not there has no columns: COPY says so.
            let found: Vec<(String, Oid)> = sqlx::query_as(
                "SELECT attname::text, atttypid FROM pg_catalog.pg_attribute \
                 WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            )
            .bind(table)
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
            let found: HashMap<String, u32> =
                found.into_iter().map(|(name, oid)| (name, oid.0)).collect();
            pool.types.load(connection, found.values().copied()).await?;
            Ok(found)
        };
        let found: HashMap<String, u32> = match found.await {
            Ok(found) => found,
            Err(error) => {
                self.failed(error::connection_lives(&error));
                return Err(error::statement(&error, None));
            }
        };
        self.busy = false;
        let target = |column| found.get(column).map(|&oid| pool.types.target(oid));
        let targets = rows.columns.iter().map(target);
        Ok(targets
            .map(|found| found.unwrap_or(Target::Single))
            .collect())
    }

    async fn send(&mut self, rows: &Rows, statement: &str, text: &[u8]) -> Result<u64, CopyError> {
        let connection = &mut self.start()?.connection;
        let sent = async {
            let mut copy = connection.copy_in_raw(statement).await?;
            copy.send(text).await?;
            copy.finish().await
        };
        match sent.await {
            Ok(count) => {
                self.busy = false;
                Ok(count)
            }
            Err(found) => {
                self.failed(error::connection_lives(&found));
                let context = error::database(&found).and_then(|found| found.r#where());
                Err(rows.located(error::statement(&found, None), context))
            }
        }
    }

    fn refuse_aborted(&self) -> Result<(), Error> {
        match self.transaction {
            Transaction::Aborted => Err(Error::InvalidState(
                "a statement of the transaction failed: it can only be rolled back".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Sets PostgreSQL's timeout for the next statement, if it is not right.
    async fn fit_timeout(&mut self, deadline: Instant) -> Result<(), Error> {
        let known = self.known_timeout(deadline).await?;
        if let Some(timeout) = self.wanted_timeout(known, deadline) {
            let sql = timeout::set(timeout) + &trace_sql();
            self.command(sql, deadline).await?;
            self.timeout_is(Some(timeout));
        }
        Ok(())
    }

    async fn run(&mut self, request: &Request<'_>, room: Room) -> Result<Answer, Error> {
        self.catch_up().await?;
        let sharing = match self.private {
            true => Sharing::Private,
            false => Sharing::Shared,
        };
        let (mut plan, kept) = self.plan(request, sharing).await?;
        // Alone, a statement that failed has had no effect. It may be tried again
        // if a schema that was changed elsewhere explains the error.
        let may_retry = !request.in_transaction && keeps_schema(request.scan);
        let (mut may_clear, mut may_renew) = (true, may_retry && kept);
        loop {
            let found = match self.execute(request, &plan, room).await {
                Ok(answer) => {
                    if !keeps_schema(request.scan) {
                        self.clear_prepared().await?;
                    }
                    return Ok(answer);
                }
                Err(Failed::Final(error)) => {
                    self.failed(!self.busy);
                    return Err(error);
                }
                Err(Failed::Statement(found)) => found,
            };
            let lives = error::connection_lives(&found);
            self.failed(lives);
            let reported = error::statement(&found, Some(&plan));
            let code = error::database(&found).map_or("", |found| found.code());
            if lives && code == CACHED_PLAN_CHANGED && std::mem::take(&mut may_clear) {
                self.clear_prepared().await?;
                if may_retry {
                    continue;
                }
            }
            if !lives || !std::mem::take(&mut may_renew) {
                return Err(reported);
            }
            match self.plan(request, Sharing::Renew).await {
                Ok((renewed, _)) if renewed.sql != plan.sql => plan = renewed,
                _ => return Err(reported),
            }
        }
    }

    /// Drops prepared statements that are older than a change of the schema by
    /// another session of this pool.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let epoch = self.pool.schema_epoch.load(Ordering::Acquire);
        if self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.schema_epoch != epoch)
        {
            self.clear_prepared().await?;
            if let Some(lease) = &mut self.lease {
                lease.schema_epoch = epoch;
            }
        }
        Ok(())
    }

    async fn plan(
        &mut self,
        request: &Request<'_>,
        sharing: Sharing,
    ) -> Result<(Arc<Plan>, bool), Error> {
        if request.scan.placeholders.is_empty() {
            return Ok((Arc::new(Plan::verbatim(request.text)), false));
        }
        let pool = self.pool.clone();
        let client = self.start()?;
        let planned = pool
            .plans
            .plan(&mut client.connection, &pool.types, request, sharing)
            .await;
        match &planned {
            Ok(_) => self.busy = false,
            Err(error) => self.failed(matches!(
                error,
                Error::QueryFailed(_) | Error::BadParameter(_)
            )),
        }
        planned
    }

    async fn clear_prepared(&mut self) -> Result<(), Error> {
        let client = self.start()?;
        match client.connection.clear_cached_statements().await {
            Ok(()) => {
                self.busy = false;
                Ok(())
            }
            Err(error) => {
                self.failed(false);
                Err(error::statement(&error, None))
            }
        }
    }

    /// Sends the statement and reads the answer. Leaves `busy` set if the
    /// connection can't be used any more.
    async fn execute(
        &mut self,
        request: &Request<'_>,
        plan: &Plan,
        room: Room,
    ) -> Result<Answer, Failed> {
        let mut values = Vec::with_capacity(plan.binds.len());
        for bind in &plan.binds {
            let value = &request.parameters[bind.parameter];
            values.push(parameter::encode(value, bind.parameter + 1, bind.target)?);
        }
        let arguments = arguments(values)?;
        let pool = self.pool.clone();
        let connection = &mut self.start()?.connection;
        let (mut rows, mut affected, mut bytes) = (Vec::new(), 0, 0);
        let query = sqlx::query_with(AssertSqlSafe(plan.sql.clone()), arguments);
        let mut answers = (&mut *connection).fetch_many(query);
        while let Some(answer) = answers.try_next().await.map_err(Failed::Statement)? {
            match answer {
                Either::Left(done) => affected += done.rows_affected(),
                Either::Right(row) => {
                    bytes += size(&row);
                    rows.push(row);
                    room.check(rows.len() as u64, bytes)?;
                }
            }
        }
        drop(answers);
        let layout = match rows.first() {
            Some(row) => Layout::load(connection, &pool.types, row.columns()).await?,
            // sqlx keeps the statement and what it knows of its columns.
            None => {
                let sql = AssertSqlSafe(plan.sql.clone()).into_sql_str();
                let statement = connection.prepare(sql).await.map_err(Failed::Statement)?;
                Layout::load(connection, &pool.types, statement.columns()).await?
            }
        };
        let read = decode::rows(
            connection,
            &pool.types,
            &layout,
            &rows,
            request.in_transaction,
        )
        .await;
        self.busy = false;
        Ok(Answer {
            rows: RowSet {
                columns: layout.columns,
                rows: read?,
                affected,
            },
            bytes,
        })
    }

    fn start(&mut self) -> Result<&mut Client, Error> {
        let Some(lease) = &mut self.lease else {
            return Err(Error::InvalidState(
                "the connection was given up after an error".into(),
            ));
        };
        self.busy = true;
        self.used = true;
        Ok(lease)
    }

    /// After an error: in a transaction nothing more can be done, and a connection
    /// that may still be at work is ended.
    fn failed(&mut self, connection_lives: bool) {
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Aborted;
        }
        self.busy = !connection_lives;
        if !connection_lives && let Some(lease) = self.lease.take() {
            tokio::spawn(end(self.pool.clone(), Unclean(Some(lease))));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        lease.released = Instant::now();
        if !self.used {
            return;
        }
        let (pool, lease) = (self.pool.clone(), Unclean(Some(lease)));
        // Without a runtime the process is ending, and so are its connections.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            match self.busy {
                true => drop(runtime.spawn(end(pool, lease))),
                false => drop(runtime.spawn(reset(pool, lease, self.timeout))),
            }
        }
    }
}

/// A connection that must not go back to its pool unless it is [`cleaned`].
///
/// [`cleaned`]: Self::clean
struct Unclean(Option<Lease>);

impl Unclean {
    fn client(&mut self) -> &mut Client {
        self.0.as_mut().expect("taken only at the end")
    }

    fn clean(mut self) {
        if let Some(mut lease) = self.0.take() {
            lease.released = Instant::now();
        }
    }
}

impl Drop for Unclean {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            drop(Object::take(lease));
        }
    }
}

/// Resets a connection and gives it back.
async fn reset(pool: Arc<Pool>, mut lease: Unclean, timeout: Timeout) {
    let connection = &mut lease.client().connection;
    let rows = sqlx::raw_sql(AssertSqlSafe(reset_sql(timeout))).fetch_all(connection);
    match tokio::time::timeout(RESET_TIMEOUT, rows).await {
        Ok(Ok(rows)) => {
            // The statements of sqlx have to be there still: SQL can drop them.
            let count = |index| {
                rows.last()
                    .and_then(|row| row.try_get::<i64, _>(index).ok())
            };
            let kept = i64::try_from(lease.client().connection.cached_statements_size());
            if count(0) == Some(0) && count(1) == kept.ok() {
                lease.client().statement_timeout = Some(timeout);
                lease.clean();
            }
        }
        Ok(Err(_)) => {}
        Err(_) => end(pool, lease).await,
    }
}

/// Ends what a connection is doing, whatever that is, and closes it.
async fn end(pool: Arc<Pool>, mut lease: Unclean) {
    let backend = lease.client().backend;
    // Out of the pool, so that there is room for another; but not closed yet, so
    // that the number can't belong to a new backend.
    let _client = lease.0.take().map(Object::take);
    let ended = tokio::time::timeout(RESET_TIMEOUT, async {
        let mut other = Unclean(Some(pool.lease().await.ok()?));
        sqlx::query("SELECT pg_catalog.pg_terminate_backend($1)")
            .bind(backend)
            .execute(&mut other.client().connection)
            .await
            .ok()?;
        other.clean();
        Some(())
    });
    if !matches!(ended.await, Ok(Some(()))) {
        tracing::warn!(
            credential = pool.alias,
            backend,
            "an abandoned query could not be ended; its statement_timeout will"
        );
    }
}

enum Failed {
    /// PostgreSQL or the way to it.
    Statement(sqlx::Error),
    /// Something else; nothing to try again.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Room {
    fn check(&self, rows: u64, bytes: u64) -> Result<(), Error> {
        if rows > self.rows {
            return Err(Error::Limit(self.limits.exceeded(Limit::PostgresRows)));
        }
        if bytes > self.bytes {
            return Err(Error::Limit(self.limits.exceeded(Limit::PostgresBytes)));
        }
        Ok(())
    }
}

/// What shows the trace in `pg_stat_activity` and in PostgreSQL's log, behind a
/// statement of our own that is sent anyway: it costs no round trip.
fn trace_sql() -> String {
    match trace::traceparent() {
        Some(parent) => format!("; SET application_name TO 'noetl {parent}'"),
        None => String::new(),
    }
}

fn late() -> Error {
    Error::Timeout(
        "the step's time was over before PostgreSQL answered; the statement was ended".into(),
    )
}

fn size(row: &PgRow) -> u64 {
    (0..row.len())
        .filter_map(|index| row.try_get_raw(index).ok())
        .map(|value| 8 + value.as_bytes().map_or(0, <[u8]>::len) as u64)
        .sum()
}

/// Whether a statement of this kind leaves schema and session as they were, unless
/// a function that it calls does otherwise.
fn keeps_schema(scan: &Scan) -> bool {
    matches!(
        scan.words.first().map_or("", String::as_str),
        "" | "SELECT"
            | "INSERT"
            | "UPDATE"
            | "DELETE"
            | "WITH"
            | "VALUES"
            | "TABLE"
            | "MERGE"
            | "SHOW"
            | "EXPLAIN"
    )
}

/// Whether it is of a table that no other session sees.
fn makes_temporary_table(scan: &Scan) -> bool {
    let words: Vec<&str> = scan.words.iter().map(String::as_str).collect();
    matches!(words[..], ["CREATE", "TEMP" | "TEMPORARY", "TABLE"])
}

/// Whether `statement_timeout` may be another after this statement.
fn may_change_timeout(scan: &Scan, lower_case: &str) -> bool {
    let first = scan.words.first().map_or("", String::as_str);
    matches!(first, "RESET" | "DISCARD" | "ROLLBACK") || lower_case.contains("statement_timeout")
}

/// Transactions are the interface's, so that it knows when one has ended.
fn refuse_transaction_control(scan: &Scan, in_transaction: bool) -> Result<(), Error> {
    let word = |at: usize| scan.words.get(at).map_or("", String::as_str);
    let control = match word(0) {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => true,
        "START" | "PREPARE" => word(1) == "TRANSACTION",
        "ROLLBACK" => {
            let at = if matches!(word(1), "WORK" | "TRANSACTION") {
                2
            } else {
                1
            };
            word(at) != "TO"
        }
        "SAVEPOINT" | "RELEASE" => !in_transaction,
        _ => false,
    };
    match control {
        true => Err(Error::InvalidState(format!(
            "{} is not a statement to run: use `begin` of the connection, and `commit` or `rollback` of the transaction",
            word(0)
        ))),
        false => Ok(()),
    }
}
