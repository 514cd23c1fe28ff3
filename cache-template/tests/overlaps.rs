//! Which templates and patterns can mean the same text.

#![allow(clippy::unwrap_used)]

use cache_template::{Piece, Placeholder, Root, Template, Texts, Values, is_reserved};
use proptest::prelude::*;

/// Placeholders named `n…` hold integers, those named `b…` hold `bool`s.
fn by_name(placeholder: &Placeholder) -> Values {
    match &placeholder.root {
        Root::Name(name) if name.starts_with('n') => Values::Integer,
        Root::Name(name) if name.starts_with('b') => Values::Bool,
        _ => Values::Any,
    }
}

fn key(source: &str) -> Texts {
    Texts::of_key(&Template::parse(source).unwrap(), by_name)
}

fn pattern(source: &str) -> Texts {
    Texts::of_pattern(&Template::parse_pattern(source).unwrap(), by_name)
}

fn keys_meet(one: &str, two: &str) -> bool {
    key(one).common(&key(two)).is_some()
}

#[test]
fn a_value_reaches_over_no_colon_and_is_never_empty() {
    assert!(keys_meet("user:{id}", "user:{other}"));
    assert!(keys_meet("{kind}:{id}", "user:{id}"));
    assert!(!keys_meet("user:{id}", "user:{a}:{b}"));
    assert!(!keys_meet("user:{id}", "user:"));
    assert!(!keys_meet("user:{id}", "user: x"));
    assert!(keys_meet("user:{id}", "user:é"));
}

#[test]
fn what_is_known_of_a_value_keeps_templates_apart() {
    assert!(keys_meet("user:{x}", "user:list"));
    assert!(!keys_meet("user:{n}", "user:list"));
    assert!(!keys_meet("user:{b}", "user:list"));
    assert!(keys_meet("user:{b}", "user:true"));
    assert!(keys_meet("user:{b}", "user:false"));
    assert!(!keys_meet("user:{b}", "user:{n}"));
    assert!(keys_meet("user:{n}", "user:-12"));
    assert!(!keys_meet("user:{n}", "user:-"));
    assert!(!keys_meet("user:{n}", "user:1-2"));
}

#[test]
fn a_digest_has_32_digits() {
    let digest = "0123456789abcdef".repeat(2);
    assert!(keys_meet("s:{x:hash}", &format!("s:{digest}")));
    assert!(keys_meet("s:{x:hash}", "s:{x}"));
    assert!(!keys_meet("s:{x:hash}", &format!("s:{digest}0")));
    assert!(!keys_meet("s:{x:hash}", &format!("s:{}", &digest[1..])));
    assert!(!keys_meet("s:{x:hash}", &format!("s:{}", digest.to_uppercase())));
}

#[test]
fn a_pattern_means_the_keys_that_its_wildcards_reach() {
    let meet = |one: &str, two: &str| pattern(one).common(&key(two));
    assert_eq!(meet("users:list:*", "users:list:{n}").as_deref(), Some("users:list:1"));
    assert_eq!(meet("users:list:*", "user:list:{n}"), None);
    assert_eq!(meet("user:?", "user:{a}:{b}"), None);
    assert!(meet("user:*", "user:{a}:{b}").is_some());
    assert!(meet("*", "anything").is_some());
    assert_eq!(meet(r"what\?", "what{x}"), None, "a value holds no `?`");
    assert_eq!(meet(r"a\*b", "a{x}b"), None, "nor a `*`");
    assert!(meet("{tenant}:*", "user:{id}").is_some());
    assert_eq!(meet("{b}:*", "user:{id}"), None);
    assert!(meet("{{*}}", "{{{id}}}").is_some());
}

#[test]
fn a_path_before_a_key_is_made_of_segments() {
    let keys = Texts::behind_path(&Template::parse("rate:{n}").unwrap(), by_name);
    for meant in ["shop::rate:*", "shop::a::rate:1", "<shop::A%20as%20shop::T>::rate:2", "*"] {
        assert!(pattern(meant).common(&keys).is_some(), "{meant}");
    }
    for other in ["rate:1", "shop:rate:1", "shop::rat:1", "shop::rate:x", "shop::a:rate:1"] {
        assert!(pattern(other).common(&keys).is_none(), "{other}");
    }
}

/// The definition, in exponential time: whether `text` is what these pieces stand for.
fn is_text_of(pieces: &[Piece], glob: bool, text: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return text.is_empty() };
    match first {
        Piece::Literal { text: literal, .. } if glob => {
            is_text_of_glob(literal, text, &|behind| is_text_of(rest, glob, behind))
        }
        Piece::Literal { text: literal, .. } => {
            text.strip_prefix(literal.as_str()).is_some_and(|behind| is_text_of(rest, glob, behind))
        }
        Piece::Placeholder(it) => splits(text)
            .any(|(value, behind)| is_value(by_name(it), value) && is_text_of(rest, glob, behind)),
    }
}

fn is_text_of_glob(glob: &str, text: &str, rest: &dyn Fn(&str) -> bool) -> bool {
    let Some(first) = glob.chars().next() else { return rest(text) };
    let tail = &glob[1..];
    match first {
        '*' => splits(text).any(|(_, behind)| is_text_of_glob(tail, behind, rest)),
        '?' => text.chars().next().is_some_and(|_| is_text_of_glob(tail, &text[1..], rest)),
        c => text.strip_prefix(c).is_some_and(|behind| is_text_of_glob(tail, behind, rest)),
    }
}

fn is_value(values: Values, text: &str) -> bool {
    match values {
        Values::Integer => text.parse::<i64>().is_ok() && !text.starts_with('+'),
        Values::Bool => text.parse::<bool>().is_ok(),
        _ => !text.is_empty() && !text.chars().any(is_reserved),
    }
}

fn splits(text: &str) -> impl Iterator<Item = (&str, &str)> {
    (0..=text.len()).map(|at| text.split_at(at))
}

/// Every text of up to five of the characters that the templates below are made of.
fn all_texts() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for _ in 0..5 {
        longest = longest
            .iter()
            .flat_map(|text| [":", "a", "1", "-"].map(|c| format!("{text}{c}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn source(wildcards: bool) -> impl Strategy<Value = String> {
    let mut pieces = vec![":", "a", "1", "-", "{x}", "{n}"];
    if wildcards {
        pieces.extend(["*", "?"]);
    }
    prop::collection::vec(prop::sample::select(pieces), 1..5).prop_map(|pieces| pieces.concat())
}

fn agrees(one: &str, one_is_glob: bool, two: &str) -> Result<(), TestCaseError> {
    let parse = if one_is_glob { Template::parse_pattern } else { Template::parse };
    let (a, b) = (parse(one).unwrap(), Template::parse(two).unwrap());
    let texts = if one_is_glob { pattern(one) } else { key(one) };
    let both = |text: &str| {
        is_text_of(a.pieces(), one_is_glob, text) && is_text_of(b.pieces(), false, text)
    };
    let found = texts.common(&key(two));
    prop_assert_eq!(&key(two).common(&texts).is_some(), &found.is_some());
    match found {
        Some(text) => prop_assert!(both(&text), "{} is not of {} and {}", text, one, two),
        None => {
            let missed = all_texts().into_iter().find(|text| both(text));
            prop_assert_eq!(missed, None, "{} and {}", one, two);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn two_keys_meet_exactly_where_some_text_is_of_both(one in source(false), two in source(false)) {
        agrees(&one, false, &two)?;
    }

    #[test]
    fn a_pattern_meets_a_key_exactly_where_some_text_is_of_both(one in source(true), two in source(false)) {
        agrees(&one, true, &two)?;
    }
}
