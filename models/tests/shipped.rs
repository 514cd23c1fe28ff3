//! No order of steps breaks the shipped code.

use larder_models::real::flight_scenes::End;
use larder_models::real::{fence_scenes, flight_scenes, front_scenes, heard_scenes};

#[test]
fn a_key_invalidated_during_its_load_is_never_served_old() {
    fence_scenes::a_key_invalidated_during_its_load();
}

#[test]
fn clearing_during_a_load_never_serves_it_old() {
    fence_scenes::everything_invalidated_during_a_load();
}

#[test]
fn what_is_known_to_be_invalidated_is_never_taken_for_merely_doubted() {
    fence_scenes::everything_invalidated_and_doubted_during_a_load();
}

#[test]
fn a_pattern_invalidated_during_a_load_never_serves_it_old() {
    fence_scenes::a_pattern_invalidated_during_a_load();
}

#[test]
fn a_known_tag_invalidated_during_a_load_never_serves_it_old() {
    fence_scenes::a_known_tag_invalidated_and_purged_during_a_load();
}

#[test]
fn a_learned_tag_whose_mark_was_purged_during_the_load_never_serves_it_old() {
    fence_scenes::a_learned_tag_invalidated_and_purged_during_a_load();
}

#[test]
fn a_purge_never_takes_the_mark_of_an_entry() {
    fence_scenes::a_purge_beside_an_entry_that_is_stored();
}

#[test]
fn all_of_the_tags_invalidated_during_a_load_that_is_looked_at_never_serve_it_old() {
    fence_scenes::all_of_the_tags_invalidated_during_a_load_that_is_looked_at();
}

#[test]
fn all_of_the_learned_tags_whose_marks_may_be_purged_never_serve_a_load_old() {
    fence_scenes::all_of_the_learned_tags_invalidated_and_purged_during_a_load();
}

#[test]
fn the_later_of_two_invalidations_of_a_tag_is_never_lost() {
    fence_scenes::two_invalidations_of_one_tag();
}

#[test]
fn the_later_of_two_invalidations_of_patterns_is_never_lost() {
    fence_scenes::two_invalidations_of_patterns();
}

#[test]
fn two_hits_that_check_patterns_at_once_both_tell_the_truth() {
    fence_scenes::two_hits_while_patterns_come();
}

#[test]
fn a_load_that_a_write_overtook_is_never_served_old() {
    fence_scenes::a_write_beside_a_load();
}

#[test]
fn of_two_writes_at_once_the_earlier_one_never_stays() {
    fence_scenes::two_writes_at_once();
}

#[test]
fn a_key_that_is_heard_of_during_its_load_is_never_served_old() {
    heard_scenes::a_key_heard_during_its_load();
}

#[test]
fn a_tag_that_is_heard_of_during_a_load_never_serves_it_old() {
    heard_scenes::a_tag_heard_during_a_load();
}

#[test]
fn a_gap_during_a_load_never_serves_it_old() {
    heard_scenes::a_gap_during_a_load();
}

#[test]
fn an_invalidation_that_is_heard_by_its_own_process_never_lets_an_old_load_in() {
    heard_scenes::an_invalidation_of_ones_own_that_is_heard();
}

#[test]
fn a_load_is_not_ruled_out_by_the_making_of_its_own_dependency() {
    heard_scenes::a_load_that_hears_itself();
}

#[test]
fn every_waiter_gets_what_the_leader_lands() {
    flight_scenes::every_waiter_learns_how_the_flight_ended(End::Lands);
}

#[test]
fn a_caller_that_finds_a_flight_that_ends_unwaited_for_learns_how_it_ended() {
    flight_scenes::a_caller_comes_while_a_leader_lands_alone();
}

#[test]
fn every_waiter_learns_that_the_leader_was_cancelled() {
    flight_scenes::every_waiter_learns_how_the_flight_ended(End::IsCancelled);
}

#[test]
fn every_waiter_learns_that_the_leader_panicked() {
    flight_scenes::every_waiter_learns_how_the_flight_ended(End::Panics);
}

#[test]
fn every_waiter_learns_that_the_leader_failed() {
    flight_scenes::every_waiter_learns_how_the_flight_ended(End::Fails);
}

#[test]
fn one_waiter_at_a_time_follows_a_cancelled_leader() {
    flight_scenes::one_waiter_follows_a_cancelled_leader();
}

#[test]
fn a_cancelled_waiter_takes_nobody_elses_wake_up() {
    flight_scenes::a_cancelled_waiter_beside_one_that_waits();
}

#[test]
fn one_waiter_at_a_time_takes_over_even_if_the_old_leader_lands() {
    flight_scenes::two_take_overs_and_a_late_landing();
}

#[test]
fn one_waiter_takes_over_and_the_other_gets_its_value() {
    flight_scenes::two_take_overs_of_a_leader_that_never_lands();
}

#[test]
fn nobody_who_comes_after_an_invalidation_gets_the_old_value() {
    flight_scenes::nobody_who_comes_after_an_invalidation_gets_the_old_value();
}

#[test]
fn a_waiter_that_checks_what_landed_gets_no_value_older_than_a_learned_tags_invalidation() {
    flight_scenes::a_waiter_checks_the_tags_that_were_learned(true);
}

#[test]
#[should_panic(expected = "an old value after its invalidation")]
fn a_waiter_that_does_not_check_what_landed_may_get_one() {
    flight_scenes::a_waiter_checks_the_tags_that_were_learned(false);
}

#[test]
fn a_copy_is_not_served_once_its_key_was_invalidated() {
    front_scenes::a_copy_beside_an_invalidation_of_its_key();
}

#[test]
fn a_copy_is_not_served_once_its_entry_was_replaced() {
    front_scenes::a_copy_beside_a_replacement();
}

#[test]
fn a_copy_is_not_served_once_its_tag_was_invalidated() {
    front_scenes::a_copy_beside_an_invalidation_of_a_tag();
}

#[test]
fn a_copy_is_not_served_once_a_pattern_of_its_key_was_invalidated() {
    front_scenes::a_copy_beside_an_invalidation_by_pattern();
}

#[test]
fn a_copy_is_not_served_once_all_of_its_tags_were_invalidated_together() {
    front_scenes::a_copy_beside_an_invalidation_of_all_of_its_tags();
}

#[test]
fn a_copy_is_not_served_once_everything_was_invalidated() {
    front_scenes::a_copy_beside_an_invalidation_of_everything();
}

#[test]
fn a_copy_is_not_served_once_everything_was_doubted() {
    front_scenes::a_copy_beside_a_doubt();
}
