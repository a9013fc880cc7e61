//! `noetl playbook list`.

use std::process::ExitCode;

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
        show(
            &body["playbooks"],
            &["path", "version", "registered_at"],
            list.json,
        );
        Ok(ExitCode::SUCCESS)
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
                    other => other.to_string(),
                })
                .collect()
        })
        .collect();
    terminal::out(&table::plain(fields, rows));
}
