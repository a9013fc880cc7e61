//! What a case foresees of the tool's calls, and what was called otherwise.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::cases::Case;
use super::http::{self, Exchange};
use super::postgres::{self, Statement};
use crate::capabilities::{Backend, Call, Reply};
use crate::tool::{Hosts, Manifest};

/// A tool that never ends would fill the report.
const FAULTS: usize = 10;

/// One case while it runs. Clones are of the same one.
#[derive(Clone)]
pub struct Scene {
    inner: Arc<Mutex<Inner>>,
    rights: Arc<Rights>,
}

struct Inner {
    statements: VecDeque<Statement>,
    exchanges: VecDeque<Exchange>,
    /// Bodies of answers that the tool has not read to their end.
    bodies: HashMap<u32, Vec<u8>>,
    handles: u32,
    faults: Vec<String>,
}

/// What a server would let the tool reach.
pub struct Rights {
    manifest: Manifest,
    /// The one credential that the step names.
    auth: Option<String>,
}

impl Rights {
    /// Of a tool in a step with this configuration.
    pub fn of(manifest: &Manifest, config: &Value) -> Self {
        Self {
            manifest: manifest.clone(),
            auth: config["auth"].as_str().map(str::to_owned),
        }
    }

    /// Whether the tool may use PostgreSQL with this credential.
    ///
    /// # Errors
    /// Why not.
    pub fn postgres(&self, alias: &str) -> Result<(), String> {
        match self.manifest.capabilities.postgres {
            true => self.credential(alias),
            false => Err("the tool's manifest does not ask for PostgreSQL".into()),
        }
    }

    /// Whether the tool may send a request to this URL.
    ///
    /// # Errors
    /// Why not.
    pub fn http(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        match &self.manifest.capabilities.http {
            Hosts::Only(hosts) if !hosts.iter().any(|asked| asked.covers(url)) => Err(format!(
                "the tool's manifest does not ask for the host `{host}`"
            )),
            _ => Ok(()),
        }
    }

    /// Whether the tool may use a credential.
    ///
    /// # Errors
    /// Why not.
    pub fn credential(&self, alias: &str) -> Result<(), String> {
        match &self.auth {
            Some(auth) if auth != alias => Err(format!(
                "there is no credential `{alias}`, or this step may not use it"
            )),
            _ => Ok(()),
        }
    }
}

impl Scene {
    /// Before the case begins.
    pub fn new(case: &Case, rights: Rights) -> Self {
        let inner = Inner {
            statements: case.statements.iter().cloned().collect(),
            exchanges: case.exchanges.iter().cloned().collect(),
            bodies: HashMap::new(),
            handles: 0,
            faults: Vec::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            rights: Arc::new(rights),
        }
    }

    /// Who answers the tool's calls.
    pub fn backend(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    /// What a server would let the tool reach.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// A handle that no other call was given.
    pub fn handle(&self) -> u32 {
        let mut inner = self.lock();
        inner.handles += 1;
        inner.handles
    }

    /// The statement that comes next.
    pub fn next_statement(&self) -> Option<Statement> {
        self.lock().statements.pop_front()
    }

    /// The request that comes next.
    pub fn next_exchange(&self) -> Option<Exchange> {
        self.lock().exchanges.pop_front()
    }

    /// Keeps an answer's body until the tool has read it; its handle.
    pub fn body(&self, bytes: Vec<u8>) -> u32 {
        let handle = self.handle();
        self.lock().bodies.insert(handle, bytes);
        handle
    }

    /// The next bytes of a body, at most so many; none at its end.
    pub fn read(&self, body: u32, most: usize) -> Vec<u8> {
        let mut inner = self.lock();
        let Some(bytes) = inner.bodies.get_mut(&body) else {
            return Vec::new();
        };
        let rest = bytes.split_off(most.min(bytes.len()));
        std::mem::replace(bytes, rest)
    }

    /// Forgets a body.
    pub fn close(&self, body: u32) {
        self.lock().bodies.remove(&body);
    }

    /// Notes something that the case does not foresee.
    pub fn fault(&self, fault: String) {
        let mut inner = self.lock();
        if inner.faults.len() < FAULTS {
            inner.faults.push(fault);
        }
    }

    /// What was called otherwise, and what was not called at all.
    pub fn faults(&self) -> Vec<String> {
        let inner = self.lock();
        let mut faults = inner.faults.clone();
        for (left, what) in [
            (inner.statements.len(), "statement"),
            (inner.exchanges.len(), "request"),
        ] {
            match left {
                0 => {}
                1 => faults.push(format!("the last {what} of the case was not sent")),
                left => faults.push(format!("the last {left} {what}s of the case were not sent")),
            }
        }
        faults
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while it is held")
    }
}

#[async_trait]
impl Backend for Scene {
    async fn call(&mut self, call: Call) -> Reply {
        match call {
            Call::Postgres(call) => Reply::Postgres(postgres::call(self, call)),
            Call::Http(call) => Reply::Http(http::call(self, call)),
        }
    }
}
