//! The catalog: playbooks go in checked, and come out ready to run.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::App;
use crate::access::Principal;
use crate::api::answer::Problem;
use crate::engine::Plan;
use crate::playbook::{self, Diagnostics, Playbook};
use crate::store::Upload;

/// Playbooks that are kept ready to run.
const PLANS: NonZeroUsize = NonZeroUsize::new(500).expect("not zero");

/// Playbooks that are parsed at once.
const PARSING: usize = 2;

/// Tenant, path, version.
type Name = (String, String, i32);

pub(super) struct Plans {
    ready: Mutex<LruCache<Name, Arc<Plan>>>,
    parsing: Semaphore,
}

impl Default for Plans {
    fn default() -> Self {
        Self {
            ready: Mutex::new(LruCache::new(PLANS)),
            parsing: Semaphore::new(PARSING),
        }
    }
}

impl Plans {
    fn ready(&self) -> MutexGuard<'_, LruCache<Name, Arc<Plan>>> {
        self.ready.lock().expect("no panic while it is held")
    }
}

/// A playbook's file.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in messages.
    #[serde(default = "playbook_yaml")]
    pub file: String,
    /// Its YAML text.
    pub content: String,
}

fn playbook_yaml() -> String {
    "playbook.yaml".into()
}

/// A playbook that the catalog has taken.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Registered {
    /// Its path.
    pub path: String,
    /// The version that has this text, from 1.
    pub version: i32,
}

/// A playbook that the catalog would take.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Validated {
    /// Its path.
    pub path: String,
    /// Its name.
    pub name: String,
}

/// Why playbooks were not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// They have mistakes.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// The caller may not touch this path.
    #[error("the API key is not for the path `{0}`")]
    Forbidden(String),
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
}

impl App {
    /// Checks playbooks and adds them to the catalog: all of them or, if one can't
    /// be taken, none.
    ///
    /// # Errors
    /// If one has mistakes or asks for what its tenant may not have, or the store
    /// fails.
    pub async fn register(
        &self,
        principal: &Principal,
        files: &[File],
    ) -> Result<Vec<Registered>, RegisterError> {
        let playbooks = self.check(principal, files).await?;
        let uploads: Vec<Upload<'_>> = playbooks
            .iter()
            .zip(files)
            .map(|(playbook, file)| Upload {
                path: &playbook.path,
                name: &playbook.name,
                file: &file.file,
                content: &file.content,
            })
            .collect();
        let by = Some(principal.subject.as_str());
        let store = &self.inner.store;
        let versions = store.put_playbooks(&principal.tenant, by, &uploads).await?;
        Ok(uploads
            .iter()
            .zip(versions)
            .map(|(upload, version)| Registered {
                path: upload.path.into(),
                version,
            })
            .collect())
    }

    /// Checks playbooks as [`App::register`] does, and stores nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn validate(
        &self,
        principal: &Principal,
        files: &[File],
    ) -> Result<Vec<Validated>, RegisterError> {
        let playbooks = self.check(principal, files).await?;
        Ok(playbooks
            .into_iter()
            .map(|playbook| Validated {
                path: playbook.path,
                name: playbook.name,
            })
            .collect())
    }

    async fn check(
        &self,
        principal: &Principal,
        files: &[File],
    ) -> Result<Vec<Playbook>, RegisterError> {
        let tenant = &principal.tenant;
        let grant = self.inner.grants.of(tenant);
        let mut playbooks = Vec::new();
        let mut mistakes = Vec::new();
        for file in files {
            let parsed = self.parse(tenant, &file.file, &file.content).await;
            match parsed.and_then(|p| p.check_grant(tenant, &grant).map(|()| p)) {
                Ok(playbook) if !principal.may_use(&playbook.path) => {
                    return Err(RegisterError::Forbidden(playbook.path));
                }
                Ok(playbook) => playbooks.push(playbook),
                Err(Diagnostics(found)) => mistakes.extend(found),
            }
        }
        if mistakes.is_empty() {
            mistakes = self.check_callees(principal, &playbooks).await?;
        }
        match mistakes.is_empty() {
            true => Ok(playbooks),
            false => Err(RegisterError::Invalid(Diagnostics(mistakes))),
        }
    }

    /// A version of a playbook, ready to run. It may have been removed meanwhile.
    pub(crate) async fn plan(
        &self,
        tenant: &str,
        path: &str,
        version: i32,
    ) -> Result<Arc<Plan>, Box<Problem>> {
        let name = (tenant.to_owned(), path.to_owned(), version);
        if let Some(plan) = self.inner.plans.ready().get(&name) {
            return Ok(Arc::clone(plan));
        }
        let store = &self.inner.store;
        let stored = store
            .playbook(tenant, path, Some(version), true)
            .await
            .map_err(Problem::store)?
            .ok_or_else(|| Problem::no_playbook(path))?;
        let playbook = self
            .parse(tenant, &stored.file, &stored.content)
            .await
            .map_err(|e| Problem::invalid_playbook(&e))?;
        let plan = Arc::new(Plan::new(playbook));
        self.inner.plans.ready().put(name, Arc::clone(&plan));
        Ok(plan)
    }

    /// A large playbook takes a while, in which this thread can't serve others.
    pub(super) async fn parse(
        &self,
        tenant: &str,
        file: &str,
        text: &str,
    ) -> Result<Playbook, Diagnostics> {
        let parsing = &self.inner.plans.parsing;
        let _turn = parsing.acquire().await.expect("never closed");
        let (file, text) = (file.to_owned(), text.to_owned());
        let tools = self.inner.engine.tools(tenant);
        let parsing = move || playbook::parse(&file, &text, &tools);
        match tokio::task::spawn_blocking(parsing).await {
            Ok(parsed) => parsed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
