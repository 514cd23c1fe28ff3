//! What is fixed about one annotated function, built while compiling.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::{Serving, subject::endless};
use crate::{
    key::{Here, KeyPart, Marker, marker},
    value::{MemoryValue, SharedValue, Stored, ValueType},
};

/// Where a function's entries live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// In the process only.
    Memory,
    /// In the shared tier only: every hit is asked for.
    Shared,
    /// In both, where the cache has a shared tier.
    Both,
}

impl Layer {
    pub(crate) fn memory(self) -> bool {
        self != Self::Shared
    }

    pub(crate) fn shared(self) -> bool {
        self != Self::Memory
    }

    /// As it is written in an attribute.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Shared => "shared",
            Self::Both => "both",
        }
    }
}

/// A time to live that is known while compiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl(pub(crate) Option<Duration>);

impl Ttl {
    /// Until it is invalidated or evicted.
    pub const FOREVER: Self = Self(None);

    /// So many milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(Some(Duration::from_millis(millis)))
    }
}

/// The lease of a `#[stampede_protect]` function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeasePlan {
    pub(crate) ttl: Duration,
    pub(crate) wait: Duration,
}

/// The part of a [`Spec`] that does not depend on the value's type.
#[derive(Debug)]
pub struct Site {
    pub(crate) module: &'static str,
    pub(crate) function: &'static str,
    /// A function item beside this one, where the key begins with the function's path.
    pub(crate) here: Option<fn() -> Marker>,
    pub(crate) key: &'static [&'static str],
    pub(crate) tags: &'static [&'static [&'static str]],
    pub(crate) learns: bool,
    pub(crate) ttl: Option<Ttl>,
    /// Whether the value says how long it lives, so that nobody else knows.
    pub(crate) life_varies: bool,
    pub(crate) negative_ttl: Option<Duration>,
    pub(crate) jitter: f32,
    pub(crate) layer: Layer,
    pub(crate) version: u32,
    pub(crate) lease: Option<LeasePlan>,
    pub(crate) serving: Serving,
    /// Names the function's list of tags; entries made under another list are not this function's.
    pub(crate) rules: u64,
}

impl Site {
    /// The function's path, where its key begins with it.
    pub(crate) fn path(&self) -> Option<Here> {
        self.here.map(|marker| Here::new(marker(), self.function))
    }
}

/// [`Site::rules`] of entries set by hand, which every reader accepts.
pub(crate) const BY_HAND: u64 = 0;

type Learn<V> = fn(&V, &[String], &mut Tags);

/// What is fixed about one annotated function whose value type is `V`.
pub struct Spec<V: 'static> {
    pub(crate) site: Site,
    pub(crate) value: ValueType<V>,
    pub(crate) learn: Option<Learn<V>>,
    pub(crate) ttl_fn: Option<fn(&V) -> Duration>,
    pub(crate) cache_if: Option<fn(&V) -> bool>,
}

impl<V> Spec<V> {
    /// A function whose key is made of these literals with a placeholder between each two.
    #[must_use]
    pub const fn new(
        value: ValueType<V>,
        module: &'static str,
        function: &'static str,
        key: &'static [&'static str],
    ) -> Self {
        Self {
            site: Site {
                module,
                function,
                here: None,
                key,
                tags: &[],
                learns: false,
                ttl: None,
                life_varies: false,
                negative_ttl: None,
                jitter: 0.0,
                layer: Layer::Both,
                version: 0,
                lease: None,
                serving: Serving::NONE,
                rules: FNV_OFFSET,
            },
            value,
            learn: None,
            ttl_fn: None,
            cache_if: None,
        }
    }

    /// Entries that a person names by their key.
    pub(crate) const fn by_hand(value: ValueType<V>) -> Self {
        let mut spec = Self::new(value, "larder", "by hand", &[]);
        spec.site.rules = BY_HAND;
        spec
    }

    /// The key begins with the function's path, in its first placeholder: [`here_part`].
    #[must_use]
    pub const fn here(mut self, marker: fn() -> Marker) -> Self {
        self.site.here = Some(marker);
        self
    }

    /// Tags known before the load.
    #[must_use]
    pub const fn tags(mut self, known: &'static [&'static [&'static str]]) -> Self {
        let mut tag = 0;
        while tag < known.len() {
            let mut piece = 0;
            while piece < known[tag].len() {
                self.site.rules = fnv(self.site.rules, known[tag][piece]);
                piece += 1;
            }
            self.site.rules = fnv(self.site.rules, END);
            tag += 1;
        }
        self.site.tags = known;
        self
    }

    /// Tags made from the value: their source text, and what renders them.
    #[must_use]
    pub const fn learned(mut self, text: &'static [&'static str], learn: Learn<V>) -> Self {
        let mut tag = 0;
        while tag < text.len() {
            self.site.rules = fnv(self.site.rules, text[tag]);
            tag += 1;
        }
        self.site.learns = true;
        self.learn = Some(learn);
        self
    }

    /// How long entries live.
    #[must_use]
    pub const fn ttl(mut self, ttl: Ttl) -> Self {
        self.site.ttl = Some(ttl);
        self
    }

    /// How long an entry lives, from its value.
    #[must_use]
    pub const fn ttl_fn(mut self, ttl: fn(&V) -> Duration) -> Self {
        self.ttl_fn = Some(ttl);
        self.site.life_varies = true;
        self
    }

    /// Which values are kept.
    #[must_use]
    pub const fn cache_if(mut self, keep: fn(&V) -> bool) -> Self {
        self.cache_if = Some(keep);
        self
    }

    /// How long a `None` is kept, in milliseconds.
    #[must_use]
    pub const fn negative_ttl(mut self, millis: u64) -> Self {
        self.site.negative_ttl = Some(Duration::from_millis(millis));
        self
    }

    /// By which share at most a life is shortened at random.
    #[must_use]
    pub const fn jitter(mut self, share: f32) -> Self {
        self.site.jitter = share;
        self
    }

    /// Where entries live.
    #[must_use]
    pub const fn layer(mut self, layer: Layer) -> Self {
        self.site.layer = layer;
        self
    }

    /// The meaning of the value; entries of another version are misses.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.site.version = version;
        self
    }

    /// One process loads at a time.
    #[must_use]
    pub const fn lease(mut self, ttl_millis: u64, wait_millis: Option<u64>) -> Self {
        let wait = match wait_millis {
            Some(wait) => wait,
            None => ttl_millis,
        };
        self.site.lease = Some(LeasePlan {
            ttl: Duration::from_millis(ttl_millis),
            wait: Duration::from_millis(wait),
        });
        self
    }
}

