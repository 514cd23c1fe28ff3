//! Whether bytes from the shared tier are a value that may be served.

use std::{borrow::Cow, sync::Arc};

use cache_store::{Nonce, Reading, Record, Recorded, Result, Store};
use cache_template::Glob;

use super::{Call, Settings, replay::Unconfirmed, same_rules};
use crate::{
    envelope::{self, Envelope, Marks, Refusal},
    stats::Counter,
    value::Stored,
};

/// Stored bytes under the current key nonce, and what is known of their other dependencies.
pub(super) struct Candidate<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) newest_pattern: Option<Nonce>,
    /// The pattern log, or the end of it, when it came with the bytes.
    pub(super) patterns: Option<&'a [Record]>,
    /// Tags whose nonces came with the bytes.
    pub(super) tags: &'a [String],
    pub(super) tag_nonces: &'a [Option<Nonce>],
    /// As it was before the bytes were asked for.
    pub(super) unconfirmed: &'a Unconfirmed,
}

pub(super) enum Verdict {
    Valid {
        value: Stored,
        tags: Vec<String>,
        encoded: usize,
        /// What it tells of its age and its head, where it may turn out to be too old.
        marks: Option<(Marks, Vec<u8>)>,
    },
    /// The head of the bytes, so that they are not offered again.
    Refused(Vec<u8>),
}

/// What the shared tier has still to be asked before an entry may be served.
#[derive(Default)]
pub(super) struct Doubts {
    /// Whether a pattern that it does not know may match it.
    pub(super) log: bool,
    /// Tags whose nonces did not come with the bytes, and what they have to be.
    pub(super) tags: Vec<String>,
    pub(super) expected: Vec<Option<Nonce>>,
}

impl Doubts {
    const fn any(&self) -> bool {
        self.log || !self.tags.is_empty()
    }
}

