//! What is attacked: one server with its databases, and one sandbox; and the
//! neighbour who must not notice.

use std::time::Duration;

use noetl_tests::{Server, token};
use serde_json::{Value, json};
use sqlx::Row;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::case::{Case, Kind};
use crate::expect::{Outcome, compare};
use crate::sandbox::Sandbox;
use crate::terminal::drives;
use crate::{cache, http, sandbox, terminal};

/// After this nothing will come any more. Nothing is measured with it.
pub const BOUND: Duration = Duration::from_secs(120);

const PROVISION: &str = "api_integration/auth0/provision_auth_schema";
pub const LOGIN: &str = "api_integration/auth0/auth0_login";
const VALIDATE: &str = "api_integration/auth0/auth0_validate_session";

/// All that the cases share. Parts are started when they are first needed.
pub struct World {
    runtime: Runtime,
    server: OnceCell<Server>,
    sandbox: OnceCell<Sandbox>,
}

impl World {
    pub fn new() -> Self {
        Self {
            runtime: Runtime::new().expect("a runtime"),
            server: OnceCell::new(),
            sandbox: OnceCell::new(),
        }
    }

    /// Runs one case, then looks at the neighbour.
    pub fn run(&self, case: &Case) -> Result<(), String> {
        let seen = self
            .server
            .get()
            .map_or(0, |server| server.log.lines().len());
        self.runtime.block_on(async {
            // Starting takes its time, which is not the case's.
            match case.kind {
                Kind::Component | Kind::Step => _ = self.sandbox().await,
                Kind::Cache => {}
                _ => _ = self.server().await,
            }
            tokio::time::timeout(BOUND, self.attack(case))
                .await
                .map_err(|_| "nothing came of it in time".to_owned())??;
            tokio::time::timeout(BOUND, self.neighbour(case.kind, seen))
                .await
                .map_err(|_| "afterwards the neighbour waits in vain".to_owned())?
        })
    }

    async fn attack(&self, case: &Case) -> Result<(), String> {
        let mut secrets = Vec::new();
        let outcome = match case.kind {
            Kind::Component | Kind::Step => sandbox::attack(self.sandbox().await, case).await,
            Kind::Cache => cache::attack(case).await,
            Kind::Playbook | Kind::Token | Kind::Request | Kind::Terminal => {
                let server = self.server().await;
                secrets = secrets_of(server);
                for sql in &case.before {
                    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
                        .execute(&mut server.demo.connect().await)
                        .await
                        .map_err(|error| format!("before: {sql}: {error}"))?;
                }
                match case.kind {
                    Kind::Request => http::request(server, case).await,
                    Kind::Terminal => terminal::attack(server, case).await,
                    _ => http::playbook(server, case).await,
                }
            }
        };
        compare(&case.expect, &outcome, &secrets)?;
        for sql in &case.expect.then {
            holds(self.server().await, sql).await?;
        }
        Ok(())
    }

    /// Another tenant's work, right after the attack.
    async fn neighbour(&self, kind: Kind, seen: usize) -> Result<(), String> {
        if matches!(kind, Kind::Component | Kind::Step | Kind::Cache) {
            return self.sandbox().await.works().await;
        }
        let server = self.server().await;
        let health = server.request("GET", "/health", None).await;
        if health.status != 200 {
            return Err(format!("afterwards /health says {health:?}"));
        }
        login(server).await?;
        let bad = |line: &String| {
            line.contains("panicked") || line.starts_with("2026-01-01") || line.contains(drives)
        };
        match server.log.lines().into_iter().skip(seen).find(bad) {
            Some(line) => Err(format!("the server's log has {line:?}")),
            None => Ok(()),
        }
    }

    async fn server(&self) -> &Server {
        self.server
            .get_or_init(async || {
                let server = noetl_tests::server().await;
                let reply = server.execute(PROVISION, json!({})).await;
                assert_eq!(reply.status, 200, "{reply:#?}");
                server
            })
            .await
    }

    async fn sandbox(&self) -> &Sandbox {
        self.sandbox.get_or_init(async || Sandbox::new()).await
    }

    /// Ends the server as an operator does.
    pub fn close(&self) {
        if let Some(server) = self.server.get() {
            let pid = server.child.id().expect("it runs").cast_signed();
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)
                .expect("the server can be ended");
        }
    }
}

/// The harmless login of someone who is always there.
async fn login(server: &Server) -> Result<(), String> {
    let claims = json!({"sub": "auth0|neighbour", "email": "neighbour@example.com", "name": "N"});
    let reply = server
        .execute(LOGIN, json!({"auth0_token": token(&claims)}))
        .await;
    let session = reply.body["session_token"].clone();
    if reply.status != 200 || !session.is_string() {
        return Err(format!("afterwards a login fails: {reply:?}"));
    }
    let reply = server
        .execute(VALIDATE, json!({"session_token": session}))
        .await;
    match reply.body["name"] == "N" {
        true => Ok(()),
        false => Err(format!("afterwards a session does not hold: {reply:?}")),
    }
}

async fn holds(server: &Server, sql: &str) -> Result<(), String> {
    let row = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_one(&mut server.demo.connect().await)
        .await
        .map_err(|error| format!("afterwards {sql}: {error}"))?;
    match row.try_get::<bool, _>(0) {
        Ok(true) => Ok(()),
        other => Err(format!("afterwards {sql} gives {other:?}")),
    }
}

/// What no answer may tell: the way to the databases, and the places of the
/// server's files.
fn secrets_of(server: &Server) -> Vec<String> {
    let mut secrets = vec![server.demo.url.clone(), server.store.url.clone()];
    for name in ["NOETL_CACHE_DIR", "NOETL_COMPONENTS", "CARGO_TARGET_DIR"] {
        secrets.extend(std::env::var(name).ok().filter(|value| value.len() > 4));
    }
    if let Some((_, rest)) = server.demo.url.split_once("://")
        && let Some((user, _)) = rest.split_once('@')
        && let Some((_, password)) = user.split_once(':')
        && password.len() > 4
    {
        secrets.push(password.to_owned());
    }
    secrets
}

/// The body as text, as an attacker reads it.
pub fn text(body: &Value) -> String {
    match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What an HTTP answer says, as an outcome.
pub fn outcome(status: u16, body: &Value) -> Outcome {
    let kind = body["type"].as_str().unwrap_or_default();
    Outcome {
        status: Some(status),
        seen: text(body),
        problem: kind.strip_prefix("urn:noetl:problem:").map(str::to_owned),
        error: serde_json::from_value(body["error"].clone()).ok(),
        result: body.get("result").cloned(),
        ..Outcome::default()
    }
}
