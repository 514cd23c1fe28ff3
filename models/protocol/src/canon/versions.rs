//! Numbers versions anew: what counts of a value is only which promises it is too old for.

use crate::{
    case::Case,
    state::{
        words::Version,
        world::{Delayed, World},
    },
};

/// Versions that a promise, or a change under way, names: one bit for each.
struct Named(u128);

pub(super) fn renumber(case: &Case, world: &mut World) {
    let mut named = Named(1);
    each_promise(world, |version| named.add(*version));
    if case.leased {
        // There the values are compared with each other, too.
        each_value(world, |version| named.add(*version));
    }
    each_promise(world, |version| *version = named.rank(*version));
    each_value(world, |version| *version = named.rank(*version));
}

impl Named {
    fn add(&mut self, version: Version) {
        self.0 |= 1 << version;
    }

    /// How many of them are not later. (Version 0 is always there, and counts for nothing.)
    fn rank(&self, version: Version) -> Version {
        let later = u128::MAX << version << 1;
        // At most 127.
        (self.0 & !later).count_ones() as Version - 1
    }
}

fn each_promise(world: &mut World, mut change: impl FnMut(&mut Version)) {
    change(&mut world.source);
    world.confirmed.iter_mut().for_each(&mut change);
    change(&mut world.server.marks.left);
    world.server.changes.iter_mut().for_each(|marks| change(&mut marks.left));
    world.changes.iter_mut().for_each(|one| change(&mut one.version));
    for node in &mut world.nodes {
        change(&mut node.own);
        if let Some(unconfirmed) = &mut node.unconfirmed {
            change(&mut unconfirmed.version);
        }
        node.flights.iter_mut().for_each(|flight| change(&mut flight.demand));
    }
    world.orders.iter_mut().for_each(|order| change(&mut order.version));
    world.writers.iter_mut().for_each(|writer| change(&mut writer.version));
}

fn each_value(world: &mut World, mut change: impl FnMut(&mut Version)) {
    if let Some(value) = &mut world.server.value {
        change(&mut value.version);
    }
    for node in &mut world.nodes {
        if let Some(entry) = &mut node.memory {
            change(&mut entry.version);
        }
        node.flights.iter_mut().for_each(|flight| change(&mut flight.version));
    }
    match &mut world.delayed {
        Some(Delayed::Fill { version, .. } | Delayed::Finish { version, .. }) => change(version),
        Some(Delayed::Begin | Delayed::BeginTags { .. }) | None => {}
    }
}
