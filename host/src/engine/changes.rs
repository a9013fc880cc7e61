//! Tells whoever watches that something has happened in an execution. What it was
//! is in the store.

use tokio::sync::broadcast::error::RecvError;
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
    pub fn watch(&self) -> Watcher {
        Watcher(self.0.subscribe())
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

/// Hears of changes.
#[derive(Debug)]
pub struct Watcher(Receiver<Change>);

impl Watcher {
    /// Waits for the next change that is `wanted`; `None` if changes were missed,
    /// of which one may have been.
    pub async fn next(&mut self, wanted: impl Fn(&Change) -> bool) -> Option<Change> {
        loop {
            match self.0.recv().await {
                Ok(change) if wanted(&change) => return Some(change),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return None,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_hears_what_it_wants_or_that_it_missed_something() {
        let changes = Changes::default();
        let mut watcher = changes.watch();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        changes.tell("a", other, true);
        changes.tell("a", one, false);
        changes.tell("a", one, true);
        let heard = watcher.next(|change| change.id == one && change.status);
        assert_eq!(heard.await.map(|change| change.status), Some(true));
        for _ in 0..=WAITING {
            changes.tell("a", other, true);
        }
        assert!(watcher.next(|change| change.id == one).await.is_none());
    }
}
