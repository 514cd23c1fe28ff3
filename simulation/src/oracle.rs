//! What a read may return.
//!
//! The source counts versions. An invalidation sets a *floor*: the version that was current when the invalidation began,
//! or took effect. From then on nothing older may be returned to a read that begins later, at once or after a time:
//!
//! | floor | set by | holds for |
//! |---|---|---|
//! | shared | an invalidation that took effect in the shared tier, or was answered `Ok` | reads that ask the shared tier: at once; all others: after the coherence bound |
//! | local | an invalidation that ended in this process, in any way | reads of this process, at once |
//! | everywhere | `.everywhere()` answered `Ok` | every read, at once |
//! | heard | news of an invalidation that this process was told | what stands in |
//!
//! What stands in is held to the local floor and to what was heard, up to the moment at which it is given: a value of which
//! nobody knows whether it is current may stand in, one that is known not to be may not (`even_invalidated` apart). Where it
//! cannot be seen whether a value stood in (the caller waited for the body of another one), either promise will do.
//!
//! Functions with `layer = "memory"` know the local floor only. A shared tier that went back to an earlier state takes all
//! floors back that were set since, until those who made them have repeated them; and local ones which it confirmed since.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use crate::{
    BOUND,
    cover::Reached,
    lock,
    source::{GROUPS, ITEMS, Item, Source, Versions, group},
    trace::Trace,
};

/// A place in the order of all events, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) number: u64,
    pub(crate) at: Instant,
    /// How often the shared tier had gone back.
    rewinds: u64,
}

/// What a function promises of its reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It asked the shared tier.
    Strict,
    /// It is at most the bound behind.
    Bounded,
    /// It knows of this process only.
    Own,
    /// It gives nothing that this process knows to be invalidated, when it gives it.
    Known,
    /// It is a value of the key.
    Nothing,
}

/// A read that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) process: u32,
    pub(crate) item: Item,
    pub(crate) by: &'static str,
    pub(crate) promise: Promise,
    /// What is enough as well, where a value may have stood in.
    pub(crate) instead: Option<Promise>,
    pub(crate) began: Stamp,
}

pub(crate) struct Oracle {
    source: Arc<Source>,
    trace: Arc<Trace>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    number: u64,
    rewinds: u64,
    shared: [Floors; ITEMS],
    everywhere: [Floors; ITEMS],
    local: BTreeMap<u32, [Floors; ITEMS]>,
    heard: BTreeMap<u32, [Floors; ITEMS]>,
    orders: Vec<Order>,
}

/// An invalidation of a whole key that a process owes from now on, for as long as it lives.
struct Order {
    process: u32,
    item: Item,
    version: u64,
}

/// The floor of all values of a key, and of those of each learned tag.
#[derive(Clone, Default)]
struct Floors {
    whole: Floor,
    groups: [Floor; GROUPS],
}

/// A floor that only rises.
#[derive(Clone, Default)]
struct Floor(Vec<Mark>);

#[derive(Clone, Copy)]
struct Mark {
    version: u64,
    stamp: Stamp,
}

impl Floor {
    fn raise(&mut self, version: u64, stamp: Stamp) {
        if self.0.last().is_none_or(|last| last.version < version) {
            self.0.push(Mark { version, stamp });
        }
    }

    /// The last mark for which `counts` holds; they are in order.
    fn last(&self, counts: impl Fn(&Stamp) -> bool) -> Option<Mark> {
        self.0.iter().rev().find(|mark| counts(&mark.stamp)).copied()
    }

    fn forget_after(&mut self, number: u64) {
        self.0.retain(|mark| mark.stamp.number <= number);
    }
}

impl Floors {
    fn raise(&mut self, group: Option<usize>, version: u64, stamp: Stamp) {
        group.map_or(&mut self.whole, |group| &mut self.groups[group]).raise(version, stamp);
    }

    fn forget_after(&mut self, number: u64) {
        self.whole.forget_after(number);
        self.groups.iter_mut().for_each(|floor| floor.forget_after(number));
    }

    /// Forgets what these floors do not hold as well: a process vouches for that by refusing what is not confirmed, until
    /// it is; and if that was since undone, it has to hear so before it can repeat it.
    fn forget_above(&mut self, shared: &Self) {
        let top = |floor: &Floor| floor.0.last().map_or(0, |mark| mark.version);
        let whole = top(&shared.whole);
        self.whole.0.retain(|mark| mark.version <= whole);
        for (floor, shared) in self.groups.iter_mut().zip(&shared.groups) {
            let most = whole.max(top(shared));
            floor.0.retain(|mark| mark.version <= most);
        }
    }

