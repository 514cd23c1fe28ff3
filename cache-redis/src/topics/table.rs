//! Who has subscribed to what, and what the server knows of it.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Weak},
};

use cache_store::{Error, Result, Subscriber};
use tokio::{sync::oneshot, task::AbortHandle};

use super::ended;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Channel,
    Pattern,
}

/// Told when the server has confirmed a subscription, or why it did not.
pub(super) type Confirmation = oneshot::Sender<Result<()>>;
pub(super) type Reached = Vec<Arc<dyn Subscriber>>;

#[derive(Default)]
pub(super) struct Table {
    channels: HashMap<String, Entry>,
    patterns: HashMap<String, Entry>,
    next: u64,
    /// The connection that is heard: what an earlier one still has to say does not count.
    number: u64,
    /// Why there is no connection, after an attempt.
    down: Option<Error>,
    keeper: Keeper,
    closed: bool,
}

#[derive(Default)]
enum Keeper {
    #[default]
    None,
    /// About to be spawned.
    Begun,
    Running(AbortHandle),
}

#[derive(Default)]
struct Entry {
    /// Whether it was asked for on this connection.
    asked: bool,
    confirmed: bool,
    /// Whether the server would not have it; it is asked again now and then.
    refused: bool,
    members: Vec<Member>,
}

struct Member {
    id: u64,
    who: Weak<dyn Subscriber>,
    /// Until the server has confirmed it once.
    waiting: Option<Confirmation>,
}

/// What the server has to be told.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) subscribe: Vec<(Kind, String)>,
    pub(super) unsubscribe: Vec<(Kind, String)>,
}

impl Changes {
    pub(super) const fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.unsubscribe.is_empty()
    }
}

impl Table {
    /// One more, and what tells that the server has confirmed it; `None` when it has already.
    pub(super) fn join(
        &mut self,
        kind: Kind,
        name: &str,
        who: Weak<dyn Subscriber>,
    ) -> Result<(u64, Option<oneshot::Receiver<Result<()>>>)> {
        if self.closed {
            return Err(ended());
        }
        if let Some(cause) = &self.down {
            // The keeper connects as soon as it can; whoever comes meanwhile does not wait for it.
            return Err(cause.clone());
        }
        let id = self.next;
        self.next += 1;
        let entry = self.of_mut(kind).entry(name.to_owned()).or_default();
        let (waiting, confirmed) = match entry.confirmed {
            true => (None, None),
            false => {
                let (told, confirmed) = oneshot::channel();
                (Some(told), Some(confirmed))
            }
        };
        if entry.refused {
            (entry.refused, entry.asked) = (false, false);
        }
        entry.members.push(Member { id, who, waiting });
        Ok((id, confirmed))
    }

    /// One less; whether nobody is left under this name.
    pub(super) fn leave(&mut self, kind: Kind, name: &str, id: u64) -> bool {
        let Some(entry) = self.of_mut(kind).get_mut(name) else { return false };
        entry.members.retain(|member| member.id != id);
        entry.members.is_empty()
    }

