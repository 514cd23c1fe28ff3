//! Whether bytes from the shared tier are a value that may be served.

use std::sync::Arc;

use cache_store::{Nonce, Record, Result, Store};

use super::{Call, replay::Unconfirmed, same_rules};
use crate::{
    envelope::{self, Envelope},
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
    },
    /// The head of the bytes, so that they are not offered again.
    Refused(Vec<u8>),
}

impl Call {
    /// Checks the envelope, the type, the function's rules, the patterns and the tags; decodes last.
    ///
    /// Errors are the shared tier's alone: bytes that are wrong in any way are refused, and counted.
    pub(super) async fn validate(
        &self,
        store: &Arc<dyn Store>,
        candidate: Candidate<'_>,
    ) -> Result<Verdict> {
        let refused = || Ok(Verdict::Refused(head(candidate.bytes)));
        let Some(envelope) = self.open(candidate.bytes) else { return refused() };
        if !self.is_current(store, &envelope, &candidate).await? {
            return refused();
        }
        let Some(value) = self.decode(&envelope) else { return refused() };
        let tags = envelope.tags.map(|(name, _)| name.to_owned()).collect();
        Ok(Verdict::Valid { value, tags, encoded: candidate.bytes.len() })
    }

    /// Whether nothing that the entry depends on besides its key was invalidated since its load began.
    pub(super) async fn is_current(
        &self,
        store: &Arc<dyn Store>,
        envelope: &Envelope<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<bool> {
        let tags = envelope.tags.map(|(name, _)| name);
        Ok(!candidate.unconfirmed.cover(self.key.text(), tags)
            && self.pattern_allows(store, envelope, candidate).await?
            && self.tags_allow(store, envelope, candidate).await?)
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Option<Envelope<'a>> {
        let counters = &self.engine.counters;
        let envelope = match envelope::parse(self.key.text(), bytes, self.engine.settings.limits) {
            Ok(envelope) => envelope,
            Err(corrupt) => {
                counters.count(Counter::Corrupt);
                tracing::debug!(target: "larder", %corrupt, key = self.key.text(), "a miss");
                return None;
            }
        };
        let ours = envelope::type_fingerprint((self.value.name)(), self.site.version);
        if envelope.header.type_fingerprint != ours {
            counters.count(Counter::ForeignType);
            return None;
        }
        same_rules(envelope.header.rules_fingerprint, self.site.rules).then_some(envelope)
    }

    async fn pattern_allows(
        &self,
        store: &Arc<dyn Store>,
        envelope: &Envelope<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<bool> {
        match candidate.newest_pattern {
            Some(newest) if newest == envelope.header.pattern_nonce => return Ok(true),
            // No log any more: everything under the prefix was cleared or lost.
            None => return Ok(false),
            Some(_) => {}
        }
        let (known, key) = (envelope.header.pattern_nonce, self.key.text());
        // The log that came with the bytes may begin later than what the entry knows.
        if let Some(spared) = candidate.patterns.and_then(|log| spared(log, known, key)) {
            return Ok(spared);
        }
        Ok(spared(&store.patterns().await?, known, key).unwrap_or(false))
    }

    async fn tags_allow(
        &self,
        store: &Arc<dyn Store>,
        envelope: &Envelope<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<bool> {
        let mut unknown = Vec::new();
        let mut expected = Vec::new();
        for (name, nonce) in envelope.tags {
            match candidate.tags.iter().position(|tag| tag == name) {
                Some(at) if candidate.tag_nonces.get(at) == Some(&Some(nonce)) => {}
                Some(_) => return Ok(false),
                None => {
                    unknown.push(name.to_owned());
                    expected.push(Some(nonce));
                }
            }
        }
        Ok(unknown.is_empty() || store.tag_nonces(&unknown).await? == expected)
    }

    fn decode(&self, envelope: &Envelope<'_>) -> Option<Stored> {
        if envelope.header.negative {
            // Without `negative_ttl` this function never serves a cached `None`.
            return self.site.negative_ttl.map(|_| None);
        }
        match self.value.decode(envelope.payload, envelope.header.codec) {
            Ok(value) => Some(Some(value)),
            Err(error) => {
                self.engine.counters.count(Counter::CodecErrors);
                tracing::debug!(target: "larder", %error, "an entry was not decoded");
                None
            }
        }
    }
}

/// The head of refused bytes, by which the shared tier knows not to offer them again.
fn head(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(envelope::HEAD_LEN)].to_vec()
}

/// Whether no record after the one that the entry knows matches its key; `None` when the log does not hold that one.
fn spared(log: &[Record], known: Nonce, key: &str) -> Option<bool> {
    let at = log.iter().position(|record| record.nonce == known)?;
    Some(log[at + 1..].iter().all(|record| {
        // A glob that cannot be read might match anything.
        cache_template::Glob::parse(&record.pattern).is_ok_and(|glob| !glob.matches(key))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(patterns: &[&str]) -> Vec<Record> {
        let record = |pattern: &&str| Record {
            nonce: Nonce::random().unwrap(),
            pattern: (*pattern).to_owned(),
        };
        patterns.iter().map(record).collect()
    }

    #[test]
    fn only_later_records_refuse_an_entry() {
        let log = log(&["", "user:*", "order:*"]);
        assert_eq!(spared(&log, log[0].nonce, "user:1"), Some(false));
        assert_eq!(spared(&log, log[1].nonce, "user:1"), Some(true));
        assert_eq!(spared(&log, log[1].nonce, "order:1"), Some(false));
        assert_eq!(spared(&log, log[2].nonce, "order:1"), Some(true));
    }

    #[test]
    fn a_trimmed_or_unreadable_log_spares_nothing() {
        assert_eq!(spared(&log(&["user:*"]), Nonce::random().unwrap(), "order:1"), None);
        let log = log(&["", "order:[ab"]);
        assert_eq!(spared(&log, log[0].nonce, "user:1"), Some(false));
    }
}
