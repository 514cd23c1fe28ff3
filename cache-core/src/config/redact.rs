use std::fmt;

/// A URL without what may be secret in it: everything up to the last `@`, and the query.
///
/// Deliberately coarse: a password with an unescaped `/`, `@` or `?` in it must not be shown in part either, so that
/// an `@` after a `?` hides everything.
pub(crate) struct Redacted<'a>(pub(crate) &'a str);

/// Whether a text could be a URL, or a part of one, in the wrong place.
pub(super) fn may_be_secret(text: &str) -> bool {
    text.contains("://") || text.contains('@')
}

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("…") };
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return write!(f, "{scheme}://…");
        }
        let (user, host) = before_query.rsplit_once('@').unwrap_or(("", before_query));
        let user = if user.is_empty() { "" } else { "…@" };
        let query = if query.is_empty() { "" } else { "?…" };
        write!(f, "{scheme}://{user}{host}{query}")
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
