//! Runs a case on a real server, and says what was seen.

use noetl_tests::{Reply, Server, noetl};
use serde_json::{Value, json};

use super::case::{Case, Expect, Request};

/// What was seen of a case.
pub struct Seen {
    /// Whether it was taken: registered and executed, answered, done.
    pub taken: bool,
    /// What was told of it, if it was not: of several faults the one that the case is about.
    pub told: String,
    /// All that was told.
    all: String,
    status: Option<u16>,
    body: Value,
}

impl Seen {
    fn of(reply: Reply, case: &Case) -> Self {
        let Reply { status, body, .. } = reply;
        let fault = |fault: &Value| {
            let text = |member: &str| fault[member].as_str().map(str::to_owned);
            let parts = [text("message"), text("hint")];
            parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
        };
        let faults = body["errors"].as_array().into_iter().flatten();
        let faults: Vec<String> = faults.map(fault).collect();
        let about = case.says.first();
        let about = faults
            .iter()
            .find(|told| about.is_some_and(|part| told.contains(part)));
        let told = match about.or(faults.first()) {
            Some(fault) => fault.clone(),
            None => body["detail"].as_str().unwrap_or_default().to_owned(),
        };
        Self {
            taken: status < 300,
            told,
            all: body.to_string(),
            status: Some(status),
            body,
        }
    }
}

/// Runs a case. `api` is the address of a server for steps that call one.
pub async fn run(server: &Server, api: &str, name: &str, case: &Case) -> Seen {
    for playbook in &case.also {
        let reply = server.register(playbook).await;
        assert_eq!(reply.status, 201, "{name}: {reply:#?}");
    }
    if let Some(arguments) = &case.command {
        return command(server, name, case, arguments).await;
    }
    if let Some(request) = &case.request {
        return requested(server, name, case, request).await;
    }
    let playbook = case.playbook.as_ref().expect("something to do");
    let reply = server.register(playbook).await;
    if reply.status != 201 {
        return Seen::of(reply, case);
    }
    let payload = case.payload.clone().unwrap_or_else(|| json!({}));
    let payload = payload
        .to_string()
        .replace("\"API\"", &json!(api).to_string());
    let payload = serde_json::from_str(&payload).expect("it is JSON as before");
    let path = format!("compatibility/{name}");
    Seen::of(server.execute(&path, payload).await, case)
}

async fn requested(server: &Server, name: &str, case: &Case, request: &Request) -> Seen {
    let mut path = request.path.clone();
    if let Some(playbook) = &case.playbook {
        let reply = server
            .run(&format!("compatibility/{name}"), playbook, json!({}))
            .await;
        let id = reply.body["execution_id"].as_str().expect("an execution");
        path = path.replace("{id}", id);
    }
    let body = request.body.clone();
    Seen::of(server.request(&request.method, &path, body).await, case)
}

async fn command(server: &Server, name: &str, case: &Case, arguments: &[String]) -> Seen {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join(format!("{name}.yaml"));
    if let Some(playbook) = &case.playbook {
        std::fs::write(&file, playbook).expect("it can be written");
        if !arguments.iter().any(|argument| argument == "{file}") {
            let reply = server.register(playbook).await;
            assert_eq!(reply.status, 201, "{name}: {reply:#?}");
        }
    }
    let file = file.to_str().expect("a text");
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("{file}", file));
    let output = noetl()
        .args(arguments)
        .env("NOETL_SERVER", &server.url)
        .output()
        .await
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stderr = text(&output.stderr);
    let told = stderr.lines().find(|line| !line.trim().is_empty());
    Seen {
        taken: output.status.success(),
        told: told.unwrap_or_default().to_owned(),
        all: format!("{}{stderr}", text(&output.stdout)),
        status: None,
        body: Value::Null,
    }
}

/// What is wrong with what was seen, if anything.
pub fn faults(case: &Case, seen: &Seen) -> Vec<String> {
    let mut faults = Vec::new();
    let taken = match (case.expect, case.status) {
        // A failure may be what is expected of something that is taken.
        (Expect::Works | Expect::Differs, Some(status)) => seen.status == Some(status),
        (Expect::Works | Expect::Differs, None) => seen.taken,
        (Expect::Refused, status) => {
            !seen.taken && status.is_none_or(|status| seen.status == Some(status))
        }
    };
    if !taken {
        faults.push(format!("it is not so that it is {:?}", case.expect));
    }
    let holds = case
        .result
        .as_ref()
        .is_none_or(|result| within(result, &seen.body));
    if !holds {
        faults.push("the answer has not the members that are expected".to_owned());
    }
    let steps = seen.body["steps"].as_array().map(Vec::len);
    if case.steps.is_some() && case.steps != steps {
        faults.push(format!("{steps:?} steps have run"));
    }
    // As a member of JSON a quotation mark is told with a backslash before it.
    let told = seen.all.replace("\\\"", "\"");
    let missing = case
        .says
        .iter()
        .filter(|part| !told.contains(part.as_str()));
    faults.extend(missing.map(|part| format!("it does not say: {part}")));
    if !faults.is_empty() {
        faults.push(format!("seen: {:?} {}", seen.status, seen.all));
    }
    faults
}

/// Whether all of the first is in the second.
fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| within(value, found))),
        _ => part == whole,
    }
}