impl Call {
    /// What was read, if it is under the key's current nonce.
    pub(super) fn candidate<'a>(
        &'a self,
        reading: &'a Reading,
        unconfirmed: &'a Unconfirmed,
    ) -> Option<Candidate<'a>> {
        let (bytes, nonce) = (reading.value.as_deref()?, reading.key_nonce?);
        bytes.starts_with(nonce.as_bytes()).then_some(Candidate {
            bytes,
            newest_pattern: reading.pattern_nonce,
            patterns: None,
            tags: &self.tags,
            tag_nonces: &reading.tag_nonces,
            unconfirmed,
        })
    }

    /// Checks the envelope, the type, the function's rules, the patterns and the tags; decodes last. `None` when the shared tier
    /// has still to be asked something, which it hardly ever has.
    pub(super) fn verdict_at_once(&self, candidate: &Candidate<'_>) -> Option<Verdict> {
        let Some(envelope) = self.open(candidate.bytes) else {
            return Some(Verdict::refused(candidate.bytes));
        };
        match self.doubts(&envelope, candidate) {
            None => Some(Verdict::refused(candidate.bytes)),
            Some(doubts) if doubts.any() => None,
            Some(_) => Some(self.verdict(&envelope, candidate.bytes)),
        }
    }

    /// The same, whatever has to be asked.
    ///
    /// Errors are the shared tier's alone: bytes that are wrong in any way are refused, and counted.
    pub(super) async fn validate(
        &self,
        store: &Arc<dyn Store>,
        candidate: Candidate<'_>,
    ) -> Result<Verdict> {
        let Some(envelope) = self.open(candidate.bytes) else {
            return Ok(Verdict::refused(candidate.bytes));
        };
        if !self.is_current(store, &envelope, &candidate).await? {
            return Ok(Verdict::refused(candidate.bytes));
        }
        Ok(self.verdict(&envelope, candidate.bytes))
    }

    /// Whether nothing that the entry depends on besides its key was invalidated since its load began.
    pub(super) async fn is_current(
        &self,
        store: &Arc<dyn Store>,
        envelope: &Envelope<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<bool> {
        let Some(doubts) = self.doubts(envelope, candidate) else { return Ok(false) };
        if doubts.log && !self.is_spared(&store.patterns().await?, envelope) {
            return Ok(false);
        }
        Ok(doubts.tags.is_empty() || store.tag_nonces(&doubts.tags).await? == doubts.expected)
    }

    /// What is still to be asked; `None` when what is known rules the entry out already.
    pub(super) fn doubts(
        &self,
        envelope: &Envelope<'_>,
        candidate: &Candidate<'_>,
    ) -> Option<Doubts> {
        // It may come from before or from after.
        if self.engine.has_gone_back(candidate.unconfirmed) {
            return None;
        }
        let tags = envelope.tags.map(|(name, _)| name);
        if candidate.unconfirmed.cover(self.key.text(), tags) {
            return None;
        }
        // Where there is no log any more, everything under the prefix was cleared or lost.
        let newest = candidate.newest_pattern?;
        let mut doubts = Doubts::default();
        if newest != envelope.header.pattern_nonce {
            match candidate.patterns.and_then(|log| self.spared(log, envelope)) {
                Some(true) => {}
                Some(false) => return None,
                // There is no log here, or it begins later than what the entry knows.
                None => doubts.log = true,
            }
        }
        for (name, nonce) in envelope.tags {
            match candidate.tags.iter().position(|tag| tag == name) {
                Some(at) if candidate.tag_nonces.get(at) == Some(&Some(nonce)) => {}
                Some(_) => return None,
                None => {
                    doubts.tags.push(name.to_owned());
                    doubts.expected.push(Some(nonce));
                }
            }
        }
        Some(doubts)
    }

    /// Whether no record that the entry does not know covers it.
    pub(super) fn is_spared(&self, log: &[Record], envelope: &Envelope<'_>) -> bool {
        self.spared(log, envelope) == Some(true)
    }

    fn spared(&self, log: &[Record], envelope: &Envelope<'_>) -> Option<bool> {
        let tags = envelope.tags.map(|(name, _)| name);
        spared(log, envelope.header.pattern_nonce, self.key.text(), tags)
    }

    /// The value of an entry that is current, if it can be read.
    pub(super) fn verdict(&self, envelope: &Envelope<'_>, bytes: &[u8]) -> Verdict {
        let Some(value) = self.decode(envelope) else { return Verdict::refused(bytes) };
        let tags = envelope.tags.map(|(name, _)| name.to_owned()).collect();
        let marks = envelope.header.marks;
        let may_be_old = marks.is_some() || self.site.serving.ages();
        let marks = may_be_old.then(|| (marks.unwrap_or_default(), head(bytes)));
        Verdict::Valid { value, tags, encoded: bytes.len(), marks }
    }

    /// The entry in these bytes, if it is one of this function's; why it is not is counted.
    pub(super) fn open<'a>(&self, bytes: &'a [u8]) -> Option<Envelope<'a>> {
        let envelope = match envelope::parse(self.key.text(), bytes, self.engine.settings.limits) {
            Ok(envelope) => envelope,
            Err(corrupt) => {
                self.count(Counter::Corrupt);
                tracing::debug!(target: "larder", %corrupt, key = self.key.text(), "a miss");
                return None;
            }
        };
        if let Err(refusal) = self.engine.settings.packing.admits(&envelope) {
            self.count_refusal(&refusal);
            return None;
        }
        let ours = envelope::type_fingerprint((self.value.name)(), self.site.version);
        if envelope.header.type_fingerprint != ours {
            self.count(Counter::ForeignType);
            return None;
        }
        same_rules(envelope.header.rules_fingerprint, self.site.rules).then_some(envelope)
    }

    /// The payload as the codec wrote it; why it is not given is counted.
    pub(super) fn unpack<'a>(&self, envelope: &Envelope<'a>) -> Option<Cow<'a, [u8]>> {
        let Settings { packing, limits, .. } = &self.engine.settings;
        packing
            .unpack(self.key.text(), envelope, *limits)
            .inspect_err(|refusal| self.count_refusal(refusal))
            .ok()
    }

    fn count_refusal(&self, refusal: &Refusal) {
        self.count(match refusal {
            Refusal::Plaintext => Counter::PlaintextRefused,
            Refusal::Encrypted => Counter::EncryptedRefused,
            Refusal::UnknownKey(_) => Counter::UnknownKey,
            Refusal::Forged => Counter::Forged,
            Refusal::Compression(_) => Counter::CompressionErrors,
        });
        tracing::debug!(target: "larder", %refusal, key = self.key.text(), "a miss");
    }

    fn decode(&self, envelope: &Envelope<'_>) -> Option<Stored> {
        // A cached `None`, too, has to be proven where there are keys.
        let payload = self.unpack(envelope)?;
        if envelope.header.negative {
            // Without `negative_ttl` this function never serves a cached `None`.
            return self.site.negative_ttl.map(|_| None);
        }
        match self.value.decode(&payload, envelope.header.codec) {
            Ok(value) => Some(Some(value)),
            Err(error) => {
                self.count_codec_error(&error);
                None
            }
        }
    }
}

