//! The runner whose instances live in this process.

use std::path::Path;

use super::compile::Compiler;
use super::components::{ComponentCache, Loaded};
use super::instances::Instances;
use super::job::Job;
use super::runtime::{engine, error, tick};
use super::{StepOutcome, StepRequest, StepRunner};
use crate::capabilities::{Backend, Outside};
use async_trait::async_trait;

/// Runs steps in this process: for benchmarks, and for tests of the sandbox's
/// first wall. A server has [`super::Workers`].
pub struct InProcess {
    instances: Instances,
    cache: ComponentCache,
    outside: Outside,
}

impl InProcess {
    /// A runner without tools, whose compiled components lie in `cache_dir`, and
    /// whose steps reach what is granted to them of `outside`.
    ///
    /// # Errors
    /// If the machine can't reserve the address space, or the cache is unsafe.
    pub fn new(cache_dir: &Path, outside: Outside) -> anyhow::Result<Self> {
        let engine = engine().map_err(error)?;
        tick(&engine)?;
        Ok(Self {
            instances: Instances::new(&engine).map_err(error)?,
            cache: ComponentCache::open(&engine, cache_dir, Compiler::Here)?,
            outside,
        })
    }

    /// Adds the tool `name`, the component in the file `wasm`.
    ///
    /// # Errors
    /// If it is no component, imports what no tool can have, or is no tool.
    pub fn add_tool(&mut self, name: &str, wasm: &Path) -> anyhow::Result<Loaded> {
        let loaded = self.cache.load(wasm)?;
        self.instances
            .add(name, &loaded.component)
            .map_err(|e| e.context(format!("can't use {}", wasm.display())))?;
        Ok(loaded)
    }

    /// What the tool `name` says of its own shapes, a JSON text, if it has the
    /// function `describe`.
    ///
    /// # Errors
    /// If there is no such tool, or its function breaks or takes too long.
    pub async fn describe(&self, name: &str) -> anyhow::Result<Option<String>> {
        self.instances.describe(name).await
    }

    /// Runs a step whose calls `backend` answers, in place of what its tenant has.
    pub async fn run_with(&self, request: StepRequest, backend: Box<dyn Backend>) -> StepOutcome {
        let limits = request.limits;
        let done = self.instances.run(Job::from(&request), backend).await;
        done.admit(limits)
    }

    /// An instance of the tool `name` that has not been called, for benchmarks.
    /// It lives until it is dropped.
    ///
    /// # Errors
    /// If there is no such tool, or no room for one more instance.
    pub async fn instantiate(&self, name: &str) -> anyhow::Result<impl Send + use<>> {
        self.instances.instantiate(name).await
    }
}

#[async_trait]
impl StepRunner for InProcess {
    async fn run(&self, request: StepRequest) -> StepOutcome {
        let outside = Box::new(self.outside.step(request.scope()));
        self.run_with(request, outside).await
    }
}
