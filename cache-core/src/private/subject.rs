//! One entry without the type of its value. Every annotated function has a [`Subject`](super::Subject) of its own; what
//! does not need the type is here, and so is compiled once and not once for each function.

use std::{sync::Arc, time::Duration};

use cache_store::Invalidation;

use super::{Site, Tags};
use crate::{
    clock::Moment,
    engine::{Call, Engine, Keep, KnownTags, Order},
    events::Origin,
    key::{Key, KeyPart},
    memory::Absence,
    value::{Erased, ErasedType},
};

/// One entry: its cache, its key, and what its tags and life are made of.
pub(crate) struct Untyped {
    site: &'static Site,
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: Key,
    /// What the look into memory found out, if it was one that found nothing.
    pub(super) absence: Option<Absence>,
    pub(crate) tags: Vec<String>,
    /// Rendered arguments that tags learned from the value use.
    pub(crate) learn_from: Box<[String]>,
    pub(crate) ttl: Option<Duration>,
}

impl Untyped {
    pub(super) fn new(site: &'static Site, engine: &Arc<Engine>, key: Key) -> Self {
        let literal = |tag: &&[&str]| (tag.len() == 1).then(|| tag[0].to_owned());
        Self {
            site,
            engine: Arc::clone(engine),
            key,
            absence: None,
            tags: site.tags.iter().copied().filter_map(|tag| literal(&tag)).collect(),
            learn_from: Box::default(),
            ttl: None,
        }
    }

    /// All placeholders of the known tags in order, then the arguments that learned tags use.
    pub(crate) fn tag_with(&mut self, mut parts: &[&dyn KeyPart]) {
        self.tags.clear();
        for tag in self.site.tags {
            let (own, rest) = parts.split_at(parts.len().min(tag.len() - 1));
            self.tags.push(crate::key::render(tag, own));
            parts = rest;
        }
        self.learn_from =
            parts.iter().map(|part| crate::key::render(&["", ""], &[*part])).collect();
    }

    /// What invalidates the entry.
    pub(crate) fn invalidation(&self) -> Order {
        Order {
            engine: Arc::clone(&self.engine),
            what: Invalidation::Keys(vec![self.key.text().to_owned()]),
            shared: self.site.layer.shared(),
            origin: Origin::Here,
        }
    }

    pub(super) fn call_of(&self, value: &'static ErasedType, shares_errors: bool) -> Call {
        Call {
            engine: Arc::clone(&self.engine),
            key: self.key.clone(),
            site: self.site,
            value,
            absence: self.absence,
            tags: KnownTags::new(&self.tags),
            life: self.fixed_life(),
            life_of: None,
            arrival: self.engine.fences.now(),
            arrived: self.engine.shared.as_ref().map_or(Moment::default(), |_| self.engine.now()),
            shares_errors,
            renewing: false,
        }
    }

    /// How long a value lives of which its function has said this, if it says anything.
    pub(super) fn life(&self, said: Option<Duration>) -> Option<Duration> {
        let life = said.map_or_else(|| self.fixed_life(), endless);
        life.map(|life| jittered(life, self.site.jitter))
    }

    /// How long any value lives: what the call says, then the function, then the cache.
    fn fixed_life(&self) -> Option<Duration> {
        match (self.ttl, self.site.ttl) {
            (Some(ttl), _) => endless(ttl),
            (None, Some(ttl)) => ttl.0,
            (None, None) => self.engine.settings.default_ttl,
        }
    }

    /// Those of the tags that a value told which the entry does not have anyhow.
    pub(super) fn new_of(&self, mut told: Tags) -> Vec<String> {
        told.0.retain(|tag| !self.tags.contains(tag));
        told.0
    }

    /// What is kept where there is no value.
    pub(super) fn nothing(&self) -> Keep {
        match self.site.negative_ttl {
            Some(ttl) => Keep::Value { value: None, life: Some(ttl), learned: Vec::new() },
            None => Keep::Pass { value: None, learned: Vec::new() },
        }
    }
}

/// What of a loaded value is kept, and for how long. `wanted`: by its function.
pub(super) fn keep_value(
    value: Erased,
    life: Option<Duration>,
    wanted: bool,
    learned: Vec<String>,
) -> Keep {
    let value = Some(value);
    if !wanted || life.is_some_and(|life| life.is_zero()) {
        return Keep::Pass { value, learned };
    }
    Keep::Value { value, life, learned }
}

/// [`Duration::MAX`] means for ever.
pub(super) fn endless(life: Duration) -> Option<Duration> {
    Some(life).filter(|life| *life != Duration::MAX)
}

/// Shortens a life by a random share of at most `share`, so that entries made together do not expire together.
fn jittered(life: Duration, share: f32) -> Duration {
    if share > 0.0 {
        let shorter = life.as_secs_f64() * f64::from(1.0 - share * fastrand::f32());
        // Rounding may take it past what a duration holds.
        Duration::try_from_secs_f64(shorter).map_or(life, |shorter| shorter.min(life))
    } else {
        life
    }
}
