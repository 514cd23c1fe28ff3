//! What a person sees who writes a pattern, and what a writer's pattern is made of.

use larder::{Cache, ErrorKind, cache_aside, cache_invalidate};

use super::loads::caches;

#[tokio::test]
async fn a_pattern_that_cannot_be_read_is_an_error_that_points_at_the_place() {
    let cache = Cache::memory();
    for (pattern, says, place) in [
        ("user:[ab]:*", "write `?` for any one character", "user:[ab]:*\n     ^"),
        ("", "write `*` for every key", "\n^"),
        ("é:{id}", "write `{}` for one value", "é:{id}\n  ^"),
        ("a}", r"write `\}` for a brace", "a}\n ^"),
        (r"a\", r"write `\\` for a backslash", "a\\\n ^"),
    ] {
        let error = cache.invalidate_pattern(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template);
        let text = error.to_string();
        assert!(text.starts_with("invalidate: ") && text.contains(says), "{text}");
        assert!(text.ends_with(&format!("\n{place}")), "{text}");
    }
    assert_eq!(cache.stats().invalidations, 0);
}

#[cache_aside(key = "list:{name}:{page}")]
async fn list(name: &str, page: u64) -> u64 {
    page
}

#[cache_invalidate(invalidate_patterns = ["list:{name}:*"])]
async fn rename(name: &str) -> u64 {
    0
}

#[tokio::test]
async fn what_is_filled_into_a_pattern_matches_itself_and_nothing_else() {
    const NAMES: [&str; 11] = ["a", "ab", "*", "?", "a*", "[ab]", r"\", "{}", "a:b", "", "é"];
    for cache in caches().await {
        larder::scoped(cache, async {
            for renamed in NAMES {
                for name in NAMES {
                    list(name, 1).await;
                }
                rename(renamed).await;
                for name in NAMES {
                    let there = list_entry(name, 1).exists().await.unwrap();
                    assert_eq!(there, name != renamed, "{name:?} after {renamed:?}");
                }
            }
        })
        .await;
    }
}
