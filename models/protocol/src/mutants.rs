//! Which case catches which mutant, and what goes wrong there; and the rules that no promise needs.

use crate::{
    case::{ANY, Case, Fault},
    mutant::Mutant,
    promise::Broken,
    state::words::{Home, Kind},
};

/// A mutant and the small case in which it breaks a promise.
#[derive(Clone, Copy, Debug)]
pub struct Caught {
    /// What is broken.
    pub mutant: Mutant,
    /// Where that is noticed.
    pub case: Case,
    /// The promise that does not hold then.
    pub broken: Broken,
}

const fn caught(mutant: Mutant, case: Case, broken: Broken) -> Caught {
    Caught { mutant, case: case.with(mutant), broken }
}

/// Any number of changes of everything.
const ALL: Case = Case { changes: ANY, ..Case::PLAIN };
/// One change, by the key alone.
const KEY: Case = Case { kinds: &[Kind::Key], tags: [false, false], changes: 1, ..Case::PLAIN };
/// One change, by the tag that is known before the load.
const KNOWN_TAG: Case = Case { kinds: &[Kind::KnownTag], tags: [true, false], ..KEY };
/// One change, by the tag that is learned from the value.
const LEARNED_TAG: Case = Case { kinds: &[Kind::LearnedTag], tags: [false, true], ..KEY };
/// One change, by a pattern.
const PATTERN: Case = Case { kinds: &[Kind::Pattern], ..KEY };
/// The process that reads makes the change.
const fn own(case: Case) -> Case {
    Case { orders: &[Home::Node(0)], ..case }
}
/// The process that reads makes the change by writing through the cache.
const fn written(case: Case) -> Case {
    Case { orders: &[], writers: &[Home::Node(0)], ..case }
}
/// No session, so that only the shared tier and the bound count.
const fn alone(case: Case) -> Case {
    Case { session: false, ..case }
}
/// This may go wrong once.
const fn failing(case: Case, faulty: &'static [Fault]) -> Case {
    Case { faults: 1, faulty, ..case }
}
/// Two writers.
const WRITERS: Case = Case {
    orders: &[],
    writers: &[Home::Elsewhere, Home::Elsewhere],
    changes: 2,
    session: false,
    ..KEY
};

/// A transaction changes what bears a known tag, once, and its process may die.
const CHANGED: Case = Case {
    orders: &[],
    changers: &[Home::Elsewhere],
    ..failing(alone(KNOWN_TAG), &[Fault::Crash])
};
/// The same of a learned tag.
const CHANGED_AFTER: Case = Case { kinds: &[Kind::LearnedTag], tags: [false, true], ..CHANGED };

