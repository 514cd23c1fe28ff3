//! Keys that a transaction is about to change: announced before it commits, as a writer announces its entry, so that nobody
//! stores them meanwhile, and so that a process that dies in between has invalidated them already.

use std::{collections::HashSet, sync::Arc};

use cache_store::{Invalidation, Store};

use super::{Call, Engine, Order, Writing, many::announce_all};
use crate::{
    events::Origin,
    explicit::by_hand,
    key::{KeyBuffer, raw_key},
    private::Subject,
};

/// Announcements of writes that store nothing. Dropped, they are ended in the background.
#[derive(Default)]
pub(crate) struct Announced(Vec<Writing>);

impl Announced {
    /// Announces the keys among these orders wherever there is somebody to tell; the rest needs no announcement, for a
    /// memory dies with its process.
    ///
    /// A shared tier that does not answer is told nothing, and the transaction goes on.
    pub(crate) async fn of(orders: &[Order]) -> Self {
        let mut announced = Self::default();
        let mut seen = HashSet::new();
        for order in orders.iter().filter(|order| !order.is_local()) {
            let Some(store) = &order.engine.shared else { continue };
            let Invalidation::Keys(keys) = &order.what else {
                warn(store, order).await;
                continue;
            };
            // By number: a pointer would keep the future on one thread.
            let engine = Arc::as_ptr(&order.engine).addr();
            let new = |key: &&String| seen.insert((engine, (*key).clone()));
            let calls: Vec<Call> =
                keys.iter().filter(new).filter_map(|key| call(&order.engine, key)).collect();
            let calls: Vec<&Call> = calls.iter().collect();
            announced.0.extend(announce_all(&calls, store, Origin::Here).await);
        }
        announced
    }

    /// Ends them. Their keys are invalidated by it once more; whoever invalidates them besides says how that went.
    pub(crate) async fn end(mut self) {
        let writings: Vec<Writing> = self.0.drain(..).collect();
        super::orders::join(writings.into_iter().map(Writing::withdraw)).await;
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Writing::withdraw_later);
    }
}

fn call(engine: &Arc<Engine>, key: &str) -> Option<Call> {
    let mut buffer = KeyBuffer::new();
    let key = raw_key(key, &mut buffer).ok()?;
    Some(Subject::<()>::new(by_hand::<()>(), engine, key).call(false))
}

/// Invalidates, untold, what cannot be announced: what dies in between has done so once.
async fn warn(store: &Arc<dyn Store>, Order { engine, what, .. }: &Order) {
    let telling = engine.telling(what.clone());
    match store.invalidate(what).await {
        Ok(()) => engine.session.recent.remember(what.clone(), engine.now()),
        Err(error) => engine.count_error(&error),
    }
    engine.mark(what);
    drop(telling);
}
