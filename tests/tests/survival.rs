//! A server that is killed again and again loses nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use noetl_tests::{Server, scalar, token};
use serde_json::json;
use uuid::Uuid;

/// How often the server is killed.
const KILLS: usize = 200;
/// Clients that sign in at once.
const CLIENTS: usize = 6;
/// A server lives at most so long after it is ready, in microseconds: until it is
/// warm, and then some logins.
const LIFE: u128 = 400_000;

/// Signs in until the server is gone. What was accepted goes to `accepted`.
async fn sign_in(url: String, accepted: Arc<Mutex<Vec<Uuid>>>) {
    let http = reqwest::Client::new();
    loop {
        let user = Uuid::new_v4().simple().to_string();
        let claims = json!({"sub": format!("auth0|{user}"), "email": format!("{user}@example.com"), "name": user});
        let body = json!({
            "path": "api_integration/auth0/auth0_login",
            "payload": {"auth0_token": token(&claims)},
        });
        let request = http
            .post(format!("{url}/api/execute"))
            .header("prefer", "respond-async")
            .json(&body);
        let Ok(response) = request.send().await else {
            return;
        };
        let status = response.status().as_u16();
        let Ok(body) = response.json::<serde_json::Value>().await else {
            return;
        };
        match status {
            202 => {
                let id = body["execution_id"].as_str().expect("an id").to_owned();
                accepted
                    .lock()
                    .expect("no panic")
                    .push(id.parse().expect("a UUID"));
                // Not more at once than there are clients: some end before the kill.
                let path = format!("{url}/api/executions/{id}/events");
                let request = http.get(path).header("accept", "text/event-stream");
                let Ok(events) = request.send().await else {
                    return;
                };
                if events.text().await.is_err() {
                    return;
                }
            }
            // Those that were left behind take their part of the room.
            429 => tokio::time::sleep(Duration::from_millis(5)).await,
            status => panic!("{status}: {body:#}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_comes_to_its_end_and_no_finished_step_runs_twice() {
    let mut server = Server::start().await;
    let made = server
        .execute("api_integration/auth0/provision_auth_schema", json!({}))
        .await;
    assert_eq!(made.status, 200, "{made:?}");
    let accepted = Arc::new(Mutex::new(Vec::new()));
    for kill in 0..KILLS {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(sign_in(server.url.clone(), Arc::clone(&accepted))))
            .collect();
        let life = u64::try_from(Uuid::new_v4().as_u128() % LIFE).expect("it is small");
        tokio::time::sleep(Duration::from_micros(life)).await;
        let (store, demo) = server.kill().await;
        for client in clients {
            client
                .await
                .unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        }
        server = Server::start_with(store, demo).await;
    }

    let mut store = server.store.connect().await;
    while scalar::<i64>(
        &mut store,
        "SELECT count(*) FROM executions WHERE status = 'running'",
    )
    .await
        > 0
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let accepted = accepted.lock().expect("no panic").clone();
    let total: i64 = scalar(&mut store, "SELECT count(*) FROM executions").await;
    let resumed: i64 = scalar(
        &mut store,
        "SELECT count(*) FROM executions WHERE resumed > 0",
    )
    .await;
    let times: i64 = scalar(
        &mut store,
        "SELECT coalesce(sum(resumed), 0)::bigint FROM executions",
    )
    .await;
    let mut demo = server.demo.connect().await;
    let users: i64 = scalar(&mut demo, "SELECT count(*) FROM auth.users").await;
    let sessions: i64 = scalar(&mut demo, "SELECT count(*) FROM auth.sessions").await;
    println!(
        "{KILLS} kills: {} executions accepted with an answer, {total} in all, {resumed} resumed; {users} users, {sessions} sessions",
        accepted.len()
    );
    assert!(
        resumed > 0 && resumed < total,
        "kills met every execution, or none"
    );

    let lost: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM unnest($1::uuid[]) AS id WHERE id NOT IN (SELECT id FROM executions)",
    )
    .bind(&accepted)
    .fetch_all(&mut store)
    .await
    .expect("a list");
    assert!(lost.is_empty(), "accepted, and forgotten: {lost:?}");
    let other: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT id, status || coalesce(error::text, '') FROM executions WHERE status <> 'success'",
    )
    .fetch_all(&mut store)
    .await
    .expect("a list");
    assert!(other.is_empty(), "did not end well: {other:?}");
    let twice: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "SELECT execution_id, step, count(*) FROM events WHERE event = 'step_finished' GROUP BY 1, 2 HAVING count(*) > 1",
    )
    .fetch_all(&mut store)
    .await
    .expect("a list");
    assert!(twice.is_empty(), "finished, and run again: {twice:?}");
    // A step that was killed between its commit and its record ran again: a login
    // has one user and, each time that this hit it, one session more.
    let logins = total - 1;
    assert_eq!(users, logins);
    assert!(
        sessions >= logins && sessions <= logins + times,
        "{sessions} sessions of {logins} logins"
    );
}
