//! What a transaction is about to change: announced before it commits, as a writer announces its entry, so that nobody stores
//! it meanwhile, and so that a process that dies in between has invalidated it already.

use std::{collections::HashSet, sync::Arc};

use cache_store::{Invalidation, Nonce, Result, Store};

use super::{Call, Engine, Order, Writing, many::announce_all, write::WRITE_TTL};
use crate::{
    events::Origin,
    explicit::by_hand,
    key::{KeyBuffer, raw_key},
    private::Subject,
};

/// Announcements of writes that store nothing, and of changes of tags. Dropped, they are ended in the background.
#[derive(Default)]
pub(crate) struct Announced {
    keys: Vec<Writing>,
    tags: Vec<Changing>,
}

/// Some tags of one shared tier, until it is told that their change has ended.
struct Changing {
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    tags: Arc<[String]>,
    token: Nonce,
    ended: bool,
}

impl Announced {
    /// Announces the keys and tags among these orders wherever there is somebody to tell; in a memory alone nothing needs
    /// it, for that dies with its process. What covers more, nobody can announce: it is invalidated once now.
    ///
    /// A shared tier that does not answer is told nothing, and the transaction goes on.
    pub(crate) async fn of(orders: &[Order]) -> Self {
        let mut announced = Self::default();
        let mut seen = HashSet::new();
        for order in orders.iter().filter(|order| !order.is_local()) {
            let (engine, Some(store)) = (&order.engine, &order.engine.shared) else { continue };
            match &order.what {
                Invalidation::Keys(keys) => {
                    // By number: a pointer would keep the future on one thread.
                    let at = Arc::as_ptr(engine).addr();
                    let new = |key: &&String| seen.insert((at, (*key).clone()));
                    let calls = keys.iter().filter(new).filter_map(|key| call(engine, key));
                    let calls: Vec<Call> = calls.collect();
                    let calls: Vec<&Call> = calls.iter().collect();
                    announced.keys.extend(announce_all(&calls, store, Origin::Here).await);
                }
                Invalidation::Tags(tags) => {
                    let Ok(token) = Nonce::random() else { continue };
                    // From here on it is ended, whatever becomes of it.
                    announced.tags.push(Changing {
                        engine: Arc::clone(engine),
                        store: Arc::clone(store),
                        tags: tags.as_slice().into(),
                        token,
                        ended: false,
                    });
                    let telling = engine.telling(order.what.clone());
                    invalidated(order, store.begin_tags(tags, token, WRITE_TTL).await);
                    drop(telling);
                }
                Invalidation::AllOf(_) | Invalidation::Pattern(_) | Invalidation::All => {
                    let telling = engine.telling(order.what.clone());
                    invalidated(order, store.invalidate(&order.what).await);
                    drop(telling);
                }
            }
        }
        announced
    }

    /// Ends them. That invalidates once more; whoever invalidates besides says how it went.
    pub(crate) async fn end(mut self) {
        let keys: Vec<Writing> = self.keys.drain(..).collect();
        super::orders::join(keys.into_iter().map(Writing::withdraw)).await;
        let tags: Vec<Changing> = self.tags.drain(..).collect();
        super::orders::join(tags.into_iter().map(Changing::end)).await;
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.keys.drain(..).for_each(Writing::withdraw_later);
    }
}

impl Changing {
    /// Tells the shared tier that it has ended. If that cannot be told, it ends with its time, and until then what bears the tags
    /// is not stored.
    async fn end(mut self) {
        let what = Invalidation::Tags(self.tags.to_vec());
        let telling = self.engine.telling(what.clone());
        let ended = self.store.finish_tags(&self.tags, self.token).await;
        self.ended = true;
        drop(telling);
        if let Err(error) = ended {
            self.engine.count_error(&error);
        }
        self.engine.mark(&what);
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (engine, store) = (Arc::clone(&self.engine), Arc::clone(&self.store));
        let (tags, token) = (Arc::clone(&self.tags), self.token);
        if let Ok(runtime) = self.engine.runtime() {
            runtime.spawn(Self { engine, store, tags, token, ended: true }.end());
        }
    }
}

/// Invalidated in the shared tier, perhaps, and now here, untold: the transaction tells of it when it has committed.
fn invalidated(Order { engine, what, .. }: &Order, answer: Result<()>) {
    match answer {
        Ok(()) => engine.session.recent.remember(what.clone(), engine.now()),
        Err(error) => engine.count_error(&error),
    }
    engine.mark(what);
}

fn call(engine: &Arc<Engine>, key: &str) -> Option<Call> {
    let mut buffer = KeyBuffer::new();
    let key = raw_key(key, &mut buffer).ok()?;
    Some(Subject::<()>::new(by_hand::<()>(), engine, key).call(false))
}
