//! `noetl tool push`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::oci::{Place, RegistryOptions, SCHEME};
use super::target::{self, Component};
use crate::cli::client::Client;
use crate::cli::connect::ServerOptions;
use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::tool::signature::{self, SigningKey};

/// How often a server is asked how far it is: soon at first.
const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(2);

/// Arguments of `noetl tool push`.
#[derive(Debug, Args)]
pub struct Push {
    /// A component, the directory of a tool that was built, or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "FILE|DIR|PLACE")]
    from: String,
    /// A registry to push to, oci://REGISTRY/REPOSITORY[:TAG] [default: the server]
    #[arg(value_name = "TO")]
    to: Option<String>,
    /// Signs the component with the key in this file
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    /// Does not wait until the server has compiled it
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    registry: RegistryOptions,
    #[command(flatten)]
    server: ServerOptions,
}

impl Push {
    /// Pushes it.
    ///
    /// # Errors
    /// It can't be read or has no manifest; the server or the registry can't be
    /// reached, or refuses it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (component, found) = self.component().await?;
        let manifest = component.manifest(&self.from)?;
        let signature = match &self.sign {
            Some(file) => Some(sign(file, &component.digest)?),
            None => found,
        };
        if let Some(to) = &self.to {
            let place = Place::parse(to)?.or_version(&manifest.version);
            let signature = signature.as_deref();
            self.registry.push(&place, &component, signature).await?;
            terminal::out(&format!("{place}: {}", component.digest));
            return Ok(ExitCode::SUCCESS);
        }
        self.server
            .with(async |client| {
                let tool = upload(client, &component, signature.as_deref()).await?;
                let tool = match self.no_wait {
                    true => tool,
                    false => wait(client, tool).await?,
                };
                report(&tool)
            })
            .await
    }

    /// The component, and a signature that it has already.
    async fn component(&self) -> anyhow::Result<(Component, Option<String>)> {
        if !self.from.starts_with(SCHEME) {
            let file = target::file(Path::new(&self.from))?;
            return Ok((Component::read(&file)?, None));
        }
        let place = Place::parse(&self.from)?;
        let fetched = self.registry.pull(&place).await?;
        let component = Component::of(&place.to_string(), fetched.wasm)?;
        Ok((component, fetched.signature))
    }
}

/// Signs a digest with the key in a file.
fn sign(file: &Path, digest: &str) -> anyhow::Result<String> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("{}: {error}", file.display())).hint("'noetl tool keygen' makes a key")
    };
    let pem = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(|e| failed(&e))?);
    let key = SigningKey::from_pem(&pem).map_err(|error| failed(&error))?;
    Ok(signature::sign(&key, digest))
}

async fn upload(
    client: &Client,
    component: &Component,
    signature: Option<&str>,
) -> anyhow::Result<Value> {
    let mut headers = vec![("content-type", "application/wasm")];
    headers.extend(signature.map(|signature| ("x-noetl-signature", signature)));
    let path = ["api", "tools"];
    client.upload(&path, &headers, component.wasm.clone()).await
}

/// Asks until the server has compiled the tool, or could not.
async fn wait(client: &Client, mut tool: Value) -> anyhow::Result<Value> {
    let reference = reference(&tool);
    let mut path = vec!["api", "tools"];
    path.extend(reference.split('/'));
    let began = Instant::now();
    let mut pause = SOON;
    while tool["status"] == "compiling" {
        let stage = tool["progress"]["stage"].as_str().unwrap_or("waiting");
        progress(&format!(
            "{reference}: {stage}, {}",
            terminal::human(began.elapsed())
        ));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LATER);
        tool = client.get(&path).await?;
    }
    progress("");
    Ok(tool)
}

/// Shows a line that the next one replaces, if somebody looks.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        terminal::replace(text);
    }
}

fn reference(tool: &Value) -> String {
    let text = |name: &str| tool[name].as_str().unwrap_or_default();
    format!("{}@{}", text("name"), text("version"))
}

/// What became of it.
fn report(tool: &Value) -> anyhow::Result<ExitCode> {
    let reference = reference(tool);
    let status = tool["status"].as_str().unwrap_or_default();
    if status == "failed" {
        let why = tool["error"].as_str().unwrap_or("it does not say why");
        return Err(
            Failure::new(format!("the server can't use {reference}: {why}"))
                .hint("'noetl tool check' says what a component asks for")
                .into(),
        );
    }
    let digest = tool["digest"].as_str().unwrap_or_default();
    terminal::out(&format!("{reference}: {status}, {digest}"));
    if tool["granted"] == false {
        terminal::note("the tenant has not been granted the tool: its playbooks can't use it yet");
    }
    Ok(ExitCode::SUCCESS)
}
