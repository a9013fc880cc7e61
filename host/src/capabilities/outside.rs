//! What steps reach outside of the sandbox, and who answers the calls of one step.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::http::{self, Http};
use super::postgres::{Pools, Postgres};
use super::{Backend, Call, Reply};
use crate::grants::{Caller, Grant};
use crate::limits::Limits;
use crate::tool::Capabilities;

/// What all steps reach outside through. Clones share it.
#[derive(Debug, Clone)]
pub struct Outside {
    /// To PostgreSQL.
    pub pools: Pools,
    /// To HTTP servers.
    pub http: http::Client,
}

/// What one step may reach, and for how long.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Who is to be named when something is denied.
    pub caller: Caller,
    /// What its tenant was granted.
    pub grant: Arc<Grant>,
    /// What its tool's manifest asks for; the whole grant, if it has none.
    pub capabilities: Option<Arc<Capabilities>>,
    /// The only credentials that it may use of those that are granted, by alias.
    pub credentials: Option<Arc<[String]>>,
    /// How much it may use.
    pub limits: Limits,
    /// When it is over: no call outlives that.
    pub deadline: Instant,
}

/// Who answers the calls of one step.
pub struct Step {
    postgres: Postgres,
    http: Http,
}

impl Outside {
    /// Who answers the calls of a step.
    pub fn step(&self, scope: Scope) -> Step {
        let scope = Arc::new(scope);
        Step {
            postgres: Postgres::new(self.pools.clone(), Arc::clone(&scope)),
            http: Http::new(self.http.clone(), scope),
        }
    }
}

impl Scope {
    /// Whether the step may use the credential with this alias, if there is one.
    pub(super) fn may_use(&self, alias: &str) -> bool {
        let named = |aliases: &Arc<[String]>| aliases.iter().any(|named| named == alias);
        self.grant.credentials.allows(alias) && self.credentials.as_ref().is_none_or(named)
    }
}

#[async_trait]
impl Backend for Step {
    async fn call(&mut self, call: Call) -> Reply {
        match call {
            Call::Postgres(call) => Reply::Postgres(self.postgres.call(call).await),
            Call::Http(call) => Reply::Http(self.http.call(call).await),
        }
    }
}