/// What says how long a value was to live, without its type.
pub(crate) trait LifeOf: Send + Sync {
    /// `None` where it does not say. It is the function's own code, which may panic.
    fn said(&self, value: &Stored) -> Option<Duration>;
}

impl dyn LifeOf {
    /// How long the value was to live; `None` for ever, and where nobody knows.
    pub(crate) fn life_of(&self, value: &Stored) -> Option<Duration> {
        // Another process may have stored it: whoever finds it there did not ask for a panic.
        catch_unwind(AssertUnwindSafe(|| self.said(value))).ok().flatten().and_then(endless)
    }
}

impl<V: 'static> LifeOf for Spec<V> {
    fn said(&self, value: &Stored) -> Option<Duration> {
        Some(self.ttl_fn?(value.as_ref()?.downcast_ref()?))
    }
}

impl<V: 'static> Spec<V> {
    /// This, where it matters how long a value that is found was to live, and only the value knows.
    pub(crate) fn life_of(&'static self) -> Option<&'static dyn LifeOf> {
        let asked = self.site.life_varies && self.site.serving.refresh_ahead.is_some();
        asked.then_some(self)
    }
}

impl<V> fmt::Debug for Spec<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("site", &self.site)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// The witness that a value can be kept in memory and in the shared tier.
#[must_use]
pub const fn shared<V: SharedValue>() -> ValueType<V> {
    V::TYPE
}

/// The witness that a value can be kept in memory.
#[must_use]
pub const fn memory<V: MemoryValue>() -> ValueType<V> {
    V::TYPE
}

/// The function's path as the first part of its key.
#[must_use]
pub fn here_part<V>(spec: &'static Spec<V>) -> Here {
    let unmarked = || Here::new(marker(&here_part::<V>), spec.site.function);
    spec.site.path().unwrap_or_else(unmarked)
}

/// The tags that are learned from a value.
#[derive(Debug, Default)]
pub struct Tags(pub(crate) Vec<String>);

impl Tags {
    /// Adds the tag made of these literals with a part between each two.
    pub fn add(&mut self, literals: &[&str], parts: &[&dyn KeyPart]) {
        self.0.push(crate::key::render(literals, parts));
    }
}

/// Ends a list of literals; no template contains it.
const END: &str = "\0";

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over the text and an end mark: enough to tell lists of tags apart, and it runs while compiling.
const fn fnv(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_that_differ_have_different_rules() {
        let spec = || Spec::<u8>::new(memory(), "m", "f", &[""]);
        let learn: Learn<u8> = |_, _, _| {};
        let mut rules = [
            BY_HAND,
            spec().site.rules,
            spec().tags(&[&["a"]]).site.rules,
            spec().tags(&[&["ab"]]).site.rules,
            spec().tags(&[&["a", "b"]]).site.rules,
            spec().tags(&[&["a"], &["b"]]).site.rules,
            spec().tags(&[&["a"]]).learned(&["b"], learn).site.rules,
            spec().learned(&["a", "b"], learn).site.rules,
        ];
        rules.sort_unstable();
        assert!(rules.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
