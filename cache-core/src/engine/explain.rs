//! A look at an entry that changes nothing: it is not counted, nothing is promoted, renewed or removed.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, Life, Reading, Record, Recorded, Result, Store};
use cache_template::Glob;

use super::{Call, Vouched, replay::Unconfirmed, same_rules, validity::spared};
use crate::{
    clock::Moment,
    envelope::{self, Envelope},
    explain::{Bypass, Explanation, InMemory, InShared, Next},
    fence::Fence,
    memory::{Age, MemoryEntry},
    scope,
};

/// Whether the entry of a function is looked at, or that of a key whose type nobody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Function,
    Key,
}

impl Call {
    /// Why calls from here do not ask the cache. To be found out where the caller is.
    pub(crate) fn bypass(&self, asker: Asker) -> Option<Bypass> {
        if !self.engine.enabled() {
            Some(Bypass::Off)
        } else if scope::is_bypassed() {
            Some(Bypass::Scope)
        } else {
            // A key is read in a transaction as well.
            (asker == Asker::Function && scope::reads_past()).then_some(Bypass::Transaction)
        }
    }

    /// What the next call would come to.
    pub(crate) async fn explain(&self, asker: Asker, bypassed: Option<Bypass>) -> Explanation {
        let shared = match self.engine.shared_for(self.site) {
            Some(store) => self.explain_shared(store, asker).await.unwrap_or_else(InShared::Away),
            None => InShared::Unused,
        };
        self.explain_with(asker, bypassed, shared)
    }

    /// The same where it is known what the shared tier holds.
    pub(crate) fn explain_with(
        &self,
        asker: Asker,
        bypassed: Option<Bypass>,
        shared: InShared,
    ) -> Explanation {
        let memory = self.explain_memory(asker);
        let joinable = |fence: &Fence| self.is_joinable(fence);
        let of_function = asker == Asker::Function;
        let loading = of_function && self.engine.flights.is_up(&self.flight_key(), joinable);
        let function = || format!("{}::{}", self.site.module, self.site.function);
        Explanation {
            key: self.key.text().to_owned(),
            function: of_function.then(function),
            layer: self.site.layer.name(),
            next: next(bypassed.is_some(), &memory, &shared, loading),
            bypassed,
            memory,
            shared,
            loading,
        }
    }

    fn explain_memory(&self, asker: Asker) -> InMemory {
        let engine = &self.engine;
        if !self.site.layer.memory() {
            return InMemory::Unused;
        }
        let Some(entry) = engine.memory.peek(self.key.as_ref()) else { return InMemory::Absent };
        if !engine.fences.is_live(self.key.text(), &entry.fence) {
            return InMemory::Invalidated;
        }
        match engine.session.vouches_for(&entry, self.key.as_ref(), || engine.now()) {
            Vouched::Never => return InMemory::InvalidatedElsewhere,
            Vouched::NotNow => return InMemory::Doubted,
            Vouched::Yes => {}
        }
        if !self.would_take(&entry, asker) {
            return InMemory::Foreign;
        }
        self.explain_age(&entry)
    }

    fn would_take(&self, entry: &MemoryEntry, asker: Asker) -> bool {
        let of_type = match &entry.value {
            Some(value) => asker == Asker::Key || (**value).type_id() == (self.value.id)(),
            None => self.site.negative_ttl.is_some(),
        };
        of_type && self.engine.is_for(entry, self.key.as_ref(), self.site)
    }

    fn explain_age(&self, entry: &MemoryEntry) -> InMemory {
        let (now, serving) = (self.engine.now(), &self.site.serving);
        if entry.expires().is_some_and(|end| end <= now) {
            return InMemory::Expired;
        }
        match entry.aging.as_ref().map_or(Age::Fresh, |aging| aging.age(now, serving)) {
            Age::Fresh => InMemory::Fresh(entry.fresh_until().map(|end| now.until(end))),
            Age::Due => InMemory::Due,
            Age::Stale(since) => {
                let (since, served) = self.stale(since, now);
                InMemory::Stale { since, served }
            }
        }
    }

    /// For how long it has been stale, and whether it is served nevertheless.
    fn stale(&self, since: Moment, now: Moment) -> (Duration, bool) {
        (since.until(now), now < since.plus(self.site.serving.while_revalidate))
    }

    async fn explain_shared(
        &self,
        store: &Arc<dyn Store>,
        asker: Asker,
    ) -> std::result::Result<InShared, Error> {
        // From before the reading, as a call has it.
        let (asked, unconfirmed) = (self.engine.now(), self.engine.unconfirmed());
        let reading = store.read(self.query(true)).await?;
        let Some(bytes) = reading.value.as_deref() else { return Ok(InShared::Absent) };
        if reading.key_nonce.is_none_or(|nonce| !bytes.starts_with(nonce.as_bytes())) {
            return Ok(InShared::KeyInvalidated);
        }
        let envelope = match self.explain_bytes(bytes, asker) {
            Ok(envelope) => envelope,
            Err(why) => return Ok(InShared::Refused(why)),
        };
        if let Some(refused) =
            self.explain_dependencies(store, &reading, &envelope, &unconfirmed).await?
        {
            return Ok(refused);
        }
        Ok(self.explain_life(&reading, &envelope, asked))
    }

