//! Operations that a person asks for by name, which tell the truth about failures.

use std::{sync::Arc, time::Duration};

use cache_store::{Claim, ClaimOutcome, Error, ErrorKind, Fill, Life, Nonce, Result, Store};

use super::{
    Call, Invalidating, Order, Settings, Writing,
    fill::dependency_life,
    lead::Found,
    validity::{Candidate, spared},
    write::{Ended, Written},
};
use crate::{
    envelope::{self, Envelope, EnvelopeWriter, Header},
    events::Origin,
    memory::{Age, Sight, drops},
    stats::Counter,
    transaction,
    value::Stored,
};

/// Two writers that overlap refuse each other; one of them gets through on the next try.
pub(super) const ATTEMPTS: usize = 8;

impl Call {
    /// What is cached now; never loads.
    pub(crate) async fn get(&self) -> Result<Option<Stored>> {
        if let Some(hit) = self.hit() {
            return Ok(Some(hit));
        }
        let Some(store) = self.engine.shared_for(self.site).cloned() else {
            self.count(Counter::Misses);
            return Ok(None);
        };
        let found = self.read(&store, &self.fence()).await;
        match found.inspect_err(|error| self.engine.count_error(error))? {
            Found::Valid(loaded) | Found::Aged { loaded, age: Age::Fresh | Age::Due, .. } => {
                self.count_hit(Counter::HitsShared, &loaded.value);
                Ok(Some(loaded.value))
            }
            Found::Aged { .. } | Found::Refused(_) => {
                self.count(Counter::Misses);
                Ok(None)
            }
        }
    }

    /// What memory holds now.
    pub(crate) fn hit(&self) -> Option<Stored> {
        let entry = self.in_memory(Sight::Recorded)?;
        self.count_hit(Counter::HitsMemory, &entry.value);
        Some(entry.value.clone())
    }

    /// Stores a value; loads that began before store nothing over it.
    pub(crate) async fn set(
        self,
        value: Stored,
        life: Option<Duration>,
        learned: Vec<String>,
    ) -> Result<()> {
        if self.is_left_to_a_transaction() {
            return Ok(());
        }
        if !self.engine.enabled() {
            return self.only_invalidate().await;
        }
        for _ in 0..ATTEMPTS {
            let written = Written { value: value.clone(), life, learned: learned.clone() };
            // The source has changed already: dropped before it is announced, the write invalidates all the same.
            let or_else = Invalidating::new(self.order());
            let writing = Writing::begin(self.clone(), Origin::Here).await;
            or_else.call_off();
            let ended = writing.attempt(Some(written)).await;
            if let Ended::Fenced = ended {
                tokio::task::yield_now().await;
                continue;
            }
            self.tell_ended(&ended, Origin::Here);
            return match ended {
                Ended::Failed(error, _) => Err(not_stored(&error)),
                Ended::Stored | Ended::Fenced => Ok(()),
            };
        }
        self.tell_ended(&Ended::Fenced, Origin::Here);
        Err(overtaken())
    }

    /// What `set` does while the cache is off: what was stored before must not be there when it is on again.
    async fn only_invalidate(&self) -> Result<()> {
        Invalidating::new(self.order()).confirm().await.map_err(|error| not_stored(&error))
    }

    /// Whether nothing may be stored here and now, because the value may yet be rolled back: its key is invalidated with the
    /// commit then.
    pub(super) fn is_left_to_a_transaction(&self) -> bool {
        let intents = transaction::current();
        intents.inspect(|intents| intents.record([self.order()])).is_some()
    }

    /// What invalidates the key.
    fn order(&self) -> Order {
        Order {
            engine: Arc::clone(&self.engine),
            what: self.invalidation(),
            shared: self.site.layer.shared(),
            origin: Origin::Here,
        }
    }

    /// The same in this process only.
    pub(crate) fn set_in_memory(
        self,
        value: Stored,
        life: Option<Duration>,
        learned: Vec<String>,
    ) -> Result<()> {
        if self.is_left_to_a_transaction() {
            return Ok(());
        }
        if !self.engine.enabled() {
            self.engine.invalidate_here(&self.invalidation(), Origin::Here);
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let written = Written { value: value.clone(), life, learned: learned.clone() };
            let writing = Writing::begin_in_memory(self.clone(), Origin::Here);
            let ended = writing.attempt_in_memory(Some(written));
            if let Ended::Stored = ended {
                self.tell_ended(&ended, Origin::Here);
                return Ok(());
            }
        }
        self.tell_ended(&Ended::Fenced, Origin::Here);
        Err(overtaken())
    }

    /// How long what is cached will live; `Duration::MAX` for as long as nothing invalidates or evicts it.
    pub(crate) async fn remaining(&self) -> Result<Option<Duration>> {
        let Some(store) = self.engine.shared_for(self.site).cloned() else {
            return Ok(self.remaining_in_memory());
        };
        let sent = self.engine.now();
        let found =
            self.lifetime(&store).await.inspect_err(|error| self.engine.count_error(error))?;
        Ok(found.map(|life| match life {
            Life::For(life) => life.saturating_sub(sent.until(self.engine.now())),
            Life::Forever => Duration::MAX,
        }))
    }

    pub(crate) fn remaining_in_memory(&self) -> Option<Duration> {
        let entry = self.in_memory(Sight::Unrecorded)?;
        Some(entry.fresh_until().map_or(Duration::MAX, |end| self.engine.now().until(end)))
    }

