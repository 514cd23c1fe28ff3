//! How much may be under way to the server at once.
//!
//! What waits for an answer is held in memory, here and in the client's queue. Where a server slows down, or more is asked
//! of it than it can do, that must not grow without end: the function itself is the better answer then.

use std::{
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};

use cache_store::{Error, ErrorKind, Result};

/// The lower bits count bytes, the others requests, so that one operation changes both.
const BYTE_BITS: u32 = 40;
const ONE_REQUEST: u64 = 1 << BYTE_BITS;
const MOST_BYTES: u64 = ONE_REQUEST - 1;
/// More requests than this do not fit beside the bytes.
const MOST_REQUESTS: u64 = (1 << (64 - BYTE_BITS - 1)) - 1;

/// Counts what is under way, and refuses what is too much.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    under_way: AtomicU64,
    requests: u64,
    bytes: u64,
}

/// The place of one request; ends with the value.
pub(crate) struct Place<B: Deref<Target = Bulkhead>> {
    bulkhead: B,
    taken: u64,
}

impl Bulkhead {
    /// At most so many requests and bytes.
    pub(crate) fn new(requests: usize, bytes: usize) -> Self {
        let within = |limit: usize, most: u64| u64::try_from(limit).unwrap_or(most).min(most);
        Self {
            under_way: AtomicU64::new(0),
            requests: within(requests, MOST_REQUESTS),
            bytes: within(bytes, MOST_BYTES >> 1),
        }
    }

    /// As much as there is.
    pub(crate) fn unlimited() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// A place for a request of this size. One that is larger than the limit may go alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] when there is none.
    pub(crate) fn enter<B: Deref<Target = Self>>(bulkhead: B, bytes: usize) -> Result<Place<B>> {
        // More than the counter holds counts as that much.
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).min(bulkhead.bytes);
        let taken = ONE_REQUEST + bytes;
        let join = |before: u64| {
            let (requests, others) = (before >> BYTE_BITS, before & MOST_BYTES);
            let fits = requests < bulkhead.requests && others + bytes <= bulkhead.bytes;
            (fits || requests == 0).then_some(before + taken)
        };
        match bulkhead.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, join) {
            Ok(_) => Ok(Place { bulkhead, taken }),
            Err(before) => Err(bulkhead.overloaded(before)),
        }
    }

    fn overloaded(&self, now: u64) -> Error {
        let message = format!(
            "{} requests with {} bytes are under way, and the limits are {} and {}: see RedisConfig::max_requests and \
             max_request_bytes",
            now >> BYTE_BITS,
            now & MOST_BYTES,
            self.requests,
            self.bytes,
        );
        Error::new(ErrorKind::Overloaded, message)
    }
}

impl<B: Deref<Target = Bulkhead>> Drop for Place<B> {
    fn drop(&mut self) {
        self.bulkhead.under_way.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(refused: Result<Place<&Bulkhead>>) -> Option<ErrorKind> {
        refused.err().map(|error| error.kind())
    }

    #[test]
    fn one_request_too_many_is_refused_until_another_ends() {
        let bulkhead = Bulkhead::new(2, 1_000);
        let first = Bulkhead::enter(&bulkhead, 1).unwrap();
        let _second = Bulkhead::enter(&bulkhead, 1).unwrap();
        assert_eq!(kind(Bulkhead::enter(&bulkhead, 0)), Some(ErrorKind::Overloaded));
        drop(first);
        assert_eq!(kind(Bulkhead::enter(&bulkhead, 0)), None);
    }

    #[test]
    fn one_byte_too_many_is_refused_but_for_a_request_that_goes_alone() {
        let bulkhead = Bulkhead::new(100, 10);
        let alone = Bulkhead::enter(&bulkhead, 1_000).unwrap();
        assert_eq!(kind(Bulkhead::enter(&bulkhead, 1)), Some(ErrorKind::Overloaded));
        drop(alone);
        let _some = Bulkhead::enter(&bulkhead, 6).unwrap();
        assert_eq!(kind(Bulkhead::enter(&bulkhead, 5)), Some(ErrorKind::Overloaded));
        assert_eq!(kind(Bulkhead::enter(&bulkhead, 4)), None);
    }

    #[test]
    fn every_place_is_given_back_whole() {
        let bulkhead = Bulkhead::unlimited();
        let places: Vec<_> = (0..1_000).map(|n| Bulkhead::enter(&bulkhead, n * n)).collect();
        assert!(places.iter().all(Result::is_ok));
        let huge: Vec<_> = (0..4).map(|_| Bulkhead::enter(&bulkhead, usize::MAX)).collect();
        drop((places, huge));
        assert_eq!(bulkhead.under_way.load(Ordering::Relaxed), 0);
    }
}
