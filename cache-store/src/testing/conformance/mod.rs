//! The behaviour suite that every [`Store`](crate::Store) must pass: one case for each step of the protocol and each of
//! its fences.
//!
//! [`conformance_tests!`](crate::conformance_tests) turns the cases into tests, each with a name that says what it
//! proves. They run in real time against real servers as well as against
//! [`MemoryStore`](super::MemoryStore): where time must pass they poll with a bound.
//!
//! A third party that writes a store needs no more than this in `tests/conformance.rs`:
//!
//! ```
//! use std::sync::Arc;
//! use cache_store::testing::MemoryStore;
//!
//! /// A store over a namespace that nobody else uses.
//! async fn fresh() -> Arc<MemoryStore> {
//!     Arc::new(MemoryStore::new())
//! }
//!
//! cache_store::conformance_tests!(fresh);
//! ```

#[doc(hidden)]
pub mod cases;
#[cfg(test)]
mod one_by_one;
mod steps;

use std::{future::Future, time::Duration};

/// Far above what any case takes; a store that hangs fails its case instead of the whole run.
const AT_MOST: Duration = Duration::from_secs(60);

/// Expands to one `#[test]` for each case of the [behaviour suite](crate::testing::conformance).
///
/// The argument is a function that takes nothing and returns a future of an `Arc` of a fresh [`Store`](crate::Store):
/// one whose namespace no other call ever gets, since the tests run at the same time. Each test has a tokio runtime of
/// its own (current thread, all drivers), which needs no dependency on tokio where the macro is used.
///
/// A second argument, which may be left out, makes two handles on one fresh namespace, as two processes have them: then
/// what one of them does must be [news](crate::Store::listen) to the other. Without it one handle has both parts.
///
/// ```
/// use std::sync::Arc;
/// use cache_store::testing::{ChaosStore, MemoryStore};
///
/// cache_store::conformance_tests!(async || Arc::new(ChaosStore::new(MemoryStore::new())));
/// ```
///
/// ```
/// use std::sync::Arc;
/// use cache_store::testing::MemoryStore;
///
/// async fn two() -> (Arc<MemoryStore>, Arc<MemoryStore>) {
///     let store = MemoryStore::new();
///     (Arc::new(store.connect()), Arc::new(store))
/// }
/// cache_store::conformance_tests!(async || Arc::new(MemoryStore::new()), two);
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr $(,)?) => {
        $crate::conformance_tests! { $make, async || {
            let store = ($make)().await;
            (::std::sync::Arc::clone(&store), store)
        } }
    };
    ($make:expr, $two:expr $(,)?) => {
        $crate::__conformance_tests! { $make;
            // Loads
            a_read_of_nothing_finds_nothing
            a_read_gives_the_position_in_the_pattern_log_only_when_asked
            a_read_after_a_fill_gives_the_value_its_nonce_and_its_life
            a_value_starts_with_the_nonce_it_was_stored_under
            two_claims_without_a_lease_both_load_and_both_fill
            claims_at_the_same_time_agree_on_the_nonce
            a_claim_finds_what_was_stored_meanwhile
            a_refused_value_is_not_offered_again
            another_value_than_the_refused_one_is_offered
            a_fill_without_a_claim_is_refused
            the_store_says_that_it_is_well
            // Invalidations
            an_invalidation_between_claim_and_fill_refuses_the_fill
            an_invalidation_ends_a_stored_value
            an_old_load_cannot_fill_after_a_newer_claim
            a_refused_fill_leaves_what_a_newer_load_stored
            a_nonce_never_returns
            an_invalidation_leaves_other_keys_alone
            one_invalidation_takes_many_keys
            invalidations_may_be_repeated_and_may_name_nothing
            // Leases
            of_two_claims_with_a_lease_the_second_is_held
            of_many_claims_at_once_one_gets_the_lease
            a_claim_without_a_lease_loads_beside_a_holder
            a_lease_on_one_key_holds_no_other
            a_fill_frees_the_lease
            a_release_frees_the_lease
            a_release_with_another_token_frees_nothing
            an_expired_lease_is_free
            a_fill_after_its_lease_expired_is_refused
            a_stalled_holder_cannot_fill_while_its_successor_loads
            a_stalled_holder_cannot_fill_after_its_successor_stored
            an_invalidated_holder_takes_nothing_from_its_successor
            a_lease_of_an_invalidated_key_is_void
            renewing_keeps_a_lease
            an_expired_lease_cannot_be_renewed
            a_lease_that_another_holds_cannot_be_renewed
            a_wait_without_a_lease_is_over_at_once
            a_wait_for_a_lease_ends_with_a_fill
            a_wait_for_a_lease_ends_with_a_release
            a_wait_for_a_lease_ends_when_it_expires
            a_wait_for_a_lease_gives_up_in_time
            // Tags
            tag_nonces_are_made_once_and_shared
            tags_are_answered_in_their_order
            an_invalidated_tag_is_gone_and_comes_back_with_another_nonce
            a_tag_and_a_key_of_one_name_do_not_meet
            stamps_are_the_nonces_that_claims_get
            stamps_make_tags_that_there_were_not
            a_stamp_is_refused_after_one_of_its_tags_was_invalidated
            a_stamp_is_accepted_after_other_tags_were_invalidated
            a_stamp_is_accepted_when_its_tag_was_invalidated_before_the_capture
            a_stamp_with_an_unknown_capture_is_refused
            a_stamp_is_refused_when_its_capture_was_trimmed
            claiming_a_tag_again_prolongs_it
            stamping_a_tag_again_prolongs_it
            a_fill_keeps_its_tags_as_long_as_its_value
            a_fill_that_lives_forever_keeps_its_tags
            a_finished_value_keeps_its_tags_as_long_as_itself
            a_fill_neither_brings_back_nor_prolongs_a_tag_that_is_another_one_by_now
            // Changes of tags
            nothing_with_a_tag_is_stored_while_it_is_changed
            what_a_tag_had_ends_when_its_change_begins
            a_load_from_before_a_change_of_its_tag_stores_nothing_valid
            a_write_that_begins_while_its_tag_is_changed_stores_nothing
            whoever_learns_tags_from_values_is_told_which_are_changed
            of_more_changed_tags_than_can_be_told_none_is_stored_when_learned
            a_stamp_of_a_load_from_before_a_change_is_refused
            a_change_that_is_announced_twice_is_one
            the_time_of_a_short_change_ends_no_long_one
            the_end_of_a_long_change_leaves_a_short_one_its_time
            an_invalidation_ends_no_change_of_a_tag
            of_two_changes_of_a_tag_each_ends_alone
            an_unfinished_change_of_a_tag_is_over_after_its_time
            a_change_of_a_tag_may_be_finished_twice_and_without_having_begun
            // The index of tags
            keys_are_found_by_their_tags
            a_written_key_is_found_by_its_tags
            an_invalidated_tag_finds_nothing_but_what_was_stored_since
            a_key_whose_value_ended_is_not_found
            a_tag_without_entries_finds_nothing
            many_keys_are_found_page_by_page
            // Patterns
            the_pattern_log_is_opened_once
            the_pattern_log_is_opened_once_for_all_who_ask_at_the_same_time
            patterns_are_appended_oldest_first
            the_same_pattern_twice_is_two_records
            the_pattern_log_is_bounded_and_a_trimmed_record_is_unknown
            tags_that_an_entry_must_bear_together_are_one_record
            tags_that_an_entry_must_bear_together_keep_their_nonces
            clearing_forgets_every_record
            clearing_may_be_repeated
            a_claim_gives_every_record_after_the_known_one
            a_claim_with_an_unknown_record_gives_the_whole_log
            // Writes
            nothing_is_stored_between_begin_and_finish
            an_announcement_without_an_answer_is_ended_by_its_token
            a_write_that_is_announced_twice_is_one
            a_value_ends_when_a_write_begins
            a_write_that_was_alone_stores_its_value
            a_finished_value_has_the_life_it_was_given
            a_write_without_a_value_invalidates
            a_write_that_another_overlapped_stores_nothing
            a_write_that_began_second_stores_nothing
            a_write_that_an_invalidation_came_between_stores_nothing
            a_write_that_is_finished_twice_stores_once
            an_unfinished_write_is_over_after_its_time
            a_write_that_finishes_after_its_time_invalidates
            a_short_write_does_not_end_the_mark_of_a_long_one
            a_write_captures_what_a_load_captures
            // Lives
            a_life_under_one_millisecond_is_stored_and_ends
            a_short_life_ends
            a_value_about_to_end_never_says_that_it_lives_forever
            a_value_that_lives_forever_stays
            a_second_fill_does_not_inherit_the_first_ones_end
            a_second_fill_does_not_inherit_the_first_ones_lack_of_an_end
            the_longest_life_there_is_can_be_stored
            a_fill_keeps_its_dependency_as_long_as_its_value
            a_fill_that_lives_forever_keeps_its_dependency
            a_fill_after_its_dependency_ended_is_refused
            // Values and names
            an_empty_value_comes_back
            a_value_of_ten_megabytes_comes_back
            every_byte_comes_back
            keys_may_hold_any_character
            tags_may_hold_any_character
            patterns_may_hold_any_character
            many_keys_are_loaded_at_once
            // Many at once
            nothing_asked_is_nothing_answered
            many_reads_answer_in_the_order_of_their_keys
            many_claims_capture_what_each_key_depends_on
            many_claims_have_an_outcome_each
            an_invalidation_refuses_one_of_many_fills
            a_tag_refuses_those_of_many_stamps_that_bear_it
            many_writes_are_each_stored_or_refused_alone
            more_keys_than_go_in_one_piece_are_still_one_list
            // Locks
            of_many_who_try_at_once_one_gets_the_lock
            a_lock_that_expired_is_followed_by_a_greater_fencing_token
            the_same_acquisition_asked_twice_is_one
            renewing_keeps_a_lock
            a_lock_that_nobody_has_cannot_be_renewed
            a_wait_for_a_lock_that_nobody_has_is_over_at_once
            a_wait_for_a_lock_ends_when_it_expires_and_gives_up_in_time
            what_is_invalidated_or_stored_touches_no_lock
            locks_may_have_any_name
            // Rate limits
            a_limit_is_counted_down_to_nothing
            of_many_who_call_at_once_as_many_as_the_limit_are_allowed
            a_call_that_is_refused_is_not_counted
            a_call_counts_for_what_it_costs
            there_is_room_again_when_it_was_said
            never_more_than_the_limit_in_any_sliding_window
            never_more_than_the_burst_and_what_flowed_out_of_the_bucket
            a_fixed_window_starts_anew_when_it_is_over
            a_limit_may_change_between_calls
            a_limit_of_many_calls_is_kept_too
            strategies_and_windows_of_one_name_are_counted_apart
            what_is_invalidated_or_stored_touches_no_limit
            limits_may_have_any_name
            // Sessions
            a_session_that_was_made_is_found_with_its_times
            a_session_that_is_idle_for_too_long_ends_and_a_look_does_not_prolong_it
            a_session_that_is_touched_lives_until_its_absolute_end
            a_write_is_made_in_the_state_that_was_expected_and_in_no_other
            of_many_writes_or_moves_in_one_state_one_is_made
            nothing_brings_a_session_back
            a_moved_session_is_in_its_new_place_alone_and_lives_no_longer
            all_sessions_of_a_user_end_together_and_nobody_elses
            a_user_has_so_many_sessions_and_no_more
            the_oldest_session_is_listed_first
            what_is_invalidated_or_stored_touches_no_session
            sessions_may_have_any_name_and_shard
            after_any_steps_lists_and_sessions_agree
            // Topics
            a_subscriber_is_handed_what_is_published_afterwards_in_order
            a_message_is_for_its_topic_and_for_the_patterns_that_match_it
            nothing_is_handed_over_after_the_feed_was_dropped
            topics_may_have_any_name_and_messages_any_bytes
            what_is_invalidated_touches_no_topic
            // News
            listening_begins_with_a_gap
            a_store_that_nobody_listens_to_has_no_heartbeat
            a_handle_hears_its_own_changes
        }
        // Of one handle and told to the other
        $crate::__conformance_tests_of_two! { $two;
            an_invalidated_key_is_told_before_the_next_heartbeat
            many_invalidated_keys_are_all_told_before_the_next_heartbeat
            an_invalidated_tag_is_told_before_the_next_heartbeat
            an_invalidated_pattern_is_told_before_the_next_heartbeat
            a_clearing_is_told_before_the_next_heartbeat
            a_write_is_told_when_it_begins_and_when_it_ends
            a_dependency_that_a_load_makes_is_told
            what_changes_nothing_is_no_news
            news_comes_in_the_order_of_the_changes
            news_may_be_of_any_character
            a_second_listener_takes_the_place_of_the_first
            a_listener_that_is_gone_hinders_nobody
            // And of locks
            a_lock_that_another_holds_is_held_for_both
            each_acquisition_has_a_greater_fencing_token
            a_lock_is_released_by_its_acquisition_and_no_other
            a_late_release_takes_nothing_from_the_successor
            a_wait_for_a_lock_ends_with_its_release
            // And of rate limits
            a_limit_is_one_for_all_handles
            // And of sessions
            a_session_is_one_for_all_handles
            // And of topics
            a_message_goes_to_all_handles
        }
        // Of two namespaces
        $crate::__conformance_tests_of_two! { async || (($make)().await, ($make)().await);
            nothing_is_told_of_another_namespace
            topics_of_another_namespace_are_others
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($make:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            $crate::testing::conformance::run_case(async {
                $crate::testing::conformance::cases::$case(($make)().await).await;
            });
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests_of_two {
    ($make:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            $crate::testing::conformance::run_case(async {
                let (one, other) = ($make)().await;
                $crate::testing::conformance::cases::$case(one, other).await;
            });
        }
    )*};
}

/// Runs one case to its end.
///
/// # Panics
///
/// When the case fails or hangs.
#[doc(hidden)]
pub fn run_case(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let ended = runtime.block_on(async { tokio::time::timeout(AT_MOST, case).await });
    assert!(ended.is_ok(), "the store kept this case waiting for {AT_MOST:?}");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::one_by_one;
    use crate::testing::{ChaosStore, MemoryStore};

    crate::conformance_tests!(async || Arc::new(MemoryStore::new()), async || {
        let store = MemoryStore::new();
        (Arc::new(store.connect()), Arc::new(store))
    });

    mod a_calm_chaos_store_changes_nothing {
        use super::*;

        crate::conformance_tests!(async || Arc::new(ChaosStore::new(MemoryStore::new())));
    }

    mod a_store_may_leave_the_steps_for_many_keys_out {
        use super::*;
        use crate::testing::conformance::one_by_one::OneByOne;

        crate::__conformance_tests! { async || Arc::new(OneByOne(MemoryStore::new()));
            nothing_asked_is_nothing_answered
            many_reads_answer_in_the_order_of_their_keys
            many_claims_capture_what_each_key_depends_on
            many_claims_have_an_outcome_each
            an_invalidation_refuses_one_of_many_fills
            a_tag_refuses_those_of_many_stamps_that_bear_it
            many_writes_are_each_stored_or_refused_alone
            more_keys_than_go_in_one_piece_are_still_one_list
        }
    }

    #[tokio::test]
    async fn a_store_that_leaves_locks_out_says_so() {
        use crate::{ErrorKind, Lease, Nonce, Store};

        let store = one_by_one::OneByOne(MemoryStore::new());
        let mine = Lease { token: Nonce::random().unwrap(), life: std::time::Duration::MAX };
        let answers = [
            store.acquire_lock("lock", mine).await.err(),
            store.renew_lock("lock", mine).await.err(),
            store.release_lock("lock", mine.token).await.err(),
        ];
        for error in answers {
            assert_eq!(error.unwrap().kind(), ErrorKind::Unsupported);
        }
        store.lock_ended("lock", mine.life).await;
    }

    #[tokio::test]
    async fn a_store_that_leaves_rate_limits_out_says_so() {
        use crate::{ErrorKind, LimitCheck, LimitStrategy, Store};

        let store = one_by_one::OneByOne(MemoryStore::new());
        let (per, strategy) = (LimitCheck::LONGEST, LimitStrategy::SlidingWindow);
        let check = LimitCheck { name: "a", limit: 1, per, cost: 1, strategy };
        assert_eq!(store.check_limit(check).await.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[tokio::test]
    async fn a_store_that_leaves_topics_out_says_so() {
        use std::sync::Weak;

        use crate::{Delivery, ErrorKind, Store, Subscriber, Topics};

        struct Nobody;

        impl Subscriber for Nobody {
            fn receive(&self, _: Delivery<'_>) {}
        }

        let store = one_by_one::OneByOne(MemoryStore::new());
        let nobody: Weak<dyn Subscriber> = Weak::<Nobody>::new();
        let subscribed = store.subscribe(Topics::One("a"), nobody).await;
        assert_eq!(subscribed.unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(store.publish("a", b"").await.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_store_may_leave_sessions_out() {
        use crate::Store;

        assert!(one_by_one::OneByOne(MemoryStore::new()).sessions().is_none());
    }

    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("mod.rs");
        let files = [
            include_str!("cases/index.rs"),
            include_str!("cases/invalidations.rs"),
            include_str!("cases/leases.rs"),
            include_str!("cases/limits.rs"),
            include_str!("cases/lives.rs"),
            include_str!("cases/loads.rs"),
            include_str!("cases/locks.rs"),
            include_str!("cases/many.rs"),
            include_str!("cases/news.rs"),
            include_str!("cases/patterns.rs"),
            include_str!("cases/sessions.rs"),
            include_str!("cases/successors.rs"),
            include_str!("cases/tags.rs"),
            include_str!("cases/topics.rs"),
            include_str!("cases/values.rs"),
            include_str!("cases/writes.rs"),
        ];
        for file in files {
            for case in file.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let name = case.split('(').next().unwrap();
                assert!(list.contains(&format!("\n            {name}\n")), "{name} is not listed");
            }
        }
    }
}