    async fn lifetime(&self, store: &Arc<dyn Store>) -> Result<Option<Life>> {
        match self.read_with_life(store, &self.fence()).await? {
            (Found::Valid(_), life) => Ok(life),
            (Found::Aged { .. } | Found::Refused(_), _) => Ok(None),
        }
    }

    /// Adds tags to what is cached; `false` when nothing is.
    pub(crate) async fn tag(&self, tags: &[String]) -> Result<bool> {
        let Some(store) = self.engine.shared_for(self.site).cloned() else {
            return Ok(self.tag_in_memory(tags));
        };
        // Other processes are told of it as of an invalidation, and so is this one.
        let telling = self.engine.telling(self.invalidation());
        let tagged = self.tag_shared(&store, tags).await;
        self.engine.session.recent.remember(self.invalidation(), self.engine.now());
        drop(telling);
        // As invalidated, and not only removed: a read that is under way would bring back the entry without its new tags.
        self.engine.forget(self.key.as_ref());
        tagged.inspect_err(|error| self.engine.count_error(error))
    }

    pub(crate) fn tag_in_memory(&self, tags: &[String]) -> bool {
        let engine = &self.engine;
        let Some(old) = engine.memory_hit(self.key.as_ref(), self.site, Sight::Unrecorded) else {
            return false;
        };
        let entry = old.with_fence(old.fence.clone().with_tags(&engine.fences, tags));
        // Under the key's lock, so that an invalidation finds one of the two entries. When one of the tags was invalidated
        // since the value was loaded, the entry goes with it.
        drops::after(|| {
            engine.fences.with_key(self.key.hash(), || {
                let tagged = engine.memory.remove_if(self.key.as_ref(), &old)
                    && engine.fences.is_live(self.key.text(), &entry.fence);
                if tagged {
                    engine.memory.insert(self.key.clone(), Arc::new(entry), None);
                }
                tagged
            })
        })
    }

    /// Rewrites the stored bytes under the nonce they have, so that an invalidation that comes between refuses them.
    async fn tag_shared(&self, store: &Arc<dyn Store>, tags: &[String]) -> Result<bool> {
        let claim = Claim {
            key: self.key.text(),
            tags,
            lease: None,
            refused: &[],
            known: None,
            tag_log: false,
            dependency_life: self.dependency_life(),
        };
        let unconfirmed = self.engine.unconfirmed();
        let claimed = store.claim(claim).await?;
        let ClaimOutcome::Found { value: bytes, life } = claimed.outcome else { return Ok(false) };
        let Ok(old) = envelope::parse(self.key.text(), &bytes, self.engine.settings.limits) else {
            self.count(Counter::Corrupt);
            return Ok(false);
        };
        // What is not proven must not be sealed anew.
        let Some(payload) = self.unpack(&old) else { return Ok(false) };
        let nonces: Vec<Option<Nonce>> = claimed.tag_nonces.iter().copied().map(Some).collect();
        let candidate = Candidate {
            bytes: &bytes,
            newest_pattern: claimed.patterns.last().map(|record| record.nonce),
            patterns: Some(&claimed.patterns),
            tags,
            tag_nonces: &nonces,
            unconfirmed: &unconfirmed,
        };
        // Under fresh nonces an entry that was invalidated would be current again.
        if !self.is_current(store, &old, &candidate).await? {
            return Ok(false);
        }
        let kept = old.tags.filter(|(name, _)| !tags.iter().any(|tag| tag == name));
        let added = tags.iter().map(String::as_str).zip(claimed.tag_nonces.iter().copied());
        let named: Vec<(&str, Nonce)> = kept.chain(added).collect();
        let bytes = self.rewrite(&old, &payload, &named)?;
        let fill = Fill {
            key: self.key.text(),
            nonce: old.header.key_nonce,
            value: &bytes,
            tags: &named,
            life,
            token: None,
            dependency_life: match life {
                Life::For(life) => dependency_life(Some(life)),
                Life::Forever => Life::Forever,
            },
            announced: true,
        };
        // What bears all of some tags only now counts as if it had borne them since its load.
        let names = || named.iter().map(|(name, _)| *name);
        let known = old.header.pattern_nonce;
        let stays = !unconfirmed.cover(self.key.text(), names())
            && spared(&claimed.patterns, known, self.key.text(), names()) == Some(true);
        Ok(store.fill(fill).await? && stays)
    }

    /// The same entry with these tags.
    fn rewrite(
        &self,
        old: &Envelope<'_>,
        payload: &[u8],
        tags: &[(&str, Nonce)],
    ) -> Result<Vec<u8>> {
        let Settings { limits, packing, .. } = &self.engine.settings;
        let header = Header { fill_id: envelope::new_fill_id(), ..old.header };
        let mut writer = EnvelopeWriter::begin(payload.len(), *limits, &header);
        for (name, nonce) in tags {
            writer.tag(name, *nonce)?;
        }
        writer.finish(self.key.text(), packing, |out| {
            out.extend_from_slice(payload);
            Ok(())
        })
    }
}

pub(super) fn overtaken() -> Error {
    Error::new(
        ErrorKind::Fenced,
        "other writes or invalidations of the key came between every time; nothing is stored under it",
    )
    .during("set")
}

pub(super) fn not_stored(error: &Error) -> Error {
    Error::new(
        error.kind(),
        format!("{error}; the value is not stored, and the key is invalidated as soon as the shared tier answers"),
    )
    .during("set")
    .with_source(error.clone())
}
