//! What people write in attributes and calls: templates, globs, durations.

use std::time::Duration;

use cache_core::KeyTemplate;
use cache_template::{Glob, MAX_KEY_BYTES, Template, parse_duration, parse_ttl, shortened_head};

use crate::two_lines;

/// A template and, on the second line, a value for its placeholders.
pub(crate) fn template(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (source, value) = two_lines(text);
    for parsed in [Template::parse(source), Template::parse_pattern(source)] {
        match parsed {
            Ok(template) => {
                assert_eq!(template.source(), source);
                assert_eq!(template.literals().len(), template.placeholders().count() + 1);
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                for error in errors {
                    assert!(source.get(error.span.clone()).is_some(), "{:?}", error.span);
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    if let Ok(template) = KeyTemplate::parse(source) {
        let given = [("a", &value as &dyn cache_core::KeyPart), ("id", &value)];
        if let Ok(key) = template.render(&given) {
            assert!(key.len() <= MAX_KEY_BYTES, "{key}");
            assert_eq!(template.render(&given).ok().as_ref(), Some(&key));
        }
        let _ = template.render_positional(&[&value, &7_u64]);
    }
}

/// A pattern and, on the second line, a key: against a matcher that is too simple to be wrong.
pub(crate) fn glob(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (pattern, key) = two_lines(text);
    if pattern.len() * key.len() > 1 << 16 {
        return;
    }
    match Glob::parse(pattern) {
        Err(error) => assert!(pattern.get(error.span).is_some()),
        Ok(glob) => {
            assert_eq!(glob.as_str(), pattern);
            // Of a shortened key only the beginning is known.
            if shortened_head(key).is_none() {
                assert_eq!(glob.matches(key), matches_naively(pattern, key));
            }
            assert!(Glob::literal(key).matches(key));
        }
    }
}

/// Whether the pattern, which parses, means the key: row by row, for each token the places where the rest may begin.
fn matches_naively(pattern: &str, key: &str) -> bool {
    let key: Vec<char> = key.chars().collect();
    let mut ends = vec![false; key.len() + 1];
    ends[0] = true;
    let mut tokens = pattern.chars();
    while let Some(token) = tokens.next() {
        let mut next = vec![false; key.len() + 1];
        for at in 0..=key.len() {
            let here = key.get(at).copied();
            match token {
                '*' => next[at] = ends[at] || at > 0 && next[at - 1],
                '{' => next[at] = ends[at] || at > 0 && next[at - 1] && key[at - 1] != ':',
                '?' if ends[at] && here.is_some() => next[at + 1] = true,
                '\\' if ends[at] && here.is_some() && here == tokens.clone().next() => {
                    next[at + 1] = true;
                }
                '?' | '\\' => {}
                literal if ends[at] && here == Some(literal) => next[at + 1] = true,
                _ => {}
            }
        }
        if matches!(token, '{' | '\\') {
            tokens.next();
        }
        ends = next;
    }
    ends[key.len()]
}

/// Durations are at most what a clock can add, and mean the same written as milliseconds.
pub(crate) fn duration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match parse_duration(text) {
        Ok(duration) => {
            assert_eq!(parse_ttl(text), Ok(Some(duration)));
            assert!(duration <= Duration::from_millis(u64::MAX));
            assert_eq!(parse_duration(&format!("{}ms", duration.as_millis())), Ok(duration));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(parse_ttl(text).is_ok(), text == "forever");
        }
    }
}
