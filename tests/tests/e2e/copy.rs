//! Rows that the postgres tool stores in a table.

use std::sync::Arc;

use noetl::capabilities::postgres::{Credential, CredentialSource};
use noetl::grants::Grant;
use noetl::sandbox::{ErrorCategory, InProcess, Limits, StepError, StepRequest, StepRunner};
use noetl::secrets::Secret;
use noetl_tests::Database;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::sandbox::{CACHE, Sandbox, components, outside_with};

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

/// The tool and a database with tables.
struct Stage {
    runner: InProcess,
    connection: PgConnection,
    database: Database,
}

impl Stage {
    async fn with(ddl: &'static str) -> Self {
        let database = Database::create().await;
        let mut connection = database.connect().await;
        sqlx::raw_sql(ddl)
            .execute(&mut connection)
            .await
            .expect("the tables can be made");
        Self {
            runner: runner(&database.url),
            connection,
            database,
        }
    }

    async fn copy(&self, table: &[&str], key: &[&str], rows: Value) -> Result<Value, StepError> {
        let copy = json!({"table": table, "key": key});
        let request = request(copy, rows);
        self.runner.run(request).await.result
    }

    /// What a query gives, as JSON.
    async fn rows(&mut self, query: &str) -> Value {
        let sql = format!("SELECT coalesce(jsonb_agg(q), '[]') FROM ({query}) AS q");
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.connection)
            .await
            .expect("the query gives rows")
    }
}

fn runner(url: &str) -> InProcess {
    let outside = outside_with(OneDatabase(url.to_owned()));
    let mut runner = InProcess::new(CACHE.path(), outside).expect("a runner");
    runner
        .add_tool("postgres", &components().join("postgres.wasm"))
        .expect("the tool loads");
    runner
}

/// A step that stores rows.
pub(crate) fn request(copy: Value, rows: Value) -> StepRequest {
    StepRequest {
        tool: "postgres".into(),
        config: json!({"credential": "db", "copy": copy}),
        args: json!({"rows": rows}),
        grant: Arc::new(Grant::built_in()),
        ..Sandbox::request()
    }
}

