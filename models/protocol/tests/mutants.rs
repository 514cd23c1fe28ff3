//! Every rule of the protocol is needed: a search finds what goes wrong without it, and nothing goes wrong in the same
//! case with it.

use larder_protocol::{
    Broken, Limits, Verdict,
    case::Case,
    every_waiter_can_go_on,
    mutant::Mutant::{self, *},
    mutants::{LIMIT, LIMIT_OF_CHANGES, MUTANTS, SPARE},
    search,
};

const LIMITS: Limits = Limits { states: 2_000_000, threads: 1 };

macro_rules! each_is_caught {
    ($($test:ident: $mutant:ident,)*) => {
        $(#[test]
        fn $test() {
            is_caught($mutant);
        })*

        #[test]
        fn every_mutant_has_a_test() {
            let tested = [$($mutant),*];
            let known: Vec<_> = MUTANTS.iter().map(|caught| caught.mutant).collect();
            assert_eq!(tested.as_slice(), known);
        }
    };
}

each_is_caught! {
    a_claim_captures_the_key_before_the_load: KeyCapturedAfterTheLoad,
    a_claim_captures_known_tags_before_the_load: KnownTagCapturedAfterTheLoad,
    a_claim_captures_the_pattern_log_before_the_load: PatternsCapturedAfterTheLoad,
    a_claim_captures_the_tag_log_before_the_load: TagLogCapturedAfterTheLoad,
    a_key_has_a_nonce_and_not_a_counter: KeyCounters,
    a_tag_has_a_nonce_and_not_a_counter: TagCounters,
    fill_compares_the_keys_nonce: UnconditionalFill,
    fill_looks_at_the_lease: LostLeaseFills,
    stamp_looks_at_the_tag_log: NoTagLog,
    stamp_refuses_a_position_that_was_trimmed: TrimmedTagLogAccepted,
    stamp_reads_log_and_tag_at_once: StampsLogFirst,
    stamp_comes_before_fill: TagsCheckedAfterTheFill,
    a_reader_refuses_a_position_that_was_trimmed: TrimmedPatternsAccepted,
    a_write_has_a_nonce_of_its_own: WriteWithoutItsOwnNonce,
    a_write_beside_another_stores_nothing: WriteBesideAnother,
    a_claim_looks_for_writers: ReadIgnoresWriters,
    a_writer_marks_its_process_when_it_ends: FinishWithoutLocalMark,
    a_write_without_an_announcement_is_invalidated: UnannouncedWriteIsNotRepeated,
    a_write_keeps_nothing_behind_its_own_fence: WriteIgnoresItsFence,
    a_write_stamps_tags_before_begin: WriteStampsTagsAtFinish,
    the_shared_tier_is_invalidated_first: LocalFirst,
    the_invalidating_process_marks_itself: NoLocalMark,
    untag_takes_the_tag_and_logs_it_at_once: UntagsTagFirst,
    what_is_unconfirmed_is_not_served: ServesUnconfirmed,
    what_is_unconfirmed_is_asked_before_the_read: UnconfirmedAskedAfterTheRead,
    a_transaction_invalidates_before_it_commits: BeginTagsLeavesTheNonce,
    a_transaction_logs_its_tags_before_it_commits: BeginTagsWithoutTagLog,
    a_transaction_marks_its_tags: BeginTagsWithoutMark,
    a_tag_that_is_changed_gets_no_nonce: CaptureIgnoresChanges,
    a_claim_stores_nothing_beside_a_change: ClaimsBesideAChange,
    a_claim_that_learns_tags_is_told_of_changes: LearnsNothingOfChanges,
    whether_a_learned_tag_is_changed_is_asked_before_the_load: ChangesAreAskedAtTheStamp,
    a_write_stores_nothing_beside_a_change: WriterIgnoresChanges,
    a_transaction_invalidates_after_it_has_committed: FinishTagsOnlyUnmarks,
    each_of_two_transactions_ends_alone: FinishTagsEndsAll,
    a_transaction_marks_its_process_when_it_ends: FinishTagsWithoutLocalMark,
    memory_keeps_nothing_that_fill_refused: KeepsWhatWasRefused,
    heartbeats_keep_nothing_that_fill_did_not_store: LastsWithoutAFill,
    the_keys_stamp_is_taken_before_fill: KeyStampAfterTheReply,
    the_tags_stamp_is_taken_before_the_claim: TagStampBeforeTheFill,
    the_stamp_for_gaps_is_taken_before_the_claim: GapStampBeforeTheFill,
    the_bound_counts_from_the_claim: ProvenAtTheFill,
    patterns_are_compared_from_the_birth_on: CheckedFromTheInsert,
    news_stop_loads_that_are_under_way: NewsOnlySweepMemory,
    nobody_joins_a_flight_from_before_an_invalidation: JoinsFencedFlights,
    nobody_joins_a_flight_from_before_the_bound: JoinsOldFlights,
    a_reconnect_is_a_gap: NoGapAtReconnect,
    a_flush_is_a_gap: NoGapAtFlush,
    a_heartbeat_counts_from_its_sending: LiveFromTheAnswer,
    a_heartbeat_waits_for_the_news: BeatsBeforeTheNews,
    a_heartbeat_waits_for_the_patterns: BeatsBeforeThePatterns,
    patterns_are_read_after_the_news_of_them: EarlierFetchCounts,
    the_first_copy_of_the_pattern_log_rules_out_what_is_older: FirstFetchRulesOutNothing,
    a_lease_has_an_end: LeaseWithoutEnd,
}

