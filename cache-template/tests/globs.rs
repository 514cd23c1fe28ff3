//! What globs match.

#![allow(clippy::unwrap_used)]

use cache_template::{DIGEST_CHARS, Glob, GlobErrorKind as Kind, MARKER, MAX_KEY_BYTES, head_of};
use proptest::prelude::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

fn shortened(key: &str) -> String {
    format!("{}{MARKER}{}", head_of(key), "0a".repeat(DIGEST_CHARS / 2))
}

/// The definition of a match, in exponential time.
fn naive(glob: &str, key: &str) -> bool {
    let rest_of = |n| &glob[n..];
    let Some(first) = glob.chars().next() else { return key.is_empty() };
    let next = key.chars().next();
    let tail = || &key[next.map_or(0, char::len_utf8)..];
    match first {
        '*' => naive(rest_of(1), key) || next.is_some() && naive(glob, tail()),
        '{' => naive(rest_of(2), key) || next.is_some_and(|c| c != ':') && naive(glob, tail()),
        '?' => next.is_some() && naive(rest_of(1), tail()),
        '\\' => {
            let literal = glob[1..].chars().next().unwrap();
            next == Some(literal) && naive(rest_of(1 + literal.len_utf8()), tail())
        }
        literal => next == Some(literal) && naive(rest_of(literal.len_utf8()), tail()),
    }
}

#[test]
fn a_star_is_any_run_and_a_question_mark_one_character() {
    assert!(glob("users:list:*").matches("users:list:"));
    assert!(glob("users:list:*").matches("users:list:1:2"));
    assert!(!glob("users:list:*").matches("users:list"));
    assert!(glob("u?er").matches("uéer"));
    assert!(!glob("u?er").matches("uer"));
    assert!(glob("*").matches("anything"));
    assert!(glob("*:b*c").matches("a:b:b:c"));
}

#[test]
fn braces_are_one_value_and_never_reach_past_a_colon() {
    assert!(glob("user:{}").matches("user:42"));
    assert!(glob("user:{}").matches("user:"));
    assert!(!glob("user:{}").matches("user:42:friends"));
    assert!(glob("{}:{}:x").matches("a:b:x"));
    assert!(!glob("{}a{}").matches("b:a"));
}

#[test]
fn a_backslash_takes_the_next_character_literally() {
    assert!(glob(r"a\*\?\[\{\}\\").matches(r"a*?[{}\"));
    assert!(!glob(r"a\*").matches("ab"));
}

#[test]
fn an_error_points_at_its_bytes_and_says_what_to_write() {
    let error = |text: &str| {
        let error = Glob::parse(text).unwrap_err();
        assert!(text.is_empty() || error.to_string().contains("write"), "{error}");
        (error.kind, error.span)
    };
    assert_eq!(error(""), (Kind::Empty, 0..0));
    assert_eq!(error("é{a}"), (Kind::Unclosed, 2..3));
    assert_eq!(error("a{"), (Kind::Unclosed, 1..2));
    assert_eq!(error("a}"), (Kind::Unopened, 1..2));
    assert_eq!(error("a[b]"), (Kind::CharacterClass, 1..2));
    assert_eq!(error("a\\"), (Kind::TrailingBackslash, 1..2));
}

#[test]
fn hostile_patterns_take_no_exponential_time() {
    let key = "a".repeat(200);
    assert!(!glob(&format!("{}b", "*a".repeat(100))).matches(&key));
    assert!(!glob(&format!("{}b", "{}a".repeat(100))).matches(&key));
    assert!(glob(&"?*".repeat(200)).matches(&key));
    assert!(!glob(&"?*".repeat(201)).matches(&key));
}

#[test]
fn a_shortened_key_is_matched_by_every_glob_its_beginning_may_belong_to() {
    let key = shortened(&format!("user:42:{}", "x".repeat(300)));
    for may in [
        "*",
        "user:*",
        "user:42:*",
        "user:42:x*",
        "user:42:*zzz",
        "user:{}:{}",
        "user:??:{}",
        "*:x:*",
    ] {
        assert!(glob(may).matches(&key), "{may}");
    }
    for cannot in ["users:*", "user:43:*", "user:{}", "user:?:*", "{}"] {
        assert!(!glob(cannot).matches(&key), "{cannot}");
    }
}

#[test]
fn a_literal_of_a_shortened_key_matches_only_that_text() {
    let key = shortened(&"x:y".repeat(100));
    let other = format!("{}1", &key[..key.len() - 1]);
    assert!(Glob::literal(&key).matches(&key));
    assert!(!Glob::literal(&key).matches(&other));
    assert!(!glob("x:y").matches(&key));
}

#[test]
fn a_pattern_without_wildcards_for_a_long_key_still_reaches_it() {
    let long = "x:y".repeat(100);
    assert!(glob(&long).matches(&shortened(&long)));
    assert!(!glob(&long.replace('x', "z")).matches(&shortened(&long)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_automaton_agrees_with_the_definition(
        text in "([ab:é]|\\*|\\?|\\{\\}|\\\\\\*){1,8}",
        key in "[ab:é*]{0,8}",
    ) {
        prop_assert_eq!(glob(&text).matches(&key), naive(&text, &key), "{} on {}", text, key);
    }

    #[test]
    fn a_literal_matches_its_key_and_no_other(key in "[ab:*?{}\\[\\]\\\\]{1,4}", other in "[ab:*?{}\\[\\]\\\\]{1,4}") {
        let literal = Glob::literal(&key);
        prop_assert!(literal.matches(&key));
        prop_assert_eq!(literal.matches(&other), key == other);
    }

    #[test]
    fn the_text_of_a_glob_parses_back_to_it(literals in prop::collection::vec(any::<String>(), 1..4)) {
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        let built = Glob::from_template(&literals);
        prop_assume!(!built.as_str().is_empty());
        prop_assert_eq!(&Glob::parse(built.as_str()).unwrap(), &built);
        prop_assert!(built.matches(&literals.join("value")));
    }

    #[test]
    fn whatever_matches_a_key_matches_its_shortened_form(
        text in "([ab:]|\\*|\\?|\\{\\}){1,6}",
        unit in "[ab:]{1,8}",
    ) {
        let key = unit.repeat(MAX_KEY_BYTES / unit.len() + 1);
        prop_assert!(!glob(&text).matches(&key) || glob(&text).matches(&shortened(&key)));
    }
}
