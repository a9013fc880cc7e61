//! The playbooks in `playbooks/examples`, as they are shipped: a server registers them
//! when it starts, and each does its work with a real database and real services.

mod service;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use noetl_tests::{Reply, Server, noetl, root};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use self::service::{Asked, Service};
use crate::sandbox::CACHE;

/// A server with the examples, their tables, and the services that they talk to.
struct Stage {
    server: Server,
    service: Service,
    database: PgConnection,
}

impl Stage {
    async fn new() -> Self {
        let service = Service::start().await;
        let server = crate::examples::server(&[&service.address]).await;
        let database = server.demo.connect().await;
        let stage = Self {
            server,
            service,
            database,
        };
        // Twice, as it may run as often as one likes.
        for _ in 0..2 {
            assert_eq!(stage.run("setup", json!({})).await["status"], "ready");
        }
        stage
    }

    /// What an example that succeeds gives. `API` in the payload is the service's URL.
    async fn run(&self, name: &str, payload: Value) -> Value {
        let reply = self.reply(name, payload).await;
        assert_eq!(reply.status, 200, "{name}: {reply:#?}");
        reply.body["result"].clone()
    }

    /// What is told of an example that fails.
    async fn fails(&self, name: &str, payload: Value) -> String {
        let reply = self.reply(name, payload).await;
        assert_eq!(reply.status, 422, "{name}: {reply:#?}");
        let detail = reply.body["detail"].as_str().expect("a detail");
        detail.to_owned()
    }

    async fn reply(&self, name: &str, payload: Value) -> Reply {
        let api = format!("http://{}", self.service.address);
        let payload = payload.to_string().replace("API", &api);
        let payload = serde_json::from_str(&payload).expect("it is JSON still");
        self.server
            .execute(&format!("examples/{name}"), payload)
            .await
    }

    /// The rows that a query gives.
    async fn rows(&mut self, query: &str) -> Value {
        let sql = format!("SELECT coalesce(jsonb_agg(q), '[]') FROM ({query}) AS q");
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.database)
            .await
            .expect("the query gives rows")
    }

    async fn change(&mut self, statement: &'static str) {
        sqlx::query(statement)
            .execute(&mut self.database)
            .await
            .expect("the statement runs");
    }
}

