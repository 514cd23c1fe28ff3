//! The log of invalidations that cover entries nobody lists: by a pattern of their key, or by several of their tags.

use std::collections::VecDeque;

use cache_template::Glob;

use crate::sync::{Arc, AtomicU64, Ordering, RwLock, read, write};

use super::stamp::{Sequence, Stamp};
use super::tags::TagMark;

/// The last invalidations of this kind, oldest first.
pub(super) struct PatternLog {
    /// The number of the newest record, for hits: most of them find that they have seen it.
    newest: AtomicU64,
    log: RwLock<Log>,
    keep: usize,
}

/// Which entries a record covers.
pub(super) enum Covered {
    /// Those whose key matches.
    Matching(Glob),
    /// Those that bear all of these tags. The record holds their marks, so each name keeps the one mark that it has.
    Bearing(Box<[Arc<TagMark>]>),
}

#[derive(Default)]
struct Log {
    records: VecDeque<Record>,
    /// The number of the newest record that was trimmed.
    floor: u64,
    /// The same of those about tags.
    bearing_floor: u64,
}

struct Record {
    number: u64,
    covered: Covered,
}

impl PatternLog {
    pub(super) fn new(keep: usize) -> Self {
        Self { newest: AtomicU64::new(0), log: RwLock::new(Log::default()), keep: keep.max(1) }
    }

    pub(super) fn invalidate(&self, covered: Covered, sequence: &Sequence) {
        let mut log = write(&self.log);
        // Numbered under the lock: records are in order, so "the later records" are a suffix.
        let number = sequence.next();
        let trimmed = if log.records.len() >= self.keep { log.records.pop_front() } else { None };
        if let Some(trimmed) = &trimmed {
            log.floor = trimmed.number;
            if matches!(trimmed.covered, Covered::Bearing(_)) {
                log.bearing_floor = trimmed.number;
            }
        }
        log.records.push_back(Record { number, covered });
        self.newest.store(number, Ordering::Release);
        drop(log);
    }

    /// Whether no record after `checked` covers the entry; if so, `checked` moves to the last one seen.
    #[inline]
    pub(super) fn spares<'t>(
        &self,
        text: impl FnOnce() -> &'t str,
        tags: &[Arc<TagMark>],
        checked: &AtomicU64,
    ) -> bool {
        let known = checked.load(Ordering::Acquire);
        self.newest.load(Ordering::Acquire) <= known || self.catch_up(text(), tags, checked, known)
    }

    #[cold]
    fn catch_up(&self, text: &str, tags: &[Arc<TagMark>], checked: &AtomicU64, known: u64) -> bool {
        let log = read(&self.log);
        if log.floor > known {
            return false;
        }
        let mut later = log.records.iter().rev().take_while(|record| record.number > known);
        if later.any(|record| record.covered.covers(text, tags)) {
            return false;
        }
        if let Some(newest) = log.records.back() {
            checked.fetch_max(newest.number, Ordering::AcqRel);
        }
        true
    }

    /// Up to where an entry has been compared that was found spared up to `checked` and bears these tags only now.
    ///
    /// Patterns need not be matched again; a record about tags may cover it, or one that is no longer there may have.
    /// Then it is the birth: from there every comparison comes to the same end, and refuses.
    pub(super) fn compared(&self, born: Stamp, checked: u64, tags: &[Arc<TagMark>]) -> u64 {
        let born = born.number();
        if checked <= born {
            return born;
        }
        let log = read(&self.log);
        let mut passed =
            log.records.iter().filter(|record| (born + 1..=checked).contains(&record.number));
        if log.bearing_floor > born || passed.any(|record| record.covered.bears(tags)) {
            return born;
        }
        checked
    }
}

impl Covered {
    fn covers(&self, text: &str, tags: &[Arc<TagMark>]) -> bool {
        match self {
            Self::Matching(glob) => glob.matches(text),
            Self::Bearing(_) => self.bears(tags),
        }
    }

    /// Whether it is about tags, and these include them.
    fn bears(&self, tags: &[Arc<TagMark>]) -> bool {
        match self {
            Self::Matching(_) => false,
            Self::Bearing(all) => {
                all.iter().all(|one| tags.iter().any(|tag| Arc::ptr_eq(one, tag)))
            }
        }
    }
}
