//! Dependencies that are lost alone, and a tier that goes back to an earlier state.

use super::{MemoryStore, lock, tier::Tier};
use crate::News;

/// Everything that a [`MemoryStore`] held at one moment: what a server finds after a restart from an old snapshot, or on a
/// replica that lagged.
///
/// See [`MemoryStore::restore`] for an example.
#[derive(Clone, Debug)]
pub struct Snapshot(Tier);

impl MemoryStore {
    /// What the tier holds now.
    ///
    /// See [`restore`](Self::restore) for an example.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(lock(&self.shared.tier).clone())
    }

    /// Goes back to an earlier state, with all that was stored and invalidated since undone. Lives go on ending when they
    /// would have. Everybody who listens is told [`News::Rewound`].
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Invalidation, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let before = store.patterns().await?;
    /// let snapshot = store.snapshot();
    /// store.invalidate(&Invalidation::Pattern("user:*".into())).await?;
    /// store.restore(&snapshot);
    /// assert_eq!(store.patterns().await?, before);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut tier = lock(&self.shared.tier);
        *tier = snapshot.0.clone();
        self.tell(News::Rewound);
        drop(tier);
        self.shared.changed.notify_waiters();
    }

    /// Loses one key's dependency but not its value, as an eviction may.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Query, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// store.evict_dependency("user:42");
    /// let query = Query { key: "user:42", tags: &[], pattern: true, life: false };
    /// assert!(store.read(query).await?.key_nonce.is_none());
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn evict_dependency(&self, key: &str) {
        self.step(|tier, _| tier.remove_dependency(key));
    }

    /// Loses one tag's nonce but not the tag log, as an eviction may.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// store.evict_tag("user");
    /// assert_eq!(store.tag_nonces(&["user".into()]).await?, [None]);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn evict_tag(&self, tag: &str) {
        self.step(|tier, _| tier.evict_tag(tag));
    }

    /// Loses what was announced of a tag's changes, as an eviction may.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Claim, ClaimOutcome, Life, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (store, tags) = (MemoryStore::new(), ["user".to_owned()]);
    /// store.begin_tags(&tags, Nonce::random()?, Duration::from_secs(30)).await?;
    /// store.evict_changes("user");
    /// let claim = Claim {
    ///     key: "user:42", tags: &tags, lease: None, refused: &[], known: None, tag_log: false,
    ///     dependency_life: Life::Forever,
    /// };
    /// assert!(matches!(store.claim(claim).await?.outcome, ClaimOutcome::Load(_)));
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn evict_changes(&self, tag: &str) {
        self.step(|tier, _| tier.changes.lose(tag));
    }
}
