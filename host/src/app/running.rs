//! The executions that this process runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// They are in it from before the store knows them until after their end is stored.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Uuid, CancellationToken>>>);

/// An execution that runs, until this is dropped.
pub(super) struct Place {
    running: Running,
    pub id: Uuid,
    pub cancel: CancellationToken,
}

impl Running {
    /// Adds an execution; `None` if it runs already.
    pub fn enter(&self, id: Uuid) -> Option<Place> {
        let cancel = CancellationToken::new();
        let mut running = self.lock();
        if running.contains_key(&id) {
            return None;
        }
        running.insert(id, cancel.clone());
        Some(Place {
            running: self.clone(),
            id,
            cancel,
        })
    }

    /// Ends an execution, if it runs here.
    pub fn cancel(&self, id: Uuid) {
        if let Some(cancel) = self.lock().get(&id) {
            cancel.cancel();
        }
    }

    pub fn ids(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, CancellationToken>> {
        self.0.lock().expect("no panic while it is held")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}