    /// What has changed since the server was told last, which counts as told from now on.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for (kind, entries) in
            [(Kind::Channel, &mut self.channels), (Kind::Pattern, &mut self.patterns)]
        {
            entries.retain(|name, entry| {
                if entry.members.is_empty() {
                    if entry.asked {
                        changes.unsubscribe.push((kind, name.clone()));
                    }
                    return false;
                }
                if !entry.asked {
                    entry.asked = true;
                    changes.subscribe.push((kind, name.clone()));
                }
                true
            });
        }
        changes
    }

    /// Whom a message is for.
    pub(super) fn members(&self, number: u64, kind: Kind, name: &str) -> Reached {
        if number != self.number {
            return Vec::new();
        }
        let members = self.of(kind).get(name).map(|entry| &entry.members);
        members.into_iter().flatten().filter_map(|member| member.who.upgrade()).collect()
    }

    /// The server has confirmed this name: those who wait for that, and those who had it before the connection was lost.
    pub(super) fn confirm(
        &mut self,
        number: u64,
        kind: Kind,
        name: &str,
    ) -> (Vec<Confirmation>, Reached) {
        let mut told = (Vec::new(), Vec::new());
        if number != self.number {
            return told;
        }
        if let Some(entry) = self.of_mut(kind).get_mut(name) {
            entry.confirmed = true;
            for member in &mut entry.members {
                match member.waiting.take() {
                    Some(waiting) => told.0.push(waiting),
                    None => told.1.extend(member.who.upgrade()),
                }
            }
        }
        told
    }

    /// The server will not have this name: those who wait for it are told, and whoever had it before waits for better times.
    pub(super) fn refuse(&mut self, kind: Kind, name: &str) -> Vec<Confirmation> {
        let Some(entry) = self.of_mut(kind).get_mut(name) else { return Vec::new() };
        let waiting = entry.take_waiting();
        entry.refused = true;
        if entry.members.is_empty() {
            self.of_mut(kind).remove(name);
        }
        waiting
    }

    /// What was refused is asked for once more.
    pub(super) fn retry_refused(&mut self) {
        for entry in self.channels.values_mut().chain(self.patterns.values_mut()) {
            if entry.refused {
                (entry.refused, entry.asked) = (false, false);
            }
        }
    }

    /// The number of a connection that is about to be made.
    pub(super) fn begin(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// There is a connection.
    pub(super) fn up(&mut self) {
        self.down = None;
    }

    /// The connection is gone, or there was none: who still waits is told, and nothing counts as asked for.
    pub(super) fn lost(&mut self, cause: Error) -> Vec<Confirmation> {
        self.number += 1;
        self.down = Some(cause);
        let mut waiting = Vec::new();
        for entry in self.channels.values_mut().chain(self.patterns.values_mut()) {
            (entry.asked, entry.confirmed, entry.refused) = (false, false, false);
            waiting.extend(entry.take_waiting());
        }
        self.forget_empty();
        waiting
    }

    /// Whether nobody is left, so that the keeper ends.
    pub(super) fn rests(&mut self) -> bool {
        self.forget_empty();
        let rests = self.channels.is_empty() && self.patterns.is_empty();
        if rests {
            self.number += 1;
            self.down = None;
            self.keeper = Keeper::None;
        }
        rests
    }

    /// Whether a keeper has to be spawned, by whoever asks.
    pub(super) fn begin_keeper(&mut self) -> bool {
        let begins = !self.closed && matches!(self.keeper, Keeper::None);
        if begins {
            self.keeper = Keeper::Begun;
        }
        begins
    }

    pub(super) fn keep(&mut self, keeper: AbortHandle) {
        if self.closed {
            keeper.abort();
        } else if matches!(self.keeper, Keeper::Begun) {
            self.keeper = Keeper::Running(keeper);
        }
    }

    /// The keeper was ended from outside, and with it everything.
    pub(super) fn ended(&mut self) -> (Vec<Confirmation>, Reached) {
        self.number += 1;
        self.keeper = Keeper::None;
        let mut told = (Vec::new(), Vec::new());
        for entries in [&mut self.channels, &mut self.patterns] {
            for (_, entry) in mem::take(entries) {
                for member in entry.members {
                    told.0.extend(member.waiting);
                    told.1.extend(member.who.upgrade());
                }
            }
        }
        told
    }

    /// Nothing begins any more.
    pub(super) fn close(&mut self) -> Option<AbortHandle> {
        self.closed = true;
        match mem::take(&mut self.keeper) {
            Keeper::Running(keeper) => Some(keeper),
            Keeper::None | Keeper::Begun => None,
        }
    }

    fn forget_empty(&mut self) {
        for entries in [&mut self.channels, &mut self.patterns] {
            entries.retain(|_, entry| entry.asked || !entry.members.is_empty());
        }
    }

    fn of(&self, kind: Kind) -> &HashMap<String, Entry> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut HashMap<String, Entry> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}

impl Entry {
    /// Those who wait are members no longer.
    fn take_waiting(&mut self) -> Vec<Confirmation> {
        let mut waiting = Vec::new();
        self.members.retain_mut(|member| match member.waiting.take() {
            Some(one) => {
                waiting.push(one);
                false
            }
            None => true,
        });
        waiting
    }
}

#[cfg(test)]
mod tests {
    use cache_store::{Delivery, ErrorKind};

