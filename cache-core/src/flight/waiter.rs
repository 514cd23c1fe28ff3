//! A caller that waits for somebody else's load.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::sync::{Arc, Parker};

use super::state::{Ending, Flight};

/// A place in a flight. Dropping it gives the place back and disturbs nobody.
pub(crate) struct Waiter<M, T> {
    pub(super) flight: Arc<Flight<M, T>>,
    slot: Option<usize>,
}

/// How the wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Landing<T> {
    /// The leader's result.
    Landed(T),
    /// The body failed and its error is not shared: run your own, without a flight.
    Failed,
    /// The leader was cancelled: join again.
    Abandoned,
    /// It took too long: [take over](super::Flights::take_over).
    TimedOut,
}

impl<M, T> Waiter<M, T> {
    pub(super) fn new(flight: Arc<Flight<M, T>>) -> Self {
        Self { flight, slot: None }
    }
}

impl<M, T: Clone> Waiter<M, T> {
    /// Waits until the flight has ended or `limit` is ready.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again; a landing is never lost.
    pub(crate) async fn wait(&mut self, limit: impl Future<Output = ()>) -> Landing<T> {
        let mut limit = pin!(limit);
        poll_fn(|context| match self.poll(context.waker()) {
            Poll::Ready(landing) => Poll::Ready(landing),
            Poll::Pending => limit.as_mut().poll(context).map(|()| Landing::TimedOut),
        })
        .await
    }

    /// Blocks the thread until the flight has ended or `deadline` has passed.
    pub(crate) fn wait_sync(&mut self, deadline: Instant) -> Landing<T> {
        let parker = Parker::new();
        loop {
            if let Poll::Ready(landing) = self.poll(parker.waker()) {
                return landing;
            }
            if !parker.park(deadline) {
                return Landing::TimedOut;
            }
        }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Landing<T>> {
        self.flight.poll(&mut self.slot, waker).map(|ending| match ending {
            Ending::Landed(result) => Landing::Landed(T::clone(&result)),
            Ending::Failed => Landing::Failed,
            Ending::Abandoned => Landing::Abandoned,
        })
    }
}

impl<M, T> Drop for Waiter<M, T> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.flight.leave(slot);
        }
    }
}
