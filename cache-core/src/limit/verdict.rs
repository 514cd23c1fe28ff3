use std::time::Duration;

use cache_store::LimitAnswer;

use super::Ask;

/// What becomes of calls whose limit cannot be asked for, because the shared tier is away, slow, full or refuses.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::WhenAway;
///
/// let cache = larder::Cache::memory();
/// let pin = cache.check("pin:user:42").limit(3).per("1h").when_away(WhenAway::Closed).await?;
/// assert!(pin.allowed && pin.asked);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenAway {
    /// They are allowed: an outage of the shared tier is none of the service.
    #[default]
    Open,
    /// They are refused: for what must not be tried without a limit, such as a short code.
    Closed,
}

/// Whether a call may be made. What a [`Check`](crate::Check) gives, with examples there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// let verdict = cache.check("login:1.2.3.4").limit(5).per("5m").await?;
/// assert!(verdict.allowed && verdict.asked);
/// assert_eq!((verdict.limit, verdict.remaining, verdict.retry_after), (5, 4, None));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the call may be made. If it may, it was counted; otherwise it was not.
    pub allowed: bool,
    /// The limit that was asked about.
    pub limit: u64,
    /// How many more calls of cost 1 would be allowed now.
    pub remaining: u64,
    /// How long to wait until the same call would be allowed, if nobody makes another one meanwhile. `None` when it is
    /// allowed, and when that is not known because nobody could be [asked](Self::asked).
    pub retry_after: Option<Duration>,
    /// When all that is counted will have been forgotten, if nobody makes another call.
    pub resets_after: Duration,
    /// Whether the limit was asked for. `false` means that the shared tier could not be, so that
    /// [`when_away`](crate::Check::when_away) decided: nothing may have been counted, and the other fields are those of a
    /// first call, or of one too many.
    pub asked: bool,
}

impl Verdict {
    pub(super) fn of(answer: LimitAnswer, ask: &Ask) -> Self {
        let LimitAnswer { allowed, remaining, retry_after, resets_after } = answer;
        Self { allowed, limit: ask.limit, remaining, retry_after, resets_after, asked: true }
    }

    pub(super) fn unasked(ask: &Ask) -> Self {
        let allowed = ask.when_away == WhenAway::Open;
        Self {
            allowed,
            limit: ask.limit,
            remaining: if allowed { ask.limit.saturating_sub(ask.cost) } else { 0 },
            retry_after: None,
            resets_after: ask.per,
            asked: false,
        }
    }
}
