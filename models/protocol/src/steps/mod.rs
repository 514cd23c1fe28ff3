//! What may happen next.

mod changes;
mod faults;
mod fills;
mod flights;
mod orders;
mod sessions;
mod step;
mod writes;

use self::step::Who;
pub(crate) use self::step::{Step, What};
use crate::{
    case::{ANY, Case, Fault},
    promise::Broken,
    state::world::World,
    turn::Turn,
};

/// One step and the state it leads to.
pub(crate) struct Next {
    pub(crate) step: Step,
    pub(crate) world: World,
    pub(crate) broken: Option<Broken>,
}

/// Collects the steps that are possible in one state.
pub(crate) struct Offers<'a> {
    pub(crate) case: &'a Case,
    pub(crate) from: &'a World,
    out: &'a mut Vec<Next>,
}

impl Offers<'_> {
    /// This is possible, and changes the state so.
    pub(crate) fn offer(&mut self, who: Who, what: What, take: impl FnOnce(&mut Turn<'_>)) {
        let mut turn = Turn::new(self.case, *self.from);
        take(&mut turn);
        turn.settle(sessions::catch_up);
        self.out.push(Next { step: Step { who, what }, world: turn.world, broken: turn.broken });
    }

    /// This may go wrong, if there is still a fault to spend.
    pub(crate) fn fault(&mut self, fault: Fault, who: Who, take: impl FnOnce(&mut Turn<'_>)) {
        if !self.may_fail(fault) {
            return;
        }
        self.offer(who, What::Fails(fault), |turn| {
            spend(&mut turn.world.budget.faults);
            take(turn);
        });
    }

    pub(crate) fn may_fail(&self, fault: Fault) -> bool {
        self.from.budget.faults > 0 && self.case.faulty.contains(&fault)
    }
}

/// All that may happen next.
pub(crate) fn next(case: &Case, from: &World, out: &mut Vec<Next>) {
    let mut offers = Offers { case, from, out };
    offers.offer(Who::Clock, What::Ticks, tick);
    for node in 0..case.nodes {
        for flight in 0..case.flights {
            flights::offer(&mut offers, node, flight);
        }
        sessions::offer(&mut offers, node);
        orders::offer_repetition(&mut offers, node);
    }
    for order in 0..case.orders.len() {
        orders::offer(&mut offers, order);
    }
    for writer in 0..case.writers.len() {
        writes::offer(&mut offers, writer);
    }
    for change in 0..case.changers.len() {
        changes::offer(&mut offers, change);
    }
    faults::offer(&mut offers);
}

/// Ages only count up to the bound, so time never runs out.
fn tick(turn: &mut Turn<'_>) {
    let bound = turn.case.bound;
    let older = |age: u8| (age + 1).min(bound);
    let world = &mut turn.world;
    for ago in (0..usize::from(bound)).rev() {
        world.confirmed[ago + 1] = world.confirmed[ago];
    }
    for node in &mut world.nodes {
        for flight in node.flights.iter_mut().filter(|flight| !flight.is_idle()) {
            flight.age = older(flight.age);
        }
        if let Some(entry) = &mut node.memory {
            entry.age = older(entry.age);
        }
        node.memory = node.memory.filter(|entry| entry.lasting || entry.age < bound);
        node.session.live = node.session.live.saturating_sub(1);
        if let Some(beat) = &mut node.session.beat {
            beat.age = older(beat.age);
        }
    }
    for writer in &mut world.writers {
        writer.age = older(writer.age);
    }
}

/// Takes one from what is left, unless there is no limit.
pub(crate) fn spend(left: &mut u8) {
    if *left != ANY {
        *left -= 1;
    }
}
