//! The shared tier: what it holds, and the scripts, each of which runs whole or not at all.
//!
//! Every method is one of `cache-redis/src/scripts/*.lua`, or a part that several of them share, without lives: what
//! expires is taken away by a step of its own, at any time.

use super::words::{
    DEAD, KNOWN, Kind, LEARNED, NONE, News, NewsSet, Nonce, TAGS, Version, WRITERS,
};

/// How many records a log keeps.
pub(crate) const KEEP: usize = 2;

/// The mark of a write whose writer gave up while its FINISH was still under way.
pub(crate) const LATE_MARK: u8 = 1 << WRITERS;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Server {
    /// `v:`
    pub(crate) value: Option<Stored>,
    /// `d:` of the key.
    pub(crate) key: Nonce,
    /// `l:`
    pub(crate) lease: Option<Lease>,
    /// `w:`
    pub(crate) marks: Marks,
    /// `w:{ns}t:` of the tags: the transactions that change them.
    pub(crate) changes: [Marks; TAGS],
    /// `d:` of the tags.
    pub(crate) tags: [Nonce; TAGS],
    /// `d:{ns}`
    pub(crate) patterns: Log,
    /// `g:{ns}`
    pub(crate) tag_log: Log,
    /// What there is to tell of the present step.
    pub(crate) told: NewsSet,
    /// The last nonce that was made.
    pub(crate) last: Nonce,
    /// What is a counter instead of a nonce; nothing, unless the protocol is broken so.
    pub(crate) counted: Counted,
    /// The tags whose changes CAPTURE does not look at; none, unless the protocol is broken so.
    pub(crate) unheeded: [bool; TAGS],
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) key: bool,
    pub(crate) tags: bool,
}

/// A value and the nonces that it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) version: Version,
    pub(crate) names: Names,
}

/// The dependencies of an entry, as they were before its load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Names {
    pub(crate) key: Nonce,
    pub(crate) tags: [Nonce; TAGS],
    /// The newest record of the pattern log.
    pub(crate) pattern: Nonce,
    /// The newest record of the tag log. It is not stored: it says since when STAMP has to look.
    pub(crate) tag_log: Nonce,
}

/// Who may load. Void under another key nonce than the current one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Lease {
    pub(crate) nonce: Nonce,
    /// The flight, or `None` when it is gone and left its lease behind.
    pub(crate) holder: Option<(u8, u8)>,
}

/// The writes that are under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Marks {
    /// One bit for each writer, or transaction, and [`LATE_MARK`].
    pub(crate) live: u8,
    /// A mark whose writer will never finish: it only waits for its end.
    pub(crate) orphan: bool,
    /// The change that its writer made before it died.
    pub(crate) left: Version,
}

/// A list of records, oldest first, of which the newest [`KEEP`] stay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Log {
    records: [Record; KEEP],
    len: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Record {
    pub(crate) nonce: Nonce,
    /// Whether the pattern matches the key, or the tag is the learned one.
    pub(crate) covers: bool,
}

impl Marks {
    pub(crate) fn any(&self) -> bool {
        self.live != 0 || self.orphan
    }
}

impl Log {
    pub(crate) fn records(&self) -> &[Record] {
        &self.records[..usize::from(self.len)]
    }

    pub(crate) fn records_mut(&mut self) -> &mut [Record] {
        &mut self.records[..usize::from(self.len)]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// [`NONE`] when there is no log.
    pub(crate) fn newest(&self) -> Nonce {
        self.records().last().map_or(NONE, |record| record.nonce)
    }

    pub(crate) fn has(&self, nonce: Nonce) -> bool {
        self.records().iter().any(|record| record.nonce == nonce)
    }

    /// Whether the log still knows this record, and no later one covers.
    pub(crate) fn spares(&self, known: Nonce) -> bool {
        let Some(at) = self.records().iter().position(|record| record.nonce == known) else {
            return false;
        };
        !self.records()[at + 1..].iter().any(|record| record.covers)
    }

    /// Whether no record that is still there covers.
    pub(crate) fn names_nothing(&self) -> bool {
        !self.records().iter().any(|record| record.covers)
    }

    pub(crate) fn drop_oldest(&mut self) {
        self.records.rotate_left(1);
        self.len -= 1;
        self.records[usize::from(self.len)] = Record::default();
    }

    fn append(&mut self, record: Record) {
        if self.records().len() == KEEP {
            self.drop_oldest();
        }
        self.records[usize::from(self.len)] = record;
        self.len += 1;
    }
}

impl Server {
    pub(crate) fn nonce(&mut self) -> Nonce {
        self.last += 1;
        assert!(self.last < DEAD, "a trace makes fewer nonces than there are numbers");
        self.last
    }

