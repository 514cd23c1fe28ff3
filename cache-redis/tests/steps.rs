//! Every step of the contract, and the fence that each one is, on a real server.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::Duration;

use cache_store::{Claim, ClaimOutcome, ErrorKind, Fill, Invalidation, Life, Nonce, Query, Store};
use common::*;

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn keys(names: &[&str]) -> Invalidation {
    Invalidation::Keys(tags(names))
}

#[tokio::test]
async fn a_filled_value_is_read_with_everything_that_says_whether_it_is_valid() {
    let (_server, store) = start().await;
    let tags = tags(&["user", "vip"]);
    let claimed = store.claim(Claim { tags: &tags, ..claim("a") }).await.unwrap();
    let nonce = nonce_of(&claimed);
    assert!(store.fill(fill("a", nonce, &stored(nonce, "body"))).await.unwrap());

    let reading =
        store.read(Query { key: "a", tags: &tags, pattern: true, life: true }).await.unwrap();
    assert_eq!(reading.value, Some(stored(nonce, "body")));
    assert_eq!(reading.key_nonce, Some(nonce));
    assert_eq!(reading.pattern_nonce, Some(claimed.patterns.last().unwrap().nonce));
    let expected: Vec<_> = claimed.tag_nonces.iter().copied().map(Some).collect();
    assert_eq!(reading.tag_nonces, expected);
    let Some(Life::For(left)) = reading.life else { panic!("{:?}", reading.life) };
    assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
    let without =
        store.read(Query { key: "a", tags: &[], pattern: true, life: false }).await.unwrap();
    assert_eq!(without.life, None);
}

