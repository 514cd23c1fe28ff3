use std::collections::HashMap;

use tokio::time::Instant;

use super::shelf::Deadline;
use crate::{Nonce, TagPage};

/// How many keys are on one page.
const PAGE: usize = 100;

/// Which keys were stored with a tag, each with the nonce that the tag had: an index that nothing rests on.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(HashMap<String, HashMap<(String, Nonce), Deadline>>);

impl Index {
    /// A value was stored that names these tags.
    pub(super) fn add(&mut self, key: &str, tags: &[(&str, Nonce)], until: Deadline) {
        for (tag, nonce) in tags {
            let members = self.0.entry((*tag).to_owned()).or_default();
            members.insert((key.to_owned(), *nonce), until);
        }
    }

    /// The keys that were stored with the tag under this nonce and have not ended.
    pub(super) fn page(
        &mut self,
        tag: &str,
        nonce: Option<Nonce>,
        from: u64,
        now: Instant,
    ) -> TagPage {
        let Some(members) = self.0.get_mut(tag) else { return TagPage::default() };
        members.retain(|(_, of), until| Some(*of) == nonce && !until.passed(now));
        let mut keys: Vec<String> = members.keys().map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(keys.len());
        let rest = keys.split_off(from);
        let next = (rest.len() > PAGE).then_some((from + PAGE) as u64);
        TagPage { keys: rest.into_iter().take(PAGE).collect(), next }
    }
}
