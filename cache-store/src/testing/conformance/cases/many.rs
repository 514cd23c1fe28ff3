use super::{super::steps::*, AnyStore};
use crate::{
    Begin, Begun, Claim, ClaimOutcome, Claimed, Fill, Finish, Invalidation, Life, Nonce, Query,
    Stamp,
};

/// More than a store need send in one piece.
const LOTS: usize = 1_200;

const LIFE: Life = Life::For(LONG);
const DEPENDENCY: Life = Life::For(LONG.saturating_mul(2));

fn query<'a>(key: &'a str, tags: &'a [String]) -> Query<'a> {
    Query { key, tags, pattern: true, life: true }
}

fn nonce_of(claimed: &Claimed) -> Nonce {
    match claimed.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        ref other => panic!("expected to load, got {other:?}"),
    }
}

async fn claimed(store: &AnyStore, claims: &[Claim<'_>]) -> Vec<Claimed> {
    let claimed = store.claim_many(claims).await;
    assert_eq!(claimed.len(), claims.len());
    claimed.into_iter().map(given).collect()
}

/// Claims and fills all of them with their own names.
async fn all_stored(store: &AnyStore, keys: &[String]) {
    let claims: Vec<Claim<'_>> = keys.iter().map(|key| plain(key)).collect();
    let nonces: Vec<Nonce> = claimed(store, &claims).await.iter().map(nonce_of).collect();
    assert!(filled(store, keys, &nonces).await.into_iter().all(|stored| stored));
}

/// Fills each key with its own name; which of them were stored.
async fn filled(store: &AnyStore, keys: &[String], nonces: &[Nonce]) -> Vec<bool> {
    let named = keys.iter().zip(nonces);
    let values: Vec<Vec<u8>> = named.map(|(key, nonce)| bytes(*nonce, key.as_bytes())).collect();
    let fill = |at: usize| Fill {
        key: &keys[at],
        nonce: nonces[at],
        value: &values[at],
        tags: &[],
        life: LIFE,
        token: None,
        dependency_life: DEPENDENCY,
        announced: false,
    };
    let fills: Vec<Fill<'_>> = (0..keys.len()).map(fill).collect();
    let stored = store.fill_many(&fills).await;
    assert_eq!(stored.len(), keys.len());
    stored.into_iter().map(given).collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

pub async fn nothing_asked_is_nothing_answered(store: AnyStore) {
    assert!(store.read_many(&[]).await.is_empty());
    assert!(store.claim_many(&[]).await.is_empty());
    assert!(store.stamp_many(&[]).await.is_empty());
    assert!(store.fill_many(&[]).await.is_empty());
    assert!(store.begin_many(&[]).await.is_empty());
    assert!(store.finish_many(&[]).await.is_empty());
}

pub async fn many_reads_answer_in_the_order_of_their_keys(store: AnyStore) {
    let tags = names(["a", "b"]);
    claim(&*store, Claim { tags: &tags[1..], ..plain("tagged") }).await;
    let nonce = stored(&*store, "key", b"value").await;
    let queries = [
        query("none", &tags),
        query("key", &[]),
        query("tagged", &tags[..1]),
        query("key", &tags[1..]),
        Query { life: false, ..query("key", &[]) },
    ];
    let readings = store.read_many(&queries).await;
    assert_eq!(readings.len(), queries.len());
    for (query, reading) in queries.iter().zip(readings) {
        let (many, one) = (given(reading), given(store.read(*query).await));
        assert_eq!((many.value, many.key_nonce), (one.value, one.key_nonce), "{query:?}");
        assert_eq!((many.pattern_nonce, &many.tag_nonces), (one.pattern_nonce, &one.tag_nonces));
        assert_eq!(many.life.is_some(), one.life.is_some(), "{query:?}");
        assert_eq!(many.key_nonce.is_some(), query.key != "none");
        assert!(query.key != "key" || many.key_nonce == Some(nonce));
    }
}

pub async fn many_claims_capture_what_each_key_depends_on(store: AnyStore) {
    let tags = names(["a", "b", "c"]);
    invalidate_pattern(&*store, "other:*").await;
    let claims = [
        Claim { tags: &tags[..2], ..plain("one") },
        plain("two"),
        Claim { tags: &tags[1..], tag_log: true, ..plain("three") },
    ];
    let all = claimed(&store, &claims).await;
    let nonces = given(store.tag_nonces(&tags).await);
    for (claim, claimed) in claims.iter().zip(&all) {
        let own: Vec<_> = claimed.tag_nonces.iter().copied().map(Some).collect();
        let at = |tag: &String| nonces[tags.iter().position(|known| known == tag).unwrap_or(0)];
        assert_eq!(own, claim.tags.iter().map(at).collect::<Vec<_>>(), "{claim:?}");
        assert_eq!(claimed.patterns.last(), patterns(&*store).await.last(), "{claim:?}");
        assert_eq!(read(&*store, claim.key).await.key_nonce, Some(nonce_of(claimed)));
    }
    assert!(all[2].tag_log.is_some() && all[0].tag_log.is_none());
}

pub async fn many_claims_have_an_outcome_each(store: AnyStore) {
    let nonce = stored(&*store, "found", b"value").await;
    invalidate_pattern(&*store, "other:*").await;
    let refused = bytes(stored(&*store, "refused", b"value").await, b"value");
    begin(&*store, "written", LONG).await;
    load(&*store, leased("leased", lease(LONG))).await;
    let claims = [
        plain("found"),
        Claim { refused: &refused, ..plain("refused") },
        plain("written"),
        leased("leased", lease(LONG)),
        plain("leased"),
        plain("twice"),
        plain("twice"),
    ];
    let all = claimed(&store, &claims).await;
    match &all[0].outcome {
        ClaimOutcome::Found { value, life } => {
            assert_eq!(*value, bytes(nonce, b"value"));
            at_most(*life, LONG);
        }
        other => panic!("expected the value, got {other:?}"),
    }
    let log = patterns(&*store).await;
    assert!(log.len() > 1 && all[0].patterns == log, "the whole log stands beside a value");
    assert_eq!(nonce_of(&all[1]).as_bytes()[..], refused[..Nonce::LEN]);
    assert_eq!(all[2].outcome, ClaimOutcome::Writing);
    assert!(matches!(all[3].outcome, ClaimOutcome::Held(_)), "{:?}", all[3].outcome);
    nonce_of(&all[4]);
    assert_eq!(nonce_of(&all[5]), nonce_of(&all[6]));
}

pub async fn an_invalidation_refuses_one_of_many_fills(store: AnyStore) {
    let keys = numbered(3);
    let claims: Vec<Claim<'_>> = keys.iter().map(|key| plain(key)).collect();
    let nonces: Vec<Nonce> = claimed(&store, &claims).await.iter().map(nonce_of).collect();
    invalidate_key(&*store, &keys[1]).await;
    assert_eq!(filled(&store, &keys, &nonces).await, [true, false, true]);
    assert_eq!(hit(&*store, &keys[0]).await.as_deref(), Some(keys[0].as_bytes()));
    assert_eq!(hit(&*store, &keys[1]).await, None);
    assert_eq!(hit(&*store, &keys[2]).await.as_deref(), Some(keys[2].as_bytes()));
}

pub async fn a_tag_refuses_those_of_many_stamps_that_bear_it(store: AnyStore) {
    let claims = [Claim { tag_log: true, ..plain("one") }, Claim { tag_log: true, ..plain("two") }];
    let all = claimed(&store, &claims).await;
    let captured = all[0].tag_log.unwrap_or_else(|| panic!("no tag log: {all:?}"));
    invalidate_tag(&*store, "gone").await;
    let later = given(store.claim(Claim { tag_log: true, ..plain("later") }).await);
    let later = later.tag_log.unwrap_or_else(|| panic!("no tag log: {later:?}"));

    let (a, gone) = (names(["a"]), names(["a", "gone"]));
    let stamp = |captured, tags| Stamp { captured, tags, dependency_life: DEPENDENCY };
    let never = given(Nonce::random());
    let stamps = [
        stamp(captured, &gone[..]),
        stamp(captured, &a),
        stamp(later, &gone),
        stamp(never, &a),
        stamp(captured, &a),
        stamp(captured, &[]),
    ];
    let stamped: Vec<_> = store.stamp_many(&stamps).await.into_iter().map(given).collect();
    let nonces = given(store.tag_nonces(&gone).await);
    let expected: Vec<Nonce> = nonces.into_iter().flatten().collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(
        stamped,
        [
            None,
            Some(vec![expected[0]]),
            Some(expected.clone()),
            None,
            Some(vec![expected[0]]),
            Some(vec![]),
        ]
    );
}

pub async fn many_writes_are_each_stored_or_refused_alone(store: AnyStore) {
    let (keys, tags) = (numbered(4), names(["a"]));
    let begins: Vec<Begin<'_>> = keys.iter().map(|key| announced(key, &tags)).collect();
    let begun: Vec<Begun> = store.begin_many(&begins).await.into_iter().map(given).collect();
    assert_eq!(begun.len(), keys.len());
    assert!(begun.iter().all(|begun| begun.alone && begun.tag_nonces.len() == 1));
    invalidate_key(&*store, &keys[1]).await;
    let finishes: Vec<Finish<'_>> = (0..keys.len())
        .map(|at| Finish {
            key: &keys[at],
            begun: &begun[at],
            value: (at != 2).then_some(keys[at].as_bytes()),
            tags: &[],
            life: LIFE,
            dependency_life: DEPENDENCY,
        })
        .collect();
    let ended: Vec<bool> = store.finish_many(&finishes).await.into_iter().map(given).collect();
    assert_eq!(ended, [true, false, false, true]);
    for (key, stored) in keys.iter().zip(ended) {
        assert_eq!(hit(&*store, key).await, stored.then(|| key.as_bytes().to_vec()));
    }
}

fn announced<'a>(key: &'a str, tags: &'a [String]) -> Begin<'a> {
    Begin { key, token: token(), tags, tag_log: false, at_most: LONG, dependency_life: DEPENDENCY }
}

pub async fn more_keys_than_go_in_one_piece_are_still_one_list(store: AnyStore) {
    let keys = numbered(LOTS);
    all_stored(&store, &keys).await;
    invalidate(&*store, Invalidation::Keys(vec![keys[700].clone()])).await;
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    let readings = store.read_many(&queries).await;
    assert_eq!(readings.len(), LOTS);
    for (at, (key, reading)) in keys.iter().zip(readings).enumerate() {
        let reading = given(reading);
        let (value, nonce) = (reading.value.unwrap_or_default(), reading.key_nonce);
        let current = nonce.and_then(|nonce| value.strip_prefix(nonce.as_bytes()));
        assert_eq!(current, (at != 700).then_some(key.as_bytes()), "{key}");
    }
}
