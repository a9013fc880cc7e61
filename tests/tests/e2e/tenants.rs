//! Who may do what: tenants, roles, API keys.

use std::path::PathBuf;

use noetl_tests::{Database, Server, make_key, noetl};
use serde_json::{Value, json};
use sqlx::Connection;

fn playbook(path: &str, value: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: p, path: {path}}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    tool: python\n    code: |\n      def main(): return {{'value': '{value}'}}\n"
    )
}

/// A server that asks for keys, whose tenants `a` and `b` may use python.
async fn start() -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let grants: PathBuf = dir.path().join("grants.yaml");
    let text = "tenants:\n  default: {tools: [python, postgres], credentials: all}\n  a: {tools: [python, postgres], credentials: all}\n  b: {tools: [python], credentials: all}\n";
    std::fs::write(&grants, text).expect("written");
    let grants = grants.to_str().expect("a text");
    let server = Server::start_limited(&["--require-auth", "--grants", grants]).await;
    (server, dir)
}

#[tokio::test]
async fn each_tenant_has_a_corner_of_its_own() {
    let (server, _dir) = start().await;
    let a = make_key(&server.store, "a", "admin", &[]).await;
    let b = make_key(&server.store, "b", "admin", &[]).await;
    let (a, b) = (server.of(&a), server.of(&b));
    let me = a.request("GET", "/api/me", None).await.body;
    assert_eq!((&me["tenant"], &me["role"]), (&json!("a"), &json!("admin")));

    // The same path is another playbook for each.
    for (tenant, name) in [(&a, "of a"), (&b, "of b")] {
        let reply = tenant.register(&playbook("team/p", name)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.body["version"], 1);
        let reply = tenant.execute("team/p", json!({})).await;
        assert_eq!(reply.body["value"], name, "{reply:?}");
    }
    let list = a.request("GET", "/api/catalog/playbooks", None).await.body;
    let paths = list["playbooks"].as_array().expect("a list");
    assert_eq!(
        paths.len(),
        1,
        "none of the shipped ones, which are default's: {list}"
    );

    // Nobody finds what another tenant has.
    let executions = a.request("GET", "/api/executions", None).await.body;
    let id = executions["executions"][0]["execution_id"]
        .as_str()
        .expect("an id");
    assert_eq!(executions["executions"].as_array().map(Vec::len), Some(1));
    for (method, path, body) in [
        ("GET", format!("/api/executions/{id}"), None),
        ("GET", format!("/api/executions/{id}/events"), None),
        ("GET", format!("/api/executions/{id}/logs"), None),
        ("POST", format!("/api/executions/{id}/cancel"), None),
        ("POST", format!("/api/executions/{id}/rerun"), None),
        ("DELETE", format!("/api/executions/{id}"), None),
        (
            "POST",
            "/api/execute".into(),
            Some(json!({"path": "api_integration/auth0/auth0_login"})),
        ),
    ] {
        let reply = b.request(method, &path, body).await;
        assert_eq!(reply.status, 404, "{method} {path}: {reply:?}");
    }
    assert_eq!(
        a.request("GET", &format!("/api/executions/{id}"), None)
            .await
            .status,
        200
    );

    // Credentials and keys too.
    let url = json!({"type": "postgres", "url": server.demo.url});
    assert_eq!(
        a.request("PUT", "/api/credentials/db", Some(url))
            .await
            .status,
        204
    );
    assert_eq!(
        b.request("GET", "/api/credentials", None).await.body,
        json!({"credentials": []})
    );
    assert_eq!(
        b.request("DELETE", "/api/credentials/db", None)
            .await
            .status,
        404
    );
    let keys = a.request("GET", "/api/keys", None).await.body;
    let key = keys["keys"][0]["id"].as_str().expect("an id");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
    assert_eq!(
        b.request("DELETE", &format!("/api/keys/{key}"), None)
            .await
            .status,
        404
    );
    assert_eq!(a.request("GET", "/api/me", None).await.status, 200);

    // A tenant's own grant holds: b has no postgres.
    let sql = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: sql, path: team/sql}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: postgres
    auth: {type: postgres, credential: db}
    query: SELECT 1