/// What was asked, without the rest.
fn whats(asked: Vec<Asked>) -> Vec<String> {
    asked.into_iter().map(|asked| asked.what).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_imported_page_by_page_and_no_order_twice() {
    let mut stage = Stage::new().await;
    let payload = json!({"api": "API", "page_size": 2});
    let imported = stage.run("orders_import", payload.clone()).await;
    assert_eq!(imported, json!({"pages": 3, "orders": 5}));
    // Three pages, and one that was asked for again as the service was busy.
    assert_eq!(stage.service.asked("GET /orders").len(), 4);
    stage
        .change("UPDATE examples.orders SET amount = 0 WHERE id = '3'")
        .await;
    stage.run("orders_import", payload).await;
    assert_eq!(
        stage
            .rows(
                "SELECT id, amount, status FROM examples.orders WHERE customer = 'Ada' ORDER BY id"
            )
            .await,
        json!([
            {"id": "1", "amount": 10, "status": "open"},
            {"id": "2", "amount": 20, "status": "open"},
            {"id": "3", "amount": 30, "status": "open"},
            {"id": "4", "amount": 40, "status": "open"},
            {"id": "5", "amount": 50, "status": "open"},
        ])
    );
    let told = stage
        .fails("orders_import", json!({"api": "API/shops/none"}))
        .await;
    assert!(told.contains("404"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_made_of_three_answers() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.run("quote", json!({})).await,
        json!({"status": "offered", "discount": 4, "total": "249.61"})
    );
    let basket = json!({"basket": [{"sku": "desk", "quantity": 1, "weight_kg": 30}]});
    assert_eq!(
        stage.run("quote", basket).await,
        json!({"status": "unavailable", "short": ["desk"]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_sent_again_or_kept() {
    let mut stage = Stage::new().await;
    let invoice = |number: &str| json!({"api": "API", "invoice": {"number": number}});
    assert_eq!(
        stage.run("send_invoice", invoice("R-1")).await,
        json!({"status": "sent", "receipt": "Q7", "reason": null})
    );
    let keys = stage.service.asked("POST /invoices");
    assert_eq!(keys.len(), 3);
    assert!(keys[0].key.is_some() && keys.iter().all(|asked| asked.key == keys[0].key));

    let kept = |reason: &str| json!({"status": "kept", "receipt": null, "reason": reason});
    assert_eq!(
        stage.run("send_invoice", invoice("refused")).await,
        kept("assertion")
    );
    assert_eq!(stage.service.asked("POST /invoices").len(), 3 + 1);
    assert_eq!(
        stage.run("send_invoice", invoice("busy")).await,
        kept("retries_exhausted")
    );
    assert_eq!(stage.service.asked("POST /invoices").len(), 3 + 1 + 3);
    assert_eq!(
        stage.rows("SELECT step, kind, payload->>'number' AS number FROM examples.failed_calls ORDER BY at").await,
        json!([
            {"step": "send", "kind": "assertion", "number": "refused"},
            {"step": "send", "kind": "retries_exhausted", "number": "busy"},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_text_becomes_rows_and_a_summary() {
    let mut stage = Stage::new().await;
    for _ in 0..2 {
        let summary = stage.run("sales_csv", json!({})).await;
        assert_eq!(summary["stored"], 3, "{summary:#}");
        assert_eq!(
            summary["cities"][0],
            json!({"city": "Berlin", "sales": 2, "amount": 279.9, "best": "chair"})
        );
    }
    let day = "SELECT item, amount FROM examples.sales WHERE day = '2026-03-01' ORDER BY item";
    let lines = json!([{"item": "desk", "amount": 480.00}, {"item": "lamp", "amount": 39.90}]);
    assert_eq!(stage.rows(day).await, lines);
    let csv = "day;city;item;amount\n2026-03-01;Rome;desk;1,00\n2026-03-01;Rome;lamp;much\n";
    let told = stage.fails("sales_csv", json!({"csv": csv})).await;
    assert!(told.contains("line 3 of the CSV can't be read"), "{told}");
    assert_eq!(stage.rows(day).await, lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_confirmed_by_a_token_of_ours_only() {
    let mut stage = Stage::new().await;
    let signed = stage
        .run("confirm_email", json!({"email": "ada@example.com"}))
        .await;
    let token = signed["token"].as_str().expect("a token");
    let late = json!({"email": "late@example.com", "valid_for": -60});
    let late = stage.run("confirm_email", late).await;
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let (_, claims) = head.split_once('.').expect("three parts");
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let other = EncodingKey::from_secret(b"another key");
    let forged = jsonwebtoken::crypto::sign(head.as_bytes(), &other, Algorithm::HS256);
    for bad in [
        late["token"].as_str().expect("a token").to_owned(),
        format!("{none}.{claims}."),
        format!("{head}.{}", forged.expect("a signature")),
        format!("{signature}.{claims}.{signature}"),
        "?".into(),
    ] {
        let answer = stage.run("confirm_email", json!({"token": bad})).await;
        assert_eq!(answer["status"], "refused", "{bad}");
    }
    for _ in 0..2 {
        let answer = stage.run("confirm_email", json!({"token": token})).await;
        assert_eq!(answer["status"], "confirmed");
    }
    assert_eq!(
        stage
            .rows("SELECT email FROM examples.confirmed_emails")
            .await,
        json!([{"email": "ada@example.com"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_deletes_old_rows_and_always_gives_its_lock_back() {
    let mut stage = Stage::new().await;
    stage
        .change(
            "INSERT INTO examples.visits (page, seen)
             SELECT 'p' || n, now() - n * interval '10 days' FROM generate_series(0, 9) AS n",
        )
        .await;
    // Seven of ten are older than 25 days.
    let told = stage.fails("nightly_cleanup", json!({"days": 25})).await;
    assert!(told.contains("more than the allowed share"), "{told}");
    let visits = "SELECT count(*) FROM examples.visits";
    assert_eq!(stage.rows(visits).await, json!([{"count": 10}]));

    let payload = json!({"days": 25, "most": 0.9, "at_once": 3});
    let cleaned = stage.run("nightly_cleanup", payload.clone()).await;
    assert_eq!(cleaned, json!({"deleted": 7, "skipped": false}));
    assert_eq!(stage.rows(visits).await, json!([{"count": 3}]));

    // Another one is at work: its lock stays.
    stage
        .change("INSERT INTO examples.locks VALUES ('cleanup', gen_random_uuid())")
        .await;
    let skipped = stage.run("nightly_cleanup", payload).await;
    assert_eq!(skipped, json!({"deleted": 0, "skipped": true}));
    let locks = "SELECT count(*) FROM examples.locks";
    assert_eq!(stage.rows(locks).await, json!([{"count": 1}]));
    assert_eq!(
        stage
            .rows("SELECT deleted, error IS NOT NULL AS failed FROM examples.cleanups ORDER BY at")
            .await,
        json!([
            {"deleted": 0, "failed": true},
            {"deleted": 7, "failed": false},
            {"deleted": 0, "failed": false},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_members_are_told_by_playbooks_of_a_library() {
    let mut stage = Stage::new().await;
    let payload = json!({"hook": "API/hook", "members": ["ada@example.com", "bob@example.com"]});
    let welcome = stage.run("team_welcome", payload.clone()).await;
    assert_eq!(
        welcome["told"],
        json!([
            {"recipient": "ada@example.com", "by": "hook"},
            {"recipient": "bob@example.com", "by": "outbox"},
        ])
    );
    let hook = stage.service.asked("POST /hook");
    let texts = hook.iter().map(|Asked { body, .. }| &body["text"]);
    let expected = "Welcome to lighthouse! You are number 1 of 2 today.";
    assert_eq!(texts.filter(|text| *text == expected).count(), 1);
    assert_eq!(hook.len(), 1 + 2, "bob's is tried again");
    assert_eq!(
        stage.run("team_welcome", payload).await,
        json!({"new": [], "told": [], "audit": null})
    );
    let outbox = "SELECT recipient, reason FROM examples.outbox ORDER BY id";
    let kept = stage.rows(outbox).await;
    assert_eq!(kept[0]["recipient"], "bob@example.com");
    assert!(kept[0]["reason"].to_string().contains("503"), "{kept:#}");
    assert_eq!(
        stage
            .rows("SELECT action, subject, details->'told' AS told FROM examples.audit")
            .await,
        json!([{"action": "welcomed", "subject": "lighthouse", "told": welcome["told"]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_works_alone_too() {
    let mut stage = Stage::new().await;
    let notice = json!({"recipient": "eve@example.com", "text": "Hi"});
    assert_eq!(
        stage.run("library/notify", notice).await,
        json!({"recipient": "eve@example.com", "by": "outbox"})
    );
    assert_eq!(
        stage.rows("SELECT text, reason FROM examples.outbox").await,
        json!([{"text": "Hi", "reason": "no hook"}])
    );
    let entry = json!({"action": "tried", "subject": "eve", "details": {"n": 1}});
    assert_eq!(stage.run("library/audit", entry).await, json!({"id": 1}));
    let told = stage.fails("library/audit", json!({})).await;
    assert!(told.contains("an entry needs an `action`"), "{told}");
    assert_eq!(
        stage.rows("SELECT count(*) FROM examples.audit").await,
        json!([{"count": 1}])
    );
}

/// `sha256=…`, as senders of webhooks write it.
fn signature(secret: &str, body: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let text = jsonwebtoken::crypto::sign(body.as_bytes(), &key, Algorithm::HS256);
    let bytes = URL_SAFE_NO_PAD
        .decode(text.expect("a signature"))
        .expect("it is base64");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_webhook_is_taken_once_and_if_it_is_signed() {
    let mut stage = Stage::new().await;
    let source = stage.run("webhook_source", json!({"name": "shop"})).await;
    let secret = source["secret"].as_str().expect("a secret");
    let event = |id: &str, kind: &str| {
        json!({"id": id, "type": kind, "order": "o'1", "amount": "12.50"}).to_string()
    };
    let sent = async |source: &str, body: &str, signature: &str| {
        let payload = json!({"source": source, "body": body, "signature": signature});
        let answer = stage.run("webhook", payload).await;
        answer["status"].as_str().expect("a status").to_owned()
    };
    let paid = event("e1", "order.paid");
    let good = signature(secret, &paid);
    assert_eq!(sent("shop", &format!("{paid} "), &good).await, "refused");
    assert_eq!(sent("shop", &paid, "sha256=é").await, "refused");
    let empty = signature("", &paid);
    assert_eq!(sent("nobody", &paid, &empty).await, "refused");
    assert_eq!(sent("shop", &paid, &good).await, "taken");
    assert_eq!(sent("shop", &paid, &good).await, "seen before");
    for (id, kind) in [("e2", "order.seen"), ("e3", "order.refunded")] {
        let body = event(id, kind);
        let signature = signature(secret, &body);
        assert_eq!(sent("shop", &body, &signature).await, "taken");
    }
    assert_eq!(
        stage
            .rows("SELECT id, amount, status FROM examples.orders")
            .await,
        json!([{"id": "o'1", "amount": 12.50, "status": "refunded"}])
    );
    let events = "SELECT count(*) FROM examples.webhook_events";
    assert_eq!(stage.rows(events).await, json!([{"count": 3}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_does_not_answer_keeps_no_other_from_being_looked_at() {
    let mut stage = Stage::new().await;
    let sites = ["API/down", "API/up", "http://169.254.169.254/"];
    let report = stage.run("site_check", json!({"sites": sites})).await;
    let up = format!("http://{}/up", stage.service.address);
    assert_eq!(report["up"], json!([up]), "{report:#}");
    let down = report["down"].as_array().expect("a list");
    let details: Vec<_> = down.iter().map(|site| site["detail"].to_string()).collect();
    assert!(details[0].contains("503"), "{details:?}");
    assert!(details[1].contains("not granted"), "{details:?}");
    assert_eq!(
        stage
            .rows("SELECT count(*) FILTER (WHERE up) AS up, count(*) FROM examples.site_checks")
            .await,
        json!([{"up": 1, "count": 3}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn good_rows_are_stored_and_bad_ones_kept_apart() {
    let mut stage = Stage::new().await;
    let rows = json!([
        {"email": "Ada@example.com", "name": "Ada", "born": "1815-12-10"},
        {"email": "nobody", "name": "No"},
        {"email": "bob@example.com", "name": "Bob'); DROP TABLE examples.customers; --"},
        17,
    ]);
    let imported = stage.run("customer_import", json!({"rows": rows})).await;
    assert_eq!(
        imported,
        json!({"stored": 2, "refused": 2, "reasons": ["email: not an address", "not an object"]})
    );
    let rows = json!([{"email": "ada@example.com", "name": "Ada Lovelace"}]);
    stage.run("customer_import", json!({"rows": rows})).await;
    assert_eq!(
        stage
            .rows("SELECT * FROM examples.customers ORDER BY email")
            .await,
        json!([
            {"email": "ada@example.com", "name": "Ada Lovelace", "born": null},
            {"email": "bob@example.com", "name": "Bob'); DROP TABLE examples.customers; --", "born": null},
        ])
    );
    assert_eq!(
        stage
            .rows("SELECT source, line, content FROM examples.dead_letters ORDER BY line")
            .await,
        json!([
            {"source": "upload", "line": 2, "content": {"email": "nobody", "name": "No"}},
            {"source": "upload", "line": 4, "content": 17},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_waited_for() {
    let stage = Stage::new().await;
    let order = async |report: &str| {
        let payload = json!({"api": "API", "report": report});
        stage.run("report_job", payload).await
    };
    assert_eq!(
        order("monthly").await,
        json!({"state": "done", "reason": null, "report": {"total": 7}})
    );
    // Three looks, and the content.
    assert_eq!(stage.service.asked("GET /reports/monthly").len(), 4);
    assert_eq!(
        order("empty").await,
        json!({"state": "failed", "reason": "no data", "report": null})
    );
    let lost = order("lost").await;
    assert_eq!(lost["state"], "cancelled", "{lost:#}");
    assert_eq!(stage.service.asked("GET /reports/lost").len(), 1);
    assert_eq!(stage.service.asked("DELETE /reports/lost").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_is_booked_whole_or_not_at_all() {
    let mut stage = Stage::new().await;
    let trip = |to: &str, price: &str| json!({"api": "API", "trip": {"to": to, "price": price}});
    let booked = stage.run("trip_booking", trip("FCO", "420.00")).await;
    assert_eq!(booked, json!({"status": "booked", "reason": null}));
    let all = ["POST /flights", "POST /hotels", "POST /payments"];
    assert_eq!(whats(stage.service.asked("POST")), all);

    // No flight, no room, no money: each leaves more to undo.
    for (to, price, failed) in [
        ("nowhere", "420.00", "flight"),
        ("full", "420.00", "hotel"),
        ("FCO", "9999.00", "pay"),
    ] {
        let undone = stage.run("trip_booking", trip(to, price)).await;
        assert_eq!(undone["status"], "undone", "{undone:#}");
        let reason = undone["reason"].as_str().expect("a text");
        assert!(reason.starts_with(&format!("{failed}: ")), "{reason}");
    }
    assert_eq!(
        whats(stage.service.asked("DELETE")),
        [
            "DELETE /flights/f1",
            "DELETE /hotels/h1", // in vain, so once more
            "DELETE /hotels/h1",
            "DELETE /flights/f1",
        ]
    );
    assert_eq!(
        stage.rows("SELECT status, details->>'failed' AS failed FROM examples.trips ORDER BY execution_id").await,
        json!([
            {"status": "booked", "failed": null},
            {"status": "undone", "failed": "flight"},
            {"status": "undone", "failed": "hotel"},
            {"status": "undone", "failed": "pay"},
        ])
    );
}

#[tokio::test]
async fn the_cases_beside_the_examples_pass() {
    let output = noetl()
        .args(["test", "playbooks/examples"])
        .env("NOETL_CACHE_DIR", CACHE.path())
        .output()
        .await
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{output:?}");
    assert!(told.contains(" passed; 0 failed; 0 left out"), "{told}");
}

/// The names of the examples below a directory, as `run` takes them.
fn names(directory: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = format!("{prefix}{}", stem.expect("a text"));
        if path.is_dir() {
            found.extend(names(&path, &format!("{name}/")));
        } else if !name.ends_with(".test") {
            found.push(name);
        }
    }
    found
}

#[test]
fn no_example_is_left_out() {
    // How the tests are written is not how rustfmt breaks their lines.
    let tests = [
        include_str!("example_playbooks.rs"),
        include_str!("examples.rs"),
    ];
    let tests: String = tests.concat().split_whitespace().collect();
    let names = names(&root().join("playbooks/examples"), "");
    assert!(names.len() >= 17, "{names:?}");
    for name in names {
        let ran = [
            format!("run(\"{name}\","),
            format!("execute(\"examples/{name}\","),
        ];
        assert!(
            ran.iter().any(|call| tests.contains(call.as_str())),
            "no test runs playbooks/examples/{name}.yaml"
        );
        let documented = include_str!("../../../docs/examples.md");
        assert!(
            documented.contains(&format!("examples/{name}")),
            "docs/examples.md does not tell of examples/{name}"
        );
    }
}
