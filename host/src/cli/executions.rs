//! `noetl execution`.

use std::process::ExitCode;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::connect::ServerOptions;
use super::{playbook, terminal};
use crate::visible::visible;

/// What to do with executions.
#[derive(Debug, Subcommand)]
pub enum Execution {
    /// List executions, the newest first
    List(List),
    /// Print all that is known of one, as JSON
    Show(One),
    /// Print what its steps wrote
    Logs(One),
    /// End one that runs
    Cancel(One),
    /// Run one once more, with the same payload
    Rerun(Rerun),
    /// Remove the record of one that has ended
    Delete(One),
}

/// Arguments of `noetl execution list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only in these states, with commas between them: running, success, failed, interrupted, cancelled
    #[arg(long, value_name = "STATES")]
    status: Option<String>,
    /// Only of playbooks whose path begins so
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,
    /// So many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// One execution.
#[derive(Debug, Args)]
pub struct One {
    /// The execution's id
    id: Uuid,
    #[command(flatten)]
    server: ServerOptions,
}

/// Arguments of `noetl execution rerun`.
#[derive(Debug, Args)]
pub struct Rerun {
    #[command(flatten)]
    one: One,
    /// Runs the playbook's latest version instead of the same
    #[arg(long)]
    latest: bool,
}

impl Execution {
    /// Does it.
    ///
    /// # Errors
    /// The server can't be reached, or refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run().await?,
            Self::Show(one) => terminal::json(&one.ask(Method::GET, None, None).await?),
            Self::Logs(one) => one.logs().await?,
            Self::Cancel(one) => {
                let ended = one.ask(Method::POST, Some("cancel"), None).await?;
                terminal::out(ended["status"].as_str().unwrap_or_default());
            }
            Self::Rerun(Rerun { one, latest }) => {
                let version = if latest { "latest" } else { "same" };
                let body = json!({"version": version});
                let new = one.ask(Method::POST, Some("rerun"), Some(&body)).await?;
                terminal::out(new["execution_id"].as_str().unwrap_or_default());
            }
            Self::Delete(one) => {
                one.ask(Method::DELETE, None, None).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(&self) -> anyhow::Result<()> {
        let mut query = Serializer::new(String::from("?"));
        query.append_pair("limit", &self.limit.to_string());
        for (name, value) in [("status", &self.status), ("path", &self.path)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        let path = ["api", "executions", &query];
        let page = self
            .server
            .with(async |client| client.get(&path).await)
            .await?;
        let fields = ["execution_id", "path", "version", "status", "started_at"];
        playbook::show(&page["executions"], &fields, self.json);
        Ok(())
    }
}

impl One {
    async fn ask(
        &self,
        method: Method,
        what: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let id = self.id.to_string();
        let mut path = vec!["api", "executions", &id];
        path.extend(what);
        self.server
            .with(async |client| client.request(method, &path, body).await)
            .await
    }

    async fn logs(&self) -> anyhow::Result<()> {
        let body = self.ask(Method::GET, Some("logs"), None).await?;
        for line in body["logs"].as_array().into_iter().flatten() {
            let text = |name: &str| visible(line[name].as_str().unwrap_or_default());
            terminal::out(&format!(
                "{} {} {}: {}",
                text("at"),
                text("step"),
                text("level"),
                text("message")
            ));
        }
        Ok(())
    }
}
