//! `noetl tool show`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::words;
use crate::cli::connect::ServerOptions;
use crate::cli::{playbook, table, terminal};
use crate::tool::Reference;

/// Arguments of `noetl tool show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The tool: NAME or NAME@VERSION
    tool: Reference,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl Show {
    /// Shows it: what it is, its versions, its schemas.
    ///
    /// # Errors
    /// The server can't be reached, or has no such tool.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let reference = self.tool.to_string();
        let mut path = vec!["api", "tools"];
        path.extend(reference.split('/'));
        let tool = self.server.with(async |client| client.get(&path).await);
        let tool = tool.await?;
        if self.json {
            terminal::json(&tool);
            return Ok(ExitCode::SUCCESS);
        }
        let fields = tool.as_object().cloned().unwrap_or_default();
        let own = |(name, value): &(String, Value)| {
            !["imports", "schema", "versions"].contains(&name.as_str()) && !value.is_null()
        };
        let mut own: Map<String, Value> = fields.into_iter().filter(own).collect();
        let imports = tool["imports"].as_array().into_iter().flatten();
        let imports: Vec<String> = imports
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        own.insert("can".into(), words::of(&imports).join("\n").into());
        terminal::out(&table::render(&Value::Object(own)));
        if tool["versions"].is_array() {
            let fields = ["version", "status", "pushed_at", "digest"];
            playbook::show(&tool["versions"], &fields, false);
        }
        for (name, schema) in tool["schema"].as_object().into_iter().flatten() {
            if !schema.is_null() {
                terminal::out(&format!("schema of {name}:"));
                terminal::json(schema);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
