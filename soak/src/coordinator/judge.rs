//! Judges every read: what it returned, and what had been promised before it began.

use std::collections::{BTreeMap, HashMap};

use super::{
    lag::Lag,
    promises::{Promise, Promises},
    truth::Fact,
    verdicts::{Rule, Verdicts},
};
use crate::{
    clock::Moment,
    limits::{BOUND, LONGEST_CALL, MARGIN},
    wire::{Batch, Held, How, Outcome, Process, Read, Record, Tally, Wrote},
    world::{Reader, Subject},
};

/// Data went back to an earlier state: what was confirmed in that time may be undone. That is documented, so reads that
/// break such promises are counted apart, until the namespace is cleared.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    /// Whether whoever invalidated something goes by that though it may be undone: requests of its process go to one server,
    /// and are not answered from another life of it before that is known.
    pub(crate) binds_its_own: bool,
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// When the namespace was cleared.
    pub(crate) healed: Moment,
}

/// What is promised of one subject.
#[derive(Debug, Default)]
struct Known {
    /// To those who ask Redis, and to all others once the bound has passed.
    shared: Promises,
    /// To everybody at once.
    everywhere: Promises,
    /// To the readers of one process.
    own: HashMap<Process, Promises>,
}

/// The newest version at rest, and whether a writer was killed before its invalidation was confirmed.
#[derive(Clone, Copy, Debug)]
struct Newest {
    version: u64,
    may_be_old: bool,
}

pub(crate) struct Judge {
    known: Vec<Known>,
    /// Up to when each process that lives has told everything.
    told: BTreeMap<Process, Moment>,
    tallies: BTreeMap<Process, Tally>,
    waiting: Vec<(Process, Read)>,
    /// Reads that began after this wait until it is known whether data went back.
    held: Option<Moment>,
    limits: Vec<Limit>,
    stops: Vec<(u8, Moment, Moment)>,
    newest: Option<(Moment, Vec<Newest>)>,
    at_rest: Vec<Process>,
    all_read: Vec<Process>,
    pub(crate) lag: Lag,
    pub(crate) verdicts: Verdicts,
}

impl Judge {
    pub(crate) fn new(verdicts: Verdicts) -> Self {
        Self {
            known: (0..Subject::COUNT).map(|_| Known::default()).collect(),
            told: BTreeMap::new(),
            tallies: BTreeMap::new(),
            waiting: Vec::new(),
            held: None,
            limits: Vec::new(),
            stops: Vec::new(),
            newest: None,
            at_rest: Vec::new(),
            all_read: Vec::new(),
            lag: Lag::new(),
            verdicts,
        }
    }

    /// A process is started: it did nothing before now.
    pub(crate) fn joins(&mut self, process: Process) {
        self.told.insert(process, Moment::now());
    }

    /// A process is gone, and everything that it told has been heard.
    pub(crate) fn leaves(&mut self, process: Process) {
        self.told.remove(&process);
    }

    /// A worker is stopped from now on: its calls may take that much longer.
    pub(crate) fn stops(&mut self, worker: u8) {
        self.stops.push((worker, Moment::now(), Moment::NEVER));
    }

    pub(crate) fn goes_on(&mut self, worker: u8) {
        let stopped =
            |stop: &&mut (u8, Moment, Moment)| stop.0 == worker && stop.2 == Moment::NEVER;
        self.stops.iter_mut().filter(stopped).for_each(|stop| stop.2 = Moment::now());
    }

