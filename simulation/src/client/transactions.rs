//! Transactions that change the source.

use std::sync::Arc;

use cache_core::{Invalidation, Invalidations};
use tokio::time::sleep;

use super::{
    Client, Doing,
    reads::Failed,
    writes::{Write, answered},
};
use crate::{
    cover::{learned_tag, reached},
    process::Process,
    source::{Family, GROUPS, Item},
};

impl Client {
    /// Changes a key in the source by a commit that is announced, and invalidates what reaches it.
    pub(super) async fn transact(&self, item: Item) {
        let Process { id, world, cache, .. } = &*self.process;
        let what = self.something_to_announce(item);
        let (doing, began) = (Arc::<Doing>::default(), world.oracle.stamp());
        let write = Arc::new(Write::new(&self.process, item, None));
        self.process
            .note(format_args!("begins a transaction of {item}, which invalidates {what:?}"));
        let commit = commit(Arc::clone(&self.process), Arc::clone(&write), item, what.clone());
        let list = match what.clone() {
            Invalidation::Keys(keys) => Invalidations::new().keys(keys),
            Invalidation::Tags(tags) => Invalidations::new().tags(tags),
            _ => Invalidations::new(),
        };
        let transaction = cache.in_transaction(|tx| async move {
            tx.invalidates(list);
            tx.commit(commit).await
        });
        let answer = self.does(&doing, transaction).await;
        self.process.note(format_args!("transaction of {item}: {}", answered(&answer)));
        // Once it has committed it is published, whatever its body says.
        let Some(versions) = write.wrote() else { return };
        let reached = reached(&what);
        world.oracle.holds_in(*id, &reached, &versions, began);
        if answer.is_some_and(|answer| answer.is_ok_and(|done| done.published().is_ok())) {
            world.oracle.confirmed(&reached, &versions, began);
        }
    }

    /// One thing, so that it is announced as a whole or not at all.
    fn something_to_announce(&self, item: Item) -> Invalidation {
        let random = &self.process.world.random;
        match random.below(6) {
            0 => Invalidation::Keys(vec![item.key()]),
            1 | 2 => Invalidation::Tags(vec![item.tags()[random.below(2)].clone()]),
            3 if item.family == Family::Learning => {
                Invalidation::Tags(item.tags().iter().cloned().chain(all_learned()).collect())
            }
            4 if item.family == Family::Learning => {
                Invalidation::Tags(vec![learned_tag(random.below(GROUPS))])
            }
            _ => Invalidation::Tags(item.tags().to_vec()),
        }
    }
}

fn all_learned() -> impl Iterator<Item = String> {
    (0..GROUPS).map(learned_tag)
}

/// Changes the source, at some time while it runs.
async fn commit(
    process: Arc<Process>,
    write: Arc<Write>,
    item: Item,
    what: Invalidation,
) -> Result<(), Failed> {
    let Process { id, world, .. } = &*process;
    let (random, rates) = (&world.random, world.rates());
    let long = if random.chance(rates.slow) { 4_000 } else { 60 };
    sleep(random.millis(0..=long)).await;
    process.runs().await;
    let version = write.change();
    process.note(format_args!("commits {item}: version {version}"));
    let (reached, versions) = (reached(&what), world.source.versions());
    world.oracle.owes(*id, &reached, &versions);
    // From the announcement to the publication nobody stores anything that it reaches, so that whatever is stored later was
    // loaded later: even if this process dies now.
    if Doing::current().is_some_and(|doing| doing.are_tags_announced(world)) {
        world.oracle.took_effect(&reached, &versions, world.oracle.stamp());
    }
    sleep(random.millis(0..=long)).await;
    process.runs().await;
    if random.chance(rates.failing) { Err(Failed) } else { Ok(()) }
}
