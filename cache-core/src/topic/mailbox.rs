//! The bounded buffer between whoever hands messages over and one subscriber.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use cache_store::{Delivery, Feed, Subscriber};
use cache_template::Glob;

use crate::{
    engine::Engine,
    stats::{Counter, Counters},
    value::Erased,
};

/// What a message takes beside its bytes, about.
const EACH: usize = 64;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 1024, bytes: 16 << 20 }
    }
}

pub(super) struct Mailbox {
    /// Of whoever has subscribed to a pattern: a store may hand over more than what matches it.
    glob: Option<Glob>,
    bounds: Bounds,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Two gaps are never beside each other.
    items: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    /// Messages that were dropped since the subscriber was told last.
    lost: u64,
    waker: Option<Waker>,
    ended: bool,
    /// Where messages come from; dropping it ends that.
    feed: Option<Feed>,
}

enum Item {
    Message(Raw),
    Gap,
}

/// A message as it came.
pub(super) struct Raw {
    pub(super) topic: Arc<str>,
    pub(super) payload: Payload,
}

pub(super) enum Payload {
    Bytes(Arc<[u8]>),
    /// Of a publisher in this process: what it is and a version of it, and the value itself.
    Value {
        fingerprint: u64,
        value: Erased,
    },
}

/// What is next.
pub(super) enum Taken {
    Message(Raw),
    Gap,
    Lost(u64),
}

/// What has to be done once no lock is held any more.
#[must_use]
#[derive(Default)]
pub(super) struct Put {
    waker: Option<Waker>,
    dropped: Vec<Raw>,
}

impl Put {
    pub(super) fn settle(self) {
        drop(self.dropped);
        if let Some(waker) = self.waker {
            waker.wake();
        }
    }
}

impl Mailbox {
    pub(super) fn new(engine: &Engine, glob: Option<Glob>, bounds: Bounds) -> Arc<Self> {
        let counters = Arc::clone(&engine.counters);
        Arc::new(Self { glob, bounds, counters, state: Mutex::default() })
    }

    /// Whether messages of this topic are for this one.
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.matches(topic))
    }

    /// From here on messages come from there.
    pub(super) fn fill_from(&self, feed: Feed) {
        let refused = {
            let mut state = self.lock();
            match state.ended {
                true => Some(feed),
                false => state.feed.replace(feed),
            }
        };
        // Ended elsewhere: not under the lock.
        drop(refused);
    }

    /// One more message, and the oldest ones dropped for which there is no room any more.
    pub(super) fn put(&self, topic: Arc<str>, payload: Payload) -> Put {
        let mut put = Put::default();
        let mut state = self.lock();
        if state.ended {
            put.dropped.push(Raw { topic, payload });
            return put;
        }
        let raw = Raw { topic, payload };
        state.messages += 1;
        state.bytes += raw.size();
        state.items.push_back(Item::Message(raw));
        while state.messages > 1
            && (state.messages > self.bounds.messages || state.bytes > self.bounds.bytes)
        {
            put.dropped.extend(state.drop_oldest());
        }
        let lost = put.dropped.len() as u64;
        state.lost += lost;
        put.waker = state.waker.take();
        drop(state);
        if lost > 0 {
            self.counters.add(Counter::MessagesLost, lost);
        }
        put
    }

    /// No message comes any more. What has come can still be read.
    pub(super) fn end(&self) {
        let (feed, waker) = {
            let mut state = self.lock();
            state.ended = true;
            (state.feed.take(), state.waker.take())
        };
        drop(feed);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What is next, or who is to be woken when there is something; `None` after the end.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Taken>> {
        let mut state = self.lock();
        match state.take() {
            Some(taken) => Poll::Ready(Some(taken)),
            None if state.ended => Poll::Ready(None),
            None => {
                let before = state.waker.replace(context.waker().clone());
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }

    fn put_gap(&self) {
        let waker = {
            let mut state = self.lock();
            if state.ended || matches!(state.items.back(), Some(Item::Gap)) {
                return;
            }
            state.items.push_back(Item::Gap);
            state.waker.take()
        };
        self.counters.count(Counter::TopicGaps);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Taken> {
        if self.lost > 0 {
            return Some(Taken::Lost(std::mem::take(&mut self.lost)));
        }
        Some(match self.items.pop_front()? {
            Item::Gap => Taken::Gap,
            Item::Message(raw) => {
                self.forget(&raw);
                Taken::Message(raw)
            }
        })
    }

    /// The oldest message. A gap in front of it stays, for what follows comes after it as well.
    fn drop_oldest(&mut self) -> Option<Raw> {
        let at = usize::from(matches!(self.items.front(), Some(Item::Gap)));
        let Some(Item::Message(raw)) = self.items.remove(at) else { return None };
        self.forget(&raw);
        if at == 1 && matches!(self.items.get(1), Some(Item::Gap)) {
            self.items.pop_front();
        }
        Some(raw)
    }

    fn forget(&mut self, raw: &Raw) {
        self.messages -= 1;
        self.bytes -= raw.size();
    }
}

impl Raw {
    fn size(&self) -> usize {
        let bytes = match &self.payload {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Value { .. } => 0,
        };
        EACH + self.topic.len() + bytes
    }
}

impl Subscriber for Mailbox {
    fn receive(&self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Message { topic, bytes } if self.wants(topic) => {
                self.put(topic.into(), Payload::Bytes(Arc::clone(bytes))).settle();
            }
            Delivery::Message { .. } => {}
            Delivery::Gap => self.put_gap(),
            Delivery::Ended => self.end(),
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