    /// What forbids this version.
    fn above(&self, version: u64, counts: impl Fn(&Stamp) -> bool) -> Option<Mark> {
        let floors = [&self.whole, &self.groups[group(version)]];
        floors
            .into_iter()
            .find_map(|floor| floor.last(&counts).filter(|mark| mark.version > version))
    }
}

impl Oracle {
    pub(crate) fn new(source: Arc<Source>, trace: Arc<Trace>) -> Self {
        Self { source, trace, state: Mutex::default() }
    }

    /// Now.
    pub(crate) fn stamp(&self) -> Stamp {
        lock(&self.state).stamp()
    }

    /// An invalidation took effect in the shared tier; the source was at `versions` shortly before. Nothing that was
    /// loaded before counts any more.
    pub(crate) fn took_effect(&self, reached: &[Reached], versions: &Versions, sent: Stamp) {
        self.raise(sent, |state, stamp| {
            for Reached { item, group } in reached {
                state.shared[item.index()].raise(*group, versions[item.index()], stamp);
            }
        });
    }

    /// An invalidation that began with the source at `versions` was confirmed.
    pub(crate) fn confirmed(&self, reached: &[Reached], versions: &Versions, began: Stamp) {
        self.took_effect(reached, versions, began);
    }

    /// And nobody has anything older any more.
    pub(crate) fn holds_everywhere(&self, reached: &[Reached], versions: &Versions, began: Stamp) {
        self.raise(began, |state, stamp| {
            for Reached { item, group } in reached {
                state.everywhere[item.index()].raise(*group, versions[item.index()], stamp);
            }
        });
    }

    /// An invalidation ended in this process, well or not.
    pub(crate) fn holds_in(
        &self,
        process: u32,
        reached: &[Reached],
        versions: &Versions,
        began: Stamp,
    ) {
        self.raise(began, |state, stamp| {
            let local = state.local.entry(process).or_default();
            for Reached { item, group } in reached {
                local[item.index()].raise(*group, versions[item.index()], stamp);
            }
        });
    }

    /// The process was told of an invalidation that took effect with the source at `versions`.
    pub(crate) fn heard(
        &self,
        process: u32,
        reached: &[Reached],
        versions: &Versions,
        told: Stamp,
    ) {
        self.raise(told, |state, stamp| {
            let heard = state.heard.entry(process).or_default();
            for Reached { item, group } in reached {
                heard[item.index()].raise(*group, versions[item.index()], stamp);
            }
        });
    }

    /// From now on the process owes an invalidation.
    pub(crate) fn owes(&self, process: u32, reached: &[Reached], versions: &Versions) {
        let whole = reached.iter().filter(|reached| reached.group.is_none());
        lock(&self.state).orders.extend(whole.map(|reached| Order {
            process,
            item: reached.item,
            version: versions[reached.item.index()],
        }));
    }

    /// The process is gone, with all that it owed.
    pub(crate) fn is_gone(&self, process: u32) {
        lock(&self.state).orders.retain(|order| order.process != process);
    }

    /// The shared tier went back to where it was at this moment.
    pub(crate) fn went_back(&self, to: Stamp) {
        let state = &mut *lock(&self.state);
        state.rewinds += 1;
        for floors in state.shared.iter_mut().chain(&mut state.everywhere) {
            floors.forget_after(to.number);
        }
        for heard in state.heard.values_mut().flatten() {
            heard.forget_after(to.number);
        }
        for local in state.local.values_mut() {
            for (floors, shared) in local.iter_mut().zip(&state.shared) {
                floors.forget_after(to.number);
                floors.forget_above(shared);
            }
        }
    }

    /// The keys whose last change nobody has invalidated, and nobody is about to.
    pub(crate) fn unsettled(&self) -> Vec<Item> {
        let (state, versions) = (lock(&self.state), self.source.versions());
        let settled = |item: &Item| {
            let version = versions[item.index()];
            let floor = state.shared[item.index()].whole.last(|_| true);
            let owed = |order: &Order| order.item == *item && order.version >= version;
            version == 1
                || floor.is_some_and(|mark| mark.version >= version)
                || state.orders.iter().any(owed)
        };
        Item::ALL.into_iter().filter(|item| !settled(item)).collect()
    }

