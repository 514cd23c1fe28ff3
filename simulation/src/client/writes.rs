//! Invalidations and writers.

use std::{
    future::IntoFuture,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use cache_core::{
    __private::{ResultOptionShape, ResultShape, entry, given, write_through, writer},
    Invalidation,
};
use tokio::time::sleep;

use super::{
    Client, Doing,
    reads::{Answer, Failed},
};
use crate::{
    cover::{Reached, learned_tag, reached},
    functions::function,
    lock,
    oracle::Stamp,
    plan::How,
    process::Process,
    source::{Family, GROUPS, Item, Versions},
};

impl Client {
    /// Changes a key in the source, or not, and then invalidates something that reaches it.
    pub(super) async fn invalidate(&self, change: bool) {
        let Process { id, world, cache, .. } = &*self.process;
        let item = if change { self.item_that_races() } else { self.item() };
        if change {
            let version = world.source.change(item);
            self.process.note(format_args!("changes {item}: version {version}"));
            sleep(world.random.millis(0..=20)).await;
            self.process.runs().await;
        }
        let what = self.something_that_reaches(item);
        let everywhere = world.random.chance(100);
        let invalidate = match what.clone() {
            Invalidation::Keys(keys) => cache.invalidate_keys(keys),
            Invalidation::Tags(tags) => cache.invalidate_tags(tags),
            Invalidation::AllOf(tags) => cache.invalidate_all_of(tags),
            Invalidation::Pattern(pattern) => cache.invalidate_pattern(&pattern),
            Invalidation::All => cache.clear(),
        };
        let invalidate = if everywhere { invalidate.everywhere() } else { invalidate };
        let (reached, versions) = (reached(&what), world.source.versions());
        let began = world.oracle.stamp();
        self.process.note(format_args!("invalidates {what:?}"));
        world.oracle.owes(*id, &reached, &versions);
        let answer = self.does(&Arc::default(), invalidate.into_future()).await;
        world.oracle.holds_in(*id, &reached, &versions, began);
        let ok = matches!(answer, Some(Ok(())));
        let everywhere = if everywhere { " everywhere" } else { "" };
        self.process.note(format_args!("invalidated {what:?}{everywhere}: {}", answered(&answer)));
        if ok {
            world.oracle.confirmed(&reached, &versions, began);
            if !everywhere.is_empty() {
                world.oracle.holds_everywhere(&reached, &versions, began);
            }
        }
    }

    fn something_that_reaches(&self, item: Item) -> Invalidation {
        let random = &self.process.world.random;
        let other = || random.pick(&self.process.world.plan.items).key();
        match random.below(11) {
            0..=2 => Invalidation::Keys(vec![item.key()]),
            3 => Invalidation::Keys(vec![item.key(), other()]),
            4 => Invalidation::Tags(vec![item.tags()[random.below(2)].clone()]),
            5 => Invalidation::Tags(item.tags().to_vec()),
            6 if item.family == Family::Learning => {
                Invalidation::Tags(vec![learned_tag(random.below(GROUPS))])
            }
            7 if item.family == Family::Learning => {
                Invalidation::AllOf(vec![item.tags()[1].clone(), learned_tag(random.below(GROUPS))])
            }
            6 | 7 => Invalidation::AllOf(item.tags().to_vec()),
            8 => Invalidation::Pattern(format!("{}:*", item.family)),
            9 => Invalidation::Pattern(format!("*:{}", item.number)),
            _ => Invalidation::All,
        }
    }

    /// What the attributes of writers can say.
    fn something_for_a_writer(&self, item: Item) -> Invalidation {
        match self.something_that_reaches(item) {
            Invalidation::AllOf(tags) => Invalidation::Tags(tags),
            what => what,
        }
    }

    /// The attribute `write_through`, with and without further invalidations.
    pub(super) async fn write_through(&self, item: Item) {
        let Process { id, world, cache, .. } = &*self.process;
        let how = world.random.pick(&[How::Both, How::Shared, How::Leased, How::Brief]);
        let Some(spec) = function(item.family, how) else { return };
        let more = world.random.chance(300).then(|| self.something_for_a_writer(self.item()));
        let (doing, began) = (Arc::<Doing>::default(), world.oracle.stamp());
        let write =
            Arc::new(Write { renews: true, ..Write::new(&self.process, item, more.clone()) });
        let entry = entry(spec, given(cache), &[&item.number]).tagged(&[&item.number]);
        self.process.note(format_args!("writes {item} through, and {more:?}"));
        let answer = if item.family == Family::Maybe {
            let through = with(write_through(entry), &more);
            let body = Arc::clone(&write).body();
            self.does(&doing, through.run::<ResultOptionShape, _, _>(body)).await
        } else {
            let through = with(write_through(entry), &more);
            let body = Arc::clone(&write).body();
            let body = async { body.await.map(Option::unwrap_or_default) };
            let run = through.run::<ResultShape, Result<u64, Failed>, _>(body);
            self.does(&doing, run).await.map(|answer| answer.map(Some))
        };
        let wrote = write.wrote();
        self.process.note(format_args!("wrote {item} through: {}", answered(&answer)));
        let Some(versions) = wrote else { return };
        // The entry goes in any case: the body has written.
        world.oracle.holds_in(*id, &[key(item)], &versions, began);
        write.end(&answer, began);
    }

    /// The attribute `cache_invalidate`.
    pub(super) async fn writer(&self, item: Item) {
        let cache = &self.process.cache;
        let what = self.something_for_a_writer(item);
        let (doing, began) = (Arc::<Doing>::default(), self.process.world.oracle.stamp());
        let write = Arc::new(Write::new(&self.process, item, Some(what.clone())));
        self.process.note(format_args!("writes {item}, and {what:?}"));
        let body = Arc::clone(&write).body();
        let body = async { body.await.map(Option::unwrap_or_default) };
        let writer = with(writer::<u64>(given(cache)), &Some(what));
        let run = writer.run::<ResultShape, Result<u64, Failed>, _>(body);
        let answer = self.does(&doing, run).await.map(|answer| answer.map(Some));
        self.process.note(format_args!("wrote {item}: {}", answered(&answer)));
        write.end(&answer, began);
    }

    /// Changes a key under the source's lock and sets the new value, by hand or by a writer that learns its entry.
    pub(super) async fn set(&self) {
        let Process { id, world, cache, .. } = &*self.process;
        let ours = |item: &Item| item.family == Family::Set;
        let items: Vec<Item> = world.plan.items.iter().copied().filter(ours).collect();
        let item = world.random.pick(&items);
        let Some(_locked) = world.source.lock(item) else { return };
        let by_writer = world.random.chance(300);
        let (doing, began) = (Arc::<Doing>::default(), world.oracle.stamp());
        let write = Arc::new(Write::new(&self.process, item, None));
        let ok = if by_writer {
            let body = Arc::clone(&write).body();
            let body = async { body.await.map(Option::unwrap_or_default) };
            let inner = cache.clone();
            let writer = writer::<u64>(given(cache)).after(move |_, after| {
                if let Some(spec) = function(Family::Set, How::Both) {
                    after
                        .entry(entry(spec, given(&inner), &[&item.number]).tagged(&[&item.number]));
                }
            });
            self.process.note(format_args!("writes {item}, which tells its entry"));
            let run = writer.run::<ResultShape, Result<u64, Failed>, _>(body);
            let answer = self.does(&doing, run).await;
            self.process.note(format_args!("wrote {item}: {}", answered(&answer)));
            // Before the body has ended nobody knows the entry.
            write.has_ended()
        } else {
            let version = write.change();
            let (value, text) = (item.value(version), item.key());
            self.process.note(format_args!("sets {item}: version {version}"));
            let set = cache.set(&text, &value).tags(item.tags());
            let set = async {
                Doing::write(version);
                set.into_future().await
            };
            let answer = self.does(&doing, set).await;
            self.process.note(format_args!("set {item}: {}", answered(&answer)));
            if let (Some(Ok(())), Some(versions)) = (&answer, write.wrote()) {
                world.oracle.confirmed(&[key(item)], &versions, began);
            }
            true
        };
        if let Some(versions) = write.wrote().filter(|_| ok) {
            world.oracle.owes(*id, &[key(item)], &versions);
            world.oracle.holds_in(*id, &[key(item)], &versions, began);
        }
    }

    pub(super) async fn tag(&self, item: Item) {
        let Process { world, cache, .. } = &*self.process;
        let tags = match world.random.below(3) {
            0 => vec!["other".to_owned()],
            1 => item.tags().to_vec(),
            _ => vec![learned_tag(world.random.below(GROUPS))],
        };
        let text = item.key();
        let answer = self.does(&Arc::default(), cache.tag(&text, tags.clone())).await;
        self.process.note(format_args!("tagged {item} with {tags:?}: {}", answered(&answer)));
    }
}

/// The body of a writer, and what it has done.
pub(super) struct Write {
    process: Arc<Process>,
    item: Item,
    more: Option<Invalidation>,
    /// Whether the writer renews the key's entry, so that it owes its invalidation as soon as the body has written.
    renews: bool,
    /// The source when it had written.
    wrote: Mutex<Option<Versions>>,
    ended: AtomicBool,
}

impl Write {
    pub(super) fn new(process: &Arc<Process>, item: Item, more: Option<Invalidation>) -> Self {
        let (process, wrote) = (Arc::clone(process), Mutex::default());
        Self { process, item, more, renews: false, wrote, ended: AtomicBool::new(false) }
    }

    /// Whether the body ended well.
    fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    pub(super) fn wrote(&self) -> Option<Versions> {
        *lock(&self.wrote)
    }

    pub(super) fn change(&self) -> u64 {
        let Process { world, .. } = &*self.process;
        let version = world.source.change(self.item);
        *lock(&self.wrote) = Some(world.source.versions());
        version
    }

    /// Writes to the source, at some time while it runs.
    async fn body(self: Arc<Self>) -> Answer {
        let Process { id, world, .. } = &*self.process;
        let (random, rates) = (&world.random, world.rates());
        let long = if random.chance(rates.slow) { 4_000 } else { 60 };
        sleep(random.millis(0..=long)).await;
        self.process.runs().await;
        let version = self.change();
        Doing::write(version);
        self.process.note(format_args!("body writes {}: version {version}", self.item));
        if self.renews {
            world.oracle.owes(*id, &[key(self.item)], &world.source.versions());
            // From the announcement to the end of the write nobody stores anything, so that whatever is stored later was
            // loaded later: even if this process dies now.
            if Doing::current().is_some_and(|doing| doing.is_announced(world)) {
                let stamp = world.oracle.stamp();
                world.oracle.took_effect(&[key(self.item)], &world.source.versions(), stamp);
            }
        }
        sleep(random.millis(0..=long)).await;
        self.process.runs().await;
        if random.chance(rates.failing) {
            return Err(Failed);
        }
        self.ended.store(true, Relaxed);
        Ok((!self.item.is_absent(version)).then(|| self.item.value(version)))
    }

    /// What the writer's further invalidations have done: nothing when the body failed.
    fn end(&self, answer: &Option<Answer>, began: Stamp) {
        let Process { id, world, .. } = &*self.process;
        let (Some(versions), Some(more)) = (self.wrote(), &self.more) else { return };
        if !matches!(answer, Some(Err(Failed))) {
            let reached = reached(more);
            world.oracle.owes(*id, &reached, &versions);
            world.oracle.holds_in(*id, &reached, &versions, began);
        }
    }
}

fn key(item: Item) -> Reached {
    Reached { item, group: None }
}

/// Adds what else a writer invalidates.
fn with<'a, V>(
    mut write: cache_core::__private::Write<'a, V>,
    more: &Option<Invalidation>,
) -> cache_core::__private::Write<'a, V> {
    match more {
        None => {}
        Some(Invalidation::Keys(keys)) => {
            for key in keys {
                write = write.key(&[key], &[]);
            }
        }
        Some(Invalidation::Tags(tags) | Invalidation::AllOf(tags)) => {
            for tag in tags {
                write = write.tag(&[tag], &[]);
            }
        }
        Some(Invalidation::Pattern(pattern)) => write = write.pattern(&[pattern], &[]),
        Some(Invalidation::All) => write = write.pattern(&["*"], &[]),
    }
    write
}

pub(super) fn answered<T, E>(answer: &Option<Result<T, E>>) -> &'static str {
    match answer {
        Some(Ok(_)) => "ok",
        Some(Err(_)) => "failed",
        None => "dropped",
    }
}
