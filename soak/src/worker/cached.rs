//! The annotated functions, as a service would have them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use larder::{cache_aside, cache_invalidate, stampede_protect, write_through};

use super::source::{Lost, Source, body};
use crate::world::{Row, Subject};

/// How long entries live: what a writer that was killed left behind is gone after this.
pub(crate) const TTL: Duration = Duration::from_secs(6);
/// How long the lock of a load outlives a process that was killed, and how long others wait for it.
pub(crate) const LOCK: Duration = Duration::from_secs(1);

#[cache_aside(
    key = "item:{shelf}:{n}", ttl = TTL, tags = ["shelf:{shelf}", "group:{value.group}"], skip(source)
)]
pub(crate) async fn item(source: &Source, shelf: u16, n: u16) -> Result<Row, Lost> {
    source.row(Subject::item(n)).await
}

/// The same entries, asked of Redis each time.
#[cache_aside(
    key = "item:{shelf}:{n}", ttl = TTL, tags = ["shelf:{shelf}", "group:{value.group}"],
    layer = "shared", skip(source)
)]
pub(crate) async fn item_strictly(source: &Source, shelf: u16, n: u16) -> Result<Row, Lost> {
    source.row(Subject::item(n)).await
}

/// The same entries, for callers that are not async.
#[cache_aside(
    key = "item:{shelf}:{n}", ttl = TTL, tags = ["shelf:{shelf}", "group:{value.group}"], skip(source)
)]
pub(crate) fn item_sync(source: &Source, shelf: u16, n: u16) -> Result<Row, Lost> {
    source.row_blocking(Subject::item(n))
}

#[stampede_protect(
    key = "guarded:{n}", ttl = TTL, tags = ["group:{value.group}"], lock_ttl = "1s", skip(source)
)]
pub(crate) async fn guarded(source: &Source, n: u16) -> Result<Row, Lost> {
    source.row(Subject::one_guarded(n)).await
}

#[stampede_protect(
    key = "guarded:{n}", ttl = TTL, tags = ["group:{value.group}"], lock_ttl = "1s",
    layer = "shared", skip(source)
)]
pub(crate) async fn guarded_strictly(source: &Source, n: u16) -> Result<Row, Lost> {
    source.row(Subject::one_guarded(n)).await
}

#[cache_aside(key = "list:{n}", ttl = TTL, skip(source))]
pub(crate) async fn list(source: &Source, n: u16) -> Result<Row, Lost> {
    source.row(Subject::list(n)).await
}

#[cache_aside(key = "list:{n}", ttl = TTL, layer = "shared", skip(source))]
pub(crate) async fn list_strictly(source: &Source, n: u16) -> Result<Row, Lost> {
    source.row(Subject::list(n)).await
}

#[cache_aside(key = "quiet:{n}", ttl = TTL, skip(source))]
pub(crate) async fn quiet(source: &Source, n: u16) -> Result<Row, Lost> {
    source.row(Subject::quiet(n)).await
}

/// Keys that nobody has asked for before.
#[cache_aside(key = "new:{worker}:{n}", ttl = TTL, skip(source))]
pub(crate) async fn new(source: &Source, worker: u8, n: u64) -> Result<Row, Lost> {
    source.row(Subject::item(n as u16)).await
}

/// What one call of a writer commits, and what it has committed when its caller goes away.
pub(crate) struct Write<'a> {
    pub(crate) source: &'a Source,
    pub(crate) subjects: Vec<Subject>,
    /// Whether the body says in the end that it failed.
    pub(crate) fails: bool,
    committed: Mutex<Vec<(Subject, u64)>>,
}

impl<'a> Write<'a> {
    pub(crate) fn new(source: &'a Source, subjects: Vec<Subject>) -> Self {
        Self { source, subjects, fails: false, committed: Mutex::default() }
    }

    pub(crate) fn committed(&self) -> Vec<(Subject, u64)> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The body of a writer; the row of the first subject.
    async fn run(&self) -> Result<Row, Lost> {
        body(self.commit()).await
    }

    async fn commit(&self) -> Result<Row, Lost> {
        self.source.pause().await;
        let versions = self.source.commit(self.subjects.clone())?;
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&versions);
        self.source.pause().await;
        // Others change the same subjects while this writer has committed and not ended yet.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..30_000))).await;
        let first = versions.first().ok_or_else(|| Lost("nothing to commit".to_owned()))?;
        if self.fails { Err(Lost("on purpose".to_owned())) } else { Ok(Row::new(first.0, first.1)) }
    }
}

#[write_through(entry = item(shelf, n), invalidates = [list(*)])]
pub(crate) async fn rewrite_item(write: &Write<'_>, shelf: u16, n: u16) -> Result<Row, Lost> {
    write.run().await
}

#[write_through(entry = guarded(n))]
pub(crate) async fn rewrite_guarded(write: &Write<'_>, n: u16) -> Result<Row, Lost> {
    write.run().await
}

#[cache_invalidate(invalidate_tags = ["group:{group}"], invalidates = [list(*)])]
pub(crate) async fn regroup(write: &Write<'_>, group: u16) -> Result<Row, Lost> {
    write.run().await
}

#[cache_invalidate(invalidate_patterns = ["item:{shelf}:*"], invalidate_keys = ["list:{one}"])]
pub(crate) async fn reshelve(write: &Write<'_>, shelf: u16, one: u16) -> Result<Row, Lost> {
    write.run().await
}