#[tokio::test]
async fn a_read_of_nothing_finds_nothing_and_leaves_nothing_behind() {
    let (server, store) = start().await;
    let tags = tags(&["user"]);
    let reading =
        store.read(Query { key: "a", tags: &tags, pattern: true, life: true }).await.unwrap();
    assert_eq!((reading.value, reading.key_nonce, reading.pattern_nonce), (None, None, None));
    assert_eq!((reading.tag_nonces, reading.life), (vec![None], None));
    assert_eq!(server.ask(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn a_key_invalidated_between_claim_and_fill_is_not_stored() {
    let (_server, store) = start().await;
    let nonce = nonce_of(&store.claim(claim("a")).await.unwrap());
    store.invalidate(&keys(&["a"])).await.unwrap();
    assert!(!store.fill(fill("a", nonce, &stored(nonce, "old"))).await.unwrap());
    assert_eq!(get(&store, "a").await, None);
    let again = nonce_of(&store.claim(claim("a")).await.unwrap());
    assert_ne!(nonce, again);
    assert!(!store.fill(fill("a", nonce, &stored(nonce, "old"))).await.unwrap());
}

#[tokio::test]
async fn an_invalidated_value_is_no_longer_valid_and_the_others_are() {
    let (_server, store) = start().await;
    for key in ["a", "b", "c"] {
        assert!(put(&store, key, key, MINUTE).await);
    }
    store.invalidate(&keys(&["a", "c", "never stored"])).await.unwrap();
    assert_eq!(get(&store, "a").await, None);
    assert_eq!(get(&store, "b").await.as_deref(), Some("b"));
    assert_eq!(get(&store, "c").await, None);
    store.invalidate(&keys(&["a", "c"])).await.unwrap();
    store.invalidate(&keys(&[])).await.unwrap();
}

#[tokio::test]
async fn a_thousand_keys_are_invalidated_at_once() {
    let (server, store) = start().await;
    let names: Vec<String> = (0..1_200).map(|i| format!("k{i}")).collect();
    store.claim(claim("k0")).await.unwrap();
    store.claim(claim("k1199")).await.unwrap();
    store.invalidate(&Invalidation::Keys(names)).await.unwrap();
    assert_eq!(server.ask(&["EXISTS", "d:{cache:k:k0}", "d:{cache:k:k1199}"]), "0");
}

#[tokio::test]
async fn the_value_that_appeared_meanwhile_is_found_unless_it_is_the_one_just_refused() {
    let (_server, store) = start().await;
    assert!(put(&store, "a", "body", MINUTE).await);
    let value = read(&store, "a").await.unwrap().value.unwrap();
    let ClaimOutcome::Found { value: found, life } = store.claim(claim("a")).await.unwrap().outcome
    else {
        panic!("not found")
    };
    assert_eq!(found, value);
    assert!(matches!(life, Life::For(left) if left > Duration::from_secs(50)), "{life:?}");
    let refused = Claim { refused: &value[..18], ..claim("a") };
    nonce_of(&store.claim(refused).await.unwrap());
}

#[tokio::test]
async fn a_tag_that_is_invalidated_has_another_nonce_and_only_that_tag() {
    let (_server, store) = start().await;
    let names = tags(&["x", "y", "z"]);
    let before = store.claim(Claim { tags: &names, ..claim("a") }).await.unwrap().tag_nonces;
    let again = store.claim(Claim { tags: &names, ..claim("b") }).await.unwrap().tag_nonces;
    assert_eq!(before, again);
    store.invalidate(&Invalidation::Tags(tags(&["x", "z"]))).await.unwrap();
    let now = store.tag_nonces(&names).await.unwrap();
    assert_eq!(now, [None, Some(before[1]), None]);
    let after = store.claim(Claim { tags: &names, ..claim("a") }).await.unwrap().tag_nonces;
    assert!(after[0] != before[0] && after[1] == before[1] && after[2] != before[2]);
    assert_eq!(store.tag_nonces(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_tag_learned_from_a_value_is_refused_when_it_was_invalidated_since_the_capture() {
    let (_server, store) = start().await;
    let claimed = store.claim(Claim { tag_log: true, ..claim("a") }).await.unwrap();
    let captured = claimed.tag_log.unwrap();
    store.invalidate(&Invalidation::Tags(tags(&["other"]))).await.unwrap();
    let names = tags(&["x", "y"]);
    let stamped = store.stamp_tags(captured, &names, DEPENDENCY).await.unwrap().unwrap();
    assert_eq!(store.tag_nonces(&names).await.unwrap(), [Some(stamped[0]), Some(stamped[1])]);
    store.invalidate(&Invalidation::Tags(tags(&["y"]))).await.unwrap();
    assert_eq!(store.stamp_tags(captured, &names, DEPENDENCY).await.unwrap(), None);
    assert!(store.stamp_tags(captured, &names[..1], DEPENDENCY).await.unwrap().is_some());
}

#[tokio::test]
async fn a_capture_that_the_tag_log_no_longer_holds_is_refused() {
    let (server, store) = start().await;
    let captured = store.claim(Claim { tag_log: true, ..claim("a") }).await.unwrap().tag_log;
    let names = tags(&["x"]);
    server.ask(&["UNLINK", "g:{cache}"]);
    assert_eq!(store.stamp_tags(captured.unwrap(), &names, DEPENDENCY).await.unwrap(), None);

    let few = remembering(&server, 4).await;
    let captured = few.claim(Claim { tag_log: true, ..claim("a") }).await.unwrap().tag_log;
    for i in 0..4 {
        few.invalidate(&Invalidation::Tags(vec![format!("t{i}")])).await.unwrap();
    }
    assert_eq!(server.ask(&["LLEN", "g:{cache}"]), "4");
    assert_eq!(few.stamp_tags(captured.unwrap(), &names, DEPENDENCY).await.unwrap(), None);
}

async fn remembering(server: &Server, records: usize) -> std::sync::Arc<cache_redis::RedisStore> {
    let config = config(&server.url()).log_records(records);
    cache_redis::RedisStore::connect(config).await.unwrap()
}

#[tokio::test]
async fn a_pattern_is_one_more_record_that_every_reader_sees() {
    let (_server, store) = start().await;
    let before = store.claim(claim("a")).await.unwrap().patterns;
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].what.to_text(), "");
    store.invalidate(&Invalidation::Pattern("users:*".to_owned())).await.unwrap();
    let after = store.patterns().await.unwrap();
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].what.to_text(), "users:*");
    assert_eq!(read(&store, "a").await.unwrap().pattern_nonce, Some(after[1].nonce));
    assert_ne!(after[1].nonce, before[0].nonce);
}

#[tokio::test]
async fn an_old_position_is_gone_from_a_trimmed_log() {
    let (server, store) = start().await;
    let few = remembering(&server, 4).await;
    let first = store.patterns().await.unwrap()[0].nonce;
    for i in 0..4 {
        few.invalidate(&Invalidation::Pattern(format!("p{i}:*"))).await.unwrap();
    }
    let log = store.patterns().await.unwrap();
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|record| record.nonce != first));
    assert_eq!(log[3].what.to_text(), "p3:*");
}

