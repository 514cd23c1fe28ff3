//! Sessions. A store without them passes.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{super::steps::*, AnyStore};
use crate::{
    Invalidation, SessionAt, SessionFound, SessionMove, SessionStart, SessionTier, SessionUser,
    SessionWrite, SessionWritten,
};

const MOMENT: Duration = Duration::from_millis(300);

fn at(digest: &str) -> SessionAt<'_> {
    SessionAt { name: "web", shard: 7, digest }
}

fn user(user: &str) -> SessionUser<'_> {
    SessionUser { name: "web", shard: 7, user }
}

/// A session that no case outlasts.
fn long<'a>(digest: &'a str, user: Option<&'a str>) -> SessionStart<'a> {
    SessionStart {
        at: at(digest),
        user,
        who: b"who",
        data: b"data",
        stamp: 1,
        idle: LONG,
        absolute: 2 * LONG,
        most: 100,
    }
}

fn write(digest: &str, stamp: u64, expected: Option<u64>) -> SessionWrite<'_> {
    SessionWrite { at: at(digest), data: b"new", stamp, expected, life: None }
}

fn change<'a>(from: &'a str, to: &'a str) -> SessionMove<'a> {
    SessionMove { from: at(from), to, who: b"next", data: b"moved", stamp: 9, expected: 1 }
}

async fn make(sessions: &dyn SessionTier, start: SessionStart<'_>) {
    given(sessions.start_session(start).await);
}

async fn look(sessions: &dyn SessionTier, digest: &str) -> Option<SessionFound> {
    given(sessions.read_session(at(digest), false).await)
}

async fn lives(sessions: &dyn SessionTier, digest: &str) -> bool {
    look(sessions, digest).await.is_some()
}

async fn listed(sessions: &dyn SessionTier, of: &str) -> Vec<String> {
    let list = given(sessions.list_sessions(user(of)).await);
    let mut digests: Vec<_> = list.into_iter().map(|one| one.digest).collect();
    digests.sort();
    digests
}

pub async fn a_session_that_was_made_is_found_with_its_times(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    assert_eq!(look(sessions, "a").await, None);
    let began = Instant::now();
    let every_byte: Vec<u8> = (0..=255).collect();
    make(sessions, SessionStart { data: &every_byte, ..long("a", Some("u")) }).await;
    sleep(SHORT).await;
    let found = look(sessions, "a").await.expect("a session");
    assert_eq!((&*found.who, found.data, found.stamp), (&b"who"[..], every_byte, 1));
    let (times, passed) = (found.times, began.elapsed());
    assert!(times.age >= SHORT / 2 && times.age <= passed + SHORT, "{times:?} {passed:?}");
    assert!(times.inactive >= SHORT / 2 && times.inactive <= passed + SHORT, "{times:?}");
    assert!(times.left <= LONG && times.left > LONG / 2, "{times:?}");
    let touched = given(sessions.read_session(at("a"), true).await).expect("a session").times;
    assert!(touched.inactive >= SHORT / 2, "what was before it was touched: {touched:?}");
    let after = look(sessions, "a").await.expect("a session").times;
    assert!(after.inactive < after.age, "{after:?}");
}

pub async fn a_session_that_is_idle_for_too_long_ends_and_a_look_does_not_prolong_it(
    store: AnyStore,
) {
    let Some(sessions) = store.sessions() else { return };
    for of in [None, Some("u")] {
        make(sessions, SessionStart { idle: MOMENT, ..long("a", of) }).await;
        let made = Instant::now();
        while made.elapsed() < MOMENT + SHORT {
            look(sessions, "a").await;
            given(sessions.list_sessions(user("u")).await);
            sleep(MOMENT / 20).await;
        }
        assert!(!lives(sessions, "a").await);
        assert!(listed(sessions, "u").await.is_empty());
        assert!(!given(sessions.end_session(at("a")).await));
    }
}

pub async fn a_session_that_is_touched_lives_until_its_absolute_end(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    let began = Instant::now();
    let start = SessionStart { idle: MOMENT, absolute: 3 * MOMENT, ..long("a", None) };
    make(sessions, start).await;
    let made = Instant::now();
    let mut touched = began;
    loop {
        let asking = Instant::now();
        let Some(found) = given(sessions.read_session(at("a"), true).await) else { break };
        assert!(found.times.left <= MOMENT, "{found:?}");
        touched = asking;
        assert!(made.elapsed() < 3 * MOMENT + SOON, "it lives on and on");
        sleep(MOMENT / 10).await;
    }
    let late = touched.elapsed() >= MOMENT;
    assert!(late || began.elapsed() >= 3 * MOMENT - SHORT / 10, "after {:?}", began.elapsed());
}

