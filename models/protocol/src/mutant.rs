//! The protocol with one of its rules broken.

/// A rule that is broken. A search must find what goes wrong then, or nothing shows that the rule is needed, or that the
/// model would notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    // What an entry names.
    /// The claim's key nonce is the one that is current after the load.
    KeyCapturedAfterTheLoad,
    /// The known tag's nonce is the one that is current after the load.
    KnownTagCapturedAfterTheLoad,
    /// The pattern log's position is the one after the load.
    PatternsCapturedAfterTheLoad,
    /// The tag log's position is the one after the load.
    TagLogCapturedAfterTheLoad,
    /// A key's dependency is a counter. It starts again after it was lost.
    KeyCounters,
    /// A tag's dependency is a counter. It starts again after it was lost.
    TagCounters,

    // FILL and STAMP.
    /// FILL does not compare the key's nonce.
    UnconditionalFill,
    /// FILL does not look at the lease.
    LostLeaseFills,
    /// STAMP does not look at the tag log.
    NoTagLog,
    /// STAMP accepts a position that the tag log no longer holds.
    TrimmedTagLogAccepted,
    /// STAMP as two commands: the log first, then the tag.
    StampsLogFirst,
    /// Learned tags are compared with the tag log after FILL and not before.
    TagsCheckedAfterTheFill,
    /// A reader accepts an entry whose position the pattern log no longer holds.
    TrimmedPatternsAccepted,

    // Writers and readers.
    /// BEGIN deletes the key's nonce and puts none in its place, so FINISH has none to compare.
    WriteWithoutItsOwnNonce,
    /// FINISH stores although another write was under way when this one began.
    WriteBesideAnother,
    /// FINISH stores although its mark is gone.
    WriteWithoutItsMark,
    /// READ does not look for writers.
    ReadIgnoresWriters,
    /// The writing process does not mark itself when its write begins.
    BeginWithoutLocalMark,
    /// Nor when it ends.
    FinishWithoutLocalMark,
    /// A write that could not be announced is not followed by an invalidation.
    UnannouncedWriteIsNotRepeated,
    /// What was written is kept in memory although this process invalidated it before FINISH answered.
    WriteIgnoresItsFence,
    /// The tags' stamp of a write is taken just before FINISH.
    WriteStampsTagsAtFinish,

    // Invalidations.
    /// The invalidating process marks itself first, and the shared tier second.
    LocalFirst,
    /// The invalidating process does not mark itself at all, and waits for the news.
    NoLocalMark,
    /// UNTAG as two commands: the tag first, then the log.
    UntagsTagFirst,
    /// What the shared tier has not confirmed is served while it is repeated.
    ServesUnconfirmed,
    /// Whether something is unconfirmed is asked after the shared tier answered.
    UnconfirmedAskedAfterTheRead,
    /// The invalidating process does not mark itself again when a repeated invalidation is confirmed.
    RepeatedWithoutLocalMark,

    // Transactions that change what bears a tag.
    /// BEGIN_TAGS leaves the tag's nonce.
    BeginTagsLeavesTheNonce,
    /// BEGIN_TAGS adds nothing to the tag log.
    BeginTagsWithoutTagLog,
    /// BEGIN_TAGS leaves no mark.
    BeginTagsWithoutMark,
    /// CAPTURE gives a tag that is being changed a nonce.
    CaptureIgnoresChanges,
    /// CLAIM loads, to store, although CAPTURE gave a tag that is being changed no nonce.
    ClaimsBesideAChange,
    /// CAPTURE does not say which tags are being changed to those who learn of them from the value.
    LearnsNothingOfChanges,
    /// The same, and STAMP looks instead whether the tag is being changed when the load has ended.
    ChangesAreAskedAtTheStamp,
    /// A writer stores although a tag that it knew was being changed when it began.
    WriterIgnoresChanges,
    /// FINISH_TAGS invalidates nothing.
    FinishTagsOnlyUnmarks,
    /// FINISH_TAGS ends whatever is announced of the tag.
    FinishTagsEndsAll,
    /// The process of the transaction does not mark itself when it begins.
    BeginTagsWithoutLocalMark,
    /// Nor when it ends.
    FinishTagsWithoutLocalMark,

    // The memory tier.
    /// What FILL refused is kept in memory.
    KeepsWhatWasRefused,
    /// What a failed FILL leaves in memory lives on by heartbeats.
    LastsWithoutAFill,
    /// The key's stamp is taken when FILL has answered.
    KeyStampAfterTheReply,
    /// The tags' stamp is taken just before FILL.
    TagStampBeforeTheFill,
    /// The learned tag's stamp is taken just before STAMP.
    LearnedTagStampBeforeStamp,
    /// The stamp that a gap is compared with is taken just before FILL.
    GapStampBeforeTheFill,
    /// The bound is counted from FILL.
    ProvenAtTheFill,
    /// Pattern records are compared from the insert on, and not from the birth of the load.
    CheckedFromTheInsert,
    /// News take entries out of memory, and forget the loads that are under way.
    NewsOnlySweepMemory,
    /// A caller joins a flight that began before an invalidation in this process.
    JoinsFencedFlights,
    /// A caller is given what a flight lands, however long ago its load began.
    JoinsOldFlights,

    // The session.
    /// No gap is told when the connection is back.
    NoGapAtReconnect,
    /// No gap is told when the connection is lost.
    NoGapAtTheLoss,
    /// No gap is told when everything was deleted.
    NoGapAtFlush,
    /// The time that a heartbeat gives is counted from its answer.
    LiveFromTheAnswer,
    /// A heartbeat counts before the news of earlier changes have come.
    BeatsBeforeTheNews,
    /// A heartbeat counts while the pattern log has still to be looked at.
    BeatsBeforeThePatterns,
    /// A look at the pattern log that began before the news counts as the look after it.
    EarlierFetchCounts,
    /// The first copy of the pattern log after a gap rules out nothing.
    FirstFetchRulesOutNothing,

    // Liveness.
    /// A lease has no end of its own.
    LeaseWithoutEnd,
}
