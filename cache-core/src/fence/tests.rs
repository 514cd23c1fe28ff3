use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;

const NO_TAGS: &[&str] = &[];
const SMALL: Limits = Limits { shards: 1, keys: 4, tags: 2, patterns: 3 };

fn born_now(fences: &Fences) -> Fence {
    fences.fence(fences.now(), NO_TAGS)
}

fn admitted(fences: &Fences, fence: &Fence) -> bool {
    let mut inserted = false;
    let answer = fences.admit(1, "user:1", fence, || inserted = true);
    assert_eq!(answer, inserted, "the answer says whether the entry was inserted");
    answer
}

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

/// Invalidates in every way that covers the entry, in turn.
fn each_invalidation(mut check: impl FnMut(&dyn Fn(&Fences), bool)) {
    check(&|fences| fences.invalidate_key(1, || ()), true);
    check(&|fences| fences.invalidate_tag("user"), false);
    check(&|fences| fences.invalidate_pattern(glob("user:*")), false);
    check(&Fences::invalidate_all, false);
}

#[test]
fn a_load_that_began_before_an_invalidation_is_not_admitted() {
    each_invalidation(|invalidate, _| {
        let fences = Fences::new();
        let fence = fences.fence(fences.now(), &["user"]);
        assert!(fences.is_current(1, "user:1", &fence));
        invalidate(&fences);
        assert!(!fences.is_current(1, "user:1", &fence));
        assert!(!admitted(&fences, &fence));
    });
}

#[test]
fn a_load_that_began_after_an_invalidation_is_admitted() {
    each_invalidation(|invalidate, _| {
        let fences = Fences::new();
        invalidate(&fences);
        let fence = fences.fence(fences.now(), &["user"]);
        assert!(fences.is_current(1, "user:1", &fence));
        assert!(admitted(&fences, &fence));
        assert!(fences.is_live("user:1", &fence));
    });
}

#[test]
fn an_entry_is_dead_after_an_invalidation_of_what_no_removal_covers() {
    each_invalidation(|invalidate, removes| {
        let fences = Fences::new();
        let fence = fences.fence(fences.now(), &["user"]);
        assert!(admitted(&fences, &fence));
        invalidate(&fences);
        assert_eq!(fences.is_live("user:1", &fence), removes, "a key's entry is removed instead");
    });
}

#[test]
fn what_an_invalidation_does_not_cover_stays() {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &["user"]);
    fences.invalidate_key(2, || ());
    fences.invalidate_tag("tenant");
    fences.invalidate_pattern(glob("order:*"));
    assert!(fences.is_current(1, "user:1", &fence));
    assert!(admitted(&fences, &fence));
}

#[test]
fn an_invalidation_runs_its_removal_and_hands_back_what_it_took_out() {
    assert_eq!(Fences::new().invalidate_key(1, || Some("entry")), Some("entry"));
}

#[test]
fn no_invalidation_of_the_key_comes_between_check_and_insert() {
    let fences = Fences::new();
    let fence = born_now(&fences);
    let inserted = AtomicBool::new(false);
    thread::scope(|scope| {
        fences.admit(1, "user:1", &fence, || {
            let invalidating = scope.spawn(|| {
                fences.invalidate_key(1, || assert!(inserted.load(Ordering::Acquire)));
            });
            for _ in 0..1_000 {
                assert!(!invalidating.is_finished());
                thread::yield_now();
            }
            inserted.store(true, Ordering::Release);
        });
    });
}

#[test]
fn an_invalidation_between_the_insert_and_the_hit_is_seen_by_the_hit() {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &["user"]);
    assert!(fences.admit(1, "user:1", &fence, || fences.invalidate_pattern(glob("user:*"))));
    assert!(!fences.is_live("user:1", &fence));
}

#[test]
fn a_pattern_invalidated_between_the_load_and_the_insert_is_not_skipped_by_the_first_hit() {
    let fences = Fences::new();
    let fence = born_now(&fences);
    fences.invalidate_pattern(glob("user:*"));
    fences.invalidate_pattern(glob("order:*"));
    assert!(!fences.is_live("user:1", &fence));
    assert!(!fences.is_live("user:1", &fence), "a refusal is not forgotten");
}

#[test]
fn the_text_is_asked_for_only_when_there_are_patterns_to_match() {
    let fences = Fences::new();
    let fence = born_now(&fences);
    assert!(fences.is_live_by(|| unreachable!("nothing to match"), &fence));
    fences.invalidate_pattern(glob("order:*"));
    assert!(fences.is_live_by(|| "user:1", &fence));
    assert!(fences.is_live_by(|| unreachable!("nothing new to match"), &fence));
}

