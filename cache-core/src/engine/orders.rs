//! Several invalidations that are asked for at once.

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use cache_store::{Invalidation, Result};

use super::{Invalidating, Order};

impl Order {
    /// The same with as few round trips as there can be: keys and tags of one cache go in one each, nothing goes twice,
    /// and where everything is invalidated nothing else has to be.
    pub(crate) fn merge(orders: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for order in orders {
            let same = |other: &&mut Self| other.goes_with(&order);
            if !merged.iter_mut().filter(same).any(|other| other.absorb(&order.what)) {
                merged.push(order);
            }
        }
        merged.iter_mut().for_each(Self::say_once);
        let cleared = merged.iter().filter(|order| order.clears());
        let cleared: Vec<_> = cleared.map(|order| Arc::clone(&order.engine)).collect();
        let is_cleared = |order: &Self| cleared.iter().any(|all| Arc::ptr_eq(all, &order.engine));
        merged.retain(|order| order.clears() || !is_cleared(order));
        merged
    }

    /// How long other processes may serve from memory what is invalidated; `None` when they have nothing of it.
    pub(crate) fn coherence_bound(&self) -> Option<Duration> {
        (!self.is_local()).then_some(self.engine.settings.coherence_bound)
    }

    /// Whether the two can be told to the same tiers at once.
    fn goes_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.engine, &other.engine)
            && self.is_local() == other.is_local()
            && self.origin == other.origin
    }

    /// Takes this in, unless one request cannot say both.
    fn absorb(&mut self, more: &Invalidation) -> bool {
        match (&mut self.what, more) {
            (Invalidation::Keys(into), Invalidation::Keys(more))
            | (Invalidation::Tags(into), Invalidation::Tags(more)) => {
                into.extend(more.iter().cloned());
                true
            }
            (same, more) => same == more,
        }
    }

    fn say_once(&mut self) {
        if let Invalidation::Keys(names) | Invalidation::Tags(names) = &mut self.what {
            let mut seen = HashSet::new();
            names.retain(|name| seen.insert(name.clone()));
        }
    }

    /// Whether nothing of its cache is left.
    fn clears(&self) -> bool {
        self.what == Invalidation::All
    }
}

/// Does them all at the same time, so that a shared tier that is away is waited for once. What it does not confirm, by an
/// error in the order's place, holds in this process and is repeated.
///
/// Dropped before it is done, all of them still happen.
pub(crate) async fn invalidate_all(orders: Vec<Order>) -> Vec<Result<()>> {
    join(orders.into_iter().map(|order| Invalidating::new(order).confirm())).await
}

/// The outputs of all, in their order, when the last one is done.
pub(super) async fn join<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut under_way: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = under_way.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in under_way.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(done) = future.as_mut().poll(context)
            {
                *output = Some(done);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
