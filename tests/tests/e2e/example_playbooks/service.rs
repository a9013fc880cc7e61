//! The services that the examples talk to: a shop, a travel agency, a chat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use noetl_tests::serve;
use serde_json::{Value, json};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /invoices`
    pub what: String,
    /// Its `idempotency-key`.
    pub key: Option<String>,
    /// Its body; null if it had none.
    pub body: Value,
}

type AskedSoFar = Arc<Mutex<Vec<Asked>>>;

/// A service of the test's own.
pub struct Service {
    /// `127.0.0.1:PORT`
    pub address: String,
    asked: AskedSoFar,
}

impl Service {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let asked = AskedSoFar::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&asked));
        let address = serve(|_| router).await;
        Self { address, asked }
    }

    /// The requests that began like this, in their order.
    pub fn asked(&self, begin: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("no panic while it is held");
        begun(&asked, begin).cloned().collect()
    }
}

fn begun<'a>(asked: &'a [Asked], begin: &str) -> impl Iterator<Item = &'a Asked> {
    asked
        .iter()
        .filter(move |asked| asked.what.starts_with(begin))
}

async fn take(
    State(asked): State<AskedSoFar>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let what = format!("{method} {}", uri.path());
    let body = serde_json::from_str(&body).unwrap_or(Value::Null);
    let key = headers.get("idempotency-key");
    let key = key.map(|key| key.to_str().expect("a text").to_owned());
    let mut asked = asked.lock().expect("no panic while it is held");
    let attempt = begun(&asked, &what).count() + 1;
    asked.push(Asked {
        what: what.clone(),
        key,
        body: body.clone(),
    });
    let (status, answer) = answer(&what, uri.query().unwrap_or_default(), &body, attempt);
    (status, axum::Json(answer)).into_response()
}

/// What a service says to its `attempt`th request of this kind.
fn answer(what: &str, query: &str, body: &Value, attempt: usize) -> (StatusCode, Value) {
    let busy = (StatusCode::SERVICE_UNAVAILABLE, json!({"error": "busy"}));
    let created = |answer: Value| (StatusCode::CREATED, answer);
    let refused = |status: StatusCode, why: &str| (status, json!({"error": why}));
    match what {
        // The second request meets a service that is busy.
        "GET /orders" if attempt == 2 => busy,
        "GET /orders" => (StatusCode::OK, orders(query)),

        "POST /invoices" => match body["number"].as_str() {
            Some("refused") => refused(StatusCode::UNPROCESSABLE_ENTITY, "no such customer"),
            Some("busy") => busy,
            _ if attempt < 3 => busy,
            _ => created(json!({"receipt": "Q7"})),
        },

        "POST /reports" => (StatusCode::ACCEPTED, json!({"id": body["report"]})),
        "GET /reports/monthly" | "GET /reports/empty" if attempt < 3 => {
            (StatusCode::OK, json!({"state": "running"}))
        }
        "GET /reports/monthly" => (StatusCode::OK, json!({"state": "done"})),
        "GET /reports/monthly/content" => (StatusCode::OK, json!({"total": 7})),
        "GET /reports/empty" => (
            StatusCode::OK,
            json!({"state": "failed", "reason": "no data"}),
        ),

        "POST /flights" if body["to"] == "nowhere" => refused(StatusCode::CONFLICT, "no flight"),
        "POST /flights" => created(json!({"id": "f1"})),
        "POST /hotels" if body["to"] == "full" => refused(StatusCode::CONFLICT, "no room"),
        "POST /hotels" => created(json!({"id": "h1"})),
        "POST /payments" if body["amount"] == "9999.00" => {
            refused(StatusCode::PAYMENT_REQUIRED, "declined")
        }
        "POST /payments" => created(json!({"id": "p1"})),
        "DELETE /hotels/h1" if attempt == 1 => busy,
        "DELETE /hotels/h1" | "DELETE /flights/f1" => (StatusCode::OK, Value::Null),

        "POST /hook" if body["to"] == "bob@example.com" => busy,
        "POST /hook" | "GET /up" => (StatusCode::OK, Value::Null),
        "GET /down" => busy,
        _ => refused(StatusCode::NOT_FOUND, "no such thing"),
    }
}

/// A page of five orders, `limit` of those `after` one.
fn orders(query: &str) -> Value {
    let fields: HashMap<&str, &str> = query.split('&').filter_map(|f| f.split_once('=')).collect();
    let number = |name| fields.get(name).and_then(|value| value.parse().ok());
    let after: usize = number("after").unwrap_or(0);
    let limit: usize = number("limit").expect("a limit");
    let last = (after + limit).min(5);
    let order = |id: usize| json!({"id": id.to_string(), "customer": "Ada", "amount": id * 10});
    let items: Vec<Value> = (after + 1..=last).map(order).collect();
    let next = (last < 5).then(|| last.to_string());
    json!({"items": items, "next_cursor": next})
}
