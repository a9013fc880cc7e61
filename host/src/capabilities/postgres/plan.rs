//! Parameters that behave like a literal of unknown type.
//!
//! `'2026-01-01'` in a statement is a date where a date is needed. A parameter of
//! unspecified type is inferred in the same way, but sqlx sends every parameter in
//! its type's binary form, and only the server can read the text form of every
//! type. So a statement is planned once: PostgreSQL is asked what it infers for
//! each placeholder, and the statement is rewritten so that the placeholder is a
//! text which the server casts to the inferred type, `(CAST($1::text AS
//! pg_catalog."date"))`. The rest of the statement then means what it meant.
//!
//! - The cast names no length, so that a value too long for `varchar(3)` is still
//!   an error of the assignment and not cut off. For the same reason a domain is
//!   replaced by the type below it: the context applies the domain, as it does
//!   for a literal.
//! - Where nothing tells the type (`jsonb_build_object('a', $1)`), it is text, as
//!   for a literal.
//! - Typed parameters get a cast too (`$1::int4`): sqlx caches a prepared
//!   statement by its text alone, so the types have to be part of it.
//! - A `$1` that stands in two places is inferred as one, then, if that fails, for
//!   each place. If PostgreSQL wants two expressions to be the same (`GROUP BY`),
//!   placeholders of equal values become one, as equal literals would be.
//!
//! Plans are kept by the pool for a short time only: like any prepared statement
//! they go stale when a column's type changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, SqlSafeStr, Statement};

use super::error;
use super::lexer::Scan;
use super::parameter::Kind;
use super::types::{TEXT, Types};
use crate::wit::noetl::tool::postgres::{Error, ParameterValue};

/// A statement as it is sent.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub sql: Arc<str>,
    /// What to send for `$1`, `$2`, … of `sql`.
    pub binds: Vec<Bind>,
    /// Where `sql` differs from the author's text, in characters.
    spans: Vec<Span>,
}

/// One value to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bind {
    /// Index of the author's parameter.
    pub parameter: usize,
    pub target: Target,
}

/// What a document has to be turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Single,
    Array { of_json: bool },
}

#[derive(Debug, PartialEq, Eq)]
struct Span {
    author_start: usize,
    author_len: usize,
    start: usize,
    len: usize,
}

impl Plan {
    /// The plan of a statement without placeholders.
    pub fn verbatim(text: &str) -> Self {
        Self {
            sql: text.into(),
            binds: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// A position in `sql` as one in the author's text. Both count characters
    /// from 1.
    pub fn position(&self, at: u32) -> Option<u32> {
        let at = usize::try_from(at).ok()?.checked_sub(1)?;
        let span = self.spans.iter().rev().find(|span| span.start <= at);
        let found = match span {
            None => at,
            Some(span) if at < span.start + span.len => span.author_start,
            Some(span) => at - (span.start + span.len) + span.author_start + span.author_len,
        };
        u32::try_from(found + 1).ok()
    }
}

/// A statement with its parameters, on its way to be planned.
pub(super) struct Request<'a> {
    pub text: &'a str,
    pub scan: &'a Scan,
    pub parameters: &'a [ParameterValue],
    pub kinds: &'a [Kind],
    /// In a transaction, a statement that can't be planned must not break it.
    pub in_transaction: bool,
}

/// Where a plan may come from and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// The pool's plans are good for this session.
    Shared,
    /// To there, but not from there: what is kept may be stale.
    Renew,
    /// The session differs from others: a schema that is not committed, settings.
    Private,
}

/// The plans of a pool.
#[derive(Debug, Default)]
pub(super) struct Plans {
    kept: Mutex<HashMap<Key, Kept>>,
    probes: AtomicU64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    text: String,
    kinds: Vec<Kind>,
    /// Which parameters are equal, for statements where that matters.
    equal: Option<Vec<usize>>,
}

#[derive(Debug)]
struct Kept {
    /// `None`: it depends on which parameters are equal.
    plan: Option<Arc<Plan>>,
    made: Instant,
    used: Instant,
}

/// How long a plan is trusted.
const TRUSTED: Duration = Duration::from_secs(30);
/// How many plans a pool keeps.
const CAPACITY: usize = 512;

/// How placeholders are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    /// One number for each of the author's.
    Author,
    /// One for each place.
    Place,
    /// One for each value.
    Value,
}

