//! Tasks that write without an end: they change the source of truth, and invalidate what it changes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use larder::Invalidate;
use tokio::{task::JoinSet, time::timeout};

use super::{
    Shop,
    cached::{Write, item_cache, item_entry, regroup, reshelve, rewrite_guarded, rewrite_item},
    readers::{choose, focus, refused},
    source::Lost,
};
use crate::{
    clock::Moment,
    wire::{Held, How, Record, Wrote},
    world::{GROUPS, Kind, Row, SHELVES, Subject},
};

const WRITERS: u64 = 2;

pub(super) fn start(shop: &Arc<Shop>, seed: u64, tasks: &mut JoinSet<()>) {
    for task in 0..WRITERS {
        let (shop, rng) = (Arc::clone(shop), Rng::with_seed(seed ^ (300 + task)));
        tasks.spawn(async move { Writer { shop: &shop, rng }.write_on().await });
    }
    // What is stored by hand has one writer.
    let (shop, rng) = (Arc::clone(shop), Rng::with_seed(seed ^ 400));
    tasks.spawn(async move { Writer { shop: &shop, rng }.set_on().await });
}

/// Writes whose invalidation was not confirmed when it ended.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Vec<Wrote>>);

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Wrote>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Confirms pending writes: when nothing waits for Redis, everything that failed before has been repeated.
pub(super) async fn confirm(shop: Arc<Shop>) {
    loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let known = shop.pending.lock().len();
        if known == 0 || shop.cache.health().await.waiting_invalidations > 0 {
            continue;
        }
        shop.log.all_ended(|now| {
            let confirmed = shop.pending.lock().drain(..known).collect::<Vec<_>>();
            confirmed
                .into_iter()
                .map(move |wrote| Record::Wrote(Wrote { ended: now, held: Held::Later, ..wrote }))
        });
    }
}

struct Writer<'a> {
    shop: &'a Shop,
    rng: Rng,
}

