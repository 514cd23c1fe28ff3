//! Whether those who wait can always go on.

use std::collections::HashMap;

use super::print::{ByItself, Print};
use crate::{
    canon::canonical,
    case::Case,
    state::{node::Stage, world::World},
    steps,
};

/// How many states such a search may have: all of them and their steps are kept.
const MOST: usize = 2_000_000;

/// Whether from every state in which a caller waits for a lease, steps that are no faults lead to one in which it does not.
///
/// `None` when the case is too large for this.
#[must_use]
pub fn every_waiter_can_go_on(case: &Case) -> Option<bool> {
    let graph = Graph::of(case)?;
    let mut can = graph.waiting.iter().map(|waits| !waits).collect::<Vec<bool>>();
    // Backwards from the states in which nobody waits.
    let mut backwards = vec![Vec::new(); can.len()];
    for (from, to) in &graph.steps {
        backwards[*to as usize].push(*from);
    }
    let mut look: Vec<u32> = (0..can.len() as u32).filter(|state| can[*state as usize]).collect();
    while let Some(state) = look.pop() {
        for before in &backwards[state as usize] {
            if !std::mem::replace(&mut can[*before as usize], true) {
                look.push(*before);
            }
        }
    }
    Some(can.into_iter().all(|can| can))
}

/// All states of a case by number, and the steps between them that are no faults.
struct Graph {
    waiting: Vec<bool>,
    steps: Vec<(u32, u32)>,
}

impl Graph {
    fn of(case: &Case) -> Option<Self> {
        let mut numbers: HashMap<Print, u32, ByItself> = HashMap::default();
        let first = canonical(case, &World::new(case));
        numbers.insert(Print::of(&first), 0);
        let mut graph = Self { waiting: vec![waits(&first)], steps: Vec::new() };
        let (mut states, mut next) = (vec![first], Vec::new());
        let mut at = 0;
        while at < states.len() {
            next.clear();
            steps::next(case, &states[at], &mut next);
            for one in &next {
                let state = canonical(case, &one.world);
                let new = states.len() as u32;
                let number = *numbers.entry(Print::of(&state)).or_insert(new);
                if number == new {
                    graph.waiting.push(waits(&state));
                    states.push(state);
                }
                if !one.step.is_fault() {
                    graph.steps.push((at as u32, number));
                }
            }
            at += 1;
            if states.len() > MOST {
                return None;
            }
        }
        Some(graph)
    }
}

fn waits(world: &World) -> bool {
    let mut flights = world.nodes.iter().flat_map(|node| &node.flights);
    flights.any(|flight| flight.stage == Stage::Waiting)
}
