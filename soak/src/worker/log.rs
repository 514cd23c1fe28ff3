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
    wire::{self, Batch, Order, Record, Tally},
};

/// How often the coordinator is told.
const PACE: Duration = Duration::from_millis(20);

/// Records in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Record>>);

impl Log {
    pub(crate) fn tell(&self, record: Record) {
        self.lock().push(record);
    }

    /// Tells something that ended just now. The time is taken where no batch can be closed between it and the record, so
    /// that a batch's `until` is true.
    pub(crate) fn ended(&self, record: impl FnOnce(Moment) -> Record) {
        self.all_ended(|now| [record(now)]);
    }

    pub(crate) fn all_ended<I: IntoIterator<Item = Record>>(&self, all: impl FnOnce(Moment) -> I) {
        let mut records = self.lock();
        let all = all(Moment::now());
        records.extend(all);
    }

    fn take(&self) -> (Vec<Record>, Moment) {
        let mut records = self.lock();
        (std::mem::take(&mut *records), Moment::now())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
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
            let (records, until) = log.take();
            if wire::send(&mut to, &Batch { records, until, tally }).is_err() {
                std::process::exit(0);
            }
        }
    });
    Ok(receiver)
}
