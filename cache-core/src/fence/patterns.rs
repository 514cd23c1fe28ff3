//! The log of invalidated patterns.

use std::collections::VecDeque;

use cache_template::Glob;

use crate::sync::{AtomicU64, Ordering, RwLock, read, write};

use super::stamp::Sequence;

/// The last invalidated patterns, oldest first.
pub(super) struct PatternLog {
    /// The number of the newest record, for hits: most of them find that they have seen it.
    newest: AtomicU64,
    log: RwLock<Log>,
    keep: usize,
}

#[derive(Default)]
struct Log {
    records: VecDeque<Record>,
    /// The number of the newest record that was trimmed.
    floor: u64,
}

struct Record {
    number: u64,
    glob: Glob,
}

impl PatternLog {
    pub(super) fn new(keep: usize) -> Self {
        Self { newest: AtomicU64::new(0), log: RwLock::new(Log::default()), keep: keep.max(1) }
    }

    pub(super) fn invalidate(&self, glob: Glob, sequence: &Sequence) {
        let mut log = write(&self.log);
        // Numbered under the lock: records are in order, so "the later records" are a suffix.
        let number = sequence.next();
        let trimmed = if log.records.len() >= self.keep { log.records.pop_front() } else { None };
        if let Some(trimmed) = &trimmed {
            log.floor = trimmed.number;
        }
        log.records.push_back(Record { number, glob });
        self.newest.store(number, Ordering::Release);
        drop(log);
    }

    /// Whether no record after `checked` matches the key; if so, `checked` moves to the last one seen.
    #[inline]
    pub(super) fn spares<'t>(&self, text: impl FnOnce() -> &'t str, checked: &AtomicU64) -> bool {
        let known = checked.load(Ordering::Acquire);
        self.newest.load(Ordering::Acquire) <= known || self.catch_up(text(), checked, known)
    }

    #[cold]
    fn catch_up(&self, text: &str, checked: &AtomicU64, known: u64) -> bool {
        let log = read(&self.log);
        if log.floor > known {
            return false;
        }
        let mut later = log.records.iter().rev().take_while(|record| record.number > known);
        if later.any(|record| record.glob.matches(text)) {
            return false;
        }
        if let Some(newest) = log.records.back() {
            checked.fetch_max(newest.number, Ordering::AcqRel);
        }
        true
    }
}
