//! One process: its memory tier, its loads, its session, and the invalidation it could not get confirmed.
//!
//! Stamps and marks are not numbers here. What is under way, or kept, hears of an invalidation or does not: a mark that is
//! newer than a stamp is a `keeps` or `fenced` that fell.

use super::{
    server::Names,
    words::{FLIGHTS, Kind, News, NewsSet, Nonce, Version},
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Node {
    /// The last change that this process invalidated: its own readers see that one or a later one.
    pub(crate) own: Version,
    pub(crate) memory: Option<Entry>,
    pub(crate) flights: [Flight; FLIGHTS],
    pub(crate) session: Session,
    pub(crate) unconfirmed: Option<Unconfirmed>,
}

/// What memory holds for the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Entry {
    pub(crate) version: Version,
    /// Ticks since the request that proved it valid was sent; counts up to the bound.
    pub(crate) age: u8,
    /// Whether the shared tier holds it too, so that news would tell of its end and heartbeats may keep it.
    pub(crate) lasting: bool,
}

/// One load, or one read of the shared tier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Flight {
    pub(crate) stage: Stage,
    pub(crate) version: Version,
    pub(crate) names: Names,
    /// Ticks since the shared tier was asked; counts up to the bound.
    pub(crate) age: u8,
    /// Whether nothing was heard since its stamps that forbids to keep it in memory.
    pub(crate) keeps: bool,
    /// Whether this process invalidated the entry since the flight began.
    pub(crate) fenced: bool,
    /// What the callers may ask for, while the version is not known yet.
    pub(crate) demand: Version,
    /// Whether a caller waits for it who may not be given its value.
    pub(crate) late: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) enum Stage {
    #[default]
    Idle,
    /// Somebody else has the lease.
    Waiting,
    /// READ is on its way. (Fine steps only.)
    Reading,
    /// The namespace's server has answered READ, the key's has not. (Clusters only.)
    Half,
    /// A valid value is on its way back.
    Hit,
    /// CLAIM is on its way. (Fine steps only.)
    Claiming,
    /// CLAIM has captured, the load has not begun. (Fine steps only.)
    Claimed,
    Loaded,
    /// STAMP has looked at the log and not yet at the tag. (Only where it is two commands.)
    HalfStamped,
    /// The learned tag's nonce is known.
    Stamped,
    /// FILL is on its way. (Fine steps only.)
    Filling,
    /// FILL has stored; its answer is on its way.
    Filled,
    /// The shared tier did not answer: memory alone may keep it, for the bound.
    Failed,
    /// There is nothing left to do but to hand the value over.
    Landing,
}

/// What listens and beats.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Session {
    pub(crate) link: Link,
    /// Told, but not heard yet.
    pub(crate) coming: NewsSet,
    /// The pattern log has to be looked at.
    pub(crate) due: bool,
    pub(crate) fetch: Option<Fetch>,
    /// The last record of the pattern log that was applied here.
    pub(crate) known: Nonce,
    /// Ticks for which entries that last may be served.
    pub(crate) live: u8,
    pub(crate) beat: Option<Beat>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) enum Link {
    /// News come.
    Up,
    /// The server tells nothing any more; the process does not know.
    Lost,
    /// The process knows.
    #[default]
    Down,
}

/// A copy of the pattern log on its way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Fetch {
    /// Its newest record.
    pub(crate) newest: Nonce,
    /// Whether it has a matching record after the last one known here, or no longer has that one.
    pub(crate) rules_out: bool,
}

/// A heartbeat under way. (Fine steps only: otherwise it is answered at once or not at all.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Beat {
    /// Ticks since it was sent; counts up to the bound.
    pub(crate) age: u8,
    pub(crate) answered: bool,
    /// What was told before the answer and has still to be heard.
    pub(crate) owed: NewsSet,
}

/// An invalidation that is repeated until the shared tier confirms it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Unconfirmed {
    pub(crate) kind: Kind,
    pub(crate) version: Version,
    /// It has taken effect; the answer is on its way.
    pub(crate) done: bool,
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            version: 0,
            names: Names::default(),
            age: 0,
            keeps: true,
            fenced: false,
            demand: 0,
            late: false,
        }
    }
}

impl Flight {
    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// Whether its version is settled.
    pub(crate) fn knows_its_value(&self) -> bool {
        !matches!(
            self.stage,
            Stage::Idle
                | Stage::Waiting
                | Stage::Reading
                | Stage::Half
                | Stage::Claiming
                | Stage::Claimed
        )
    }

    /// Whether what it captured is still needed.
    pub(crate) fn needs_names(&self) -> bool {
        matches!(
            self.stage,
            Stage::Half
                | Stage::Claimed
                | Stage::Loaded
                | Stage::HalfStamped
                | Stage::Stamped
                | Stage::Filling
        )
    }

    /// Whether it has asked the shared tier whether a value is valid, and not claimed a load.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.stage, Stage::Reading | Stage::Half | Stage::Hit)
    }

    /// Whether FILL was sent.
    pub(crate) fn fills(&self) -> bool {
        matches!(self.stage, Stage::Filling | Stage::Filled)
    }
}

impl Session {
    /// Whether every news that was heard of the pattern log is applied.
    pub(crate) fn knows_the_patterns(&self) -> bool {
        !self.due && self.fetch.is_none()
    }

    pub(crate) fn tell(&mut self, told: NewsSet) {
        if self.link == Link::Up {
            self.coming.add_all(told);
        }
    }

    /// The connection tells nothing any more, and what it had to tell is lost.
    pub(crate) fn lose(&mut self) {
        if self.link == Link::Up {
            self.link = Link::Lost;
        }
        self.coming = NewsSet::default();
        self.beat = None;
    }

    pub(crate) fn heard(&mut self, news: News) {
        self.coming.remove(news);
        if let Some(beat) = &mut self.beat {
            beat.owed.remove(news);
        }
        if matches!(news, News::Patterns | News::Gap) {
            self.due = true;
        }
    }
}