    /// Judges no read that begins from now on before [`release`](Self::release).
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_with(Moment::now);
    }

    pub(crate) fn release(&mut self) {
        self.held = None;
    }

    /// What was confirmed in this time may be undone.
    pub(crate) fn limit(&mut self, limit: Limit) {
        self.limits.push(limit);
    }

    /// From now on every read returns the newest version; while the ttl of entries has not passed, except where a writer
    /// was killed before its invalidation was confirmed.
    pub(crate) fn comes_to_rest(&mut self, facts: &[Fact], alive: &[Process], ttl_passed: bool) {
        let newest = |(fact, known): (&Fact, &Known)| Newest {
            version: fact.version,
            may_be_old: !ttl_passed
                && fact.by.is_some_and(|by| !alive.contains(&by))
                && known.shared.newest_before(Moment::NEVER) < fact.version,
        };
        self.newest = Some((Moment::now(), facts.iter().zip(&self.known).map(newest).collect()));
        self.all_read.clear();
    }

    /// Whether a killed writer may have left something old.
    pub(crate) fn has_leftovers(&self) -> bool {
        self.newest.iter().flat_map(|(_, newest)| newest).any(|one| one.may_be_old)
    }

    /// How many reads were not judged yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn at_rest(&self) -> &[Process] {
        &self.at_rest
    }

    pub(crate) fn all_read(&self) -> &[Process] {
        &self.all_read
    }

    /// What all caches counted, those of processes that were killed included.
    pub(crate) fn tally(&self) -> Tally {
        self.tallies.values().fold(Tally::default(), |sum, one| sum.plus(one))
    }

    pub(crate) fn hears(&mut self, process: Process, batch: Batch) {
        for record in batch.records {
            match record {
                Record::Read(read) => self.waiting.push((process, read)),
                Record::Wrote(wrote) => self.wrote(process, wrote),
                Record::Refused(kind) => *self.verdicts.refused.entry(kind).or_default() += 1,
                Record::Broken(why) => {
                    self.verdicts.failed += 1;
                    self.verdicts.broken(Rule::Call, Moment::now(), || {
                        format!("worker {}: an annotated writer failed: {why}", process.worker)
                    });
                }
                Record::AtRest => self.at_rest.push(process),
                Record::ReadAll => self.all_read.push(process),
            }
        }
        self.tallies.insert(process, batch.tally);
        if let Some(told) = self.told.get_mut(&process) {
            *told = batch.until;
        }
    }

    /// A write and what its invalidation promises.
    pub(crate) fn wrote(&mut self, by: Process, wrote: Wrote) {
        let Wrote { how, versions, began, ended, held } = wrote;
        if held != Held::Later {
            *self.verdicts.writes.entry(how).or_default() += 1;
            self.took(by, how, began, ended);
        }
        for (subject, version) in versions {
            let done = (began, if held == Held::Here { Moment::NEVER } else { ended });
            let promise = Promise { at: ended, done, version, how, held, by };
            let known = &mut self.known[subject.index()];
            let own = known.own.entry(by).or_default();
            if held == Held::Later {
                own.confirm(version, ended);
            } else {
                own.add(promise.clone());
            }
            if held == Held::Shared {
                self.lag.invalidated(subject, by, ended, version);
            }
            if held == Held::Everywhere {
                known.everywhere.add(promise.clone());
            }
            if held != Held::Here {
                known.shared.add(promise);
            }
        }
    }

    /// How long a write took; only annotated functions have a limit.
    fn took(&mut self, by: Process, how: How, began: Moment, ended: Moment) {
        let time = began.until(ended).saturating_sub(self.time_stopped(by.worker, began, ended));
        if matches!(how, How::WriteThrough | How::Writer) {
            self.verdicts.longest_call = self.verdicts.longest_call.max(time);
            if time > LONGEST_CALL {
                self.verdicts.broken(Rule::Call, ended, || {
                    format!("worker {}: a writer ({how:?}) took {time:?}", by.worker)
                });
            }
        } else {
            self.verdicts.longest_operation = self.verdicts.longest_operation.max(time);
        }
    }

    fn time_stopped(&self, worker: u8, began: Moment, ended: Moment) -> std::time::Duration {
        let of_worker = self.stops.iter().filter(|(stopped, ..)| *stopped == worker);
        of_worker.map(|&(_, from, to)| from.max(began).until(to.min(ended))).sum()
    }

    /// Judges the reads of which everything is known that came before them.
    pub(crate) fn judge(&mut self) {
        let told = self.told.values().copied().min().unwrap_or(Moment::NEVER);
        let until = self.held.map_or(told, |held| held.min(told));
        let (ripe, waiting): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|(_, read)| read.began < until);
        self.waiting = waiting;
        for (process, read) in ripe {
            self.read(process, &read);
        }
        if until != Moment::NEVER {
            self.lag.settle(until);
        }
    }

    fn read(&mut self, process: Process, read: &Read) {
        let Read { subject, reader, began, ended, .. } = *read;
        *self.verdicts.reads.entry(reader).or_default() += 1;
        if reader != Reader::Get {
            let stopped = self.time_stopped(process.worker, began, ended);
            let time = began.until(ended).saturating_sub(stopped);
            self.verdicts.longest_call = self.verdicts.longest_call.max(time);
            if time > LONGEST_CALL {
                self.verdicts.broken(Rule::Call, ended, || {
                    format!("{} took {time:?}", described(process, read))
                });
            }
        }
        match &read.outcome {
            Outcome::Version(version) => {
                let excused = self.version(process, read, *version);
                if !excused && reader != Reader::Strict {
                    self.lag.read(subject, process, began, *version);
                }
            }
            Outcome::Failed(why) => {
                self.verdicts.failed += 1;
                self.verdicts.broken(Rule::Call, ended, || {
                    format!("{} failed: {why}", described(process, read))
                });
            }
            Outcome::Foreign(row) => self.verdicts.broken(Rule::Foreign, ended, || {
                format!("{} returned {row}", described(process, read))
            }),
        }
    }

    /// Whether the version is old and only a documented limit excuses it.
    fn version(&mut self, process: Process, read: &Read, version: u64) -> bool {
        let known = &self.known[read.subject.index()];
        let strict = read.reader == Reader::Strict;
        let relaxed = read.began.minus(BOUND + MARGIN);
        let (mut broken, mut excused) = (None, None);
        let rules = [
            (Rule::Strict, strict.then_some(&known.shared), read.began),
            (Rule::Own, known.own.get(&process), read.began),
            (Rule::Everywhere, Some(&known.everywhere), read.began),
            (Rule::Bound, Some(&known.shared), relaxed),
        ];
        for (rule, promises, before) in rules {
            let Some(promises) = promises else { continue };
            if promises.newest_before(before) <= version {
                continue;
            }
            let limit_of = |promise: &Promise| {
                let mut limits = self.limits.iter();
                limits.find(|limit| limit.excuses(rule) && limit.covers(promise, read))
            };
            // Of the promises that it breaks those count that hold whatever becomes of the data.
            match promises.broken(version, before).find(|promise| limit_of(promise).is_none()) {
                Some(promise) => broken = broken.or_else(|| Some((rule, promise.clone()))),
                None => excused = promises.broken(version, before).find_map(limit_of),
            }
        }
        let at_rest = self.at_rest_wants(read, version);
        if let Some((rule, promise)) = broken {
            self.verdicts.broken(rule, read.ended, || complaint(process, read, version, &promise));
        } else if let Some(newest) = at_rest {
            self.verdicts.broken(Rule::Rest, read.ended, || {
                format!(
                    "{} returned version {version}; the newest is {newest}",
                    described(process, read)
                )
            });
        } else if let Some(limit) = excused {
            *self.verdicts.limited.entry(limit.name).or_default() += 1;
            return true;
        }
        false
    }

    /// The version that a read at rest should have returned, if it is another one.
    fn at_rest_wants(&self, read: &Read, version: u64) -> Option<u64> {
        let (since, newest) = self.newest.as_ref()?;
        let newest = newest[read.subject.index()];
        let wrong = read.began > *since && version != newest.version && !newest.may_be_old;
        wrong.then_some(newest.version)
    }
}

impl Limit {
    fn excuses(&self, rule: Rule) -> bool {
        rule != Rule::Own || !self.binds_its_own
    }

    /// Whether it excuses a read that breaks a promise.
    fn covers(&self, promise: &Promise, read: &Read) -> bool {
        let strict = read.reader == Reader::Strict;
        let ends = if strict { self.healed } else { self.healed.plus(BOUND + MARGIN) };
        self.from <= promise.done.1
            && promise.done.0 <= self.to
            && read.began < ends
            && read.ended > self.from
    }
}

fn described(process: Process, read: &Read) -> String {
    format!(
        "{:?} read ({:?}) by worker {} in its life {}",
        read.subject, read.reader, process.worker, process.life
    )
}

fn complaint(process: Process, read: &Read, version: u64, promise: &Promise) -> String {
    format!(
        "{} returned version {version}, but version {} was invalidated ({:?}, {:?}) by worker {} {:?} before it began; \
         it took {:?}",
        described(process, read),
        promise.version,
        promise.how,
        promise.held,
        promise.by.worker,
        promise.at.until(read.began),
        read.began.until(read.ended),
    )
}
