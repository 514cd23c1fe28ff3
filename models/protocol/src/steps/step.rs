//! The names of steps.

use std::fmt;

use crate::{
    case::Fault,
    state::words::{Kind, News},
};

/// One step: who does what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) who: Who,
    pub(crate) what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Clock,
    Server,
    Node(usize),
    Flight(usize, usize),
    Order(usize),
    Writer(usize),
    Change(usize),
}

/// What is done; the readme says which code this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Ticks,
    // Flights.
    SendsRead,
    ReadsNamespace,
    Reads,
    FindsNothing,
    SendsClaim,
    Claims,
    IsTurnedAway,
    Waits,
    Loads,
    StampsHalf,
    Stamps,
    SendsFill,
    Fills,
    Lands,
    // Invalidations.
    Changes(Kind),
    InvalidatesHalf(Kind),
    Invalidates(Kind),
    IsConfirmed,
    Repeats,
    IsConfirmedAtLast,
    // Writes.
    Begins,
    Writes,
    StampsWritten,
    Finishes,
    IsFinished,
    // Transactions.
    Announces(Kind),
    Commits,
    Publishes(Kind),
    IsPublished,
    // Sessions.
    Hears(News),
    FetchesPatterns,
    AppliesPatterns,
    SendsBeat,
    AnswersBeat,
    Beats,
    NoticesLoss,
    Reconnects,
    // Ends of what has a life, and requests without a sender.
    LeaseEnds,
    MarkEnds,
    ChangeEnds(Kind),
    Arrives,
    Vanishes,
    // What goes wrong.
    Fails(Fault),
}

impl Step {
    /// Whether something went wrong.
    pub(crate) fn is_fault(self) -> bool {
        matches!(self.what, What::Fails(_))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Clock => f.write_str("clock")?,
            Who::Server => f.write_str("shared tier")?,
            Who::Node(node) => write!(f, "process {node}")?,
            Who::Flight(node, at) => write!(f, "load {node}.{at}")?,
            Who::Order(order) => write!(f, "invalidation {order}")?,
            Who::Writer(writer) => write!(f, "writer {writer}")?,
            Who::Change(change) => write!(f, "transaction {change}")?,
        }
        write!(f, ": {}", self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Ticks => "a tick passes",
            Self::SendsRead => "READ is sent",
            Self::ReadsNamespace => "READ is answered by the namespace's server",
            Self::Reads => "READ finds a valid value",
            Self::FindsNothing => "READ finds nothing valid",
            Self::SendsClaim => "CLAIM is sent",
            Self::Claims => "CLAIM captures, the load runs",
            Self::IsTurnedAway => "CLAIM meets a writer",
            Self::Waits => "CLAIM meets a lease, and waits",
            Self::Loads => "the load reads the source",
            Self::StampsHalf => "STAMP reads the tag log",
            Self::Stamps => "STAMP",
            Self::SendsFill => "FILL is sent",
            Self::Fills => "FILL",
            Self::Lands => "the answer is here, and the callers go on",
            Self::Changes(kind) => return write!(f, "the source changes, {kind:?} is to go"),
            Self::InvalidatesHalf(kind) => return write!(f, "first half of invalidating {kind:?}"),
            Self::Invalidates(kind) => return write!(f, "{kind:?} is invalidated"),
            Self::IsConfirmed => "it is confirmed",
            Self::Repeats => "the queued invalidation is repeated",
            Self::IsConfirmedAtLast => "the queued invalidation is confirmed",
            Self::Begins => "BEGIN",
            Self::Writes => "the body changes the source",
            Self::StampsWritten => "STAMP",
            Self::Finishes => "FINISH",
            Self::IsFinished => "the write has ended",
            Self::Announces(kind) => return write!(f, "BEGIN_TAGS of {kind:?}"),
            Self::Commits => "the commit changes the source",
            Self::Publishes(kind) => return write!(f, "FINISH_TAGS of {kind:?}"),
            Self::IsPublished => "the transaction has ended",
            Self::Hears(news) => return write!(f, "hears {news:?}"),
            Self::FetchesPatterns => "the pattern log is read",
            Self::AppliesPatterns => "new pattern records are applied",
            Self::SendsBeat => "a heartbeat is sent",
            Self::AnswersBeat => "the heartbeat is answered",
            Self::Beats => "the heartbeat counts",
            Self::NoticesLoss => "notices that the connection is lost",
            Self::Reconnects => "is connected again",
            Self::LeaseEnds => "the lease ends",
            Self::MarkEnds => "a writer's mark ends",
            Self::ChangeEnds(kind) => return write!(f, "what was announced of {kind:?} ends"),
            Self::Arrives => "the delayed request arrives",
            Self::Vanishes => "the delayed request never arrives",
            Self::Fails(fault) => return write!(f, "FAULT {fault:?}"),
        };
        f.write_str(text)
    }
}
