//! `noetl playbook list`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::connect::ServerOptions;
use super::{table, terminal};

/// What to do with the catalog.
#[derive(Debug, Subcommand)]
pub enum Playbook {
    /// List the registered playbooks
    List(List),
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

impl Playbook {
    /// Prints the list.
    ///
    /// # Errors
    /// The server can't be reached.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Playbook::List(list) = self;
        let body = list
            .server
            .with(async |client| client.get(&["api", "catalog", "playbooks"]).await)
            .await?;
        terminal::out(&show(
            &body["playbooks"],
            &["path", "version", "registered_at"],
            list.json,
        )?);
        Ok(ExitCode::SUCCESS)
    }
}

/// A list from the API as JSON, or as a table of some of its fields.
///
/// # Errors
/// None that can happen: JSON of JSON.
pub fn show(items: &Value, fields: &[&str], json: bool) -> anyhow::Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(items)?);
    }
    let rows = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            fields
                .iter()
                .map(|field| match &item[*field] {
                    Value::String(text) => table::visible(text),
                    other => other.to_string(),
                })
                .collect()
        })
        .collect();
    Ok(table::plain(fields, rows))
}
