//! Changes of tags that are announced.

use std::collections::HashMap;

use tokio::time::Instant;

use super::tier::Mark;
use crate::Nonce;

/// Who is changing which tag.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(HashMap<String, Vec<Mark>>);

impl Changes {
    /// A request that was repeated is no other change.
    pub(super) fn begin(&mut self, tags: &[String], mark: Mark) {
        for tag in tags {
            let marks = self.0.entry(tag.clone()).or_default();
            marks.retain(|one| one.token != mark.token);
            marks.push(mark.clone());
        }
    }

    /// Ends one change. What others announced of the same tags stays.
    pub(super) fn finish(&mut self, tags: &[String], token: Nonce) {
        for tag in tags {
            if let Some(marks) = self.0.get_mut(tag) {
                marks.retain(|mark| mark.token != token);
            }
        }
    }

    /// Whether somebody is changing this tag.
    pub(super) fn has(&self, tag: &str, now: Instant) -> bool {
        self.0.get(tag).into_iter().flatten().any(|mark| !mark.until.passed(now))
    }

    /// Whether somebody is changing one of these tags.
    pub(super) fn reach(&self, tags: &[String], now: Instant) -> bool {
        tags.iter().any(|tag| self.has(tag, now))
    }

    /// All tags that somebody is changing.
    pub(super) fn all(&mut self, now: Instant) -> Vec<String> {
        self.0.retain(|_, marks| {
            marks.retain(|mark| !mark.until.passed(now));
            !marks.is_empty()
        });
        self.0.keys().cloned().collect()
    }

    pub(super) fn lose(&mut self, tag: &str) {
        self.0.remove(tag);
    }
}
