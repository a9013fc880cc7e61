//! Where what happens is kept.

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::{Finished, RecordError, Store, StoredEvent};

/// Keeps what happens in executions.
#[async_trait]
pub trait Recorder: Send + Sync {
    /// Adds events to an execution and, with the last of them, its end. Returns whether
    /// somebody wants it to be cancelled.
    ///
    /// # Errors
    /// They can't be kept.
    async fn record(
        &self,
        tenant: &str,
        id: Uuid,
        events: &[StoredEvent],
        finished: Option<&Finished>,
    ) -> Result<bool, RecordError>;
}

#[async_trait]
impl Recorder for Store {
    async fn record(
        &self,
        tenant: &str,
        id: Uuid,
        events: &[StoredEvent],
        finished: Option<&Finished>,
    ) -> Result<bool, RecordError> {
        Store::record(self, tenant, id, events, finished).await
    }
}
