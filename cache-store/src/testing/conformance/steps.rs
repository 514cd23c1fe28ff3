//! The steps of the protocol with settings that suit most cases; a step that errs fails its case.

use std::{fmt::Debug, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    Begin, Begun, Claim, ClaimOutcome, Claimed, Fill, Finish, Invalidation, Lease, Life, Nonce,
    Query, Reading, Record, Result, Store,
};

/// A life that no case outlasts.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// The life of what has to end within a case.
pub(super) const SHORT: Duration = Duration::from_millis(60);
/// The life of what must not end before the next step, and would be missed soon afterwards.
pub(super) const SOON: Duration = Duration::from_millis(1_000);
/// How long a condition may take to come about, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a step gave.
pub(super) fn given<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the store failed: {error:?}"))
}

/// A claim without tags and lease.
pub(super) fn plain(key: &str) -> Claim<'_> {
    Claim {
        key,
        tags: &[],
        lease: None,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: Life::For(2 * LONG),
    }
}

/// A claim that asks for this lease.
pub(super) fn leased(key: &str, lease: Lease) -> Claim<'_> {
    Claim { lease: Some(lease), ..plain(key) }
}

/// A lease with a token of its own.
pub(super) fn lease(life: Duration) -> Lease {
    Lease { token: token(), life }
}

pub(super) async fn claim(store: &dyn Store, claim: Claim<'_>) -> Claimed {
    given(store.claim(claim).await)
}

/// Claims, and expects to have to load.
pub(super) async fn load(store: &dyn Store, wanted: Claim<'_>) -> Nonce {
    match claim(store, wanted).await.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        other => panic!("expected to load, got {other:?}"),
    }
}

/// Claims, and expects that another one holds the lease.
pub(super) async fn held(store: &dyn Store, wanted: Claim<'_>) -> Duration {
    match claim(store, wanted).await.outcome {
        ClaimOutcome::Held(time) => time,
        other => panic!("expected a held lease, got {other:?}"),
    }
}

/// Claims until the outcome is to load: an earlier holder's or writer's time has to pass first.
pub(super) async fn load_eventually(store: &dyn Store, wanted: Claim<'_>) -> Nonce {
    eventually("a claim that loads", async || match claim(store, wanted).await.outcome {
        ClaimOutcome::Load(nonce) => Some(nonce),
        _ => None,
    })
    .await
}

/// The bytes that are stored for this payload.
pub(super) fn bytes(nonce: Nonce, payload: &[u8]) -> Vec<u8> {
    [nonce.as_bytes(), payload].concat()
}

/// Fills for a long time.
pub(super) async fn fill(
    store: &dyn Store,
    key: &str,
    nonce: Nonce,
    payload: &[u8],
    token: Option<Nonce>,
) -> bool {
    let (life, dependency_life) = (Life::For(LONG), Life::For(2 * LONG));
    let value = &bytes(nonce, payload);
    given(
        store
            .fill(Fill {
                key,
                nonce,
                value,
                tags: &[],
                life,
                token,
                dependency_life,
                announced: false,
            })
            .await,
    )
}

/// Fills for this life.
pub(super) async fn fill_for(
    store: &dyn Store,
    key: &str,
    nonce: Nonce,
    payload: &[u8],
    life: Life,
) {
    let value = &bytes(nonce, payload);
    let fill = Fill {
        key,
        nonce,
        value,
        tags: &[],
        life,
        token: None,
        dependency_life: life,
        announced: false,
    };
    assert!(given(store.fill(fill).await), "the fill was refused");
}

/// Loads and fills, and expects both to succeed.
pub(super) async fn stored(store: &dyn Store, key: &str, payload: &[u8]) -> Nonce {
    let nonce = load(store, plain(key)).await;
    assert!(fill(store, key, nonce, payload, None).await, "the fill was refused");
    nonce
}

pub(super) async fn read(store: &dyn Store, key: &str) -> Reading {
    given(store.read(Query { key, tags: &[], pattern: true, life: true }).await)
}

/// The payload that a reader may use: the one stored under the key's current nonce.
pub(super) async fn hit(store: &dyn Store, key: &str) -> Option<Vec<u8>> {
    let reading = read(store, key).await;
    let payload = reading.value?.strip_prefix(reading.key_nonce?.as_bytes())?.to_vec();
    Some(payload)
}

pub(super) async fn invalidate(store: &dyn Store, what: Invalidation) {
    given(store.invalidate(&what).await);
}

pub(super) async fn invalidate_key(store: &dyn Store, key: &str) {
    invalidate(store, Invalidation::Keys(vec![key.to_owned()])).await;
}

pub(super) async fn invalidate_tag(store: &dyn Store, tag: &str) {
    invalidate(store, Invalidation::Tags(vec![tag.to_owned()])).await;
}

pub(super) async fn invalidate_pattern(store: &dyn Store, pattern: &str) {
    invalidate(store, Invalidation::Pattern(pattern.to_owned())).await;
}

pub(super) async fn patterns(store: &dyn Store) -> Vec<Record> {
    given(store.patterns().await)
}

/// One that nothing else has.
pub(super) fn token() -> Nonce {
    given(Nonce::random())
}

/// Begins a write that may take this long.
pub(super) async fn begin(store: &dyn Store, key: &str, at_most: Duration) -> Begun {
    let dependency_life = Life::For(2 * LONG);
    let token = token();
    let begin = Begin { key, token, tags: &[], tag_log: false, at_most, dependency_life };
    given(store.begin(begin).await)
}

/// Finishes a write with a value that lives long.
pub(super) async fn finish(
    store: &dyn Store,
    key: &str,
    begun: &Begun,
    value: Option<&[u8]>,
) -> bool {
    let (life, dependency_life) = (Life::For(LONG), Life::For(2 * LONG));
    given(store.finish(Finish { key, begun, value, tags: &[], life, dependency_life }).await)
}

/// Names as owned strings.
pub(super) fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// Asks again and again until there is an answer.
pub(super) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come about within {PATIENCE:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Lets real time pass until something of this life would have ended, with a margin.
pub(super) async fn outlast(life: Duration) {
    sleep(life + SHORT).await;
}

/// Fails unless the life is a time, and at most this one.
pub(super) fn at_most(life: impl Into<Option<Life>> + Debug + Copy, most: Duration) {
    match life.into() {
        Some(Life::For(time)) if time <= most => {}
        _ => panic!("{life:?} is not a time of at most {most:?}"),
    }
}
