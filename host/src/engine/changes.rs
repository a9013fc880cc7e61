//! Tells whoever watches that something has happened in an execution. What it was
//! is in the store.

use tokio::sync::broadcast::{self, Receiver, Sender};
use uuid::Uuid;

/// Something has happened.
#[derive(Debug, Clone)]
pub struct Change {
    /// The execution's tenant.
    pub tenant: String,
    /// The execution.
    pub id: Uuid,
    /// Whether it has started or ended.
    pub status: bool,
}

/// Changes that wait for a watcher that is busy. One that misses some is told so.
const WAITING: usize = 1024;

/// Tells of changes. Clones tell the same watchers.
#[derive(Debug, Clone)]
pub struct Changes(Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Changes {
    /// Everything that happens from now on.
    pub fn watch(&self) -> Receiver<Change> {
        self.0.subscribe()
    }

    /// To be called once the change is stored; `status` says that the execution has
    /// started or ended.
    pub fn tell(&self, tenant: &str, id: Uuid, status: bool) {
        if self.0.receiver_count() > 0 {
            let tenant = tenant.to_owned();
            // Watchers may have gone meanwhile.
            let _ = self.0.send(Change { tenant, id, status });
        }
    }
}
