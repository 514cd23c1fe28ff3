//! In these cases every promise holds, in every order of all steps.

use std::collections::BTreeSet;

use larder_protocol::{
    Home, Kind, Lag, Limits, Report, Sight, Verdict,
    case::{ANY, Case, Fault},
    cases::SMALL,
    every_waiter_can_go_on, search,
};

const LIMITS: Limits = Limits { states: 2_000_000, threads: 1 };

/// One change, by the key alone.
const KEY: Case = Case { kinds: &[Kind::Key], tags: [false, false], changes: 1, ..Case::PLAIN };

fn exhausted(case: &Case) -> Report {
    let report = search(case, LIMITS);
    let Report { states, depth, verdict, .. } = &report;
    println!("{}: {states} states, {depth} steps deep", case.name);
    assert!(matches!(verdict, Verdict::Holds), "{}: {verdict:?}", case.name);
    report
}

macro_rules! each_is_exhausted {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            exhausted(SMALL.iter().find(|case| case.name == $name).expect("it is in the table"));
        })*

        #[test]
        fn every_small_case_has_a_test() {
            let known: Vec<_> = SMALL.iter().map(|case| case.name).collect();
            assert_eq!([$($name),*].as_slice(), known);
        }
    };
}

each_is_exhausted! {
    a_key_survives_any_failures: "a key; anything fails, ever",
    a_key_in_two_processes: "a key, two processes; one failure",
    a_key_with_two_loads_in_a_process: "a key, two loads in a process; one failure",
    a_key_invalidated_where_it_is_read: "a key, invalidated where it is read; two failures",
    a_key_with_three_writers: "a key, three writers",
    a_key_with_two_writers_of_which_one_dies: "a key, two writers; one failure, no session",
    a_lease_survives_any_failures: "a lease; anything fails, ever",
    a_lease_of_two_processes: "a lease, two processes",
    everything_at_once: "everything",
    everything_under_a_bound_of_three: "everything, a bound of 3",
    everything_with_one_failure: "everything; one failure",
    everything_invalidated_where_it_is_read: "everything, invalidated where it is read; one failure",
    everything_with_full_logs: "everything, with others' records in the logs",
    everything_in_a_cluster: "everything, a cluster",
    everything_with_two_loads_in_a_process: "everything, two loads in a process, no session",
    everything_written_through_where_it_is_read: "everything, written through where it is read",
    a_known_tag_of_a_transaction_survives_any_failures: "a known tag, a transaction; anything fails, ever",
    a_learned_tag_of_a_transaction_survives_any_failures: "a learned tag, a transaction; anything fails, ever",
    tags_of_a_transaction_and_two_failures: "tags, a transaction; two failures, no session",
    tags_of_a_transaction_and_a_session: "tags, a transaction, and a session; one failure",
    tags_of_a_transaction_where_they_are_read: "tags, a transaction where it is read; one failure",
    tags_of_two_transactions: "tags, two transactions; one failure, no session",
    tags_of_a_transaction_and_invalidated: "tags, a transaction and invalidations; one failure, no session",
    tags_of_a_transaction_and_written_through: "tags, a transaction, written through where it is read",
}

/// Fine steps break no promise either. (That they break the same ones when a rule is broken is in `mutants.rs`.)
#[test]
fn coarse_steps_hide_nothing() {
    let writer = Case { orders: &[], writers: &[Home::Elsewhere], ..KEY };
    let own = Case { orders: &[Home::Node(0)], ..KEY };
    let crash = &[Fault::Crash];
    let changed = Case {
        orders: &[],
        changers: &[Home::Elsewhere],
        session: false,
        faults: 1,
        faulty: crash,
        ..KEY
    };
    let lost = &[Fault::LoseConnection];
    let failed = &[Fault::LoseRequest];
    let cases = [
        Case { name: "a key", bound: 2, ..KEY },
        Case { name: "a lost connection", faults: 1, faulty: lost, ..KEY },
        Case { name: "a known tag", kinds: &[Kind::KnownTag], tags: [true, false], ..KEY },
        Case { name: "a learned tag", kinds: &[Kind::LearnedTag], tags: [false, true], ..KEY },
        Case { name: "patterns", kinds: &[Kind::Pattern, Kind::OtherPattern], others: 1, ..KEY },
        Case { name: "a key of its own", ..own },
        Case { name: "a failed request", faults: 1, faulty: failed, ..own },
        Case { name: "a write", ..writer },
        Case { name: "a write of its own", writers: &[Home::Node(0)], ..writer },
        Case { name: "a cluster", cluster: true, session: false, changes: 2, ..KEY },
        Case { name: "a transaction", kinds: &[Kind::KnownTag], tags: [true, false], ..changed },
        Case {
            name: "a transaction and a learned tag",
            kinds: &[Kind::LearnedTag],
            tags: [false, true],
            ..changed
        },
    ];
    for case in cases {
        let worst =
            |report: Report| report.sights.into_iter().filter_map(|sight| sight.memory).max();
        let fine = worst(exhausted(&Case { fine: true, ..case }));
        assert_eq!(worst(exhausted(&case)), fine, "{}", case.name);
    }
}