fn is_caught(mutant: Mutant) {
    let caught = MUTANTS.iter().find(|caught| caught.mutant == mutant).expect("it is in the table");
    let whole = Case { mutant: None, ..caught.case };
    if caught.broken == Broken::Stuck {
        assert_eq!(every_waiter_can_go_on(&whole), Some(true));
        assert_eq!(every_waiter_can_go_on(&caught.case), Some(false), "nobody waits for ever");
        return;
    }
    let report = search(&whole, LIMITS);
    assert!(matches!(report.verdict, Verdict::Holds), "without the mutant: {:?}", report.verdict);
    let report = search(&caught.case, LIMITS);
    let Verdict::Broken(broken, trace) = report.verdict else {
        panic!("{mutant:?} survives: {:?} after {} states", report.verdict, report.states)
    };
    println!("{mutant:?}: {broken} after {} steps\n{trace}", trace.len());
    assert_eq!(broken, caught.broken, "{trace}");
}

/// Coarse steps are only worth something if they find what fine steps find.
#[test]
fn fine_steps_find_the_same() {
    for caught in MUTANTS.iter().filter(|caught| caught.broken != Broken::Stuck) {
        let report = search(&Case { fine: true, ..caught.case }, LIMITS);
        let Verdict::Broken(broken, _) = report.verdict else {
            panic!("{:?} survives fine steps: {:?}", caught.mutant, report.verdict)
        };
        assert_eq!(broken, caught.broken, "{:?}", caught.mutant);
    }
}

#[test]
fn no_promise_needs_a_spare_rule() {
    for (mutant, case) in SPARE {
        let report = search(&case.with(*mutant), LIMITS);
        assert!(matches!(report.verdict, Verdict::Holds), "{mutant:?}: {:?}", report.verdict);
    }
}

#[test]
fn a_writer_that_dies_after_its_mark_has_ended_is_beyond_the_promises() {
    is_beyond_the_promises(LIMIT);
}

#[test]
fn a_transaction_that_dies_after_its_announcement_has_ended_is_beyond_the_promises() {
    is_beyond_the_promises(LIMIT_OF_CHANGES);
}

fn is_beyond_the_promises(limit: Case) {
    let report = search(&limit, LIMITS);
    let Verdict::Broken(broken, trace) = report.verdict else { panic!("{:?}", report.verdict) };
    println!("{broken}\n{trace}");
    assert_eq!(broken, Broken::Shared);
    let promised = search(&Case { beyond: false, ..limit }, LIMITS);
    assert!(matches!(promised.verdict, Verdict::Holds), "{:?}", promised.verdict);
}