    use super::*;

    struct Nobody;

    impl Subscriber for Nobody {
        fn receive(&self, _: Delivery<'_>) {}
    }

    fn away() -> Error {
        Error::new(ErrorKind::Unavailable, "away")
    }

    #[test]
    fn what_an_earlier_connection_still_has_to_say_does_not_count() {
        let who: Arc<dyn Subscriber> = Arc::new(Nobody);
        let mut table = Table::default();
        let (_, waiting) = table.join(Kind::Channel, "a", Arc::downgrade(&who)).unwrap();
        assert!(waiting.is_some());
        let first = table.begin();
        table.take_changes();
        assert_eq!(table.confirm(first, Kind::Channel, "a").0.len(), 1);
        assert_eq!(table.members(first, Kind::Channel, "a").len(), 1);
        table.lost(away());
        assert!(table.members(first, Kind::Channel, "a").is_empty());
        let second = table.begin();
        assert!(table.members(first, Kind::Channel, "a").is_empty());
        assert!(table.confirm(first, Kind::Channel, "a").1.is_empty());
        assert_eq!(table.confirm(second, Kind::Channel, "a").1.len(), 1);
        assert_eq!(table.members(second, Kind::Channel, "a").len(), 1);
    }

    #[test]
    fn the_server_is_told_what_has_changed_and_all_of_it_on_a_new_connection() {
        let who: Arc<dyn Subscriber> = Arc::new(Nobody);
        let mut table = Table::default();
        let join = |table: &mut Table, kind, name: &str| {
            table.join(kind, name, Arc::downgrade(&who)).unwrap().0
        };
        let one = join(&mut table, Kind::Channel, "a");
        let other = join(&mut table, Kind::Channel, "a");
        join(&mut table, Kind::Pattern, "a");
        let both = [(Kind::Channel, "a".to_owned()), (Kind::Pattern, "a".to_owned())];
        let number = table.begin();
        assert_eq!(table.take_changes().subscribe, both);
        assert!(table.take_changes().is_empty());
        both.iter().for_each(|(kind, name)| drop(table.confirm(number, *kind, name)));
        assert!(!table.leave(Kind::Channel, "a", one));
        assert!(table.take_changes().is_empty());
        assert!(table.leave(Kind::Channel, "a", other));
        let changes = table.take_changes();
        assert_eq!((changes.unsubscribe.as_slice(), changes.subscribe.len()), (&both[..1], 0));
        table.lost(away());
        assert_eq!(table.take_changes().subscribe, both[1..]);
        assert!(!table.rests());
    }

    #[test]
    fn what_was_refused_is_asked_for_again_by_whoever_comes_and_now_and_then() {
        let who: Arc<dyn Subscriber> = Arc::new(Nobody);
        let mut table = Table::default();
        let number = table.begin();
        let join =
            |table: &mut Table| table.join(Kind::Channel, "a", Arc::downgrade(&who)).unwrap();
        join(&mut table);
        table.take_changes();
        table.confirm(number, Kind::Channel, "a");
        table.lost(away());
        table.up();
        assert_eq!(table.take_changes().subscribe.len(), 1);
        table.refuse(Kind::Channel, "a");
        assert!(table.take_changes().is_empty(), "not at once");
        let (_, waiting) = join(&mut table);
        assert!(waiting.is_some());
        assert_eq!(table.take_changes().subscribe.len(), 1);
        assert_eq!(table.refuse(Kind::Channel, "a").len(), 1);
        table.retry_refused();
        assert_eq!(table.take_changes().subscribe.len(), 1);
    }

    #[test]
    fn while_the_server_is_away_nobody_waits_for_it() {
        let who: Arc<dyn Subscriber> = Arc::new(Nobody);
        let mut table = Table::default();
        table.join(Kind::Channel, "a", Arc::downgrade(&who)).unwrap();
        assert_eq!(table.lost(away()).len(), 1);
        let refused = table.join(Kind::Channel, "b", Arc::downgrade(&who)).err();
        assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::Unavailable));
        // Once nobody is left, whoever comes is a reason to try.
        assert!(table.rests());
        assert!(table.join(Kind::Channel, "b", Arc::downgrade(&who)).is_ok());
    }
}
