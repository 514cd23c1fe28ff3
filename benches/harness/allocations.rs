//! Counting allocations, in a build of its own (the feature `allocations`).

/// What one thread allocated and kept.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Allocations that were made.
    pub allocations: u64,
    /// Bytes that were asked for and not given back.
    pub bytes: i64,
}

/// Runs `work` and counts what this thread allocates meanwhile; `None` without the feature `allocations`.
#[cfg(feature = "allocations")]
pub fn held(work: impl FnOnce()) -> Option<Held> {
    let counted = allocation_counter::measure(work);
    Some(Held { allocations: counted.count_total, bytes: counted.bytes_current })
}

/// Runs `work` and counts what this thread allocates meanwhile; `None` without the feature `allocations`.
#[cfg(not(feature = "allocations"))]
pub fn held(work: impl FnOnce()) -> Option<Held> {
    work();
    None
}