impl Plans {
    /// Forgets all: the schema may have changed.
    pub fn clear(&self) {
        self.kept.lock().expect("no panic while held").clear();
    }

    /// The plan of a statement that has placeholders, and whether it was kept.
    pub async fn plan(
        &self,
        connection: &mut PgConnection,
        types: &Types,
        request: &Request<'_>,
        sharing: Sharing,
    ) -> Result<(Arc<Plan>, bool), Error> {
        let mut key = Key {
            text: request.text.to_owned(),
            kinds: request.kinds.to_vec(),
            equal: None,
        };
        if sharing == Sharing::Shared
            && let Some(plan) = self.find(&mut key, request)
        {
            return Ok((plan, true));
        }
        let (plan, by_value) = self.make(connection, types, request).await?;
        let plan = Arc::new(plan);
        if sharing != Sharing::Private {
            if by_value {
                key.equal = None;
                self.keep(key.clone(), None);
                key.equal = Some(equal(request));
            }
            self.keep(key, Some(plan.clone()));
        }
        Ok((plan, false))
    }

    fn find(&self, key: &mut Key, request: &Request<'_>) -> Option<Arc<Plan>> {
        let mut kept = self.kept.lock().expect("no panic while held");
        let now = Instant::now();
        let mut fresh = |key: &Key| {
            let found = kept.get_mut(key)?;
            found.used = now;
            (now - found.made < TRUSTED).then(|| found.plan.clone())
        };
        match fresh(key)? {
            Some(plan) => Some(plan),
            None => {
                key.equal = Some(equal(request));
                fresh(key)?
            }
        }
    }

    fn keep(&self, key: Key, plan: Option<Arc<Plan>>) {
        let mut kept = self.kept.lock().expect("no panic while held");
        let now = Instant::now();
        if kept.len() >= CAPACITY && !kept.contains_key(&key) {
            kept.retain(|_, kept| now - kept.made < TRUSTED);
            if kept.len() >= CAPACITY
                && let Some(oldest) = kept.iter().min_by_key(|(_, kept)| kept.used)
            {
                let oldest = oldest.0.clone();
                kept.remove(&oldest);
            }
        }
        let made = Kept {
            plan,
            made: now,
            used: now,
        };
        kept.insert(key, made);
    }

    /// Asks PostgreSQL. The second value: the plan is for these equal values.
    async fn make(
        &self,
        connection: &mut PgConnection,
        types: &Types,
        request: &Request<'_>,
    ) -> Result<(Plan, bool), Error> {
        let mut numbering = Numbering::Author;
        let mut as_text = BTreeSet::new();
        // Each turn but the last settles one placeholder or the numbering.
        for _ in 0..request.scan.placeholders.len() + 3 {
            let numbers = numbers(request, numbering);
            let probe = write(request, &numbers, |number, kind| match kind.cast() {
                Some(cast) => format!("(${number}::{cast})"),
                None if as_text.contains(&number) => format!("${number}::text"),
                None => format!("${number}"),
            });
            let error = match self.probe(connection, &probe, request.in_transaction).await {
                Ok(inferred) => {
                    let plan = self
                        .cast(connection, types, request, &numbers, &inferred)
                        .await;
                    let plan = plan.map_err(|error| error::statement(&error, None))?;
                    return Ok((plan, numbering == Numbering::Value));
                }
                Err(error) => error,
            };
            let found = error::database(&error);
            let settled = match found.map_or("", |found| found.code()) {
                "42P18" => found
                    .and_then(|found| placeholder(found.message()))
                    .is_some_and(|number| as_text.insert(number)),
                "42P08" if numbering == Numbering::Author => {
                    numbering = Numbering::Place;
                    as_text.clear();
                    true
                }
                "42803" | "42P10" if numbering != Numbering::Value => {
                    numbering = Numbering::Value;
                    as_text.clear();
                    let equal: BTreeSet<usize> = equal(request).into_iter().collect();
                    equal.len() < request.parameters.len()
                }
                _ => false,
            };
            if !settled {
                return Err(error::statement(&error, Some(&probe)));
            }
        }
        Err(Error::Other(
            "PostgreSQL could not tell the types of the statement's parameters".into(),
        ))
    }

