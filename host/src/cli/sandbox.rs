//! The sandbox of a server, in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::capabilities::postgres::{self, PoolSettings, Pools};
use crate::capabilities::{Backend, Outside, http};
use crate::cli::cache::CacheOption;
use crate::grants::Grant;
use crate::sandbox::{InProcess, StepOutcome, StepRequest, StepRunner};

/// What a tool is called that is alone in it.
pub const TOOL: &str = "tool";

/// A sandbox whose tools reach nothing but what they are given.
pub struct Sandbox {
    runner: InProcess,
    /// How long compiling took; `None` if that had been done before.
    pub compiled: Option<Duration>,
}

impl Sandbox {
    /// Compiles and links components, each with its name and file, as a server does.
    ///
    /// # Errors
    /// If one can't be run.
    pub fn load(cache: &CacheOption, tools: &[(&str, &Path)]) -> anyhow::Result<Self> {
        let outside = Outside {
            pools: Pools::new(Arc::new(NoCredentials), PoolSettings::default()),
            http: http::Client::new(Arc::new(NoCredentials)),
        };
        let mut runner = InProcess::new(&cache.directory()?, outside)?;
        let began = Instant::now();
        let mut cached = true;
        for (name, component) in tools {
            cached &= runner.add_tool(name, component)?.cached;
        }
        let compiled = (!cached).then(|| began.elapsed());
        Ok(Self { runner, compiled })
    }

    /// What the tool says of its own shapes, if it does.
    ///
    /// # Errors
    /// If asking it fails.
    pub async fn describe(&self) -> anyhow::Result<Option<String>> {
        self.runner.describe(TOOL).await
    }

    /// Runs a step; `backend` answers its calls.
    pub async fn run(&self, request: StepRequest, backend: Box<dyn Backend>) -> StepOutcome {
        self.runner.run_with(request, backend).await
    }

    /// Runs a step that has nothing but its arguments.
    pub async fn run_alone(&self, mut request: StepRequest) -> StepOutcome {
        request.grant = Arc::new(Grant::nothing());
        self.runner.run(request).await
    }
}

struct NoCredentials;

#[async_trait]
impl postgres::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<postgres::Credential>> {
        Ok(None)
    }
}

#[async_trait]
impl http::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
    }
}