impl Verdict {
    pub(super) fn refused(bytes: &[u8]) -> Self {
        Self::Refused(head(bytes))
    }
}

/// The head of refused bytes, by which the shared tier knows not to offer them again.
fn head(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(envelope::HEAD_LEN)].to_vec()
}

/// Whether no record after the one that the entry knows covers it; `None` when the log does not hold that one.
pub(super) fn spared<'t>(
    log: &[Record],
    known: Nonce,
    key: &str,
    tags: impl Iterator<Item = &'t str>,
) -> Option<bool> {
    let at = log.iter().position(|record| record.nonce == known)?;
    let tags: Vec<&str> = tags.collect();
    Some(!log[at + 1..].iter().any(|record| match &record.what {
        // A glob that cannot be read might match anything; and a log that begins anew in its middle is none of ours.
        Recorded::Pattern(glob) => Glob::parse(glob).map_or(true, |glob| glob.matches(key)),
        Recorded::AllOf(all) => all.iter().all(|one| tags.contains(&one.as_str())),
        Recorded::Opened => true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(records: &[&str]) -> Vec<Record> {
        let record = |text: &&str| Record {
            nonce: Nonce::random().unwrap(),
            what: Recorded::from_text(text),
        };
        records.iter().map(record).collect()
    }

    /// An entry that knows the log up to its record at `known`.
    fn spares(log: &[Record], known: usize, key: &str, tags: &[&str]) -> bool {
        spared(log, log[known].nonce, key, tags.iter().copied()).unwrap()
    }

    #[test]
    fn only_later_records_refuse_an_entry() {
        let log = log(&["", "user:*", "order:*"]);
        assert!(!spares(&log, 0, "user:1", &[]));
        assert!(spares(&log, 1, "user:1", &[]));
        assert!(!spares(&log, 1, "order:1", &[]));
        assert!(spares(&log, 2, "order:1", &[]));
    }

    #[test]
    fn a_record_of_several_tags_refuses_an_entry_that_bears_them_all() {
        let log = log(&["", "[all]1:a1:b"]);
        assert!(!spares(&log, 0, "k", &["c", "b", "a"]));
        assert!(spares(&log, 0, "k", &["a", "c", "a"]));
        assert!(spares(&log, 0, "k", &[]));
        assert!(spares(&log, 1, "k", &["a", "b"]));
    }

    #[test]
    fn a_trimmed_or_unreadable_log_spares_nothing() {
        let trimmed =
            spared(&log(&["user:*"]), Nonce::random().unwrap(), "order:1", [].into_iter());
        assert_eq!(trimmed, None);
        for unreadable in ["order:[ab", "[all]9:cut off", "[none]1:a", ""] {
            assert!(!spares(&log(&["", unreadable]), 0, "user:1", &[]), "{unreadable}");
        }
    }
}