#[tokio::test]
async fn invalidating_all_starts_a_new_pattern_log() {
    let (_server, store) = start().await;
    let before = store.patterns().await.unwrap()[0].nonce;
    store.invalidate(&Invalidation::All).await.unwrap();
    assert_eq!(read(&store, "a").await.unwrap().pattern_nonce, None);
    assert_ne!(store.patterns().await.unwrap()[0].nonce, before);
}

#[tokio::test]
async fn a_namespace_does_not_touch_another_one() {
    let (server, store) = start().await;
    let other =
        cache_redis::RedisStore::connect(config(&server.url()).prefix("other")).await.unwrap();
    assert!(put(&store, "a", "here", MINUTE).await);
    assert!(put(&other, "a", "there", MINUTE).await);
    other.invalidate(&Invalidation::All).await.unwrap();
    other.invalidate(&keys(&["a"])).await.unwrap();
    assert_eq!(get(&store, "a").await.as_deref(), Some("here"));
    assert!(
        store
            .read(Query { key: "a", tags: &[], pattern: true, life: false })
            .await
            .unwrap()
            .pattern_nonce
            .is_some()
    );
}

#[tokio::test]
async fn a_life_below_a_second_really_ends() {
    let (_server, store) = start().await;
    assert!(put(&store, "a", "body", Life::For(Duration::from_micros(30_500))).await);
    assert!(put(&store, "b", "body", Life::For(Duration::from_nanos(1))).await);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(read(&store, "a").await.unwrap().value, None);
    assert_eq!(read(&store, "b").await.unwrap().value, None);
}

#[tokio::test]
async fn a_second_write_does_not_inherit_the_first_ones_life() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "short", Life::For(Duration::from_secs(5))).await);
    store.invalidate(&keys(&["a"])).await.unwrap();
    assert!(put(&store, "a", "forever", Life::Forever).await);
    assert_eq!(server.ask(&["PTTL", "v:{cache:k:a}"]), "-1");
    assert_eq!(read(&store, "a").await.unwrap().life, Some(Life::Forever));
    store.invalidate(&keys(&["a"])).await.unwrap();
    assert!(put(&store, "a", "short", Life::For(Duration::from_secs(5))).await);
    assert_ne!(server.ask(&["PTTL", "v:{cache:k:a}"]), "-1");
}

#[tokio::test]
async fn a_dependency_lives_at_least_as_long_as_what_depends_on_it() {
    let (server, store) = start().await;
    let second = Life::For(Duration::from_secs(1));
    let ttl = |name: &str| server.ask(&["PTTL", name]).parse::<i64>().unwrap();
    let names = tags(&["x"]);
    let claimed =
        store.claim(Claim { tags: &names, dependency_life: second, ..claim("a") }).await.unwrap();
    let nonce = nonce_of(&claimed);
    assert!(ttl("d:{cache:k:a}") <= 1_000 && ttl("d:{cache}t:x") <= 1_000);
    let value = stored(nonce, "body");
    let long = Fill { dependency_life: second, ..fill("a", nonce, &value) };
    assert!(store.fill(long).await.unwrap());
    assert!(ttl("d:{cache:k:a}") > 50_000);
    store.claim(Claim { tags: &names, ..claim("b") }).await.unwrap();
    assert!(ttl("d:{cache}t:x") > 100_000);
    store
        .claim(Claim { tags: &names, dependency_life: Life::Forever, ..claim("c") })
        .await
        .unwrap();
    assert_eq!((ttl("d:{cache}t:x"), ttl("d:{cache:k:c}")), (-1, -1));
    // And is not shortened again.
    store.claim(Claim { tags: &names, ..claim("d") }).await.unwrap();
    assert_eq!(ttl("d:{cache}t:x"), -1);
    let nonce = nonce_of(&store.claim(claim("c")).await.unwrap());
    assert!(store.fill(fill("c", nonce, &stored(nonce, "body"))).await.unwrap());
    assert_eq!(ttl("d:{cache:k:c}"), -1);
    assert_eq!(ttl("d:{cache}"), -1);
}