pub async fn a_write_is_made_in_the_state_that_was_expected_and_in_no_other(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    assert_eq!(given(sessions.write_session(write("a", 2, None)).await), SessionWritten::Gone);
    assert!(!lives(sessions, "a").await, "a write makes no session");
    make(sessions, long("a", None)).await;
    assert_eq!(
        given(sessions.write_session(write("a", 2, Some(1))).await),
        SessionWritten::Written
    );
    let found = look(sessions, "a").await.expect("a session");
    assert_eq!((&*found.who, &*found.data, found.stamp), (&b"who"[..], &b"new"[..], 2));
    assert_eq!(
        given(sessions.write_session(write("a", 3, Some(1))).await),
        SessionWritten::Overtaken
    );
    assert_eq!(look(sessions, "a").await.expect("a session").stamp, 2);
    // The way asked twice.
    assert_eq!(
        given(sessions.write_session(write("a", 2, Some(1))).await),
        SessionWritten::Written
    );
    assert_eq!(given(sessions.write_session(write("a", 3, None)).await), SessionWritten::Written);
    assert_eq!(look(sessions, "a").await.expect("a session").stamp, 3);
    // And it may say how long the session lives.
    let life = |life| SessionWrite { life: Some(life), ..write("a", 4, None) };
    assert_eq!(given(sessions.write_session(life(LONG / 2)).await), SessionWritten::Written);
    let left = look(sessions, "a").await.expect("a session").times.left;
    assert!(left <= LONG / 2 && left > LONG / 4, "{left:?}");
    assert_eq!(given(sessions.write_session(life(Duration::ZERO)).await), SessionWritten::Written);
    eventually("the end", async || (!lives(sessions, "a").await).then_some(())).await;
}

pub async fn of_many_writes_or_moves_in_one_state_one_is_made(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    make(sessions, long("a", Some("u"))).await;
    let mut tasks = JoinSet::new();
    for stamp in 10..26 {
        let store = store.clone();
        tasks.spawn(async move {
            let sessions = store.sessions().expect("sessions");
            (stamp, given(sessions.write_session(write("a", stamp, Some(1))).await))
        });
    }
    let written: Vec<_> = tasks.join_all().await;
    let won: Vec<_> = written.iter().filter(|one| one.1 == SessionWritten::Written).collect();
    assert_eq!(won.len(), 1, "{written:?}");
    assert_eq!(look(sessions, "a").await.expect("a session").stamp, won[0].0);

    make(sessions, long("c", Some("v"))).await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        tasks.spawn(async move {
            let sessions = store.sessions().expect("sessions");
            given(sessions.move_session(change("c", &format!("d{number}"))).await)
        });
    }
    let moved = tasks.join_all().await;
    let won = moved.iter().filter(|moved| **moved == SessionWritten::Written).count();
    assert_eq!(won, 1, "{moved:?}");
    assert_eq!(listed(sessions, "v").await.len(), 1);
}

pub async fn nothing_brings_a_session_back(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    for of in [None, Some("u")] {
        for all in [false, true] {
            if all && of.is_none() {
                continue;
            }
            make(sessions, long("a", of)).await;
            match all {
                true => assert_eq!(given(sessions.end_sessions(user("u")).await), 1),
                false => assert!(given(sessions.end_session(at("a")).await)),
            }
            assert_eq!(given(sessions.read_session(at("a"), true).await), None);
            assert_eq!(
                given(sessions.write_session(write("a", 2, None)).await),
                SessionWritten::Gone
            );
            let moved = given(sessions.move_session(change("a", "b")).await);
            assert_eq!(moved, SessionWritten::Gone);
            assert!(!given(sessions.end_session(at("a")).await));
            assert!(!lives(sessions, "a").await && !lives(sessions, "b").await);
            assert!(listed(sessions, "u").await.is_empty());
            assert_eq!(given(sessions.end_sessions(user("u")).await), 0);
        }
    }
}

