//! A future that is dropped at one of its awaits.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::random::Random;

/// Polls a future so many times at most, and then drops it.
pub(super) struct Dropped<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u64,
    /// Whether it goes as soon as it has begun to wait, or only when it could go on.
    at_once: bool,
}

impl<F: Future> Dropped<F> {
    pub(super) fn new(inner: F, random: &Random) -> Self {
        let (polls, at_once) = (random.number(1..=12), random.chance(500));
        Self { inner: Some(Box::pin(inner)), polls, at_once }
    }
}

/// `None` when it was dropped.
impl<F: Future> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let left = self.polls > 0;
        let Some(inner) = self.inner.as_mut().filter(|_| left) else {
            self.inner = None;
            return Poll::Ready(None);
        };
        if let Poll::Ready(answer) = inner.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        self.polls -= 1;
        if self.polls == 0 && self.at_once {
            self.inner = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