    /// The envelope, or what is wrong with it.
    fn explain_bytes<'a>(
        &self,
        bytes: &'a [u8],
        asker: Asker,
    ) -> std::result::Result<Envelope<'a>, String> {
        let settings = &self.engine.settings;
        let envelope = envelope::parse(self.key.text(), bytes, settings.limits)
            .map_err(|corrupt| corrupt.to_string())?;
        settings.packing.admits(&envelope).map_err(|refusal| refusal.to_string())?;
        if asker == Asker::Function {
            let ours = envelope::type_fingerprint((self.value.name)(), self.site.version);
            if envelope.header.type_fingerprint != ours {
                return Err("it holds another type, or another version of it".to_owned());
            }
            if !same_rules(envelope.header.rules_fingerprint, self.site.rules) {
                return Err("it was stored under another list of tags".to_owned());
            }
        }
        let payload = settings
            .packing
            .unpack(self.key.text(), &envelope, settings.limits)
            .map_err(|refusal| refusal.to_string())?;
        if envelope.header.negative {
            return match self.site.negative_ttl {
                Some(_) => Ok(envelope),
                None => Err("it is a `None`, which is not kept here".to_owned()),
            };
        }
        if asker == Asker::Function {
            self.value
                .decode(&payload, envelope.header.codec)
                .map_err(|error| error.to_string())?;
        }
        Ok(envelope)
    }

    /// What has invalidated the entry, if anything has: what is known here, its patterns, its tags.
    async fn explain_dependencies(
        &self,
        store: &Arc<dyn Store>,
        reading: &Reading,
        envelope: &Envelope<'_>,
        unconfirmed: &Unconfirmed,
    ) -> Result<Option<InShared>> {
        let names = || envelope.tags.map(|(name, _)| name);
        if self.engine.has_gone_back(unconfirmed) {
            return Ok(Some(InShared::Refused("the shared tier went back meanwhile".to_owned())));
        }
        if unconfirmed.cover(self.key.text(), names()) {
            return Ok(Some(InShared::Unconfirmed));
        }
        let Some(newest) = reading.pattern_nonce else {
            return Ok(Some(InShared::PatternInvalidated(None)));
        };
        let known = envelope.header.pattern_nonce;
        if newest != known {
            let log = store.patterns().await?;
            let tags: Vec<&str> = names().collect();
            if spared(&log, known, self.key.text(), names()) != Some(true) {
                let later = log.iter().skip_while(|record| record.nonce != known).skip(1);
                let text = later.filter_map(|record| covers(record, self.key.text(), &tags)).next();
                return Ok(Some(InShared::PatternInvalidated(text)));
            }
        }
        let tags: Vec<String> = names().map(str::to_owned).collect();
        if tags.is_empty() {
            return Ok(None);
        }
        let nonces = store.tag_nonces(&tags).await?;
        let gone = envelope.tags.zip(nonces).find(|((_, nonce), now)| *now != Some(*nonce));
        Ok(gone.map(|((name, _), _)| InShared::TagInvalidated(name.to_owned())))
    }

    fn explain_life(&self, reading: &Reading, envelope: &Envelope<'_>, asked: Moment) -> InShared {
        let grace = envelope.header.marks.unwrap_or_default().grace();
        let tells = self.asks_for_life() && reading.life.is_some();
        if !tells && !grace.is_zero() {
            let why = "it may not be fresh any more, and nobody tells how long it is";
            return InShared::Refused(why.to_owned());
        }
        let Some(Life::For(left)) = reading.life else { return InShared::Valid(None) };
        let until = match left.checked_sub(grace) {
            Some(fresh) => asked.plus(fresh),
            None => Moment::before(asked, grace - left),
        };
        let now = self.engine.now();
        // What is over by a clock that nobody asked for is not over for a call either.
        if now < until || !self.asks_for_life() {
            return InShared::Valid(Some(now.until(until)));
        }
        let (since, served) = self.stale(until, now);
        InShared::Stale { since, served }
    }
}

fn next(bypassed: bool, memory: &InMemory, shared: &InShared, loading: bool) -> Next {
    match (memory, shared) {
        _ if bypassed => Next::Bypasses,
        (InMemory::Fresh(_) | InMemory::Due | InMemory::Stale { served: true, .. }, _) => {
            Next::HitMemory
        }
        _ if loading => Next::Waits,
        (_, InShared::Valid(_) | InShared::Stale { served: true, .. }) => Next::HitShared,
        _ => Next::Loads,
    }
}

/// The words of a record that covers the entry.
fn covers(record: &Record, key: &str, tags: &[&str]) -> Option<String> {
    match &record.what {
        Recorded::Pattern(glob) => {
            let matches = Glob::parse(glob).map_or(true, |glob| glob.matches(key));
            matches.then(|| glob.to_string())
        }
        Recorded::AllOf(all) => {
            let all_of = all.iter().all(|one| tags.contains(&one.as_str()));
            all_of.then(|| format!("all of the tags {}", all.join(", ")))
        }
        Recorded::Opened => None,
    }
}