pub async fn a_moved_session_is_in_its_new_place_alone_and_lives_no_longer(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    make(sessions, SessionStart { absolute: LONG, idle: 2 * LONG, ..long("a", Some("u")) }).await;
    sleep(SHORT).await;
    let overtaken = SessionMove { expected: 2, ..change("a", "b") };
    assert_eq!(given(sessions.move_session(overtaken).await), SessionWritten::Overtaken);
    assert!(lives(sessions, "a").await && !lives(sessions, "b").await);
    // Also where the way asks twice.
    for _ in 0..2 {
        let moved = given(sessions.move_session(change("a", "b")).await);
        assert_eq!(moved, SessionWritten::Written);
        assert!(!lives(sessions, "a").await, "the old one is dead");
        assert_eq!(given(sessions.read_session(at("a"), true).await), None);
        let found = look(sessions, "b").await.expect("a session");
        assert_eq!((&*found.who, &*found.data, found.stamp), (&b"next"[..], &b"moved"[..], 9));
        let times = found.times;
        assert!(times.age >= SHORT / 2, "it is as old as it was: {times:?}");
        assert!(times.left <= LONG - SHORT / 2, "and ends when it would have: {times:?}");
        assert_eq!(listed(sessions, "u").await, ["b"]);
    }
    assert_eq!(given(sessions.move_session(change("a", "c")).await), SessionWritten::Gone);
    assert_eq!(given(sessions.end_sessions(user("u")).await), 1);
    assert!(!lives(sessions, "b").await);
}

pub async fn all_sessions_of_a_user_end_together_and_nobody_elses(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    for digest in ["a1", "a2", "a3"] {
        make(sessions, long(digest, Some("u"))).await;
    }
    make(sessions, long("b", Some("v"))).await;
    make(sessions, long("c", None)).await;
    let api = SessionStart { at: SessionAt { name: "api", ..at("d") }, ..long("d", Some("u")) };
    make(sessions, api).await;
    assert!(given(sessions.end_session(at("a2")).await));
    assert_eq!(listed(sessions, "u").await, ["a1", "a3"]);
    assert_eq!(given(sessions.end_sessions(user("u")).await), 2);
    for digest in ["a1", "a2", "a3"] {
        assert_eq!(given(sessions.read_session(at(digest), true).await), None, "{digest}");
    }
    assert!(listed(sessions, "u").await.is_empty());
    assert!(lives(sessions, "b").await && lives(sessions, "c").await);
    assert!(given(sessions.read_session(api.at, false).await).is_some());
    // And who comes again is in.
    make(sessions, long("a4", Some("u"))).await;
    assert_eq!(listed(sessions, "u").await, ["a4"]);
    assert!(!lives(sessions, "a1").await);
}

pub async fn a_user_has_so_many_sessions_and_no_more(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    for digest in ["a", "b", "c"] {
        make(sessions, SessionStart { most: 3, ..long(digest, Some("u")) }).await;
        sleep(Duration::from_millis(3)).await;
    }
    given(sessions.read_session(at("a"), true).await);
    sleep(Duration::from_millis(3)).await;
    make(sessions, SessionStart { most: 3, ..long("d", Some("u")) }).await;
    assert_eq!(listed(sessions, "u").await, ["a", "c", "d"], "`b` was inactive for longest");
    make(sessions, SessionStart { most: 1, ..long("e", Some("u")) }).await;
    assert_eq!(listed(sessions, "u").await, ["e"]);
    assert!(lives(sessions, "e").await && !lives(sessions, "d").await);
    assert_eq!(given(sessions.end_sessions(user("u")).await), 1);
    assert!(!lives(sessions, "e").await);
    // What has ended takes no room.
    make(sessions, SessionStart { idle: SHORT, most: 2, ..long("f", Some("u")) }).await;
    make(sessions, SessionStart { most: 2, ..long("g", Some("u")) }).await;
    eventually("the end", async || (!lives(sessions, "f").await).then_some(())).await;
    make(sessions, SessionStart { most: 2, ..long("h", Some("u")) }).await;
    assert_eq!(listed(sessions, "u").await, ["g", "h"]);
}

pub async fn the_oldest_session_is_listed_first(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    for digest in ["c", "a", "b"] {
        make(sessions, long(digest, Some("u"))).await;
        sleep(Duration::from_millis(3)).await;
    }
    given(sessions.read_session(at("c"), true).await);
    let list = given(sessions.list_sessions(user("u")).await);
    let order: Vec<_> = list.iter().map(|one| one.digest.as_str()).collect();
    assert_eq!(order, ["c", "a", "b"]);
    assert!(list[0].times.inactive <= list[2].times.inactive, "it was touched last: {list:?}");
}