#[test]
fn an_entry_older_than_a_trimmed_pattern_is_refused_and_one_that_had_seen_it_is_not() {
    let fences = Fences::with_limits(SMALL);
    let (idle, busy) = (born_now(&fences), born_now(&fences));
    for _ in 0..SMALL.patterns + 1 {
        fences.invalidate_pattern(glob("order:*"));
        assert!(fences.is_live("user:1", &busy));
    }
    assert!(!fences.is_live("user:1", &idle));
    assert!(fences.is_live("user:1", &born_now(&fences)));
}

#[test]
fn a_load_of_a_key_whose_mark_was_forgotten_is_refused_by_the_floor() {
    let fences = Fences::with_limits(SMALL);
    let before = born_now(&fences);
    fences.invalidate_key(1, || ());
    let between = born_now(&fences);
    for other in 2..=2 + SMALL.keys as u64 {
        fences.invalidate_key(other, || ());
    }
    assert!(!admitted(&fences, &before));
    assert!(!admitted(&fences, &between), "coarser than needed");
    assert!(admitted(&fences, &born_now(&fences)));
}

#[test]
fn forgetting_keeps_the_newer_half_of_the_key_marks() {
    let fences = Fences::with_limits(SMALL);
    fences.invalidate_key(1, || ());
    fences.invalidate_key(2, || ());
    let middle = born_now(&fences);
    fences.invalidate_key(3, || ());
    fences.invalidate_key(4, || ());
    fences.invalidate_key(5, || ());
    assert!(fences.is_current(1, "user:1", &middle), "the floor is below the marks that stay");
    for key in 3..=5 {
        assert!(!fences.is_current(key, "user:1", &middle), "the mark of {key} stays");
    }
}

#[test]
fn repeated_invalidations_of_one_key_forget_nothing() {
    let fences = Fences::with_limits(SMALL);
    let other = born_now(&fences);
    for key in 1..=SMALL.keys as u64 {
        fences.invalidate_key(key, || ());
    }
    for _ in 0..100 {
        fences.invalidate_key(1, || ());
    }
    assert!(fences.is_current(9, "user:9", &other));
}

#[test]
fn a_tag_learned_from_the_value_that_was_invalidated_during_the_load_refuses_it() {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &["user"]);
    fences.invalidate_tag("tenant:7");
    assert!(admitted(&fences, &fence), "nobody knows the tag yet");
    let fence = fence.with_tags(&fences, &["tenant:7"]);
    assert!(!admitted(&fences, &fence));
    assert!(!fences.is_live("user:1", &fence));
}

#[test]
fn a_fence_keeps_the_tags_it_had_when_it_learns_more() {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &["user"]).with_tags(&fences, &["tenant:7"]);
    assert!(fences.is_live("user:1", &fence));
    fences.invalidate_tag("user");
    assert!(!fences.is_live("user:1", &fence));
}

#[test]
fn a_learned_tag_whose_mark_was_purged_meanwhile_refuses_the_load() {
    let fences = Fences::with_limits(SMALL);
    let fence = born_now(&fences);
    fences.invalidate_tag("tenant:7");
    for other in ["a", "b", "c"] {
        fences.invalidate_tag(other);
    }
    assert!(!admitted(&fences, &fence.with_tags(&fences, &["tenant:7"])));
    let later = fences.fence(fences.now(), &["tenant:7"]);
    assert!(admitted(&fences, &later));
}

#[test]
fn a_purge_leaves_the_marks_that_entries_hold() {
    let fences = Fences::with_limits(SMALL);
    let fence = fences.fence(fences.now(), &["user"]);
    for other in ["a", "b", "c", "d", "e"] {
        fences.invalidate_tag(other);
    }
    assert!(fences.is_live("user:1", &fence), "other tags' purges do not touch it");
    fences.invalidate_tag("user");
    assert!(!fences.is_live("user:1", &fence));
}

#[test]
fn the_table_of_tags_does_not_grow_with_tags_that_nobody_holds() {
    let fences = Fences::with_limits(SMALL);
    let held: Vec<Fence> =
        (0..10).map(|n| fences.fence(fences.now(), &[format!("held:{n}")])).collect();
    for n in 0..1_000 {
        fences.fence(fences.now(), &[format!("gone:{n}")]);
    }
    assert!(fences.tags.len() <= 2 * (held.len() + SMALL.tags), "{}", fences.tags.len());
}

#[test]
fn a_copy_of_a_fence_remembers_which_patterns_were_checked() {
    let fences = Fences::with_limits(SMALL);
    let fence = born_now(&fences);
    for _ in 0..SMALL.patterns + 1 {
        fences.invalidate_pattern(glob("order:*"));
        assert!(fences.is_live("user:1", &fence));
    }
    assert!(fences.is_live("user:1", &fence.clone()));
}

