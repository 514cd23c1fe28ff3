//! What Larder promises, as a question that every state must answer.

use std::fmt;

use crate::{
    case::Case,
    state::{
        node::{Entry, Node},
        words::Version,
        world::World,
    },
};

/// A promise that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// Memory serves what this very process has invalidated.
    OwnMemory,
    /// Memory serves what another process invalidated, and had confirmed, a bound ago or longer.
    BoundedMemory,
    /// The shared tier holds as valid what was invalidated, and confirmed.
    Shared,
    /// A caller is given what was invalidated before it came: by its own process, or so long ago that it may not.
    Returned,
    /// A load is stored between BEGIN and FINISH.
    StoredBesideAWriter,
    /// A load that lost its lease stores over what its successor stored.
    LostLeaseStored,
    /// Nothing that may happen without a fault lets a waiting caller go on.
    Stuck,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnMemory => "memory serves what this process has invalidated",
            Self::BoundedMemory => {
                "memory serves what was invalidated, and confirmed, a bound ago or longer"
            }
            Self::Shared => "the shared tier holds an invalidated value as valid",
            Self::Returned => "a caller is given what was invalidated before it came",
            Self::StoredBesideAWriter => "a load is stored while a writer is at work",
            Self::LostLeaseStored => "a load without its lease stores over its successor's value",
            Self::Stuck => "a caller waits for ever",
        })
    }
}

/// The promise that this state breaks, if any.
///
/// What a memory hit returns depends on nothing but the state, so it is asked of every state and is no step of its own.
pub(crate) fn broken(case: &Case, world: &World) -> Option<Broken> {
    let bounded = world.bounded(case);
    let nodes = &world.nodes[..case.nodes];
    nodes.iter().find_map(|node| broken_memory(case, node, bounded)).or_else(|| {
        let version = world.server.valid(case.tags)?;
        (version < world.confirmed[0]).then_some(Broken::Shared)
    })
}

fn broken_memory(case: &Case, node: &Node, bounded: Version) -> Option<Broken> {
    let entry = node.memory.filter(|entry| is_served(case, node, entry))?;
    if entry.version < node.own {
        Some(Broken::OwnMemory)
    } else {
        (entry.version < bounded).then_some(Broken::BoundedMemory)
    }
}

/// Whether a memory hit returns this entry now.
pub(crate) fn is_served(case: &Case, node: &Node, entry: &Entry) -> bool {
    entry.age < case.bound || entry.lasting && node.session.live > 0
}
