//! Transactions: what they invalidate waits for the commit, and what they see is never stored.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[macro_use]
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "transactions/commit.rs"]
mod commit;
#[path = "transactions/ends.rs"]
mod ends;
#[path = "transactions/outages.rs"]
mod outages;
#[path = "transactions/queries.rs"]
mod queries;
#[path = "transactions/reads.rs"]
mod reads;
#[path = "transactions/writes.rs"]
mod writes;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use larder::{Cache, cache_aside, cache_invalidate, write_through};
use places::Place;

#[derive(Clone, Debug, PartialEq)]
struct Failed;

/// A database of one row, seen through a connection. Its clones are the same database.
#[derive(Clone)]
struct Db {
    cache: Cache,
    row: Arc<Mutex<Row>>,
    loads: Arc<AtomicUsize>,
    /// This connection is in the transaction.
    inside: bool,
}

#[derive(Default)]
struct Row {
    committed: u64,
    uncommitted: Option<u64>,
}

impl Db {
    async fn at(place: &Place, value: u64) -> Self {
        Self::with(place.cache().await, value)
    }

    fn with(cache: Cache, value: u64) -> Self {
        let row = Arc::new(Mutex::new(Row { committed: value, uncommitted: None }));
        Self { cache, row, loads: Arc::default(), inside: false }
    }

    /// The connection of a transaction.
    fn inside(&self) -> Self {
        Self { inside: true, ..self.clone() }
    }

    /// The same database as another process sees it.
    async fn elsewhere(&self, place: &Place) -> Self {
        match place {
            // There is no other process.
            Place::Memory => self.clone(),
            _ => Self { cache: place.cache().await, ..self.clone() },
        }
    }

    fn read(&self) -> u64 {
        self.loads.fetch_add(1, SeqCst);
        let row = self.row.lock().unwrap();
        row.uncommitted.filter(|_| self.inside).unwrap_or(row.committed)
    }

    fn write(&self, value: u64) {
        self.row.lock().unwrap().uncommitted = Some(value);
    }

    fn commit(&self) -> Result<(), Failed> {
        let mut row = self.row.lock().unwrap();
        row.committed = row.uncommitted.take().unwrap_or(row.committed);
        Ok(())
    }

    fn rollback(&self) {
        self.row.lock().unwrap().uncommitted = None;
    }

    fn loads(&self) -> usize {
        self.loads.load(SeqCst)
    }

    /// What is stored, whoever asks.
    async fn stored(&self) -> Option<u64> {
        price_entry(self, 1).get().await.unwrap()
    }

    /// Stored under the key by a read.
    async fn warm(&self) -> u64 {
        let read = price(self, 1).await;
        assert_eq!(self.stored().await, Some(read), "it is stored");
        read
    }
}

#[cache_aside(key = "price:{id}", ttl = "5m", tags = ["table:prices"], cache = db.cache, skip(db))]
async fn price(db: &Db, id: u64) -> u64 {
    db.read()
}

#[cache_aside(key = "price:{id}", ttl = "5m", tags = ["table:prices"], cache = db.cache, skip(db))]
fn price_sync(db: &Db, id: u64) -> u64 {
    db.read()
}

#[cache_aside(key = "list:{page}", ttl = "5m", cache = db.cache, skip(db))]
async fn list(db: &Db, page: u64) -> Vec<u64> {
    vec![db.read()]
}

#[write_through(entry = price(db, id), invalidates = [list(db, *)])]
async fn set_price(db: &Db, id: u64, value: u64) -> u64 {
    db.write(value);
    value
}

#[write_through(entry = price(db, id))]
fn set_price_sync(db: &Db, id: u64, value: u64) -> u64 {
    db.write(value);
    value
}

#[cache_invalidate(invalidates = [price(db, id)])]
async fn touch_price(db: &Db, id: u64, value: u64) -> Result<(), Failed> {
    db.write(value);
    if value == 0 { Err(Failed) } else { Ok(()) }
}
