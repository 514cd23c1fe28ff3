//! A store that has no sessions.

use cache_store::{
    Begin, Begun, BoxFuture, Claim, Claimed, Fill, Finish, Health, Invalidation, Lease, Life,
    Nonce, Query, Reading, Record, Result,
};

use super::*;

/// All the rest, and that is never asked for.
#[derive(Debug)]
struct Without(MemoryStore);

impl Store for Without {
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        self.0.read(query)
    }
    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> {
        self.0.claim(claim)
    }
    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> {
        self.0.patterns()
    }
    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> {
        self.0.tag_nonces(tags)
    }
    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        life: Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> {
        self.0.stamp_tags(captured, tags, life)
    }
    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> {
        self.0.fill(fill)
    }
    fn renew<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        lease: Lease,
    ) -> BoxFuture<'a, Result<bool>> {
        self.0.renew(key, nonce, lease)
    }
    fn release<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        token: Nonce,
    ) -> BoxFuture<'a, Result<()>> {
        self.0.release(key, nonce, token)
    }
    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        self.0.lease_ended(key, at_most)
    }
    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> {
        self.0.begin(begin)
    }
    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> {
        self.0.finish(finish)
    }
    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> {
        self.0.invalidate(what)
    }
    fn health(&self) -> BoxFuture<'_, Health> {
        self.0.health()
    }
}

#[tokio::test]
async fn a_shared_tier_without_sessions_says_so_and_nothing_is_kept_in_the_process_instead() {
    let id = SessionId::parse(&"0".repeat(68)).unwrap();
    let stores: [Arc<dyn Store>; 2] = [
        Arc::new(Without(MemoryStore::new())),
        Arc::new(ChaosStore::new(Without(MemoryStore::new()))),
    ];
    for store in stores {
        let sessions = Sessions::new(&on(store).await);
        for error in [
            sessions.create("42", vec![]).await.unwrap_err(),
            sessions.get(&id).await.unwrap_err(),
            sessions.invalidate_user_sessions("42").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
    }
}
