//! Attacks on the sandbox itself: components, and steps with limits of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use noetl::capabilities::postgres::{self, PoolSettings, Pools};
use noetl::capabilities::{Outside, http};
use noetl::grants::Grant;
use noetl::sandbox::{InProcess, Limits, StepOutcome, StepRequest, StepRunner};
use noetl_tests::root;
use serde_json::{Value, json};

use crate::case::{Case, Kind};
use crate::expand;
use crate::expect::Outcome;

/// A runner with the tools `python` and `probe`.
pub struct Sandbox {
    runner: InProcess,
}

/// No tenant has any.
struct NoCredentials;

#[async_trait::async_trait]
impl postgres::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<postgres::Credential>> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
    }
}

/// A runner without tools.
pub fn runner(cache: &Path) -> anyhow::Result<InProcess> {
    let outside = Outside {
        pools: Pools::new(Arc::new(NoCredentials), PoolSettings::default()),
        http: http::Client::new(Arc::new(NoCredentials)),
    };
    InProcess::new(cache, outside)
}

/// The directory of the built tools.
pub fn components() -> PathBuf {
    std::env::var_os("NOETL_COMPONENTS")
        .map(PathBuf::from)
        .expect("NOETL_COMPONENTS names the tools; `make test` sets it")
}

/// The probe's file.
pub fn probe() -> PathBuf {
    components().join("test/probe.wasm")
}

/// A step of `tool`.
pub fn step(tool: &str, config: Value, args: Value, limits: Limits) -> StepRequest {
    StepRequest {
        tool: tool.into(),
        tenant: "default".into(),
        playbook: "attacks".into(),
        execution_id: uuid::Uuid::nil(),
        step: "attack".into(),
        config,
        args,
        grant: Arc::new(Grant::nothing()),
        capabilities: None,
        credentials: None,
        limits,
    }
}

impl Sandbox {
    pub fn new() -> Self {
        // Where the server keeps them too: python takes long to compile.
        let cache = std::env::var_os("NOETL_CACHE_DIR").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| std::env::temp_dir().join("noetl-attacks"));
        let mut runner = runner(&cache).expect("a runner");
        for (name, file) in [
            ("python", components().join("python.wasm")),
            ("probe", probe()),
        ] {
            runner.add_tool(name, &file).expect("the tool loads");
        }
        Self { runner }
    }

    /// Another step, right after the attack.
    pub async fn works(&self) -> Result<(), String> {
        let code = "def main(x): return x";
        let config = json!({"code": code, "file": "n.yaml", "line": 1});
        let request = step("python", config, json!({"x": 7}), Limits::default());
        match self.runner.run(request).await.result {
            Ok(result) if result == 7 => Ok(()),
            other => Err(format!("afterwards another step gives {other:?}")),
        }
    }
}

/// Runs a step or a component.
pub async fn attack(sandbox: &Sandbox, case: &Case) -> Outcome {
    let limits = case.limits();
    let args = expand::value(&json!(case.args));
    if case.kind == Kind::Step {
        let code = expand::text(case.code.as_deref().expect("a step has code"));
        let config = json!({"code": code, "file": "attack.yaml", "line": 1});
        return told(
            sandbox
                .runner
                .run(step("python", config, args, limits))
                .await,
        );
    }
    if let Some(config) = &case.probe {
        let config = expand::value(config);
        return told(
            sandbox
                .runner
                .run(step("probe", config, args, limits))
                .await,
        );
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("attack.wasm");
    std::fs::write(&file, component(case)).expect("a file can be written");
    let cache = place.path().join("cache");
    let mut runner = runner(&cache).expect("a runner");
    if let Err(error) = runner.add_tool("attack", &file) {
        return Outcome {
            seen: format!("{error:#}"),
            refused: true,
            ..Outcome::default()
        };
    }
    let config = json!({});
    told(runner.run(step("attack", config, args, limits)).await)
}

fn told(outcome: StepOutcome) -> Outcome {
    let seen = json!([outcome.result.as_ref().map_err(|e| json!(e)), outcome.log]).to_string();
    let (result, error) = match outcome.result {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(error)),
    };
    Outcome {
        seen,
        result,
        error,
        ..Outcome::default()
    }
}

fn component(case: &Case) -> Vec<u8> {
    let wat = |text: String| {
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.name))
    };
    if let Some(text) = &case.wat {
        wat(expand::text(text))
    } else if let Some(parts) = &case.parts {
        let frame = std::fs::read_to_string(root().join("tests/attacks/tool.wat"));
        let mut text = frame.expect("tool.wat is there");
        for (name, part) in parts {
            let begin = format!(";; {name}:");
            let end = format!(";; end of {name}");
            let from = text
                .find(&begin)
                .unwrap_or_else(|| panic!("no part {name}"));
            let to = from + text[from..].find(&end).expect("parts end");
            text.replace_range(from..to, &expand::text(part));
        }
        wat(text)
    } else if let Some(bytes) = &case.file {
        expand::bytes(bytes)
    } else if let Some(length) = case.probe_cut_at {
        let mut bytes = std::fs::read(probe()).expect("the probe is there");
        bytes.truncate(length);
        bytes
    } else {
        panic!(
            "{}: a component has wat, parts, file, probe or probe_cut_at",
            case.name
        )
    }
}
