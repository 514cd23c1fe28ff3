//! Everything at one moment: the source of truth, the shared tier, the processes, and what may still happen.

use super::{
    node::{Link, Node},
    server::{Counted, Names, Server},
    words::{CHANGES, Kind, MAX_BOUND, NODES, ORDERS, Version, WRITERS},
};
use crate::{case::Case, mutant::Mutant};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct World {
    /// The source's latest change.
    pub(crate) source: Version,
    /// What was promised: the last change whose invalidation was confirmed by now, by one tick ago, by two…
    pub(crate) confirmed: [Version; MAX_BOUND + 1],
    pub(crate) server: Server,
    pub(crate) nodes: [Node; NODES],
    pub(crate) orders: [Order; ORDERS],
    pub(crate) writers: [Writer; WRITERS],
    pub(crate) changes: [Change; CHANGES],
    /// A request whose sender gave up, and which may still arrive.
    pub(crate) delayed: Option<Delayed>,
    pub(crate) budget: Budget,
}

/// What may still happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Budget {
    pub(crate) reads: u8,
    pub(crate) changes: u8,
    pub(crate) others: u8,
    pub(crate) faults: u8,
}

/// One explicit invalidation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Order {
    pub(crate) stage: OrderStage,
    pub(crate) kind: Kind,
    /// The change of the source that it is about.
    pub(crate) version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) enum OrderStage {
    #[default]
    Idle,
    /// The source has changed; the request is on its way. (Fine steps, or where this process marks itself first.)
    Sent,
    /// The first of two commands has taken effect. (Only where it is two.)
    Half,
    /// It has taken effect; the answer is on its way.
    Done,
}

/// One write through the cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Writer {
    pub(crate) stage: WriteStage,
    /// The change that its body made.
    pub(crate) version: Version,
    /// What was captured beside BEGIN; the key nonce is the writer's own.
    pub(crate) names: Names,
    /// Whether nobody else was writing when it began.
    pub(crate) alone: bool,
    /// Ticks since BEGIN was sent.
    pub(crate) age: u8,
    /// Whether nothing was heard since its stamps that forbids to keep it in memory.
    pub(crate) keeps: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) enum WriteStage {
    #[default]
    Idle,
    /// BEGIN was answered; the body runs.
    Begun,
    /// The body has changed the source.
    Written,
    /// The learned tag's nonce is known.
    Stamped,
    /// STAMP refused: FINISH will store nothing.
    Refused,
    /// FINISH has stored; the answer is on its way.
    Stored,
    /// FINISH has invalidated instead.
    Invalidated,
    /// BEGIN failed; the body runs all the same.
    Unannounced,
    /// The caller went away; FINISH without a value is on its way.
    Dropped,
}

/// One transaction that changes what bears a tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Change {
    pub(crate) stage: ChangeStage,
    /// The tag.
    pub(crate) kind: Kind,
    /// The change that its commit made.
    pub(crate) version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) enum ChangeStage {
    #[default]
    Idle,
    /// BEGIN_TAGS was answered, or not; the commit comes next.
    Begun,
    /// The source has changed.
    Committed,
    /// FINISH_TAGS has taken effect; the answer is on its way.
    Published,
}

/// A request without a sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Delayed {
    Fill { version: Version, names: Names },
    Begin,
    BeginTags { tag: u8 },
    Finish { version: Version, names: Names, stores: bool },
}

impl World {
    /// Nothing has happened yet: sessions are connected and have heard of the gap with which they begin.
    pub(crate) fn new(case: &Case) -> Self {
        let budget = Budget {
            reads: case.reads,
            changes: case.changes,
            others: case.others,
            faults: case.faults,
        };
        let mut world = Self { budget, source: 1, ..Self::default() };
        let counted =
            Counted { key: case.is(Mutant::KeyCounters), tags: case.is(Mutant::TagCounters) };
        world.server.counted = counted;
        let learned = [Mutant::LearnsNothingOfChanges, Mutant::ChangesAreAskedAtTheStamp];
        world.server.unheeded = [
            case.is(Mutant::CaptureIgnoresChanges),
            learned.into_iter().any(|mutant| case.is(mutant)),
        ];
        for node in &mut world.nodes[..case.nodes] {
            if case.session {
                node.session.link = Link::Up;
                node.session.due = true;
            }
        }
        world
    }

    /// The last change that memory hits of every process must show.
    pub(crate) fn bounded(&self, case: &Case) -> Version {
        self.confirmed[usize::from(case.bound)]
    }
}
