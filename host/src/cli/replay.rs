//! `noetl replay`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::connect::ServerOptions;
use super::terminal;
use crate::visible::visible;

/// Arguments of `noetl replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The execution's id
    id: Uuid,
    /// Prints what came out as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl Replay {
    /// Walks an execution once more from its record. If something does not come out as
    /// it is recorded, the exit code is 1.
    ///
    /// # Errors
    /// The server can't be reached, or has no such execution, or it still runs.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let id = self.id.to_string();
        let path = ["api", "executions", &id, "replay"];
        let replay = self
            .server
            .with(async |client| client.get(&path).await)
            .await?;
        let same = replay["same"] == true;
        if self.json {
            terminal::json(&replay);
        } else {
            show(&replay);
        }
        Ok(match same {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn show(replay: &Value) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for step in list(&replay["steps"]) {
        let text = |field: &str| visible(step[field].as_str().unwrap_or_default()).to_string();
        let next: Vec<String> = list(&step["next"])
            .iter()
            .map(|name| visible(name.as_str().unwrap_or_default()).to_string())
            .collect();
        let visit = match step["visit"].as_u64() {
            Some(visit) if visit > 1 => format!(" ({visit})"),
            _ => String::new(),
        };
        let next = match next.is_empty() {
            true => String::new(),
            false => format!(" → {}", next.join(", ")),
        };
        terminal::out(&format!(
            "{}{visit}: {}{next}",
            text("step"),
            text("status")
        ));
        for field in ["args", "result", "vars"] {
            if !step[field].is_null() && step[field] != serde_json::json!({}) {
                let value = step[field].to_string();
                terminal::out(&format!("  {field}: {}", visible(&value)));
            }
        }
        list(&step["differences"]).iter().for_each(differs);
    }
    list(&replay["differences"]).iter().for_each(differs);
    terminal::out(match replay["same"] == true {
        true => "everything came out as it is recorded",
        false => "not everything came out as it is recorded",
    });
}

fn differs(difference: &Value) {
    let value = |field: &str| difference[field].to_string();
    terminal::out(&format!(
        "  differs: {}: recorded {}, now {}",
        difference["field"].as_str().unwrap_or_default(),
        visible(&value("recorded")),
        visible(&value("replayed"))
    ));
}
