//! What is cached: the subjects, what each of them depends on, and the ways to read them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The namespace of all keys in Redis.
pub(crate) const PREFIX: &str = "soak";
/// The key by which a whole namespace is invalidated by hand: the pattern log.
pub(crate) const NAMESPACE: &str = "d:{soak}";

const ITEMS: u16 = 24;
const GUARDED: u16 = 6;
const LISTS: u16 = 4;
const RAW: u16 = 8;
const QUIET: u16 = 4;

pub(crate) const SHELVES: u16 = 4;
pub(crate) const GROUPS: u16 = 3;

/// Something that the source of truth has versions of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Subject(u16);

/// What kind of subject, and which one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With a tag known before the load, one known from the value only, and a pattern that matches a shelf.
    Item(u16),
    /// Loaded by one process at a time; with a tag known from the value.
    Guarded(u16),
    /// Invalidated by whoever writes an item.
    List(u16),
    /// Stored by hand. Only one worker writes it, one write after the other: `set` says nothing of which value is newer.
    Raw(u16),
    /// Read by one worker only, and from memory where possible. What others read is mended by them: their loads make the
    /// dependency anew, which everybody hears.
    Quiet(u16),
}

impl Subject {
    pub(crate) const COUNT: usize = (ITEMS + GUARDED + LISTS + RAW + QUIET) as usize;

    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        (0..ITEMS + GUARDED + LISTS + RAW + QUIET).map(Self)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 {
            n if n < ITEMS => Kind::Item(n),
            n if n < ITEMS + GUARDED => Kind::Guarded(n - ITEMS),
            n if n < ITEMS + GUARDED + LISTS => Kind::List(n - ITEMS - GUARDED),
            n if n < ITEMS + GUARDED + LISTS + RAW => Kind::Raw(n - ITEMS - GUARDED - LISTS),
            n => Kind::Quiet(n - ITEMS - GUARDED - LISTS - RAW),
        }
    }

    pub(crate) fn item(number: u16) -> Self {
        Self(number % ITEMS)
    }

    pub(crate) fn one_guarded(number: u16) -> Self {
        Self(ITEMS + number % GUARDED)
    }

    pub(crate) fn list(number: u16) -> Self {
        Self(ITEMS + GUARDED + number % LISTS)
    }

    pub(crate) fn items() -> impl Iterator<Item = Self> {
        (0..ITEMS).map(Self)
    }

    pub(crate) fn guarded() -> impl Iterator<Item = Self> {
        (0..GUARDED).map(|n| Self(ITEMS + n))
    }

    pub(crate) fn lists() -> impl Iterator<Item = Self> {
        (0..LISTS).map(|n| Self(ITEMS + GUARDED + n))
    }

    pub(crate) fn quiet(number: u16) -> Self {
        Self(ITEMS + GUARDED + LISTS + RAW + number % QUIET)
    }

    /// Whether this worker reads it.
    pub(crate) fn is_read_by(self, worker: u8) -> bool {
        !matches!(self.kind(), Kind::Quiet(n) if n % QUIET != u16::from(worker) % QUIET)
    }

    /// Those that this worker writes by hand.
    pub(crate) fn raw_of(worker: u8) -> impl Iterator<Item = Self> {
        let mine = move |n: &u16| n % 4 == u16::from(worker % 4);
        (0..RAW).filter(mine).map(|n| Self(ITEMS + GUARDED + LISTS + n))
    }

    /// Of an item: the tag that is known before the load.
    pub(crate) fn shelf(self) -> u16 {
        match self.kind() {
            Kind::Item(n) | Kind::Guarded(n) | Kind::List(n) | Kind::Raw(n) | Kind::Quiet(n) => {
                n % SHELVES
            }
        }
    }

    /// Of what is stored by hand: its tag.
    pub(crate) fn tag(self) -> String {
        format!("raw:{}", self.group())
    }

    /// Of items and guarded ones: the tag that is known from the row.
    pub(crate) fn group(self) -> u16 {
        match self.kind() {
            Kind::Item(n) | Kind::Guarded(n) | Kind::List(n) | Kind::Raw(n) | Kind::Quiet(n) => {
                n % GROUPS
            }
        }
    }

    pub(crate) fn key(self) -> String {
        match self.kind() {
            Kind::Item(n) => format!("item:{}:{n}", n % SHELVES),
            Kind::Guarded(n) => format!("guarded:{n}"),
            Kind::List(n) => format!("list:{n}"),
            Kind::Raw(n) => format!("raw:{n}"),
            Kind::Quiet(n) => format!("quiet:{n}"),
        }
    }

    /// The ways to read it.
    pub(crate) fn readers(self) -> &'static [Reader] {
        match self.kind() {
            Kind::Item(_) => &[Reader::Relaxed, Reader::Strict, Reader::Sync],
            Kind::Guarded(_) | Kind::List(_) => &[Reader::Relaxed, Reader::Strict],
            Kind::Raw(_) => &[Reader::Relaxed, Reader::Get],
            Kind::Quiet(_) => &[Reader::Relaxed],
        }
    }

    /// What it depends on in Redis.
    pub(crate) fn dependency(self) -> String {
        format!("d:{{{PREFIX}:k:{}}}", self.key())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

/// A way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Reader {
    /// From memory where possible.
    Relaxed,
    /// `layer = "shared"`: asks Redis each time.
    Strict,
    /// A function that is not async.
    Sync,
    /// `Cache::get`, which never loads.
    Get,
}

/// What the source of truth has of a subject, and what is cached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) version: u64,
    pub(crate) group: u16,
    /// Says the same once more, at some length.
    body: Vec<u64>,
}

impl Row {
    pub(crate) fn new(subject: Subject, version: u64) -> Self {
        Self { subject, version, group: subject.group(), body: body(subject, version) }
    }

    /// Whether this is a row that the source of truth may have had of the subject.
    pub(crate) fn is_of(&self, subject: Subject) -> bool {
        self.subject == subject
            && self.group == subject.group()
            && self.body == body(subject, self.version)
    }
}

fn body(subject: Subject, version: u64) -> Vec<u64> {
    let seed = version.wrapping_mul(31).wrapping_add(subject.0.into());
    (0..80).map(|word| seed.rotate_left(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_keys_of_their_own_and_every_raw_one_has_one_owner() {
        let keys: std::collections::HashSet<_> = Subject::all().map(Subject::key).collect();
        assert_eq!(keys.len(), Subject::COUNT);
        for quiet in (0..QUIET).map(Subject::quiet) {
            assert_eq!((0..4).filter(|&worker| quiet.is_read_by(worker)).count(), 1);
        }
        let owned: usize = (0..4).map(|worker| Subject::raw_of(worker).count()).sum();
        assert_eq!(owned, usize::from(RAW));
    }

    #[test]
    fn a_row_of_another_subject_or_a_damaged_one_is_noticed() {
        let (one, other) = (Subject::item(1), Subject::item(2));
        let mut row = Row::new(one, 7);
        assert!(row.is_of(one) && !row.is_of(other));
        row.version = 8;
        assert!(!row.is_of(one));
    }
}
