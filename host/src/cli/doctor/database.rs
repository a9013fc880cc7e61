//! The server's own database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Findings, Found};
use crate::secrets::Secret;
use crate::store::{self, check_url};

const PATIENCE: Duration = Duration::from_secs(10);
/// PostgreSQL 13 is the oldest that its makers keep.
const OLDEST: i32 = 130_000;
/// Clocks may differ by that much before times in records mislead.
const CLOCKS: TimeDelta = TimeDelta::seconds(5);

/// Adds what is to be known of it.
pub(super) async fn examine(url: Option<&Secret>, findings: &mut Findings) {
    let Some(url) = url else {
        let own = "none is named: the server starts one of its own";
        findings.add("database", Ok(own.into()));
        return;
    };
    match timeout(PATIENCE, ask(url)).await {
        Ok(Ok(facts)) => {
            findings.add("database", facts.version());
            findings.add("database role", facts.rights());
            findings.add("clock", facts.clock());
        }
        Ok(Err(error)) => return findings.add("database", Err(error)),
        Err(_) => return findings.add("database", Err("it does not answer".into())),
    }
    findings.add("migrations", migrations(url).await);
}

#[derive(sqlx::FromRow)]
struct Facts {
    version: String,
    number: i32,
    role: String,
    superuser: bool,
    bypass_rls: bool,
    may_create: bool,
    now: DateTime<Utc>,
}

async fn ask(url: &Secret) -> Result<Facts, String> {
    check_url(url)?;
    let mut connection = PgConnection::connect(url.expose())
        .await
        .map_err(|error| error.to_string())?;
    let facts = sqlx::query_as(
        "SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::int AS number,
                rolname::text AS role, rolsuper AS superuser, rolbypassrls AS bypass_rls,
                has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE') AS may_create,
                clock_timestamp() AS now
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(|error| error.to_string());
    let _ = connection.close().await;
    facts
}

impl Facts {
    fn version(&self) -> Found {
        match self.number >= OLDEST {
            true => Ok(format!("PostgreSQL {} answers", self.version)),
            false => Err(format!(
                "PostgreSQL {} is too old; 13 is the oldest that will do",
                self.version
            )),
        }
    }

    fn rights(&self) -> Found {
        let role = &self.role;
        let too_much = match (self.superuser, self.bypass_rls) {
            (true, _) => Some("is a superuser"),
            (_, true) => Some("bypasses row-level security (BYPASSRLS)"),
            _ => None,
        };
        match too_much {
            Some(what) => Err(format!(
                "{role} {what}; give the server a role that owns its database and nothing else"
            )),
            None if !self.may_create => Err(format!(
                "{role} may not make tables there; make it the owner of the database"
            )),
            None => Ok(format!("{role} has no more rights than it needs")),
        }
    }

    fn clock(&self) -> Found {
        let apart = (Utc::now() - self.now).abs();
        match apart <= CLOCKS {
            true => Ok("it agrees with the database's".into()),
            false => Err(format!(
                "it differs from the database's by {} s; run a time service on both machines",
                apart.num_seconds()
            )),
        }
    }
}

async fn migrations(url: &Secret) -> Found {
    let all = store::migrations(url)
        .await
        .map_err(|error| format!("{error:#}"))?;
    match all.iter().filter(|migration| !migration.applied).count() {
        0 => Ok(format!("all {} applied", all.len())),
        missing => Err(format!(
            "{missing} of {} missing; `noetl migrate` applies them, and so does the server when it starts",
            all.len()
        )),
    }
}