";
    assert_eq!(a.register(sql).await.status, 201);
    let refused = b.register(sql).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body["detail"].to_string().contains("not granted"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn postgresql_hides_the_rows_of_other_tenants() {
    let (server, _dir) = start().await;
    let key = make_key(&server.store, "a", "admin", &[]).await;
    let a = server.of(&key);
    assert_eq!(a.register(&playbook("team/p", "x")).await.status, 201);
    assert_eq!(a.execute("team/p", json!({})).await.status, 200);
    let mut connection = server.store.connect().await;
    for table in [
        "playbooks",
        "credentials",
        "executions",
        "events",
        "api_keys",
    ] {
        let mut counts = Vec::new();
        for tenant in ["", "a", "b", "*"] {
            sqlx::query("SELECT set_config('noetl.tenant', $1, false)")
                .bind(tenant)
                .execute(&mut connection)
                .await
                .expect("it is set");
            let count = format!("SELECT count(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .fetch_one(&mut connection)
                .await
                .expect("a number");
            counts.push(count);
        }
        let a = if table == "credentials" { 0 } else { 1 };
        assert_eq!((counts[0], counts[2]), (0, 0), "{table}: {counts:?}");
        assert!(
            counts[1] >= a && counts[3] > counts[1] - a,
            "{table}: {counts:?}"
        );
    }
    sqlx::query("SELECT set_config('noetl.tenant', 'b', false)")
        .execute(&mut connection)
        .await
        .expect("it is set");
    let forged = sqlx::query("INSERT INTO playbooks (tenant, path, version, name, file, content) VALUES ('a', 'x', 1, '', '', '')")
        .execute(&mut connection)
        .await
        .expect_err("the row is another tenant's");
    assert!(
        forged.to_string().contains("row-level security"),
        "{forged}"
    );
    connection.close().await.expect("it closes");
}

#[tokio::test]
async fn a_role_may_do_what_it_is_for() {
    let (server, _dir) = start().await;
    let admin = server.key.clone().expect("a key");
    let yaml = playbook("team/p", "x");
    assert_eq!(server.register(&yaml).await.status, 201);
    let done = server.execute("team/p", json!({})).await.body;
    let id = done["execution_id"].as_str().expect("an id").to_owned();
    let ask =
        |method: &'static str, path: &str, body: Option<Value>| (method, path.to_owned(), body);
    let url = json!({"type": "postgres", "url": server.demo.url});
    let key = json!({"name": "k", "role": "viewer"});
    // What it takes, and the status for who may.
    let requests = [
        (0, ask("GET", "/api/me", None), 200),
        (0, ask("GET", "/api/executions", None), 200),
        (0, ask("GET", &format!("/api/executions/{id}"), None), 200),
        (0, ask("GET", "/api/catalog/playbooks/team/p", None), 200),
        (0, ask("GET", "/api/tools", None), 200),
        (0, ask("GET", "/api/credentials", None), 200),
        (
            1,
            ask("POST", "/api/execute", Some(json!({"path": "team/p"}))),
            200,
        ),
        (
            1,
            ask("POST", &format!("/api/executions/{id}/rerun"), None),
            202,
        ),
        (
            1,
            ask("POST", &format!("/api/executions/{id}/cancel"), None),
            409,
        ),
        (
            2,
            ask(
                "POST",
                "/api/catalog/playbooks",
                Some(json!({"playbooks": [{"content": yaml}]})),
            ),
            201,
        ),
        (
            2,
            ask(
                "POST",
                "/api/catalog/validate",
                Some(json!({"playbooks": [{"content": yaml}]})),
            ),
            200,
        ),
        (
            2,
            ask("DELETE", "/api/catalog/playbooks/team/none", None),
            404,
        ),
        (3, ask("PUT", "/api/credentials/db", Some(url)), 204),
        (3, ask("DELETE", "/api/credentials/none", None), 404),
        (3, ask("GET", "/api/keys", None), 200),
        (3, ask("POST", "/api/keys", Some(key)), 201),
        (
            3,
            ask(
                "DELETE",
                "/api/executions/01993d0c-0000-7000-8000-000000000000",
                None,
            ),
            404,
        ),
    ];
    for (rank, role) in ["viewer", "runner", "author", "admin"].iter().enumerate() {
        let body = json!({"name": role, "role": role});
        let made = server.request("POST", "/api/keys", Some(body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.body["key"].as_str().expect("a key");
        for (needed, (method, path, body), status) in &requests {
            let reply = server.of(key).request(method, path, body.clone()).await;
            let expected = if rank >= *needed { *status } else { 403 };
            assert_eq!(reply.status, expected, "{role}: {method} {path}: {reply:?}");
            if expected == 403 {
                assert_eq!(reply.body["type"], "urn:noetl:problem:forbidden");
            }
        }
    }
    assert_eq!(
        server
            .of(&admin)
            .request("GET", "/api/me", None)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_key_can_be_for_some_paths_alone() {
    let (server, _dir) = start().await;
    for path in ["team/p", "team/q", "other/p"] {
        assert_eq!(server.register(&playbook(path, path)).await.status, 201);
        assert_eq!(server.execute(path, json!({})).await.status, 200);
    }
    let body = json!({"name": "k", "role": "admin", "paths": ["team/"]});
    let made = server.request("POST", "/api/keys", Some(body)).await.body;
    let key = made["key"].as_str().expect("a key");
    let caller = server.of(key);
    assert_eq!(caller.execute("team/p", json!({})).await.status, 200);
    for path in ["other/p", "team"] {
        assert_eq!(caller.execute(path, json!({})).await.status, 404);
    }
    let list = caller
        .request("GET", "/api/catalog/playbooks", None)
        .await
        .body;
    let paths: Vec<_> = list["playbooks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| &p["path"])
        .collect();
    assert_eq!(paths, ["team/p", "team/q"]);
    let list = caller.request("GET", "/api/executions", None).await.body;
    assert_eq!(
        list["executions"].as_array().map(Vec::len),
        Some(3),
        "{list:#}"
    );
    assert_eq!(
        caller.register(&playbook("other/new", "x")).await.status,
        403
    );
    // It can't make a key that may do more.
    let body = json!({"name": "k", "role": "viewer", "paths": ["other/"]});
    assert_eq!(
        caller.request("POST", "/api/keys", Some(body)).await.status,
        403
    );
    let body = json!({"name": "k", "role": "viewer"});
    let made = caller.request("POST", "/api/keys", Some(body)).await.body;
    assert_eq!(made["paths"], json!(["team/"]), "{made}");
}

#[tokio::test]
async fn who_shows_no_good_key_is_told_why() {
    let (server, _dir) = start().await;
    let made = server
        .request(
            "POST",
            "/api/keys",
            Some(json!({"name": "temp", "role": "viewer"})),
        )
        .await
        .body;
    let (id, key) = (
        made["id"].as_str().expect("an id"),
        made["key"].as_str().expect("a key"),
    );
    assert_eq!(
        server.of(key).request("GET", "/api/me", None).await.status,
        200
    );
    let listed = server
        .request("GET", "/api/keys", None)
        .await
        .body
        .to_string();
    assert!(listed.contains("temp") && !listed.contains(key), "{listed}");
    let revoked = server
        .request("DELETE", &format!("/api/keys/{id}"), None)
        .await;
    assert_eq!(revoked.status, 204);
    let expired = make_key(&server.store, "a", "admin", &["--expires", "1ms"]).await;
    let unknown = format!("noetl_{}", "A".repeat(43));
    let http = reqwest::Client::new();
    let url = format!("{}/api/executions", server.url);
    for (header, part) in [
        (None, "send `Authorization: Bearer KEY`"),
        (Some(format!("Bearer {key}")), "`temp` was revoked"),
        (Some(format!("Bearer {expired}")), "`test` expired at"),
        (
            Some(format!("Bearer {unknown}")),
            "not one of this server's",
        ),
        (Some("Bearer x.y.z".into()), "no API key"),
        (
            Some(format!("Basic {key}")),
            "must be `Authorization: Bearer KEY`",
        ),
        (Some("Bearer".into()), "must be `Authorization: Bearer KEY`"),
    ] {
        let mut request = http.get(&url);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let reply = Server::reply(request).await;
        assert_eq!(reply.status, 401, "{reply:?}");
        assert_eq!(reply.content_type, "application/problem+json");
        assert_eq!(reply.body["type"], "urn:noetl:problem:unauthenticated");
        assert!(
            reply.headers["www-authenticate"]
                .to_str()
                .is_ok_and(|v| v.starts_with("Bearer"))
        );
        let detail = reply.body["detail"].as_str().expect("text");
        assert!(detail.contains(part), "{detail}");
    }
    // Nobody has to show anything to see whether the server is well.
    assert_eq!(
        http.get(format!("{}/health", server.url))
            .send()
            .await
            .expect("it answers")
            .status(),
        200
    );
}

#[tokio::test]
async fn no_key_can_be_made_that_makes_no_sense() {
    let (server, _dir) = start().await;
    for (body, part) in [
        (json!({"name": "", "role": "viewer"}), "1 to 100"),
        (json!({"name": "k", "role": "root"}), "role"),
        (json!({"name": "k", "role": "viewer", "paths": []}), "paths"),
        (
            json!({"name": "k", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}),
            "future",
        ),
        (
            json!({"name": "k", "role": "viewer", "tenant": "b"}),
            "unknown field",
        ),
    ] {
        let reply = server
            .request("POST", "/api/keys", Some(body.clone()))
            .await;
        assert!([400, 422].contains(&reply.status), "{body}: {reply:?}");
        assert!(
            reply.body["detail"].to_string().contains(part),
            "{body}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn the_network_is_let_in_only_with_authentication() {
    let store = Database::create().await;
    let output = noetl()
        .args(["serve", "--listen", "0.0.0.0:0"])
        .env("DATABASE_URL", &store.url)
        .output()
        .await
        .expect("the command runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        error.contains("cannot listen on 0.0.0.0") && error.contains("--require-auth"),
        "{error}"
    );
}

#[tokio::test]
async fn an_open_server_is_open_to_this_machines_programs_and_no_pages() {
    let server = noetl_tests::server().await;
    let said = server.log.lines().join("\n");
    assert!(said.contains("no authentication"), "{said}");
    let http = reqwest::Client::new();
    let url = format!("{}/api/executions", server.url);
    for (name, value, status) in [
        ("host", "localhost", 200),
        ("host", "127.0.0.1:1", 200),
        ("host", "evil.example", 403),
        ("host", "127.0.0.1.evil.example", 403),
        ("origin", server.url.as_str(), 200),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
    ] {
        let reply = Server::reply(http.get(&url).header(name, value)).await;
        assert_eq!(reply.status, status, "{name}: {value}: {reply:?}");
    }
}
