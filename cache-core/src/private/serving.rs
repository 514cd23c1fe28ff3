//! How a function serves what is no longer fresh, and how long its body may take.

use std::time::Duration;

use super::Spec;

/// What an entry of the shared tier can tell of itself: 49 days.
const LONGEST_GRACE: Duration = Duration::from_millis(u32::MAX as u64);

/// The serving policies of one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serving {
    /// So long after its freshness a value is given at once while it is renewed; zero for never.
    pub(crate) while_revalidate: Duration,
    /// So long after its freshness a value is given when the body fails; zero for never.
    pub(crate) on_error: Duration,
    /// Whether a body that fails is covered up for by what was invalidated as well.
    pub(crate) even_invalidated: bool,
    /// The share of its life after which a value is renewed.
    pub(crate) refresh_ahead: Option<f32>,
    /// How eagerly a value is renewed by chance.
    pub(crate) early_refresh: Option<f32>,
    /// The body is given up after this.
    pub(crate) timeout: Option<Duration>,
    /// After this the body goes on in the background, where there is a stale value.
    pub(crate) soft_timeout: Option<Duration>,
}

/// What those who wait for a flight may be given though it is not fresh.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Grace {
    while_revalidate: Duration,
    on_error: Duration,
    even_invalidated: bool,
}

impl Serving {
    /// What functions do that say nothing.
    pub(crate) const NONE: Self = Self {
        while_revalidate: Duration::ZERO,
        on_error: Duration::ZERO,
        even_invalidated: false,
        refresh_ahead: None,
        early_refresh: None,
        timeout: None,
        soft_timeout: None,
    };

    /// How long values are kept after their freshness.
    pub(crate) fn grace(&self) -> Duration {
        self.while_revalidate.max(self.on_error).min(LONGEST_GRACE)
    }

    /// What others may be given of a flight.
    pub(crate) fn of_flights(&self) -> Grace {
        let Self { while_revalidate, on_error, even_invalidated, .. } = *self;
        Grace { while_revalidate, on_error, even_invalidated }
    }

    /// How long after its freshness a value may stand in for one that does not come in time.
    pub(crate) fn for_lateness(&self) -> Duration {
        if self.soft_timeout.is_some() { self.grace() } else { Duration::ZERO }
    }

    /// Whether it matters how old a value is before it is over.
    pub(crate) fn ages(&self) -> bool {
        !self.grace().is_zero() || self.refresh_ahead.is_some() || self.early_refresh.is_some()
    }

    /// Whether the shared tier has to know more of a value's age than when it ends.
    pub(crate) fn marks(&self) -> bool {
        !self.grace().is_zero() || self.early_refresh.is_some()
    }
}

impl<V> Spec<V> {
    /// How long after their freshness values are served while they are renewed and when the body fails, in milliseconds;
    /// and whether the latter goes for invalidated ones too.
    #[must_use]
    pub const fn stale(mut self, revalidate: u64, error: u64, even_invalidated: bool) -> Self {
        self.site.serving.while_revalidate = Duration::from_millis(revalidate);
        self.site.serving.on_error = Duration::from_millis(error);
        self.site.serving.even_invalidated = even_invalidated;
        self
    }

    /// The share of their life after which values are renewed.
    #[must_use]
    pub const fn refresh_ahead(mut self, share: f32) -> Self {
        self.site.serving.refresh_ahead = Some(share);
        self
    }

    /// How eagerly values are renewed by chance before their end.
    #[must_use]
    pub const fn early_refresh(mut self, beta: f32) -> Self {
        self.site.serving.early_refresh = Some(beta);
        self
    }

    /// How long the body may take, in milliseconds.
    #[must_use]
    pub const fn timeout(mut self, millis: u64) -> Self {
        self.site.serving.timeout = Some(Duration::from_millis(millis));
        self
    }

    /// After how many milliseconds a stale value stands in for the body's.
    #[must_use]
    pub const fn soft_timeout(mut self, millis: u64) -> Self {
        self.site.serving.soft_timeout = Some(Duration::from_millis(millis));
        self
    }
}
