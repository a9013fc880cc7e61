//! `noetl playbook`.

use std::process::ExitCode;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connect::ServerOptions;
use super::{table, terminal};
use crate::visible::visible;

/// What to do with the catalog.
#[derive(Debug, Subcommand)]
pub enum Playbook {
    /// List the registered playbooks
    List(List),
    /// Print a playbook's text
    Show(One),
    /// List a playbook's versions
    Versions(One),
    /// Print how two versions differ
    Diff(Diff),
    /// Remove a playbook or one of its versions
    Delete(One),
}

/// Arguments of `noetl playbook list`.
#[derive(Debug, Args)]
pub struct List {
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// One playbook.
#[derive(Debug, Args)]
pub struct One {
    /// The playbook's path; `show` and `delete` take one of its versions too, as PATH@VERSION
    path: String,
    #[command(flatten)]
    server: ServerOptions,
}

/// Arguments of `noetl playbook diff`.
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    one: One,
    /// The older version [default: the one before]
    #[arg(long, value_name = "VERSION")]
    from: Option<u32>,
    /// The newer version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    to: Option<u32>,
}

impl Playbook {
    /// Does it.
    ///
    /// # Errors
    /// The server can't be reached, or refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(List { json, server }) => {
                let path = ["api", "catalog", "playbooks"];
                let body = server.with(async |client| client.get(&path).await).await?;
                let fields = ["path", "version", "registered_at"];
                show(&body["playbooks"], &fields, json);
            }
            Self::Show(one) => {
                let body = one.ask(Method::GET, "playbooks", None).await?;
                terminal::out(body["content"].as_str().unwrap_or_default().trim_end());
            }
            Self::Versions(one) => {
                let body = one.ask(Method::GET, "versions", None).await?;
                let fields = ["version", "registered_at", "registered_by", "file"];
                show(&body["versions"], &fields, false);
            }
            Self::Diff(Diff { one, from, to }) => {
                let numbers: Vec<String> = [("from", from), ("to", to)]
                    .into_iter()
                    .filter_map(|(name, number)| Some(format!("{name}={}", number?)))
                    .collect();
                let query = format!("?{}", numbers.join("&"));
                let body = one.ask(Method::GET, "diff", Some(&query)).await?;
                terminal::out(body["diff"].as_str().unwrap_or_default().trim_end());
            }
            Self::Delete(one) => {
                one.ask(Method::DELETE, "playbooks", None).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl One {
    async fn ask(&self, method: Method, what: &str, query: Option<&str>) -> anyhow::Result<Value> {
        let mut path = vec!["api", "catalog", what];
        path.extend(self.path.split('/'));
        path.extend(query);
        self.server
            .with(async |client| client.request(method, &path, None).await)
            .await
    }
}

/// Prints a list from the API as JSON, or as a table of some of its fields.
pub fn show(items: &Value, fields: &[&str], json: bool) {
    if json {
        return terminal::json(items);
    }
    let rows = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            fields
                .iter()
                .map(|field| match &item[*field] {
                    Value::String(text) => visible(text),
                    Value::Null => String::new(),
                    other => other.to_string(),
                })
                .collect()
        })
        .collect();
    terminal::out(&table::plain(fields, rows));
}
