//! What tools made of configurations, so that the next step starts faster.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use lru::LruCache;

/// Configurations kept at once, and the bytes that one may have before and after
/// it is prepared: the cache holds 320 MiB at the very most.
const ENTRIES: NonZeroUsize = NonZeroUsize::new(1000).expect("not zero");
const CONFIG_BYTES: usize = 64 << 10;
const PREPARED_BYTES: usize = 256 << 10;

/// A tool's configuration. The tenant belongs to it: what the code of one tenant
/// made is never given to another's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: String,
    pub(super) tool: String,
    pub(super) config: String,
}

/// Prepared configurations, the last used ones.
pub(super) struct PreparedCache(Mutex<LruCache<Key, Prepared>>);

/// `None` if the tool could make nothing of it: it will say why when it runs.
type Prepared = Option<Arc<[u8]>>;

impl PreparedCache {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(ENTRIES)))
    }

    /// What is known of a configuration, if anything is.
    pub(super) fn get(&self, key: &Key) -> Option<Prepared> {
        self.lock().get(key).cloned()
    }

    /// Keeps what a tool made of a configuration, unless it is too large.
    pub(super) fn put(&self, key: Key, prepared: Prepared) {
        let prepared = prepared.filter(|bytes| bytes.len() <= PREPARED_BYTES);
        self.lock().put(key, prepared);
    }

    /// Whether a configuration is small enough to be kept.
    pub(super) fn takes(config: &str) -> bool {
        config.len() <= CONFIG_BYTES
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Key, Prepared>> {
        self.0.lock().expect("no panic while it is held")
    }
}
