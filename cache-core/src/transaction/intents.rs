//! What is to be invalidated when a transaction has been committed.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cache_store::Error;

use crate::{
    engine::{Invalidating, Order},
    scope::Counted,
};

tokio::task_local! {
    /// The transaction that this task is in.
    static INSIDE: Arc<Intents>;
}

/// The intents of one transaction, which every task that is in it adds to.
#[derive(Debug, Default)]
pub(crate) struct Intents {
    state: Mutex<State>,
    /// The transaction has ended: what is asked for from now on is done at once.
    closed: AtomicBool,
    /// The transaction around this one. What is published inside may be published too early for it, and is so once more.
    outer: Option<Arc<Self>>,
}

#[derive(Debug, Default)]
struct State {
    orders: Vec<Order>,
    /// Why some things that were asked for cannot be invalidated.
    refused: Vec<Error>,
    /// What the shared tier did not confirm.
    unconfirmed: Vec<Error>,
    /// A commit was begun: whatever the body says afterwards, the rows may have changed.
    committing: bool,
}

/// What an ended transaction leaves to be done.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) owed: Owed,
    pub(super) refused: Vec<Error>,
    pub(super) unconfirmed: Vec<Error>,
}

/// Whether this task is in a transaction. To be asked only where there are scopes at all.
#[inline(never)]
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(|intents| !intents.is_closed()).unwrap_or(false)
}

/// The transaction that this task is in.
pub(crate) fn current() -> Option<Arc<Intents>> {
    if !crate::scope::is_any() {
        return None;
    }
    INSIDE.try_with(Arc::clone).ok().filter(|intents| !intents.is_closed())
}

/// Runs a future in a transaction, which counts as a scope from now on.
pub(crate) fn inside<F: Future>(
    intents: Arc<Intents>,
    future: F,
) -> impl Future<Output = F::Output> {
    let counted = Counted::new();
    async move {
        let _counted = counted;
        INSIDE.scope(intents, future).await
    }
}

/// The same for sync code.
pub(crate) fn inside_sync<R>(intents: Arc<Intents>, f: impl FnOnce() -> R) -> R {
    let _counted = Counted::new();
    INSIDE.sync_scope(intents, f)
}

impl Intents {
    /// Those of a transaction that begins here.
    pub(super) fn begin() -> Arc<Self> {
        Arc::new(Self { outer: current(), ..Self::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Keeps orders for the commit. Too late for that, they are done at once: here, and in the shared tier as soon as
    /// that is possible.
    pub(crate) fn record(&self, orders: impl IntoIterator<Item = Order>) {
        let mut state = self.lock();
        if !self.is_closed() {
            state.orders.extend(orders);
            return;
        }
        drop(state);
        drop(Owed::of(orders));
    }

    pub(super) fn refuse(&self, errors: impl IntoIterator<Item = Error>) {
        self.lock().refused.extend(errors);
    }

    /// What was recorded so far, to be published after the commit that begins now.
    pub(super) fn commit(&self) -> Owed {
        let mut state = self.lock();
        state.committing = true;
        Owed::of(state.orders.drain(..))
    }

    pub(super) fn not_confirmed(&self, errors: impl IntoIterator<Item = Error>) {
        self.lock().unconfirmed.extend(errors);
    }

    /// Has the transaction around this one publish the same.
    pub(super) fn pass_on(&self, owed: &Owed) {
        if let Some(outer) = &self.outer {
            outer.record(owed.0.iter().cloned());
        }
    }

    /// Ends the transaction. `kept`: not rolled back, as far as its body says.
    pub(super) fn close(&self, kept: bool) -> Left {
        let mut state = self.lock();
        // Under the lock, so that whoever records later sees it.
        self.closed.store(true, Ordering::Release);
        let State { orders, refused, unconfirmed, committing } = std::mem::take(&mut *state);
        let orders = if kept || committing { orders } else { Vec::new() };
        Left { owed: Owed::of(orders), refused, unconfirmed }
    }
}

/// Invalidations that happen in any case: dropped, they are done here at once and in the shared tier as soon as possible.
#[derive(Debug)]
pub(super) struct Owed(Vec<Order>);

impl Owed {
    fn of(orders: impl IntoIterator<Item = Order>) -> Self {
        Self(Order::merge(orders))
    }

    pub(super) fn orders(&self) -> &[Order] {
        &self.0
    }

    pub(super) fn take(mut self) -> Vec<Order> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|order| drop(Invalidating::new(order)));
    }
}
