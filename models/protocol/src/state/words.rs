//! The words of the protocol: versions, nonces, what can be invalidated, what is told.

/// Which change of the source a value shows. Only their order means anything.
pub(crate) type Version = u8;

/// Stands for 16 random bytes: only equality means anything.
pub(crate) type Nonce = u8;

/// There is no nonce.
pub(crate) const NONE: Nonce = 0;

/// A nonce that is not current, and so never will be again.
pub(crate) const DEAD: Nonce = u8::MAX;

/// The longest coherence bound, in ticks.
pub(crate) const MAX_BOUND: usize = 3;

/// How many processes have a memory tier.
pub(crate) const NODES: usize = 2;

/// How many loads of the key one process may have under way.
pub(crate) const FLIGHTS: usize = 2;

/// How many invalidations may be under way.
pub(crate) const ORDERS: usize = 2;

/// How many writes may be under way.
pub(crate) const WRITERS: usize = 3;

/// How many transactions may be under way.
pub(crate) const CHANGES: usize = 2;

/// The two tags of the entry: one is known before the load, the other is learned from the value.
pub(crate) const TAGS: usize = 2;

/// The place of the tag that is known before the load.
pub(crate) const KNOWN: usize = 0;

/// The place of the tag that only the value tells.
pub(crate) const LEARNED: usize = 1;

/// What an invalidation names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Kind {
    /// The entry's key.
    #[default]
    Key,
    /// The tag that is known before the load.
    KnownTag,
    /// The tag that is learned from the value.
    LearnedTag,
    /// A pattern that matches the key.
    Pattern,
    /// Everything: the pattern log is deleted.
    All,
    /// A pattern that matches other keys: only the log grows.
    OtherPattern,
    /// A tag of other entries: only the log grows.
    OtherTag,
}

impl Kind {
    /// Whether it reaches the entry of this model.
    pub(crate) fn covers(self) -> bool {
        !matches!(self, Self::OtherPattern | Self::OtherTag)
    }
}

/// A set of [`News`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct NewsSet(u8);

/// What a process may be told of; `cache_store::News` has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum News {
    /// The key's nonce was made or taken away.
    Key,
    /// The known tag's nonce was.
    KnownTag,
    /// The learned tag's nonce was.
    LearnedTag,
    /// The pattern log is another one than before.
    Patterns,
    /// Something may have changed without being told.
    Gap,
}

impl News {
    pub(crate) const ALL: [Self; 5] =
        [Self::Key, Self::KnownTag, Self::LearnedTag, Self::Patterns, Self::Gap];

    pub(crate) fn of_tag(tag: usize) -> Self {
        if tag == KNOWN { Self::KnownTag } else { Self::LearnedTag }
    }
}

impl NewsSet {
    pub(crate) fn add(&mut self, news: News) {
        self.0 |= 1 << news as u8;
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn remove(&mut self, news: News) {
        self.0 &= !(1 << news as u8);
    }

    pub(crate) fn has(self, news: News) -> bool {
        self.0 & (1 << news as u8) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Where a writer or an invalidation runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Home {
    /// In a process of the model, with its memory tier.
    Node(usize),
    /// In a process of which nothing else is seen.
    Elsewhere,
}

impl Home {
    pub(crate) fn node(self) -> Option<usize> {
        match self {
            Self::Node(node) => Some(node),
            Self::Elsewhere => None,
        }
    }
}