    /// Whether a read that sees all of this at once may serve the value.
    pub(crate) fn valid(&self, tags: [bool; TAGS]) -> Option<Version> {
        let Stored { version, names } = self.value?;
        let tags_hold = (0..TAGS).all(|tag| !tags[tag] || names.tags[tag] == self.tags[tag]);
        let valid = names.key == self.key && tags_hold && self.patterns.spares(names.pattern);
        valid.then_some(version)
    }

    /// READ and CAPTURE: makes what is not there yet.
    pub(crate) fn capture(&mut self, tags: [bool; TAGS]) -> Names {
        if self.key == NONE {
            self.set_key();
        }
        Names { key: self.key, ..self.capture_namespace(tags) }
    }

    /// CAPTURE alone: all but the key's own nonce. A known tag that is being changed gets none, but one that nobody has. Who learns of tags is told that
    /// one is being changed, and does not send STAMP then: as if it had no position to send.
    pub(crate) fn capture_namespace(&mut self, tags: [bool; TAGS]) -> Names {
        let mut names = Names { pattern: self.open_patterns(), ..Names::default() };
        if tags[LEARNED] {
            let position = self.open_tag_log();
            names.tag_log = if self.changes_forbid(LEARNED) { NONE } else { position };
        }
        if tags[KNOWN] {
            names.tags[KNOWN] =
                if self.changes_forbid(KNOWN) { DEAD } else { self.open_tag(KNOWN) };
        }
        names
    }

    /// Whether nothing that bears this tag may be stored.
    pub(crate) fn changes_forbid(&self, tag: usize) -> bool {
        self.changes[tag].any() && !self.unheeded[tag]
    }

    pub(crate) fn open_patterns(&mut self) -> Nonce {
        if self.patterns.is_empty() {
            let nonce = self.nonce();
            self.patterns.append(Record { nonce, covers: false });
            self.told.add(News::Patterns);
        }
        self.patterns.newest()
    }

    pub(crate) fn open_tag_log(&mut self) -> Nonce {
        if self.tag_log.is_empty() {
            let nonce = self.nonce();
            self.tag_log.append(Record { nonce, covers: false });
        }
        self.tag_log.newest()
    }

    pub(crate) fn open_tag(&mut self, tag: usize) -> Nonce {
        if self.tags[tag] == NONE {
            self.tags[tag] = if self.counted.tags { 1 } else { self.nonce() };
            self.told.add(News::of_tag(tag));
        }
        self.tags[tag]
    }

    /// A new nonce for the key.
    pub(crate) fn set_key(&mut self) -> Nonce {
        self.key = if self.counted.key { self.key + 1 } else { self.nonce() };
        self.told.add(News::Key);
        self.key
    }

    /// UNLINK tells nothing of a key that is not there.
    pub(crate) fn unlink_key(&mut self) {
        if self.key != NONE {
            self.key = if self.counted.key { self.key + 1 } else { NONE };
            self.told.add(News::Key);
        }
    }

    pub(crate) fn unlink_tag(&mut self, tag: usize) {
        if self.tags[tag] != NONE {
            self.tags[tag] = if self.counted.tags { self.tags[tag] + 1 } else { NONE };
            self.told.add(News::of_tag(tag));
        }
    }

    /// The key's nonce is lost, and nobody wanted it.
    pub(crate) fn lose_key(&mut self) {
        self.key = NONE;
        self.told.add(News::Key);
    }

    /// A tag's nonce is.
    pub(crate) fn lose_tag(&mut self, tag: usize) {
        self.tags[tag] = NONE;
        self.told.add(News::of_tag(tag));
    }

    /// UNLINK of the pattern log.
    pub(crate) fn clear_patterns(&mut self) {
        if !self.patterns.is_empty() {
            self.patterns = Log::default();
            self.told.add(News::Patterns);
        }
    }

    /// PATTERN
    pub(crate) fn log_pattern(&mut self, matches: bool) {
        let nonce = self.nonce();
        self.patterns.append(Record { nonce, covers: matches });
        self.told.add(News::Patterns);
    }

    pub(crate) fn log_tag(&mut self, learned: bool) {
        let nonce = self.nonce();
        self.tag_log.append(Record { nonce, covers: learned });
    }

    /// All that an invalidation does, in one script.
    pub(crate) fn invalidate(&mut self, kind: Kind) {
        match kind {
            Kind::Key => self.unlink_key(),
            Kind::KnownTag => {
                self.unlink_tag(0);
                self.log_tag(false);
            }
            Kind::LearnedTag => {
                self.unlink_tag(LEARNED);
                self.log_tag(true);
            }
            Kind::Pattern => self.log_pattern(true),
            Kind::OtherPattern => self.log_pattern(false),
            Kind::OtherTag => self.log_tag(false),
            Kind::All => self.clear_patterns(),
        }
    }

    /// Everything is gone; the nonces that were used stay used.
    pub(crate) fn lose_all(&mut self) {
        let Self { last, told, counted, unheeded, .. } = *self;
        *self = Self { last, told, counted, unheeded, ..Self::default() };
    }
}
