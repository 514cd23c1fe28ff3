//! The records of the pattern log: invalidations that cover entries which nobody lists, and how they are written down.

use std::borrow::Cow;

use crate::Nonce;

/// What a text begins with that names tags instead of a pattern. No glob can be read that has a `[`, and one that cannot
/// be read might match anything: a reader that does not know this form refuses every entry, which is coarser and never
/// wrong.
const ALL_OF: &str = "[all]";

/// One record of the pattern log.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use cache_store::{Invalidation, Recorded, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// store.invalidate(&Invalidation::Pattern("users:*".into())).await?;
/// let newest = store.patterns().await?.pop().unwrap();
/// assert_eq!(newest.what, Recorded::Pattern("users:*".into()));
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What an entry names to say "I know the log up to here".
    pub nonce: Nonce,
    /// What was invalidated.
    pub what: Recorded,
}

/// What a [`Record`] says: which entries are invalid that were loaded before it.
///
/// ```
/// use cache_store::Recorded;
///
/// let both = Recorded::AllOf(vec!["user".into(), "tenant:7".into()]);
/// assert_eq!(both.to_text(), "[all]4:user8:tenant:7");
/// assert_eq!(Recorded::from_text("[all]4:user8:tenant:7"), both);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// None: a log begins here.
    Opened,
    /// Those whose key matches this glob; all, when it cannot be read.
    Pattern(String),
    /// Those that bear every one of these tags; all, when there is none to bear.
    AllOf(Vec<String>),
}

impl Recorded {
    /// Reads the text of a record.
    ///
    /// A text that is neither empty nor a list of tags is a pattern, well-formed or not.
    ///
    /// ```
    /// use cache_store::Recorded;
    ///
    /// assert_eq!(Recorded::from_text(""), Recorded::Opened);
    /// assert_eq!(Recorded::from_text("users:*"), Recorded::Pattern("users:*".into()));
    /// // Cut off: as a glob it cannot be read, so it refuses every entry.
    /// assert_eq!(Recorded::from_text("[all]9:us"), Recorded::Pattern("[all]9:us".into()));
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if text.is_empty() {
            return Self::Opened;
        }
        match text.strip_prefix(ALL_OF).and_then(read_tags) {
            Some(tags) => Self::AllOf(tags),
            None => Self::Pattern(text.to_owned()),
        }
    }

    /// The text that [`from_text`](Self::from_text) reads as this: the pattern itself, or `[all]` and for each tag its
    /// length in bytes, a colon and the tag.
    ///
    /// See [`Recorded`] for an example.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Opened => Cow::Borrowed(""),
            Self::Pattern(pattern) => Cow::Borrowed(pattern),
            Self::AllOf(tags) => {
                let mut text = ALL_OF.to_owned();
                for tag in tags {
                    text.push_str(&tag.len().to_string());
                    text.push(':');
                    text.push_str(tag);
                }
                Cow::Owned(text)
            }
        }
    }
}

fn read_tags(mut text: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    while !text.is_empty() {
        let (length, rest) = text.split_once(':')?;
        let (tag, rest) = rest.split_at_checked(length.parse().ok()?)?;
        tags.push(tag.to_owned());
        text = rest;
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_any_characters_come_back_as_they_were() {
        let odd = ["", ":", "4:user", "[all]", "1:a1:b", "*", "line\nbreak", "nul\0", "名前", " "];
        for first in odd {
            for second in odd {
                let what = Recorded::AllOf(vec![first.to_owned(), second.to_owned()]);
                assert_eq!(Recorded::from_text(&what.to_text()), what);
            }
            let one = Recorded::AllOf(vec![first.to_owned()]);
            assert_eq!(Recorded::from_text(&one.to_text()), one);
        }
        let none = Recorded::AllOf(Vec::new());
        assert_eq!(Recorded::from_text(&none.to_text()), none);
    }

    #[test]
    fn a_broken_list_of_tags_is_read_as_a_pattern_and_never_as_fewer_tags() {
        for text in ["[all]x", "[all]4:use", "[all]4:user8", "[all]-1:a", "[all]1:é", "[all]:a"] {
            assert_eq!(Recorded::from_text(text), Recorded::Pattern(text.to_owned()));
        }
    }
}