/// All mutants.
pub const MUTANTS: &[Caught] = &[
    caught(Mutant::KeyCapturedAfterTheLoad, alone(KEY), Broken::Shared),
    caught(Mutant::KnownTagCapturedAfterTheLoad, alone(KNOWN_TAG), Broken::Shared),
    caught(Mutant::PatternsCapturedAfterTheLoad, alone(PATTERN), Broken::Shared),
    caught(Mutant::TagLogCapturedAfterTheLoad, alone(LEARNED_TAG), Broken::Shared),
    caught(
        Mutant::KeyCounters,
        Case { flights: 2, ..failing(alone(KEY), &[Fault::EvictKey]) },
        Broken::Shared,
    ),
    caught(Mutant::TagCounters, failing(alone(KNOWN_TAG), &[Fault::EvictTag]), Broken::Shared),
    caught(Mutant::UnconditionalFill, KEY, Broken::BoundedMemory),
    caught(
        Mutant::LostLeaseFills,
        Case { leased: true, flights: 2, fine: true, ..alone(KEY) },
        Broken::LostLeaseStored,
    ),
    caught(Mutant::NoTagLog, alone(LEARNED_TAG), Broken::Shared),
    caught(
        Mutant::TrimmedTagLogAccepted,
        Case { kinds: &[Kind::LearnedTag, Kind::OtherTag], others: 2, ..alone(LEARNED_TAG) },
        Broken::Shared,
    ),
    caught(Mutant::StampsLogFirst, alone(LEARNED_TAG), Broken::Shared),
    caught(Mutant::TagsCheckedAfterTheFill, alone(LEARNED_TAG), Broken::Shared),
    caught(
        Mutant::TrimmedPatternsAccepted,
        Case { kinds: &[Kind::Pattern, Kind::OtherPattern], others: 2, ..alone(PATTERN) },
        Broken::Returned,
    ),
    caught(
        Mutant::WriteWithoutItsOwnNonce,
        Case { orders: &[Home::Elsewhere], writers: &[Home::Elsewhere], ..WRITERS },
        Broken::Shared,
    ),
    caught(Mutant::WriteBesideAnother, failing(WRITERS, &[Fault::Crash]), Broken::Shared),
    caught(Mutant::ReadIgnoresWriters, WRITERS, Broken::StoredBesideAWriter),
    caught(
        Mutant::FinishWithoutLocalMark,
        failing(written(KEY), &[Fault::RunAlone]),
        Broken::Returned,
    ),
    caught(
        Mutant::UnannouncedWriteIsNotRepeated,
        failing(written(KEY), &[Fault::LoseRequest]),
        Broken::Returned,
    ),
    caught(
        Mutant::WriteIgnoresItsFence,
        Case { writers: &[Home::Node(0)], changes: 2, ..own(KNOWN_TAG) },
        Broken::OwnMemory,
    ),
    caught(
        Mutant::WriteStampsTagsAtFinish,
        Case { writers: &[Home::Node(0)], changes: 2, ..KNOWN_TAG },
        Broken::BoundedMemory,
    ),
    caught(Mutant::LocalFirst, own(KEY), Broken::OwnMemory),
    caught(Mutant::NoLocalMark, own(KEY), Broken::Returned),
    caught(Mutant::UntagsTagFirst, alone(LEARNED_TAG), Broken::Shared),
    caught(Mutant::ServesUnconfirmed, failing(own(KEY), &[Fault::LoseRequest]), Broken::Returned),
    caught(
        Mutant::UnconfirmedAskedAfterTheRead,
        failing(own(KEY), &[Fault::LoseRequest]),
        Broken::Returned,
    ),
    caught(Mutant::BeginTagsLeavesTheNonce, CHANGED, Broken::Shared),
    caught(Mutant::BeginTagsWithoutTagLog, CHANGED_AFTER, Broken::Shared),
    caught(Mutant::BeginTagsWithoutMark, CHANGED, Broken::Shared),
    caught(Mutant::CaptureIgnoresChanges, CHANGED, Broken::Shared),
    caught(
        Mutant::ClaimsBesideAChange,
        Case { session: true, faults: 0, ..CHANGED },
        Broken::BoundedMemory,
    ),
    caught(Mutant::LearnsNothingOfChanges, CHANGED_AFTER, Broken::Shared),
    caught(Mutant::ChangesAreAskedAtTheStamp, CHANGED_AFTER, Broken::Shared),
    caught(
        Mutant::WriterIgnoresChanges,
        Case { session: true, faults: 0, writers: &[Home::Node(0)], changes: 2, ..CHANGED },
        Broken::BoundedMemory,
    ),
    caught(
        Mutant::FinishTagsOnlyUnmarks,
        Case { faulty: &[Fault::EvictMarks], ..CHANGED },
        Broken::Shared,
    ),
    caught(
        Mutant::FinishTagsEndsAll,
        Case { changers: &[Home::Elsewhere; 2], changes: 2, ..CHANGED },
        Broken::Shared,
    ),
    caught(
        Mutant::FinishTagsWithoutLocalMark,
        Case { changers: &[Home::Node(0)], faulty: &[Fault::RunAlone], ..CHANGED },
        Broken::OwnMemory,
    ),
    caught(Mutant::KeepsWhatWasRefused, KEY, Broken::BoundedMemory),
    caught(Mutant::LastsWithoutAFill, failing(KEY, &[Fault::LoseRequest]), Broken::BoundedMemory),
    caught(Mutant::KeyStampAfterTheReply, KEY, Broken::BoundedMemory),
    caught(Mutant::TagStampBeforeTheFill, KNOWN_TAG, Broken::BoundedMemory),
    caught(
        Mutant::GapStampBeforeTheFill,
        failing(KNOWN_TAG, &[Fault::LoseConnection]),
        Broken::BoundedMemory,
    ),
    caught(Mutant::ProvenAtTheFill, alone(KNOWN_TAG), Broken::BoundedMemory),
    caught(Mutant::CheckedFromTheInsert, PATTERN, Broken::BoundedMemory),
    caught(Mutant::NewsOnlySweepMemory, KEY, Broken::BoundedMemory),
    caught(Mutant::JoinsFencedFlights, own(KEY), Broken::Returned),
    caught(Mutant::JoinsOldFlights, alone(KEY), Broken::Returned),
    caught(Mutant::NoGapAtReconnect, failing(KEY, &[Fault::LoseConnection]), Broken::BoundedMemory),
    caught(Mutant::NoGapAtFlush, failing(KEY, &[Fault::Flush]), Broken::BoundedMemory),
    caught(Mutant::LiveFromTheAnswer, Case { fine: true, ..KEY }, Broken::BoundedMemory),
    caught(Mutant::BeatsBeforeTheNews, KEY, Broken::BoundedMemory),
    caught(Mutant::BeatsBeforeThePatterns, PATTERN, Broken::BoundedMemory),
    caught(Mutant::EarlierFetchCounts, Case { fine: true, ..PATTERN }, Broken::BoundedMemory),
    caught(
        Mutant::FirstFetchRulesOutNothing,
        Case { fine: true, ..PATTERN },
        Broken::BoundedMemory,
    ),
    caught(
        Mutant::LeaseWithoutEnd,
        Case { leased: true, flights: 2, ..failing(alone(KEY), &[Fault::Cancel]) },
        Broken::Stuck,
    ),
];