    /// Objects to a value that is too old, of another key, or from the future.
    pub(crate) fn check(&self, read: &Read, value: u64) {
        let Some(version) = read.item.version(value) else {
            return self
                .trace
                .object(format!("{} got {value}, which is another key's", named(read)));
        };
        let current = self.source.version(read.item);
        if version == 0 || version > current || read.item.is_absent(version) {
            let what = format!("{} got version {version} of {current}", named(read));
            return self.trace.object(what);
        }
        if let Some((mark, kind)) = self.forbids(read, version) {
            self.trace.object(format!(
                "{}, which began at {} ms, got version {version} of {current}, but {} was {kind} at {} ms",
                named(read),
                self.trace.millis(read.began.at),
                mark.version,
                self.trace.millis(mark.stamp.at),
            ));
        }
    }

    /// Objects to a `None` where none of the versions that may still be returned is one.
    pub(crate) fn check_absent(&self, read: &Read) {
        let current = self.source.version(read.item);
        let possible =
            |version: u64| read.item.is_absent(version) && self.forbids(read, version).is_none();
        if !(1..=current).rev().any(possible) {
            let began = self.trace.millis(read.began.at);
            self.trace.object(format!(
                "{}, which began at {began} ms, got `None`, which no version that it may return is, of {current}",
                named(read)
            ));
        }
    }

    /// Objects to anything but the newest version.
    pub(crate) fn check_newest(&self, read: &Read, value: Option<u64>) {
        let version = self.source.version(read.item);
        let newest = (!read.item.is_absent(version)).then(|| read.item.value(version));
        if value != newest {
            let got = value.map(|value| value / ITEMS as u64);
            let what = format!(
                "{}, after everything had come to rest, got version {got:?} of {version}",
                named(read)
            );
            self.trace.object(what);
        }
    }

    /// The floor that this version is below.
    fn forbids(&self, read: &Read, version: u64) -> Option<(Mark, &'static str)> {
        let forbidden = self.forbidden_by(read, read.promise, version)?;
        match read.instead {
            Some(instead) => self.forbidden_by(read, instead, version),
            None => Some(forbidden),
        }
    }

    fn forbidden_by(
        &self,
        read: &Read,
        promise: Promise,
        version: u64,
    ) -> Option<(Mark, &'static str)> {
        let state = lock(&self.state);
        let before = |stamp: &Stamp| stamp.number < read.began.number;
        let long_before = |stamp: &Stamp| stamp.at + BOUND < read.began.at;
        let index = read.item.index();
        let local = state.local.get(&read.process);
        if promise == Promise::Nothing {
            return None;
        }
        if promise == Promise::Known {
            // What became known at this very moment may have been known a step later.
            let earlier = |stamp: &Stamp| stamp.at < Instant::now();
            let above = |floors: &[Floors; ITEMS]| floors[index].above(version, earlier);
            let heard = || state.heard.get(&read.process).and_then(above);
            let mark = local.and_then(above).or_else(heard)?;
            return Some((mark, "known to be invalidated"));
        }
        if let Some(mark) = local.and_then(|local| local[index].above(version, before)) {
            return Some((mark, "invalidated in this process"));
        }
        let (shared, everywhere) = (&state.shared[index], &state.everywhere[index]);
        let shared = match promise {
            Promise::Own | Promise::Known | Promise::Nothing => {
                return None;
            }
            Promise::Strict => shared.above(version, before),
            Promise::Bounded => shared.above(version, long_before),
        };
        let shared = shared.map(|mark| (mark, "invalidated in the shared tier"));
        shared.or_else(|| Some((everywhere.above(version, before)?, "invalidated everywhere")))
    }

    /// Unless the shared tier went back since `began`: then what happened before may be undone.
    fn raise(&self, began: Stamp, change: impl FnOnce(&mut State, Stamp)) {
        let state = &mut *lock(&self.state);
        let stamp = state.stamp();
        if stamp.rewinds == began.rewinds {
            change(state, stamp);
        }
    }
}

impl State {
    fn stamp(&mut self) -> Stamp {
        self.number += 1;
        Stamp { number: self.number, at: Instant::now(), rewinds: self.rewinds }
    }
}

fn named(read: &Read) -> String {
    format!("a read of {} by `{}` in p{}", read.item, read.by, read.process)
}
