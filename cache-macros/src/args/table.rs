//! Which attribute takes which option.

use std::fmt;

/// The attributes of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    CacheAside,
    Memoize,
    StampedeProtect,
    WriteThrough,
    CacheInvalidate,
}

impl Attribute {
    pub(crate) const ALL: [Self; 5] = [
        Self::CacheAside,
        Self::Memoize,
        Self::StampedeProtect,
        Self::WriteThrough,
        Self::CacheInvalidate,
    ];

    /// Its name in a user's code.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CacheAside => "cache_aside",
            Self::Memoize => "memoize",
            Self::StampedeProtect => "stampede_protect",
            Self::WriteThrough => "write_through",
            Self::CacheInvalidate => "cache_invalidate",
        }
    }

    /// Whether it answers calls from the cache.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::CacheAside | Self::Memoize | Self::StampedeProtect)
    }

    /// The options it takes.
    pub(crate) fn options(self) -> impl Iterator<Item = &'static str> {
        let own: &[&[&str]] = match self {
            Self::CacheAside | Self::Memoize => &[READER, SERVING, BATCH],
            Self::StampedeProtect => &[READER, SERVING, LEASE],
            Self::WriteThrough => &[STORES, INVALIDATES],
            Self::CacheInvalidate => &[INVALIDATES],
        };
        own.iter().copied().flatten().chain(EVERYWHERE).copied()
    }

    /// Why it does not take an option that exists, and what to do instead.
    pub(crate) fn refuses(self, option: &str) -> Option<&'static str> {
        let known = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&option));
        if self.options().any(|own| own == option) {
            return None;
        }
        if known(&[LEASE]) {
            return Some("the lock belongs to `#[stampede_protect]`");
        }
        if self == Self::StampedeProtect && known(&[BATCH]) {
            return Some(
                "a lock is for one key, and a batch waits for nobody. Use `#[cache_aside]`, or leave `batch` out",
            );
        }
        if self.reads() {
            let writers = "it belongs to a writer, `#[write_through]` or `#[cache_invalidate]`";
            return known(&[STORES, INVALIDATES]).then_some(writers);
        }
        if option == "soft_timeout" {
            return Some("a writer has no older value to give instead. Use `timeout`");
        }
        if known(&[SERVING]) {
            return Some("a writer always runs its body, so it belongs to the reader");
        }
        if self == Self::CacheInvalidate && known(&[STORES]) {
            return Some("`#[cache_invalidate]` stores nothing: use `#[write_through]`");
        }
        known(&[READER, BATCH]).then_some("it belongs to the reader")
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#[{}]", self.name())
    }
}

const READER: &[&str] = &[
    "key",
    "ttl",
    "tags",
    "skip",
    "layer",
    "version",
    "negative_ttl",
    "jitter",
    "cache_if",
    "ttl_fn",
];
const BATCH: &[&str] = &["batch"];
const LEASE: &[&str] = &["lock_ttl", "lock_wait"];
const STORES: &[&str] = &["key", "entry", "ttl", "tags", "layer", "version"];
const INVALIDATES: &[&str] =
    &["invalidates", "invalidate_keys", "invalidate_patterns", "invalidate_tags"];
const EVERYWHERE: &[&str] =
    &["timeout", "cache", "crate", "companions", "in_impl", "returns", "share_errors"];
const SERVING: &[&str] = &["stale", "refresh_ahead", "early_refresh", "soft_timeout"];
