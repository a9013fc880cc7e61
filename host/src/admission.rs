//! How many executions are accepted at once, in total and of each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::metrics::Metrics;

/// Executions that run at once; more are turned away before anything is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionCounts {
    /// All together.
    pub executions: usize,
    /// Those of one tenant.
    pub tenant_executions: usize,
}

impl Default for ExecutionCounts {
    fn default() -> Self {
        Self {
            executions: 512,
            tenant_executions: 256,
        }
    }
}

/// Counts the executions that run.
pub struct Admission {
    limits: ExecutionCounts,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    all: usize,
    tenants: HashMap<String, usize>,
}

/// The right to one execution, until it is dropped.
pub struct Admitted {
    admission: Arc<Admission>,
    tenant: String,
}

/// Why there was no such right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The tenant has as many executions as it may, this number.
    Tenant(usize),
    /// The server has, this number.
    Server(usize),
}

impl Admission {
    /// Nothing runs yet.
    pub fn new(limits: ExecutionCounts) -> Arc<Self> {
        Arc::new(Self {
            limits,
            running: Mutex::default(),
        })
    }

    /// Takes in one more execution of `tenant`.
    ///
    /// # Errors
    /// If there are as many as there may be.
    pub fn admit(self: &Arc<Self>, tenant: &str) -> Result<Admitted, Full> {
        let mut running = self.lock();
        let of_tenant = running.tenants.get(tenant).copied().unwrap_or_default();
        if of_tenant >= self.limits.tenant_executions {
            return Err(Full::Tenant(self.limits.tenant_executions));
        }
        if running.all >= self.limits.executions {
            return Err(Full::Server(self.limits.executions));
        }
        running.all += 1;
        running.tenants.insert(tenant.into(), of_tenant + 1);
        Ok(Admitted {
            admission: Arc::clone(self),
            tenant: tenant.into(),
        })
    }

    /// How many executions each tenant has.
    pub fn watch(self: &Arc<Self>, metrics: &Metrics) {
        let admission = Arc::clone(self);
        metrics.watch("executions_running", "Executions that run now", move || {
            let running = admission.lock();
            let tenants = running.tenants.iter();
            tenants
                .map(|(tenant, count)| (vec![("tenant", tenant.clone())], *count as f64))
                .collect()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().expect("no panic while it is held")
    }
}

impl Admitted {
    /// The tenant that it is for.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut running = self.admission.lock();
        running.all -= 1;
        if let Some(count) = running.tenants.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                running.tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_reaches_its_own_limit_before_the_servers() {
        let admission = Admission::new(ExecutionCounts {
            executions: 3,
            tenant_executions: 2,
        });
        let a = admission.admit("a").unwrap();
        let _second = admission.admit("a").unwrap();
        assert_eq!(admission.admit("a").err(), Some(Full::Tenant(2)));
        let b = admission.admit("b").unwrap();
        assert_eq!(admission.admit("c").err(), Some(Full::Server(3)));
        drop(a);
        assert!(admission.admit("c").is_ok());
        assert!(admission.admit("a").is_ok());
        drop(b);
        assert_eq!(
            admission.lock().tenants.len(),
            1,
            "idle tenants are forgotten"
        );
    }
}