/// Rules that may be broken without breaking a promise: something else guards the same. Kept in the protocol because they
/// make it simpler to think about, or stale values rarer; the searches show that nobody has to rely on them.
pub const SPARE: &[(Mutant, Case)] = &[
    // FINISH gives the key a new nonce, which rules out whatever was stored under its own while the mark was gone.
    (
        Mutant::WriteWithoutItsMark,
        Case { faults: 2, faulty: &[Fault::EvictMarks, Fault::Cancel], ..WRITERS },
    ),
    // BEGIN has changed the key's nonce; what this process still keeps it forgets when the write ends.
    (Mutant::BeginWithoutLocalMark, failing(written(ALL), Fault::ALL)),
    // BEGIN_TAGS has taken the tag's nonce; what this process still keeps it forgets when the transaction ends.
    (
        Mutant::BeginTagsWithoutLocalMark,
        Case {
            orders: &[],
            changers: &[Home::Node(0)],
            kinds: &[Kind::KnownTag, Kind::LearnedTag],
            ..failing(ALL, Fault::ALL)
        },
    ),
    // Nothing was promoted meanwhile, because what is unconfirmed is not served.
    (Mutant::RepeatedWithoutLocalMark, failing(own(ALL), &[Fault::LoseRequest])),
    // No heartbeat is answered on a lost connection, and the next one begins with a gap.
    (
        Mutant::NoGapAtTheLoss,
        Case { faults: 2, faulty: &[Fault::LoseConnection, Fault::Flush], ..ALL },
    ),
    // STAMP asks the tag log for everything since CLAIM.
    (Mutant::LearnedTagStampBeforeStamp, failing(ALL, &[Fault::LoseConnection])),
];

/// The same of a transaction: what was announced is lost, or its time is over, and then its process dies.
pub const LIMIT_OF_CHANGES: Case = Case {
    name: "a transaction that dies after its announcement has ended",
    beyond: true,
    faults: 2,
    faulty: &[Fault::EvictMarks, Fault::Crash],
    ..CHANGED
};

/// What the protocol does not promise: a write outlives its mark, and then its process dies. A load that began before the
/// change was made may have been stored meanwhile, and nobody is left to invalidate it.
pub const LIMIT: Case = Case {
    name: "a writer that dies after its mark has ended",
    beyond: true,
    writers: &[Home::Elsewhere],
    changes: 1,
    faults: 2,
    faulty: &[Fault::EvictMarks, Fault::Crash],
    ..WRITERS
};