#[tokio::test]
async fn any_key_is_a_key() {
    let (_server, store) = start().await;
    let long = "x".repeat(5_000);
    for key in ["", "}", "{", "a}b{c", "user:*", "naïve ☃", "\r\n$5\0", &long] {
        assert!(put(&store, key, "body", MINUTE).await, "{key:?}");
        assert_eq!(get(&store, key).await.as_deref(), Some("body"), "{key:?}");
        store.invalidate(&keys(&[key])).await.unwrap();
        assert_eq!(get(&store, key).await, None, "{key:?}");
    }
}

#[tokio::test]
async fn an_invalidation_by_hand_in_any_language_holds() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "body", MINUTE).await);
    server.ask(&["UNLINK", "d:{cache:k:a}"]);
    assert_eq!(get(&store, "a").await, None);
    server.ask(&["RPUSH", "d:{cache}", "0123456789abcdefusers:*"]);
    let newest = store.patterns().await.unwrap().pop().unwrap();
    assert_eq!(newest.what.to_text(), "users:*");
    assert_eq!(Some(newest.nonce), Nonce::from_bytes(b"0123456789abcdef"));
}

#[tokio::test]
async fn foreign_values_under_our_names_are_errors_and_never_panics() {
    let (server, store) = start().await;
    for name in ["d:{cache:k:a}", "l:{cache:k:b}", "w:{cache:k:c}", "d:{cache}t:x", "g:{cache}"] {
        server.ask(&["HSET", name, "field", "value"]);
    }
    let leased = |key| Claim { lease: Some(lease(1_000)), ..claim(key) };
    for claimed in [
        store.claim(claim("a")).await,
        store.claim(leased("b")).await,
        store.claim(claim("c")).await,
        store.claim(Claim { tags: &tags(&["x"]), ..claim("d") }).await,
        store.claim(Claim { tag_log: true, ..claim("e") }).await,
    ] {
        assert_eq!(claimed.unwrap_err().kind(), ErrorKind::Protocol);
    }
    assert_eq!(read(&store, "a").await.unwrap().key_nonce, None);
    // Deleting is right whatever is there, so an invalidation cures.
    store.invalidate(&keys(&["a"])).await.unwrap();
    store.claim(claim("a")).await.unwrap();
    server.ask(&["UNLINK", "d:{cache}"]);
    server.ask(&["SET", "d:{cache}", "text"]);
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn garbage_under_our_names_is_a_miss_or_an_error() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "body", MINUTE).await);
    server.ask(&["SET", "d:{cache:k:a}", "short"]);
    assert_eq!(get(&store, "a").await, None);
    nonce_of(&store.claim(claim("a")).await.unwrap());
    server.ask(&["SET", "v:{cache:k:a}", ""]);
    assert_eq!(get(&store, "a").await, None);
    server.ask(&["SET", "d:{cache}t:x", "short"]);
    let names = tags(&["x"]);
    assert_eq!(store.tag_nonces(&names).await.unwrap(), [None]);
    store.claim(Claim { tags: &names, ..claim("a") }).await.unwrap();
    // A record that is too short may be somebody's invalidation: not to be skipped.
    server.ask(&["RPUSH", "d:{cache}", "users:*"]);
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Protocol);
    store.invalidate(&Invalidation::All).await.unwrap();
    assert_eq!(get(&store, "a").await, None);
}

