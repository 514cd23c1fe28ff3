use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{
    changes::Changes,
    index::Index,
    limits::Limits,
    locks::Locks,
    log::Log,
    sessions::Sessions,
    shelf::{Deadline, Shelf},
};
use crate::{
    Begin, Begun, Claim, ClaimOutcome, Claimed, Fill, Finish, Invalidation, Lease, Life, News,
    Nonce, Query, Reading, Record, Recorded, Result, TagPage,
};

/// What the shared tier holds, and its steps: each is what one script does, whole or not at all.
#[derive(Clone, Debug)]
pub(super) struct Tier {
    values: Shelf<Vec<u8>>,
    dependencies: Shelf<Nonce>,
    leases: Shelf<Holder>,
    writers: HashMap<String, Vec<Mark>>,
    pub(super) changes: Changes,
    tags: Shelf<Nonce>,
    patterns: Log,
    tag_log: Log,
    index: Index,
    pub(super) locks: Locks,
    pub(super) limits: Limits,
    pub(super) sessions: Sessions,
    news: Vec<Change>,
}

/// What there is to tell of a step.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Key(String),
    Tag(String),
    Patterns,
}

impl Change {
    /// As it is told.
    pub(super) fn news(&self) -> News<'_> {
        match self {
            Self::Key(key) => News::Key(key),
            Self::Tag(tag) => News::Tag(tag),
            Self::Patterns => News::Patterns,
        }
    }
}

/// Who holds a lease. Under another key nonce than the current one it is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    nonce: Nonce,
    token: Nonce,
}

/// A write or a change of tags under way. Each mark ends by itself: a short write must not end the mark of a longer one.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) token: Nonce,
    pub(super) until: Deadline,
}

impl Tier {
    /// An empty tier whose logs keep this many records.
    pub(super) fn new(patterns: usize, tag_log: usize) -> Self {
        Self {
            values: Shelf::default(),
            dependencies: Shelf::default(),
            leases: Shelf::default(),
            writers: HashMap::new(),
            changes: Changes::default(),
            tags: Shelf::default(),
            patterns: Log::new(patterns),
            tag_log: Log::new(tag_log),
            index: Index::default(),
            locks: Locks::default(),
            limits: Limits::default(),
            sessions: Sessions::default(),
            news: Vec::new(),
        }
    }

