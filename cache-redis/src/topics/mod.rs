//! Messages between processes: Redis's own `PUBLISH` and `SUBSCRIBE` (<https://redis.io/docs/latest/develop/pubsub/>).
//!
//! Publishing is a request like others. All subscriptions of a store share one more connection, which there is from the first
//! of them until the last has ended (`keeper`); `table` knows who has subscribed to what. In a cluster any node will do: each
//! passes on to all others what is published at it.

mod keeper;
mod table;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use cache_store::{Delivery, Error, ErrorKind, Feed, Result, Subscriber, Topics};
use cache_template::Glob;
use redis::{PushInfo, PushKind, Value};
use tokio::{runtime::Handle, sync::Notify, time::timeout};

use self::table::{Kind, Table};
use crate::{RedisStore, batch::Batch, dial::Dialer, error, names::Names, reply::Replies};

/// The subscriptions of one store. Nothing is connected before there is one.
pub(crate) struct Subscriptions(Arc<Shared>);

struct Shared {
    names: Names,
    dialer: Dialer,
    deadline: Duration,
    runtime: Handle,
    table: Mutex<Table>,
    /// There is something for the keeper to do.
    changed: Notify,
}

impl RedisStore {
    pub(crate) async fn publish_message(&self, topic: &str, message: &[u8]) -> Result<Option<u64>> {
        let channel = self.names.topic(topic);
        let mut command = redis::cmd("PUBLISH");
        command.arg(&channel).arg(message);
        let reached = self.send(&Batch::new(channel).with(command)).await?.next_int()?;
        // A cluster's node counts its own.
        Ok(u64::try_from(reached).ok().filter(|_| self.link.is_one_server()))
    }

    pub(crate) async fn subscribe_to(
        &self,
        topics: Topics<'_>,
        subscriber: Weak<dyn Subscriber>,
    ) -> Result<Feed> {
        self.subscriptions.0.subscribe(topics, subscriber).await
    }
}

impl Subscriptions {
    pub(crate) fn new(names: Names, dialer: Dialer, deadline: Duration, runtime: Handle) -> Self {
        let (table, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { names, dialer, deadline, runtime, table, changed }))
    }

    /// Ends them all, and the connection.
    pub(crate) fn close(&self) {
        let keeper = self.0.table().close();
        if let Some(keeper) = keeper {
            keeper.abort();
        }
    }
}

impl Shared {
    async fn subscribe(
        self: &Arc<Self>,
        topics: Topics<'_>,
        who: Weak<dyn Subscriber>,
    ) -> Result<Feed> {
        if !self.dialer.target.is_pushed_to() {
            return Err(needs_resp3());
        }
        let (kind, name) = match topics {
            Topics::One(topic) => (Kind::Channel, self.names.topic(topic)),
            Topics::Matching(glob) => {
                let glob = Glob::parse(glob)
                    .map_err(|cause| Error::new(ErrorKind::Template, cause.to_string()))?;
                (Kind::Pattern, self.names.topics_matching(&glob))
            }
        };
        let (id, confirmed) = self.table().join(kind, &name, who)?;
        let feed = self.feed(kind, name, id);
        let Some(confirmed) = confirmed else { return Ok(feed) };
        self.ensure_keeper();
        self.changed.notify_one();
        match timeout(self.dialer.connect_timeout + self.deadline, confirmed).await {
            Ok(Ok(outcome)) => outcome.map(|()| feed),
            Ok(Err(_)) => Err(ended()),
            Err(_) => {
                let message = format!("{}: the subscription was not confirmed", self.dialer.target);
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    fn feed(self: &Arc<Self>, kind: Kind, name: String, id: u64) -> Feed {
        let shared = Arc::downgrade(self);
        Feed::new(move || {
            if let Some(shared) = shared.upgrade()
                && shared.table().leave(kind, &name, id)
            {
                shared.changed.notify_one();
            }
        })
    }

    /// Called with every push, in their order, from the task that reads the connection of this number.
    fn hear(&self, number: u64, push: &PushInfo) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Message, [channel, message]) => {
                self.hand_over(number, Kind::Channel, channel, channel, message);
            }
            (PushKind::PMessage, [pattern, channel, message]) => {
                self.hand_over(number, Kind::Pattern, pattern, channel, message);
            }
            (PushKind::Subscribe, [name, ..]) => self.confirm(number, Kind::Channel, name),
            (PushKind::PSubscribe, [name, ..]) => self.confirm(number, Kind::Pattern, name),
            _ => {}
        }
    }

    fn hand_over(&self, number: u64, kind: Kind, name: &Value, channel: &Value, message: &Value) {
        let (Some(name), Some(channel)) = (text(name), text(channel)) else { return };
        let (Some(topic), Value::BulkString(message)) = (self.names.topic_of(channel), message)
        else {
            return;
        };
        let reached = self.table().members(number, kind, name);
        if reached.is_empty() {
            return;
        }
        let bytes = Arc::from(message.as_slice());
        reached.iter().for_each(|one| one.receive(Delivery::Message { topic, bytes: &bytes }));
    }

    /// From here on the server hands over what is published. Those who had subscribed before the connection are told that
    /// something may be missing.
    fn confirm(&self, number: u64, kind: Kind, name: &Value) {
        let Some(name) = text(name) else { return };
        let (waiting, others) = self.table().confirm(number, kind, name);
        others.iter().for_each(|one| one.receive(Delivery::Gap));
        for one in waiting {
            // Nobody waits any more where this fails.
            let _ = one.send(Ok(()));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is locked.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed, or its runtime has ended")
}

fn needs_resp3() -> Error {
    let message =
        "subscriptions need RESP3, which the Redis URL rules out: take `protocol=resp2` out of it";
    Error::new(ErrorKind::Unsupported, message)
}

/// What the server said to each command, as an error where it is one.
fn answers(replies: Vec<Value>) -> Vec<Result<()>> {
    let count = replies.len();
    let mut replies = Replies::new(replies);
    (0..count).map(|_| replies.next().map(|_| ())).collect()
}

/// Whether the server says that it is a master.
fn is_master(replies: Vec<Value>) -> Result<()> {
    let role = Replies::new(replies).next_list()?.next_bytes()?;
    match role.as_deref() {
        Some(b"master") => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Unavailable, "the server is no master any more")),
        None => Err(error::unexpected("a server without a role")),
    }
}