impl Writer<'_> {
    async fn write_on(&mut self) {
        while !self.shop.is_closed() {
            self.rest(900).await;
            let subject = choose(&mut self.rng);
            match self.rng.u8(0..100) {
                0..8 => self.change_again_and_again().await,
                8..30 => self.change_one(subject).await,
                30..38 => self.change_some().await,
                38..47 => self.change_shelf().await,
                47..53 => self.change_group().await,
                53..56 => self.change_all_of().await,
                56..64 => self.change_by_pattern().await,
                64..66 => self.change_all_items().await,
                66 => self.change_everything().await,
                67..89 => self.write_through(subject).await,
                _ => self.write_and_invalidate().await,
            }
        }
    }

    async fn set_on(&mut self) {
        let mine: Vec<Subject> = Subject::raw_of(self.shop.process.worker).collect();
        while !self.shop.is_closed() {
            self.rest(300).await;
            if let Some(subject) = self.rng.choice(mine.iter().copied()) {
                self.set(subject).await;
            }
        }
    }

    async fn rest(&mut self, most: u64) {
        let millis = if self.rng.u8(..) < 48 { 4 } else { most };
        tokio::time::sleep(Duration::from_micros(self.rng.u64(0..millis * 1000))).await;
    }

    async fn change_one(&mut self, subject: Subject) {
        let Some(versions) = self.commit(vec![not_raw(subject)]) else { return };
        let invalidate = match subject.kind() {
            Kind::Item(n) if self.rng.bool() => item_entry(subject.shelf(), n).invalidate(),
            _ => self.shop.cache.invalidate(&versions[0].0.key()),
        };
        self.invalidate(How::Key, versions, invalidate).await;
    }

    /// While everybody reads it.
    async fn change_again_and_again(&mut self) {
        for _ in 0..self.rng.u8(5..25) {
            self.change_one(focus()).await;
            tokio::time::sleep(Duration::from_micros(self.rng.u64(0..6_000))).await;
        }
    }

    async fn change_some(&mut self) {
        let subjects: Vec<Subject> =
            (0..self.rng.usize(2..6)).map(|_| not_raw(choose(&mut self.rng))).collect();
        let keys: Vec<String> = subjects.iter().map(|subject| subject.key()).collect();
        let Some(versions) = self.commit(subjects) else { return };
        self.invalidate(How::Keys, versions, self.shop.cache.invalidate_keys(keys)).await;
    }

    async fn change_shelf(&mut self) {
        let shelf = self.rng.u16(0..SHELVES);
        let Some(versions) = self.commit(on_shelf(shelf)) else { return };
        let tag = format!("shelf:{shelf}");
        self.invalidate(How::Tag, versions, self.shop.cache.invalidate_tags([tag])).await;
    }

    async fn change_group(&mut self) {
        let group = self.rng.u16(0..GROUPS);
        let Some(versions) = self.commit(in_group(group)) else { return };
        let tag = format!("group:{group}");
        self.invalidate(How::ValueTag, versions, larder::invalidate_tags([tag])).await;
    }

    async fn change_all_of(&mut self) {
        let (shelf, group) = (self.rng.u16(0..SHELVES), self.rng.u16(0..GROUPS));
        let both = on_shelf(shelf).into_iter().filter(|item| item.group() == group);
        let Some(versions) = self.commit(both.collect()) else { return };
        let tags = [format!("shelf:{shelf}"), format!("group:{group}")];
        self.invalidate(How::AllOf, versions, larder::invalidate_all_of(tags)).await;
    }

    async fn change_by_pattern(&mut self) {
        let (pattern, subjects) = match self.rng.u16(0..SHELVES + 2) {
            SHELVES.. => ("list:*".to_owned(), Subject::lists().collect()),
            shelf => (format!("item:{shelf}:*"), on_shelf(shelf)),
        };
        let Some(versions) = self.commit(subjects) else { return };
        let invalidate = self.shop.cache.invalidate_pattern(&pattern);
        self.invalidate(How::Pattern, versions, invalidate).await;
    }

    async fn change_all_items(&mut self) {
        let Some(versions) = self.commit(Subject::items().collect()) else { return };
        self.invalidate(How::Function, versions, item_cache().clear()).await;
    }

    async fn change_everything(&mut self) {
        let everything = Subject::items().chain(Subject::guarded()).chain(Subject::lists());
        let Some(versions) = self.commit(everything.collect()) else { return };
        self.invalidate(How::Everything, versions, self.shop.cache.clear()).await;
    }

    /// An explicit invalidation, which says whether it was confirmed.
    async fn invalidate(
        &mut self,
        how: How,
        versions: Vec<(Subject, u64)>,
        invalidate: Invalidate,
    ) {
        let everywhere = self.rng.u8(..) < 20;
        let invalidate = if everywhere { invalidate.everywhere() } else { invalidate };
        let began = Moment::now();
        if !everywhere && self.rng.u8(..) < 10 {
            let patience = Duration::from_micros(self.rng.u64(0..2_000));
            match timeout(patience, invalidate.into_future()).await {
                Ok(answer) => self.ended(how, versions, began, held(&answer, false)),
                // Dropped after its first poll it still happens; in this process it has already.
                Err(_) => self.ended(How::Dropped, versions, began, Held::Here),
            }
            return;
        }
        let answer = invalidate.await;
        if let Err(error) = &answer {
            self.shop.log.tell(refused(error));
        }
        self.ended(how, versions, began, held(&answer, everywhere));
    }

    async fn set(&mut self, subject: Subject) {
        let Some(versions) = self.commit(vec![subject]) else { return };
        let began = Moment::now();
        let row = Row::new(subject, versions[0].1);
        let answer = self.shop.cache.set(&subject.key(), &row).tags([subject.tag()]).await;
        if let Err(error) = &answer {
            self.shop.log.tell(refused(error));
        }
        self.ended(How::Set, versions, began, held(&answer, false));
    }

    async fn write_through(&mut self, subject: Subject) {
        let source = &self.shop.source;
        let began = Moment::now();
        match subject.kind() {
            Kind::Guarded(n) => {
                let write = Write::new(source, vec![subject]);
                let ended = self.within_patience(rewrite_guarded(&write, n)).await;
                self.written(How::WriteThrough, began, &write, ended);
            }
            Kind::Item(n) | Kind::List(n) | Kind::Raw(n) | Kind::Quiet(n) => {
                let item = Subject::item(n);
                let mut write = Write::new(source, vec![item]);
                // A body that fails invalidates the entry and leaves the lists.
                write.fails = self.rng.u8(..) < 12;
                if !write.fails {
                    write.subjects.extend(Subject::lists());
                }
                let ended = self.within_patience(rewrite_item(&write, item.shelf(), n)).await;
                self.written(How::WriteThrough, began, &write, ended);
            }
        }
    }

    async fn write_and_invalidate(&mut self) {
        let source = &self.shop.source;
        let began = Moment::now();
        if self.rng.bool() {
            let group = self.rng.u16(0..GROUPS);
            let mut write = Write::new(source, in_group(group));
            write.subjects.extend(Subject::lists());
            let ended = self.within_patience(regroup(&write, group)).await;
            self.written(How::Writer, began, &write, ended);
        } else {
            let (shelf, one) = (self.rng.u16(0..SHELVES), self.rng.u16(0..2));
            let mut write = Write::new(source, on_shelf(shelf));
            write.subjects.push(Subject::list(one));
            let ended = self.within_patience(reshelve(&write, shelf, one)).await;
            self.written(How::Writer, began, &write, ended);
        }
    }

    /// One caller in ten goes away before the writer has ended.
    async fn within_patience<T>(&mut self, call: impl Future<Output = T>) -> Option<T> {
        if self.rng.u8(..) < 26 {
            timeout(Duration::from_micros(self.rng.u64(0..16_000)), call).await.ok()
        } else {
            Some(call.await)
        }
    }

    /// An annotated writer does not say whether its invalidations were confirmed.
    fn written(
        &self,
        how: How,
        began: Moment,
        write: &Write<'_>,
        ended: Option<Result<Row, Lost>>,
    ) {
        let versions = write.committed();
        match ended {
            Some(Err(Lost(why))) if !write.fails => {
                self.shop.log.tell(Record::Broken(format!("{how:?}: {why}")));
            }
            Some(_) => self.ended(how, versions, began, Held::Here),
            None => {
                self.shop.dropped.fetch_add(1, Ordering::Relaxed);
                self.ended(How::Dropped, versions, began, Held::Here);
            }
        }
    }

    fn ended(&self, how: How, versions: Vec<(Subject, u64)>, began: Moment, held: Held) {
        ended(self.shop, how, versions, began, held);
    }

    fn commit(&mut self, mut subjects: Vec<Subject>) -> Option<Vec<(Subject, u64)>> {
        subjects.sort_unstable();
        subjects.dedup();
        match self.shop.source.commit(subjects) {
            Ok(versions) => Some(versions),
            Err(Lost(why)) => {
                self.shop.log.tell(Record::Broken(format!("commit: {why}")));
                None
            }
        }
    }
}

