//! Bodies that are given up.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use cache_store::{Error, ErrorKind};
use tokio::time::Instant;

use super::Shape;
use crate::{engine::after, timer::sleep_until};

/// An error that can say that a body took too long.
#[diagnostic::on_unimplemented(
    message = "a body that is given up ends with a `larder::Error`, and `{Self}` cannot be made from one",
    label = "must be `From<larder::Error>`",
    note = "implement `From<larder::Error>` for it, or leave `timeout` out"
)]
pub trait TimesOut: Sized {
    /// The error of a body that took longer than this.
    fn timed_out(limit: Duration) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> TimesOut for E {
    fn timed_out(limit: Duration) -> Self {
        let message = format!("the body took longer than its timeout of {limit:?}");
        Error::new(ErrorKind::TimedOut, message).into()
    }
}

/// The witness that a result can say that a body took too long.
#[must_use]
pub fn times_out<S, R>() -> fn(Duration) -> R
where
    S: Shape<R>,
    S::Error: TimesOut,
{
    |limit| S::error(S::Error::timed_out(limit))
}

/// What the body returns, or what `late` makes when it takes longer than `millis`.
///
/// # Cancel safety
///
/// That of the body.
pub async fn timeout<R>(millis: u64, late: fn(Duration) -> R, body: impl Future<Output = R>) -> R {
    let limit = Duration::from_millis(millis);
    within(limit, body).await.unwrap_or_else(|| late(limit))
}

/// What the future gives, if it is done in time; a future that is done at the last moment is.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut end = pin!(sleep_until(after(Instant::now(), limit)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}
