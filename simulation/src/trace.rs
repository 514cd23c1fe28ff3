//! What happened, for people to read and for two runs to be compared.

use std::{collections::VecDeque, fmt, sync::Mutex};

use tokio::time::Instant;

use crate::lock;

/// The events of one simulation.
pub(crate) struct Trace {
    start: Instant,
    events: Mutex<Events>,
}

struct Events {
    hash: u64,
    count: u64,
    last: VecDeque<String>,
    keep: usize,
    /// What the oracle objects to. The events end with it.
    violation: Option<String>,
}

impl Trace {
    /// Keeps the last `keep` events, besides a hash of all of them.
    pub(crate) fn new(keep: usize) -> Self {
        let events =
            Events { hash: FNV_OFFSET, count: 0, last: VecDeque::new(), keep, violation: None };
        Self { start: Instant::now(), events: Mutex::new(events) }
    }

    /// Notes what `who` did. Nothing in it may differ between two runs: no nonce, no address, no real time.
    pub(crate) fn note(&self, who: impl fmt::Display, what: fmt::Arguments<'_>) {
        let line = format!("{:>6} ms  {who:<7} {what}", self.start.elapsed().as_millis());
        let mut events = lock(&self.events);
        if events.violation.is_none() {
            events.push(line);
        }
    }

    /// Notes what must not be.
    pub(crate) fn object(&self, what: String) {
        let mut events = lock(&self.events);
        events.violation.get_or_insert(what);
    }

    pub(crate) fn is_over(&self) -> bool {
        lock(&self.events).violation.is_some()
    }

    /// Milliseconds since the start.
    pub(crate) fn millis(&self, at: Instant) -> u128 {
        at.duration_since(self.start).as_millis()
    }

    /// The hash and the number of all events, the last of them, and the violation.
    pub(crate) fn end(&self) -> (u64, u64, Vec<String>, Option<String>) {
        let events = &mut *lock(&self.events);
        let last = std::mem::take(&mut events.last).into();
        (events.hash, events.count, last, events.violation.take())
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl Events {
    fn push(&mut self, line: String) {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        self.hash = line.bytes().fold(self.hash, mix);
        self.count += 1;
        self.last.push_back(line);
        if self.last.len() > self.keep {
            self.last.pop_front();
        }
    }
}
