//! After the body: stores what it returned in the shared tier, if nothing it depends on was invalidated meanwhile.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Fill, Lease, Life, Nonce, Result, Stamp};

use super::{Call, Loaded, Run, Settings};
use crate::{
    clock::Moment,
    envelope::{self, EnvelopeWriter, Header, Marks, hint},
    memory::Heard,
    private::BY_HAND,
    stats::{Counter, Counters},
    value::Stored,
};

/// What is wrong in most cases.
const UNCARRIED: &str = "a value did not pass through the codec: if its type asks the format what comes (`untagged`, `flatten`, \
    `tag = ..`, `skip_serializing_if`, `serde_json::Value`), it is never found in the shared tier; the codecs `json` and `msgpack` can \
    carry it";

/// What the shared tier said before the load.
pub(crate) enum Remote {
    /// This call has no shared tier.
    Unasked,
    /// It did not answer.
    Away,
    /// A writer is at work: nothing may be stored before it has finished.
    Writing,
    /// The nonces that the entry will carry.
    Captured(Box<Captured>),
}

/// Everything an entry depends on, as it was before its load.
pub(crate) struct Captured {
    /// When the shared tier was asked for all this.
    pub(crate) asked: Moment,
    /// What was heard from the shared tier since then is compared with this.
    pub(crate) heard: Option<Heard>,
    pub(crate) nonce: Nonce,
    pub(crate) pattern_nonce: Nonce,
    pub(crate) tag_nonces: Vec<Nonce>,
    pub(crate) tag_log: Option<Nonce>,
    /// The tags whose change was announced: what turns out to bear one of them is not stored.
    pub(crate) changing: Vec<String>,
    pub(crate) lease: Option<Lease>,
}

impl Run {
    /// Keeps the value in memory according to what became of it in the shared tier.
    pub(super) fn filled(
        &mut self,
        filled: Result<Filled>,
        loaded: &Loaded,
        life: Option<Duration>,
    ) {
        let now = self.call.engine.now();
        match filled {
            Ok(Filled::Stored { bytes, heard }) => {
                self.call.count(Counter::Fills);
                let proof = Some(self.call.proof(self.asked, heard));
                self.remember(loaded, life, now, proof, Some(bytes));
                // Storing has ended the lease.
                self.remote = Remote::Unasked;
            }
            Ok(Filled::Fenced) => self.call.count(Counter::FillsFenced),
            Ok(Filled::Unfit) | Err(_) => {
                self.remember(loaded, life, now, self.unconfirmed(), None);
            }
        }
    }

    /// One round trip, two when tags were learned from the value.
    pub(super) async fn fill(
        &self,
        value: &Stored,
        life: Option<Duration>,
        learned: &[String],
    ) -> Result<Filled> {
        let Some(store) = &self.call.engine.shared else { return Ok(Filled::Unfit) };
        let life = self.call.kept_for(value, life);
        let mut nonces = Vec::new();
        if !learned.is_empty() {
            let Some(stamp) = self.stamp(life, learned) else { return Ok(Filled::Fenced) };
            let asked = store.stamp_tags(stamp.captured, stamp.tags, stamp.dependency_life);
            match self.call.engine.watched("stamp", asked).await? {
                Some(stamped) => nonces = stamped,
                None => return Ok(Filled::Fenced),
            }
        }
        let Some(tags) = self.named(learned, &nonces) else { return Ok(Filled::Unfit) };
        let Some(bytes) = self.sealed(value, &tags) else { return Ok(Filled::Unfit) };
        let Some(fill) = self.request(&bytes, &tags, life) else { return Ok(Filled::Unfit) };
        let heard = self.confirming(learned);
        let stored = self.call.engine.watched("fill", store.fill(fill)).await?;
        self.call.engine.answered();
        Ok(Filled::after(stored, &bytes, heard))
    }

    /// The fence against what is heard, for a fill that is about to be sent.
    ///
    /// FILL compares the key's nonce: what was heard of the key before it is sent, and may be the making of that very
    /// nonce, no longer counts. Tags it does not compare: what was heard of them since the capture counts.
    pub(super) fn confirming(&self, learned: &[String]) -> Option<Heard> {
        let session = &self.call.engine.session;
        let heard = self.captured()?.heard.clone().filter(|heard| heard.follows);
        let heard = heard.map(|heard| session.with_tags(heard, learned));
        // Whoever does not rely on news need not count what the capture itself made.
        heard.or_else(|| self.heard.clone()).map(|heard| session.confirming(heard))
    }

    /// What confirms the tags that were learned from the value; `None` when nobody can.
    pub(super) fn stamp<'a>(
        &self,
        life: Option<Duration>,
        learned: &'a [String],
    ) -> Option<Stamp<'a>> {
        let Captured { tag_log, changing, .. } = self.captured()?;
        if is_changing(changing, learned) {
            return None;
        }
        Some(Stamp { captured: (*tag_log)?, tags: learned, dependency_life: dependency_life(life) })
    }

    /// The tags that the entry names, `nonces` being those of the learned ones.
    pub(super) fn named<'a>(
        &'a self,
        learned: &'a [String],
        nonces: &[Nonce],
    ) -> Option<Vec<(&'a str, Nonce)>> {
        let known = self.call.tags.iter().zip(&self.captured()?.tag_nonces);
        let all = known.chain(learned.iter().zip(nonces));
        Some(all.map(|(tag, nonce)| (tag.as_str(), *nonce)).collect())
    }

    /// The bytes to store.
    pub(super) fn sealed(&self, value: &Stored, tags: &[(&str, Nonce)]) -> Option<Vec<u8>> {
        let captured = self.captured()?;
        let load = self.load_time();
        self.call.encode(captured.nonce, captured.pattern_nonce, tags, value, load).ok()
    }

    /// What stores these bytes.
    pub(super) fn request<'a>(
        &'a self,
        bytes: &'a [u8],
        tags: &'a [(&'a str, Nonce)],
        life: Option<Duration>,
    ) -> Option<Fill<'a>> {
        let captured = self.captured()?;
        Some(Fill {
            key: self.call.key.text(),
            nonce: captured.nonce,
            value: bytes,
            tags,
            life: life.map_or(Life::Forever, Life::For),
            token: captured.lease.map(|lease| lease.token),
            dependency_life: dependency_life(life),
            announced: false,
        })
    }

    pub(super) fn captured(&self) -> Option<&Captured> {
        match &self.remote {
            Remote::Captured(captured) => Some(captured),
            Remote::Unasked | Remote::Away | Remote::Writing => None,
        }
    }
}

