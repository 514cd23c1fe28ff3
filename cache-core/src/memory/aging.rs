//! How a value grows old: fresh, due for renewal, stale, over.

use std::time::Duration;

use crate::{
    clock::{AtomicMoment, Moment},
    private::Serving,
};

/// How long it takes until another renewal may be begun where the last one has not replaced the entry.
const PAUSE: Duration = Duration::from_secs(1);

/// More than this many load times before its end no entry is drawn for an early renewal: the chance is one in 10⁹.
const FARTHEST_DRAW: f64 = 21.0;

/// Until when a value is fresh, and how long it took to load it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// `None` for ever.
    pub(crate) until: Option<Moment>,
    /// How long it was to be fresh altogether, where that is known.
    pub(crate) life: Option<Duration>,
    pub(crate) load: Duration,
}

impl Freshness {
    /// Of a value that is stored at that moment.
    pub(crate) fn from(now: Moment, life: Option<Duration>, load: Duration) -> Self {
        Self { until: life.map(|life| now.plus(life)), life, load }
    }
}

/// What an entry knows of its age beyond the moment from which on that matters.
#[derive(Debug)]
pub(crate) struct Aging {
    pub(crate) fresh: Moment,
    /// From here on the entry is gone.
    pub(crate) expires: Moment,
    /// The share of `refresh_ahead` is over.
    ahead: Option<Moment>,
    load: Duration,
    /// Whether it is kept though nobody vouches for it: for a body that fails.
    pub(crate) for_errors: bool,
    next_try: AtomicMoment,
}

/// How old something is for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    /// Fresh, and to be renewed.
    Due,
    /// Not fresh any more; since when.
    Stale(Moment),
}

impl Aging {
    pub(crate) fn new(fresh: Freshness, until: Moment, expires: Moment, serving: &Serving) -> Self {
        let ahead = serving
            .refresh_ahead
            .zip(fresh.life)
            .map(|(share, life)| Moment::before(until, scaled(life, 1.0 - f64::from(share))));
        Self {
            fresh: until,
            expires,
            ahead,
            load: fresh.load,
            for_errors: !serving.on_error.is_zero(),
            next_try: AtomicMoment::default(),
        }
    }

    /// From when on the age has to be asked.
    pub(crate) fn due(&self, serving: &Serving) -> Moment {
        let drawn = serving.early_refresh.map(|beta| {
            let farthest = scaled(self.load, f64::from(beta) * FARTHEST_DRAW);
            Moment::before(self.fresh, farthest)
        });
        drawn.into_iter().chain(self.ahead).fold(self.fresh, Moment::min)
    }

    /// How old it is for a function that serves so.
    pub(crate) fn age(&self, now: Moment, serving: &Serving) -> Age {
        if now >= self.fresh {
            return Age::Stale(self.fresh);
        }
        let ahead = serving.refresh_ahead.and(self.ahead).is_some_and(|ahead| ahead <= now);
        let drawn = || serving.early_refresh.is_some_and(|beta| self.draw(now, beta));
        if ahead || drawn() { Age::Due } else { Age::Fresh }
    }

    /// XFetch: the nearer the end and the longer a load takes, the likelier one of many callers renews before it.
    ///
    /// Vattani, Chierichetti, Lowenstein, *Optimal Probabilistic Cache Stampede Prevention*, PVLDB 8(8), 2015.
    fn draw(&self, now: Moment, beta: f32) -> bool {
        // In (0, 1], so that the logarithm is finite.
        let ahead = -(1.0 - fastrand::f64()).ln();
        now.plus(scaled(self.load, f64::from(beta) * ahead)) >= self.fresh
    }

    /// Whether the caller may begin a renewal: nobody did so lately.
    pub(crate) fn claim(&self, now: Moment) -> bool {
        self.next_try.advance(now, now.plus(PAUSE))
    }
}

/// `duration` times `factor`; the longest there is where that does not fit.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn aging(serving: &Serving, load: Duration) -> Aging {
        let until = Moment::default().plus(SECOND * 100);
        let life = Some(SECOND * 100);
        Aging::new(Freshness { until: Some(until), life, load }, until, until, serving)
    }

    fn at(seconds: u32) -> Moment {
        Moment::default().plus(SECOND * seconds)
    }

    #[test]
    fn past_its_share_of_the_life_an_entry_is_due() {
        let serving = Serving { refresh_ahead: Some(0.8), ..Serving::NONE };
        let aging = aging(&serving, Duration::ZERO);
        // A float's worth of nanoseconds around 80 s.
        assert_eq!(aging.age(at(79), &serving), Age::Fresh);
        assert_eq!(aging.age(at(81), &serving), Age::Due);
        assert_eq!(aging.age(at(81), &Serving::NONE), Age::Fresh, "another function's business");
        assert_eq!(aging.age(at(100), &serving), Age::Stale(at(100)));
        assert!(aging.due(&serving) > at(79) && aging.due(&serving) < at(81));
    }

    #[test]
    fn an_early_renewal_is_the_likelier_the_longer_a_load_takes() {
        let serving = Serving { early_refresh: Some(1.0), ..Serving::NONE };
        let share = |load, now| {
            let aging = aging(&serving, load);
            let due = |_: &u32| aging.age(now, &serving) == Age::Due;
            (0..10_000).filter(due).count()
        };
        // One load time before the end: e to the power of -1.
        let near = share(SECOND * 10, at(90));
        assert!((3_400..3_960).contains(&near), "{near}");
        let far = share(SECOND * 10, at(70));
        assert!((380..620).contains(&far), "{far}");
        assert_eq!(share(Duration::ZERO, at(99)), 0);
        let aging = aging(&serving, SECOND);
        assert_eq!(aging.due(&serving), at(79), "long before it nobody draws");
    }

    #[test]
    fn one_of_many_callers_may_begin_a_renewal() {
        let aging = aging(&Serving::NONE, Duration::ZERO);
        assert!(aging.claim(at(1)));
        assert!(!aging.claim(at(1)));
        assert!(aging.claim(at(2)), "the one that began has not replaced the entry");
    }
}
