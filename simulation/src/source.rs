//! The source of truth: what the functions load, and what changes it.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use crate::lock;

/// Kinds of keys, by what their functions are like and by who may change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Values with two tags known beforehand.
    Plain,
    /// The same and a tag that only the value tells.
    Learning,
    /// Some versions are `None`, which is cached.
    Maybe,
    /// Changed under a lock of the source, and then set by hand: a value set by hand is not guarded against others.
    Set,
}

/// Keys of each family.
const NUMBERS: usize = 2;
/// How many keys there are.
pub(crate) const ITEMS: usize = 4 * NUMBERS;
/// Learned tags tell apart so many groups of versions.
pub(crate) const GROUPS: usize = 3;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) family: Family,
    pub(crate) number: u64,
}

impl Item {
    pub(crate) const ALL: [Self; ITEMS] = {
        let mut all = [Self { family: Family::Plain, number: 0 }; ITEMS];
        let families = [Family::Plain, Family::Learning, Family::Maybe, Family::Set];
        let mut at = 0;
        while at < ITEMS {
            all[at] = Self { family: families[at / NUMBERS], number: (at % NUMBERS) as u64 };
            at += 1;
        }
        all
    };

    pub(crate) fn index(self) -> usize {
        self.family as usize * NUMBERS + self.number as usize
    }

    pub(crate) fn named(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.key() == key)
    }

    pub(crate) fn key(self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    /// The tags that everything under the key bears.
    pub(crate) fn tags(self) -> [String; 2] {
        [self.family.to_string(), format!("n:{}", self.number)]
    }

    /// What a version of the key is as a value, different from every value of every other key.
    pub(crate) fn value(self, version: u64) -> u64 {
        version * ITEMS as u64 + self.index() as u64
    }

    /// The version that is this value, if it is one of this key.
    pub(crate) fn version(self, value: u64) -> Option<u64> {
        let own = value % ITEMS as u64 == self.index() as u64;
        own.then_some(value / ITEMS as u64)
    }

    /// Whether this version is a `None`.
    pub(crate) fn is_absent(self, version: u64) -> bool {
        self.family == Family::Maybe && version.is_multiple_of(3)
    }
}

/// The learned tag of a version.
pub(crate) fn group(version: u64) -> usize {
    version as usize % GROUPS
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Learning => "learning",
            Self::Maybe => "maybe",
            Self::Set => "set",
        })
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.number)
    }
}

/// The current version of every key.
pub(crate) type Versions = [u64; ITEMS];

/// The database.
pub(crate) struct Source {
    versions: Mutex<Versions>,
    locked: Arc<Mutex<[bool; ITEMS]>>,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self { versions: Mutex::new([1; ITEMS]), locked: Arc::default() }
    }

    pub(crate) fn version(&self, item: Item) -> u64 {
        lock(&self.versions)[item.index()]
    }

    pub(crate) fn versions(&self) -> Versions {
        *lock(&self.versions)
    }

    /// Gives the key its next version.
    pub(crate) fn change(&self, item: Item) -> u64 {
        let versions = &mut *lock(&self.versions);
        versions[item.index()] += 1;
        versions[item.index()]
    }

    /// The right to change a key alone, unless somebody has it.
    pub(crate) fn lock(&self, item: Item) -> Option<Locked> {
        let taken = std::mem::replace(&mut lock(&self.locked)[item.index()], true);
        (!taken).then(|| Locked { all: Arc::clone(&self.locked), item })
    }
}

/// The right to change a key alone, until it is dropped.
pub(crate) struct Locked {
    all: Arc<Mutex<[bool; ITEMS]>>,
    item: Item,
}

impl Drop for Locked {
    fn drop(&mut self) {
        lock(&self.all)[self.item.index()] = false;
    }
}
