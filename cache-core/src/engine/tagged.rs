//! Which keys bear a tag: the shared tier's index, then this process's memory.

use std::collections::BTreeSet;

use cache_store::{Error, ErrorKind, Result};

use super::Engine;

/// A store that never comes to the end of a tag is asked no more than this often.
const MOST_PAGES: usize = 10_000;

impl Engine {
    /// The keys that bear the tag, as far as they are known, and at most `limit` of them.
    pub(crate) async fn tagged(&self, tag: &str, limit: usize) -> Result<Vec<String>> {
        let Some(store) = &self.shared else { return Ok(self.tagged_here(tag, limit)) };
        let (mut keys, mut from) = (BTreeSet::new(), 0);
        for _ in 0..MOST_PAGES {
            let unconfirmed = self.unconfirmed();
            let page = store.tagged(tag, from).await;
            let page = page.inspect_err(|error| self.count_error(error))?.ok_or_else(no_index)?;
            self.answered();
            let tags = || std::iter::once(tag);
            keys.extend(page.keys.into_iter().filter(|key| !unconfirmed.cover(key, tags())));
            match page.next {
                Some(next) if keys.len() < limit => from = next,
                _ => break,
            }
        }
        if keys.len() < limit {
            self.add_tagged_here(tag, &mut keys);
        }
        Ok(keys.into_iter().take(limit).collect())
    }

    /// The same of this process's memory alone.
    pub(crate) fn tagged_here(&self, tag: &str, limit: usize) -> Vec<String> {
        let mut keys = BTreeSet::new();
        self.add_tagged_here(tag, &mut keys);
        keys.into_iter().take(limit).collect()
    }

    fn add_tagged_here(&self, tag: &str, keys: &mut BTreeSet<String>) {
        let bears = self.fences.bearing(tag);
        self.memory.each(|key, entry| {
            if bears(&entry.fence) && self.fences.is_live(key, &entry.fence) {
                keys.insert(key.to_owned());
            }
        });
    }
}

fn no_index() -> Error {
    let message =
        "the shared tier keeps no index of tags: give `RedisConfig::tag_index` more than 0";
    Error::new(ErrorKind::Config, message)
}
