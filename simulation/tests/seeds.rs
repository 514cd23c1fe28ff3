//! Two thousand histories in which nothing goes wrong but the network, the server and the processes. `cargo xtask simulate`
//! runs more, and runs one again.

use std::ops::Range;

use simulation::run;

/// How many of the last events are printed of a seed that fails.
const EVENTS: usize = 60;

fn all_are_well(seeds: Range<u64>) {
    for seed in seeds {
        let outcome = run(seed, EVENTS);
        assert!(outcome.violation.is_none(), "{outcome}");
    }
}

#[test]
fn nothing_stale_is_read_in_the_first_five_hundred_histories() {
    all_are_well(0..500);
}

#[test]
fn nothing_stale_is_read_in_the_second_five_hundred_histories() {
    all_are_well(500..1_000);
}

#[test]
fn nothing_stale_is_read_in_the_third_five_hundred_histories() {
    all_are_well(1_000..1_500);
}

#[test]
fn nothing_stale_is_read_in_the_fourth_five_hundred_histories() {
    all_are_well(1_500..2_000);
}

#[test]
fn a_seed_is_one_history() {
    for seed in 0..100 {
        let (once, again) = (run(seed, usize::MAX), run(seed, usize::MAX));
        let same = once.trace.iter().zip(&again.trace).take_while(|(one, other)| one == other);
        let (at, events) = (same.count(), once.trace.len());
        assert_eq!(
            (once.trace.get(at), events),
            (again.trace.get(at), at),
            "seed {seed}, event {at}"
        );
        assert_eq!(once.hash, again.hash, "seed {seed}");
    }
}
