//! The annotated functions: what the attributes would expand to.

use cache_core::__private::{Layer, Spec, Tags, Ttl, shared};

use crate::{
    cover::learned_tag,
    oracle::Promise,
    plan::How,
    source::{Family, ITEMS, group},
};

/// The functions that read one family of keys.
pub(crate) struct Functions {
    both: Spec<u64>,
    shared: Spec<u64>,
    leased: Spec<u64>,
    leased_shared: Spec<u64>,
    memory: Spec<u64>,
    brief: Spec<u64>,
    renewing: Spec<u64>,
    renewing_shared: Spec<u64>,
    renewing_leased: Spec<u64>,
    covering: Spec<u64>,
    covering_shared: Spec<u64>,
    covering_last: Spec<u64>,
}

type Literals = &'static [&'static str];

impl Functions {
    const fn new(family: Family, key: Literals, tags: &'static [Literals]) -> Self {
        Self {
            both: spec(family, key, tags),
            shared: spec(family, key, tags).layer(Layer::Shared),
            leased: spec(family, key, tags).lease(3_000, Some(2_000)),
            leased_shared: spec(family, key, tags).layer(Layer::Shared).lease(800, None),
            memory: spec(family, key, tags).layer(Layer::Memory),
            brief: spec(family, key, tags).ttl(Ttl::millis(700)),
            renewing: renewing(family, key, tags).refresh_ahead(0.5),
            renewing_shared: renewing(family, key, tags).layer(Layer::Shared),
            renewing_leased: renewing(family, key, tags)
                .lease(3_000, Some(2_000))
                .early_refresh(1.0),
            covering: covering(family, key, tags, false).soft_timeout(60),
            covering_shared: covering(family, key, tags, false).layer(Layer::Shared),
            covering_last: covering(family, key, tags, true).soft_timeout(60),
        }
    }
}

const fn spec(family: Family, key: Literals, tags: &'static [Literals]) -> Spec<u64> {
    let spec = Spec::new(shared::<u64>(), "simulation", "function", key).tags(tags);
    match family {
        Family::Learning => spec.learned(&["group:{value.group()}"], learn),
        Family::Maybe => spec.negative_ttl(60_000),
        Family::Plain | Family::Set => spec,
    }
}

const fn renewing(family: Family, key: Literals, tags: &'static [Literals]) -> Spec<u64> {
    spec(family, key, tags).ttl(Ttl::millis(700)).stale(20_000, 0, false)
}

const fn covering(
    family: Family,
    key: Literals,
    tags: &'static [Literals],
    even_invalidated: bool,
) -> Spec<u64> {
    spec(family, key, tags).ttl(Ttl::millis(700)).stale(0, 30_000, even_invalidated)
}

fn learn(value: &u64, _: &[String], tags: &mut Tags) {
    tags.add(&[&learned_tag(group(value / ITEMS as u64))], &[]);
}

static PLAIN: Functions =
    Functions::new(Family::Plain, &["plain:", ""], &[&["plain"], &["n:", ""]]);
static LEARNING: Functions =
    Functions::new(Family::Learning, &["learning:", ""], &[&["learning"], &["n:", ""]]);
static MAYBE: Functions =
    Functions::new(Family::Maybe, &["maybe:", ""], &[&["maybe"], &["n:", ""]]);
static SET: Functions = Functions::new(Family::Set, &["set:", ""], &[&["set"], &["n:", ""]]);

/// The function of this family that is annotated so; `None` for what is done by hand.
pub(crate) fn function(family: Family, how: How) -> Option<&'static Spec<u64>> {
    let functions = match family {
        Family::Plain => &PLAIN,
        Family::Learning => &LEARNING,
        Family::Maybe => &MAYBE,
        Family::Set => &SET,
    };
    Some(match how {
        How::Both => &functions.both,
        How::Shared => &functions.shared,
        How::Leased => &functions.leased,
        How::LeasedShared => &functions.leased_shared,
        How::Memory => &functions.memory,
        How::Brief => &functions.brief,
        How::Renewing => &functions.renewing,
        How::RenewingShared => &functions.renewing_shared,
        How::RenewingLeased => &functions.renewing_leased,
        How::Covering => &functions.covering,
        How::CoveringShared => &functions.covering_shared,
        How::CoveringLast => &functions.covering_last,
        How::Get | How::GetOrSet => return None,
    })
}

impl How {
    /// What is stored by hand bears no tag that only the value tells.
    pub(crate) fn on(self, family: Family) -> Self {
        if family == Family::Learning && self == Self::GetOrSet { Self::Get } else { self }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Shared => "shared",
            Self::Leased => "leased",
            Self::LeasedShared => "leased shared",
            Self::Memory => "memory",
            Self::Brief => "brief",
            Self::Get => "get",
            Self::GetOrSet => "get_or_set",
            Self::Renewing => "renewing",
            Self::RenewingShared => "renewing shared",
            Self::RenewingLeased => "renewing leased",
            Self::Covering => "covering",
            Self::CoveringShared => "covering shared",
            Self::CoveringLast => "covering last",
        }
    }

    /// What it promises when it asks.
    pub(crate) fn promise(self) -> Promise {
        match self {
            Self::Shared | Self::LeasedShared | Self::RenewingShared | Self::CoveringShared => {
                Promise::Strict
            }
            Self::Memory => Promise::Own,
            Self::Both
            | Self::Leased
            | Self::Brief
            | Self::Get
            | Self::GetOrSet
            | Self::Renewing
            | Self::RenewingLeased
            | Self::Covering
            | Self::CoveringLast => Promise::Bounded,
        }
    }

    /// What it promises of a value that stands in for its body's.
    pub(crate) fn promise_instead(self) -> Promise {
        match self {
            Self::CoveringLast => Promise::Nothing,
            _ => Promise::Known,
        }
    }
}