/// A nonce that was lost with its data and one that is made afterwards must not get one number: whoever still names the old
/// one would be believed. So what readers can see is the same without numbers that are given anew.
#[test]
fn numbering_anew_hides_nothing() {
    let lost = Case { reads: 3, changes: 2, faults: 2, ..KEY };
    let own = Case { orders: &[Home::Node(0)], ..lost };
    let all = &[Fault::Flush, Fault::Restart];
    let cases = [
        Case { name: "all data", faulty: all, ..lost },
        Case { name: "all data, invalidated where it is read", faulty: all, ..own },
        Case { name: "a key's nonce", faulty: &[Fault::EvictKey], flights: 2, ..lost },
        Case {
            name: "a tag's nonce",
            kinds: &[Kind::KnownTag],
            tags: [true, false],
            faulty: &[Fault::EvictTag],
            ..lost
        },
        Case {
            name: "the tag log",
            kinds: &[Kind::LearnedTag],
            tags: [false, true],
            faulty: &[Fault::EvictTagLog, Fault::Flush],
            ..lost
        },
        Case {
            name: "the pattern log",
            kinds: &[Kind::Pattern],
            faulty: &[Fault::EvictPatterns, Fault::Flush],
            ..lost
        },
        Case {
            name: "a transaction",
            kinds: &[Kind::LearnedTag],
            tags: [false, true],
            orders: &[],
            changers: &[Home::Elsewhere],
            faulty: &[Fault::EvictMarks, Fault::EvictTagLog, Fault::Crash],
            ..lost
        },
    ];
    for case in cases {
        let anew = exhausted(&case);
        let as_made = exhausted(&Case { numbers_anew: false, ..case });
        assert!(as_made.states > anew.states, "{}", case.name);
        assert_eq!(anew.sights, as_made.sights, "{}", case.name);
        assert_eq!(anew.taken, as_made.taken, "{}", case.name);
    }
}

/// The promises are not kept by serving nothing.
#[test]
fn a_hit_may_lag_for_the_bound_and_no_longer() {
    let sights = exhausted(&Case { name: "a bound of 3", bound: 3, changes: ANY, ..KEY }).sights;
    let lags: BTreeSet<_> = sights.iter().filter_map(|sight| sight.memory).collect();
    let within_the_bound = [0, 1, 2].map(Lag::Confirmed);
    assert!(lags.contains(&Lag::Current));
    assert!(within_the_bound.iter().all(|lag| lags.contains(lag)), "{lags:?}");
    assert!(!lags.contains(&Lag::Confirmed(3)));
}

#[test]
fn heartbeats_keep_entries_longer_than_the_bound() {
    let kept = |session| {
        let case = Case { name: "heartbeats", session, changes: ANY, ..KEY };
        exhausted(&case).sights.into_iter().filter(|sight| sight.by_heartbeat).collect::<Vec<_>>()
    };
    let current = |sight: &Sight| sight.memory == Some(Lag::Current);
    assert!(kept(true).iter().any(current));
    assert!(kept(false).is_empty());
}

#[test]
fn whoever_waits_for_a_lease_can_go_on() {
    let case = Case { leased: true, flights: 2, session: false, faults: 2, changes: ANY, ..KEY };
    assert_eq!(every_waiter_can_go_on(&case), Some(true));
}

/// A step that is never taken would be a rule that is never tried.
#[test]
fn every_kind_of_step_is_taken() {
    let all = Case { changes: 1, faults: 1, kinds: Kind::ALL, others: 1, ..Case::PLAIN };
    let cases = [
        Case { name: "all", cluster: true, reads: 2, ..all },
        Case { name: "own", orders: &[Home::Node(0)], reads: 1, ..all },
        Case { name: "writes", orders: &[], writers: &[Home::Node(0)], reads: 1, ..all },
        Case { name: "fine", fine: true, faults: 0, ..KEY },
        Case {
            name: "fine writes",
            fine: true,
            orders: &[],
            writers: &[Home::Elsewhere],
            faults: 0,
            ..KEY
        },
        Case { name: "lease", leased: true, flights: 2, ..KEY },
        Case {
            name: "transactions",
            orders: &[],
            changers: &[Home::Node(0)],
            kinds: &[Kind::KnownTag, Kind::LearnedTag],
            reads: 1,
            ..all
        },
    ];
    let taken: BTreeSet<_> = cases.iter().flat_map(|case| exhausted(case).taken).collect();
    let steps = "Ticks SendsRead ReadsNamespace Reads FindsNothing SendsClaim Claims IsTurnedAway Waits Loads Stamps \
        SendsFill Fills Lands Changes Invalidates IsConfirmed Repeats IsConfirmedAtLast Begins Writes StampsWritten \
        Finishes IsFinished Announces Commits Publishes IsPublished ChangeEnds Hears FetchesPatterns AppliesPatterns SendsBeat AnswersBeat Beats NoticesLoss Reconnects \
        LeaseEnds MarkEnds Arrives Vanishes Fails";
    let names: BTreeSet<_> =
        taken.iter().map(|step| step.split('(').next().unwrap_or(step)).collect();
    assert_eq!(names, steps.split_whitespace().collect());
    let missing = |what: &str, of: Vec<String>| -> Vec<String> {
        of.into_iter().filter(|one| !taken.contains(&format!("{what}({one})"))).collect()
    };
    assert_eq!(
        missing("Fails", Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect()),
        [""; 0]
    );
    assert_eq!(
        missing("Invalidates", Kind::ALL.iter().map(|kind| format!("{kind:?}")).collect()),
        [""; 0]
    );
    let news = ["Key", "KnownTag", "LearnedTag", "Patterns", "Gap"].map(String::from).to_vec();
    assert_eq!(missing("Hears", news), [""; 0]);
}
