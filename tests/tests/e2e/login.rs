//! The login of the shipped playbooks, over HTTP.

use noetl_tests::{Reply, Server, server, token};
use serde_json::{Value, json};
use sqlx::Row;

const PROVISION: &str = "api_integration/auth0/provision_auth_schema";
const LOGIN: &str = "api_integration/auth0/auth0_login";
const VALIDATE: &str = "api_integration/auth0/auth0_validate_session";

async fn provisioned() -> Server {
    let server = server().await;
    let reply = server.execute(PROVISION, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    server
}

async fn login(server: &Server, claims: Value) -> Reply {
    server
        .execute(
            LOGIN,
            json!({"auth0_token": token(&claims), "client_ip": "192.0.2.7"}),
        )
        .await
}

async fn users(server: &Server) -> i64 {
    let row = sqlx::query("SELECT count(*) FROM auth.users")
        .fetch_one(&mut server.demo.connect().await)
        .await
        .expect("the table is there");
    row.get(0)
}

async fn stored_name(server: &Server, sub: &str) -> Option<String> {
    sqlx::query("SELECT name FROM auth.users WHERE auth0_id = $1")
        .bind(sub)
        .fetch_one(&mut server.demo.connect().await)
        .await
        .expect("the user is there")
        .get(0)
}

#[tokio::test]
async fn logs_in_validates_and_refuses_a_wrong_session() {
    let server = provisioned().await;
    // Twice: it is made to be run again.
    assert_eq!(server.execute(PROVISION, json!({})).await.status, 200);

    let claims = json!({"sub": "auth0|1", "email": "ada@example.com", "name": "Ada", "email_verified": true});
    let reply = login(&server, claims.clone()).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.body["status"], "success");
    assert_eq!(reply.body["user_id"], "auth0|1");
    assert_eq!(reply.body["email"], "ada@example.com");
    let session = reply.body["session_token"]
        .as_str()
        .expect("a session token")
        .to_owned();
    assert!(session.len() >= 32, "{session}");
    let steps: Vec<_> = reply.body["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|s| &s["step"])
        .collect();
    assert_eq!(
        steps,
        ["decode_token", "upsert_user", "create_session", "success"]
    );

    let valid = server
        .execute(VALIDATE, json!({"session_token": session}))
        .await;
    assert_eq!(valid.status, 200, "{valid:#?}");
    assert_eq!(valid.body["status"], "valid");
    assert_eq!(valid.body["user_id"], "auth0|1");
    assert_eq!(valid.body["name"], "Ada");

    for wrong in ["", "wrong", "' OR '1'='1", "{{ 7*7 }}"] {
        let reply = server
            .execute(VALIDATE, json!({"session_token": wrong}))
            .await;
        assert_eq!(reply.status, 200, "{reply:#?}");
        assert_eq!(reply.body["status"], "invalid", "{wrong}");
    }

    // Again: the same user, another session.
    let again = login(&server, claims).await;
    assert_ne!(again.body["session_token"], json!(session));
    assert_eq!(users(&server).await, 1);
}

#[tokio::test]
async fn hostile_names_are_stored_exactly() {
    let server = provisioned().await;
    let names = [
        "O'Brien",
        "'); DROP TABLE auth.users; --",
        r#"" ' \ \' '' $1 $$ $tag$ :x ?"#,
        "{{ 1 }} {% raw %} {{ 7*7 }} {# no #}",
        "𝒜𝓭𝓪 🦀 \u{10FFFF}",
        "line\nbreak\ttab\r",
        "",
        "false",
        "None",
    ];
    for (n, name) in names.iter().enumerate() {
        let sub = format!("auth0|hostile'{n}");
        let reply = login(
            &server,
            json!({"sub": sub, "email": format!("{n}@example.com"), "name": name}),
        )
        .await;
        assert_eq!(reply.status, 200, "{name}: {reply:#?}");
        assert_eq!(reply.body["status"], "success", "{name}");
        assert_eq!(stored_name(&server, &sub).await.as_deref(), Some(*name));
        let session = reply.body["session_token"].clone();
        let valid = server
            .execute(VALIDATE, json!({"session_token": session}))
            .await;
        assert_eq!(valid.body["name"], *name);
    }
    assert_eq!(users(&server).await, names.len() as i64);
}

#[tokio::test]
async fn a_name_with_nul_is_refused_clearly() {
    let server = provisioned().await;
    let reply = login(
        &server,
        json!({"sub": "auth0|nul", "email": "nul@example.com", "name": "a\u{0}b"}),
    )
    .await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    assert_eq!(reply.body["step"], "upsert_user");
    let detail = reply.body["detail"].as_str().expect("detail");
    assert!(detail.contains("NUL"), "{detail}");
    assert_eq!(users(&server).await, 0);
}

#[tokio::test]
async fn a_name_of_null_is_null() {
    let server = provisioned().await;
    for claims in [
        json!({"sub": "auth0|null", "email": "null@example.com", "name": null}),
        json!({"sub": "auth0|absent", "email": null}),
    ] {
        let reply = login(&server, claims.clone()).await;
        assert_eq!(reply.status, 200, "{reply:#?}");
        assert_eq!(
            stored_name(&server, claims["sub"].as_str().expect("sub")).await,
            None
        );
    }
}

#[tokio::test]
async fn an_email_of_another_user_fails_with_its_sqlstate() {
    let server = provisioned().await;
    let first = login(
        &server,
        json!({"sub": "auth0|a", "email": "same@example.com", "name": "A"}),
    )
    .await;
    assert_eq!(first.status, 200);
    let second = login(
        &server,
        json!({"sub": "auth0|b", "email": "same@example.com", "name": "B"}),
    )
    .await;
    assert_eq!(second.status, 422, "{second:#?}");
    assert_eq!(second.content_type, "application/problem+json");
    assert_eq!(second.body["step"], "upsert_user");
    assert_eq!(second.body["tool"], "postgres");
    assert_eq!(second.body["error"]["code"], "23505");
    let message = second.body["error"]["message"].as_str().expect("a message");
    assert!(message.contains("users_email_key"), "{message}");
    assert!(second.body.get("session_token").is_none());
    assert_eq!(users(&server).await, 1);
    let sessions: i64 = sqlx::query("SELECT count(*) FROM auth.sessions")
        .fetch_one(&mut server.demo.connect().await)
        .await
        .expect("the table is there")
        .get(0);
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn bad_tokens_never_make_a_user() {
    let server = provisioned().await;
    let good = token(&json!({"sub": "auth0|x", "email": "x@example.com"}));
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let tokens = [
        (
            "no sub",
            token(&json!({"email": "x@example.com", "name": "X"})),
        ),
        (
            "sub null",
            token(&json!({"sub": null, "email": "x@example.com"})),
        ),
        ("two parts", head.to_owned()),
        ("four parts", format!("{good}.x")),
        ("bad base64", "a.%%%%%.c".to_owned()),
        ("bad base64 length", "a.abcde.c".to_owned()),
        ("bad JSON", format!("a.{}.c", "bm90IGpzb24")),
        ("JSON, no object", format!("a.{}.c", "WzFd")),
        ("bad UTF-8", format!("a.{}.c", "_____w")),
        ("empty", String::new()),
    ];
    for (what, token) in tokens {
        let reply = server.execute(LOGIN, json!({"auth0_token": token})).await;
        match reply.status {
            200 => {
                assert_eq!(reply.body["status"], "error", "{what}: {reply:#?}");
                assert_eq!(reply.body["message"], "Authentication failed", "{what}");
            }
            422 => {
                assert_eq!(reply.body["step"], "decode_token", "{what}: {reply:#?}");
                let detail = reply.body["detail"].as_str().expect("detail");
                assert!(
                    detail.contains("auth0_login.yaml, line "),
                    "{what}: {detail}"
                );
            }
            other => panic!("{what}: {other} {reply:#?}"),
        }
        assert!(reply.body.get("session_token").is_none(), "{what}");
    }
    for payload in [
        json!({"auth0_token": null}),
        json!({"auth0_token": 5}),
        json!({"auth0_token": ["a"]}),
        json!({}),
    ] {
        let reply = server.execute(LOGIN, payload.clone()).await;
        assert!(reply.body["status"] != "success", "{payload}: {reply:#?}");
    }
    assert_eq!(users(&server).await, 0);
}

#[tokio::test]
async fn forty_logins_at_once() {
    let server = provisioned().await;
    let logins = (0..40).map(|n| {
        let claims = json!({"sub": format!("auth0|{n}"), "email": format!("{n}@example.com"), "name": format!("N{n}")});
        login(&server, claims)
    });
    let mut sessions = std::collections::HashSet::new();
    for reply in futures_util::future::join_all(logins).await {
        assert_eq!(reply.status, 200, "{reply:#?}");
        sessions.insert(reply.body["session_token"].to_string());
    }
    assert_eq!(sessions.len(), 40);
    assert_eq!(users(&server).await, 40);
}

#[tokio::test]
async fn the_record_tells_what_happened() {
    let server = provisioned().await;
    let reply = login(
        &server,
        json!({"sub": "auth0|1", "email": "a@example.com", "name": "{{ 7*7 }}"}),
    )
    .await;
    let id = reply.body["execution_id"].as_str().expect("an id");
    let record = server
        .request("GET", &format!("/api/executions/{id}"), None)
        .await;
    assert_eq!(record.status, 200);
    assert_eq!(record.body["status"], "success");
    assert_eq!(record.body["path"], LOGIN);
    assert_eq!(record.body["payload"]["client_ip"], "192.0.2.7");
    assert_eq!(
        record.body["result"]["session_token"],
        reply.body["session_token"]
    );
    let events: Vec<String> = record.body["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| {
            format!(
                "{} {}",
                e["event"].as_str().unwrap_or(""),
                e["step"].as_str().unwrap_or("")
            )
            .trim()
            .to_owned()
        })
        .collect();
    assert_eq!(
        events,
        [
            "execution_started",
            "step_started decode_token",
            "step_finished decode_token",
            "step_started upsert_user",
            "step_finished upsert_user",
            "step_started create_session",
            "step_finished create_session",
            "step_started success",
            "step_finished success",
            "execution_finished",
        ]
    );
    assert_eq!(
        record.body["events"][2]["data"]["result"]["name"],
        "{{ 7*7 }}"
    );
}
