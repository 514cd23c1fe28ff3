//! One event, being applied.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, Invalidation, Result};

use super::Invalidations;
use crate::{
    cache::Cache,
    engine::{Engine, Order, invalidate_all},
    explicit::Invalidate,
};

impl Cache {
    /// Invalidates what depends on an event of the application, as the cache's
    /// [rules](crate::CacheBuilder::rules) say.
    ///
    /// The rules run now, and all that they name is invalidated when the result is awaited: keys in one round trip, tags in
    /// one, each pattern in one, all at the same time. Entries of other caches are invalidated in theirs.
    ///
    /// # Errors
    ///
    /// When awaited: unless all of it is invalidated and confirmed. The error lists what was done, what was refused (a
    /// pattern that does not parse does not keep the rest from happening), and what the shared tier did not confirm. That
    /// holds in this process then, and is repeated until it is confirmed.
    ///
    /// [`ErrorKind::Config`](cache_store::ErrorKind::Config) when there is no rule for the event's type: a forgotten rule
    /// is a stale cache. [`InvalidationRules::ignore`](crate::InvalidationRules::ignore) says that it is none.
    ///
    /// # Panics
    ///
    /// When a rule does.
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate), for all that the rules named.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, InvalidationRules, Invalidations};
    ///
    /// struct UserUpdated { id: u64 }
    ///
    /// let rules = InvalidationRules::new().on::<UserUpdated>(|event| {
    ///     Invalidations::new().key(format!("user:{}", event.id)).pattern("users:list:*")
    /// });
    /// let cache = Cache::builder().rules(rules).build().await?;
    /// cache.set("users:list:1", &[42_u64]).await?;
    /// cache.publish(UserUpdated { id: 42 }).await?;
    /// assert_eq!(cache.get::<[u64; 1]>("users:list:1").await?, None);
    ///
    /// let error = cache.publish("no event of ours").await.unwrap_err();
    /// assert_eq!(error.kind(), larder::ErrorKind::Config);
    /// # Ok(()) }
    /// ```
    pub fn publish<E: 'static>(&self, event: E) -> Invalidate {
        let engine = self.engine();
        Invalidate::event(engine.settings.rules.publication(engine, &event))
    }
}

/// What one event invalidates.
#[derive(Debug)]
pub(crate) struct Publication {
    /// The type of the event.
    name: &'static str,
    orders: Vec<Order>,
    /// Why some things that the rules named cannot be invalidated.
    refused: Vec<Error>,
}

impl Publication {
    pub(super) fn new(name: &'static str, engine: &Arc<Engine>, said: Invalidations) -> Self {
        let (orders, refused) = said.orders(engine);
        Self { name, orders: Order::merge(orders), refused }
    }

    /// How long other processes may serve from memory what is invalidated; `None` when they have nothing of it.
    pub(crate) fn coherence_bound(&self) -> Option<Duration> {
        self.orders.iter().filter_map(Order::coherence_bound).max()
    }

    /// What is to be invalidated, and why not all of it can be.
    pub(crate) fn into_parts(self) -> (Vec<Order>, Option<Error>) {
        let refused = self.refused.first().map(|first| {
            let all: Vec<String> = self.refused.iter().map(ToString::to_string).collect();
            let name = self.name;
            let message =
                format!("not all that `{name}` invalidates can be invalidated: {}", all.join("; "));
            Error::new(first.kind(), message).during("publish").with_source(first.clone())
        });
        (self.orders, refused)
    }

    /// Invalidates everything that can be. `Ok` only if that is all there is, and all of it is confirmed.
    pub(crate) async fn run(self) -> Result<()> {
        let Self { name, orders, refused } = self;
        let asked: Vec<_> = orders.iter().map(|order| named(&order.what)).collect();
        let answers = invalidate_all(orders).await;
        let unconfirmed = answers.iter().filter_map(|answer| answer.as_ref().err()).next();
        // A mistake comes first: trying again helps with the others only, and they are tried again anyway.
        let Some(first) = refused.first().or(unconfirmed) else { return Ok(()) };
        let mut lines = vec![format!("not all that `{name}` invalidates is invalidated")];
        lines.extend(refused.iter().map(|error| format!("refused: {error}")));
        lines.extend(asked.iter().zip(&answers).map(|(what, answer)| match answer {
            Ok(()) => format!("done: {what}"),
            Err(error) => format!("not confirmed: {what}: {error}"),
        }));
        lines.extend(unconfirmed.map(|_| QUEUED.to_owned()));
        let message = lines.join("\n");
        Err(Error::new(first.kind(), message).during("publish").with_source(first.clone()))
    }
}

const QUEUED: &str = "what is not confirmed holds in this process, and is queued and repeated until the shared tier \
                      confirms it";

fn named(what: &Invalidation) -> String {
    match what {
        Invalidation::Keys(keys) => format!("keys {}", listed(keys)),
        Invalidation::Tags(tags) => format!("tags {}", listed(tags)),
        Invalidation::AllOf(tags) => format!("all of the tags {}", listed(tags)),
        Invalidation::Pattern(pattern) => format!("pattern {pattern:?}"),
        Invalidation::All => "everything".to_owned(),
    }
}

/// A few of the names, for a person to read.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{:?}{more}", &names[..names.len().min(SHOWN)])
}