/// Tells of a write whose invalidation has just ended.
pub(super) fn ended(
    shop: &Shop,
    how: How,
    versions: Vec<(Subject, u64)>,
    began: Moment,
    held: Held,
) {
    if versions.is_empty() {
        return;
    }
    shop.log.ended(|ended| {
        let wrote = Wrote { how, versions, began, ended, held };
        // Whoever goes away is told nothing of what becomes of the invalidation.
        if held == Held::Here && how != How::Dropped {
            shop.pending.lock().push(wrote.clone());
        }
        Record::Wrote(wrote)
    });
}

pub(super) fn held(answer: &larder::Result<()>, everywhere: bool) -> Held {
    match answer {
        Ok(()) if everywhere => Held::Everywhere,
        Ok(()) => Held::Shared,
        Err(_) => Held::Here,
    }
}

fn not_raw(subject: Subject) -> Subject {
    match subject.kind() {
        Kind::Raw(n) => Subject::item(n),
        _ => subject,
    }
}

fn on_shelf(shelf: u16) -> Vec<Subject> {
    Subject::items().filter(|item| item.shelf() == shelf).collect()
}

pub(super) fn in_group(group: u16) -> Vec<Subject> {
    Subject::items().chain(Subject::guarded()).filter(|subject| subject.group() == group).collect()
}
