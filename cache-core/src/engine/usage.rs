//! How much of the memory tier is taken: counted by a look at every entry, so that no call need count.

use cache_template::Glob;

use super::Engine;
use crate::stats::MemoryUsage;

impl Engine {
    /// The entries that may be served by what this process has invalidated, of all keys or those that match.
    pub(crate) fn memory_usage(&self, keys: Option<&Glob>) -> MemoryUsage {
        let mut usage = MemoryUsage::default();
        self.memory.each(|key, entry| {
            if keys.is_none_or(|keys| keys.matches(key)) && self.fences.is_live(key, &entry.fence) {
                usage.entries += 1;
                usage.bytes += u64::from(entry.weight);
            }
        });
        usage
    }
}
