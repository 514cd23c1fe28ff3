//! Which durations are understood, and what is said about the others.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cache_template::{parse_duration, parse_ttl};
use proptest::prelude::*;

fn millis(text: &str) -> u128 {
    parse_duration(text).unwrap().as_millis()
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let message = parse_duration(text).unwrap_err().to_string();
    assert!(message.contains(says), "{text:?}: {message:?} lacks {says:?}");
}

#[test]
fn numbers_with_units_add_up() {
    assert_eq!(millis("250ms"), 250);
    assert_eq!(millis("5m"), 300_000);
    assert_eq!(millis("1h30m"), 5_400_000);
    assert_eq!(millis("2d"), 172_800_000);
    assert_eq!(millis("1w1d1h1m1s1ms"), 694_861_001);
    assert_eq!(millis("0s"), 0);
}

#[test]
fn only_a_ttl_can_be_forever() {
    assert_eq!(parse_ttl("forever"), Ok(None));
    assert_eq!(parse_ttl("1s"), Ok(Some(Duration::from_secs(1))));
    refused("forever", "a limit is needed");
    assert!(parse_ttl("Forever").is_err());
}

#[test]
fn a_refusal_says_what_to_write() {
    refused("", "write for instance `5m`");
    refused("  ", "write for instance `5m`");
    refused("300", "write `300s`");
    refused("1h30", "write `30s`");
    refused("1.5s", "write `1500ms`");
    refused("1,5h", "write `90m`");
    refused("0.5d", "write `12h`");
    refused("2.50m", "write `150s`");
    refused("0.0001s", "down to `ms`");
    refused("1.5", "fractions are not supported");
    refused("-5m", "not negative");
    refused("m5", "does not begin with a number");
    refused("5 m", "write `5m`");
    refused("1h 30m", "write `1h30m`");
    refused("5min", "write `5m`");
    refused("5M", "write `5m`");
    refused("10secs", "write `10s`");
    refused("10MS", "write `10ms`");
    refused("2days", "write `2d`");
    refused("5us", "unknown unit `us`");
    refused("1y", "unknown unit `y`");
    refused("30m1h", "the longest first");
    refused("1m1m", "the longest first");
    refused("99999999999999999999s", "too long");
    refused("30500568905w", "too long");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9a-z.é -]{0,8}") {
        let outcome = parse_duration(&text);
        prop_assert!(outcome.is_ok() || !outcome.unwrap_err().to_string().is_empty());
    }

    #[test]
    fn a_whole_number_of_milliseconds_is_read_back(n: u64) {
        prop_assert_eq!(parse_duration(&format!("{n}ms")), Ok(Duration::from_millis(n)));
    }
}