    /// What changed since the last call.
    pub(super) fn take_news(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn read(&self, query: Query<'_>, now: Instant) -> Reading {
        let value = self.values.entry(query.key, now);
        Reading {
            value: value.map(|(bytes, _)| bytes.clone()),
            key_nonce: self.dependencies.get(query.key, now).copied(),
            pattern_nonce: self.patterns.newest().filter(|_| query.pattern),
            tag_nonces: self.tag_nonces(query.tags, now),
            life: value.filter(|_| query.life).map(|(_, until)| until.remaining(now)),
        }
    }

    pub(super) fn claim(&mut self, claim: Claim<'_>, now: Instant) -> Result<Claimed> {
        Ok(Claimed {
            outcome: self.claim_key(&claim, now)?,
            tag_nonces: self.open_tags(claim.tags, claim.dependency_life, now)?,
            patterns: self.patterns_from(claim.known)?,
            tag_log: claim.tag_log.then(|| self.tag_log.open()).transpose()?,
            changing: if claim.tag_log { self.changes.all(now) } else { Vec::new() },
        })
    }

    fn claim_key(&mut self, claim: &Claim<'_>, now: Instant) -> Result<ClaimOutcome> {
        if self.is_written(claim.key, now) {
            return Ok(ClaimOutcome::Writing);
        }
        if self.changes.reach(claim.tags, now) {
            return Ok(ClaimOutcome::Writing);
        }
        let nonce = self.open_dependency(claim.key, claim.dependency_life, now)?;
        if let Some((value, until)) = self.values.entry(claim.key, now)
            && value.starts_with(nonce.as_bytes())
            && (claim.refused.is_empty() || !value.starts_with(claim.refused))
        {
            return Ok(ClaimOutcome::Found { value: value.clone(), life: until.remaining(now) });
        }
        let Some(Lease { token, life }) = claim.lease else {
            return Ok(ClaimOutcome::Load(nonce));
        };
        if let Some(until) = self.lease_until(claim.key, now) {
            return Ok(ClaimOutcome::Held(match until.remaining(now) {
                Life::For(time) => time,
                Life::Forever => Duration::MAX,
            }));
        }
        let until = Deadline::after(Life::For(life), now);
        self.leases.put(claim.key, Holder { nonce, token }, until);
        Ok(ClaimOutcome::Load(nonce))
    }

    pub(super) fn fill(&mut self, fill: Fill<'_>, now: Instant) -> bool {
        if let Some(token) = fill.token
            && !self.release(fill.key, Holder { nonce: fill.nonce, token }, now)
        {
            return false;
        }
        if self.dependencies.get(fill.key, now) != Some(&fill.nonce) {
            return false;
        }
        let until = Deadline::after(fill.life, now);
        self.values.put(fill.key, fill.value.to_vec(), until);
        self.keep_dependency(fill.key, until, fill.dependency_life, now);
        self.keep_tags(fill.tags, until, fill.dependency_life, now);
        self.index.add(fill.key, fill.tags, until);
        if fill.announced {
            self.news.push(Change::Key(fill.key.to_owned()));
        }
        true
    }

    pub(super) fn renew(&mut self, key: &str, nonce: Nonce, lease: Lease, now: Instant) -> bool {
        let held = self.leases.get(key, now) == Some(&Holder { nonce, token: lease.token });
        if held {
            self.leases.keep_until(key, Deadline::after(Life::For(lease.life), now));
        }
        held
    }

    pub(super) fn give_back(&mut self, key: &str, nonce: Nonce, token: Nonce, now: Instant) {
        self.release(key, Holder { nonce, token }, now);
    }

    fn release(&mut self, key: &str, holder: Holder, now: Instant) -> bool {
        let held = self.leases.get(key, now) == Some(&holder);
        if held {
            self.leases.remove(key);
        }
        held
    }

    /// Until when the key is leased; `None` when it is not, or when an invalidation made the lease void.
    pub(super) fn lease_until(&self, key: &str, now: Instant) -> Option<Deadline> {
        let (holder, until) = self.leases.entry(key, now)?;
        (self.dependencies.get(key, now) == Some(&holder.nonce)).then_some(until)
    }

    pub(super) fn begin(&mut self, begin: Begin<'_>, now: Instant) -> Result<Begun> {
        let (token, nonce) = (begin.token, Nonce::random()?);
        // A request that was repeated is no other writer.
        self.unmark(begin.key, token, now);
        let begun = Begun {
            token,
            nonce,
            alone: !self.is_written(begin.key, now),
            tag_nonces: self.open_tags(begin.tags, begin.dependency_life, now)?,
            pattern_nonce: self.open_pattern_log()?,
            tag_log: begin.tag_log.then(|| self.tag_log.open()).transpose()?,
            changing: if begin.tag_log { self.changes.all(now) } else { Vec::new() },
        };
        let changed = self.changes.reach(begin.tags, now);
        let begun = Begun { alone: begun.alone && !changed, ..begun };
        let until = Deadline::after(begin.dependency_life, now);
        self.put_dependency(begin.key, nonce, until);
        let until = Deadline::after(Life::For(begin.at_most), now);
        self.writers.entry(begin.key.to_owned()).or_default().push(Mark { token, until });
        Ok(begun)
    }

    pub(super) fn finish(&mut self, finish: Finish<'_>, now: Instant) -> Result<bool> {
        let nonce = Nonce::random()?;
        let mine = self.unmark(finish.key, finish.begun.token, now);
        let current = self.dependencies.get(finish.key, now) == Some(&finish.begun.nonce);
        let Some(value) = finish.value.filter(|_| mine && finish.begun.alone && current) else {
            self.remove_dependency(finish.key);
            return Ok(false);
        };
        let bytes = [nonce.as_bytes(), value].concat();
        let until = Deadline::after(finish.dependency_life, now);
        self.put_dependency(finish.key, nonce, until);
        let until = Deadline::after(finish.life, now);
        self.values.put(finish.key, bytes, until);
        self.keep_tags(finish.tags, until, finish.dependency_life, now);
        self.index.add(finish.key, finish.tags, until);
        Ok(true)
    }

    pub(super) fn tagged(&mut self, tag: &str, from: u64, now: Instant) -> TagPage {
        self.index.page(tag, self.tags.get(tag, now).copied(), from, now)
    }

    pub(super) fn invalidate(&mut self, what: &Invalidation) -> Result<()> {
        match what {
            Invalidation::Keys(keys) => keys.iter().for_each(|key| self.remove_dependency(key)),
            Invalidation::Tags(tags) => {
                for tag in tags {
                    self.tag_log.append(tag)?;
                    self.tags.remove(tag);
                    self.news.push(Change::Tag(tag.clone()));
                }
            }
            Invalidation::AllOf(tags) => self.record(&Recorded::AllOf(tags.clone()))?,
            Invalidation::Pattern(glob) => self.record(&Recorded::Pattern(glob.clone()))?,
            Invalidation::All => {
                self.patterns.clear();
                self.news.push(Change::Patterns);
            }
        }
        Ok(())
    }

    /// Invalidates the tags, and nobody stores what bears them until the change has ended.
    pub(super) fn begin_tags(
        &mut self,
        tags: &[String],
        token: Nonce,
        at_most: Duration,
        now: Instant,
    ) -> Result<()> {
        self.changes.begin(tags, Mark { token, until: Deadline::after(Life::For(at_most), now) });
        self.invalidate(&Invalidation::Tags(tags.to_vec()))
    }

    pub(super) fn finish_tags(&mut self, tags: &[String], token: Nonce) -> Result<()> {
        self.changes.finish(tags, token);
        self.invalidate(&Invalidation::Tags(tags.to_vec()))
    }

    fn record(&mut self, what: &Recorded) -> Result<()> {
        self.patterns.append(&what.to_text())?;
        self.news.push(Change::Patterns);
        Ok(())
    }

    pub(super) fn open_patterns(&mut self) -> Result<Vec<Record>> {
        self.open_pattern_log()?;
        Ok(self.patterns.records())
    }

    fn open_pattern_log(&mut self) -> Result<Nonce> {
        if self.patterns.newest().is_none() {
            self.news.push(Change::Patterns);
        }
        self.patterns.open()
    }

    fn patterns_from(&mut self, known: Option<Nonce>) -> Result<Vec<Record>> {
        let mut records = self.open_patterns()?;
        let at = records.iter().position(|record| Some(record.nonce) == known);
        Ok(records.split_off(at.unwrap_or_default()))
    }

    pub(super) fn tag_nonces(&self, tags: &[String], now: Instant) -> Vec<Option<Nonce>> {
        tags.iter().map(|tag| self.tags.get(tag, now).copied()).collect()
    }

    pub(super) fn stamp_tags(
        &mut self,
        captured: Nonce,
        tags: &[String],
        life: Life,
        now: Instant,
    ) -> Result<Option<Vec<Nonce>>> {
        let untouched = self
            .tag_log
            .since(captured)
            .is_some_and(|mut later| later.all(|tag| !tags.iter().any(|mine| mine == tag)));
        if !untouched {
            return Ok(None);
        }
        self.open_tags(tags, life, now).map(Some)
    }

    /// The value under this key is lost, as by an eviction.
    pub(super) fn evict(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// A tag's nonce is lost, as by an eviction.
    pub(super) fn evict_tag(&mut self, tag: &str) {
        self.tags.remove(tag);
        self.news.push(Change::Tag(tag.to_owned()));
    }

    /// Both logs are lost, as by an eviction.
    pub(super) fn lose_logs(&mut self) {
        self.patterns.clear();
        self.tag_log.clear();
        self.news.push(Change::Patterns);
    }

    fn is_written(&self, key: &str, now: Instant) -> bool {
        self.writers.get(key).into_iter().flatten().any(|mark| !mark.until.passed(now))
    }

    /// Ends a write; `false` when its time was over.
    fn unmark(&mut self, key: &str, token: Nonce, now: Instant) -> bool {
        let Some(marks) = self.writers.get_mut(key) else { return false };
        marks.retain(|mark| !mark.until.passed(now));
        let before = marks.len();
        marks.retain(|mark| mark.token != token);
        marks.len() < before
    }

    fn open_dependency(&mut self, key: &str, life: Life, now: Instant) -> Result<Nonce> {
        if let Some(nonce) = self.dependencies.get(key, now) {
            return Ok(*nonce);
        }
        let nonce = Nonce::random()?;
        self.put_dependency(key, nonce, Deadline::after(life, now));
        Ok(nonce)
    }

    fn put_dependency(&mut self, key: &str, nonce: Nonce, until: Deadline) {
        self.dependencies.put(key, nonce, until);
        self.news.push(Change::Key(key.to_owned()));
    }

    pub(super) fn remove_dependency(&mut self, key: &str) {
        self.dependencies.remove(key);
        self.news.push(Change::Key(key.to_owned()));
    }

    fn keep_dependency(&mut self, key: &str, value: Deadline, life: Life, now: Instant) {
        if let Some((_, until)) = self.dependencies.entry(key, now)
            && until.before(value)
        {
            self.dependencies.keep_until(key, Deadline::after(life, now));
            self.news.push(Change::Key(key.to_owned()));
        }
    }

    /// Prolongs the tags that would end before the value does, unless they are others by now.
    fn keep_tags(&mut self, tags: &[(&str, Nonce)], value: Deadline, life: Life, now: Instant) {
        for (tag, nonce) in tags {
            if let Some((current, until)) = self.tags.entry(tag, now)
                && current == nonce
                && until.before(value)
            {
                self.tags.keep_until(tag, Deadline::after(life, now));
                self.news.push(Change::Tag((*tag).to_owned()));
            }
        }
    }

    fn open_tags(&mut self, tags: &[String], life: Life, now: Instant) -> Result<Vec<Nonce>> {
        tags.iter().map(|tag| self.open_tag(tag, life, now)).collect()
    }

    /// A tag that would end before the entry does is prolonged: half of a dependency's life is at least an entry's.
    fn open_tag(&mut self, tag: &str, life: Life, now: Instant) -> Result<Nonce> {
        if self.changes.has(tag, now) {
            // Nobody's: nothing is stored with it.
            return Nonce::random();
        }
        let Some((nonce, until)) = self.tags.entry(tag, now) else {
            let nonce = Nonce::random()?;
            self.tags.put(tag, nonce, Deadline::after(life, now));
            self.news.push(Change::Tag(tag.to_owned()));
            return Ok(nonce);
        };
        let nonce = *nonce;
        let needed = match life {
            Life::For(time) => Life::For(time / 2),
            Life::Forever => Life::Forever,
        };
        if until.before(Deadline::after(needed, now)) {
            self.tags.keep_until(tag, Deadline::after(life, now));
            self.news.push(Change::Tag(tag.to_owned()));
        }
        Ok(nonce)
    }
}
