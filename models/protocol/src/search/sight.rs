//! What a reader can see in a state: shows that a case is not too poor for its promises to mean anything.

use crate::{
    case::Case,
    promise::is_served,
    state::{words::Version, world::World},
};

/// What the first process and the shared tier would serve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sight {
    /// What a memory hit returns.
    pub memory: Option<Lag>,
    /// Whether it is served only because a heartbeat was answered.
    pub by_heartbeat: bool,
    /// What a read of the shared tier that sees everything at once returns.
    pub shared: Option<Lag>,
}

/// How far a value is behind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lag {
    /// It is the source's.
    Current,
    /// The source has changed; the invalidation is not confirmed.
    Unconfirmed,
    /// The invalidation was confirmed so many ticks ago.
    Confirmed(u8),
}

impl Sight {
    pub(super) fn of(case: &Case, world: &World) -> Self {
        let node = &world.nodes[0];
        let entry = node.memory.filter(|entry| is_served(case, node, entry));
        Self {
            memory: entry.map(|entry| lag(case, world, entry.version)),
            by_heartbeat: entry.is_some_and(|entry| entry.age >= case.bound),
            shared: world.server.valid(case.tags).map(|version| lag(case, world, version)),
        }
    }
}

fn lag(case: &Case, world: &World, version: Version) -> Lag {
    let ago = (0..=case.bound).rev().find(|ago| version < world.confirmed[usize::from(*ago)]);
    match ago {
        Some(ticks) => Lag::Confirmed(ticks),
        None if version < world.source => Lag::Unconfirmed,
        None => Lag::Current,
    }
}
