//! Many rows into a table: by COPY, and by a statement that reads them from JSON.

use std::sync::Arc;
use std::time::Instant;

use noetl::capabilities::postgres::{Credential, CredentialSource, PoolSettings, Pools};
use noetl::capabilities::{Outside, http};
use noetl::grants::Grant;
use noetl::metrics::Metrics;
use noetl::sandbox::{StepRequest, StepRunner, WorkerSettings, Workers};
use noetl::secrets::Secret;
use noetl_tests::{Database, noetl};
use serde_json::{Value, json};

use crate::step::{component, python};
use crate::table::{median, ms, row};

const ROWS: u32 = 10_000;
const RUNS: usize = 20;

struct OneDatabase(String);

#[async_trait::async_trait]
impl CredentialSource for OneDatabase {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<Credential>> {
        Ok(Some(Credential {
            url: Secret::new(&*self.0),
            allow_privileged: false,
        }))
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for OneDatabase {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
    }
}

pub async fn measure() -> anyhow::Result<()> {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(
        "CREATE TABLE t (id int8 PRIMARY KEY, name text, at timestamptz, price numeric, tags jsonb)",
    )
    .execute(&mut connection)
    .await?;
    let cache = tempfile::tempdir()?;
    let workers = start(cache.path(), &database).await?;

    let rows: Vec<Value> = (0..ROWS)
        .map(|id| {
            json!({"id": id, "name": format!("the name of {id}"), "at": "2026-01-01T12:00:00Z",
                   "price": f64::from(id) / 4.0, "tags": {"a": id, "b": ["x", "y"]}})
        })
        .collect();
    let copy = |key: Value| {
        let config = json!({"credential": "db", "copy": {"table": ["t"], "key": key}});
        postgres(config, json!({"rows": rows}))
    };
    // Writing the rows as JSON belongs to it: the other does that too.
    let statement = |conflict: &str| {
        let text =
            format!("INSERT INTO t SELECT * FROM jsonb_populate_recordset(NULL::t, $1) {conflict}");
        let text_of_rows = serde_json::to_string(&rows).expect("rows are JSON");
        let document = json!({"document": text_of_rows});
        let statements = json!([{"text": text, "params": [document]}]);
        let config = json!({"credential": "db", "statements": statements});
        postgres(config, json!({}))
    };
    let update = "ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, at = EXCLUDED.at, \
                  price = EXCLUDED.price, tags = EXCLUDED.tags";
    for (what, prepare, key, conflict) in [
        ("insert", "TRUNCATE t", json!([]), ""),
        ("update by key", "VACUUM t", json!(["id"]), update),
    ] {
        let mut times = [Vec::new(), Vec::new()];
        // By turns, so that both find the same table.
        for run in 0..2 * RUNS {
            sqlx::raw_sql(prepare).execute(&mut connection).await?;
            // The engine has the rows at hand, and gives them away.
            let by_copy = copy(key.clone());
            let started = Instant::now();
            let request = match run % 2 {
                0 => by_copy,
                _ => statement(conflict),
            };
            let outcome = workers.run(request).await;
            times[run % 2].push(started.elapsed());
            outcome.result.map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        let [by_copy, by_statement] = times;
        row(
            &format!("{what} {ROWS} rows of 5 columns with `sink`"),
            &by_copy,
            &format!(
                "a statement with jsonb_populate_recordset: {}",
                ms(median(&by_statement))
            ),
        );
    }
    Ok(())
}

async fn start(cache: &std::path::Path, database: &Database) -> anyhow::Result<Workers> {
    let settings = WorkerSettings {
        program: noetl().as_std().get_program().into(),
        workers: 1,
        cache_dir: cache.into(),
    };
    let tool = Workers::compile(&settings, "postgres", &component("postgres.wasm")?)?;
    let credentials = || Arc::new(OneDatabase(database.url.clone()));
    let outside = Outside {
        pools: Pools::new(credentials(), PoolSettings::default()),
        http: http::Client::new(credentials()),
    };
    Workers::start(settings, vec![tool], outside, Metrics::new()).await
}

fn postgres(config: Value, args: Value) -> StepRequest {
    StepRequest {
        tool: "postgres".into(),
        config,
        grant: Arc::new(Grant::built_in()),
        ..python("", &args)
    }
}
