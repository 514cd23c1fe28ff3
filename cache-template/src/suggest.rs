//! Help for whoever reads an error: "did you mean" and a line of carets.

use std::ops::Range;

/// The candidate that `name` is most likely a misspelling of, if any is close enough to be worth mentioning.
///
/// ```
/// assert_eq!(cache_template::closest("user_idd", ["db", "user_id"]), Some("user_id"));
/// assert_eq!(cache_template::closest("tenant", ["db", "user_id"]), None);
/// ```
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= tolerance(name, candidate))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// One slip in three characters; a single wrong letter of a short name says nothing.
fn tolerance(name: &str, candidate: &str) -> usize {
    name.chars().count().max(candidate.chars().count()) / 3
}

/// Edits from one name to the other: a character too many, missing or wrong, or two neighbours exchanged (Damerau and
/// Levenshtein's distance, in its optimal string alignment form).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = rows[i][j] + usize::from(a[i] != b[j]);
            let mut edits = replaced.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                edits = edits.min(rows[i - 1][j - 1] + 1);
            }
            row.push(edits);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// `source` and, on a line below it, carets under the bytes of `span`.
///
/// ```
/// assert_eq!(cache_template::caret("user:{id", 5..8), "user:{id\n     ^^^");
/// ```
#[must_use]
pub fn caret(source: &str, span: Range<usize>) -> String {
    let start = source.floor_char_boundary(span.start);
    let end = source.ceil_char_boundary(span.end).max(start);
    let indent = source[..start].chars().count();
    let width = source[start..end].chars().count().max(1);
    // A control character would move the carets away from what they point at.
    let line: String =
        source.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("{line}\n{}{}", " ".repeat(indent), "^".repeat(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(closest("usr_id", ["user_id", "user"]), Some("user_id"));
        assert_eq!(closest("userId", ["user_id"]), Some("user_id"));
        assert_eq!(closest("hsh", ["hash"]), Some("hash"));
        assert_eq!(closest("hahs", ["hash"]), Some("hash"));
        assert_eq!(closest("b", ["a"]), None);
        assert_eq!(closest("id", std::iter::empty()), None);
    }

    #[test]
    fn carets_count_characters_and_survive_a_span_outside_the_text() {
        assert_eq!(caret("é:{x", 3..5), "é:{x\n  ^^");
        assert_eq!(caret("", 0..0), "\n^");
        assert_eq!(caret("a\nb", 1..2), "a\u{fffd}b\n ^");
        assert_eq!(caret("ab", 9..12), "ab\n  ^");
    }
}