#[tokio::test]
async fn losing_all_data_is_a_miss() {
    let (server, store) = start().await;
    let names = tags(&["x"]);
    let claimed = store.claim(Claim { tags: &names, tag_log: true, ..claim("a") }).await.unwrap();
    let nonce = nonce_of(&claimed);
    assert!(put(&store, "b", "body", MINUTE).await);
    server.ask(&["FLUSHALL"]);
    assert_eq!(get(&store, "b").await, None);
    assert!(!store.fill(fill("a", nonce, &stored(nonce, "old"))).await.unwrap());
    let captured = claimed.tag_log.unwrap();
    assert_eq!(store.stamp_tags(captured, &names, DEPENDENCY).await.unwrap(), None);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let (server, store) = start().await;
    let wait = lease(10_000);
    let leased = Claim { lease: Some(wait), tags: &tags(&["x"]), tag_log: true, ..claim("a") };
    for _ in 0..2 {
        server.ask(&["SCRIPT", "FLUSH"]);
        let claimed = store.claim(leased).await.unwrap();
        let nonce = nonce_of(&claimed);
        server.ask(&["SCRIPT", "FLUSH"]);
        assert!(store.renew("a", nonce, wait).await.unwrap());
        server.ask(&["SCRIPT", "FLUSH"]);
        let value = stored(nonce, "body");
        let fill = Fill { token: Some(wait.token), ..fill("a", nonce, &value) };
        assert!(store.fill(fill).await.unwrap());
        store.invalidate(&keys(&["a"])).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_scripts_only_the_one_that_the_server_forgot_is_run_again() {
    let (server, store) = start().await;
    server.ask(&["SCRIPT", "FLUSH"]);
    server.ask(&["SCRIPT", "LOAD", include_str!("../src/scripts/read.lua")]);
    // Connecting makes calls of its own.
    let before = ["exists", "lindex"].map(|command| server.calls(command));
    let leased = Claim { lease: Some(lease(10_000)), ..claim("a") };
    nonce_of(&store.claim(leased).await.unwrap());
    assert_eq!(server.calls("exists"), before[0] + 1, "the script it knew");
    assert_eq!(server.calls("lindex"), before[1] + 1, "the one it forgot");
}

#[tokio::test]
async fn health_measures_a_round_trip() {
    let (_server, store) = start().await;
    let health = store.health().await;
    assert!(health.reachable && health.error.is_none());
    assert!(health.latency.unwrap() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_claim_is_sent_only_the_records_that_it_does_not_know() {
    let (server, store) = start().await;
    for pattern in ["a*", "b*", "c*", "d*"] {
        store.invalidate(&Invalidation::Pattern(pattern.to_owned())).await.unwrap();
    }
    let log = store.patterns().await.unwrap();
    for at in 0..log.len() {
        let known = Some(log[at].nonce);
        let claimed = store.claim(Claim { known, ..claim("a") }).await.unwrap();
        assert_eq!(claimed.patterns, log[at..]);
    }
    // The newest record is looked at first, and mostly alone.
    let before = server.calls("lrange");
    let known = log.last().map(|record| record.nonce);
    store.claim(Claim { known, ..claim("b") }).await.unwrap();
    assert_eq!(server.calls("lrange"), before);
}

#[tokio::test]
async fn a_read_without_the_pattern_log_is_one_command() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "body", MINUTE).await);
    let names = tags(&["x"]);
    let query = Query { key: "a", tags: &names, pattern: false, life: false };
    let before = (server.calls("lindex"), server.calls("mget"), commands(&server));
    store.read(query).await.unwrap();
    assert_eq!((server.calls("lindex"), server.calls("mget")), (before.0, before.1 + 1));
    // The other commands are this test's questions.
    assert_eq!(commands(&server) - before.2, 1 + 3);
}

fn commands(server: &Server) -> u64 {
    let stats = server.ask(&["INFO", "stats"]);
    let count = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    count.unwrap().trim().parse().unwrap()
}
