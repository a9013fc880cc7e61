//! One execution, shown as it happens.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::Value;

use super::client::{Answer, Client, problem};
use super::failure::{self, Failure};
use super::{sse, table, terminal};

/// Executes a playbook; prints its steps, then its result.
///
/// # Errors
/// The server can't be reached or breaks off. An execution that fails is
/// printed, with an exit code of 1.
pub async fn run(
    client: &Client,
    path: &str,
    payload: &Value,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let begin = Instant::now();
    let answer = client.execute(path, payload).await?;
    let steps = if json { terminal::note } else { terminal::out };
    let (status, body) = if answer.is_event_stream {
        follow(answer, &steps).await?
    } else {
        answer.json().await?
    };
    if json {
        terminal::json(&body);
    }
    if !status.is_success() {
        return Ok(failure::report(&explain(client, status, &body).into()));
    }
    if !json {
        terminal::out(&table::render(&body["result"]));
        terminal::out(&summary(&body, begin.elapsed()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the steps of a stream of events; answers its last one.
async fn follow(mut answer: Answer, print: &dyn Fn(&str)) -> anyhow::Result<(StatusCode, Value)> {
    let mut reader = sse::Reader::default();
    let mut execution = None;
    while let Some(chunk) = answer.chunk().await? {
        for event in reader.feed(&chunk) {
            let data: Value = serde_json::from_str(&event.data)?;
            match event.name.as_str() {
                "execution_started" => {
                    execution = data["execution_id"].as_str().map(str::to_string)
                }
                "attempt_failed" => print(&attempt(&data)),
                "step_finished" => print(&step(&data)),
                "execution_finished" => return Ok((outcome(&data), data)),
                _ => {}
            }
        }
    }
    let execution = execution.unwrap_or_else(|| "the execution".to_string());
    Err(Failure::new(format!("the connection ended before {execution} did"))
        .hint("the server may have been stopped; look the execution up with GET /api/executions/{id}")
        .into())
}

/// The status that the plain route would have answered: a problem document
/// carries it, an answer has a `result`.
fn outcome(body: &Value) -> StatusCode {
    if body.get("result").is_some() {
        return StatusCode::OK;
    }
    body["status"]
        .as_u64()
        .and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `✓ decode_token  python  1.4 ms, cpu 1.1 ms`, the step's log below it.
fn step(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let error = event.get("error").filter(|error| !error.is_null());
    let mark = if error.is_some() { '✗' } else { '✓' };
    let time = |name: &str| {
        let milliseconds = event[name].as_f64().unwrap_or_default().max(0.0);
        terminal::human(Duration::from_secs_f64(milliseconds / 1000.0))
    };
    let mut line = format!(
        "{mark} {:<32} {:<12} {:>8}, cpu {:>8}",
        text("step"),
        text("tool"),
        time("duration_ms"),
        time("cpu_ms"),
    );
    if let Some(error) = error {
        line.push_str(&format!("\n  {}", error_text(error)));
    }
    for entry in log(&event["log"]) {
        line.push_str(&format!("\n  | {entry}"));
    }
    line
}

/// `↻ fetch  attempt 2 of item 3: HTTP 503; again in 1.2 s`.
fn attempt(event: &Value) -> String {
    let item = match event["index"].as_u64() {
        Some(index) => format!(" of item {}", index + 1),
        None => String::new(),
    };
    let error = match event.get("error").filter(|error| !error.is_null()) {
        Some(error) => error_text(error),
        None => "not what was wanted".into(),
    };
    let wait = event["wait_ms"].as_f64().unwrap_or_default().max(0.0);
    format!(
        "↻ {:<32} attempt {}{item}: {error}; again in {}",
        event["step"].as_str().unwrap_or_default(),
        event["attempt"],
        terminal::human(Duration::from_secs_f64(wait / 1000.0))
    )
}

fn error_text(error: &Value) -> String {
    let message = match (error["message"].as_str(), error.as_str()) {
        (Some(message), _) | (None, Some(message)) => message.to_string(),
        (None, None) => error.to_string(),
    };
    match error["code"].as_str() {
        Some(code) if !message.contains(code) => format!("{message} ({code})"),
        _ => message,
    }
}

/// The lines of a step's log, which is one text or a list of entries.
fn log(log: &Value) -> Vec<String> {
    let text = match log {
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries
            .iter()
            .map(|entry| match (entry.as_str(), entry["message"].as_str()) {
                (Some(text), _) | (None, Some(text)) => text.to_string(),
                (None, None) => entry.to_string(),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    };
    text.lines().map(str::to_string).collect()
}

/// What failed, where, and where to read more.
fn explain(client: &Client, status: StatusCode, body: &Value) -> Failure {
    let failure = problem(status, body);
    let address = body["execution_id"]
        .as_str()
        .and_then(|id| client.address(&["api", "executions", id]));
    match (body["hint"].as_str(), address) {
        (None, Some(address)) => failure.hint(format!("every step and event: curl {address}")),
        _ => failure,
    }
}

fn summary(body: &Value, time: Duration) -> String {
    let steps = body["steps"].as_array().map_or(0, Vec::len);
    let id = body["execution_id"].as_str().unwrap_or("?");
    format!(
        "execution {id}: {steps} tool step(s) in {}",
        terminal::human(time)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let line = step(
            &json!({"step": "decode", "tool": "python", "status": "success", "duration_ms": 1.42, "cpu_ms": 1.1, "log": []}),
        );
        assert!(line.starts_with("✓ decode "), "{line}");
        assert!(line.ends_with(" 1.4 ms, cpu   1.1 ms"), "{line}");
    }

    #[test]
    fn a_failed_step_tells_why_and_what_it_printed() {
        let line = step(
            &json!({"step": "store", "tool": "postgres", "status": "failed", "duration_ms": 3,
            "error": {"kind": "postgres", "message": "duplicate key", "code": "23505"},
            "log": [{"level": "info", "message": "one\ntwo"}, "three"]}),
        );
        let rest: Vec<&str> = line.lines().skip(1).collect();
        assert_eq!(
            rest,
            ["  duplicate key (23505)", "  | one", "  | two", "  | three"]
        );
        assert!(line.starts_with('✗'), "{line}");
    }

    #[test]
    fn a_playbook_that_answers_error_was_still_executed() {
        assert_eq!(
            outcome(&json!({"status": "error", "result": {"status": "error"}})),
            200
        );
        assert_eq!(
            outcome(&json!({"status": 422, "title": "Step failed"})),
            422
        );
        assert_eq!(outcome(&json!({"status": "failed"})), 500);
    }
}