/// Whether a tag of the value was being changed when its load began: what was read then may be from before the change, and
/// nobody would say so any more if whoever changes it died.
pub(super) fn is_changing(changing: &[String], learned: &[String]) -> bool {
    learned.iter().any(|tag| changing.contains(tag))
}

/// What became of a value in the shared tier.
pub(super) enum Filled {
    Stored {
        bytes: usize,
        /// What is heard since is compared with this.
        heard: Option<Heard>,
    },
    /// Something was invalidated meanwhile, or the lease was lost.
    Fenced,
    /// Too large, or it does not encode.
    Unfit,
}

impl Filled {
    /// What the shared tier's answer means for these bytes.
    pub(super) fn after(stored: bool, bytes: &[u8], heard: Option<Heard>) -> Self {
        if stored { Self::Stored { bytes: bytes.len(), heard } } else { Self::Fenced }
    }
}

impl Call {
    /// The entry in one buffer; why a value cannot be stored is counted.
    pub(super) fn encode(
        &self,
        key_nonce: Nonce,
        pattern_nonce: Nonce,
        tags: &[(&str, Nonce)],
        value: &Stored,
        load: Duration,
    ) -> Result<Vec<u8>> {
        let serving = &self.site.serving;
        let marked = value.is_some() && serving.marks();
        let header = Header {
            key_nonce,
            pattern_nonce,
            fill_id: envelope::new_fill_id(),
            codec: self.engine.settings.codec,
            negative: value.is_none(),
            by_hand: self.site.rules == BY_HAND,
            type_fingerprint: envelope::type_fingerprint((self.value.name)(), self.site.version),
            rules_fingerprint: self.site.rules,
            marks: marked.then(|| Marks::new(serving.grace(), load)),
        };
        self.write(&header, tags, value).inspect_err(|error| self.count_unfit(error))
    }

    fn write(&self, header: &Header, tags: &[(&str, Nonce)], value: &Stored) -> Result<Vec<u8>> {
        let (name, Settings { limits, packing, .. }) = ((self.value.name)(), &self.engine.settings);
        let mut writer = EnvelopeWriter::begin(hint::capacity(name), *limits, header);
        for (name, nonce) in tags {
            writer.tag(name, *nonce)?;
        }
        let bytes = writer.finish(self.key.text(), packing, |out| match value {
            Some(value) => self.value.encode(value, header.codec, out),
            None => Ok(()),
        })?;
        hint::remember(name, bytes.len());
        Ok(bytes)
    }

    fn count_unfit(&self, error: &Error) {
        match error.kind() {
            ErrorKind::TooLarge => {
                self.count(Counter::TooLarge);
                tracing::debug!(target: "larder", %error, key = self.key.text(), "a value was not stored");
            }
            _ => self.count_codec_error(error),
        }
    }

    /// Counts a value that the codec did not write, or did not read back. A function's first one is told louder: when its type
    /// is one that the codec cannot carry, each call is a miss, and nothing else would say why.
    pub(super) fn count_codec_error(&self, error: &Error) {
        let counted = |counters: &Arc<Counters>| counters.get(Counter::CodecErrors);
        let is_first = self.engine.functions.with(self.site, counted) == 0;
        self.count(Counter::CodecErrors);
        let (module, function) = (self.site.module, self.site.function);
        let codec = self.engine.settings.codec;
        // What the codec says may have parts of the value in it.
        tracing::debug!(target: "larder", module, function, ?codec, %error, "a value did not pass through the codec");
        if is_first {
            tracing::warn!(target: "larder", module, function, ?codec, "{UNCARRIED}");
        }
    }

    /// How long the shared tier keeps a value that is fresh for `life`: also while it may stand in for another.
    pub(super) fn kept_for(&self, value: &Stored, life: Option<Duration>) -> Option<Duration> {
        let grace = value.as_ref().map_or(Duration::ZERO, |_| self.site.serving.grace());
        life.map(|life| life.saturating_add(grace))
    }

    /// Dependencies live at least twice as long as what depends on them, fresh or not.
    pub(super) fn dependency_life(&self) -> Life {
        let grace = self.site.serving.grace();
        dependency_life(self.life.map(|life| life.saturating_add(grace)))
    }
}

/// Twice the entry's life and never below an hour: a dependency that outlives its entries costs a hundred bytes, one
/// that does not costs the entries.
pub(super) fn dependency_life(life: Option<Duration>) -> Life {
    const LEAST: Duration = Duration::from_secs(3600);
    life.map_or(Life::Forever, |life| Life::For(life.saturating_mul(2).max(LEAST)))
}