pub async fn what_is_invalidated_or_stored_touches_no_session(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    make(sessions, long("a", Some("u"))).await;
    let nonce = load(&*store, plain("a")).await;
    assert!(fill(&*store, "a", nonce, b"value", None).await);
    for what in [
        Invalidation::Keys(vec!["a".into(), "u".into()]),
        Invalidation::Tags(vec!["a".into()]),
        Invalidation::Pattern("*".into()),
        Invalidation::All,
    ] {
        given(store.invalidate(&what).await);
        assert!(lives(sessions, "a").await, "{what:?}");
        assert_eq!(listed(sessions, "u").await, ["a"]);
    }
}

pub async fn sessions_may_have_any_name_and_shard(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    let names = ["web", "web:a", "", "}", "{a}b", "*?[\\", "\u{e9}\n\0", ":s:", "a:"];
    let places = names.iter().flat_map(|name| [0, 1, SessionAt::SHARDS - 1].map(|n| (*name, n)));
    for (name, shard) in places.clone() {
        let at = SessionAt { name, shard, digest: "a" };
        assert_eq!(given(sessions.read_session(at, true).await), None, "{name:?} {shard}");
        make(sessions, SessionStart { at, ..long("a", Some("a")) }).await;
    }
    for (name, shard) in places {
        let of = SessionUser { name, shard, user: "a" };
        assert_eq!(given(sessions.list_sessions(of).await).len(), 1, "{name:?} {shard}");
        assert_eq!(given(sessions.end_sessions(of).await), 1, "{name:?} {shard}");
    }
}

/// Steps in an order that a seed decides, and a model of what there is.
pub async fn after_any_steps_lists_and_sessions_agree(store: AnyStore) {
    let Some(sessions) = store.sessions() else { return };
    let mut random = fastrand::Rng::with_seed(42);
    // Whose session it is, and its state.
    let mut model: BTreeMap<String, (Option<String>, u64)> = BTreeMap::new();
    for step in 0..250_u64 {
        let digest = format!("s{}", random.u8(..12));
        let of = random.u8(..4);
        let name = (of > 0).then(|| format!("u{of}"));
        match random.u8(..10) {
            0..=3 => {
                let start = SessionStart { stamp: step, ..long(&digest, name.as_deref()) };
                make(sessions, start).await;
                model.entry(digest).or_insert((name, step));
            }
            4 => {
                let written = given(sessions.write_session(write(&digest, step, None)).await);
                let known = model.get_mut(&digest).map(|known| known.1 = step);
                assert_eq!(written == SessionWritten::Written, known.is_some());
            }
            5..=6 => {
                let (to, known) = (format!("m{step}"), model.remove(&digest));
                let expected = known.as_ref().map_or(0, |known| known.1);
                let change = SessionMove { stamp: step, expected, ..change(&digest, &to) };
                let moved = given(sessions.move_session(change).await);
                assert_eq!(moved == SessionWritten::Written, known.is_some());
                model.extend(known.map(|(of, _)| (to, (of, step))));
            }
            7..=8 => {
                let ended = given(sessions.end_session(at(&digest)).await);
                assert_eq!(ended, model.remove(&digest).is_some());
            }
            _ => {
                let of = format!("u{of}");
                let before = model.len();
                model.retain(|_, known| known.0.as_ref() != Some(&of));
                let ended = given(sessions.end_sessions(user(&of)).await);
                assert_eq!(ended, (before - model.len()) as u64);
            }
        }
        if step % 10 == 0 {
            agree(sessions, &model).await;
        }
    }
    agree(sessions, &model).await;
}

async fn agree(sessions: &dyn SessionTier, model: &BTreeMap<String, (Option<String>, u64)>) {
    for of in ["u1", "u2", "u3"] {
        let known = model.iter().filter(|(_, known)| known.0.as_deref() == Some(of));
        let known: Vec<_> = known.map(|(digest, _)| digest.clone()).collect();
        assert_eq!(listed(sessions, of).await, known, "{of}");
    }
    for (digest, (_, stamp)) in model {
        let found = look(sessions, digest).await;
        assert_eq!(found.map(|found| found.stamp), Some(*stamp), "{digest}");
    }
}

pub async fn a_session_is_one_for_all_handles(one: AnyStore, other: AnyStore) {
    let (Some(first), Some(second)) = (one.sessions(), other.sessions()) else { return };
    make(first, long("a", Some("u"))).await;
    assert!(lives(second, "a").await);
    assert_eq!(given(second.move_session(change("a", "b")).await), SessionWritten::Written);
    assert!(!lives(first, "a").await && lives(first, "b").await);
    assert_eq!(given(second.end_sessions(user("u")).await), 1);
    assert_eq!(given(first.read_session(at("b"), true).await), None);
}
