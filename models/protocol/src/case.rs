//! What one search covers: who takes part, what is used of the protocol, how much may happen and go wrong.

use crate::{
    mutant::Mutant,
    state::words::{Home, Kind, LEARNED, TAGS},
};

/// There is no limit.
pub const ANY: u8 = u8::MAX;

/// The frame of one search. Everything that fits in it happens in every order.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// Processes with a memory tier: 1 or 2.
    pub nodes: usize,
    /// Loads that one process may have under way: 1 or 2.
    pub flights: usize,
    /// Where invalidations come from, one at a time from each.
    pub orders: &'static [Home],
    /// What they name.
    pub kinds: &'static [Kind],
    /// Where writes through the cache come from, one at a time from each.
    pub writers: &'static [Home],
    /// Where transactions run that change what bears a tag of [`kinds`](Self::kinds), one at a time from each.
    pub changers: &'static [Home],
    /// Whether the entry has a tag that is known before the load, and one that is learned from the value.
    pub tags: [bool; TAGS],
    /// Whether loads take a lease.
    pub leased: bool,
    /// Whether processes have a coherence session.
    pub session: bool,
    /// The bound, in ticks: 1 to 3.
    pub bound: u8,
    /// Reads that may begin; [`ANY`] for no limit.
    pub reads: u8,
    /// Changes of the source, each with its invalidation or write; [`ANY`] for no limit.
    pub changes: u8,
    /// Invalidations of other entries; [`ANY`] for no limit.
    pub others: u8,
    /// How often something may go wrong.
    pub faults: u8,
    /// What may go wrong.
    pub faulty: &'static [Fault],
    /// Whether keys and tags are on different servers, so that a read asks them one after the other.
    pub cluster: bool,
    /// Whether sending and taking effect are two steps. Much larger, and finds nothing more: see the readme.
    pub fine: bool,
    /// Whether states that differ only in names are one. Without it runs of any length have states without end.
    pub numbers_anew: bool,
    /// Whether a change is promised although its writer died after its mark had ended: the known limit.
    pub beyond: bool,
    /// What is broken.
    pub mutant: Option<Mutant>,
}

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// The value is evicted, or expires.
    EvictValue,
    /// The key's nonce is.
    EvictKey,
    /// A tag's nonce is.
    EvictTag,
    /// The pattern log is.
    EvictPatterns,
    /// The tag log is.
    EvictTagLog,
    /// The marks of writers, or of changes of a tag, are, or end while those who made them are at work.
    EvictMarks,
    /// FLUSHALL.
    Flush,
    /// The server is back without its data; all connections are lost.
    Restart,
    /// A session's connection is lost, and its process does not know yet.
    LoseConnection,
    /// A request never arrives, or its answer does not; the caller gives up.
    LoseRequest,
    /// A request arrives after its caller gave up.
    DelayRequest,
    /// A caller goes away.
    Cancel,
    /// A process dies, and another one takes its place.
    Crash,
    /// A load runs without asking the shared tier.
    RunAlone,
}

impl Fault {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::EvictValue,
        Self::EvictKey,
        Self::EvictTag,
        Self::EvictPatterns,
        Self::EvictTagLog,
        Self::EvictMarks,
        Self::Flush,
        Self::Restart,
        Self::LoseConnection,
        Self::LoseRequest,
        Self::DelayRequest,
        Self::Cancel,
        Self::Crash,
        Self::RunAlone,
    ];
}

impl Kind {
    /// Everything that reaches the entry.
    pub const COVERING: &'static [Self] =
        &[Self::Key, Self::KnownTag, Self::LearnedTag, Self::Pattern, Self::All];

    /// Everything.
    pub const ALL: &'static [Self] = &[
        Self::Key,
        Self::KnownTag,
        Self::LearnedTag,
        Self::Pattern,
        Self::All,
        Self::OtherPattern,
        Self::OtherTag,
    ];
}

impl Case {
    /// One process that reads as often as it likes, another one that invalidates, both kinds of tags, a session, a bound
    /// of one tick; nothing changes and nothing goes wrong yet.
    pub const PLAIN: Self = Self {
        name: "plain",
        nodes: 1,
        flights: 1,
        orders: &[Home::Elsewhere],
        kinds: Kind::COVERING,
        writers: &[],
        changers: &[],
        tags: [true, true],
        leased: false,
        session: true,
        bound: 1,
        reads: ANY,
        changes: 0,
        others: 0,
        faults: 0,
        faulty: Fault::ALL,
        cluster: false,
        fine: false,
        numbers_anew: true,
        beyond: false,
        mutant: None,
    };

    /// The same case with one rule broken.
    #[must_use]
    pub const fn with(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn learns(&self) -> bool {
        self.tags[LEARNED]
    }

    /// Whether an invalidation of this kind means anything here.
    pub(crate) fn uses(&self, kind: Kind) -> bool {
        match kind {
            Kind::KnownTag => self.tags[0],
            Kind::LearnedTag | Kind::OtherTag => self.tags[LEARNED],
            _ => true,
        }
    }
}