fn stored(table: &str, rows: u64) -> Result<Value, StepError> {
    Ok(json!({"table": table, "rows": rows}))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_inserted_with_defaults_for_what_they_lack() {
    let mut stage = Stage::with(
        "CREATE SCHEMA \"My schema\";
         CREATE TABLE \"My schema\".t (
             id int GENERATED ALWAYS AS IDENTITY, name text DEFAULT 'nobody', n numeric,
             tags text[], doc jsonb, twice numeric GENERATED ALWAYS AS (n * 2) STORED)",
    )
    .await;
    let table = ["My schema", "t"];
    let rows = json!([
        {"name": "Ada \\N \t\n'; DROP TABLE t --", "n": 1.5},
        {"n": 2, "tags": ["a", "b\"c"], "doc": {"x": [1, null]}},
        {"n": 3, "name": null},
        {"name": "Bob", "n": "4.50"},
        {"id": 100, "n": 5},
    ]);
    assert_eq!(
        stage.copy(&table, &[], rows).await,
        stored("My schema.t", 5)
    );
    assert_eq!(
        stage.copy(&table, &[], json!({"name": "alone"})).await,
        stored("My schema.t", 1)
    );
    assert_eq!(
        stage.copy(&table, &[], json!([])).await,
        stored("My schema.t", 0)
    );
    let query = "SELECT name, n::text, tags, doc, twice::text FROM \"My schema\".t ORDER BY n";
    assert_eq!(
        stage.rows(query).await,
        json!([
            {"name": "Ada \\N \t\n'; DROP TABLE t --", "n": "1.5", "tags": null, "doc": null, "twice": "3.0"},
            {"name": "nobody", "n": "2", "tags": ["a", "b\"c"], "doc": {"x": [1, null]}, "twice": "4"},
            {"name": null, "n": "3", "tags": null, "doc": null, "twice": "6"},
            {"name": "Bob", "n": "4.50", "tags": null, "doc": null, "twice": "9.00"},
            {"name": "nobody", "n": "5", "tags": null, "doc": null, "twice": "10"},
            {"name": "alone", "n": null, "tags": null, "doc": null, "twice": null},
        ])
    );
    let id = stage
        .rows("SELECT id FROM \"My schema\".t WHERE n = 5")
        .await;
    assert_eq!(id, json!([{"id": 100}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_key_is_there_are_updated() {
    let mut stage = Stage::with(
        "CREATE DOMAIN given AS text NOT NULL CHECK (VALUE <> '');
         CREATE TABLE t (
             id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \"Group\" text DEFAULT 'g',
             noetl_row given DEFAULT 'd', docs jsonb[],
             size int GENERATED ALWAYS AS (length(\"Group\")) STORED);
         INSERT INTO t (id, \"Group\") OVERRIDING SYSTEM VALUE VALUES (1, 'old'), (2, 'old')",
    )
    .await;
    let rows = json!([
        {"id": 2, "Group": "lost"},
        {"id": 3, "docs": [{"a": 1}, [2]]},
        {"id": 2, "Group": "new", "noetl_row": "r"},
        {"id": "4"},
        {"id": 1, "Group": "lost", "noetl_row": "lost"},
        {"id": 1, "noetl_row": "kept"},
    ]);
    assert_eq!(
        stage.copy(&["t"], &["id"], rows.clone()).await,
        stored("t", 4)
    );
    let expected = json!([
        {"id": 1, "Group": "old", "noetl_row": "kept", "docs": null, "size": 3},
        {"id": 2, "Group": "new", "noetl_row": "r", "docs": null, "size": 3},
        {"id": 3, "Group": "g", "noetl_row": "d", "docs": [{"a": 1}, [2]], "size": 1},
        {"id": 4, "Group": "g", "noetl_row": "d", "docs": null, "size": 1},
    ]);
    assert_eq!(stage.rows("SELECT * FROM t ORDER BY id").await, expected);
    // Once more the same, on the same connection. A row of nothing but its key that
    // is there already is left alone.
    assert_eq!(stage.copy(&["t"], &["id"], rows).await, stored("t", 3));
    assert_eq!(stage.rows("SELECT * FROM t ORDER BY id").await, expected);
    assert_eq!(
        stage
            .rows("SELECT relname FROM pg_class WHERE relname = 'noetl_rows'")
            .await,
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_what_the_database_takes_for_equal() {
    let mut stage =
        Stage::with("CREATE TABLE t (a numeric, b timestamptz, c text, UNIQUE (a, b))").await;
    let rows = json!([
        {"a": 1, "b": "2026-01-01T00:00:00Z", "c": "first"},
        {"a": "1.00", "b": "2026-01-01T02:00:00+02:00", "c": "second"},
        {"a": null, "b": "2026-01-01T00:00:00Z", "c": "x"},
        {"a": null, "b": "2026-01-01T00:00:00Z", "c": "y"},
    ]);
    assert_eq!(stage.copy(&["t"], &["a", "b"], rows).await, stored("t", 3));
    assert_eq!(
        stage.rows("SELECT c FROM t ORDER BY c").await,
        json!([{"c": "second"}, {"c": "x"}, {"c": "y"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_or_none_and_the_error_says_where() {
    let mut stage = Stage::with(
        "CREATE TABLE t (id int PRIMARY KEY, age int CHECK (age > 0), at date);
         CREATE TABLE child (t int REFERENCES t)",
    )
    .await;
    let many: Vec<Value> = (0..30_000)
        .map(|id| match id {
            // In the second group, and not in its first call to the host.
            29_000 => json!({"id": id, "age": "old"}),
            id if id % 2 == 0 => json!({"id": id, "age": 1}),
            id => json!({"id": id}),
        })
        .collect();
    for key in [&[][..], &["id"]] {
        let error = stage
            .copy(&["t"], key, json!(many))
            .await
            .expect_err("a text is no int4");
        assert_eq!(error.category, ErrorCategory::Failed, "{error:?}");
        assert_eq!(error.code.as_deref(), Some("22P02"), "{error:?}");
        assert_eq!(
            error.message,
            "ERROR: invalid input syntax for type integer: \"old\" \
             (in row 29001, column `age`; no row was stored)"
        );
        let details = json!({"row": 29001, "column": "age"});
        assert_eq!(error.details.as_deref(), Some(&details));
    }
    type Refused<'a> = (&'a [&'a str], &'a [&'a str], Value, &'a str, &'a str);
    let cases: [Refused<'_>; 9] = [
        (
            &["none"],
            &[],
            json!([{"a": 1}]),
            "42P01",
            "\"none\" does not exist",
        ),
        (
            &["none"],
            &["a"],
            json!([{"a": 1}]),
            "42P01",
            "\"none\" does not exist",
        ),
        (
            &["t"],
            &[],
            json!([{"a b": 1}]),
            "42703",
            "column \"a b\" of relation \"t\"",
        ),
        (
            &["t"],
            &["id"],
            json!([{"id": 1, "a b": 1}]),
            "42703",
            "column \"a b\" of relation \"t\"",
        ),
        (
            &["t"],
            &["age"],
            json!([{"age": 1}]),
            "42P10",
            "no unique or exclusion constraint",
        ),
        (
            &["t"],
            &[],
            json!([{"id": 1}, {"id": 1}]),
            "23505",
            "\"t_pkey\" (in row 2;",
        ),
        (
            &["t"],
            &[],
            json!([{"id": 1, "age": -1}]),
            "23514",
            "\"t_age_check\" (in row 1;",
        ),
        (
            &["t"],
            &["id"],
            json!([{"id": 1, "age": -1}]),
            "23514",
            "\"t_age_check\"",
        ),
        (
            &["child"],
            &[],
            json!([{"t": 1}]),
            "23503",
            "\"child_t_fkey\"",
        ),
    ];
    for (table, key, rows, code, message) in cases {
        let error = stage
            .copy(table, key, rows.clone())
            .await
            .expect_err("it is made to fail");
        assert_eq!(error.code.as_deref(), Some(code), "{rows}: {error:?}");
        assert!(error.message.contains(message), "{rows}: {error:?}");
    }
    let error = stage
        .copy(&["t"], &["age"], json!([{"age": 1}]))
        .await
        .expect_err("no such key");
    let hint = error.details.expect("details")["hint"].clone();
    assert!(
        hint.as_str().expect("a text").contains("the key (age)"),
        "{hint}"
    );
    for (key, rows, message) in [
        (
            &["id"][..],
            json!([{"id": 1}, {"age": 2}]),
            "row 2 has no `id`",
        ),
        (
            &[],
            json!("text"),
            "expected `rows` to be a list of objects",
        ),
        (
            &[],
            json!([{"id": 1}, [2]]),
            "expected row 2 to be an object",
        ),
        (
            &[],
            json!([{"id": 1}, {"at": "\0"}]),
            "in row 2, column `at`",
        ),
    ] {
        let error = stage
            .copy(&["t"], key, rows)
            .await
            .expect_err("it is made to fail");
        assert_eq!(error.category, ErrorCategory::InvalidInput, "{error:?}");
        assert!(error.message.contains(message), "{error:?}");
    }
    assert_eq!(stage.rows("SELECT * FROM t").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rights_are_enough() {
    let mut owner = Stage::with(
        "CREATE TABLE t (id int PRIMARY KEY, a text, secret text DEFAULT 's');
         CREATE TABLE own (id int PRIMARY KEY, who text DEFAULT current_user);
         ALTER TABLE own ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON own USING (id < 10);
         CREATE VIEW seen AS SELECT id, a FROM t",
    )
    .await;
    let base = owner.rows("SELECT current_user AS name").await;
    let name = format!("{}_guest", base[0]["name"].as_str().expect("a name"));
    let mut admin = Database::admin().await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE ROLE {name} LOGIN PASSWORD '{name}'"
    )))
    .execute(&mut admin)
    .await
    .expect("a role");
    sqlx::raw_sql(AssertSqlSafe(format!(
        "GRANT INSERT (id, a), UPDATE (a), SELECT (id, a) ON t TO {name};
         GRANT INSERT, SELECT, UPDATE ON own TO {name};
         GRANT INSERT ON seen TO {name}"
    )))
    .execute(&mut owner.connection)
    .await
    .expect("rights");
    let (_, server) = owner.database.url.rsplit_once('@').expect("a URL");
    let runner = runner(&format!("postgres://{name}:{name}@{server}"));
    let copy = async |table: &str, key: &[&str], rows: Value| {
        let copy = json!({"table": [table], "key": key});
        runner.run(request(copy, rows)).await.result
    };
    assert_eq!(
        copy("t", &[], json!([{"id": 1, "a": "x"}])).await,
        stored("t", 1)
    );
    let rows = json!([{"id": 1, "a": "y"}, {"id": 2, "a": "z"}]);
    assert_eq!(copy("t", &["id"], rows).await, stored("t", 2));
    // COPY takes neither a view nor a table whose policies count.
    assert_eq!(
        copy("seen", &[], json!([{"id": 3, "a": "v"}])).await,
        stored("seen", 1)
    );
    for key in [&[][..], &["id"]] {
        let id = key.len();
        assert_eq!(
            copy("own", key, json!([{"id": id}])).await,
            stored("own", 1)
        );
        let error = copy("own", key, json!([{"id": id + 2}, {"id": 10}]))
            .await
            .expect_err("10");
        assert_eq!(error.code.as_deref(), Some("42501"), "{error:?}");
    }
    let error = copy("t", &[], json!([{"id": 9, "secret": "x"}]))
        .await
        .expect_err("no right");
    assert_eq!(error.code.as_deref(), Some("42501"), "{error:?}");
    assert_eq!(
        owner.rows("SELECT id, a, secret FROM t ORDER BY id").await,
        json!([
            {"id": 1, "a": "y", "secret": "s"},
            {"id": 2, "a": "z", "secret": "s"},
            {"id": 3, "a": "v", "secret": "s"},
        ])
    );
    assert_eq!(
        owner.rows("SELECT id, who FROM own ORDER BY id").await,
        json!([{"id": 0, "who": name}, {"id": 1, "who": name}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_refused() {
    let stage = Stage::with("CREATE TABLE t (a int)").await;
    let copy = json!({"table": ["t"], "key": []});
    let mut denied = request(copy.clone(), json!([{"a": 1}]));
    denied.grant = Arc::new(Grant::nothing());
    let error = stage
        .runner
        .run(denied)
        .await
        .result
        .expect_err("no credential is granted");
    assert_eq!(error.category, ErrorCategory::Denied, "{error:?}");
    let mut small = request(copy, json!([{"a": "x".repeat(1000)}]));
    small.limits = Limits {
        postgres_statement_bytes: 1000,
        ..Limits::default()
    };
    let error = stage
        .runner
        .run(small)
        .await
        .result
        .expect_err("it is too long");
    assert_eq!(error.category, ErrorCategory::Limit, "{error:?}");
    assert!(
        error.message.contains("postgres_statement_bytes"),
        "{error:?}"
    );
}
