//! The way to a broken promise, told so that a person can follow it.

use std::fmt;

use super::print::Print;
use crate::{
    canon::canonical,
    case::Case,
    promise::is_served,
    state::{
        node::{Link, Node},
        server::Marks,
        words::Version,
        world::World,
    },
    steps::{self, Next, Step},
};

/// Steps, one after the other, and what there is after each.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: Vec<(Step, String)>,
}

impl Trace {
    /// How many steps it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (step, state)) in self.lines.iter().enumerate() {
            writeln!(f, "{:>3}. {:<52} {state}", at + 1, step.to_string())?;
        }
        Ok(())
    }
}

/// Walks the way again, with the names and numbers that were left out of the states, and takes the last step.
pub(super) fn along(case: &Case, way: &[Print], last: &Next) -> Trace {
    let mut world = World::new(case);
    let (mut lines, mut next) = (Vec::new(), Vec::new());
    for print in way.iter().skip(1) {
        next.clear();
        steps::next(case, &world, &mut next);
        let Some(one) = next.iter().find(|one| Print::of(&canonical(case, &one.world)) == *print)
        else {
            break;
        };
        world = one.world;
        lines.push((one.step, shown(case, &world)));
    }
    next.clear();
    steps::next(case, &world, &mut next);
    // The same step under the names of this walk: it breaks the same promise.
    let end = next.iter().find(|one| one.broken == last.broken).unwrap_or(last);
    lines.push((end.step, shown(case, &end.world)));
    Trace { lines }
}

fn shown(case: &Case, world: &World) -> String {
    let mut text = format!("source v{}, promised v{}", world.source, world.confirmed[0]);
    if let Some(version) = world.server.valid(case.tags) {
        text += &format!(", shared v{version}");
    }
    if world.server.changes.iter().any(Marks::any) {
        text += ", announced";
    }
    for (at, node) in world.nodes[..case.nodes].iter().enumerate() {
        text += &node_shown(case, at, node);
    }
    text
}

fn node_shown(case: &Case, at: usize, node: &Node) -> String {
    let mut text = format!(" | {at}:");
    if let Some(entry) = &node.memory {
        let hit = if is_served(case, node, entry) { "serves" } else { "holds" };
        text += &format!(" {hit} v{} aged {}", entry.version, entry.age);
    }
    for flight in node.flights.iter().filter(|flight| !flight.is_idle()) {
        let version: Version = flight.version;
        text += &format!(" {:?} v{version}", flight.stage);
    }
    if case.session && node.session.link != Link::Up {
        text += &format!(" {:?}", node.session.link);
    }
    if node.session.live > 0 {
        text += &format!(" live {}", node.session.live);
    }
    text
}