#[test]
fn a_panic_in_an_insert_leaves_the_fences_usable() {
    let fences = Fences::new();
    let fence = born_now(&fences);
    let insert = || {
        fences.admit(1, "user:1", &fence, || panic!("an insert that fails"));
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(insert)).is_err());
    assert!(admitted(&fences, &fence));
    fences.invalidate_key(1, || ());
    assert!(!admitted(&fences, &fence));
}

#[test]
fn an_entry_that_bears_all_of_the_tags_is_ruled_out_and_one_that_lacks_one_is_not() {
    let fences = Fences::new();
    let bearing = |tags: &[&str]| fences.fence(fences.now(), tags);
    let (all, more, fewer, none) =
        (bearing(&["a", "b"]), bearing(&["b", "c", "a"]), bearing(&["a", "c"]), born_now(&fences));
    fences.invalidate_all_of(&["a", "b"]);
    for fence in [&all, &more] {
        assert!(!fences.is_live("user:1", fence));
        assert!(!fences.is_live("user:1", fence), "a refusal is not forgotten");
        assert!(!fences.is_current(1, "user:1", fence));
        assert!(!admitted(&fences, fence));
    }
    for fence in [&fewer, &none, &bearing(&["a", "b"])] {
        assert!(fences.is_live("user:1", fence) && admitted(&fences, fence));
    }
}

#[test]
fn all_of_no_tags_is_everything() {
    let fences = Fences::new();
    let (some, none) = (fences.fence(fences.now(), &["a"]), born_now(&fences));
    fences.invalidate_all_of(NO_TAGS);
    assert!(!fences.is_live("user:1", &some) && !fences.is_live("user:1", &none));
}

#[test]
fn a_tag_that_is_learned_after_the_load_was_looked_at_completes_the_list_all_the_same() {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &["a"]);
    fences.invalidate_all_of(&["a", "b"]);
    fences.invalidate_pattern(glob("order:*"));
    // Somebody joins the flight, or looks whether its load is worth storing.
    assert!(fences.is_current(1, "user:1", &fence), "nobody knows the other tag yet");
    let fence = fence.with_tags(&fences, &["b"]);
    assert!(!fences.is_live("user:1", &fence));
    assert!(!admitted(&fences, &fence));
}

#[test]
fn the_tags_of_a_record_are_known_again_after_the_table_was_purged() {
    let fences = Fences::with_limits(SMALL);
    let fence = born_now(&fences);
    fences.invalidate_all_of(&["a", "b"]);
    for other in 0..100 {
        fences.fence(fences.now(), &[other.to_string()]);
    }
    assert!(fences.is_live("user:1", &fence.clone().with_tags(&fences, &["a", "c"])));
    assert!(!fences.is_live("user:1", &fence.with_tags(&fences, &["a", "b"])));
}

#[test]
fn an_entry_that_is_tagged_late_is_compared_with_what_it_had_passed() {
    let fences = Fences::with_limits(SMALL);
    let (bears, lacks) = (fences.fence(fences.now(), &["a"]), born_now(&fences));
    fences.invalidate_all_of(&["a", "b"]);
    assert!(fences.is_live("user:1", &bears) && fences.is_live("user:1", &lacks));
    assert!(!fences.is_live("user:1", &bears.clone().with_tags(&fences, &["b"])));
    let lacks = lacks.with_tags(&fences, &["b"]);
    assert!(fences.is_live("user:1", &lacks));
    // The record is trimmed: nobody can say any more what it covered.
    for _ in 0..SMALL.patterns {
        fences.invalidate_pattern(glob("order:*"));
        assert!(fences.is_live("user:1", &bears) && fences.is_live("user:1", &lacks));
    }
    assert!(!fences.is_live("user:1", &bears.with_tags(&fences, &["b"])));
    assert!(!fences.is_live("user:1", &lacks.with_tags(&fences, &["c"])), "coarser than needed");
}

#[test]
fn patterns_that_were_trimmed_do_not_keep_an_entry_from_being_tagged() {
    let fences = Fences::with_limits(SMALL);
    let fence = born_now(&fences);
    for _ in 0..2 * SMALL.patterns {
        fences.invalidate_pattern(glob("order:*"));
        assert!(fences.is_live("user:1", &fence));
    }
    let fence = fence.with_tags(&fences, &["a"]);
    assert!(fences.is_live("user:1", &fence));
    fences.invalidate_tag("a");
    assert!(!fences.is_live("user:1", &fence));
}
