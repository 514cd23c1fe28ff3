//! What this worker did, on its way to the coordinator.

use std::{
    io,
    net::TcpStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{
    clock::Moment,
    wire::{self, Batch, Call, Order, Record, Tally},
};

/// How often the coordinator is told.
const PACE: Duration = Duration::from_millis(20);

/// Records in the order in which they were made, and calls that were timed.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    records: Vec<Record>,
    calls: Vec<Call>,
    is_live: bool,
}

impl Log {
    pub(crate) fn tell(&self, record: Record) {
        self.lock().records.push(record);
    }

    /// Tells what a caller felt.
    pub(crate) fn timed(&self, call: Call) {
        self.lock().calls.push(call);
    }

    /// Tells whether the cache hears of others' changes.
    pub(crate) fn lives(&self, is_live: bool) {
        self.lock().is_live = is_live;
    }

    /// Tells something that ended just now. The time is taken where no batch can be closed between it and the record, so
    /// that a batch's `until` is true.
    pub(crate) fn ended(&self, record: impl FnOnce(Moment) -> Record) {
        self.all_ended(|now| [record(now)]);
    }

    pub(crate) fn all_ended<I: IntoIterator<Item = Record>>(&self, all: impl FnOnce(Moment) -> I) {
        let mut told = self.lock();
        let all = all(Moment::now());
        told.records.extend(all);
    }

    fn take(&self, tally: Tally) -> Batch {
        let mut told = self.lock();
        Batch {
            records: std::mem::take(&mut told.records),
            calls: std::mem::take(&mut told.calls),
            is_live: told.is_live,
            until: Moment::now(),
            tally,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the records from now on, and passes on what the coordinator orders. The process ends with the connection.
pub(crate) fn report(
    stream: TcpStream,
    log: Arc<Log>,
    tally: impl Fn() -> Tally + Send + 'static,
) -> io::Result<mpsc::UnboundedReceiver<Order>> {
    let (orders, receiver) = mpsc::unbounded_channel();
    let mut from = stream.try_clone()?;
    thread::spawn(move || {
        while let Ok(order) = wire::receive(&mut from) {
            if orders.send(order).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    let mut to = stream;
    thread::spawn(move || {
        loop {
            thread::sleep(PACE);
            let tally = tally();
            if wire::send(&mut to, &log.take(tally)).is_err() {
                std::process::exit(0);
            }
        }
    });
    Ok(receiver)
}
