//! Which scene catches which mutant, and what it says then.

/// A mutant, the scene that must fail on it, and a part of what loom says.
pub struct Case {
    /// The name in `build.rs`.
    pub mutant: &'static str,
    /// Plays the scene; it does not return.
    pub play: fn(),
    /// What the failure says.
    pub says: &'static str,
}

macro_rules! cases {
    ($($mutant:ident, $scenes:ident::$scene:ident($($end:ident)?), $says:literal;)*) => {
        /// All mutants.
        pub const CASES: &[Case] = &[$(
            Case {
                mutant: stringify!($mutant),
                play: || {
                    use crate::mutants::$mutant::$scenes as scenes;
                    scenes::$scene($(scenes::End::$end)?);
                },
                says: $says,
            },
        )*];
    };
}

cases! {
    checks_a_key_before_the_lock,
        fence_scenes::a_key_invalidated_during_its_load(), "an old value";
    marks_a_key_after_the_removal,
        fence_scenes::a_key_invalidated_during_its_load(), "an old value";
    numbers_without_release,
        fence_scenes::a_key_invalidated_during_its_load(), "an old value";
    reads_numbers_without_acquire,
        fence_scenes::a_key_invalidated_during_its_load(), "an old value";
    forgets_purged_tags,
        fence_scenes::a_learned_tag_invalidated_and_purged_during_a_load(), "an old value";
    starts_learned_tags_at_nothing,
        fence_scenes::a_learned_tag_invalidated_and_purged_during_a_load(), "an old value";
    purges_tags_that_are_held,
        fence_scenes::a_purge_beside_an_entry_that_is_stored(), "an old value";
    numbers_a_tag_before_the_lock,
        fence_scenes::two_invalidations_of_one_tag(), "an old value";
    ignores_tags_learned_from_the_value,
        fence_scenes::a_learned_tag_invalidated_and_purged_during_a_load(), "an old value";
    checks_patterns_from_the_insert_on,
        fence_scenes::a_pattern_invalidated_during_a_load(), "an old value";
    takes_an_invalidation_of_everything_for_a_doubt,
        fence_scenes::everything_invalidated_and_doubted_during_a_load(), "an old value is spared";
    moves_checked_before_it_matches,
        fence_scenes::two_hits_while_patterns_come(), "an old value";
    believes_what_was_compared_without_the_learned_tags,
        fence_scenes::all_of_the_tags_invalidated_during_a_load_that_is_looked_at(), "an old value";
    purges_tags_that_a_record_holds,
        fence_scenes::all_of_the_learned_tags_invalidated_and_purged_during_a_load(), "an old value";
    numbers_a_pattern_before_the_lock,
        fence_scenes::two_invalidations_of_patterns(), "an old value";
    leaves_no_mark_when_a_write_ends,
        fence_scenes::a_write_beside_a_load(), "an old value";
    stores_a_write_that_was_overtaken,
        fence_scenes::two_writes_at_once(), "the earlier write";
    forgets_what_was_heard_of_tags,
        heard_scenes::a_tag_heard_during_a_load(), "an old value";
    forgets_what_is_heard_of_a_confirmed_key,
        heard_scenes::a_key_heard_during_its_load(), "an old value";
    is_ruled_out_by_its_own_making,
        heard_scenes::a_load_that_hears_itself(), "by its own making";
    tells_copies_before_the_change_is_made,
        front_scenes::a_copy_beside_an_invalidation_of_its_key(), "an old value";
    tells_copies_of_no_replacement,
        front_scenes::a_copy_beside_a_replacement(), "an old value";
    tells_copies_before_a_tag_is_marked,
        front_scenes::a_copy_beside_an_invalidation_of_a_tag(), "an old value";
    tells_copies_before_a_pattern_is_logged,
        front_scenes::a_copy_beside_an_invalidation_by_pattern(), "an old value";
    tells_copies_of_no_list_of_tags,
        front_scenes::a_copy_beside_an_invalidation_of_all_of_its_tags(), "an old value";
    tells_copies_of_no_doubt,
        front_scenes::a_copy_beside_a_doubt(), "an old value";
    tells_copies_before_all_is_cleared,
        front_scenes::a_copy_beside_an_invalidation_of_everything(), "an old value";
    joins_whatever_flight_is_there,
        flight_scenes::nobody_who_comes_after_an_invalidation_gets_the_old_value(), "an old value";
    replaces_what_it_has_not_seen,
        flight_scenes::two_take_overs_of_a_leader_that_never_lands(), "two lead at once";
    takes_over_what_it_waited_for,
        flight_scenes::two_take_overs_of_a_leader_that_never_lands(), "deadlock";
    removes_its_successor,
        flight_scenes::two_take_overs_and_a_late_landing(), "two lead at once";
    tells_nobody_of_a_take_over,
        flight_scenes::two_take_overs_of_a_leader_that_never_lands(), "does not know";
    looks_for_waiters_before_nobody_can_join,
        flight_scenes::a_caller_comes_while_a_leader_lands_alone(), "deadlock";
    ends_untold,
        flight_scenes::two_take_overs_of_a_leader_that_never_lands(), "does not know";
    wakes_before_the_result_is_set,
        flight_scenes::every_waiter_learns_how_the_flight_ended(Lands), "deadlock";
    takes_all_wakers_when_one_waiter_leaves,
        flight_scenes::a_cancelled_waiter_beside_one_that_waits(), "deadlock";
    removes_a_flight_after_its_result_is_set,
        flight_scenes::one_waiter_follows_a_cancelled_leader(), "not landed: Abandoned";
    forgets_a_cancelled_leader,
        flight_scenes::every_waiter_learns_how_the_flight_ended(IsCancelled), "deadlock";
    takes_a_panic_for_a_cancellation,
        flight_scenes::every_waiter_learns_how_the_flight_ended(Panics), "Failed";
}
