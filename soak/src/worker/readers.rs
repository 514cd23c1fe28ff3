//! Tasks that read without an end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use tokio::{task::JoinSet, time::timeout};

use super::{
    Shop,
    cached::{
        guarded, guarded_strictly, item, item_strictly, item_sync, list, list_strictly, quiet,
    },
    source::Lost,
};
use crate::{
    clock::Moment,
    wire::{Outcome, Read, Record},
    world::{Kind, Reader, Row, Subject},
};

/// How many tasks read in each way.
const RELAXED: u64 = 3;
const STRICT: u64 = 4;
const SYNC: u64 = 1;

/// How long everybody prefers one subject.
const FOCUS: Duration = Duration::from_millis(250);

pub(super) fn start(shop: &Arc<Shop>, seed: u64, tasks: &mut JoinSet<()>) {
    for task in 0..RELAXED {
        let (shop, rng) = (Arc::clone(shop), Rng::with_seed(seed ^ task));
        tasks.spawn(async move { read_on(&shop, rng, Reader::Relaxed).await });
    }
    for task in 0..STRICT {
        let (shop, rng) = (Arc::clone(shop), Rng::with_seed(seed ^ (100 + task)));
        tasks.spawn(async move { read_on(&shop, rng, Reader::Strict).await });
    }
    for task in 0..SYNC {
        let (shop, rng) = (Arc::clone(shop), Rng::with_seed(seed ^ (200 + task)));
        tasks.spawn_blocking(move || read_on_sync(&shop, rng));
    }
}

/// Reads every subject by every reader.
pub(super) async fn read_all(shop: &Arc<Shop>) {
    for subject in Subject::all() {
        for &reader in subject.readers() {
            if reader == Reader::Sync {
                let shop = Arc::clone(shop);
                // It neither panics nor is it aborted.
                let _ = tokio::task::spawn_blocking(move || read_sync(&shop, subject)).await;
            } else {
                read(shop, subject, reader).await;
            }
        }
    }
}

async fn read_on(shop: &Shop, mut rng: Rng, reader: Reader) {
    while !shop.is_closed() {
        let subject = choose(&mut rng);
        if !subject.is_read_by(shop.process.worker) {
            tokio::task::yield_now().await;
            continue;
        }
        let reader = match (reader, subject.kind()) {
            (Reader::Strict, Kind::Raw(_)) => Reader::Get,
            (_, Kind::Quiet(_)) => Reader::Relaxed,
            _ => reader,
        };
        if rng.u8(..) < 12 {
            // A caller that goes away while it leads, or while it waits.
            let patience = Duration::from_micros(rng.u64(0..20_000));
            if timeout(patience, read(shop, subject, reader)).await.is_err() {
                shop.dropped.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            read(shop, subject, reader).await;
        }
        tokio::time::sleep(Duration::from_micros(rng.u64(0..2_000))).await;
    }
}

fn read_on_sync(shop: &Shop, mut rng: Rng) {
    while !shop.is_closed() {
        read_sync(shop, Subject::item(rng.u16(..)));
        std::thread::sleep(Duration::from_micros(rng.u64(0..4_000)));
    }
}

/// The one that everybody prefers now, or any.
pub(super) fn choose(rng: &mut Rng) -> Subject {
    if rng.bool() { focus() } else { numbered(rng.usize(..)) }
}

/// The one that everybody prefers now.
pub(super) fn focus() -> Subject {
    let turn = Moment::default().elapsed().as_millis() / FOCUS.as_millis();
    numbered(turn as usize)
}

fn numbered(number: usize) -> Subject {
    // There is at least one.
    Subject::all().nth(number % Subject::COUNT).unwrap_or_else(|| Subject::item(0))
}

async fn read(shop: &Shop, subject: Subject, reader: Reader) {
    let began = Moment::now();
    let source = &shop.source;
    let row = match (subject.kind(), reader) {
        (Kind::Raw(_), Reader::Get) => match shop.cache.get::<Row>(&subject.key()).await {
            Ok(Some(row)) => Ok(row),
            Ok(None) => return,
            Err(error) => return shop.log.tell(refused(&error)),
        },
        (Kind::Raw(_), _) => {
            let load = || source.row(subject);
            shop.cache.get_or_set(&subject.key(), load).tags([subject.tag()]).await
        }
        (Kind::Item(n), Reader::Strict) => item_strictly(source, subject.shelf(), n).await,
        (Kind::Item(n), _) => item(source, subject.shelf(), n).await,
        (Kind::Guarded(n), Reader::Strict) => guarded_strictly(source, n).await,
        (Kind::Guarded(n), _) => guarded(source, n).await,
        (Kind::List(n), Reader::Strict) => list_strictly(source, n).await,
        (Kind::List(n), _) => list(source, n).await,
        (Kind::Quiet(n), _) => quiet(source, n).await,
    };
    tell(shop, subject, reader, began, row);
}

fn read_sync(shop: &Shop, subject: Subject) {
    let began = Moment::now();
    if let Kind::Item(n) = subject.kind() {
        let row = item_sync(&shop.source, subject.shelf(), n);
        tell(shop, subject, Reader::Sync, began, row);
    }
}

/// An explicit operation says that it failed.
pub(super) fn refused(error: &larder::Error) -> Record {
    Record::Refused(format!("{:?}", error.kind()))
}

pub(super) fn tell(
    shop: &Shop,
    subject: Subject,
    reader: Reader,
    began: Moment,
    row: Result<Row, Lost>,
) {
    let outcome = match row {
        Ok(row) if row.is_of(subject) => Outcome::Version(row.version),
        Ok(row) => Outcome::Foreign(format!("{row:?}")),
        Err(Lost(why)) => Outcome::Failed(why),
    };
    let read = Read { subject, reader, began, ended: Moment::now(), outcome };
    shop.log.tell(Record::Read(read));
}
