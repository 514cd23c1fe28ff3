//! What was asked, once it is known to make sense, and who is asked.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, LimitCheck, LimitStrategy, Result};

use super::{Check, Verdict, WhenAway};
use crate::{
    engine::Engine,
    explicit::is_zero_ttl,
    key::{KeyBuffer, raw_key},
    stats::Counter,
};

const SHORTEST: Duration = Duration::from_millis(1);

/// All that a check needs.
pub(super) struct Ask {
    engine: Arc<Engine>,
    name: Arc<str>,
    pub(super) limit: u64,
    pub(super) per: Duration,
    pub(super) cost: u64,
    strategy: LimitStrategy,
    pub(super) when_away: WhenAway,
}

impl Check {
    pub(super) fn checked(self) -> Result<Ask> {
        self.into_ask().map_err(|error| error.during("check"))
    }

    fn into_ask(self) -> Result<Ask> {
        let Self { engine, name, limit, per, cost, strategy, when_away } = self;
        let (name, Some(limit), Some(per)) = (name?, limit, per) else {
            return wrong("the limit was not said: write for instance `.limit(5).per(\"5m\")`");
        };
        let ask = Ask { engine, name, limit, per: per?, cost, strategy, when_away };
        ask.checked_numbers().map(|()| ask)
    }
}

impl Ask {
    pub(super) fn is_here(&self) -> bool {
        self.engine.shared.is_none()
    }

    pub(super) async fn run(self) -> Result<Verdict> {
        let Some(store) = &self.engine.shared else { return Ok(self.here()) };
        match store.check_limit(self.check()).await {
            Ok(answer) => {
                self.engine.answered();
                Ok(self.tallied(Verdict::of(answer, &self)))
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.during("check")),
            Err(error) => {
                self.engine.count_error(&error);
                self.engine.counters.count(Counter::LimitsUnasked);
                Ok(self.tallied(Verdict::unasked(&self)))
            }
        }
    }

    /// Without a shared tier.
    pub(super) fn here(&self) -> Verdict {
        let answer = self.engine.limits.check(&self.engine.settings.clock, &self.check());
        self.tallied(Verdict::of(answer, self))
    }

    fn check(&self) -> LimitCheck<'_> {
        let Self { name, limit, per, cost, strategy, .. } = self;
        LimitCheck { name, limit: *limit, per: *per, cost: *cost, strategy: *strategy }
    }

    fn tallied(&self, verdict: Verdict) -> Verdict {
        if !verdict.allowed {
            self.engine.counters.count(Counter::LimitsRefused);
        }
        verdict
    }

    fn checked_numbers(&self) -> Result<()> {
        let Self { limit, cost, .. } = *self;
        let (what, most) = match self.strategy {
            LimitStrategy::TokenBucket { burst } => ("burst", burst),
            LimitStrategy::FixedWindow | LimitStrategy::SlidingWindow => ("limit", limit),
        };
        for (what, number) in [("limit", limit), (what, most)] {
            if !(1..=LimitCheck::MOST).contains(&number) {
                return wrong(&format!("a {what} of {number}: it goes from 1 to a billion"));
            }
        }
        if cost == 0 {
            return wrong("a cost of 0: a check counts for at least one call");
        }
        if cost > most {
            return wrong(&format!(
                "a cost of {cost} and a {what} of {most}: there could never be room for it. Raise the {what}, or make \
                 several calls of what is one"
            ));
        }
        if matches!(self.strategy, LimitStrategy::TokenBucket { .. })
            && u128::from(most) * self.check().interval().as_nanos()
                > LimitCheck::LONGEST.as_nanos()
        {
            return wrong(&format!(
                "a burst of {most} at {limit} in {:?} would take more than 100 days to flow out: it has to be smaller, or \
                 the limit larger",
                self.per
            ));
        }
        Ok(())
    }
}

fn wrong<T>(message: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Config, message))
}

/// Names are written as keys are, and are as long.
pub(super) fn checked_name(name: &str) -> Result<Arc<str>> {
    if name.is_empty() {
        let message = "the limit has no name: write for instance `cache.check(\"login:1.2.3.4\")`";
        return Err(Error::new(ErrorKind::Template, message));
    }
    Ok(raw_key(name, &mut KeyBuffer::new())?.text().into())
}

pub(super) fn checked_window(per: Result<Option<Duration>>) -> Result<Duration> {
    let wrong = |what: &str| {
        let message = format!(
            "{what}: a limit counts in windows from a millisecond to 100 days; write for instance `.per(\"5m\")`"
        );
        Err(Error::new(ErrorKind::Template, message))
    };
    match per {
        Ok(Some(per)) if per < SHORTEST => wrong("less than a millisecond"),
        Ok(Some(per)) if per <= LimitCheck::LONGEST => Ok(per),
        Ok(Some(_)) => wrong("more than 100 days"),
        Ok(None) => wrong("for ever"),
        Err(error) if is_zero_ttl(&error) => wrong("no time at all"),
        Err(error) => Err(error),
    }
}
