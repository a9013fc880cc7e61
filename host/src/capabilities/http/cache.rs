//! Answers that are kept for steps that can do with an older one, each tenant's
//! for itself.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lru::LruCache;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap};
use tokio::sync::OwnedMutexGuard;
use tokio_util::bytes::Bytes;

use super::hop::Hop;

/// Tenants that have answers kept.
const TENANTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Answers of one tenant.
const ENTRIES: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// The longest body that is kept, in bytes.
pub(super) const BODY_BYTES: usize = 256 << 10;
/// The bodies of one tenant, in bytes.
const TENANT_BYTES: usize = 4 << 20;

/// What an answer is to: a GET of this URL with these headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    tenant: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
}

/// An answer with status 200.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub since: Instant,
}

/// The answers of all tenants.
#[derive(Default)]
pub(super) struct Cache {
    tenants: Mutex<Option<LruCache<String, Tenant>>>,
    turns: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

struct Tenant {
    entries: LruCache<Key, Kept>,
    bytes: usize,
}

/// The right to fetch what is not there: of those who want the same, one has it.
pub(super) struct Turn<'c> {
    cache: &'c Cache,
    key: &'c Key,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Key {
    /// The key of a request whose answer may be kept.
    pub fn of(tenant: &str, hop: &Hop) -> Option<Self> {
        let is_personal = hop.credential.is_some()
            || hop.headers.contains_key(AUTHORIZATION)
            || hop.headers.contains_key(COOKIE);
        if hop.method != Method::GET || !hop.body.is_empty() || is_personal {
            return None;
        }
        let header =
            |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                (name.to_string(), value.as_bytes().to_owned())
            };
        let mut headers: Vec<_> = hop.headers.iter().map(header).collect();
        headers.sort_unstable();
        Some(Self {
            tenant: tenant.to_owned(),
            url: hop.url.to_string(),
            headers,
        })
    }
}

/// Whether the server allows its answer to be kept.
pub(super) fn may_keep(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    !words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-store"))
}

impl Cache {
    /// The answer, if it is not older than this.
    pub fn get(&self, key: &Key, max_age: Duration) -> Option<Kept> {
        let mut tenants = self.tenants.lock().expect("no panic while held");
        let kept = tenants.as_mut()?.get_mut(&key.tenant)?.entries.get(key)?;
        (kept.since.elapsed() <= max_age).then(|| kept.clone())
    }

    /// Keeps an answer, in place of what has not been used for longest.
    pub fn put(&self, key: Key, kept: Kept) {
        if kept.body.len() > BODY_BYTES {
            return;
        }
        let mut tenants = self.tenants.lock().expect("no panic while held");
        let tenants = tenants.get_or_insert_with(|| LruCache::new(TENANTS));
        let tenant = tenants.get_or_insert_mut(key.tenant.clone(), || Tenant {
            entries: LruCache::new(ENTRIES),
            bytes: 0,
        });
        tenant.bytes += kept.body.len();
        if let Some((_, old)) = tenant.entries.push(key, kept) {
            tenant.bytes -= old.body.len();
        }
        while tenant.bytes > TENANT_BYTES
            && let Some((_, old)) = tenant.entries.pop_lru()
        {
            tenant.bytes -= old.body.len();
        }
    }

    /// Waits until nobody else fetches the same.
    pub async fn turn<'c>(&'c self, key: &'c Key) -> Turn<'c> {
        let turn = {
            let mut turns = self.turns.lock().expect("no panic while held");
            Arc::clone(turns.entry(key.clone()).or_default())
        };
        // Made first, so that it is cleared away also if nobody waits any more.
        let mut mine = Turn {
            cache: self,
            key,
            guard: None,
        };
        mine.guard = Some(turn.lock_owned().await);
        mine
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut turns = self.cache.turns.lock().expect("no panic while held");
        if turns
            .get(self.key)
            .is_some_and(|turn| Arc::strong_count(turn) == 1)
        {
            turns.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;

    fn hop(method: &str, url: &str, headers: &[(&str, &str)]) -> Hop {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Hop::first(Request {
            method: method.into(),
            url: url.into(),
            headers: headers.iter().map(header).collect(),
            ..Request::default()
        })
        .unwrap()
    }

    fn key(tenant: &str, number: usize) -> Key {
        Key::of(
            tenant,
            &hop("GET", &format!("http://a.example/{number}"), &[]),
        )
        .unwrap()
    }

    fn kept(bytes: usize) -> Kept {
        Kept {
            headers: Vec::new(),
            body: vec![7; bytes].into(),
            since: Instant::now(),
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_tenant_has_its_own_answers_and_so_much_of_them() {
        let cache = Cache::default();
        assert!(cache.get(&key("t", 0), HOUR).is_none());
        cache.put(key("t", 0), kept(1));
        assert!(cache.get(&key("t", 0), HOUR).is_some());
        assert!(cache.get(&key("u", 0), HOUR).is_none());
        for number in 1..=ENTRIES.get() {
            cache.put(key("t", number), kept(1));
        }
        assert!(
            cache.get(&key("t", 0), HOUR).is_none(),
            "the oldest is gone"
        );
        for number in 0..32 {
            cache.put(key("t", number), kept(BODY_BYTES));
        }
        let left = (0..32).filter(|number| cache.get(&key("t", *number), HOUR).is_some());
        assert_eq!(left.count(), TENANT_BYTES / BODY_BYTES);
        cache.put(key("u", 1), kept(BODY_BYTES + 1));
        assert!(cache.get(&key("u", 1), HOUR).is_none(), "it is too long");
    }

    #[test]
    fn an_answer_that_is_kept_again_counts_once() {
        let cache = Cache::default();
        for _ in 0..100 {
            cache.put(key("t", 0), kept(BODY_BYTES));
        }
        cache.put(key("t", 1), kept(1));
        assert!(cache.get(&key("t", 0), HOUR).is_some());
    }

    #[test]
    fn an_answer_that_is_too_old_is_none() {
        let cache = Cache::default();
        let mut old = kept(1);
        old.since -= Duration::from_secs(10);
        cache.put(key("t", 0), old);
        assert!(cache.get(&key("t", 0), Duration::from_secs(9)).is_none());
        assert!(cache.get(&key("t", 0), Duration::from_secs(3600)).is_some());
    }

    #[test]
    fn only_what_anybody_would_get_is_kept() {
        let of = |hop: Hop| Key::of("t", &hop);
        let url = "http://a.example/";
        let plain = of(hop("GET", url, &[])).unwrap();
        let json = of(hop("GET", url, &[("accept", "application/json")])).unwrap();
        assert_ne!(plain, json);
        assert!(of(hop("POST", url, &[])).is_none());
        assert!(of(hop("HEAD", url, &[])).is_none());
        assert!(of(hop("GET", url, &[("Authorization", "x")])).is_none());
        assert!(of(hop("GET", url, &[("Cookie", "x")])).is_none());
        let mut headers = HeaderMap::new();
        assert!(may_keep(&headers));
        headers.insert(CACHE_CONTROL, "private, No-Store".parse().unwrap());
        assert!(!may_keep(&headers));
    }

    #[tokio::test]
    async fn turns_leave_nothing_behind() {
        let cache = Cache::default();
        let key = key("t", 0);
        let first = cache.turn(&key).await;
        // Somebody who waits and gives up.
        let gives_up = tokio::time::timeout(Duration::ZERO, cache.turn(&key)).await;
        assert!(gives_up.is_err());
        assert_eq!(cache.turns.lock().unwrap().len(), 1);
        drop(first);
        assert_eq!(cache.turns.lock().unwrap().len(), 0);
    }
}
