use tokio::task::JoinSet;

use super::{super::steps::*, AnyStore};
use crate::{Claim, ClaimOutcome, Invalidation};

/// Names that a store may not confuse, cut or take apart.
const ODD_NAMES: [&str; 28] = [
    "",
    " ",
    "a b",
    " a",
    "a ",
    "{",
    "}",
    "{}",
    "{a}",
    "a}b{c",
    "}{",
    "%",
    "100%",
    "%7B",
    "%20",
    ":",
    "a:",
    "a",
    "A",
    "*",
    "?",
    "[a]",
    "\\",
    "\"'",
    "line\nbreak",
    "nul\0byte",
    "ключ:名前:🗝",
    "t:a",
];

pub async fn an_empty_value_comes_back(store: AnyStore) {
    let nonce = stored(&*store, "key", b"").await;
    assert_eq!(hit(&*store, "key").await, Some(Vec::new()));
    let found = claim(&*store, plain("key")).await.outcome;
    assert!(matches!(&found, ClaimOutcome::Found { value, .. } if value == nonce.as_bytes()));

    let begun = begin(&*store, "key", LONG).await;
    assert!(finish(&*store, "key", &begun, Some(b"")).await);
    assert_eq!(hit(&*store, "key").await, Some(Vec::new()));
}

pub async fn a_value_of_ten_megabytes_comes_back(store: AnyStore) {
    let payload: Vec<u8> = (0..10_u32 << 20).map(|at| (at ^ (at >> 8)) as u8).collect();
    stored(&*store, "key", &payload).await;
    assert!(hit(&*store, "key").await.as_ref() == Some(&payload));

    let begun = begin(&*store, "key", LONG).await;
    assert!(finish(&*store, "key", &begun, Some(&payload)).await);
    assert!(hit(&*store, "key").await.as_ref() == Some(&payload));
}

pub async fn every_byte_comes_back(store: AnyStore) {
    let payload: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    stored(&*store, "key", &payload).await;
    assert_eq!(hit(&*store, "key").await, Some(payload));
}

pub async fn keys_may_hold_any_character(store: AnyStore) {
    for key in ODD_NAMES {
        stored(&*store, key, key.as_bytes()).await;
    }
    for key in ODD_NAMES {
        assert_eq!(hit(&*store, key).await.as_deref(), Some(key.as_bytes()), "{key:?}");
    }
    for key in ODD_NAMES {
        invalidate_key(&*store, key).await;
        assert_eq!(hit(&*store, key).await, None, "{key:?}");
        let begun = begin(&*store, key, LONG).await;
        assert!(finish(&*store, key, &begun, Some(b"written")).await, "{key:?}");
    }
    for key in ODD_NAMES {
        assert_eq!(hit(&*store, key).await.as_deref(), Some(&b"written"[..]), "{key:?}");
    }
}

pub async fn tags_may_hold_any_character(store: AnyStore) {
    let tags = &names(ODD_NAMES)[..];
    let claimed = claim(&*store, Claim { tags, tag_log: true, ..plain("key") }).await;
    let expected: Vec<_> = claimed.tag_nonces.iter().copied().map(Some).collect();
    assert_eq!(given(store.tag_nonces(tags).await), expected);
    let captured = claimed.tag_log.unwrap_or_else(|| panic!("the tag log was asked for"));
    let life = plain("key").dependency_life;
    assert_eq!(given(store.stamp_tags(captured, tags, life).await), Some(claimed.tag_nonces));

    for (at, tag) in ODD_NAMES.into_iter().enumerate() {
        invalidate_tag(&*store, tag).await;
        let gone = given(store.tag_nonces(tags).await).iter().filter(|it| it.is_none()).count();
        assert_eq!(gone, at + 1, "{tag:?}");
        let stamped = given(store.stamp_tags(captured, &names([tag]), life).await);
        assert_eq!(stamped, None, "{tag:?}");
    }
}

pub async fn patterns_may_hold_any_character(store: AnyStore) {
    let opened = patterns(&*store).await.len();
    for pattern in ODD_NAMES {
        invalidate(&*store, Invalidation::Pattern(pattern.to_owned())).await;
    }
    let log = patterns(&*store).await;
    let appended: Vec<_> = log[opened..].iter().map(|record| record.what.to_text()).collect();
    assert_eq!(appended, ODD_NAMES);
}

pub async fn many_keys_are_loaded_at_once(store: AnyStore) {
    let mut tasks = JoinSet::new();
    for number in 0..500 {
        let store = store.clone();
        tasks.spawn(async move {
            let key = format!("user:{number}");
            stored(&*store, &key, key.as_bytes()).await;
            assert_eq!(hit(&*store, &key).await.as_deref(), Some(key.as_bytes()));
        });
    }
    assert_eq!(tasks.join_all().await.len(), 500);
}