    /// The types that PostgreSQL gives to `$1`, `$2`, … of a statement.
    async fn probe(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
        in_transaction: bool,
    ) -> sqlx::Result<Vec<u32>> {
        // sqlx would answer a text that it knows from its cache, however old.
        let turn = self.probes.fetch_add(1, Ordering::Relaxed);
        let sql = format!("{}\n-- noetl: plan {turn}", plan.sql);
        if in_transaction {
            connection.execute("SAVEPOINT noetl_plan").await?;
        }
        let prepared = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let oids = prepared.map(|statement| match statement.parameters() {
            Some(Either::Left(types)) => types
                .iter()
                .map(|found| found.oid().map_or(TEXT, |oid| oid.0))
                .collect(),
            _ => Vec::new(),
        });
        if in_transaction {
            if oids.is_err() {
                connection
                    .execute("ROLLBACK TO SAVEPOINT noetl_plan")
                    .await?;
            }
            connection.execute("RELEASE SAVEPOINT noetl_plan").await?;
        }
        oids
    }

    async fn cast(
        &self,
        connection: &mut PgConnection,
        types: &Types,
        request: &Request<'_>,
        numbers: &[usize],
        inferred: &[u32],
    ) -> sqlx::Result<Plan> {
        types.load(connection, inferred.iter().copied()).await?;
        let base = |number: usize| inferred.get(number - 1).and_then(|&oid| types.base(oid));
        let mut plan = write(request, numbers, |number, kind| {
            if let Some(cast) = kind.cast() {
                return format!("(${number}::{cast})");
            }
            match base(number) {
                Some(found) if found.oid != TEXT && !found.pseudo => {
                    format!("(CAST(${number}::text AS {}))", found.qualified)
                }
                _ => format!("(${number}::text)"),
            }
        });
        for (index, bind) in plan.binds.iter_mut().enumerate() {
            if let Some(&oid) = inferred.get(index) {
                bind.target = types.target(oid);
            }
        }
        Ok(plan)
    }
}

/// The number of each placeholder, from 1, without gaps.
fn numbers(request: &Request<'_>, numbering: Numbering) -> Vec<usize> {
    let equal = match numbering {
        Numbering::Value => equal(request),
        _ => (0..request.parameters.len()).collect(),
    };
    let mut given = BTreeMap::new();
    let places = request.scan.placeholders.iter().enumerate();
    places
        .map(|(place, placeholder)| {
            let same = match numbering {
                Numbering::Place => place,
                _ => equal[placeholder.number - 1],
            };
            let next = given.len() + 1;
            *given.entry(same).or_insert(next)
        })
        .collect()
}

/// For each parameter the first one that has the same kind and value.
fn equal(request: &Request<'_>) -> Vec<usize> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let values = request.parameters.iter().zip(request.kinds);
    values
        .enumerate()
        .map(|(index, (value, kind))| *first.entry(format!("{kind:?} {value:?}")).or_insert(index))
        .collect()
}

/// Replaces each placeholder by what `replace` says of its number and kind.
fn write(
    request: &Request<'_>,
    numbers: &[usize],
    replace: impl Fn(usize, Kind) -> String,
) -> Plan {
    let mut sql = String::with_capacity(request.text.len() + 40 * numbers.len());
    let mut binds = BTreeMap::new();
    let mut spans = Vec::new();
    let (mut read, mut author_chars, mut chars) = (0, 0, 0);
    for (placeholder, &number) in request.scan.placeholders.iter().zip(numbers) {
        let before = &request.text[read..placeholder.start];
        let parameter = placeholder.number - 1;
        let replacement = replace(number, request.kinds[parameter]);
        let _ = write!(sql, "{before}{replacement}");
        let count = before.chars().count();
        let span = Span {
            author_start: author_chars + count,
            author_len: placeholder.end - placeholder.start,
            start: chars + count,
            len: replacement.len(),
        };
        author_chars = span.author_start + span.author_len;
        chars = span.start + replacement.chars().count();
        spans.push(span);
        binds.entry(number).or_insert(Bind {
            parameter,
            target: Target::Single,
        });
        read = placeholder.end;
    }
    sql.push_str(&request.text[read..]);
    Plan {
        sql: sql.into(),
        binds: binds.into_values().collect(),
        spans,
    }
}

/// The `$n` that a message of PostgreSQL names, in whatever language.
fn placeholder(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once('$')?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
